"""How a request is written for each kind of server, and how its answer is read. Answers are untrusted: every field is checked."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, cast

from sociarium.kernel.content import Content, Layer
from sociarium.kernel.protocols import Usage
from sociarium.models.backend import CallFailed
from sociarium.models.backends.http_reading import (
    FINISHES,
    echoed,
    encoded,
    first,
    is_strict,
    joined,
    real,
    table,
    used,
    whole,
    without_thoughts,
    word,
)  # fmt: skip
from sociarium.models.prompts import prompt
from sociarium.models.rendering import messages
from sociarium.models.request import BackendFacts, Reply, Request, block_digest, request_id
from sociarium.models.secret import Secret

STREAM = {"stream": True, "stream_options": {"include_usage": True}}
LETTERS = "ABCDEFGHIJKLMNOPQRST"  # as many as servers give alternatives for one token
Table = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Manner:
    """How a server is spoken to, where it changes no reply. ``cache``: which layers are marked for its prompt cache."""

    vendor: str = ""
    cache: Literal["stable", "shared", "off"] = "stable"


class Shape(Protocol):
    """One kind of server."""

    def __init__(self, model: str, facts: BackendFacts, manner: Manner) -> None: ...

    def headers(self, key: Secret) -> dict[str, str]: ...

    def body(self, request: Request, draw: int | None, *, stream: bool = False) -> tuple[str, bytes]:
        """Path and body. ``stream`` is asked of completions only."""
        ...

    def reply(self, request: Request, answer: Table, headers: Mapping[str, str]) -> Reply: ...


class Chat:
    """``/chat/completions`` and ``/embeddings``.

    A choice is asked by letters: the options in an order rotated by a hash of the question (so that the favour a model
    has for a place falls on each option in turn over many askers), one token, and its alternatives' log-probabilities.
    ``neutral`` is not used here.
    """

    def __init__(self, model: str, facts: BackendFacts, manner: Manner) -> None:
        self.model = model
        self.facts = facts
        self.manner = manner

    def headers(self, key: Secret) -> dict[str, str]:
        return {"Authorization": f"Bearer {key.reveal()}"} if key else {}

    def said(self, text: str) -> str:
        """The words of a reply."""
        return text if self.facts.engine.get("thoughts") == "keep" else without_thoughts(text)

    def body(self, request: Request, draw: int | None, *, stream: bool = False) -> tuple[str, bytes]:
        if request.kind == "embed":
            return "/embeddings", encoded({"model": self.model, "input": list(request.texts)})
        return "/chat/completions", encoded(self.fields(request, draw, stream=stream))

    def fields(self, request: Request, draw: int | None, *, stream: bool = False) -> dict[str, Any]:
        """The fields of a chat."""
        talk = [{"role": role, "content": text} for role, text in messages(request.blocks)]
        body: dict[str, Any] = {"model": self.model, "messages": talk}
        length = "max_completion_tokens" if self.manner.vendor == "openai" else "max_tokens"
        if self.manner.vendor == "openai" and (prefix := prefix_key(request, self.manner.cache)):
            body["prompt_cache_key"] = prefix
        if request.kind == "choose":
            talk.append({"role": "user", "content": lettered(request)})
            return {**body, length: 1, "temperature": 0.0, "logprobs": True, "top_logprobs": 20}
        body[length] = request.sampling.max_tokens
        body.update(sampling(request, draw, self.facts))
        how = self.facts.engine["schemas"]
        if request.schema is not None and how in ("prompt", "object"):
            talk.append(
                {"role": "user", "content": prompt("schema", schema=json.dumps(request.schema, sort_keys=True, ensure_ascii=False))}
            )
        if request.schema is not None and how != "prompt":
            body["response_format"] = {"type": "json_object"} if how == "object" else schema_format(request)
        return {**body, **STREAM} if stream else body

    def reply(self, request: Request, answer: Table, headers: Mapping[str, str]) -> Reply:
        if request.kind == "embed":
            return embedded(request, answer, headers)
        choice = table(first(answer.get("choices"), "choices"), "choices[0]")
        message = table(choice.get("message"), "message")
        text = joined(message.get("content"))
        usage = used(answer, request, text)
        text = self.said(text)
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

    def body(self, request: Request, draw: int | None, *, stream: bool = False) -> tuple[str, bytes]:
        if request.kind == "embed":
            return super().body(request, draw)
        if request.kind == "choose":
            texts = [before + option for before, option in self._scored(request)]
            asked = {"model": self.model, "prompt": texts, "max_tokens": 1, "temperature": 0.0, "echo": True, "logprobs": 1}
            return "/completions", encoded(asked)
        text = flat(request.blocks)
        body: dict[str, Any] = {"model": self.model, "max_tokens": request.sampling.max_tokens, **sampling(request, draw, self.facts)}
        if request.schema is not None and self.facts.engine["schemas"] == "prompt":
            text += "\n\n" + prompt("schema", schema=json.dumps(request.schema, sort_keys=True, ensure_ascii=False))
        elif request.schema is not None:
            body["response_format"] = schema_format(request)
        return "/completions", encoded({**body, "prompt": text, **(STREAM if stream else {})})

    def reply(self, request: Request, answer: Table, headers: Mapping[str, str]) -> Reply:
        if request.kind == "embed":
            return embedded(request, answer, headers)
        base = Reply(model=word(answer.get("model")), echo=echoed(answer, headers))
        if request.kind == "choose":
            usage = used(answer, request, "")
            return replace(base, probabilities=softmax(self._scores(request, answer, usage)), usage=usage)
        choice = table(first(answer.get("choices"), "choices"), "choices[0]")
        text = word(choice.get("text"))
        return replace(base, text=self.said(text), finish=word(choice.get("finish_reason")) or "stop", usage=used(answer, request, text))

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


def schema_format(request: Request) -> dict[str, Any]:
    form = {"name": "reply", "schema": request.schema, "strict": is_strict(request.schema)}
    return {"type": "json_schema", "json_schema": form}


def prefix_key(request: Request, cache: str) -> str:
    """A name for the beginning that requests share, so that a vendor sends them to where it is kept; empty where there is none."""
    kept = (Layer.SHARED, Layer.STABLE) if cache == "stable" else (Layer.SHARED,) if cache == "shared" else ()
    digests = [block_digest(block) for block in request.blocks if block.layer in kept]
    return hashlib.blake2b("".join(digests).encode(), digest_size=16).hexdigest() if digests else ""


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
        chance = real(alternative.get("logprob"))
        if len(letter) == 1 and 0 <= LETTERS.find(letter) < len(weights) and chance is not None and chance <= 0.0:
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
    inside = [value for begin, after, value in zip(places, ends, values, strict=False) if after > start and begin < end]
    told = [-math.inf if value == -math.inf else real(value) for value in inside if value is not None]  # the first of a text has none
    chance = [one for one in told if one is not None]
    if not chance or len(chance) < len(told):
        raise CallFailed("wrong_shape", "an option has no log-probability, or one that is no number", retryable=True, usage=usage)
    return math.fsum(chance)


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
        vector = [real(one) for one in cast("list[Any]", numbers)] if isinstance(numbers, list) else []
        found = tuple(one for one in vector if one is not None)
        if not found or len(found) < len(vector):
            raise CallFailed("wrong_shape", "an embedding is not a list of numbers", retryable=True)
        vectors[whole(table(row, "data").get("index", number))] = found
    if sorted(vectors) != list(range(len(request.texts))):
        raise CallFailed("wrong_shape", f"{len(rows)} vectors for {len(request.texts)} texts", retryable=True)
    ordered = tuple(vectors[at] for at in range(len(vectors)))
    return Reply(vectors=ordered, model=word(answer.get("model")), usage=used(answer, request, ""), echo=echoed(answer, headers))


def flat(blocks: Content) -> str:
    return "\n\n".join(text for _, text in messages(blocks))
