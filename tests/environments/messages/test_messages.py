"""Messages between acquaintances, and what an interceptor does to them."""

from __future__ import annotations

import numpy as np
import pytest

from sociarium.environments.messages.forwarding import forwarded
from sociarium.environments.messages.interceptor import Interceptor, InterceptorRules
from sociarium.environments.messages.messages import Messages
from sociarium.kernel.actions import Actions
from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network
from sociarium.kernel.population import Population
from sociarium.kernel.randomness import Randomness
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Intervention, Simulation
from sociarium.kernel.turn import Phase
from sociarium.minds.rule import RuleMind
from sociarium.populations.networks.acquaintances import RELATIONS, STRENGTHS, acquaintances
from sociarium.testing.environments import environment_test
from sociarium.testing.fuzz import FuzzMind

NEWS = "the bridge is closed"


def apart(groups: int, size: int, degree: int) -> Network:
    """The same kind of random graph in each group."""
    parts = [acquaintances(size, Randomness(group).stream("who"), least=degree, most=degree) for group in range(groups)]
    sources = np.concatenate([part.sources() + group * size for group, part in enumerate(parts)])
    targets = np.concatenate([part.targets + group * size for group, part in enumerate(parts)])
    return Network.from_edges(groups * size, sources, targets)


def spread(rules: InterceptorRules | None, *, chance=0.2, groups=20, size=60, degree=5, rounds=40, judge=lambda text: NEWS in text):
    messages = Messages(apart(groups, size, degree), followed=[NEWS])
    people = Population.of("citizen", groups * size, group=np.repeat(np.arange(groups), size))
    mind = RuleMind(lambda turn, seen: forwarded(messages, turn, seen, [chance]))
    gates = [] if rules is None else [Interceptor(messages, judge, rules)]
    simulation = Simulation(people, [messages], [mind], Rounds([Phase("write", "messages")], rounds), seed=5, gates=gates)
    first = np.arange(groups) * size
    simulation.interventions.append(Intervention(0, "messages.tell", {"agents": first.tolist(), "text": NEWS}))
    return simulation


def test_the_shipped_checks_hold():
    def build():
        people = Population.of("citizen", 12, group=np.repeat(np.arange(2), 6))
        phases = [Phase("write", "messages")]
        return Simulation(people, [Messages(apart(2, 6, 3), followed=["message"])], [FuzzMind(4)], Rounds(phases, 5), seed=1)

    environment_test(build)


def test_what_is_sent_is_read_in_the_next_tick_by_its_addressee_only():
    seen_by = []

    def rule(turn, seen):
        columns = seen["messages"]
        seen_by.append((columns["messages"].tolist(), columns["senders"][:, -2:].tolist(), columns["texts"][:, -1].tolist()))
        if turn.tick:
            return Actions()
        both = np.array([0, 0, 2])
        return Actions().add(turn, "send", both, to=[1, 1, 1], text=np.array(["one", "two", "three"], object))

    network = Network.from_edges(4, [0, 2, 1], [1, 1, 0])
    simulation = Simulation(Population.of("c", 4), [Messages(network)], [RuleMind(rule)], Rounds([Phase("write", "messages")], 3))
    simulation.run_sync()
    assert seen_by[0][0] == [0, 0, 0, 0]
    assert seen_by[1][0] == [0, 3, 0, 0]
    assert seen_by[1][1][1] == [0, 2] and seen_by[1][2][1] == "three"
    assert seen_by[2][0] == [0, 0, 0, 0]


def test_strangers_cannot_be_written_to():
    network = Network.from_edges(3, [0], [1])
    mind = RuleMind(lambda turn, seen: Actions.one(turn, "send", to=2, text="hello"))
    simulation = Simulation(Population.of("c", 3), [Messages(network)], [mind], Rounds([Phase("write", "messages")], 2))
    simulation.run_sync()
    assert simulation.world["messages"].sent.sum() == 0


