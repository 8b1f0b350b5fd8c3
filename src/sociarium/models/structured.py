"""From a model's text to a value that follows a schema, or to the reason why it does not. Nothing here raises on any text.

How JSON is found in a text, first rule that fits: (1) the whole text; (2) the only fenced block (three backticks), when there
is exactly one; (3) for a schema of type object or array, the text from its first ``{`` or ``[`` to the end of the value that
starts there, when no other bracket follows it. Two candidates are an error, never a guess. A double name in an object, NaN,
an infinity, half a surrogate pair and nesting beyond ``DEPTH`` are errors. A value that is too long is an error and is never
cut: half an action is another action.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from sociarium.models.schema import faults

LONGEST_TEXT = 1 << 20  # characters of a reply
LONGEST_STRING = 100_000  # characters of one string in a value
MOST_VALUES = 100_000  # numbers, texts, lists and objects in one value
LARGEST_BITS = 1_023  # of a whole number: what is no float either (beyond 9e307) is no quantity, and breaks whoever reads it as one
DEPTH = 64

_FENCE = re.compile(r"```[A-Za-z0-9_-]*[ \t]*\n(.*?)```", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Parsed:
    """``value`` where ``error`` is empty; else ``error`` says what is wrong, in words fit for a repair request."""

    value: Any = None
    error: str = ""


def parse(text: str, schema: Mapping[str, Any]) -> Parsed:
    """The value that ``text`` holds, checked against ``schema``."""
    if len(text) > LONGEST_TEXT:
        return Parsed(error=f"the reply has {len(text):,} characters, the limit is {LONGEST_TEXT:,}")
    if not text.strip():
        return Parsed(error="the reply is empty")
    found = _find(text, schema)
    if found.error:
        return found
    wrong = _unfit(found.value) or faults(found.value, schema)
    return Parsed(error=wrong) if wrong else found


def clean(text: str) -> str:
    """``text`` with each half of a surrogate pair replaced by U+FFFD: any other text can be stored and hashed as UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def repeats(text: str, least: int = 128) -> bool:
    """Whether a text ends in one unit of at most 64 characters, repeated over at least 8 units and ``least`` characters."""
    for unit in range(1, 65):
        span = max(least, 8 * unit)
        if len(text) >= span and _periodic(text[-span:], unit):
            return True
    return False


def _periodic(text: str, unit: int) -> bool:
    return text[unit:] == text[:-unit]


def _find(text: str, schema: Mapping[str, Any]) -> Parsed:
    whole = _decode(text.strip())
    if not whole.error:
        return whole
    fences = _FENCE.findall(text)
    if len(fences) == 1:
        return _decode(fences[0].strip())
    if len(fences) > 1:
        return Parsed(error=f"the reply has {len(fences)} fenced blocks, one was asked for")
    if schema.get("type") not in ("object", "array") and "properties" not in schema and "$ref" not in schema:
        return whole
    starts = [at for at in (text.find("{"), text.find("[")) if at >= 0]
    if not starts:
        return Parsed(error="the reply holds no JSON value")
    return _decode(text[min(starts) :], prose=True) if min(starts) > 0 or "extra data" in whole.error else whole


def _decode(text: str, *, prose: bool = False) -> Parsed:
    """``prose``: words may follow the value, but no bracket."""
    if _depth(text) > DEPTH:
        return Parsed(error=f"the reply is nested more than {DEPTH} deep")
    try:
        value, end = _DECODER.raw_decode(text)
    except json.JSONDecodeError as error:
        return Parsed(error=f"the reply is not valid JSON: {error.msg} (character {error.pos + 1})")
    except (ValueError, RecursionError) as error:
        return Parsed(error=f"the reply is not valid JSON: {str(error)[:120]}")
    rest = text[end:].strip()
    if rest and not prose:
        return Parsed(error="the reply is not valid JSON: extra data after the value")
    if "{" in rest or "[" in rest:
        return Parsed(error="the reply holds more than one JSON value")
    return Parsed(value)


def _depth(text: str) -> int:
    """An upper bound of the nesting: brackets inside strings count too, which only makes the check stricter."""
    if text.count("[") + text.count("{") <= DEPTH:
        return 0
    deepest = level = 0
    for mark in re.findall(r"[\[\]{}]", re.sub(r'"(?:[^"\\]|\\.)*"', "", text)):
        level += 1 if mark in "[{" else -1
        deepest = max(deepest, level)
    return deepest


def _unfit(value: Any) -> str:
    """What no schema can allow, wherever it is in the value."""
    queue: list[Any] = [value]
    count = 0
    while queue:
        item = queue.pop()
        count += 1
        if count > MOST_VALUES:
            return f"the reply holds more than {MOST_VALUES:,} values"
        if isinstance(item, str):
            if len(item) > LONGEST_STRING:
                return f"a text of the reply has {len(item):,} characters, the limit is {LONGEST_STRING:,}"
            if clean(item) != item:
                return "a text of the reply holds half a surrogate pair"
        elif isinstance(item, float):
            if not math.isfinite(item):
                return "a number of the reply is too large"
        elif isinstance(item, int):
            if item.bit_length() > LARGEST_BITS:
                return "a number of the reply is too large"
        elif isinstance(item, dict):
            table = cast("dict[str, Any]", item)
            queue.extend(table)
            queue.extend(table.values())
        elif isinstance(item, list):
            queue.extend(cast("list[Any]", item))
    return ""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise ValueError("an object has the same name twice")
    return table


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant)
