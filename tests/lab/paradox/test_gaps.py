"""Gaps, shares and correlations against closed forms, small graphs by hand, and laws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network
from sociarium.kernel.randomness import Randomness
from sociarium.lab.paradox import gaps
from sociarium.lab.paradox.gaps import Friends, Version
from sociarium.populations.networks.nulls import degree_preserving, random_follows
from sociarium.populations.networks.preferential import barabasi_albert, cumulative_advantage
from sociarium.populations.networks.regular import ring as ring_of
from sociarium.populations.networks.uniform import erdos_renyi


def stream(seed=0):
    return Randomness(seed).stream("test")


def star():
    return Network.from_edges(5, [0] * 4, [1, 2, 3, 4], mutual=True)


def by_hand(network, x, friends):
    """(own, values of friends) of every node with friends, by a plain loop."""
    pairs = list(zip(network.sources().tolist(), network.targets.tolist(), strict=True))
    for node in range(network.nodes):
        theirs = [x[b] for a, b in pairs if a == node] if friends is Friends.FOLLOWEES else [x[a] for a, b in pairs if b == node]
        if theirs:
            yield x[node], theirs


graphs = st.integers(0, 2**32).map(lambda s: erdos_renyi(4 + s % 30, 0.02 + (s % 7) / 10, stream(s), directed=True))


def test_a_star_of_four_leaves():
    degrees = star().degrees()
    assert degrees.mean() == pytest.approx(1.6)
    assert gaps.edge_gap(star(), degrees) == pytest.approx(0.9, abs=1e-12)
    assert gaps.friend_means(star(), degrees).mean() == pytest.approx(3.4)
    assert gaps.node_gap(star(), degrees) == pytest.approx(1.8, abs=1e-12)
    assert gaps.weak_share(star(), degrees) == gaps.strong_share(star(), degrees) == 0.8


def test_edge_gaps_are_their_closed_forms_on_a_hundred_graphs():
    for seed in range(100):
        network = erdos_renyi(20 + seed, 0.01 + seed / 400, stream(seed), directed=True)
        into, out = network.in_degrees().astype(float), network.degrees().astype(float)
        closed = gaps.closed_forms(out, into)
        seen = gaps.degree_gaps(network)
        mean = into.mean()
        by_moments = {
            Version.FOLLOWEES_FOLLOWERS: (into**2).mean() / mean - mean,
            Version.FOLLOWERS_FOLLOWEES: (out**2).mean() / mean - mean,
            Version.FOLLOWEES_FOLLOWEES: (into * out).mean() / mean - mean,
            Version.FOLLOWERS_FOLLOWERS: (into * out).mean() / mean - mean,
        }
        for version in Version:
            assert seen[version] == pytest.approx(closed[version], abs=1e-9)
            assert seen[version] == pytest.approx(by_moments[version], abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(graphs, st.sampled_from(Friends), st.integers(0, 3))
def test_node_measures_are_those_of_a_plain_loop(network, friends, levels):
    x = np.round(stream(7).uniform(np.arange(network.nodes)) * 10**levels)  # few levels have ties
    pairs = list(by_hand(network, x, friends))
    if not pairs:
        assert np.isnan(gaps.node_gap(network, x, friends))
        return
    assert gaps.node_gap(network, x, friends) == pytest.approx(np.mean([np.mean(t) - own for own, t in pairs]), abs=1e-9)
    assert gaps.weak_share(network, x, friends) == pytest.approx(np.mean([sum(t) / len(t) > own for own, t in pairs]))
    assert gaps.strong_share(network, x, friends) == pytest.approx(np.mean([np.median(t) > own for own, t in pairs]))
    expected = np.mean([v for _, t in pairs for v in t]) - x.mean()
    assert gaps.edge_gap(network, x, friends) == pytest.approx(expected, abs=1e-9)


def test_rank_correlation_is_spearmans_over_the_nodes_with_friends():
    network = erdos_renyi(60, 0.05, stream(2), directed=True)
    x = np.round(5 * stream(3).uniform(np.arange(60)))
    means = gaps.friend_means(network, x)
    some = ~np.isnan(means)
    expected = stats.spearmanr(x[some], means[some]).statistic
    assert gaps.rank_correlation(network, x) == pytest.approx(expected, abs=1e-12)
    assert np.isnan(gaps.rank_correlation(network, np.ones(60)))


@settings(max_examples=30, deadline=None)
@given(graphs)
def test_many_attributes_at_once_are_one_at_a_time(network):
    x = stream(1).uniform(np.arange(3 * network.nodes)).reshape(3, network.nodes)
    for measure in (gaps.edge_gap, gaps.node_gap, gaps.weak_share, gaps.upward_share):
        np.testing.assert_allclose(measure(network, x), [measure(network, one) for one in x], equal_nan=True)


@settings(max_examples=40, deadline=None)
@given(graphs)
def test_three_edge_gaps_and_the_undirected_node_gap_are_never_negative(network):
    if not len(network):
        return
    seen = gaps.degree_gaps(network)
    assert seen[Version.FOLLOWEES_FOLLOWERS] >= -1e-9
    assert seen[Version.FOLLOWERS_FOLLOWEES] >= -1e-9
    both = Network.from_edges(network.nodes, network.sources(), network.targets, mutual=True)
    assert gaps.edge_gap(both, both.degrees()) >= -1e-9
    assert gaps.node_gap(both, both.degrees()) >= -1e-9


def test_a_regular_graph_has_no_gap_at_all():
    ring = ring_of(30, 4)
    degrees = ring.degrees()
    assert gaps.edge_gap(ring, degrees) == gaps.node_gap(ring, degrees) == 0
    assert gaps.weak_share(ring, degrees) == gaps.strong_share(ring, degrees) == 0
    assert gaps.level_share(ring, degrees) == 1


def test_random_follows_have_the_gap_that_nobody_chose():
    assert gaps.random_follow_gap(np.full(100, 5)) == pytest.approx(1 - 5 / 99, abs=1e-12)
    assert pytest.approx(0.949, abs=5e-4) == 1 - 5 / 99
    for out in (np.full(100, 5), np.arange(60) % 13):
        seen = [gaps.edge_gap(n, n.in_degrees()) for n in (random_follows(out, stream(seed)) for seed in range(300))]
        error = np.std(seen, ddof=1) / 300**0.5
        assert abs(np.mean(seen) - gaps.random_follow_gap(out)) < 3.5 * error


def test_who_keeps_the_degrees_keeps_the_edge_gaps():
    for seed in range(10):
        network = cumulative_advantage(120, 3, stream(seed))
        other = degree_preserving(network, stream(seed), directed=True)
        assert not np.array_equal(network.codes(), other.codes())
        before, after = gaps.degree_gaps(network), gaps.degree_gaps(other)
        assert all(before[version] == pytest.approx(after[version], abs=1e-9) for version in Version)


def test_a_planted_opposite_makes_the_gap_negative():
    network = cumulative_advantage(200, 4, stream())
    into = network.in_degrees()
    x = -into + 0.1 * stream(4).normal(np.arange(200))
    assert gaps.edge_gap(network, x) < 0
    assert gaps.edge_gap(network, x) == pytest.approx(np.cov(into, x, bias=True)[0, 1] / into.mean(), abs=1e-9)


def test_a_crossed_gap_is_negative_where_the_followed_follow_few():
    """The three that are followed by all follow one of each other; all others follow the three."""
    sources = np.repeat(np.arange(3, 40), 3)
    network = Network.from_edges(40, [*sources, 0, 1, 2], [*np.tile([0, 1, 2], 37), 1, 2, 0])
    seen = gaps.degree_gaps(network)
    into, out = network.in_degrees(), network.degrees()
    for version in (Version.FOLLOWEES_FOLLOWEES, Version.FOLLOWERS_FOLLOWERS):
        assert seen[version] < 0
        assert seen[version] == pytest.approx(np.cov(into, out, bias=True)[0, 1] / into.mean(), abs=1e-9)


def test_medians_make_the_paradox_rarer_on_heavy_tails():
    seen = []
    for seed in range(10):
        grown = cumulative_advantage(500, 4, stream(seed))
        both = Network.from_edges(500, grown.sources(), grown.targets, mutual=True)
        for network in (both, barabasi_albert(500, 4, stream(seed))):
            assert gaps.strong_share(network, network.degrees()) < gaps.weak_share(network, network.degrees())
        seen.append((gaps.strong_share(both, both.degrees()), gaps.weak_share(both, both.degrees())))
    strong, weak = np.mean(seen, axis=0)
    assert 0.82 < strong < 0.87
    assert 0.95 < weak < 0.97


def test_weights_weigh_edges():
    network = Network.from_edges(3, [0, 0, 1], [1, 2, 2], attributes={"weight": [3.0, 1.0, 1.0]})
    assert gaps.edge_gap(network, [0, 10, 20], weight="weight") == pytest.approx((30 + 20 + 20) / 5 - 10)


def test_nothing_to_compare_is_nan_and_wrong_shapes_are_told():
    empty = Network.from_edges(4, [], [])
    assert all(
        np.isnan(f(empty, np.ones(4))) for f in (gaps.edge_gap, gaps.node_gap, gaps.weak_share, gaps.strong_share, gaps.upward_share)
    )
    assert np.isnan(gaps.random_follow_gap(np.zeros(4))) and np.isnan(gaps.closed_form(np.ones(4), np.zeros(4)))
    with pytest.raises(UsageError, match="one value for each of the 5 nodes"):
        gaps.edge_gap(star(), np.ones(4))
    with pytest.raises(UsageError, match="one x a time"):
        gaps.friend_medians(star(), np.ones((2, 5)))
