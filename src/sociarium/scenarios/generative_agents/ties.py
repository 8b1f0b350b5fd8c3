"""Who knows whom: from the start, or by having talked; the density of that network is what the paper tells (0.167, then 0.74)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from sociarium.environments.town.town import Town
from sociarium.kernel.environment import Environment, Groups
from sociarium.kernel.world import World
from sociarium.scenarios.generative_agents.people import Resident


class Ties(Environment):
    """``known``: pairs of residents, by their places in a town, that know each other from the start."""

    name: ClassVar[str] = "ties"

    def __init__(self, town: Town, known: Sequence[tuple[int, int]]) -> None:
        self.town, self.known = town, tuple(known)
        self._first: set[tuple[int, int]] = set()
        self._counted: tuple[int, Any] = (-1, None)  # of so many pairs that have talked; no part of the state

    def reset(self, world: World, groups: Groups) -> None:
        super().reset(world, groups)
        size = len(world.population) // world.groups
        self._first = {(one + size * group, other + size * group) for group in range(world.groups) for one, other in self.known}
        self._counted = (-1, None)

    def measures(self) -> Mapping[str, Any]:
        """density: share of pairs that know each other, in each group."""
        talks, groups = self.town.meetings.talks, self.world.groups
        if self._counted[0] != len(talks):
            pairs = self._first.union(talks)
            of = self.world.population.get(np.array(sorted(one for one, _ in pairs), np.int64), "group") if pairs else np.empty(0, np.int64)
            self._counted = (len(talks), np.bincount(of, minlength=groups).astype(np.float64))
        size = np.bincount(self.world.population.get(self.world.awake(), "group"), minlength=groups)
        with np.errstate(invalid="ignore", divide="ignore"):
            return {"density": 2.0 * self._counted[1] / (size * (size - 1.0))}


def mutual(residents: Sequence[Resident]) -> list[tuple[int, int]]:
    """Pairs of whom each names the other."""
    place = {one.name.split()[0]: at for at, one in enumerate(residents)}
    named = {(at, place[who]) for at, one in enumerate(residents) for who in one.knows if who in place}
    return sorted((one, other) for one, other in named if one < other and (other, one) in named)
