"""Measures of discourse and of likeness, against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network
from sociarium.kernel.randomness import Randomness
from sociarium.lab import discourse, likeness
from sociarium.populations.networks.preferential import barabasi_albert
from sociarium.populations.networks.regular import star

counts = st.lists(st.integers(0, 50), min_size=3, max_size=3).filter(lambda values: sum(values) > 0)


@given(counts, counts)
def test_the_divergence_is_a_symmetric_share_that_is_0_for_the_same(first, second):
    found = discourse.jensen_shannon(first, second)
    assert 0 <= found <= 1 and found == pytest.approx(discourse.jensen_shannon(second, first))
    assert discourse.jensen_shannon(first, np.array(first) * 3) == pytest.approx(0, abs=1e-12)


def test_divergences_known_by_hand():
    assert discourse.jensen_shannon([1, 0], [0, 1]) == 1
    exact = 0.5 * (0.5 * np.log2(0.5 / 0.75) + 0.5 * np.log2(0.5 / 0.25)) + 0.5 * np.log2(1 / 0.75)
    assert discourse.jensen_shannon([1, 1], [1, 0]) == pytest.approx(exact)
    with pytest.raises(UsageError, match="distributions"):
        discourse.jensen_shannon([0, 0], [1, 0])


def test_polarisation_is_0_for_even_shares_and_1_for_one_emotion():
    names = ("anger", "fear", "happiness", "neutral")
    assert discourse.polarisation_index(list(names) * 3, names) == pytest.approx(0)
    assert discourse.polarisation_index(["fear"] * 4, names) == 1
    assert discourse.polarisation_index(["fear", "anger"] * 4, names) == pytest.approx(0.5)
    assert np.isnan(discourse.polarisation_index([], names))


def test_negative_share_escalation_sentiment_and_words():
    emotions = ["anger", "neutral", "anxiety", "happiness"]
    assert discourse.negative_ratio(emotions) == 0.5 and np.isnan(discourse.negative_ratio([]))
    assert discourse.sentiment(emotions, [0.5, 1, 1, 0.25]).tolist() == [-0.5, 0, -1, 0.25]
    assert discourse.escalation(["conspiracy", "labelling", "fact listing", "none"]) == 2
    assert discourse.escalation(["conspiracy"]) == float("inf") and np.isnan(discourse.escalation(["none"]))
    assert discourse.type_token_ratio(["We knew, we knew.", "You?"]) == 3 / 5


def test_styles_fall_into_three_classes():
    assert discourse.classes(["venting", "mocking", "rational", "indifferent"]).tolist() == [0.5, 0.25, 0.25]
    assert discourse.class_likeness(["venting"], ["venting"]) == 1 and discourse.class_likeness(["venting"], ["rational"]) == 0


def test_activity_curves_are_compared_by_their_peaks():
    assert discourse.peak_error([1, 2, 4], [10, 20, 40]) == 0
    assert discourse.peak_error([0, 1], [1, 0]) == 1
    with pytest.raises(UsageError, match="same steps"):
        discourse.peak_error([1, 2], [0, 0])
    assert discourse.layer_average([0.5, 1.0], [0.1]) == pytest.approx((0.5 + 1.0 + 0.9) / 3)


def test_gini_of_known_values():
    assert likeness.gini([3, 3, 3]) == 0
    assert likeness.gini([0, 0, 0, 8]) == 0.75
    assert likeness.gini([]) == 0


def test_a_network_is_like_itself_and_isolated_nodes_do_not_count():
    network = barabasi_albert(300, 3, Randomness(1).stream("net"), directed=True)
    same = likeness.NetworkLikeness.of(network, network.grown(900))
    assert same == likeness.NetworkLikeness(1, 1, 1, 1) and same.mean() == 1
    other = likeness.NetworkLikeness.of(network, barabasi_albert(300, 3, Randomness(2).stream("net"), directed=True))
    far = likeness.NetworkLikeness.of(network, star(299))
    assert 0.9 < other.mean() < 1 and far.mean() < other.mean()
    assert np.isnan(likeness.NetworkLikeness.of(network, Network.from_edges(2, [0], [1])).exponent)  # all degrees are 1: no tail
    assert likeness.NetworkLikeness.of(Network.from_edges(4, [0, 2], [1, 3]), Network.from_edges(4, [0], [1])).connectedness == 0.5


def test_cascades_are_like_by_their_sizes():
    assert likeness.cascade_likeness([1, 1, 2, 5], [5, 2, 1, 1]) == pytest.approx(1)
    assert likeness.cascade_likeness([1, 1], [3]) == pytest.approx(0)
    assert likeness.exponent_likeness([1, 1, 2, 4], [1, 1, 2, 4]) == 1
    with pytest.raises(UsageError, match="at least one"):
        likeness.cascade_likeness([], [1])
