"""Lanes and turns: numbers, order, and that no sharing or pace ever shows in a result."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import numpy as np
import pytest

from sociarium.kernel.environment import Environment
from sociarium.kernel.errors import UsageError
from sociarium.kernel.population import Population
from sociarium.kernel.randomness import Randomness
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Lanes, Moment, Phase
from sociarium.testing import digest_of, same_state, same_ticks, sharing_test

from .worlds import Adder, Talk, Talker, counting, ticks_of

MOMENT = Moment(0, 0, Phase("talk"), Randomness(1), ())


def talking(pauses=None, groups=2, ticks=3):
    population = Population.of("person", 24, group=np.arange(24) * groups // 24)
    mind = Talker(None if pauses is None else np.random.default_rng(pauses))
    return Simulation(population, [Talk()], [mind], Rounds([Phase("talk", "talk")], ticks), seed=5)


def test_pace_and_sharing_never_show():
    together = talking()
    expected = ticks_of(together)
    for pauses in range(4):
        paced = talking(pauses)
        same_ticks("paced", expected, ticks_of(paced))
        same_state("paced", {"mind": together.minds.all[0].state()}, {"mind": paced.minds.all[0].state()})
    sharing_test(talking)


def test_turns_are_numbered_by_lane():
    (events,) = ticks_of(talking(ticks=1))[0].events
    played = {lane: events.turns[events.lanes == lane].tolist() for lane in range(6)}
    assert played == {lane: list(range(2 + lane % 3)) for lane in range(6)}
    assert (np.diff(events.lanes) >= 0).all()
    assert events.ids.tolist() == list(range(len(events)))


def test_speakers_hear_their_lane_at_once_and_others_at_the_close():
    simulation = talking(groups=1, ticks=1)
    ticks_of(simulation)
    heard = simulation.minds.all[0].heard
    own = [text for _, actor, text in heard[5] if actor // 4 == 1]
    assert own == [text for _, actor, text in heard[4] if actor // 4 == 1]
    assert [actor for _, actor, _ in heard[0]][:2] == [0, 1]  # its own lane first
    assert sorted(actor for _, actor, _ in heard[0]) == sorted(actor for _, actor, _ in heard[23])


def test_lanes_by_number():
    lanes = Lanes.by(MOMENT, np.array([4, 5, 6, 7, 8]), np.array([2, 1, 2, 1, 9]))
    assert lanes.ids.tolist() == [1, 2, 9]
    assert lanes.agents.tolist() == [5, 7, 4, 6, 8]
    assert lanes.lane_of().tolist() == [1, 1, 2, 2, 9]
    assert lanes.members(2).tolist() == [4, 6]
    assert lanes.members(3).tolist() == lanes.members(10).tolist() == []
    assert lanes.only(np.array([True, False, True])).agents.tolist() == [5, 7, 8]


def test_a_turn_of_lanes_that_have_played_differently_is_split_by_number():
    lanes = Lanes.by(MOMENT, np.arange(4), np.array([0, 0, 1, 2]))
    lanes.played[:] = [3, 0, 3]
    turns = list(lanes.numbered(lanes.turn()))
    assert [(turn.number, turn.agents.tolist()) for turn in turns] == [(0, [2]), (3, [0, 1, 3])]
    assert lanes.played.tolist() == [4, 1, 4]


def test_turns_are_sorted_by_lane():
    lanes = Lanes.by(MOMENT, np.arange(4), np.array([0, 0, 1, 1]))
    turn = lanes.turn([3, 0], [1, 0])
    assert (turn.agents.tolist(), turn.lanes.tolist()) == ([0, 3], [0, 1])


class Wrong(Environment):
    name = "wrong"

    def __init__(self, turn):
        self.offer = turn

    def turn(self, phase, lanes):
        return self.offer(lanes)


@pytest.mark.parametrize(
    ("offer", "says"),
    [
        (lambda lanes: lanes.turn([], []), "offered a turn to nobody"),
        (lambda lanes: lanes.turn([0], [7]), "in a lane that it was not asked for"),
        (lambda lanes: lanes.turn([0, 1], [0]), "has 1 lanes; give one an agent"),
    ],
)
def test_a_wrong_turn_is_an_error_and_no_endless_loop(offer, says):
    with pytest.raises(UsageError, match=says):
        ticks_of(counting(environments=[Wrong(offer)], phases=[Phase("talk", "wrong")]))


def test_a_phase_without_end_ends(monkeypatch):
    monkeypatch.setattr("sociarium.kernel.turn.TURN_LIMIT", 50)
    with pytest.raises(UsageError, match="over 50 turns in one lane; wrong is never done"):
        ticks_of(counting(environments=[Wrong(lambda lanes: lanes.turn())], phases=[Phase("talk", "wrong")], groups=1))


def test_nobody_awake_is_no_turn():
    record = ticks_of(counting(phases=[Phase("add", "counter", who=())], agents=0, groups=1), 1)
    assert record[0].outcomes == []


class Failing(Adder):
    """Fails at once in lane 1; elsewhere it takes its time."""

    def __init__(self):
        super().__init__(paced=True)
        self.done = []

    async def decide(self, turn, seen):
        if turn.lanes[0] == 1:
            raise UsageError("lane 1 fails")
        for _ in range(10):
            await asyncio.sleep(0)
        self.done.append(int(turn.lanes[0]))
        return await super().decide(turn, seen)


def test_a_failing_lane_waits_for_the_others():
    mind = Failing()
    simulation = counting(agents=8, groups=4, minds=[mind])
    with pytest.raises(UsageError, match="lane 1 fails"):
        simulation.run_sync()
    assert sorted(mind.done) == [0, 2, 3]
    assert simulation.world.clock.tick == 0


SCRIPT = """
from tests.kernel.test_turns import talking, digest_of, ticks_of
print(digest_of(ticks_of(talking())))
"""


def test_hash_order_never_shows():
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    found = set()
    for seed in ("0", "1", "77"):
        env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join([os.path.join(root, "src"), root])}
        found.add(subprocess.run([sys.executable, "-c", SCRIPT], env=env, capture_output=True, text=True, check=True).stdout.strip())
    assert found == {digest_of(ticks_of(talking()))}
