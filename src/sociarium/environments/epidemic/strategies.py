"""Rules by which agents behave in an epidemic, where no model and no data say better: vectorised functions for ``RuleMind``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.actions import Actions
from sociarium.kernel.errors import UsageError
from sociarium.kernel.turn import Observations, Turn

Rule = Callable[[Turn, Observations], Actions]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """Daily probabilities. ``isolate``: of staying at home; ``caution`` kappa adds 1 - exp(-kappa * yesterday's cases / size of the world).
    ``work``: of going to work. ``vaccinate``: of getting vaccinated, for who is not yet. ``test``: of being tested, for who is ill.
    ``start``: of beginning to comply with a quarantine, ``leave``: of breaking off on any later day (published: .7, .1; test .95)."""

    isolate: float = 0.0
    caution: float = 0.0
    work: float = 1.0
    vaccinate: float = 0.0
    test: float = 0.95
    start: float = 0.7
    leave: float = 0.1

    def __post_init__(self) -> None:
        shares = (self.isolate, self.work, self.vaccinate, self.test, self.start, self.leave)
        if not all(0 <= share <= 1 for share in shares) or self.caution < 0:
            raise UsageError("habits are probabilities from 0 to 1, and caution is 0 or more")

    def stays(self, cases: NDArray[Any], size: NDArray[Any]) -> Floats:
        """The chance of staying at home after so many cases in a world of this size."""
        return 1 - (1 - self.isolate) * np.exp(-self.caution * (cases / np.maximum(size, 1)))


def by_habit(habits: Habits | None = None, *, environment: str = "epidemic") -> Rule:
    """Everyone follows the same habits, each by numbers of its own."""
    given = habits or Habits()

    def rule(turn: Turn, seen: Observations) -> Actions:
        columns, actions = seen[environment], Actions()

        def drawn(name: str) -> Floats:
            return turn.random(f"habit.{name}").uniform(turn.agents)

        if turn.offered("isolate"):
            stay = given.stays(columns["cases"], columns["size"])
            actions.add(turn, f"{environment}.isolate", turn.agents, on=drawn("isolate") < stay)
        if turn.offered("work"):
            actions.add(turn, f"{environment}.work", turn.agents, on=drawn("work") < given.work)
        if turn.offered("vaccinate"):
            going = (drawn("vaccinate") < given.vaccinate) & ~columns["vaccinated"]
            actions.add(turn, f"{environment}.vaccinate", turn.agents[going], on=True)
        if turn.offered("test"):
            ill = turn.agents[columns["ill"] & (columns["result"] < 0) & ~columns["waiting"]]
            going = ill[turn.random("habit.test").uniform(ill) < given.test]
            actions.add(turn, f"{environment}.test", going, on=True)
        if turn.offered("comply"):
            told = np.flatnonzero(columns["quarantined"])
            number = turn.random("habit.comply").uniform(turn.agents[told])
            keeps = np.where(columns["complying"][told], number >= given.leave, number < given.start)
            actions.add(turn, f"{environment}.comply", turn.agents[told], on=keeps)
        return actions

    return rule
