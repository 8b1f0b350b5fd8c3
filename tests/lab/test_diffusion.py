"""Reference spreads: against exact enumeration on small graphs, closed forms on trees, and the laws that any of them must keep."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network
from sociarium.kernel.randomness import Randomness, Stream
from sociarium.lab import diffusion
from sociarium.lab.diffusion import (
    NEVER,
    ball,
    exact_cascade,
    exact_single_coin,
    exact_threshold,
    independent_cascade,
    linear_threshold,
    single_coin,
    tree_probabilities,
    tree_size,
)
from sociarium.populations.networks.preferential import barabasi_albert

RUNS = 20_000
TRIANGLE = Network.from_edges(4, [1, 2, 2, 3, 3], [0, 0, 1, 1, 2])  # 1 hears 0, 2 hears 0 and 1, 3 hears 1 and 2


def stream(name: str, seed: int = 1) -> Stream:
    return Randomness(seed).stream(name)


def small(seed: int, nodes: int = 5, edges: int = 9) -> Network:
    """A directed graph with cycles."""
    ends = stream("graph", seed).integers(0, nodes - 1, np.arange(2 * edges))
    return Network.from_edges(nodes, ends[:edges], ends[edges:])


def assert_frequencies(step: NDArray[np.int32], expected: NDArray[np.float64]) -> None:
    share = (step >= 0).mean(axis=0)
    error = np.sqrt(expected * (1 - expected) / len(step))
    assert (np.abs(share - expected) <= 4.5 * error + 1e-12).all(), (share, expected)


@pytest.mark.parametrize("seed", range(4))
def test_an_independent_cascade_reaches_each_node_as_often_as_all_worlds_of_live_edges_say(seed: int):
    network = small(seed)
    chance = stream("chance", seed).uniform(np.arange(len(network)))
    spread = independent_cascade(network, [0], chance, stream("cascade", seed), runs=RUNS)
    assert_frequencies(spread.step, exact_cascade(network, [0], chance))


@pytest.mark.parametrize("seed", range(4))
def test_uniform_thresholds_reach_each_node_as_often_as_all_choices_of_one_heard_say(seed: int):
    network = small(seed)
    assert_frequencies(linear_threshold(network, [0], stream("threshold", seed), runs=RUNS).step, exact_threshold(network, [0]))


@pytest.mark.parametrize("seed", range(4))
def test_one_coin_a_user_reaches_each_node_as_often_as_all_worlds_of_willing_users_say(seed: int):
    network = small(seed)
    assert_frequencies(single_coin(network, [0, 1], 0.4, stream("coin", seed), runs=RUNS).step, exact_single_coin(network, [0, 1], 0.4))


def test_two_ways_make_a_cascade_likelier_than_one_coin_a_user():
    """2 hears 0 and 1: with p = 1/2, P(2) = 1 - (1 - p)(1 - p^2) = 5/8, but 1/2 with one coin."""
    assert exact_cascade(TRIANGLE, [0], 0.5)[2] == pytest.approx(0.625, abs=1e-12)
    assert exact_single_coin(TRIANGLE, [0], 0.5)[2] == pytest.approx(0.5, abs=1e-12)
    assert exact_threshold(TRIANGLE, [0]).tolist() == [1.0, 1.0, 1.0, 1.0]


def test_in_a_tree_chances_multiply_along_the_way_for_all_three():
    network = Network.from_edges(6, [1, 2, 3, 4, 5], [0, 0, 1, 1, 2])
    expected = tree_probabilities(network, [0], 0.5)
    assert expected.tolist() == [1, 0.5, 0.5, 0.25, 0.25, 0.25]
    assert_frequencies(independent_cascade(network, [0], 0.5, stream("a"), runs=RUNS).step, expected)
    assert_frequencies(single_coin(network, [0], 0.5, stream("b"), runs=RUNS).step, expected)
    assert exact_cascade(network, [0], 0.5) == pytest.approx(expected, abs=1e-12)


def test_in_a_tree_thresholds_multiply_one_over_those_heard():
    network = Network.from_edges(6, [1, 1, 2, 2, 2], [0, 4, 1, 4, 5])  # 4 and 5 are never told
    expected = tree_probabilities(network, [0], 1 / network.degrees()[network.sources()])
    assert expected == pytest.approx([1, 1 / 2, 1 / 6, 0, 0, 0], abs=1e-12)
    assert_frequencies(linear_threshold(network, [0], stream("t"), runs=RUNS).step, expected)


def test_a_balanced_tree_has_the_mean_size_of_a_branching_process():
    nodes = (3**6 - 1) // 2
    network = Network.from_edges(nodes, np.arange(1, nodes), (np.arange(1, nodes) - 1) // 3)
    sizes = independent_cascade(network, [0], 0.4, stream("tree"), runs=4000).sizes()
    assert abs(sizes.mean() - tree_size(3, 5, 0.4)) <= 4.5 * sizes.std() / len(sizes) ** 0.5
    assert tree_probabilities(network, [0], 0.4).sum() == pytest.approx(tree_size(3, 5, 0.4), abs=1e-9)


def test_a_node_with_two_ways_to_it_has_no_closed_form():
    with pytest.raises(UsageError, match="node 2 is reached in two ways"):
        tree_probabilities(TRIANGLE, [0], 0.5)


def test_the_figures_that_tell_a_cascade_from_one_coin_a_user_are_met():
    """BA, 1,000 nodes, m = 5, p = .1, the oldest node: 301 pass on in a cascade, 38 with one coin each."""
    graphs = [barabasi_albert(1000, 5, stream("ba", graph)) for graph in range(20)]
    cascades = [independent_cascade(graph, [0], 0.1, stream("c", at), runs=20).sizes().mean() for at, graph in enumerate(graphs)]
    coins = [single_coin(graph, [0], 0.1, stream("s", at), runs=20).sizes().mean() for at, graph in enumerate(graphs)]
    assert np.mean(cascades) == pytest.approx(301, rel=0.05)
    assert np.mean(coins) == pytest.approx(38, rel=0.15)


def test_what_all_pass_on_reaches_the_ball_of_the_seeds_and_goes_against_the_edges_only():
    network = Network.from_edges(6, [1, 2, 3, 0], [0, 1, 2, 5])  # 0 hears 5; 4 hears nobody
    spread = independent_cascade(network, [0], 1.0, stream("one"))
    assert spread.step.tolist() == [[0, 1, 2, 3, NEVER, NEVER]]
    assert spread.curve().tolist() == [[1, 2, 3, 4]]
    assert ball(network, [0]).tolist() == [1, 2, 3, 4]
    assert ball(network, [0], 6).tolist() == [1, 2, 3, 4, 4, 4, 4]
    assert spread.aware(network).step.tolist() == [[0, 1, 2, 3, NEVER, NEVER]]


def test_the_aware_are_those_who_pass_on_and_those_who_hear_them():
    network = barabasi_albert(200, 3, stream("ba"))
    spread = independent_cascade(network, [0], 0.2, stream("c"), runs=5)
    aware = spread.aware(network)
    for run in range(5):
        passed = spread.step[run] >= 0
        hears = np.array([passed[network.neighbours(node)].any() for node in range(200)])
        assert np.array_equal(aware.step[run] >= 0, passed | hears)
        assert (aware.step[run][passed] <= spread.step[run][passed]).all()


def test_a_threshold_is_reached_by_a_share_that_equals_it():
    network = Network.from_edges(11, np.zeros(10, int), np.arange(1, 11))
    assert linear_threshold(network, [1, 2, 3], 0.3).step[0, 0] == 1
    assert linear_threshold(network, [1, 2], 0.3).step[0, 0] == NEVER
    assert linear_threshold(network, [], 0.0).sizes()[0] == 0


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.floats(0, 1), st.floats(0, 1), st.integers(2, 12))
def test_with_the_same_draws_a_likelier_spread_contains_the_other(seed: int, one: float, other: float, runs: int):
    network = small(seed, 12, 30)
    low, high = sorted((one, other))
    for play in (independent_cascade, single_coin):
        less, more = (play(network, [0], p, stream("same", seed), runs=runs).step >= 0 for p in (low, high))
        assert (more | ~less).all()
    less, more = (linear_threshold(network, [0], needed, runs=runs).step >= 0 for needed in (high, low))
    assert (more | ~less).all()


def test_a_run_is_the_same_among_few_and_among_many(monkeypatch: pytest.MonkeyPatch):
    network = barabasi_albert(60, 3, stream("ba"))
    plays: list[Callable[[int], NDArray[np.int32]]] = [
        lambda runs: independent_cascade(network, [0], 0.2, stream("c"), runs=runs).step,
        lambda runs: single_coin(network, [0], 0.3, stream("c"), runs=runs).step,
        lambda runs: linear_threshold(network, [0], stream("c"), runs=runs).step,
    ]
    many = [play(50) for play in plays]
    monkeypatch.setattr(diffusion, "_CELLS", 7 * 60)
    for play, whole in zip(plays, many, strict=True):
        assert np.array_equal(play(10), whole[:10])
        assert np.array_equal(play(50), whole)


def test_each_run_may_have_seeds_of_its_own():
    step = independent_cascade(TRIANGLE, [[0], [3]], 1.0, stream("c"), runs=2).step
    assert step.tolist() == [[0, 1, 1, 2], [NEVER, NEVER, NEVER, 0]]


def test_what_cannot_be_played_is_said_in_one_line():
    with pytest.raises(UsageError, match=r"a probability is 1\.5"):
        independent_cascade(TRIANGLE, [0], 1.5, stream("c"))
    with pytest.raises(UsageError, match="3 probabilities for 5 edges"):
        independent_cascade(TRIANGLE, [0], [0.1, 0.2, 0.3], stream("c"))
    with pytest.raises(UsageError, match="a seed lies outside the nodes 0 to 3"):
        single_coin(TRIANGLE, [4], 0.5, stream("c"))
    with pytest.raises(UsageError, match="seeds are for 2 runs, but 3 are played"):
        single_coin(TRIANGLE, [[0], [1]], 0.5, stream("c"), runs=3)
    with pytest.raises(UsageError, match="at most 20 edges"):
        exact_cascade(barabasi_albert(20, 2, stream("ba")), [0], 0.1)
