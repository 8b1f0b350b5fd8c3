"""From one generation of players to the next: who survives, who comes, and where everyone sits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.games.rules import DonorRules
from sociarium.kernel.randomness import Randomness
from sociarium.kernel.world import World

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Generation:
    """A generation that has played, in some groups. Arrays are (groups, agents) by place, but for the first two."""

    groups: Ints
    generation: Ints
    seats: Ints  # agents
    fitness: Floats  # units, mean of both games
    donation: Floats  # mean part given an encounter
    present: Bools  # False for agents that left in the midst of it: they go on only where too few others are there

    def survivors(self, rules: DonorRules, randomness: Randomness) -> Bools:
        """Who goes on: (groups, agents). Equals are drawn by lot."""
        lot = randomness.stream("donor.selection").uniform(self.seats, np.broadcast_to(self.generation[:, None], self.seats.shape))
        value = {"top": self.fitness, "reputation": self.donation, "random": np.zeros_like(self.fitness)}[rules.selection]
        best = np.lexsort((lot, -value, ~self.present), axis=1)[:, : rules.surviving]
        survive = np.zeros(self.seats.shape, np.bool_)
        np.put_along_axis(survive, best, True, axis=1)
        return survive


def next_generation(world: World, groups: Ints, elders: Ints, losers: Ints, generation: Ints, rules: DonorRules) -> Ints:
    """Losers leave, newcomers come; ids of the newcomers, by group. ``elders`` are the survivors, (groups, surviving)."""
    world.population.leave(losers)
    each = len(losers) // len(groups)
    size = len(losers)
    slots = np.repeat(groups, each) * each + np.tile(np.arange(each), len(groups))
    lot = world.randomness.stream("donor.parent").integers(0, rules.surviving - 1, slots, np.repeat(generation, each))
    parents = np.repeat(elders, each, axis=0)[np.arange(size), lot]
    values: dict[str, Any] = {name: world.population.get(parents, name).copy() for name in rules.inherit}
    if "name" in world.population[rules.kind]:
        numbers = np.tile(np.arange(1, each + 1), len(groups))
        of = np.repeat(generation, each)
        values["name"] = np.array([f"{g}_{n}" for g, n in zip(of.tolist(), numbers.tolist(), strict=True)], object)
    return world.admit(rules.kind, size, group=np.repeat(groups, each), **values)


def seated(groups: Ints, players: Ints, of: Ints, generation: Ints, randomness: Randomness) -> Ints:
    """Agents by place, (groups, agents): ``players`` of these groups in an order drawn anew in each generation."""
    lot = randomness.stream("donor.seats").bits(players, np.asarray(generation[of], np.int64))
    order = np.lexsort((players, lot, of))
    return players[order].reshape(len(groups), -1)
