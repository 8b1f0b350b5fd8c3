"""The part of JSON Schema that replies are checked against, and the check that a schema stays inside it.

Names: type, enum, const, minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf, minLength, maxLength, pattern,
items, minItems, maxItems, uniqueItems, properties, required, additionalProperties, anyOf, oneOf, allOf, $ref to $defs, and
notes that check nothing (title, description, default, examples, format). ``1.0`` is not an integer, ``true`` is not ``1``.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from sociarium.kernel.errors import UsageError

Schema = Mapping[str, Any]
Check = Callable[[Any, Any, Schema, Schema, str], str]  # value, the keyword's own value, schema, root, path -> fault or ""

NOTES = frozenset(
    {"title", "description", "default", "examples", "format", "$schema", "$id", "$defs", "$comment", "deprecated", "discriminator"}
)
MOST_STEPS = 64  # of $ref, anyOf and nesting, one inside the other


def faults(value: Any, schema: Schema) -> str:
    """The first fault of ``value``, with its place ("at $.amount: 12 is more than 10"), or an empty text."""
    return _check(value, schema, schema, "$", 0)


def check_schema(schema: Schema) -> None:
    """Raise ``UsageError`` where a schema uses what we do not check: it would pass replies that it should refuse."""
    queue: list[tuple[str, Any]] = [("$", schema)]
    while queue:
        path, part = queue.pop()
        if isinstance(part, bool):
            continue
        if not isinstance(part, Mapping):
            raise UsageError(f"Reply schema, {path}: expected an object, found {_show(part)}.")
        table = cast("Schema", part)
        for name, inner in table.items():
            if name in ("anyOf", "oneOf", "allOf"):
                queue.extend((f"{path}.{name}[{at}]", one) for at, one in enumerate(_parts(inner, list | tuple, path, name)))
            elif name in ("properties", "$defs"):
                queue.extend((f"{path}.{name}.{key}", one) for key, one in _parts(inner, Mapping, path, name).items())
            elif name in ("items", "additionalProperties"):
                queue.append((f"{path}.{name}", inner))
            elif name == "$ref":
                if not str(inner).startswith("#/$defs/") or str(inner)[8:] not in schema.get("$defs", {}):
                    raise UsageError(f"Reply schema, {path}: {inner!r} does not name one of its own $defs.")
            elif name in _FORMS and (wrong := _FORMS[name](inner)):
                raise UsageError(f"Reply schema, {path}.{name}: {_show(inner)} {wrong}.")
            elif name not in _CHECKS and name not in NOTES:
                known = ", ".join(sorted([*_CHECKS, "anyOf", "oneOf", "allOf", "$ref", "items", "properties"]))
                raise UsageError(f"Reply schema, {path}: {name!r} is not supported. Supported: {known}.")


def _parts(inner: Any, kind: Any, path: str, name: str) -> Any:
    """The schemas under a keyword. Raises ``UsageError`` where there are none."""
    if not isinstance(inner, kind):
        raise UsageError(f"Reply schema, {path}.{name}: {_show(inner)} holds no schemas.")
    return inner


def resolve(part: Schema, root: Schema) -> Schema:
    """``part``, or what its ``$ref`` names."""
    for _ in range(MOST_STEPS):
        if "$ref" not in part:
            return part
        part = root["$defs"][str(part["$ref"]).removeprefix("#/$defs/")]
    raise UsageError("Reply schema: its $refs go round in a circle.")


def _check(value: Any, part: Any, root: Schema, path: str, depth: int) -> str:
    if part is True:
        return ""
    if part is False:
        return f"at {path}: nothing is allowed here"
    if depth > MOST_STEPS:
        return f"at {path}: nested too deep"
    schema = resolve(part, root)
    for name, wanted in schema.items():
        check = _CHECKS.get(name)
        if check is not None:
            wrong = check(value, wanted, schema, root, path)
        elif name in ("anyOf", "oneOf", "allOf"):
            wrong = _branches(value, name, wanted, root, path, depth)
        elif name == "items" and isinstance(value, list):
            wrong = _first(_check(one, wanted, root, f"{path}[{at}]", depth + 1) for at, one in enumerate(cast("list[Any]", value)))
        elif name == "properties" and isinstance(value, dict):
            table = cast("dict[str, Any]", value)
            wrong = _first(_check(table[key], one, root, f"{path}.{key}", depth + 1) for key, one in wanted.items() if key in table)
        elif name == "additionalProperties" and isinstance(value, dict):
            wrong = _others(cast("dict[str, Any]", value), wanted, schema, root, path, depth)
        else:
            continue
        if wrong:
            return wrong
    return ""


def _branches(value: Any, name: str, wanted: Sequence[Any], root: Schema, path: str, depth: int) -> str:
    found = [_check(value, one, root, path, depth + 1) for one in wanted]
    if name == "allOf":
        return next((wrong for wrong in found if wrong), "")
    fits = sum(not wrong for wrong in found)
    if fits == 1 or (fits > 1 and name == "anyOf"):
        return ""
    if fits > 1:
        return f"at {path}: {_show(value)} fits {fits} of the forms allowed, it must fit one"
    deepest = max(found, key=lambda wrong: wrong.split(":")[0].count(".") + wrong.split(":")[0].count("["), default="")
    return deepest or f"at {path}: no form is allowed here"


def _others(value: dict[str, Any], wanted: Any, schema: Schema, root: Schema, path: str, depth: int) -> str:
    known = schema.get("properties", {})
    others = [key for key in value if key not in known]
    if wanted is False and others:
        return f"at {path}: {_show(others[0])} is not one of its names ({', '.join(known) or 'none'})"
    return _first(_check(value[key], wanted, root, f"{path}.{key[:40]}", depth + 1) for key in others)


def _first(found: Any) -> str:
    return next((wrong for wrong in found if wrong), "")


def _type(value: Any, wanted: Any, schema: Schema, root: Schema, path: str) -> str:
    names: list[str] = [wanted] if isinstance(wanted, str) else list(wanted)
    if any(_is(value, name) for name in names):
        return ""
    return f"at {path}: {_show(value)} is not of type {' or '.join(names)}"


def _is(value: Any, name: str) -> bool:
    if name == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    if name == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, _TYPES[name])


_TYPES: dict[str, type] = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}


def _enum(value: Any, wanted: Any, schema: Schema, root: Schema, path: str) -> str:
    if any(_same(value, one) for one in wanted):
        return ""
    shown = ", ".join(_show(one) for one in wanted[:20])
    return f"at {path}: {_show(value)} is not one of {shown}{', ...' if len(wanted) > 20 else ''}"


def _const(value: Any, wanted: Any, schema: Schema, root: Schema, path: str) -> str:
    return "" if _same(value, wanted) else f"at {path}: {_show(value)} is not {_show(wanted)}"


def _same(left: Any, right: Any) -> bool:
    if isinstance(left, bool) != isinstance(right, bool):
        return False
    if isinstance(left, list | dict):
        return json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)
    return left == right


def _bound(words: str, holds: Callable[[Any, Any], bool], measure: Callable[[Any], Any], kinds: tuple[type, ...]) -> Check:
    def check(value: Any, wanted: Any, schema: Schema, root: Schema, path: str) -> str:
        if not isinstance(value, kinds) or isinstance(value, bool) or holds(measure(value), wanted):
            return ""
        return f"at {path}: {_show(value)} {words} {wanted}"

    return check


def _itself(value: Any) -> Any:
    return value


def _multiple(value: Any, wanted: Any) -> bool:
    if isinstance(value, int) and isinstance(wanted, int):
        return value % wanted == 0
    try:
        times = value / wanted
    except OverflowError:  # a whole number that is no float
        return False
    return math.isfinite(times) and math.isclose(times, round(times), rel_tol=0.0, abs_tol=1e-9)


def _required(value: Any, wanted: Any, schema: Schema, root: Schema, path: str) -> str:
    if not isinstance(value, dict):
        return ""
    missing = [name for name in wanted if name not in value]
    return f"at {path}: {', '.join(missing)} missing" if missing else ""


def _pattern(value: Any, wanted: Any, schema: Schema, root: Schema, path: str) -> str:
    if not isinstance(value, str) or re.search(wanted, value):
        return ""
    return f"at {path}: {_show(value)} does not match {wanted}"


def _unique(value: Any, wanted: Any, schema: Schema, root: Schema, path: str) -> str:
    if not wanted or not isinstance(value, list):
        return ""
    items = [json.dumps(one, sort_keys=True) for one in cast("list[Any]", value)]
    return f"at {path}: an item comes twice" if len(set(items)) < len(items) else ""


def _show(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=True, default=str)
    return text if len(text) <= 80 else text[:77] + "..."


def _form_of_type(given: Any) -> str:
    names = cast("list[Any]", given) if isinstance(given, list) else [given]
    return "" if names and all(one in ("number", "integer", *_TYPES) for one in names) else "is no type"


def _form_of_pattern(given: Any) -> str:
    try:
        re.compile(given)
    except (re.error, TypeError) as error:
        return f"is no regular expression: {error}"
    return ""


# What a keyword's own value must be, where a wrong one would raise as a reply is checked.
_FORMS: dict[str, Callable[[Any], str]] = {
    "type": _form_of_type,
    "pattern": _form_of_pattern,
    "enum": lambda given: "" if isinstance(given, list | tuple) else "is no list of values",
    "required": lambda given: "" if isinstance(given, list | tuple) else "is no list of names",
    "multipleOf": lambda given: "" if _is(given, "number") and given > 0 else "is no number above 0",
    **{
        name: (lambda given: "" if _is(given, "number") else "is no number")
        for name in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
    },
    **{
        name: (lambda given: "" if _is(given, "integer") and given >= 0 else "is no whole number from 0")
        for name in ("minLength", "maxLength", "minItems", "maxItems")
    },
}
_NUMBER = (int, float)
_CHECKS: dict[str, Check] = {
    "type": _type,
    "enum": _enum,
    "const": _const,
    "minimum": _bound("is less than the minimum", lambda size, top: size >= top, _itself, _NUMBER),
    "maximum": _bound("is more than the maximum", lambda size, top: size <= top, _itself, _NUMBER),
    "exclusiveMinimum": _bound("is not more than", lambda size, top: size > top, _itself, _NUMBER),
    "exclusiveMaximum": _bound("is not less than", lambda size, top: size < top, _itself, _NUMBER),
    "multipleOf": _bound("is not a multiple of", _multiple, _itself, _NUMBER),
    "minLength": _bound("has fewer characters than", lambda size, top: size >= top, len, (str,)),
    "maxLength": _bound("has more characters than", lambda size, top: size <= top, len, (str,)),
    "minItems": _bound("has fewer items than", lambda size, top: size >= top, len, (list,)),
    "maxItems": _bound("has more items than", lambda size, top: size <= top, len, (list,)),
    "uniqueItems": _unique,
    "pattern": _pattern,
    "required": _required,
}
