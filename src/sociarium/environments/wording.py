"""Words are data: templates with named places, read from YAML, checked when they are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from string import Template
from typing import Any, ClassVar, Self, cast

import numpy as np

from sociarium.kernel.errors import UsageError


@dataclass(frozen=True, slots=True)
class Wording:
    """The base of all wordings: every field is a template in which ``$name`` or ``${name}`` stands for a value.

    ``PLACES`` says which values each template may use; others are refused when the wording is made.
    """

    PLACES: ClassVar[Mapping[str, frozenset[str]]] = {}

    def __post_init__(self) -> None:
        for field, allowed in self.PLACES.items():
            template = Template(getattr(self, field))
            if not template.is_valid():
                raise UsageError(f"wording {field!r} has a $ that begins no name; write $$ for the sign itself")
            if unknown := set(template.get_identifiers()) - allowed:
                known = ", ".join(f"${name}" for name in sorted(allowed)) or "none"
                raise UsageError(f"wording {field!r} uses ${sorted(unknown)[0]}, which it is not given; there are: {known}")

    @classmethod
    def of(cls, values: Mapping[str, Any], source: str = "wording") -> Self:
        """From plain data; unknown and missing entries are errors that name ``source``."""
        known = {field.name for field in fields(cls)}
        if unknown := set(values) - known:
            raise UsageError(f"{source}: no such entry {sorted(unknown)[0]!r}; there are {', '.join(sorted(known))}")
        wrong = [name for name, text in values.items() if not isinstance(text, str)]
        if wrong:
            raise UsageError(f"{source}: {wrong[0]!r} must be text")
        try:
            return cls(**dict(values))
        except UsageError as error:
            raise UsageError(f"{source}: {error}") from None

    @classmethod
    def read(cls, path: Path) -> Self:
        """From a YAML file with one entry a field."""
        values = read_yaml(path, "wording")
        if not isinstance(values, dict):
            raise UsageError(f"{path}: a wording is a list of entries, one template each")
        return cls.of(cast("dict[str, Any]", values), str(path))

    def say(self, field: str, **values: Any) -> str:
        """The template of this name with its places filled."""
        return Template(getattr(self, field)).substitute({name: number(value) for name, value in values.items()}).strip()


def read_yaml(path: Path, what: str) -> Any:
    """Plain data of a YAML file, safely; ``what`` it is, for the error where it cannot be read."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="safe", pure=True).load(path.read_text("utf-8"))  # pyright: ignore[reportUnknownMemberType]
    except (OSError, YAMLError) as error:
        raise UsageError(f"cannot read the {what} {path}: {error}") from None


def number(value: Any) -> str:
    """A value as people write it: no decimals where there are none."""
    plain: object = cast("object", value.item()) if isinstance(value, np.generic) else value
    if isinstance(plain, float):
        return str(int(plain)) if plain.is_integer() else f"{plain:g}"
    return str(plain)
