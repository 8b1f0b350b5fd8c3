"""Queries inside a turn, and forks that share the door."""

import numpy as np
import pytest

from sociarium.kernel.actions import Actions, Integer, Text, action, query
from sociarium.kernel.content import Block
from sociarium.kernel.environment import Environment
from sociarium.kernel.errors import UsageError
from sociarium.kernel.mind import Mind
from sociarium.kernel.population import Population
from sociarium.kernel.protocols import Address
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import MOST_LOOK_UPS, Phase
from sociarium.models.backends.scripted import ScriptedBackend
from sociarium.models.request import Request, Sampling
from sociarium.models.service import ModelService
from sociarium.testing.memory_journal import MemoryJournal


class Library(Environment):
    name = "library"

    def reset(self, world, groups):
        super().reset(world, groups)
        self.lent = 0

    @query("Search the shelves.", words=Text(longest=20), most=Integer(low=1, high=5))
    def search(self, agent, words, most):
        return (Block(f"{agent} finds {words} x{most}, {self.lent} lent"),)

    @action("Borrow a book.")
    def borrow(self, turn, seen, table):
        self.lent += len(table)


class Reader(Mind):
    def __init__(self, ask):
        self.ask, self.found = ask, []

    async def decide(self, turn, seen):
        self.found.append(self.ask(turn))
        return Actions.one(turn, "borrow")


def read(ask, rounds=2):
    mind = Reader(ask)
    Simulation(Population.of("reader", 3), [Library()], [mind], Rounds([Phase("read", "library")], rounds)).run_sync()
    return mind.found


def test_a_query_is_answered_from_the_world_as_the_turn_began():
    found = read(lambda turn: [turn.look_up(row, "search", words="fish", most=2)[0].text for row in range(3)])
    assert found == [[f"{a} finds fish x2, {lent} lent" for a in range(3)] for lent in (0, 3)]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"words": "fish"}, "takes words, most, not words"),
        ({"words": "fish", "most": 9}, "most must be a whole number from 1 to 5"),
        ({"words": "f" * 21, "most": 1}, "words must be text of at most 20"),
    ],
)
def test_wrong_arguments_of_a_query_are_one_clear_error(arguments, told):
    with pytest.raises(UsageError, match=told):
        read(lambda turn: turn.look_up(0, "search", **arguments))


def test_an_unknown_query_names_those_there_are():
    with pytest.raises(UsageError, match=r"no query 'sing'; it has library.search"):
        read(lambda turn: turn.look_up(0, "sing"))


def test_look_ups_are_bounded_in_number():
    with pytest.raises(UsageError, match="more than 64"):
        read(lambda turn: [turn.look_up(0, "search", words="x", most=1) for _ in range(MOST_LOOK_UPS + 1)])


class Talker(Mind):
    """Asks a sampled question each tick, about a number that a fork may change."""

    def __init__(self):
        self.topic, self.heard = 0, []

    async def decide(self, turn, seen):
        request = Request((Block(f"Topic {self.topic}?"),), sampling=Sampling(temperature=1.0))
        self.heard.append((await turn.ask(0, request, "talk")).text)
        return Actions()

    def state(self):
        return {"topic": self.topic}


async def test_a_fork_has_addresses_of_its_own_and_the_draws_of_its_origin():
    backend = ScriptedBackend(lambda request, drawn: f"{request.blocks[0].text} {drawn}")
    journal = MemoryJournal()
    door = ModelService({"default": backend}, journal=journal, seed=5)
    mind = Talker()
    simulation = Simulation(Population.of("talker", 1), [], [mind], Rounds([Phase("talk")], 3), door=door)
    await simulation.step()
    same, other = simulation.fork(), simulation.fork()
    other.minds.all[0].topic = 1
    await simulation.run()
    calls = backend.calls
    await same.run()
    assert backend.calls == calls  # asked as in its origin: taken from there
    assert same.minds.all[0].heard == mind.heard
    await other.run()
    assert backend.calls == calls + 2
    assert [text.split()[-1] for text in other.minds.all[0].heard] == [text.split()[-1] for text in mind.heard]  # the same draws
    assert journal.find(Address(1, "fork-1-1/talk", 0, 0, "agent:0", "talk")) is not None
    assert np.isfinite(simulation.world.clock.time)
