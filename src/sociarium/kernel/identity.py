"""What was made of an object, remembered while it is the same object."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

Source = TypeVar("Source")
Made = TypeVar("Made")


class ByIdentity(Generic[Source, Made]):
    """``make(source)``, made once for each object. For objects that cannot be hashed and are never changed (schemas, stored blocks).

    The object is held, so that its id stays its own; past ``most`` all are forgotten.
    """

    def __init__(self, make: Callable[[Source], Made], most: int) -> None:
        self._make = make
        self._most = most
        self._known: dict[int, tuple[Source, Made]] = {}

    def __call__(self, source: Source) -> Made:
        found = self._known.get(id(source))
        if found is not None and found[0] is source:
            return found[1]
        made = self._make(source)
        if len(self._known) >= self._most:
            self._known.clear()
        self._known[id(source)] = (source, made)
        return made
