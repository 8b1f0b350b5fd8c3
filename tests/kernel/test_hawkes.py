"""The clock of POSIM (lines A1 and A2 of its specification), and Hawkes processes in continuous time against theory."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sociarium.kernel.actions import Actions
from sociarium.kernel.environment import Environment, Events, Outcome
from sociarium.kernel.errors import UsageError
from sociarium.kernel.hawkes import ContinuousHawkes, Counts, Excitation, Hawkes, Impulses, Sources, Uniform, poisson
from sociarium.kernel.mind import Mind
from sociarium.kernel.population import Population
from sociarium.kernel.randomness import Randomness
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Phase
from sociarium.kernel.units import HOUR, MINUTE

FLAT = (1.0,) * 24


def clock(**settings):
    return Hawkes([Phase("act")], settings.pop("excitation", None), step=10 * MINUTE, duration=240 * HOUR, start=8 * HOUR, **settings)


def test_one_outside_event_gives_the_published_intensity():
    """A1: at ten minutes 0.080728 and 26.909 awake; at its own instant the event is not felt."""
    hawkes = clock(sources=Sources(outside=[(8 * HOUR, 1.0)]))
    before = Excitation().intensity(0.0, 0.0, 8)
    assert hawkes.intensity(8 * HOUR) == pytest.approx(before)
    assert hawkes.intensity(8 * HOUR + 10 * MINUTE) == pytest.approx(0.080728, abs=1e-6)
    assert hawkes.expected(8 * HOUR + 10 * MINUTE) == pytest.approx(26.909, abs=1e-3)


@pytest.mark.parametrize(("weight", "wanted"), [(0.1, 3.461), (1.0, 5.679)])
def test_self_excitation_settles_where_it_feeds_itself(weight, wanted):
    """A2: the mean over 50,000 steps is the root of A = 333.33 (1 - exp(-(0.01 + 0.00126485 w A))), within 2 %."""
    root = wanted
    for _ in range(200):
        root = 2000 / 6 * -math.expm1(-(0.01 + 0.00126485 * weight * root))
    assert root == pytest.approx(wanted, abs=1e-3)
    excitation, own = Excitation(curve=FLAT), Impulses()
    drawn = Randomness(7).stream("steps").uniform(np.arange(50_000))
    total, now = 0, 0.0
    for uniform in drawn.tolist():
        felt = excitation.own_kick * own.felt(now, excitation.own_decay)
        count = poisson(excitation.awakenings / 6 * excitation.intensity(felt, 0.0, 0), uniform)
        total += count
        own.forget(now - 200.0)  # older kicks are below exp(-32)
        if count:
            own.add(now, weight * count)
        now += 10.0
    assert total / 50_000 == pytest.approx(root, rel=0.02)


class Board(Environment):
    """Everybody who is awake posts."""

    name = "board"

    def apply(self, turn, seen, actions):
        return Outcome([Events("posted", turn.agents, {"influence": np.full(len(turn.agents), 0.5)})])


class Quiet(Mind):
    async def decide(self, turn, seen):
        return Actions()


def society(seed=1, steps=60, **settings):
    people = Population.of("user", 200)
    schedule = Hawkes(
        [Phase("act", lead="board")], settings.pop("excitation", None), step=10 * MINUTE, duration=steps * 10 * MINUTE, **settings
    )
    return Simulation(people, [Board()], [Quiet()], schedule, seed=seed)


def awake_in(simulation, ticks=None):
    found = []
    simulation.on_tick.append(lambda record: found.append(sum(len(rows.actors) for rows in record.events)))
    simulation.run_sync(ticks)
    return found


def test_actions_excite_and_by_the_followers_of_who_acts():
    calm = sum(awake_in(society()))
    excited = sum(awake_in(society(sources=Sources({"board.posted": 1.0}))))
    famous = sum(awake_in(society(sources=Sources({"board.posted": 1.0}, lambda agents: np.full(len(agents), 1e6)))))
    assert calm < excited < famous


def test_an_event_may_be_an_outside_one():
    assert sum(awake_in(society(sources=Sources(shocks=frozenset({"board.posted"}))))) > 2 * sum(awake_in(society()))


def test_the_more_active_wake_more_often_and_the_inactive_never():
    activity = np.array([0.0] * 50 + [1.0] * 75 + [3.0] * 75)
    simulation, counts = society(steps=600, activity=activity), np.zeros(200)
    simulation.on_tick.append(lambda record: [np.add.at(counts, rows.actors, 1) for rows in record.events])
    simulation.run_sync()
    assert counts[:50].sum() == 0
    slow, fast = counts[50:125].sum(), counts[125:].sum()
    share = fast / (slow + fast)  # few of 200 wake at once, so without replacement is close to with
    assert abs(share - 0.75) < 4 * math.sqrt(0.75 * 0.25 / (slow + fast)) + 0.01


def test_no_more_wake_than_there_are():
    assert max(awake_in(society(steps=5, excitation=Excitation(background=50.0, awakenings=1e9)))) == 200


def test_saved_in_the_middle_and_loaded_it_goes_on_as_it_would_have():
    settings = {"sources": Sources({"board.posted": 1.0}, outside=[(100 * MINUTE, 0.9)])}
    whole = awake_in(society(**settings))
    first, second = society(**settings), society(**settings)
    begun = awake_in(first, 25)
    second.load(first.state())
    assert begun + awake_in(second) == whole


def test_poisson_draws_have_mean_and_variance():
    for mean in (0.3, 4.0, 29.0, 31.0, 5000.0):
        draws = np.array([poisson(mean, u) for u in Randomness(3).stream("p", mean).uniform(np.arange(4000)).tolist()])
        assert abs(draws.mean() - mean) < 4 * math.sqrt(mean / 4000)
        assert abs(draws.var() / mean - 1) < 4 * math.sqrt((2 + 1 / mean) / 4000)
    assert poisson(0.0, 0.99) == 0


def test_thinned_events_have_the_rate_of_their_branching():
    """Mean rate mu / (1 - kick); the count's variance grows by 1 / (1 - kick)^2 (a stationary process, long beside its memory)."""
    process = ContinuousHawkes(background=0.5, kick=0.5, decay=1.0)
    counts = np.array([len(process.times(600.0, Randomness(seed).stream("t"))) for seed in range(150)])
    rate = 0.5 / 0.5
    assert counts.mean() == pytest.approx(rate * 600, abs=4 * math.sqrt(rate * 600 / 0.25 / 150) + 2)
    assert 0.6 < counts.var() / (rate * 600 / 0.25) < 1.5


