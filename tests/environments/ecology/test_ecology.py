"""Predators and prey: the batch is the loop bit for bit, energy is accounted for, and the limits of the published domain hold."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sociarium.environments.ecology.ecology import DIRECTIONS, Ecology, EcologyRules
from sociarium.kernel.actions import Actions
from sociarium.kernel.errors import UsageError
from sociarium.kernel.population import Population
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Phase
from sociarium.minds.rule import RuleMind


def simulation(predators=40, prey=80, groups=1, rules=None, ticks=10, decide=None, seed=1):
    environment = Ecology(rules)
    mind = RuleMind(decide or (lambda turn, seen: Actions()))
    people = Ecology.population(predators, prey, groups)
    return Simulation(people, [environment], [mind], Rounds([Phase("day", "ecology")], ticks), seed=seed), environment


class Loop:
    """The same tick, one agent at a time: plain Python numbers, dictionaries and sorted lists."""

    def __init__(self, ecology: Ecology) -> None:
        self.rules, self.world = ecology.rules, ecology.world
        self.energy, self.field = ecology.energy.tolist(), ecology.field.tolist()
        self.alive, self.prey = ecology.alive.tolist(), ecology.prey.tolist()
        self.group = [int(g) for g in ecology.group_of(np.arange(len(self.energy)))]
        self.grass = {(g, f): 0 for g in range(self.world.groups) for f in range(self.rules.rows * self.rules.columns)}

    def lot(self, name: str, tick: int, agent: int) -> int:
        return int(self.world.randomness.stream(f"ecology.{name}", tick).bits([agent])[0])

    def tick(self, tick: int) -> None:
        living = [agent for agent in range(len(self.energy)) if self.alive[agent]]
        for agent in living:
            self.stride(tick, agent)
        for place in self.places(agent for agent in living if self.prey[agent]).items():
            self.graze(tick, *place)
        hunters = self.places(agent for agent in living if not self.prey[agent])
        victims = self.places(agent for agent in living if self.prey[agent])
        for place in set(hunters) & set(victims):
            first = sorted(hunters[place], key=lambda agent: (self.lot("hunt", tick, agent), agent))
            second = sorted(victims[place], key=lambda agent: (self.lot("flee", tick, agent), agent))
            for eater, eaten in zip(first, second, strict=False):
                self.energy[eaten], self.alive[eaten] = 0, False
                self.energy[eater] += self.rules.meal[0]
        for agent in living:
            if self.energy[agent] <= 0:
                self.alive[agent] = False
        self.grass = {place: max(0, wait - 1) for place, wait in self.grass.items()}

    def stride(self, tick: int, agent: int) -> None:
        row, column = divmod(self.field[agent], self.rules.columns)
        ways = [(row + down, column + right) for down, right in ((-1, 0), (0, 1), (1, 0), (0, -1))]
        ways = [(r, c) for r, c in ways if 0 <= r < self.rules.rows and 0 <= c < self.rules.columns]
        drawn = float(self.world.randomness.stream("ecology.stride", tick).uniform([agent])[0])
        row, column = ways[int(drawn * len(ways))]
        self.field[agent] = row * self.rules.columns + column
        self.energy[agent] -= self.rules.cost[1 if self.prey[agent] else 0]

    def graze(self, tick: int, place: tuple[int, int], here: list[int]) -> None:
        if self.grass[place] == 0:
            eater = min(here, key=lambda agent: (self.lot("graze", tick, agent), agent))
            self.energy[eater] += self.rules.meal[1]
            self.grass[place] = self.rules.regrowth

    def places(self, agents) -> dict[tuple[int, int], list[int]]:
        found: dict[tuple[int, int], list[int]] = {}
        for agent in agents:
            found.setdefault((self.group[agent], self.field[agent]), []).append(agent)
        return found


@pytest.mark.parametrize(("groups", "seed"), [(1, 1), (2, 2), (3, 3)])
def test_the_batch_is_the_loop_bit_for_bit(groups, seed):
    """large-population-models, 2: 200 agents and more, 12 ticks."""
    sim, ecology = simulation(60, 140, groups, EcologyRules(rows=9, columns=8, regrowth=6), ticks=12, seed=seed)
    loop = Loop(ecology)
    for tick in range(12):
        sim.run_sync(1)
        loop.tick(tick)
        assert ecology.energy.tolist() == loop.energy
        assert ecology.field.tolist() == loop.field
        assert ecology.alive.tolist() == loop.alive
        assert ecology.grass.reshape(-1).tolist() == [loop.grass[place] for place in sorted(loop.grass)]
    assert ecology.meals.min() > 0 and not all(loop.alive)


class TestLimits:
    """large-population-models, 10."""

    def test_without_grass_every_prey_is_spent_within_twenty_ticks(self):
        sim, ecology = simulation(0, 80, rules=EcologyRules(regrowth=0), ticks=20)
        sim.run_sync()
        assert (ecology.energy <= 0).all() and not ecology.alive.any()
        assert ecology.meals.sum() == 0

    def test_without_predators_the_living_never_increase_and_grass_feeds_few(self):
        sim, ecology = simulation(0, 80, ticks=600)
        alive = []
        sim.on_tick.append(lambda record: alive.append(int(ecology.measures()["prey"][0])))
        sim.run_sync()
        assert all(b <= a for a, b in itertools.pairwise(alive))
        assert alive[-1] <= 6.3
        assert ecology.meals[0, 1] * 7 <= (600 / 100 + 1) * 450 * 7

    @settings(max_examples=15, deadline=None)
    @given(st.integers(0, 99), st.integers(2, 30), st.integers(2, 30))
    def test_the_books_close_and_the_dead_stay_where_they_fell(self, seed, predators, prey):
        sim, ecology = simulation(predators, prey, groups=2, rules=EcologyRules(rows=5, columns=5, regrowth=9), ticks=25, seed=seed)
        before = None
        for _ in range(25):
            dead = np.flatnonzero(~ecology.alive)
            before = ecology.energy[dead].tolist(), ecology.field[dead].tolist()
            sim.run_sync(1)
            assert (ecology.energy[dead].tolist(), ecology.field[dead].tolist()) == before
            assert not ecology.alive[dead].any()
            assert ecology.measures()["missing"].tolist() == [0, 0]

    def test_it_begins_as_published(self):
        _, ecology = simulation()
        told = ecology.measures()
        assert (told["predators"][0], told["prey"][0], told["grass"][0]) == (40, 80, 450)
        prey = ecology.energy[ecology.prey]
        assert prey.min() >= 40 and prey.max() <= 100 and ecology.energy[~ecology.prey].min() >= 30


class TestMoves:
    def test_who_says_where_goes_there(self):
        east = lambda turn, seen: Actions.one(turn, "move", direction=np.full(len(turn.agents), "right", object))  # noqa: E731
        sim, ecology = simulation(5, 5, ticks=1, decide=east)
        before = ecology.field.copy()
        sim.run_sync()
        inside = before % 25 < 24
        assert (ecology.field[inside] == before[inside] + 1).all()
        assert (ecology.field[~inside] != before[~inside] + 1).all()  # off the grid it is refused, and they go at random

    def test_the_dead_and_the_lost_are_refused(self):
        records = []
        north = lambda turn, seen: Actions.one(turn, "move", direction=np.full(len(turn.agents), DIRECTIONS[0], object))  # noqa: E731
        sim, _ = simulation(0, 30, rules=EcologyRules(rows=3, columns=3, regrowth=0), ticks=25, decide=north)
        sim.on_tick.append(records.append)
        sim.run_sync()
        reasons = {reason for record in records for reason in map(str, _reasons(record))}
        assert any("no field" in reason for reason in reasons) and any("dead" in reason for reason in reasons)

    def test_mistakes_are_named(self):
        with pytest.raises(UsageError, match="not only one"):
            Simulation(Population.of("prey", 3), [Ecology()], [RuleMind(lambda t, s: Actions())], Rounds([Phase("d", "ecology")], 1))
        with pytest.raises(UsageError, match="nowhere to go"):
            EcologyRules(rows=1, columns=1)


def _reasons(record):
    yield from record.refusals
