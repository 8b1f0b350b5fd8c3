"""How a request is written for each kind of server, and how its answer is read. Answers are untrusted: every field is checked."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol, cast

from sociarium.kernel.content import Content
from sociarium.kernel.identity import ByIdentity
from sociarium.kernel.protocols import Usage
from sociarium.models.backend import CallFailed
from sociarium.models.budget import upper_tokens
from sociarium.models.prompts import prompt
from sociarium.models.rendering import messages
from sociarium.models.request import BackendFacts, Reply, Request, request_id
from sociarium.models.secret import Secret

ECHO = "sociarium-"  # our request ids start so: an id of the server's own is not mistaken for an echo
LETTERS = "ABCDEFGHIJKLMNOPQRST"  # as many as servers give alternatives for one token
FINISHES = {"end_turn": "stop", "stop_sequence": "stop", "tool_use": "stop", "tool_calls": "stop", "max_tokens": "length"}
Table = Mapping[str, Any]


class Shape(Protocol):
    """One kind of server."""

    def __init__(self, model: str, facts: BackendFacts, vendor: str) -> None: ...

    def headers(self, key: Secret) -> dict[str, str]: ...

    def body(self, request: Request, draw: int | None) -> tuple[str, bytes]:
        """Path and body."""
        ...

    def reply(self, request: Request, answer: Table, headers: Mapping[str, str]) -> Reply: ...


class Chat:
    """``/chat/completions`` and ``/embeddings``.

    A choice is asked by letters: the options in an order rotated by a hash of the question (so that the favour a model
    has for a place falls on each option in turn over many askers), one token, and its alternatives' log-probabilities.
    ``neutral`` is not used here.
    """

    def __init__(self, model: str, facts: BackendFacts, vendor: str) -> None:
        self.model = model
        self.facts = facts
        self.vendor = vendor

    def headers(self, key: Secret) -> dict[str, str]:
        return {"Authorization": f"Bearer {key.reveal()}"} if key else {}

    def body(self, request: Request, draw: int | None) -> tuple[str, bytes]:
        if request.kind == "embed":
            return "/embeddings", encoded({"model": self.model, "input": list(request.texts)})
        talk = [{"role": role, "content": text} for role, text in messages(request.blocks)]
        body: dict[str, Any] = {"model": self.model, "messages": talk}
        length = "max_completion_tokens" if self.vendor == "openai" else "max_tokens"
        if request.kind == "choose":
            talk.append({"role": "user", "content": lettered(request)})
            return "/chat/completions", encoded({**body, length: 1, "temperature": 0.0, "logprobs": True, "top_logprobs": 20})
        body[length] = request.sampling.max_tokens
        body.update(sampling(request, draw, self.facts))
        if request.schema is not None and self.facts.engine["schemas"] == "prompt":
            talk.append({"role": "user", "content": prompt("schema", schema=json.dumps(request.schema, sort_keys=True))})
        elif request.schema is not None:
            form = {"name": "reply", "schema": request.schema, "strict": _is_strict(request.schema)}
            body["response_format"] = {"type": "json_schema", "json_schema": form}
        return "/chat/completions", encoded(body)

    def reply(self, request: Request, answer: Table, headers: Mapping[str, str]) -> Reply:
        if request.kind == "embed":
            return embedded(request, answer, headers)
        choice = table(first(answer.get("choices"), "choices"), "choices[0]")
        message = table(choice.get("message"), "message")
        text = joined(message.get("content"))
        usage = used(answer, request, text)
        base = Reply(model=word(answer.get("model")), usage=usage, echo=echoed(answer, headers))
        if message.get("refusal"):
            return replace(base, text=word(message["refusal"]), finish="refusal")
        finish = word(choice.get("finish_reason")) or "stop"
        if request.kind == "choose":
            return replace(base, probabilities=by_letter(request, choice, usage), finish=finish)
        return replace(base, text=text, finish=FINISHES.get(finish, finish))


class Completions(Chat):
    """``/completions``: the prompt as one text. A choice is scored by the log-likelihood of each option's text as its
    continuation, minus that after ``neutral``; all in one request, which the server must echo with log-probabilities."""

    def body(self, request: Request, draw: int | None) -> tuple[str, bytes]:
        if request.kind == "embed":
            return super().body(request, draw)
        if request.kind == "choose":
            texts = [before + option for before, option in self._scored(request)]
            asked = {"model": self.model, "prompt": texts, "max_tokens": 1, "temperature": 0.0, "echo": True, "logprobs": 1}
            return "/completions", encoded(asked)
        body = {"model": self.model, "prompt": flat(request.blocks), "max_tokens": request.sampling.max_tokens}
        return "/completions", encoded({**body, **sampling(request, draw, self.facts)})

    def reply(self, request: Request, answer: Table, headers: Mapping[str, str]) -> Reply:
        if request.kind == "embed":
            return embedded(request, answer, headers)
        base = Reply(model=word(answer.get("model")), echo=echoed(answer, headers))
        if request.kind == "choose":
            usage = used(answer, request, "")
            return replace(base, probabilities=softmax(self._scores(request, answer, usage)), usage=usage)
        choice = table(first(answer.get("choices"), "choices"), "choices[0]")
        text = word(choice.get("text"))
        return replace(base, text=text, finish=word(choice.get("finish_reason")) or "stop", usage=used(answer, request, text))

    def _scored(self, request: Request) -> list[tuple[str, str]]:
        prompts = [request.blocks] if request.neutral is None else [request.blocks, request.neutral]
        return [(flat(blocks), " " + option) for blocks in prompts for option in request.options]

    def _scores(self, request: Request, answer: Table, usage: Usage) -> list[float]:
        asked = self._scored(request)
        choices: list[Any] = answer["choices"] if isinstance(answer.get("choices"), list) else []
        if len(choices) != len(asked):
            raise CallFailed("wrong_shape", f"{len(choices)} choices for {len(asked)} prompts", retryable=True, usage=usage)
        scores: dict[int, float] = {}
        for number, choice in enumerate(choices):
            at = whole(table(choice, "choices").get("index", number))
            before, option = asked[at] if at < len(asked) else ("", "")
            scores[at] = continuation(table(table(choice, "choices").get("logprobs"), "logprobs"), len(before), len(before + option), usage)
        count = len(request.options)
        return [scores.get(at, -math.inf) - (scores.get(at + count, 0.0) if request.neutral is not None else 0.0) for at in range(count)]


class Anthropic:
    """``/messages``. A schema becomes the one tool that the model must call; there are no log-probabilities and no seeds."""

    def __init__(self, model: str, facts: BackendFacts, vendor: str) -> None:
        self.model = model
        self.facts = facts
        self.vendor = vendor

    def headers(self, key: Secret) -> dict[str, str]:
        return {"x-api-key": key.reveal(), "anthropic-version": "2023-06-01"}

    def body(self, request: Request, draw: int | None) -> tuple[str, bytes]:
        if request.kind != "complete":
            raise CallFailed("bad_request", f"{self.facts.name} has neither log-probabilities nor embeddings", retryable=False)
        pairs = messages(request.blocks)
        system = "\n\n".join(text for role, text in pairs if role == "system")
        talk = [{"role": role, "content": text} for role, text in pairs if role != "system"]
        if not talk:
            talk, system = [{"role": "user", "content": system}], ""
        body: dict[str, Any] = {"model": self.model, "messages": talk, "max_tokens": request.sampling.max_tokens}
        if system:
            body["system"] = system
        if self.facts.engine["sampling"] == "send":
            body["temperature"] = request.sampling.temperature
            if request.sampling.top_p < 1.0:
                body["top_p"] = request.sampling.top_p
        if request.sampling.stop:
            body["stop_sequences"] = list(request.sampling.stop)
        if request.schema is not None and self.facts.engine["schemas"] == "tool":
            form = request.schema if _is_object(request.schema) else {"type": "object", "properties": {"value": request.schema}}
            body["tools"] = [{"name": "reply", "description": "The reply.", "input_schema": form}]
            body["tool_choice"] = {"type": "tool", "name": "reply"}
        elif request.schema is not None:
            talk.append({"role": "user", "content": prompt("schema", schema=json.dumps(request.schema, sort_keys=True))})
        return "/messages", encoded(body)

    def reply(self, request: Request, answer: Table, headers: Mapping[str, str]) -> Reply:
        parts: list[Any] = answer["content"] if isinstance(answer.get("content"), list) else []
        texts: list[str] = []
        for part in parts:
            piece = table(part, "content")
            if piece.get("type") == "text":
                texts.append(word(piece.get("text")))
            elif piece.get("type") == "tool_use" and request.schema is not None:
                given = table(piece.get("input"), "input")
                texts = [json.dumps(given if _is_object(request.schema) else given.get("value"), ensure_ascii=False)]
                break
        text = "".join(texts)
        finish = word(answer.get("stop_reason")) or "stop"
        tokens = answer.get("usage")
        if isinstance(tokens, dict):
            count = cast("dict[str, Any]", tokens)
            read = whole(count.get("cache_read_input_tokens"))
            prompt_tokens = whole(count.get("input_tokens")) + read + whole(count.get("cache_creation_input_tokens"))
            usage = Usage(1, prompt_tokens, read, whole(count.get("output_tokens")))
        else:
            usage = used({}, request, text)
        return Reply(
            text=text, finish=FINISHES.get(finish, finish), model=word(answer.get("model")), usage=usage, echo=echoed(answer, headers)
        )


def decoded(data: bytes) -> Table:
    """The object in a body, or ``CallFailed``."""
    try:
        answer: Any = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise CallFailed("truncated", f"the body is not JSON: {str(error)[:120]}", retryable=True) from None
    body = table(answer, "the body")
    if body.get("error"):  # some servers send an error with status 200
        raise CallFailed("server_error", "an error in the place of an answer", retryable=True)
    return body


def encoded(body: Table) -> bytes:
    return _WRITE(body).encode("utf-8", "replace")


def sampling(request: Request, draw: int | None, facts: BackendFacts) -> dict[str, Any]:
    """The fields that say how a reply is drawn."""
    wish = request.sampling
    fields: dict[str, Any] = {"stop": list(wish.stop)} if wish.stop else {}
    if facts.engine["sampling"] == "send":
        fields["temperature"] = wish.temperature
        if wish.top_p < 1.0:
            fields["top_p"] = wish.top_p
    if facts.seeds and draw is not None and not request.fixed:
        fields["seed"] = draw % (1 << 31)  # what every server takes
    return fields


def lettered(request: Request) -> str:
    """The options under their letters, in the order of ``places``."""
    if len(request.options) > len(LETTERS):
        fault = f"{len(request.options)} options, at most {len(LETTERS)} can be told apart by one token; use api=completions"
        raise CallFailed("bad_request", fault, retryable=False)
    lines = [f"{letter}. {request.options[at]}" for letter, at in zip(LETTERS, places(request), strict=False)]
    return prompt("choose", options="\n".join(lines))


def places(request: Request) -> list[int]:
    """Which option stands at which letter."""
    turn = int(request_id(request, None)[:8], 16) % len(request.options)
    return [(at + turn) % len(request.options) for at in range(len(request.options))]


def by_letter(request: Request, choice: Table, usage: Usage) -> tuple[float, ...]:
    """Probabilities of the options, from the alternatives of the first token that is told."""
    content = table(choice.get("logprobs") or {}, "logprobs").get("content")
    found = table(first(content, "logprobs"), "logprobs").get("top_logprobs")
    weights = [0.0] * len(request.options)
    for one in cast("list[Any]", found) if isinstance(found, list) else []:
        alternative = table(one, "top_logprobs")
        letter = word(alternative.get("token")).strip().strip(".)(").upper()
        chance = alternative.get("logprob")
        if len(letter) == 1 and 0 <= LETTERS.find(letter) < len(weights) and isinstance(chance, int | float) and chance <= 0.0:
            weights[places(request)[LETTERS.find(letter)]] += math.exp(chance)
    total = math.fsum(weights)
    if not total > 0.0:
        raise CallFailed("wrong_shape", "no option is among the alternatives of the answer", retryable=True, usage=usage)
    return tuple(weight / total for weight in weights)


def continuation(chances: Table, start: int, end: int, usage: Usage) -> float:
    """The log-likelihood of the characters from ``start`` to ``end``: of each token that reaches past ``start``."""
    offsets, logs = chances.get("text_offset"), chances.get("token_logprobs")
    if not isinstance(offsets, list) or not isinstance(logs, list):
        raise CallFailed("wrong_shape", "the server does not echo log-probabilities", retryable=False, usage=usage)
    places = [whole(offset) for offset in cast("list[Any]", offsets)]
    ends = [*places[1:], max(end, places[-1] if places else 0) + 1]
    values = cast("list[Any]", logs)
    inside = [
        float(value)
        for begin, after, value in zip(places, ends, values, strict=False)
        if after > start and begin < end and isinstance(value, int | float)
    ]
    if not inside:
        raise CallFailed("wrong_shape", "an option has no log-probability", retryable=True, usage=usage)
    return math.fsum(inside)


def softmax(scores: list[float]) -> tuple[float, ...]:
    top = max(scores)
    weights = [math.exp(score - top) for score in scores]
    total = math.fsum(weights)
    return tuple(weight / total for weight in weights)


def embedded(request: Request, answer: Table, headers: Mapping[str, str]) -> Reply:
    """Vectors in the order of the texts."""
    rows: list[Any] = answer["data"] if isinstance(answer.get("data"), list) else []
    vectors: dict[int, tuple[float, ...]] = {}
    for number, row in enumerate(rows):
        numbers = table(row, "data").get("embedding")
        if not isinstance(numbers, list) or not all(_is_finite(one) for one in cast("list[Any]", numbers)):
            raise CallFailed("wrong_shape", "an embedding is not a list of numbers", retryable=True)
        vectors[whole(table(row, "data").get("index", number))] = tuple(float(one) for one in cast("list[Any]", numbers))
    if sorted(vectors) != list(range(len(request.texts))):
        raise CallFailed("wrong_shape", f"{len(rows)} vectors for {len(request.texts)} texts", retryable=True)
    ordered = tuple(vectors[at] for at in range(len(vectors)))
    return Reply(vectors=ordered, model=word(answer.get("model")), usage=used(answer, request, ""), echo=echoed(answer, headers))


def used(answer: Table, request: Request, text: str) -> Usage:
    """Tokens as the server counts them (reasoning is part of the completion); where it is silent, the most they can be."""
    count = answer.get("usage")
    if not isinstance(count, dict):
        return Usage(1, upper_tokens(request)[0], 0, len(text.encode("utf-8", "replace")))
    tokens = cast("dict[str, Any]", count)
    details = tokens.get("prompt_tokens_details")
    cached = whole(cast("dict[str, Any]", details).get("cached_tokens")) if isinstance(details, dict) else 0
    prompt_tokens = whole(tokens.get("prompt_tokens"))
    return Usage(1, prompt_tokens, min(cached, prompt_tokens), whole(tokens.get("completion_tokens")))


def echoed(answer: Table, headers: Mapping[str, str]) -> str:
    """The id of the request that the server says it answers, where it says so."""
    metadata = answer.get("metadata")
    told = cast("dict[str, Any]", metadata).get("request_id") if isinstance(metadata, dict) else answer.get("request_id")
    for text in (headers.get("x-request-id", ""), word(told)):
        if text.startswith(ECHO):
            return text.removeprefix(ECHO)
    return ""


def strict(schema: Any) -> bool:
    """Whether a schema keeps the rules of strict mode: each object closed, each of its names required."""
    if isinstance(schema, list):
        return all(strict(one) for one in cast("list[Any]", schema))
    if not isinstance(schema, dict):
        return True
    part = cast("dict[str, Any]", schema)
    closed = not _is_object(part) or (
        part.get("additionalProperties") is False and set(part.get("required", ())) == set(part.get("properties", ()))
    )
    return closed and all(strict(one) for name, one in part.items() if name not in ("enum", "const", "default", "examples"))


_WRITE = json.JSONEncoder(ensure_ascii=False).encode
_is_strict: ByIdentity[Any, bool] = ByIdentity(strict, 4_096)


def flat(blocks: Content) -> str:
    return "\n\n".join(text for _, text in messages(blocks))


def table(value: Any, what: str) -> Table:
    if not isinstance(value, dict):
        raise CallFailed("wrong_shape", f"{what} is missing or not an object", retryable=True)
    return cast("Table", value)


def first(value: Any, what: str) -> Any:
    if not isinstance(value, list) or not value:
        raise CallFailed("wrong_shape", f"{what} is missing or empty", retryable=True)
    return cast("list[Any]", value)[0]


def joined(content: Any) -> str:
    """The text of a message: a string, or the texts of its parts."""
    if isinstance(content, list):
        return "".join(word(table(part, "content").get("text")) for part in cast("list[Any]", content))
    return word(content)


def word(value: Any) -> str:
    return value if isinstance(value, str) else ""


def whole(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 40 else 0


def _is_object(schema: Table) -> bool:
    return schema.get("type") == "object" or "properties" in schema


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
