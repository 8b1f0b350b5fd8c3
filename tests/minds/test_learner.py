"""The learner finds what was planted, is at the optimum it states, and knows where it knows little."""

from __future__ import annotations

import numpy as np
import pytest

from sociarium.kernel.randomness import Stream
from sociarium.minds.learner import SPREAD, Ensemble, fitted, inverted

TRUE = np.array([[1.5, -0.5, 0.0], [0.0, 2.0, -1.0], [0.3, 0.0, -0.3]])  # features (two and a constant) by options


def shares(features):
    scores = np.concatenate([features, np.ones((len(features), 1))], axis=1) @ TRUE
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def decisions(count, seed=1):
    drawn = np.random.default_rng(seed)
    features = drawn.normal(size=(count, 2))
    chosen = (shares(features).cumsum(axis=1) < drawn.random((count, 1))).sum(axis=1)
    return features, chosen


def learned(count, classes=3, **options):
    features, chosen = decisions(count)
    policy = Ensemble(classes, **options)
    policy.fit(features, chosen, np.arange(count), Stream(7))
    return policy


def test_planted_shares_are_found():
    features, _ = decisions(500, seed=9)
    found, differ = learned(4_000).predict(features)
    assert np.abs(found - shares(features)).sum(axis=1).mean() / 2 < 0.03
    assert differ.mean() < 0.04
    assert found.sum(axis=1) == pytest.approx(1.0)


def test_more_decisions_mean_less_disagreement_and_less_error():
    features, _ = decisions(300, seed=9)
    errors, doubts = [], []
    for count in (40, 400, 4_000):
        found, differ = learned(count).predict(features)
        errors.append(np.abs(found - shares(features)).sum(axis=1).mean() / 2)
        doubts.append(differ.mean())
    assert errors == sorted(errors, reverse=True)
    assert doubts == sorted(doubts, reverse=True)
    assert doubts[0] > 3 * doubts[2]


def test_a_fair_coin_is_known_and_an_unseen_place_is_not():
    drawn = np.random.default_rng(2)
    features = drawn.normal(size=(2_000, 1))
    policy = Ensemble(2)
    policy.fit(features, drawn.integers(0, 2, 2_000), np.arange(2_000), Stream(3))
    found, differ = policy.predict(np.array([[0.0], [9.0]]))
    assert found[0] == pytest.approx([0.5, 0.5], abs=0.06)
    assert differ[0] < 0.05 < differ[1]


def test_a_member_is_at_its_own_optimum():
    features, chosen = decisions(300)
    inputs = np.concatenate([features, np.ones((300, 1))], axis=1)
    targets, drawn = np.eye(3)[chosen], np.random.default_rng(4).exponential(size=300)
    prior = np.random.default_rng(5).normal(size=(3, 3))
    weights = fitted(inputs, targets, drawn, prior, np.ones(3, bool), 60)

    def goodness(at):
        scores = inputs @ at
        logs = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        return (drawn * (targets * logs).sum(axis=1)).sum() - ((at - prior) ** 2).sum() / (2 * SPREAD**2)

    for place in np.ndindex(3, 3):
        step = np.zeros((3, 3))
        step[place] = 1e-5
        slope = (goodness(weights + step) - goodness(weights - step)) / 2e-5
        assert abs(slope) < 1e-3 * 300


def test_options_that_nobody_chose_are_never_predicted():
    found, _ = learned(200, classes=6).predict(np.random.default_rng(1).normal(size=(50, 2)) * 4)
    assert (found[:, 3:] == 0).all()


def test_a_row_is_predicted_the_same_alone_and_among_others():
    policy = learned(500)
    features, _ = decisions(64, seed=3)
    together = policy.predict(features)
    for row in range(64):
        alone = policy.predict(features[row : row + 1])
        assert alone[0].tolist() == together[0][row : row + 1].tolist()
        assert alone[1].tolist() == together[1][row : row + 1].tolist()


def test_what_is_saved_predicts_the_same():
    policy = learned(300)
    other = Ensemble(3)
    other.load(policy.state())
    features, _ = decisions(20, seed=3)
    assert other.predict(features)[0].tolist() == policy.predict(features)[0].tolist()


@pytest.mark.parametrize("size", [1, 2, 7, 30])
def test_an_inverse_is_one(size):
    root = np.random.default_rng(size).normal(size=(size, size))
    matrix = root @ root.T + np.eye(size)
    assert inverted(matrix) @ matrix == pytest.approx(np.eye(size), abs=1e-8)
