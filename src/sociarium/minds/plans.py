"""Plans of a few steps as columns: what each agent is about, step by step; for rule minds by the thousand, for language minds one by one.

After AgentSociety (Piao et al., arXiv 2502.08691): at most six steps, each with an intention and a type.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.errors import UsageError

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Array = NDArray[Any]

MOST_STEPS = 6


class StepType(IntEnum):
    """What kind of thing a step is."""

    MOBILITY = 0
    SOCIAL = 1
    ECONOMY = 2
    OTHER = 3


@dataclass(frozen=True, slots=True)
class Step:
    """``where``: ``home``, ``work``, or the category of a place, for steps of mobility; ``minutes`` that any other step takes."""

    intention: str
    type: StepType
    where: str = ""
    minutes: int = 30


class Plans:
    """One plan an agent, by id: its steps and which of them is on (-1: no plan)."""

    def __init__(self) -> None:
        self.at: NDArray[np.int8] = np.empty(0, np.int8)
        self.steps: NDArray[np.int8] = np.empty(0, np.int8)  # how many
        self.types: NDArray[np.int8] = np.empty((0, MOST_STEPS), np.int8)
        self.minutes: NDArray[np.int16] = np.empty((0, MOST_STEPS), np.int16)
        self.where: Array = np.empty((0, MOST_STEPS), object)
        self.intentions: Array = np.empty((0, MOST_STEPS), object)

    def admit(self, agents: Ints) -> None:
        """Newcomers, without a plan."""
        more = int(agents.max(initial=-1)) + 1 - len(self.at)
        if more > 0:
            for name, value in vars(self).items():
                fill = "" if value.dtype == object else 0
                setattr(self, name, np.concatenate([value, np.full((more, *value.shape[1:]), fill, value.dtype)]))
        self.at[agents] = -1

    def begin(self, agents: Ints, which: Ints, table: Sequence[Sequence[Step]]) -> None:
        """Each agent begins the plan of the table that ``which`` names."""
        for number in np.unique(which).tolist():
            plan, mine = table[int(number)], agents[which == number]
            if not 1 <= len(plan) <= MOST_STEPS:
                raise UsageError(f"a plan has 1 to {MOST_STEPS} steps, not {len(plan)}")
            self.at[mine], self.steps[mine] = 0, len(plan)
            for place, step in enumerate(plan):
                self.types[mine, place], self.minutes[mine, place] = step.type, step.minutes
                self.where[mine, place], self.intentions[mine, place] = step.where, step.intention

    def active(self, agents: Ints) -> Bools:
        return self.at[agents] >= 0

    def next(self, agents: Ints) -> Ints:
        """The step of these agents is done; those whose plan is over, which then have none."""
        self.at[agents] += 1
        over = agents[self.at[agents] >= self.steps[agents]]
        self.at[over] = -1
        return over

    def now(self, agents: Ints, column: str) -> Array:
        """``types``, ``minutes``, ``where`` or ``intentions`` of the step that is on; of agents that have a plan."""
        return getattr(self, column)[agents, self.at[agents]]

    def doing(self, agents: Ints, type_: StepType) -> Bools:
        """Who is at a step of this type."""
        active = self.active(agents)
        active[active] = self.now(agents[active], "types") == type_
        return active

    def state(self) -> dict[str, Any]:
        return {name: value.copy() for name, value in vars(self).items()}

    def load(self, state: Mapping[str, Any]) -> None:
        for name, value in vars(self).items():
            if name in state:
                setattr(self, name, np.array(state[name], value.dtype).reshape(-1, *value.shape[1:]))
