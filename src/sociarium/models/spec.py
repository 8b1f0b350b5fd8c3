"""How a user names a model: ``scheme:name?option=value&option=value``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import parse_qsl

from sociarium.kernel.errors import UsageError

T = TypeVar("T")


@dataclass(slots=True)
class Options:
    """The options of a spec. Each is taken once by what understands it; ``done`` refuses what nobody took."""

    spec: str
    values: dict[str, str] = field(default_factory=dict[str, str])
    _known: list[str] = field(default_factory=list[str])

    def take(self, name: str, read: Callable[[str], T], default: T, *, least: float | None = None) -> T:
        """Option ``name`` read by ``read`` (int, float, str), or the default."""
        self._known.append(name)
        text = self.values.pop(name, None)
        if text is None:
            return default
        try:
            value = read(text)
        except ValueError as error:
            raise UsageError(f"Model {self.spec!r}: option {name}={text!r} is not a valid {getattr(read, '__name__', 'value')}.") from error
        if least is not None and isinstance(value, int | float) and not least <= value < float("inf"):
            raise UsageError(f"Model {self.spec!r}: option {name}={text} must be a number of at least {least:g}.")
        return value

    def peek(self, name: str, read: Callable[[str], T], default: T) -> T:
        """Like ``take``, but leaves the option for another."""
        kept = self.values.get(name)
        value = self.take(name, read, default)
        if kept is not None:
            self.values[name] = kept
        return value

    def done(self) -> None:
        if self.values:
            known = ", ".join(dict.fromkeys(self._known)) or "none"
            raise UsageError(f"Model {self.spec!r}: unknown option {', '.join(self.values)}. It understands: {known}.")


def split(spec: str, rest: str) -> tuple[str, Options]:
    """Name and options of ``NAME?a=1&b=2``; ``spec`` is the whole, for messages."""
    name, _, query = rest.partition("?")
    pairs = parse_qsl(query, keep_blank_values=True)
    table: Mapping[str, str] = dict(pairs)
    if len(table) < len(pairs):
        raise UsageError(f"Model {spec!r}: an option is given twice.")
    return name, Options(spec, dict(table))


def yes_or_no(text: str) -> bool:
    """``yes``, ``true`` or ``1``; ``no``, ``false`` or ``0``. Raises ``ValueError``."""
    known = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
    if text.lower() not in known:
        raise ValueError(text)
    return known[text.lower()]