def test_who_reads_sees_the_words_as_another_persons():
    network = Network.from_edges(2, [0, 1], [1, 0])
    people = Population.of("c", 2, name=np.array(["Ada", "Ben"], object))
    mind = RuleMind(lambda turn, seen: Actions.one(turn, "send", to=1 - turn.agents, text="hello"))
    simulation = Simulation(people, [Messages(network)], [mind], Rounds([Phase("write", "messages")], 1))
    simulation.run_sync()
    from sociarium.kernel.content import Trust
    from sociarium.kernel.turn import Lanes, Moment

    moment = Moment(1, 0, Phase("write", "messages"), simulation.world.randomness, ())
    shown = simulation.world["messages"].describe(simulation.world.observe(Lanes.by(moment, np.arange(2), np.zeros(2, int)).turn()), 0)
    assert (shown[0].text, shown[0].trust) == ("Ben (number 1) has written: hello", Trust.AGENT)
    assert "1 Ben" in shown[1].text


def test_without_an_interceptor_the_reach_is_that_of_a_search_with_the_same_draws():
    simulation = spread(None, groups=3, rounds=25)
    simulation.run_sync()
    messages = simulation.world["messages"]
    had, network, randomness = np.zeros(180, bool), messages.network, Randomness(5)
    had[[0, 60, 120]] = True
    for tick in range(25):
        drawn = randomness.stream("forward", tick, "write", 0).uniform(np.arange(len(network)), 0) < 0.2
        had[network.targets[drawn & had[network.sources()]]] = True
    assert messages.reached[:, 0].tolist() == had.tolist()


def test_banned_ones_reach_a_subset_and_an_edge_ban_without_blocking_changes_nothing():
    def reached(rules):
        simulation = spread(rules)
        simulation.run_sync()
        return simulation.world["messages"].reached[:, 0]

    free = reached(None)
    for rules in ({"edge_ban": 2}, {"node_ban": 2}, {"edge_ban": 1, "node_ban": 3}):
        for block in (True, False):
            assert not (reached(InterceptorRules(miss=0.3, block=block, **rules)) & ~free).any()
    edge, node = (reached(InterceptorRules(miss=0.3, block=False, **rules)) for rules in ({"edge_ban": 2}, {"node_ban": 2}))
    assert edge.tolist() == free.tolist()  # whoever is at its end has had the message already
    assert node.sum() < edge.sum()
    assert not (node & ~edge).any()


@pytest.mark.parametrize("alarm", [0.0, 0.1, 1.0])
def test_ordinary_messages_are_lost_by_the_rate_of_false_alarms(alarm):
    simulation = spread(InterceptorRules(false_alarm=alarm), chance=1.0, groups=10, judge=lambda text: False)
    simulation.interventions[0] = Intervention(0, "messages.tell", {"agents": list(range(600)), "text": NEWS})
    simulation.run_sync(5)
    sent = simulation.world["messages"].sent.sum()
    assert 1 - sent / (5 * 3000) == pytest.approx(alarm, abs=4 * np.sqrt(alarm * (1 - alarm) / 15_000))


def test_counts_of_the_interceptor_are_saved_with_the_messages():
    rules = InterceptorRules(miss=0.3, node_ban=2, edge_ban=2, block=False)
    whole, half, again = spread(rules), spread(rules), spread(rules)
    whole.run_sync()
    half.run_sync(7)
    again.load(half.state())
    again.run_sync()
    assert again.world["messages"].reached.tolist() == whole.world["messages"].reached.tolist()
    assert again.world["messages"].edge_violations.tolist() == whole.world["messages"].edge_violations.tolist()


def test_acquaintances_are_two_to_five_others_with_a_strength_by_their_relation():
    network = acquaintances(5_000, Randomness(1).stream("who"))
    degrees = network.degrees()
    assert (degrees.min(), degrees.max()) == (2, 5)
    assert np.bincount(degrees)[2:] == pytest.approx(1250, abs=150)
    for number, (low, high) in enumerate(STRENGTHS):
        mine = network["strength"][network["relation"] == number]
        assert (mine.min(), mine.max()) == (low, high), RELATIONS[number]
    assert np.bincount(network.targets, minlength=5_000).std() < 2.2  # as of targets drawn evenly: about sqrt(3.5)
    assert acquaintances(3, Randomness(1).stream("who"), least=2, most=2).targets.tolist() == [1, 2, 0, 2, 0, 1]
    with pytest.raises(UsageError, match="3 agents"):
        acquaintances(3, Randomness(1).stream("who"))


@pytest.mark.parametrize("wrong", [{"miss": 1.1}, {"false_alarm": -0.1}, {"node_ban": 0}, {"edge_ban": 0}])
def test_impossible_rules_are_refused(wrong):
    with pytest.raises(UsageError, match="InterceptorRules"):
        InterceptorRules(**wrong)
