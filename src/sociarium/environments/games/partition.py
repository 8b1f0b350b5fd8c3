"""Agents split into parts (teams, tables, servers) within their groups, and sums over parts that are the same however they are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.population import Population
from sociarium.kernel.turn import Lanes, Moment

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


LARGE = 4096  # from this size on a part is summed pairwise
COLUMNS = 64  # up to this size equal parts are summed column by column


@dataclass(frozen=True, slots=True)
class Partition:
    """The part of every agent id, numbered from 0 by group and then by value of the column."""

    part: Ints  # (agents,); also of agents that have left, so that numbers stay
    group: Ints  # the group of each part, ascending, (parts,)
    width: int  # agents in each part, where all have the same and sit one after another; else 0

    def lanes(self, moment: Moment, awake: Ints) -> Lanes:
        """Each part as a lane."""
        if len(self) == 1:
            return Lanes.by(moment, awake, np.broadcast_to(np.int64(0), awake.shape))
        return Lanes.by(moment, awake, self.part if len(awake) == len(self.part) else self.part[awake])

    @classmethod
    def of(cls, population: Population, column: str | None) -> Partition:
        """By group, or by a column of whole numbers within groups."""
        ids = population.ids(present=False)
        groups = np.asarray(population.get(ids, "group"), np.int64)
        values = groups
        if column is not None:
            given = population.get(ids, column)
            if given.dtype.kind not in "iu":
                raise UsageError(f"agents are split by column {column!r}, which must hold whole numbers")
            values = np.asarray(given, np.int64)
        part = _numbered(groups, values)
        count = 1 + int(part.max(initial=-1))
        of_group = np.zeros(count, np.int64)
        of_group[part] = groups
        width = len(part) // count if count and len(part) % count == 0 else 0
        even = width > 0 and bool((part.reshape(count, width) == np.arange(count, dtype=np.int64).reshape(-1, 1)).all())
        return cls(part, of_group, width if even else 0)

    def __len__(self) -> int:
        return len(self.group)

    def sums(self, agents: Ints, values: Floats) -> Floats:
        """The sum over the agents of each part, in the order of ``agents``: the same bits for one part alone or for all together.

        Small parts are added one after another; large ones pairwise, so that a million numbers lose nothing that matters.
        """
        if self.width and self.width <= COLUMNS and len(agents) == len(self.part):
            rows = values.reshape(-1, self.width)
            total = rows[:, 0].copy()
            for column in range(1, self.width):
                total += rows[:, column]
            return total
        part = self.part[agents]
        total = np.bincount(part, values, len(self)).astype(np.float64, copy=False)
        large = np.flatnonzero(np.bincount(part, minlength=len(self)) >= LARGE)
        if len(large):
            order = None if (part[1:] >= part[:-1]).all() else np.argsort(part, kind="stable")
            part, values = (part, values) if order is None else (part[order], values[order])
            starts, ends = np.searchsorted(part, large), np.searchsorted(part, large, side="right")
            total[large] = [values[start:end].sum() for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
        return total

    def counts(self, agents: Ints) -> Ints:
        """How many of these agents are in each part."""
        if self.width and len(agents) == len(self.part):
            return np.full(len(self), self.width, np.int64)
        return np.bincount(self.part[agents], minlength=len(self))

    def spread(self, agents: Ints, values: NDArray[Any]) -> NDArray[Any]:
        """One value a part, given to each of these agents."""
        if len(self) == 1:
            return np.broadcast_to(values[0], agents.shape)
        if self.width and len(agents) == len(self.part) and self.width <= COLUMNS:
            out = np.empty((len(self), self.width), values.dtype)
            for column in range(self.width):  # faster than np.repeat
                out[:, column] = values
            return out.reshape(-1)
        return values[self.part[agents]]

    def by_group(self, values: NDArray[Any], groups: int) -> Floats:
        """The sum over the parts of each group."""
        if groups == 1:
            return np.array([values.sum()], np.float64)
        return np.bincount(self.group, values, groups).astype(np.float64, copy=False)


def _numbered(groups: Ints, values: Ints) -> Ints:
    """Pairs of group and value, numbered in their order."""
    if not len(groups):
        return np.empty(0, np.int64)
    low = int(values.min())
    span = int(values.max()) - low + 1
    keys = groups * span + (values - low)
    if (keys[1:] >= keys[:-1]).all():  # in order already: count the steps
        steps = np.zeros(len(keys), np.int64)
        np.not_equal(keys[1:], keys[:-1], out=steps[1:], casting="unsafe")
        return np.cumsum(steps)
    return np.unique(keys, return_inverse=True)[1].astype(np.int64)
