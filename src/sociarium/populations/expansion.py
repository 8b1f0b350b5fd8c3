"""From a few seed personas to many: proposals are taken in until there are enough, and none is taken twice.

Whoever proposes (a model, a rule, a person) is called a proposal at a time or in waves: a wave is never larger than what is still
missing, so that nothing is asked for that is not needed, and the number of calls is that of asking one by one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sociarium.kernel.errors import UsageError

LONGEST_NAME, LONGEST_PHRASE = 80, 300  # characters

Distinct = Literal["persona", "name"]


@dataclass(frozen=True, slots=True)
class Sketch:
    """A persona in two strokes: a name, and a short phrase that tells who it is."""

    name: str
    phrase: str

    @classmethod
    def of(cls, name: str, phrase: str) -> Sketch | None:
        """One that can stand in a prompt: both in one printable line, spaces tidied, not too long; None where that cannot be."""
        tidy, told = " ".join(name.split()), " ".join(phrase.split())
        good = 0 < len(tidy) <= LONGEST_NAME and 0 < len(told) <= LONGEST_PHRASE and tidy.isprintable() and told.isprintable()
        return cls(tidy, told) if good else None

    def key(self, distinct: Distinct) -> str:
        """What two must differ in. Case, and a full stop at the end, make no difference."""
        name, phrase = self.name.casefold(), self.phrase.casefold().rstrip(" .")
        return name if distinct == "name" else f"{name}\n{phrase}"


@dataclass(slots=True)
class Expansion:
    """``wanted`` personas beside the ``seeds``. ``calls`` counts proposals asked for, ``repeats`` those that were known already,
    ``unusable`` those that were none. After ``patience`` proposals in a row that brought nothing new it gives up (UsageError)."""

    seeds: Sequence[Sketch]
    wanted: int
    distinct: Distinct = "persona"
    patience: int = 100
    found: list[Sketch] = field(default_factory=list[Sketch])
    calls: int = 0
    repeats: int = 0
    unusable: int = 0
    idle: int = 0  # proposals in a row that brought nothing new
    _known: set[str] = field(default_factory=set[str], repr=False)

    def __post_init__(self) -> None:
        if self.wanted < 0 or self.patience < 1:
            raise UsageError(f"an expansion wants 0 or more personas with a patience of 1 or more, not {self.wanted} and {self.patience}")
        for seed in self.seeds:
            if (key := seed.key(self.distinct)) in self._known:
                raise UsageError(f"the seed persona {seed.name!r} is there twice; the designer settles that, nothing is renamed here")
            self._known.add(key)
        self._known |= {one.key(self.distinct) for one in self.found}

    @property
    def missing(self) -> int:
        return max(0, self.wanted - len(self.found))

    def add(self, proposals: Iterable[Sketch | None]) -> list[Sketch]:
        """Those that are new, in order. None stands for a call without a usable answer."""
        new: list[Sketch] = []
        for proposal in proposals:
            self.calls += 1
            key = "" if proposal is None else proposal.key(self.distinct)
            if proposal is not None and key not in self._known and self.missing:
                self._known.add(key)
                self.found.append(proposal)
                new.append(proposal)
                self.idle = 0
                continue
            self.repeats += proposal is not None
            self.unusable += proposal is None
            self.idle += 1
            if self.missing and self.idle >= self.patience:
                raise UsageError(
                    f"the expansion stopped at {len(self.found)} of {self.wanted} personas: the last {self.idle} proposals brought nothing "
                    f"new ({self.repeats} repeats and {self.unusable} without use in {self.calls} calls). Ask for fewer, give more and "
                    "more different seeds, raise the temperature, or take a stronger model"
                )
        return new

    def state(self) -> dict[str, Any]:
        found = [[one.name, one.phrase] for one in self.found]
        return {"found": found, "calls": self.calls, "repeats": self.repeats, "unusable": self.unusable, "idle": self.idle}

    def load(self, state: dict[str, Any]) -> None:
        self.found = [Sketch(str(name), str(phrase)) for name, phrase in state["found"]]
        self.calls, self.repeats = int(state["calls"]), int(state["repeats"])
        self.unusable, self.idle = int(state["unusable"]), int(state["idle"])
        self._known = {one.key(self.distinct) for one in (*self.seeds, *self.found)}


async def expand(expansion: Expansion, propose: Callable[[int], Awaitable[Sequence[Sketch | None]]], *, wave: int = 64) -> list[Sketch]:
    """Ask ``propose(n)`` for n proposals until all are there, at most ``wave`` at a time. The seeds come first, as they were."""
    while expansion.missing:
        expansion.add(await propose(min(wave, expansion.missing)))
    return [*expansion.seeds, *expansion.found]
