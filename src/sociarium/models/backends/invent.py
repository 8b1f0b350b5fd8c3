"""Valid replies to any request, drawn from a hash: what a dry run answers with. Nobody thinks here."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from sociarium.kernel.errors import UsageError
from sociarium.models.request import Reply, Request, request_id
from sociarium.models.schema import faults, resolve

SPEECH = """
the river town market people say we can share more fish this month because rain came late and old friends agree that every
family needs bread work time help trust water music news children winter garden letter road harvest price vote story
"""
WORDS = tuple(SPEECH.split())
WIDTH = 64  # numbers in an invented vector
LEVELS = 6  # of nesting after which optional parts are left out


class Invention:
    """One reply. Numbers come from a counter-based hash of seed, request and draw, so that the same question has the same answer."""

    def __init__(self, seed: int, request: Request, draw: int | None, *, words: int = 12) -> None:
        self.request = request
        self.words = words
        self._root: Mapping[str, Any] = request.schema or {}
        self._stream = f"{seed}/{request_id(request, draw)}".encode()
        self._count = 0

    def reply(self) -> Reply:
        request = self.request
        if request.kind == "choose":
            weights = [-math.log1p(-self._share()) for _ in request.options]
            total = math.fsum(weights)
            return Reply(probabilities=tuple(weight / total for weight in weights))
        if request.kind == "embed":
            return Reply(vectors=tuple(vector(text) for text in request.texts))
        if request.schema is None:
            return Reply(text=self._text({}))
        return Reply(text=json.dumps(self._value(request.schema, 0)))

    def _value(self, part: Any, depth: int) -> Any:
        if isinstance(part, bool):
            return None
        schema = resolve(part, self._root)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self._one(schema["enum"])
        for name in ("anyOf", "oneOf"):
            if name in schema:
                return self._value(self._form(schema[name], depth), depth + 1)
        if "allOf" in schema:
            merged: dict[str, Any] = {key: value for key, value in schema.items() if key != "allOf"}
            for one in schema["allOf"]:
                merged.update(resolve(one, self._root))
            return self._value(merged, depth + 1)
        kind = schema.get("type", "object" if "properties" in schema else "string")
        return self._typed(kind if isinstance(kind, str) else self._one(kind), schema, depth)

    def _typed(self, kind: str, schema: Mapping[str, Any], depth: int) -> Any:
        if kind == "object":
            required = schema.get("required", ())
            wanted = {
                name: one
                for name, one in schema.get("properties", {}).items()
                if name in required or (depth < LEVELS and self._share() < 0.5)
            }
            return {name: self._value(one, depth + 1) for name, one in wanted.items()}
        if kind == "array":
            least = schema.get("minItems", 0)
            most = min(schema.get("maxItems", least + 3), least + 3)
            count = self._whole(least, most) if depth < LEVELS else least
            return self._list(schema.get("items", {"type": "string"}), count, bool(schema.get("uniqueItems")), depth)
        if kind == "integer":
            step = int(schema.get("multipleOf", 1))
            low, high = _range(schema, 1)
            return step * self._whole(math.ceil(low / step), math.floor(high / step))
        if kind == "number":
            low, high = _range(schema, 0)
            value = low + (high - low) * (0.001 + 0.998 * self._share())
            return value if "multipleOf" not in schema else schema["multipleOf"] * math.floor(value / schema["multipleOf"])
        if kind == "boolean":
            return self._share() < 0.5
        return None if kind == "null" else self._text(schema)

    def _form(self, forms: Sequence[Any], depth: int) -> Any:
        """One of the forms; deep down the shallowest first, so that recursive schemas end."""
        return self._one(forms) if depth < LEVELS else min(forms, key=lambda form: len(json.dumps(resolve(form, self._root))))

    def _list(self, items: Any, count: int, unique: bool, depth: int) -> list[Any]:
        values: list[Any] = []
        for _ in range(count * 20 if unique else count):
            value = self._value(items, depth + 1)
            if not (unique and value in values):
                values.append(value)
            if len(values) == count:
                break
        return values

    def _text(self, schema: Mapping[str, Any]) -> str:
        if "pattern" in schema:
            for example in (*schema.get("examples", ()), schema.get("default", "")):
                if not faults(example, {**schema, "type": "string"}):
                    return str(example)
            raise UsageError(
                f"A dry run cannot invent a text for the pattern {schema['pattern']!r}: give the field an example that fits it."
            )
        text = " ".join(self._one(WORDS) for _ in range(self._whole(max(1, self.words // 2), self.words)))
        least, most = schema.get("minLength", 0), schema.get("maxLength", 1 << 20)
        while len(text) < least:
            text += " " + self._one(WORDS)
        return text[:most] if len(text) > most else text

    def _one(self, choices: Sequence[Any]) -> Any:
        return choices[self._whole(0, len(choices) - 1)]

    def _whole(self, low: int, high: int) -> int:
        return low + int(self._share() * (max(low, high) - low + 1))

    def _share(self) -> float:
        self._count += 1
        digest = hashlib.blake2b(self._stream + self._count.to_bytes(4, "little"), digest_size=8).digest()
        return (int.from_bytes(digest, "little") >> 11) / 2.0**53


def vector(text: str, width: int = WIDTH) -> tuple[float, ...]:
    """A vector of length one, hashed from a text: equal texts have equal vectors, others are nearly orthogonal."""
    stream = hashlib.shake_128(text.encode("utf-8", "replace")).digest(2 * width)
    raw = [int.from_bytes(stream[2 * at : 2 * at + 2], "little") - 32767.5 for at in range(width)]
    length = math.sqrt(math.fsum(one * one for one in raw))
    return tuple(one / length for one in raw)


def _range(schema: Mapping[str, Any], step: int) -> tuple[float, float]:
    """Least and greatest value. ``step`` is how far an exclusive bound is moved inwards."""
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    if low is None:
        low = 0 if high is None else high - 100
    elif "minimum" not in schema:
        low += step
    if high is None:
        high = low + 100
    elif "maximum" not in schema:
        high -= step
    return low, high