def test_thinning_follows_the_curve_of_the_day():
    curve = tuple(2.0 if 6 <= hour < 12 else 0.0 for hour in range(24))
    times = ContinuousHawkes(0.2, 0.0, 1.0, curve).times(1440.0 * 20, Randomness(1).stream("t"))
    hours = (times % 1440) // 60
    assert set(hours.tolist()) <= set(range(6, 12))
    assert len(times) == pytest.approx(0.4 * 360 * 20, abs=4 * math.sqrt(0.4 * 360 * 20))


def test_given_events_excite_and_are_no_events_of_the_process():
    process = ContinuousHawkes(0.0, 0.9, 0.5)
    assert len(process.times(100.0, Randomness(1).stream("t"))) == 0
    caused = [len(process.times(1000.0, Randomness(seed).stream("t"), outside=[10.0])) for seed in range(400)]
    assert np.mean(caused) == pytest.approx(9.0, abs=4 * np.std(caused) / 20)  # 0.9 + 0.81 + ... = 9


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda: Excitation(background=-1), "background is -1"),
        (lambda: Excitation(curve=(1.0,)), "24 activities"),
        (lambda: clock(activity=[-1.0]), "0 or more"),
        (lambda: clock(sources=Sources(outside=[(0, 2.0)])), "between 0 and 1"),
        (lambda: ContinuousHawkes(0.1, 1.0, 1.0), "explode"),
    ],
)
def test_impossible_clocks_are_refused(act, words):
    with pytest.raises(UsageError, match=words):
        act()


def test_planned_events_are_no_state_so_a_branch_may_plan_others():
    first, second = (society(sources=Sources(outside=[(minute * MINUTE, 0.9)])) for minute in (100, 400))
    first.run_sync(25)
    second.load(first.state())
    now = 450 * MINUTE
    assert second.schedule.intensity(now) > first.schedule.intensity(now)
    assert first.schedule.intensity((100 + 1441) * MINUTE) == Excitation().intensity(0.0, 0.0, first.schedule.hour((100 + 1441) * MINUTE))


def uniform(seed=1, steps=200, counts=None, **settings):
    people = Population.of("user", 400)
    schedule = Uniform(
        [Phase("act", lead="board")], Excitation(curve=settings.pop("curve", FLAT), strength=1.0), step=10 * MINUTE,
        duration=steps * 10 * MINUTE, counts=counts, **settings,
    )  # fmt: skip
    return Simulation(people, [Board()], [Quiet()], schedule, seed=seed)


def test_the_clock_without_excitation_wakes_one_to_ten_and_more_in_the_step_after_an_event():
    counts = np.array(awake_in(uniform(sources=Sources({"board.posted": 1.0}, outside=[(1000 * MINUTE, 1.0)]))))
    usual = np.delete(counts, 101)
    assert usual.min() >= 1 and usual.max() <= 10 and 10 <= counts[101] <= 100
    assert abs(usual.mean() - 5.5) < 4 * math.sqrt(8.25 / len(usual))
    heard = np.array(awake_in(uniform(steps=30, sources=Sources(shocks=frozenset({"board.posted"})))))
    assert heard[0] <= 10 and heard[1:].min() >= 10
    assert uniform(sources=Sources(outside=[(5 * MINUTE, 1.0)])).schedule.expected(10 * MINUTE) == 55


def test_the_clock_without_excitation_follows_the_day_and_goes_on_from_its_state():
    curve = (0.0,) * 12 + (2.0,) * 12
    counts = np.array(awake_in(uniform(steps=144, curve=curve)))
    assert counts[:72].sum() == 0 and counts[72:].max() <= 20
    shocks = {"sources": Sources(shocks=frozenset({"board.posted"}))}
    whole, first, second = awake_in(uniform(steps=40, **shocks)), uniform(steps=40, **shocks), uniform(steps=40, **shocks)
    begun = awake_in(first, 15)
    second.load(first.state())
    assert begun + awake_in(second) == whole
    with pytest.raises(UsageError, match="fewest"):
        Counts(5, 2)
