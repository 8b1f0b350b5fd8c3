"""Which tick comes next, and who is awake."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from scipy import stats

from sociarium.kernel.environment import Outcome
from sociarium.kernel.errors import UsageError
from sociarium.kernel.population import Population
from sociarium.kernel.schedule import Activity, Calendar, Rounds, WakeUps
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Phase
from sociarium.kernel.units import DAY, HOUR, clock, seconds
from sociarium.testing import sharing_test, state_test

from .worlds import Adder, Counter, ticks_of

PHASES = [Phase("add", "counter")]


def running(schedule, environment=None, agents=4, **more):
    return Simulation(Population.of("agent", agents), [environment or Counter()], [Adder()], schedule, seed=3, **more)


def actors(record):
    return record.events[0].actors.tolist() if record.events else []


def test_phases_come_when_they_are_due():
    phases = [Phase("every", "counter"), Phase("third", "counter", every=3), Phase("late", "counter", every=2, first=3)]
    records = ticks_of(running(Rounds(phases, 6)))
    assert [[rows.phase for rows in record.outcomes] for record in records] == [
        ["every", "third"], ["every"], ["every"], ["every", "third", "late"], ["every"], ["every", "late"],
    ]  # fmt: skip
    assert [(record.tick, record.time, record.until) for record in records] == [(n, n * DAY, (n + 1) * DAY) for n in range(6)]
    assert running(Rounds(phases, 0)).run_sync() == 0
    with pytest.raises(UsageError, match="must be 0 or more"):
        Rounds(phases, -1)


def test_calendar_begins_at_its_start_and_so_does_the_world():
    class Begun(Counter):
        def reset(self, world, groups):
            super().reset(world, groups)
            self.begun = world.clock.time

    schedule = Calendar(PHASES, step=HOUR, duration=3 * HOUR, start=DAY + 23 * HOUR)
    simulation = running(schedule, Begun())
    assert simulation.world["counter"].begun == DAY + 23 * HOUR
    records = ticks_of(simulation)
    assert [clock(record.time) for record in records] == ["day 2, 23:00", "day 3, 00:00", "day 3, 01:00"]
    assert [schedule.hour(record.time) for record in records] == [23, 0, 1]
    assert seconds(0.1) * 10 == seconds(1)


def test_activity_is_by_chance_by_hour_and_by_agent():
    profile = np.zeros((3000, 24))
    profile[:1000, 0], profile[1000:, 1] = 0.3, 1.0
    records = ticks_of(running(Activity(PHASES, profile, step=HOUR, duration=3 * HOUR), agents=3000))
    assert max(actors(records[0])) < 1000
    assert stats.binomtest(len(actors(records[0])), 1000, 0.3).pvalue > 1e-4
    assert actors(records[1]) == list(range(1000, 3000))
    assert actors(records[2]) == []
    with pytest.raises(UsageError, match="24 probabilities"):
        Activity(PHASES, [0.5] * 23, step=HOUR, duration=DAY)
    with pytest.raises(UsageError, match="from 0 to 1"):
        Activity(PHASES, [1.5] * 24, step=HOUR, duration=DAY)


class Alarm(Counter):
    """Whoever acts wants to be awake again after as many hours as its id plus one."""

    def apply(self, turn, seen, actions):
        outcome = super().apply(turn, seen, actions)
        outcome.wakes = [(np.array([agent]), turn.time + self.after(int(agent))) for agent in turn.agents[::-1]]
        return outcome

    def after(self, agent):
        return (agent + 1) * HOUR


def waking(environment=None, horizon=4 * HOUR):
    return running(WakeUps(PHASES, horizon=horizon, first={0: HOUR, 1: HOUR, 3: 10 * HOUR}), environment or Alarm())


def test_event_time_goes_from_wake_up_to_wake_up():
    simulation = waking()
    records = ticks_of(simulation)
    assert [(record.time // HOUR, actors(record)) for record in records] == [(1, [0, 1]), (2, [0]), (3, [0, 1]), (4, [0])]
    assert [record.until // HOUR for record in records] == [2, 3, 4, 4]
    assert simulation.world.clock.time == 4 * HOUR
    saved = copy.deepcopy(simulation.state())
    assert simulation.run_sync(1) == 4  # past the horizon nothing happens, however often it is asked
    np.testing.assert_equal(simulation.state(), saved)


def test_event_time_is_saved_and_does_not_show_its_order_of_arrival():
    state_test(waking)
    sharing_test(waking)


def test_a_wake_up_in_the_past_does_not_turn_the_clock_back():
    class Late(Alarm):
        def after(self, agent):
            return -HOUR if agent else 2 * HOUR

    records = ticks_of(waking(Late()), 3)
    assert [(record.time // HOUR, record.until // HOUR, actors(record)) for record in records] == [
        (1, 1, [0, 1]), (1, 1, [1]), (1, 1, [1]),
    ]  # fmt: skip


def test_wake_ups_reach_the_schedule_in_order_whoever_asked_first():
    class Asking(Counter):
        def apply(self, turn, seen, actions):
            return Outcome(wakes=[(turn.agents[::-1], 9), (turn.agents[:1], 5), (turn.agents, 9)])

    heard = []
    schedule = Rounds(PHASES, 1)
    schedule.wake = lambda agents, time: heard.append((agents.tolist(), time))
    ticks_of(running(schedule, Asking()))
    assert heard == [([0], 5), ([0, 1, 2, 3], 9)]
