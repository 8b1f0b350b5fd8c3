"""A reply by a simple schema, asked field by field: values that can be listed are chosen by likelihood, texts are written, and the
brackets between them are ours. No grammar is needed, and what comes back is always valid.

It suits objects whose fields are all required and are enums, constants, booleans, whole numbers of a small range, or short texts.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any, cast

import numpy as np

from sociarium.kernel.content import Block, Trust
from sociarium.kernel.protocols import Usage
from sociarium.models.request import Reply, Request
from sociarium.models.schema import NOTES, faults, resolve

LISTED = 64  # values that a field may have to be chosen among them
LONGEST = 400  # characters of a text
CHARACTERS = 3  # characters a token, at the least usual: bounds the tokens asked for
Ask = Callable[[Request, int | None], Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class Field:
    """One field: the values it may have, or (none) a text of at most ``longest`` characters."""

    name: str
    values: tuple[Any, ...]
    longest: int = 0


def plan(request: Request) -> tuple[Field, ...] | None:
    """The fields in the order of the schema; None where the schema asks for more, or the assistant has begun to speak."""
    schema = request.schema
    if schema is None or not request.blocks or request.blocks[-1].role == "assistant" or schema.get("type") != "object":
        return None
    properties: Mapping[str, Any] = schema.get("properties", {})
    known = NOTES | {"type", "properties", "required", "additionalProperties"}
    if not properties or set(schema) - known or set(schema.get("required", ())) != set(properties):
        return None
    fields = [field_of(name, part, schema) for name, part in properties.items()]
    return None if None in fields else cast("tuple[Field, ...]", tuple(fields))


def field_of(name: str, part: Any, root: Mapping[str, Any]) -> Field | None:
    """What one field may be; None if that is more than a list or a short text."""
    if not isinstance(part, Mapping):
        return None
    schema = resolve(cast("Mapping[str, Any]", part), root)
    asked = set(schema) - NOTES
    if "const" in asked:
        values: Sequence[Any] = (schema["const"],)
    elif "enum" in asked:
        values = schema["enum"]
    elif schema.get("type") == "boolean":
        values = (True, False)
    elif schema.get("type") == "integer" and {"minimum", "maximum"} <= asked:
        low, high = schema["minimum"], schema["maximum"]
        values = range(int(low), int(high) + 1) if high - low < 2 * LISTED else ()
    elif schema.get("type") == "string" and asked <= {"type", "maxLength", "minLength"} and schema.get("minLength", 0) <= 1:
        longest = schema.get("maxLength", LONGEST)
        return Field(name, (), longest) if 1 <= longest <= LONGEST else None
    else:
        return None
    fit = tuple(value for value in values if not faults(value, {**schema, "$defs": root.get("$defs", {})}))
    return Field(name, fit) if 1 <= len(fit) <= LISTED else None


async def by_fields(ask: Ask, request: Request, draw: int | None, fields: Sequence[Field]) -> Reply | None:
    """The reply, of one question a field that leaves a choice; None where a text came back empty that must not be."""
    said, value = "{", dict[str, Any]()
    replies: list[Reply] = []
    for number, field in enumerate(fields):
        said += f"{json.dumps(field.name, ensure_ascii=False)}:"
        end = "}" if number + 1 == len(fields) else ","
        if len(field.values) == 1:
            value[field.name] = field.values[0]
        else:
            blocks = (*request.blocks, Block(said, origin="model", trust=Trust.AGENT, role="assistant"))
            if field.values:
                options = tuple(json.dumps(one, ensure_ascii=False) + end for one in field.values)
                reply = await ask(replace(request, blocks=blocks, kind="choose", schema=None, options=options), None)
                value[field.name] = field.values[picked(reply.probabilities, request.sampling.temperature, draw, number)]
            else:
                reply = await written(ask, request, blocks, draw, field)
                value[field.name] = tidy(reply.text)[: field.longest].strip()
                if not value[field.name]:
                    return None
            replies.append(reply)
        said += f" {json.dumps(value[field.name], ensure_ascii=False)}{end}" + (" " if end == "," else "")
    assert request.schema is not None
    if faults(value, request.schema):
        return None
    model = replies[0].model if replies else ""
    return Reply(text=json.dumps(value, ensure_ascii=False), value=value, model=model, usage=used(replies, request.sampling.max_tokens))


def used(replies: Sequence[Reply], most: int) -> Usage:
    """One call: its prompt is the longest that was read, and never more was written than was allowed (options that were weighed and
    not taken are no part of the reply)."""
    longest = max(replies, key=lambda reply: reply.usage.prompt_tokens, default=None)
    if longest is None:
        return Usage(calls=1)
    completion = min(most, sum(reply.usage.completion_tokens for reply in replies))
    return replace(longest.usage, calls=1, completion_tokens=completion, seconds=sum(reply.usage.seconds for reply in replies))


async def written(ask: Ask, request: Request, blocks: tuple[Block, ...], draw: int | None, field: Field) -> Reply:
    """A text up to its closing quotation mark."""
    opened = (*blocks[:-1], replace(blocks[-1], text=blocks[-1].text + ' "'))
    most = min(request.sampling.max_tokens, max(4, field.longest // CHARACTERS))
    sampling = replace(request.sampling, max_tokens=most, stop=('"', "\n"))
    return await ask(replace(request, blocks=opened, schema=None, sampling=sampling), draw)


def picked(shares: Sequence[float], temperature: float, draw: int | None, number: int) -> int:
    """The likeliest value, or at a temperature one drawn by the draw: the same draw and question give the same value."""
    if temperature == 0.0 or draw is None:
        return max(range(len(shares)), key=shares.__getitem__)
    logs = [math.log(max(share, 1e-300)) / temperature for share in shares]
    heap = list(accumulate(math.exp(one - max(logs)) for one in logs))
    stream = np.random.Generator(np.random.Philox(key=draw % 2**64, counter=number))
    return min(bisect_right(heap, stream.random() * heap[-1]), len(heap) - 1)


def tidy(text: str) -> str:
    """A text without control characters and without an escape that was begun."""
    return "".join(letter for letter in text if letter.isprintable()).rstrip("\\")
