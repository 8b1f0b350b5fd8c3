"""A key that never prints, and how it gets here: from the environment only."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from sociarium.kernel.errors import UsageError

HIDDEN = "***"
SHORTEST = 8  # characters of a key; a shorter one ("EMPTY" of a server of one's own) is a word that a model may say
KEYLIKE = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|CREDENTIALS?)$", re.IGNORECASE)
NAMES = re.compile(r"[A-Z][A-Z0-9_]{0,63}")  # what variables are called; a key is not


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

    def within(self, *texts: str) -> bool:
        """Whether one of the texts holds the key. What a model says cannot: somebody on the way has put it there."""
        return len(self._value) >= SHORTEST and any(self._value in text for text in texts)

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
    """The key in environment variable ``name``. Raises ``UsageError`` where there is none; a ``name`` that may be a key is not shown."""
    from_named(name)
    value = os.environ.get(name, "").strip()
    if not value:
        raise UsageError(f"{what} needs a key in the environment variable {name}, which is not set.")
    if not value.isascii() or not value.isprintable() or " " in value:
        raise UsageError(f"The key in the environment variable {name} holds a space or another character that no key has.")
    return Secret(value)


def from_named(name: str) -> None:
    """Raises ``UsageError`` where ``name`` is no name of a variable, and does not show it."""
    if not NAMES.fullmatch(name):
        raise UsageError(
            "key= takes the name of an environment variable, such as MY_MODEL_KEY, in capitals. What was given is not shown, for it may be "
            "a key; if it is one, it is in the history of your shell now, so make a new one."
        )


def refuse_keys(spec: str) -> None:
    """Before a model's name is shown in any message: ``UsageError``, which does not show it, where it may hold a key."""
    for value in re.findall(r"[?&#]key=([^&]*)", spec, re.IGNORECASE):
        from_named(value)
    if re.search(r"[?&#]([\w-]*(api[-_]?key|[-_]key|token|secret|password)|authorization|bearer|auth)=", spec, re.IGNORECASE) or re.search(
        r"://[^/?#]*@", spec
    ):
        raise UsageError("A model's name must not hold a key or a password (it is not shown here): say which variable holds it, key=NAME.")


def without_keys(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment for child processes that ask no model: without variables that are called like keys."""
    return {name: value for name, value in environment.items() if not KEYLIKE.search(name)}


def no_core_dumps() -> None:
    """A crash of this process leaves no image of its memory behind, which would hold the keys (where the system has limits)"""
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
