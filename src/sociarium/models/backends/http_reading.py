"""Reading the answers of servers. They are untrusted: every field is checked, and what is wrong is a ``CallFailed``."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, cast

from sociarium.kernel.identity import ByIdentity
from sociarium.kernel.protocols import Usage
from sociarium.models.backend import CallFailed
from sociarium.models.budget import upper_tokens
from sociarium.models.request import Request

ECHO = "sociarium-"  # our request ids start so: an id of the server's own is not mistaken for an echo
FINISHES = {"end_turn": "stop", "stop_sequence": "stop", "tool_use": "stop", "tool_calls": "stop", "max_tokens": "length"}
THINKING = ("<think>", "</think>")
Table = Mapping[str, Any]


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


def used(answer: Table, request: Request, text: str) -> Usage:
    """Tokens as the server counts them; where it is silent, the most they can be.

    A count that is missing, or is none, is no count of nothing: a budget of tokens would never end. Reasoning is part of the
    completion and is billed so. Servers that leave it out of ``completion_tokens`` (xAI, Gemini's compatible form) still have it in
    ``total_tokens``. What was read from the cache stands in the details (OpenAI, vLLM), in ``prompt_cache_hit_tokens`` (DeepSeek) or
    beside the counts (Moonshot).
    """
    count = answer.get("usage")
    if not isinstance(count, dict):
        return Usage(1, upper_tokens(request)[0], 0, len(text.encode("utf-8", "replace")))
    tokens = cast("dict[str, Any]", count)
    prompt, total = _count(tokens, "prompt_tokens"), whole(tokens.get("total_tokens"))
    if prompt is None:
        prompt = upper_tokens(request)[0]
    completion = _count(tokens, "completion_tokens")
    if completion is None:
        completion = max(0, total - prompt) or (0 if request.kind == "embed" else len(text.encode("utf-8", "replace")))
    before, after = detail(tokens, "prompt_tokens_details"), detail(tokens, "completion_tokens_details")
    cached = max(whole(before.get("cached_tokens")), whole(tokens.get("prompt_cache_hit_tokens")), whole(tokens.get("cached_tokens")))
    reasoning = max(whole(after.get("reasoning_tokens")), whole(tokens.get("reasoning_tokens")))
    hidden = total - prompt - completion
    if hidden > 0:
        completion, reasoning = completion + hidden, max(reasoning, hidden)
    return Usage(1, prompt, min(cached, prompt), completion, reasoning_tokens=min(reasoning, completion))


def _count(tokens: Table, name: str) -> int | None:
    """Tokens as a whole number, written as one or as ``10.0``; None for anything else."""
    value = tokens.get(name)
    number = real(value)
    if number is None or not number.is_integer() or not 0 <= number < 1 << 40:
        return None
    return int(number)


def detail(tokens: Table, name: str) -> Table:
    part = tokens.get(name)
    return cast("Table", part) if isinstance(part, dict) else {}


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
    closed = not is_object(part) or (
        part.get("additionalProperties") is False and set(part.get("required", ())) == set(part.get("properties", ()))
    )
    return closed and all(strict(one) for name, one in part.items() if name not in ("enum", "const", "default", "examples"))


_WRITE = json.JSONEncoder(ensure_ascii=False).encode
is_strict: ByIdentity[Any, bool] = ByIdentity(strict, 4_096)


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


def without_thoughts(text: str) -> str:
    """What a model says after it has thought aloud, where its server leaves the thoughts in the reply (``<think>`` to ``</think>`` at its
    beginning, as DeepSeek's and Qwen's models write them): they are no words of an agent. Nothing, where the thoughts were cut off."""
    begun = text.lstrip()
    if not begun.startswith(THINKING[0]):
        return text
    return begun.partition(THINKING[1])[2].lstrip()


def word(value: Any) -> str:
    return value if isinstance(value, str) else ""


def whole(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 40 else 0


def is_object(schema: Table) -> bool:
    return schema.get("type") == "object" or "properties" in schema


def real(value: Any) -> float | None:
    """A finite number, as a float; None for anything else, a whole number that is too large for one among it."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
