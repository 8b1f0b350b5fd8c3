"""Agents come and go; ids are for ever; no column is ever short."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sociarium.kernel.errors import UsageError
from sociarium.kernel.population import Column, Population


class Coming(RuleBasedStateMachine):
    """A population beside a plain dict of agents."""

    def __init__(self):
        super().__init__()
        self.population = Population()
        self.population.declare("worker", [Column("wealth", np.int64, 7)])
        self.population.declare("planner", [Column("wealth", np.float64, 0.5), Column("name", str)])
        self.agents = {}

    @rule(kind=st.sampled_from(["worker", "planner"]), size=st.integers(0, 9), group=st.integers(0, 3))
    def admit(self, kind, size, group):
        ids = self.population.admit(kind, size, group=group)
        for agent in ids.tolist():
            assert agent not in self.agents
            self.agents[agent] = {"kind": kind, "group": group, "present": True, "wealth": 7 if kind == "worker" else 0.5}

    @rule(data=st.data())
    def leave(self, data):
        if self.agents:
            gone = data.draw(st.lists(st.sampled_from(sorted(self.agents)), unique=True))
            self.population.leave(np.array(gone, np.int64))
            for agent in gone:
                self.agents[agent]["present"] = False

    @rule(data=st.data(), wealth=st.integers(0, 100))
    def earn(self, data, wealth):
        if self.agents:
            some = data.draw(st.lists(st.sampled_from(sorted(self.agents)), unique=True, min_size=1))
            self.population.set(np.array(some, np.int64), "wealth", np.arange(len(some)) + wealth)
            for place, agent in enumerate(some):
                self.agents[agent]["wealth"] = wealth + place

    @rule(size=st.integers(1, 5))
    def refused(self, size):
        before = self.population.state()
        with pytest.raises(UsageError, match="values for"):
            self.population.admit("worker", size, wealth=np.zeros(size + 1))
        with pytest.raises(UsageError, match="values for"):
            self.population.admit("planner", size, new_column=np.zeros(size + 1))
        np.testing.assert_equal(self.population.state(), before)

    @rule()
    def save_and_load(self):
        saved = self.population.state()
        fresh = Population()
        fresh.declare("worker", [Column("wealth", np.int64, 7)])
        fresh.declare("planner", [Column("wealth", np.float64, 0.5), Column("name", str)])
        fresh.load(saved)
        np.testing.assert_equal(fresh.state(), saved)
        self.population = fresh

    @invariant()
    def as_in_the_dict(self):
        population, ids = self.population, np.array(sorted(self.agents), np.int64)
        assert population.ids(present=False).tolist() == ids.tolist()
        assert population.ids().tolist() == [a for a in self.agents if self.agents[a]["present"]]
        for name in ("group", "present", "wealth"):
            assert population.get(ids[::-1], name).tolist() == [self.agents[a][name] for a in ids[::-1].tolist()]
        for table in population:
            assert {len(table[name]) for name in table.columns} == {len(table.ids)}
        assert [population.kind_of(a) for a in ids.tolist()] == [self.agents[a]["kind"] for a in ids.tolist()]


TestComing = Coming.TestCase
TestComing.settings = settings(max_examples=40, stateful_step_count=25)


def test_values_of_two_kinds_are_not_cut_to_the_type_of_the_first():
    population = Population.of("worker", 2, wealth=np.array([1, 2]))
    population.declare("planner", [Column("wealth", np.float64)])
    population.admit("planner", 1, wealth=[0.5])
    assert population.get(np.array([0, 2]), "wealth").tolist() == [1.0, 0.5]


def test_no_agents_have_no_groups_to_index_with():
    population = Population.of("worker", 2)
    population.declare("planner")
    assert population.get(np.empty(0, np.int64), "group").dtype.kind == "i"


def test_errors_name_what_there_is():
    population = Population.of("worker", 2)
    with pytest.raises(UsageError, match="no agents of kind 'boss'; there are worker"):
        population["boss"]
    with pytest.raises(UsageError, match="the worker table has no column 'age'; it has present, group, mind"):
        population["worker"]["age"]
    with pytest.raises(UsageError, match="already a table"):
        population.declare("worker")
