"""People on their way through a city."""

from __future__ import annotations

import numpy as np
import pytest

from sociarium.environments.mobility.city import City, durations
from sociarium.environments.mobility.mobility import Mobility, MobilityRules
from sociarium.kernel.actions import Actions
from sociarium.kernel.errors import UsageError
from sociarium.kernel.population import Population
from sociarium.kernel.randomness import Randomness
from sociarium.kernel.schedule import Calendar
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Phase
from sociarium.kernel.units import HOUR, MINUTE
from sociarium.minds.rule import RuleMind
from sociarium.testing.environments import admission_test, environment_test
from sociarium.testing.fuzz import FuzzMind

LINE = City(np.array([[0.0, 0.0], [5.0, 0.0], [10.0, 0.0], [0.0, 3.0]]), np.array([0, 1, 1, 1]), ("home", "shop"))


def city(mind=None, *, size=4, groups=2, hours=3, places=LINE, step=10 * MINUTE):
    people = Population.of("citizen", size * groups, group=np.repeat(np.arange(groups), size), home=0, work=1)
    schedule = Calendar([Phase("live", "mobility")], step=step, duration=hours * HOUR)
    return Simulation(people, [Mobility(places, MobilityRules(speed=30.0, detour=1.0))], [mind or FuzzMind(5)], schedule, seed=2)


def test_the_shipped_checks_hold():
    environment_test(city)
    admission_test(city, values={"home": 0, "work": 1})


def test_a_trip_takes_its_time_and_nobody_decides_on_the_way():
    asked = []

    def rule(turn, seen):
        asked.append((turn.time // MINUTE, turn.agents.tolist(), seen["mobility"]["place"].tolist()))
        return Actions.one(turn, "go", place=1) if turn.time == 0 else Actions()

    simulation = city(RuleMind(rule), size=1, groups=1, hours=1)
    simulation.run_sync()
    assert asked == [(0, [0], [0]), (10, [0], [1]), (20, [0], [1]), (30, [0], [1]), (40, [0], [1]), (50, [0], [1])]
    assert durations(LINE.at[[0, 0]], LINE.at[[1, 2]], speed=30.0, detour=1.0).tolist() == [10, 20]


def test_trips_are_counted_by_the_tick_in_which_they_begin():
    places = [1, 1, 0, 0, 2, 2, 2, 0, 0, 0, 0, 0]  # twenty minutes to place 2

    def rule(turn, seen):
        return Actions.one(turn, "go", place=places[turn.tick])

    simulation = city(RuleMind(rule), size=3, groups=2, hours=2)
    counts = []
    simulation.on_tick.append(lambda record: counts.append([record.measures[f"mobility.{n}"].tolist() for n in ("trips", "outings")]))
    simulation.run_sync()
    assert [trips for trips, _ in counts] == [[3, 3], [0, 0], [3, 3], [0, 0], [3, 3], [0, 0], [0, 0], [3, 3], *[[0, 0]] * 4]
    assert [outings for _, outings in counts][2] == [0, 0]  # a way home is no outing


def test_a_visit_leads_to_another_place_of_the_category():
    visited = set()

    def rule(turn, seen):
        visited.update(seen["mobility"]["place"].tolist())
        return Actions.one(turn, "visit", kind="shop")

    city(RuleMind(rule), size=50, groups=1, hours=2).run_sync()
    assert visited == {0, 1, 2, 3}


def test_who_is_busy_is_told_for_how_long_and_what_everybody_was_told():
    from sociarium.kernel.simulation import Intervention

    told = []

    def rule(turn, seen):
        columns = seen["mobility"]
        told.append((columns["left"][0], columns["activity"][0], columns["warning"][0]))
        return Actions.one(turn, "stay", activity="reading", minutes=25) if turn.tick == 0 else Actions()

    simulation = city(RuleMind(rule), size=1, groups=1, hours=1)
    simulation.interventions.append(Intervention(3, "mobility.warn", {"text": "a storm is coming"}))
    simulation.run_sync()
    assert [left for left, _, _ in told] == [0, 15, 5, 0, 0, 0]
    assert [warning for _, _, warning in told][2:4] == ["", "a storm is coming"]
    words = [block.text for block in simulation.world["mobility"].describe(_last(simulation), 0)]
    assert any("a storm is coming" in text for text in words)


def _last(simulation):
    from sociarium.kernel.turn import Lanes, Moment

    phase = simulation.schedule.phases[0]
    moment = Moment(9, simulation.world.clock.time, phase, simulation.world.randomness, ())
    return simulation.world.observe(Lanes.by(moment, simulation.world.awake(), np.zeros(1, np.int64)).turn())


def test_ten_thousand_people_choose_among_a_thousand_places():
    places = City.scattered({"home": 1000, "shop": 1000}, Randomness(1).stream("city"), radius=6.0)
    people = Population.of("citizen", 10_000, home=np.arange(10_000) % 1000, work=-1)

    def rule(turn, seen):
        return Actions.one(turn, "visit", kind="shop")

    schedule = Calendar([Phase("live", "mobility")], step=HOUR, duration=HOUR)
    simulation = Simulation(people, [Mobility(places)], [RuleMind(rule)], schedule, seed=2)
    simulation.run_sync()
    away = np.hypot(*(places.at[np.arange(10_000) % 1000] - places.at[simulation.world["mobility"].place]).T)
    assert (places.kind[simulation.world["mobility"].place] == 1).all()
    assert np.median(away) < 2.0 < np.hypot(*(places.at[:1000] - places.at[1000:]).T).mean()  # near ones first


def test_a_home_that_is_no_place_is_refused():
    with pytest.raises(UsageError, match="home is place 7"):
        Simulation(
            Population.of("c", 1, home=7), [Mobility(LINE)], [FuzzMind(1)], Calendar([Phase("l", "mobility")], step=HOUR, duration=HOUR)
        )
