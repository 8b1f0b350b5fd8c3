"""The rules of a talk, and its words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from string import Template
from typing import ClassVar, Literal

from sociarium.environments.wording import Wording, number
from sociarium.kernel.errors import UsageError

TurnTaking = Literal["rotation", "random", "named", "bid"]
EndRule = Literal["never", "any", "majority"]


@dataclass(frozen=True, slots=True)
class Opening:
    """A report that opens a talk: what happened elsewhere since the last one.

    ``news`` is the kind of event that is reported (``commons.reported``). ``each`` words one event: ``$name`` is who did it, and
    every column of the event has its own place (``$caught``). ``author`` is who reports where the group has no moderator.
    """

    news: str
    each: str
    before: str = ""
    between: str = "\n"
    after: str = ""
    author: str = "report"

    def word(self, name: str, columns: Mapping[str, object]) -> str:
        """One event in words."""
        try:
            return Template(self.each).substitute({key: number(value) for key, value in columns.items()}, name=name)
        except KeyError as missing:
            known = ", ".join(f"${column}" for column in ("name", *columns))
            raise UsageError(f"the opening of a talk uses ${missing.args[0]}, which {self.news} has not; there are: {known}") from None

    def whole(self, events: list[str]) -> str:
        """The report of all events."""
        return "\n".join(part for part in (self.before, self.between.join(events), self.after) if part)


@dataclass(frozen=True, slots=True)
class TalkRules:
    """How a talk goes.

    ``turn_taking``: ``rotation`` (in order of id), ``random`` (never the same twice running), ``named`` (the speaker names who is next),
    ``bid`` (before each statement everyone bids; the highest speaks). ``max_turns`` counts statements and, where there is one, the
    opening. ``end``: ``any`` speaker may end the talk, or it ends when the last votes of a ``majority`` say so, or ``never`` before
    ``max_turns``. ``moderator``: the kind of agent that does not speak but writes the minutes after the end. ``longest``: characters.
    """

    turn_taking: TurnTaking = "rotation"
    max_turns: int = 10
    end: EndRule = "any"
    moderator: str | None = None
    opening: Opening | None = None
    random_start: bool = False
    longest: int = 2000

    def __post_init__(self) -> None:
        if not 1 <= self.max_turns <= 1000:
            raise UsageError(f"max_turns is {self.max_turns}; a talk has 1 to 1000 turns")
        if self.longest < 1:
            raise UsageError(f"longest is {self.longest} characters; it must be 1 or more")
        if self.turn_taking not in ("rotation", "random", "named", "bid"):
            raise UsageError(f"turn_taking is {self.turn_taking!r}; it is rotation, random, named or bid")
        if self.end not in ("never", "any", "majority"):
            raise UsageError(f"end is {self.end!r}; it is never, any or majority")


@dataclass(frozen=True, slots=True)
class TalkWording(Wording):
    """What an agent is told of a talk. Places: name (its own), people, numbered ("0 John, 1 Kate"), left (turns that are left).

    An empty template is left out. ``line`` is one statement, with its name and text.
    """

    people: str = "Taking part in the talk: $people. You are $name."
    nothing: str = "Nobody has said anything yet."
    line: str = "$name: $text"
    left: str = ""
    named: str = "Who speaks next is given as a number: $numbered."

    PLACES: ClassVar[Mapping[str, frozenset[str]]] = {
        **dict.fromkeys(("people", "nothing", "left", "named"), frozenset({"name", "people", "numbered", "left"})),
        "line": frozenset({"name", "text"}),
    }
