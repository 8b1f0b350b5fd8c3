"""Needs that grow with time, and the ladder by which one of them rules: pure functions over columns, for any mind.

After AgentSociety (Piao et al., arXiv 2502.08691). A need's number is how far it is *satisfied*, from 0 to 1; it falls in a straight
line. The ladder: an operator's instruction, hunger, energy, work and safety, company, whatever one likes. A plan that is under way is
broken off by a higher need only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.units import DAY, HOUR

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

NEVER = np.iinfo(np.int64).max
NEAR = 1e-9  # a satisfaction this close above its threshold is at it: 0.9 - 0.7 is not 0.2 in floating point


class Need(IntEnum):
    """What rules an agent, the highest first."""

    INSTRUCTED = 0
    HUNGRY = 1
    TIRED = 2
    WORK = 3
    SAFE = 4
    SOCIAL = 5
    WHATEVER = 6


RANKS = np.array([0, 1, 2, 3, 3, 4, 5])  # of Need: work counts as safety
LEVELS = ("hunger", "energy", "safety", "social")
_OF_LEVEL = np.array([Need.HUNGRY, Need.TIRED, Need.SAFE, Need.SOCIAL])


@dataclass(frozen=True, slots=True)
class NeedRules:
    """For hunger, energy, safety and social: satisfaction at the ``start``, ``decay`` an hour, and ``thresholds`` at or below which a need
    is felt. ``work_from``: the hour of a workday from which there is work, once a day.
    """

    start: tuple[float, float, float, float] = (0.9, 0.9, 0.4, 0.6)
    decay: tuple[float, float, float, float] = (0.15, 0.08, 0.05, 0.10)
    thresholds: tuple[float, float, float, float] = (0.2, 0.2, 0.2, 0.3)
    work_from: float = 7.0

    def __post_init__(self) -> None:
        for name, values in {"start": self.start, "thresholds": self.thresholds}.items():
            if len(values) != 4 or not all(0 <= value <= 1 for value in values):
                raise UsageError(f"NeedRules: {name} must be four numbers from 0 to 1 ({', '.join(LEVELS)}), not {values}")
        if len(self.decay) != 4 or not all(value >= 0 for value in self.decay):
            raise UsageError(f"NeedRules: decay must be four numbers of 0 or more ({', '.join(LEVELS)}), not {self.decay}")


def decayed(levels: ArrayLike, elapsed: ArrayLike, rules: NeedRules) -> Floats:
    """Satisfactions, (..., 4), after ``elapsed`` microseconds, (...): linear, floor 0."""
    hours = np.asarray(elapsed, np.float64)[..., None] / HOUR
    return np.maximum(0.0, np.asarray(levels, np.float64) - np.asarray(rules.decay) * hours)


def felt(levels: ArrayLike, rules: NeedRules) -> Bools:
    """Which needs are at or below their thresholds, (..., 4)."""
    return np.asarray(levels, np.float64) <= np.asarray(rules.thresholds) + NEAR


def fires_after(levels: ArrayLike, rules: NeedRules) -> Ints:
    """Microseconds until each need is felt if nothing is done, (..., 4), to the nearest; 0 where it is, ``NEVER`` where none falls."""
    above = np.maximum(0.0, np.asarray(levels, np.float64) - np.asarray(rules.thresholds))
    decay = np.broadcast_to(np.asarray(rules.decay, np.float64), above.shape)
    hours = np.divide(above, decay, out=np.full(above.shape, np.inf), where=decay > 0)
    hours[above <= NEAR] = 0.0
    found = np.full(above.shape, NEVER)
    falls = np.isfinite(hours)
    found[falls] = np.rint(hours[falls] * HOUR)
    return found


def ruling(levels: ArrayLike, rules: NeedRules, *, work: ArrayLike = False, instructed: ArrayLike = False) -> Ints:
    """The need that rules each agent (``Need``), (agents,), from satisfactions (agents, 4), whether work is due, and whether an operator
    has told it what to do."""
    hungry, tired, unsafe, alone = np.moveaxis(felt(levels, rules), -1, 0)
    conditions = [np.broadcast_to(np.asarray(instructed, np.bool_), hungry.shape), hungry, tired]
    conditions += [np.broadcast_to(np.asarray(work, np.bool_), hungry.shape), unsafe, alone]
    return np.select(conditions, list(range(6)), int(Need.WHATEVER)).astype(np.int64)


def interrupts(new: ArrayLike, running: ArrayLike) -> Bools:
    """Whether a need breaks off a plan made for another: only where it stands higher on the ladder."""
    return RANKS[np.asarray(new, np.int64)] < RANKS[np.asarray(running, np.int64)]


def work_due(time: int, worked_on: ArrayLike, workday: ArrayLike, rules: NeedRules) -> Bools:
    """Whether there is work now: a workday, past the hour, and not yet done (``worked_on``: the day of the last work, -1 none)."""
    day, hour = divmod(time, DAY)
    return np.asarray(workday, np.bool_) & (hour / HOUR >= rules.work_from) & (np.asarray(worked_on, np.int64) != day)


class NeedColumns:
    """Needs of agents by id: satisfactions as of a moment, what each pursues, and instructions. ``admit`` makes room."""

    def __init__(self, rules: NeedRules | None = None) -> None:
        self.rules = rules or NeedRules()
        self.levels: Floats = np.empty((0, 4))
        self.since: Ints = np.empty(0, np.int64)  # when ``levels`` held
        self.worked_on: Ints = np.empty(0, np.int64)  # day
        self.pursued: Ints = np.empty(0, np.int64)  # Need
        self.instructions: dict[int, str] = {}

    def admit(self, agents: Ints, time: int = 0) -> None:
        """Newcomers, with satisfactions as at the start."""
        size = int(agents.max(initial=-1)) + 1
        if (more := size - len(self.since)) > 0:
            self.levels = np.concatenate([self.levels, np.zeros((more, 4))])
            self.since, self.worked_on, self.pursued = (
                np.concatenate([column, np.full(more, fill, np.int64)])
                for column, fill in ((self.since, 0), (self.worked_on, -1), (self.pursued, Need.WHATEVER))
            )
        self.levels[agents], self.since[agents] = self.rules.start, time
        self.worked_on[agents], self.pursued[agents] = -1, Need.WHATEVER

    def at(self, agents: Ints, time: int) -> Floats:
        """Satisfactions now, (agents, 4)."""
        return decayed(self.levels[agents], time - self.since[agents], self.rules)

    def satisfy(self, agents: Ints, level: int, *, to: ArrayLike | None = None, by: ArrayLike = 0.0, time: int) -> None:
        """One satisfaction (0 hunger .. 3 social) of these agents is set ``to`` a value or raised ``by`` one, within 0 and 1."""
        now = self.at(agents, time)
        now[:, level] = np.clip(now[:, level] + np.asarray(by) if to is None else np.asarray(to), 0.0, 1.0)
        self.levels[agents], self.since[agents] = now, time

    def instruct(self, agent: int, words: str) -> None:
        """An operator's instruction: it outranks all needs until ``done``."""
        self.instructions[agent] = words

    def pursue(self, agents: Ints, time: int, *, workday: ArrayLike = False) -> tuple[Ints, Bools]:
        """What rules each agent now, and whether that breaks off what it pursued; a lower or equal need waits for the end of the plan."""
        told = np.fromiter((agent in self.instructions for agent in agents.tolist()), np.bool_, len(agents))
        due = work_due(time, self.worked_on[agents], workday, self.rules)
        now = ruling(self.at(agents, time), self.rules, work=due, instructed=told)
        broken = interrupts(now, self.pursued[agents])
        self.pursued[agents] = np.where(broken, now, self.pursued[agents])
        return self.pursued[agents], broken

    def done(self, agents: Ints, time: int) -> None:
        """The plans of these agents are over: the next ``pursue`` finds a new need. Work is done for the day, an instruction for good."""
        ended = self.pursued[agents]
        self.worked_on[agents[ended == Need.WORK]] = time // DAY
        for agent in agents[ended == Need.INSTRUCTED].tolist():
            self.instructions.pop(agent, None)
        self.pursued[agents] = Need.WHATEVER

    def state(self) -> dict[str, Any]:
        told = np.empty((len(self.instructions), 2), object)
        for row, agent in enumerate(sorted(self.instructions)):
            told[row] = (str(agent), self.instructions[agent])
        columns = {"levels": self.levels, "since": self.since, "worked_on": self.worked_on, "pursued": self.pursued}
        return {**{name: column.copy() for name, column in columns.items()}, "instructions": told.reshape(-1)}

    def load(self, state: Mapping[str, Any]) -> None:
        if not state:
            return
        self.levels = np.array(state["levels"], np.float64).reshape(-1, 4)
        for name in ("since", "worked_on", "pursued"):
            setattr(self, name, np.array(state[name], np.int64))
        told = list(state["instructions"])
        self.instructions = {int(agent): str(words) for agent, words in zip(told[::2], told[1::2], strict=True)}
