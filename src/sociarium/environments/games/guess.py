"""Guess a fraction of the average: everyone reports a number; the winner is shift + ratio * mean, and is announced.

As played by a million agents in AgentScope (arXiv 2407.17789). A group is a game; ``partition`` splits its players into parts that
play at their own pace (one a server), whose sums and counts are then put together: the mean does not depend on the parts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.columnar import Cells, ColumnarEnvironment, first_rows
from sociarium.environments.games.partition import Partition
from sociarium.environments.wording import Wording
from sociarium.kernel.actions import Actions, ActionSpec, ActionTable, Number, action, bounded
from sociarium.kernel.content import Block, Content, Layer
from sociarium.kernel.environment import AgentIds, Events, Groups, Outcome
from sociarium.kernel.errors import UsageError
from sociarium.kernel.turn import Lanes, Moment, Observations, Phase, Turn

Array = NDArray[Any]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class GuessRules:
    """``maximum``: the largest number. ``partition``: a column of whole numbers. ``keep_reports`` False: counted, not stored."""

    ratio: float = 2 / 3
    shift: float = 0.0
    maximum: float = 100.0
    partition: str | None = None
    keep_reports: bool = True

    def __post_init__(self) -> None:
        if not self.maximum > 0 or not math.isfinite(self.ratio * self.maximum + self.shift):
            raise UsageError(f"maximum is {self.maximum}, ratio {self.ratio}, shift {self.shift}: all finite, the maximum above 0")


@dataclass(frozen=True, slots=True)
class GuessWording(Wording):
    """Places: maximum, ratio, shift, winner (the last), round. ``again`` replaces ``first`` from the second round on."""

    rules: str = ""
    first: str = ""
    again: str = "The winning number of the last round was $winner."

    PLACES: ClassVar[Mapping[str, frozenset[str]]] = dict.fromkeys(
        ("rules", "first", "again"), frozenset({"maximum", "ratio", "shift", "winner", "round"})
    )


class GuessAverage(ColumnarEnvironment):
    """Games side by side, one a group."""

    name: ClassVar[str] = "guess"

    sums: Floats  # of the reports in this round, by part
    counts: Ints  # how many there were, by part
    squares: Floats  # of the squared reports, by part
    winner: Floats  # of the last round; nan before, (groups,)
    mean: Floats  # (groups,)
    deviation: Floats  # standard deviation of the reports, (groups,)
    reports: Ints  # players who reported, (groups,)
    rounds: Ints  # rounds played, (groups,)
    open: NDArray[np.bool_]  # a round has begun in this tick, (groups,)

    def __init__(self, rules: GuessRules | None = None, wording: GuessWording | None = None) -> None:
        self.rules = rules or GuessRules()
        self.wording = wording or GuessWording()
        self.group_cells = {name: Cells(np.float64, np.nan) for name in ("winner", "mean", "deviation")}
        self.group_cells |= {"reports": Cells(np.int64), "rounds": Cells(np.int64)}
        self.agent_cells = {}
        self.partition: Partition | None = None

    def begin(self, groups: Groups) -> None:
        self._split()

    def admit(self, agents: AgentIds) -> None:
        super().admit(agents)
        self._split()

    def actions(self) -> tuple[ActionSpec, ...]:
        return tuple(bounded(spec, "number", high=self.rules.maximum) for spec in super().actions())

    def lanes(self, phase: Phase, awake: AgentIds, moment: Moment) -> Lanes:
        """A part is a lane."""
        return self._parts().lanes(moment, awake)

    def observe(self, turn: Turn) -> Mapping[str, Array]:
        """winner of the last round (nan in the first), round (from 1)."""
        if self.world.groups == 1:
            size = len(turn.agents)
            return {"winner": np.broadcast_to(self.winner[0], size), "round": np.broadcast_to(self.rounds[0] + 1, size)}
        groups = self.group_of(turn.agents)
        return {"winner": self.winner[groups], "round": self.rounds[groups] + 1}

    def describe(self, seen: Observations, row: int) -> Content:
        columns, rules = seen[self.name], self.rules
        places = {"maximum": rules.maximum, "ratio": rules.ratio, "shift": rules.shift}
        places |= {"winner": columns["winner"][row], "round": columns["round"][row]}
        part = "first" if np.isnan(columns["winner"][row]) else "again"
        blocks = [
            Block(self.wording.say("rules", **places), origin=self.name, layer=Layer.SHARED),
            Block(self.wording.say(part, **places), origin=self.name),
        ]
        return tuple(block for block in blocks if block.text)

    @action("Report your number.", number=Number(0, 100, doc="your guess"))
    def report(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        """Players without a report count neither in the sum nor in the number of players."""
        outcome = Outcome()
        if table.agents is not turn.agents and not (first := first_rows(table.agents)).all():
            outcome.refuse(f"{self.name}.report", table.agents[~first], "one report a round")
            table = table.where(first)
        numbers = np.asarray(table["number"], np.float64)
        parts = self._parts()
        if len(parts) == 1:
            self.sums[0] += numbers.sum()
            self.squares[0] += np.einsum("i,i->", numbers, numbers)  # no copy, and no product that depends on threads
            self.counts[0] += len(numbers)
        else:
            self.sums += parts.sums(table.agents, numbers)
            self.squares += parts.sums(table.agents, numbers * numbers)
            self.counts += parts.counts(table.agents)
        lanes = turn.lanes if table.agents is turn.agents else self._lanes_of(table.agents)
        events = Events("reported", table.agents, {"number": numbers}, "own", lanes=lanes, kept=self.rules.keep_reports)
        if self.world.groups == 1:
            events.groups = np.broadcast_to(np.int64(0), numbers.shape)
        outcome.events.append(events)
        return outcome

    def apply(self, turn: Turn, seen: Observations, actions: Actions) -> Outcome:
        if not turn.offered(f"{self.name}.report"):
            return Outcome()
        self.open[self._groups_of(turn)] = True
        return super().apply(turn, seen, actions)

    def advance(self, to: int) -> Outcome | None:
        """The round is over: parts are put together, and the winner is announced."""
        groups = np.flatnonzero(self.open & self.world.active)
        if not len(groups):
            return None
        self.open[:] = False
        of = self._parts().group
        starts, ends = np.searchsorted(of, groups), np.searchsorted(of, groups, side="right")
        for group, start, end in zip(groups.tolist(), starts.tolist(), ends.tolist(), strict=True):
            count = int(self.counts[start:end].sum())
            mean = math.fsum(self.sums[start:end].tolist()) / count if count else math.nan
            spread = math.fsum(self.squares[start:end].tolist()) / count - mean**2 if count else math.nan
            self.mean[group], self.reports[group] = mean, count
            self.deviation[group] = math.sqrt(max(0.0, spread)) if count else math.nan
        self.winner[groups] = self.rules.shift + self.rules.ratio * self.mean[groups]
        self.rounds[groups] += 1
        self.sums[:], self.squares[:], self.counts[:] = 0, 0, 0
        data = {"winner": self.winner[groups], "mean": self.mean[groups], "reports": self.reports[groups]}
        return Outcome([Events("announced", np.full(len(groups), -1, np.int64), data, groups=groups)])

    def measures(self) -> Mapping[str, Array]:
        """winner, mean and deviation (nan where nobody reported), reports (players who did), rounds."""
        return {name: getattr(self, name).copy() for name in ("winner", "mean", "deviation", "reports", "rounds")}

    def load(self, state: dict[str, Any], groups: Groups | None = None) -> None:
        super().load(state, groups)
        self._split()

    def _split(self) -> None:
        self.partition = parts = Partition.of(self.world.population, self.rules.partition)
        self.sums, self.squares, self.counts = np.zeros(len(parts)), np.zeros(len(parts)), np.zeros(len(parts), np.int64)
        self.open = np.zeros(self.world.groups, np.bool_)

    def _parts(self) -> Partition:
        assert self.partition is not None, "players are split when the game begins"
        return self.partition

    def _lanes_of(self, agents: AgentIds) -> Ints:
        parts = self._parts()
        return np.broadcast_to(np.int64(0), agents.shape) if len(parts) == 1 else parts.part[agents]

    def _groups_of(self, turn: Turn) -> Ints:
        if self.world.groups == 1:
            return np.zeros(1, np.int64)
        return np.unique(self._parts().group[np.unique(turn.lanes)])
