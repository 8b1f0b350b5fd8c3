"""The loop: interventions, groups that end alone, minds that change hands, learning, forks, saving."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from sociarium.kernel.errors import Interrupted, UsageError
from sociarium.kernel.population import Population
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Intervention, Simulation
from sociarium.kernel.turn import Phase
from sociarium.record import MemoryRecord
from sociarium.testing import fork_test, same_state, same_ticks, state_test

from .worlds import Adder, Counter, Listener, counting, ticks_of


def test_planned_and_injected_interventions():
    planned = [Intervention(1, "counter.set_count", {"value": 100})]
    listener = Listener()
    simulation = counting(environments=[Counter(), listener], interventions=planned, ticks=4)
    ticks_of(simulation, 2)
    assert simulation.world["counter"].counts.tolist() == [103, 103]
    simulation.inject("counter.set_count", value=7)
    (record,) = ticks_of(simulation, 1)
    assert record.interventions == [{"operation": "counter.set_count", "arguments": {"value": 7}}]
    assert record.measures["counter.count"].tolist() == [10, 10]
    assert [rows.kind for rows in record.events] == ["counter.set", "counter.added"]
    assert record.events[0].data["value"].tolist() == [7, 7]
    assert ("counter.set", [-1, -1], ["value"]) in listener.noticed
    assert ticks_of(simulation, 1)[0].interventions == []


def test_an_injected_intervention_is_journalled_and_given_again_on_replay():
    record = MemoryRecord()
    first = counting(record=record)
    first.run_sync(1)
    first.inject("counter.set_count", value=50)
    first.run_sync()
    again = counting(record=MemoryRecord(journal=record.journal))
    again.run_sync()
    assert again.record.digests == record.digests
    assert again.world["counter"].counts.tolist() == [56, 56]


@pytest.mark.parametrize(
    ("operation", "arguments", "says"),
    [
        ("counter.fly", {}, "no operation 'counter.fly'; counter has set_count"),
        ("moon.set", {}, "no environment 'moon'; there are everyone, counter"),
        ("population.fly", {}, "there are admit, leave and set"),
        ("population.set", {"agents": [0], "column": "group", "value": -1}, "group is negative"),
        ("population.set", {"agents": [0], "column": "mind", "value": 3}, None),
    ],
)
def test_interventions_that_cannot_be_say_so(operation, arguments, says):
    simulation = counting(minds=[Adder(), Adder()])
    simulation.inject(operation, **arguments)
    with pytest.raises(UsageError, match=says or "names minds 0 to 3; this simulation has 0 to 1"):
        simulation.run_sync()


def test_newcomers_reach_their_mind_and_leavers_have_no_turn():
    mind = Adder()
    simulation = counting(minds=[mind], ticks=4)
    ticks_of(simulation, 1)
    simulation.inject("population.admit", kind="agent", size=2, group=1)
    simulation.inject("population.leave", agents=[0, 1])
    record = ticks_of(simulation, 1)[0]
    assert mind.given == [0, 1, 2, 3, 4, 5, 6, 7]
    assert record.events[0].actors.tolist() == [2, 3, 4, 5, 6, 7]
    assert record.measures["counter.count"].tolist() == [4, 8]


def test_a_group_that_admission_brings_is_begun():
    simulation = counting(ticks=4)
    ticks_of(simulation, 1)
    simulation.inject("population.admit", kind="agent", size=2, group=[2, 3])
    assert ticks_of(simulation, 1)[0].measures["counter.count"].tolist() == [6, 6, 1, 1]
    simulation.inject("population.set", agents=[0], column="group", value=4)
    assert ticks_of(simulation, 1)[0].measures["counter.count"].tolist() == [8, 9, 2, 2, 1]


def test_a_population_that_all_comes_later():
    population = Population()
    population.declare("agent")
    come = [Intervention(0, "population.admit", {"kind": "agent", "size": 3})]
    simulation = Simulation(population, [Counter()], [Adder()], Rounds([Phase("add", "counter")], 2), interventions=come)
    assert [record.applied for record in ticks_of(simulation)] == [{"counter.add": 3}] * 2


def test_promotion_and_demotion():
    rule, language = Adder(1), Adder(5, paced=True, hears=True)
    simulation = counting(minds=[rule, language], groups=1, ticks=4)
    ticks_of(simulation, 1)
    assert (rule.given, language.given) == ([0, 1, 2, 3, 4, 5], [])
    simulation.inject("population.set", agents=[1, 4], column="mind", value=1)
    assert ticks_of(simulation, 1)[0].measures["counter.count"].tolist() == [6 + 4 + 10]
    assert language.given == [1, 4]
    assert {reader for reader, _, _ in language.heard} == {1, 4}
    simulation.inject("population.set", agents=[4], column="mind", value=0)
    assert ticks_of(simulation, 1)[0].measures["counter.count"].tolist() == [20 + 5 + 5]
    assert rule.given[-1] == 4
    ticks_of(simulation, 1)
    assert language.given == [1, 4]


def test_an_environment_that_admits_in_passing_tells_the_minds():
    class Births(Counter):
        def advance(self, to):
            if self.world.clock.tick == 0:
                self.world.admit("agent", 1, mind=1, group=0)

    first, second = Adder(), Adder()
    records = ticks_of(counting(environments=[Births()], minds=[first, second], ticks=2))
    assert second.given == [6]
    assert [len(record.events[0]) for record in records] == [6, 7]


def test_a_loaded_simulation_does_not_hand_agents_over_again():
    simulation = counting(minds=[Adder(), Adder()])
    simulation.inject("population.set", agents=[3], column="mind", value=1)
    ticks_of(simulation, 1)
    other = counting(minds=[Adder(), Adder()])
    given = list(other.minds.all[1].given)
    other.load(simulation.state())
    ticks_of(other, 1)
    assert other.minds.all[1].given == given


def test_groups_end_alone():
    simulation = counting(agents=9, groups=3, environments=[Counter(end_at=6)], ticks=10)
    simulation.world["counter"].counts[:] = [0, 3, -3]
    records = ticks_of(simulation)
    assert [record.ended.tolist() for record in records] == [[1], [0], [2]]  # the run ends with its last group
    assert [rows.actors.tolist() for record in records for rows in record.events] == [[*range(9)], [0, 1, 2, 6, 7, 8], [6, 7, 8]]
    simulation.world.reset(np.array([1]))
    assert ticks_of(simulation, 1)[0].events[0].actors.tolist() == [3, 4, 5]


@pytest.mark.parametrize("paced", [True, False])
def test_learning_has_one_sum_an_agent_in_agent_order(paced):
    mind = Adder(3, paced=paced)
    ticks_of(counting(minds=[mind], phases=[Phase("one", "counter"), Phase("two", "counter")], ticks=1))
    assert mind.learned == [(0, [0, 1, 2, 3, 4, 5], [6.0] * 6)]


def test_mixed_minds_learn_their_own():
    minds = [Adder(1), Adder(2)]
    simulation = counting(minds=minds)
    simulation.world.population["agent"]["mind"] = [0, 1] * 3
    record = ticks_of(simulation, 1)[0]
    assert minds[0].learned == [(0, [0, 2, 4], [1.0] * 3)]
    assert minds[1].learned == [(0, [1, 3, 5], [2.0] * 3)]
    assert record.events[0].actors.tolist() == [0, 1, 2, 3, 4, 5]
    assert record.events[0].data["amount"].tolist() == [1, 2, 1, 2, 1, 2]


def test_outcomes_are_kept_for_minds_that_ask():
    simulation = counting(minds=[Adder(), Adder(keeps=True)])
    simulation.world.population["agent"]["mind"] = [0, 1, 0, 0, 1, 0]
    (rows,) = ticks_of(simulation, 1)[0].outcomes
    assert rows.counts == {"ok": 6}
    assert (rows.agents.tolist(), rows.lanes.tolist(), rows.reasons) == ([1, 4], [0, 1], ["", ""])


def test_fork_and_state():
    fork_test(counting)
    state_test(counting)


def test_a_fork_goes_its_own_way_and_takes_no_watchers_along():
    simulation = counting()
    seen = []
    simulation.on_tick.append(seen.append)
    fork = simulation.fork()
    fork.inject("counter.set_count", value=99)
    ticks_of(fork)
    assert seen == []
    assert simulation.world["counter"].counts.tolist() == [0, 0]
    assert fork.world["counter"].world is fork.world


def test_a_stop_is_between_ticks():
    simulation = counting()
    simulation.on_tick.append(lambda record: setattr(simulation, "stopping", True))
    with pytest.raises(Interrupted, match="stopped before tick 1"):
        simulation.run_sync()
    simulation.stopping = False
    simulation.on_tick.clear()
    assert simulation.run_sync() == 3


def test_a_negative_group_and_two_environments_of_one_name_are_refused():
    with pytest.raises(UsageError, match="groups are numbered from 0"):
        Simulation(Population.of("agent", 2, group=[-1, 0]), [Counter()], [Adder()], Rounds([], 1))
    with pytest.raises(UsageError, match="two environments are called 'counter'"):
        counting(environments=[Counter(), Counter()])
    with pytest.raises(UsageError, match="at least one mind"):
        Simulation(Population.of("agent", 2), [Counter()], [], Rounds([], 1))


def test_two_kinds_in_one_world():
    population = Population.of("worker", 2, group=[0, 1])
    population.declare("planner")
    population.admit("planner", 2, group=[0, 1])
    phases = [Phase("work", "counter", who=("worker",)), Phase("plan", "counter", every=2, first=1, who=("planner",))]
    simulation = Simulation(population, [Counter()], [Adder()], Rounds(phases, 4), seed=0)
    records = ticks_of(simulation)
    assert [[(rows.phase, rows.actors.tolist()) for rows in record.events] for record in records] == [
        [("work", [0, 1])],
        [("work", [0, 1]), ("plan", [2, 3])],
    ] * 2
    other = Simulation(copy.deepcopy(population), [Counter()], [Adder()], Rounds(phases, 4), seed=0)
    other.load(simulation.state())
    same_state("loaded", simulation.state(), other.state())
    assert same_ticks("ended", ticks_of(other), []) is None
