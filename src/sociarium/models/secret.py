"""A key that never prints, and how it gets here: from the environment only."""

from __future__ import annotations

import os
from typing import Any

from sociarium.kernel.errors import UsageError

HIDDEN = "***"


class Secret:
    """Holds a key. Every way to show, format or store it gives ``***``; ``reveal`` is for the header of a request only."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def scrub(self, text: str) -> str:
        """``text`` without the key, where a server wrote it back."""
        return text.replace(self._value, HIDDEN) if self._value else text

    def __repr__(self) -> str:
        return HIDDEN

    def __str__(self) -> str:
        return HIDDEN

    def __format__(self, how: str) -> str:
        return HIDDEN

    def __reduce__(self) -> tuple[Any, ...]:
        return (Secret, (HIDDEN,))

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Secret:
        return self

    def __bool__(self) -> bool:
        return bool(self._value)


def from_environment(name: str, what: str) -> Secret:
    """The key in environment variable ``name``. Raises ``UsageError`` where there is none."""
    value = os.environ.get(name, "").strip()
    if not value:
        raise UsageError(f"{what} needs a key in the environment variable {name}, which is not set.")
    if not value.isascii() or not value.isprintable() or " " in value:
        raise UsageError(f"The key in the environment variable {name} holds a space or another character that no key has.")
    return Secret(value)
