"""Delivery: one hop a step, against the direction of follows, to followers only; and those are awake to whom something came."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sociarium.environments.social.platform import Platform
from sociarium.environments.social.recommenders.delivered import Arrivals, Delivered
from sociarium.environments.social.recommenders.recommender import NoFeed
from sociarium.kernel.actions import Actions
from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network
from sociarium.kernel.population import Population
from sociarium.kernel.simulation import Intervention, Simulation
from sociarium.kernel.turn import Observations, Phase, Turn
from sociarium.kernel.units import DAY
from sociarium.minds.rule import RuleMind
from sociarium.testing import purity_test, state_test

Shown = list[tuple[int, list[int], Any]]
STAR = Network.from_edges(5, [1, 2, 3, 3], [0, 0, 0, 1])  # 4 follows nobody


def platform_of(simulation: Simulation) -> Platform:
    found = simulation.world["platform"]
    assert isinstance(found, Platform)
    return found


def built(graph: Network, shown: Shown, ticks: int = 5, *, most: int | None = None, **schedule: Any) -> Simulation:
    """Everybody shares the first of the feed; ``shown`` gets (tick, agents, feed)."""

    def rule(turn: Turn, seen: Observations) -> Actions:
        feed = seen["platform"]["feed"]
        shown.append((turn.tick, turn.agents.tolist(), feed.tolist()))
        there = (feed >= 0).any(axis=1) if feed.size else np.zeros(len(turn.agents), np.bool_)
        return Actions.one(turn, "repost", turn.agents[there], post=feed[there, 0]) if there.any() else Actions()

    people = Population.of("user", graph.nodes)
    arrivals = Arrivals([Phase("read", "platform", offers=("repost",))], ticks, **schedule)
    simulation = Simulation(people, [Platform(graph, recommender=Delivered(most=most))], [RuleMind(rule)], arrivals, seed=1)
    simulation.interventions.append(Intervention(0, "platform.publish", {"users": [0], "texts": "news"}))
    return simulation


def test_what_is_sent_in_a_step_reaches_followers_in_the_next_and_nobody_else():
    shown: Shown = []
    simulation = built(STAR, shown)
    simulation.run_sync()
    assert shown[0] == (1, [1, 2, 3], [[0], [0], [0]])
    assert shown[1] == (2, [3], [[1]])  # 3 follows 1 too, and has that one's share next
    assert len(shown) == 2
    assert platform_of(simulation).posts.author.tolist() == [0, 1, 2, 3]


def test_messages_of_several_stand_in_order_of_arrival_and_the_newest_stay_where_room_is_short():
    graph = Network.from_edges(4, [3, 3, 3], [0, 1, 2])
    for most, expected in ((None, [0, 1, 2]), (2, [1, 2]), (4, [0, 1, 2, -1])):
        shown: Shown = []
        simulation = built(graph, shown, 3, most=most)
        simulation.interventions[:] = [Intervention(0, "platform.publish", {"users": [0, 1, 2], "texts": "news"})]
        simulation.run_sync()
        assert shown[0] == (1, [3], [expected])


def test_what_was_taken_down_is_not_delivered():
    shown: Shown = []
    simulation = built(STAR, shown)
    simulation.interventions.append(Intervention(1, "platform.delete", {"posts": [0]}))
    simulation.run_sync()
    assert [feed for _, _, feed in shown] == [[[], [], []]]  # they were awake, and found nothing


def test_a_quiet_run_ends_when_nothing_travels_and_some_may_always_be_awake():
    shown: Shown = []
    assert built(STAR, shown, 50, quiet=True).run_sync() == 3
    shown.clear()
    built(STAR, shown, 2, always=[4]).run_sync()
    assert [agents for _, agents, _ in shown] == [[4], [1, 2, 3, 4]]


def test_arrivals_need_a_platform_that_delivers():
    people = Population.of("user", 3)
    platform = Platform(Network.from_edges(3, [0], [1]), recommender=NoFeed())
    simulation = Simulation(people, [platform], [RuleMind(lambda turn, seen: Actions())], Arrivals([Phase("read", "platform")], 2))
    with pytest.raises(UsageError, match="'platform' is none"):
        simulation.run_sync()
    with pytest.raises(UsageError, match="step is 0"):
        Delivered(0)
    assert Delivered().step == DAY


def test_contracts_hold():
    purity_test(lambda: built(STAR, []))
    state_test(lambda: built(STAR, []))
