"""Nulls: what they keep, that they are uniform, and that they judge as often as they say."""

import numpy as np
import pytest
from scipy import stats

from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network
from sociarium.kernel.randomness import Randomness
from sociarium.lab.paradox import nulls
from sociarium.lab.paradox.gaps import edge_gap
from sociarium.lab.paradox.nulls import Null
from sociarium.populations.networks.preferential import cumulative_advantage

TRIALS = 1000


def stream(seed=0, name="test"):
    return Randomness(seed).stream(name)


def weighted(seed):
    """A grown network whose 60 % of edges with the most followed targets have weight 1, and the rest 5."""
    network = cumulative_advantage(300, 5, stream(seed))
    order = np.argsort(-network.in_degrees()[network.targets], kind="stable")
    weight = np.full(len(network), 5)
    weight[order[: round(0.6 * len(network))]] = 1
    return Network(network.starts, network.targets, {"weight": weight})


@pytest.mark.parametrize("null", [Null.RANDOM_GRAPH, Null.RANDOM_FOLLOWS, Null.SAME_DEGREES])
def test_a_null_keeps_what_it_says_and_draws_the_rest(null):
    network = cumulative_advantage(80, 3, stream())
    other = nulls.drawn(network, null, stream(1))
    assert len(other) == len(network) and not np.array_equal(other.codes(), network.codes())
    keeps_out = null is not Null.RANDOM_GRAPH
    assert np.array_equal(other.degrees(), network.degrees()) is keeps_out
    assert np.array_equal(other.in_degrees(), network.in_degrees()) is (null is Null.SAME_DEGREES)


def test_shuffles_keep_the_values_and_centre_the_gap_at_nothing():
    network = cumulative_advantage(100, 3, stream())
    into = network.in_degrees()
    dealt = nulls.shuffles(-into, stream(2), 4000)
    assert (np.sort(dealt, axis=1) == np.sort(-into)).all()
    drawn = edge_gap(network, dealt)
    assert abs(drawn.mean()) < 4 * drawn.std() / 4000**0.5
    assert nulls.judged(edge_gap(network, -into), drawn, "shuffled").outside


def test_an_x_of_no_account_lies_in_the_middle_95_percent_as_often():
    network = cumulative_advantage(40, 3, stream(5))
    inside = 0
    for trial in range(TRIALS):
        x = stream(trial, "x").uniform(np.arange(40))
        inside += not nulls.judged(
            edge_gap(network, x), edge_gap(network, nulls.shuffles(x, stream(trial, "deal"), 1000)), "shuffled"
        ).outside
    assert 0.93 <= inside / TRIALS <= 0.97


def test_a_null_that_keeps_the_measure_judges_nothing():
    same = nulls.judged(2.0, [2.0, 2.0 + 1e-12], "same degrees")
    assert same.same and not same.outside and "judges nothing" in str(same)
    assert nulls.judged(float("nan"), [1.0, 2.0], "x").same
    off = nulls.judged(5.0, np.arange(99) / 99, "x")
    assert off.p == pytest.approx(0.02) and off.outside
    with pytest.raises(UsageError, match="shuffling x"):
        nulls.drawn(cumulative_advantage(9, 2, stream()), Null.SHUFFLED, stream())


def test_infrequent_edges_to_the_most_followed_carry_more_of_the_gap_than_others():
    found = [nulls.infrequent(weighted(seed), "weight", stream(seed), draws=49) for seed in range(20)]
    assert all(one.cut == 1 and one.dropped == 885 for one in found)  # 60 % of 1,475
    assert sum(one.change < one.thinned.mean() for one in found) >= 19
    assert np.mean([one.change for one in found]) == pytest.approx(-46, abs=2)
    assert np.mean([one.thinned.mean() for one in found]) == pytest.approx(-33, abs=2)


def test_thinning_alone_lowers_the_gap():
    assert (nulls.thinning(weighted(1), 590, stream(), draws=99) < 0).all()


def test_permuted_weights_are_as_edges_dropped_by_lot():
    network, found = weighted(3), []
    for seed in range(200):
        dealt = nulls.shuffles(network["weight"], stream(seed, "deal"), 1)[0]
        found.append(nulls.infrequent(Network(network.starts, network.targets, {"weight": dealt}), "weight", stream(seed), draws=99).p)
    assert stats.kstest(found, "uniform").pvalue > 0.01


def test_thinned_gaps_are_those_of_the_thinned_network():
    network = weighted(2)
    keep = np.asarray(network["weight"]) > 1
    left = network.only(keep)
    expected = edge_gap(left, left.in_degrees()) - edge_gap(network, network.in_degrees())
    assert nulls.gap_without(network, keep) == pytest.approx(expected, abs=1e-9)
    assert nulls.thinning(network, len(network), stream(), draws=3) == pytest.approx(np.zeros(3), abs=1e-9)


def test_a_cut_that_leaves_nothing_is_told():
    network = Network.from_edges(4, [0, 1, 2], [1, 2, 3], attributes={"weight": [5, 5, 1]})
    with pytest.raises(UsageError, match="lower cut"):
        nulls.infrequent(network, "weight", stream())
    assert nulls.infrequent(network, "weight", stream(), cut=1).dropped == 1
    with pytest.raises(UsageError, match="without edges"):
        nulls.infrequent(Network.from_edges(2, [], [], attributes={"weight": []}), "weight", stream())
