"""What agents do about an epidemic: isolate, work, vaccinate, test, comply with quarantine; and what time makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.columnar import Cells, ColumnarEnvironment, first_rows
from sociarium.environments.epidemic.disease import Stage
from sociarium.environments.epidemic.model import NEVER
from sociarium.environments.epidemic.rules import EpidemicRules
from sociarium.kernel.actions import ActionSpec, ActionTable, Flag, action
from sociarium.kernel.environment import AgentIds, Events, Outcome
from sociarium.kernel.turn import Observations, Turn

Flags = NDArray[np.bool_]
Days = NDArray[np.int16]

UNTESTED, NEGATIVE, POSITIVE = -1, 0, 1
CELLS: Mapping[str, Mapping[str, Cells]] = {
    "isolate": {"isolating": Cells(np.bool_)},
    "work": {"working": Cells(np.bool_, True)},
    "vaccinate": {"dose_day": Cells(np.int16, NEVER), "protected": Cells(np.bool_)},
    "test": {
        "result_day": Cells(np.int16, NEVER),
        "found": Cells(np.bool_),
        "result": Cells(np.int8, UNTESTED),
        "quarantined_until": Cells(np.int16, NEVER),
    },
    "comply": {"complying": Cells(np.bool_)},
}
DAYS = ("dose_day", "result_day", "quarantined_until")  # cells that hold a day


class Control(ColumnarEnvironment):
    """The base of ``Epidemic``: cells are there for the actions on offer only."""

    rules: EpidemicRules
    day: int  # days done
    stage: NDArray[np.uint8]  # of each agent
    isolating: Flags
    working: Flags
    dose_day: Days  # when vaccinated; NEVER
    protected: Flags  # vaccinated long enough
    result_day: Days  # when a pending test's result comes; NEVER
    found: Flags  # what it will be
    result: NDArray[np.int8]  # of the last test
    quarantined_until: Days  # last day of the quarantine ordered; NEVER
    complying: Flags
    tests: NDArray[np.int64]  # taken today, (groups,)

    def actions(self) -> tuple[ActionSpec, ...]:
        return tuple(spec for spec in super().actions() if spec.name in self.rules.actions)

    @action("Stay at home today, away from others.", on=Flag(doc="true to stay at home"))
    def isolate(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome | None:
        self._decide("isolating", table)

    @action("Go to work today.", on=Flag(doc="true to go to work"))
    def work(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome | None:
        self._decide("working", table)

    @action("Keep to the quarantine that was ordered.", on=Flag(doc="true to keep to it"))
    def comply(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome | None:
        self._decide("complying", table)

    @action("Get vaccinated today.", on=Flag(doc="true to get vaccinated"))
    def vaccinate(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        """Protects after ``vaccine_delay`` days."""
        taken, outcome = _yes(table), Outcome()
        again = self.dose_day[taken] != NEVER
        if again.any():
            outcome.refuse(f"{self.name}.vaccinate", taken[again], "you have been vaccinated")
            taken = taken[~again]
        self._write("dose_day", taken, self.day)
        return outcome

    @action("Take a test today.", on=Flag(doc="true to take a test"))
    def test(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        """The result comes after ``test_delay`` days and is about today."""
        taken, outcome = _yes(table), Outcome()
        waiting = self.result_day[taken] >= self.day
        if waiting.any():
            outcome.refuse(f"{self.name}.test", taken[waiting], "the result of a test is still to come")
            taken = taken[~waiting]
        carries = (self.stage[taken] == Stage.EXPOSED) | (self.stage[taken] == Stage.INFECTIOUS)
        chance = np.where(carries, self.rules.true_positive, self.rules.false_positive)
        self._write("found", taken, turn.random(f"{self.name}.test").uniform(taken) < chance)
        self._write("result_day", taken, self.day + self.rules.test_delay)
        self.tests += np.bincount(self.group_of(taken), minlength=self.world.groups)
        return outcome

    def at_home(self) -> Flags | None:
        """Who isolates; None where nobody can."""
        return self.isolating if "isolate" in self.rules.actions else None

    def in_quarantine(self) -> Flags | None:
        """Who is told to be in quarantine, and complies."""
        if "test" not in self.rules.actions or "comply" not in self.rules.actions:
            return None
        kept = self.quarantined()
        kept &= self.complying
        return kept

    def quarantined(self) -> Flags:
        """Who is told to be in quarantine today."""
        return np.asarray(self.quarantined_until >= self.day)

    def results(self) -> Outcome:
        """At the end of a day: results come in, and with a positive one the order of a quarantine."""
        outcome = Outcome()
        if "test" not in self.rules.actions:
            return outcome
        due = np.flatnonzero(self.result_day == self.day).astype(np.int64)
        if len(due):
            positive = self.found[due]
            self._write("result", due, np.where(positive, POSITIVE, NEGATIVE).astype(np.int8))
            self._write("quarantined_until", due[positive], self.day + self.rules.quarantine)
            if "comply" in self.rules.actions:
                self._write("complying", due[positive], False)
            outcome.events.append(Events("tested", due, {"positive": positive}, "own", kept=False))
        return outcome

    def newly_protected(self) -> AgentIds:
        """Whom a vaccination begins to protect today; they are marked so."""
        if "vaccinate" not in self.rules.actions or self.day < self.rules.vaccine_delay:
            return np.empty(0, np.int64)
        due = np.flatnonzero(self.dose_day == self.day - self.rules.vaccine_delay).astype(np.int64)
        self._write("protected", due, True)
        return due

    def _decide(self, cell: str, table: ActionTable) -> None:
        """The last row of an agent counts."""
        if len(table) == len(self.stage) and np.array_equal(table.agents, np.arange(len(self.stage))):
            setattr(self, cell, np.array(table["on"], np.bool_))
        else:
            self._write(cell, table.agents, table["on"])

    def _write(self, cell: str, agents: AgentIds, values: Any) -> None:
        """Into a copy: minds may hold what they were shown."""
        if len(agents):
            changed = getattr(self, cell).copy()
            changed[agents] = values
            setattr(self, cell, changed)


def _yes(table: ActionTable) -> AgentIds:
    """Agents who say yes, each once."""
    said = table.where(np.asarray(table["on"]))
    return said.agents[first_rows(said.agents)]
