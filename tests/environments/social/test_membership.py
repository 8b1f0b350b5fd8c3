"""How a community gets its members: proposals are counted, repeats are refused, and who never answers stops it."""

import numpy as np
import pytest

from sociarium.environments.social.membership import Membership, proposals_of
from sociarium.kernel.actions import Actions
from sociarium.kernel.errors import UsageError
from sociarium.kernel.mind import Mind
from sociarium.kernel.population import Population
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Phase
from sociarium.testing import probe_test, seed_test, sharing_test, state_test, ticks_of


class Proposer(Mind):
    def __init__(self, person):
        self.person = person

    async def decide(self, turn, seen):
        actions = Actions()
        if not turn.offers:
            return actions
        part = seen["membership"]
        for row, agent in enumerate(turn.agents.tolist()):
            calls = range(int(part["calls"][row]), int(part["calls"][row] + part["asked"][row]))
            names = np.array([f"N{self.person(call)}" if self.person(call) is not None else "" for call in calls], object)
            phrases = np.array(["somebody"] * len(names), object)
            actions.add(turn, "membership.propose", np.full(len(names), agent), name=names, phrase=phrases)
        return actions


def build(person=lambda call: call // 2, *, wanted=40, groups=1, seed=1, **rules):
    population = Population()
    population.declare("designer")
    population.admit("designer", groups, group=np.arange(groups))
    population.declare("member")
    names = np.array(["Seed A", "Seed B"] * groups, object)
    of = np.repeat(np.arange(groups), 2)
    population.admit(
        "member", 2 * groups, group=of, name=names, phrase=np.array(["first"] * 2 * groups, object), seed=np.ones(2 * groups, bool)
    )
    phases = [Phase("expand", "membership", who=("designer",))]
    return Simulation(population, [Membership(wanted, **rules)], [Proposer(person)], Rounds(phases, 2), seed=seed)


def test_there_are_exactly_as_many_as_wanted_each_once_beside_the_seeds():
    simulation = build(groups=2)
    records = ticks_of(simulation)
    table = simulation.world.population["member"]
    for group in (0, 1):
        mine = table["group"] == group
        assert len(set(table["name"][mine].tolist())) == mine.sum() == 42
        assert table["seed"][mine].sum() == 2
    assert records[0].measures["membership.calls"].tolist() == [79, 79]
    assert records[0].measures["membership.repeats"].tolist() == [39, 39]
    assert records[1].applied == {} and {r.reason for r in records[0].refusals} == {
        "known already, without use, or more than was asked for"
    }


def test_contracts_hold():
    for check in (state_test, sharing_test, probe_test):
        check(lambda: build(groups=2, wanted=5))
    seed_test(lambda seed: build(seed=seed), draws=False)


@pytest.mark.parametrize("person", [lambda call: 1, lambda call: None])
def test_who_only_repeats_or_says_nothing_stops_with_an_error(person):
    with pytest.raises(UsageError, match="brought nothing new"):
        build(person, patience=20).run_sync()


def test_seeds_that_cannot_stand_in_a_prompt_are_refused():
    with pytest.raises(UsageError, match="needs a name"):
        proposals_of([{"name": "A\x00", "phrase": "x"}])
