"""How a cascade goes on, and how an exposure is put into words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from sociarium.environments.wording import Wording
from sociarium.kernel.errors import UsageError


@dataclass(frozen=True, slots=True)
class CascadeRules:
    """``retry``: everyone decides at every exposure until it passes the post on, rather than once, at its first. ``most_layers`` below the
    source."""

    retry: bool = False
    most_layers: int = 50

    def __post_init__(self) -> None:
        if self.most_layers < 1:
            raise UsageError(f"CascadeRules: most_layers is {self.most_layers}; a post spreads over at least one")


@dataclass(frozen=True, slots=True)
class CascadeWording(Wording):
    """How an exposure is shown to one who decides."""

    PLACES: ClassVar[Mapping[str, frozenset[str]]] = {
        "shown": frozenset({"source", "text"}),
        "label": frozenset(),
        "again": frozenset({"times"}),
    }

    shown: str = "$source has shared this post: $text"
    label: str = "A notice of the platform is attached to it: independent fact-checkers dispute this post."
    again: str = "It is the $times. time that somebody shows it to you."
