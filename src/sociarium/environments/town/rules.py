"""The rules and the words of a town."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from sociarium.environments.wording import Wording
from sociarium.kernel.errors import UsageError


@dataclass(frozen=True, slots=True)
class TownRules:
    """How residents see, meet and move (Generative Agents, arXiv 2304.03442, and its released code; ``retention`` 8 and so on are those of
    the 25 residents).

    ``vision``: tiles; ``attention``: events noticed a step; ``retention``: events last noticed that are not noticed again.
    ``speed``: tiles a step. ``cooldown``: seconds before the same two talk again (800 steps of ten seconds). Nobody begins a talk in
    the hours ``quiet``. ``acquainted``: everybody knows all places from the start, as one who has always lived there; else only what it
    has seen.
    ``wander``: steps that one who came to a room (not to an object) goes on in it, at most: towards a tile of its own, drawn from those
    that are no doorway. ``track``: where people stand is told in events every so many steps, of those who have moved since; 0: never.
    ``doors``: when doors are open, by name: hours from and to,
    (8, 20); all others are always open.
    """

    vision: int = 8
    attention: int = 8
    retention: int = 8
    speed: int = 1
    cooldown: int = 8000
    quiet: tuple[int, ...] = (23,)
    wander: int = 3
    track: int = 0
    acquainted: bool = False
    doors: Mapping[str, tuple[float, float]] = field(default_factory=dict[str, tuple[float, float]])

    def __post_init__(self) -> None:
        for name, low in {"vision": 1, "attention": 1, "retention": 1, "speed": 1, "cooldown": 0, "wander": 0, "track": 0}.items():
            if getattr(self, name) < low:
                raise UsageError(f"TownRules: {name} is {getattr(self, name)}; it must be {low} or more")
        for name, (opens, closes) in self.doors.items():
            if not 0 <= opens < closes <= 24:
                raise UsageError(
                    f"TownRules: the door {name!r} is open from {opens} to {closes}; give hours from 0 to 24, the earlier first"
                )


@dataclass(frozen=True, slots=True)
class TownWording(Wording):
    """How the town is shown to one who decides."""

    PLACES: ClassVar[Mapping[str, frozenset[str]]] = {
        "here": frozenset({"name", "clock", "place"}),
        "doing": frozenset({"name", "activity", "left"}),
        "done": frozenset({"name", "activity"}),
        "sees": frozenset({"name", "other", "number", "activity"}),
        "talking": frozenset({"name", "other", "number"}),
        "thing": frozenset({"thing", "state"}),
        "alone": frozenset({"name"}),
        "places": frozenset({"name", "places"}),
        "place": frozenset({"number", "address"}),
    }

    here: str = "It is $clock. $name is at $place."
    doing: str = "$name is busy: $activity, for another $left minutes."
    done: str = "$name has finished: $activity."
    sees: str = "$name sees $other (number $number), who is busy: $activity."
    talking: str = "$name sees $other (number $number), who is in a talk."
    thing: str = "$thing: $state."
    alone: str = "Nobody else is in sight."
    places: str = "Places that $name knows, by number: $places."
    place: str = "$number $address"
