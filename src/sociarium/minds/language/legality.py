"""What an agent may decide: the JSON schema it is given, and the check of what it said. Nothing is clipped or coerced."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from sociarium.kernel.actions import ActionSpec, Argument, Choice, Flag, Integer, Number, Text, Vector, bounded
from sociarium.kernel.outcomes import Status


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a reply is not carried out."""

    status: Status
    reason: str


def narrowed(spec: ActionSpec, limits: Mapping[str, float]) -> ActionSpec:
    """The action with an agent's own upper bounds (what is in the lake, what it owns), by the name of the argument."""
    for name, limit in limits.items():
        argument = spec.arguments.get(name)
        if isinstance(argument, Integer):
            spec = bounded(spec, name, high=min(argument.high, math.floor(limit)))
        elif isinstance(argument, Number):
            spec = bounded(spec, name, high=min(argument.high, float(limit)))
    return spec


def schema_for(specs: Sequence[ActionSpec], *, reasoning: bool = False) -> dict[str, Any]:
    """One action: its arguments. Several: its name under ``action``, and the arguments of all, of which it takes its own. An argument
    is required where every action that takes any takes it."""
    properties: dict[str, Any] = {"reasoning": {"type": "string", "maxLength": 2000}} if reasoning else {}
    if len(specs) == 1:
        own = specs[0].schema()["properties"]
        required = [*properties, *own]
        properties |= own
    else:
        properties["action"] = {"type": "string", "enum": list(short_names(specs))}
        required = list(properties)
        for spec in specs:
            for name, schema in spec.schema()["properties"].items():
                known = properties.get(name)
                properties[name] = schema if known is None or known == schema else {"anyOf": [known, schema]}
        taking = [set(spec.arguments) for spec in specs if spec.arguments]
        required += [name for name in properties if taking and all(name in own for own in taking)]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def short_names(specs: Sequence[ActionSpec]) -> dict[str, ActionSpec]:
    """Actions by the names that a model is given: short where that is clear, else with the environment."""
    names = [spec.name for spec in specs]
    return {spec.name if names.count(spec.name) == 1 else spec.full: spec for spec in specs}


def read_choice(value: Any, specs: Sequence[ActionSpec]) -> tuple[ActionSpec, dict[str, Any]] | Problem:
    """The action and arguments that a JSON value names, not yet checked."""
    if not isinstance(value, dict):
        return Problem(Status.MALFORMED, "the reply is not an object")
    given = cast("dict[str, Any]", value)
    if len(specs) == 1:
        return specs[0], {name: given[name] for name in specs[0].arguments if name in given}
    offered = short_names(specs)
    name = given.get("action")
    if not isinstance(name, str) or name not in offered:
        return Problem(Status.ILLEGAL, f"the action {str(name)[:60]!r} is not on offer; on offer: {', '.join(offered)}")
    spec = offered[name]
    return spec, {key: given[key] for key in spec.arguments if key in given}


def problem(spec: ActionSpec, arguments: Mapping[str, Any]) -> Problem | None:
    """Why these arguments cannot be carried out: missing or of the wrong type (malformed), or out of bounds (illegal)."""
    for name, argument in spec.arguments.items():
        if name not in arguments:
            return Problem(Status.MALFORMED, f"{spec.full} needs {name}")
        value = arguments[name]
        if not _typed(argument, value):
            return Problem(Status.MALFORMED, f"{name} of {spec.full} must be {argument.legal()}")
        if not _inside(argument, value):
            return Problem(Status.ILLEGAL, f"{name} of {spec.full} must be {argument.legal()}")
    return None


def _typed(argument: Argument, value: Any) -> bool:
    if isinstance(argument, Flag):
        return isinstance(value, bool)
    if isinstance(argument, Integer):
        return isinstance(value, int) and not isinstance(value, bool)
    if isinstance(argument, Number):
        return isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(argument, Text | Choice):
        return isinstance(value, str)
    if isinstance(argument, Vector):
        return isinstance(value, list) and all(isinstance(x, int | float) and not isinstance(x, bool) for x in cast("list[Any]", value))
    return True


def _inside(argument: Argument, value: Any) -> bool:
    if isinstance(argument, Integer | Number):
        return argument.low <= value <= argument.high  # in Python's own numbers: false for NaN, and no integer is too large
    if isinstance(argument, Flag):
        return True
    column = np.empty(1, object)
    column[0] = value
    if isinstance(argument, Vector):
        column = np.array([value], np.float64)
    return argument.wrong(column) is None
