"""Emotions fade, are stirred, and pass on; attitudes move and are measured."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sociarium.environments.emotions.levels import AGENTSOCIETY, POSIM, WORDS, EmotionRules, begun, caught, faded, faded_by, stirred
from sociarium.kernel.errors import UsageError
from sociarium.minds.attitudes import persuaded, polarisation


def test_the_presets_are_as_published():
    assert begun(2, AGENTSOCIETY).tolist() == [[5] * 6] * 2
    assert begun(1, POSIM).tolist() == [[0] * 6]
    assert len(WORDS) == len(set(WORDS)) == 21
    assert AGENTSOCIETY.word in WORDS
    assert np.allclose(faded([0.8] * 6, POSIM), 0.8 * 0.95)
    assert np.allclose(faded(np.full((2, 6), 0.8), POSIM, [1, 3]), [[0.8 * 0.95] * 6, [0.8 * 0.95**3] * 6])
    assert np.allclose(faded_by([1.0] * 6, 0.5, 2.0, POSIM), np.exp(-1))
    assert np.allclose(stirred([0.5] * 6, [0.0, 0.5, 1.0, 2.0, 0.1, -3], POSIM), [0.5, 0.65, 0.8, 1.0, 0.53, 0.0])


def test_one_post_of_an_angry_neighbour_lifts_anger_from_0_to_exactly_a_tenth():
    levels = np.zeros((2, 6))
    levels[1, 2] = 1.0
    after = caught(levels, np.array([0]), np.array([1]), POSIM)
    assert after[0].tolist() == [0, 0, 0.1, 0, 0, 0]
    assert np.array_equal(after[1], levels[1])


@given(st.integers(2, 12), st.integers(0, 2**32 - 1))
def test_where_everyone_sees_everyone_the_spread_shrinks_inside_the_first_hull_and_no_contagion_changes_nothing(agents, seed):
    levels = np.random.default_rng(seed).random((agents, 6))
    readers, authors = (part.reshape(-1) for part in np.meshgrid(np.arange(agents), np.arange(agents), indexing="ij"))
    low, high, now = levels.min(axis=0), levels.max(axis=0), levels
    for _ in range(5):
        before, now = now, caught(now, readers, authors, POSIM)
        assert (np.ptp(now, axis=0) <= np.ptp(before, axis=0) + 1e-12).all()
        assert ((now.mean(axis=0) >= low - 1e-12) & (now.mean(axis=0) <= high + 1e-12)).all()
    still = EmotionRules(POSIM.names, contagion=0.0)
    assert np.array_equal(caught(levels, readers, authors, still), levels)


def test_emotion_rules_that_make_no_sense_are_refused():
    with pytest.raises(UsageError, match="range"):
        EmotionRules(POSIM.names, start=2.0)
    with pytest.raises(UsageError, match="contagion"):
        EmotionRules(POSIM.names, contagion=1.5)


def test_attitudes_move_within_the_bound_only_and_are_measured_as_published():
    assert persuaded([3, 3, 9], [7, 5, 11], bound=3, rate=0.5).tolist() == [3, 4, 10]
    measured = polarisation([3, 7, 3, 7], [2, 6, 6, 7])
    assert (measured.grew, measured.shrank, measured.crossed, measured.distance) == (0.25, 0.5, 0.25, 1.75)
    assert np.isnan(polarisation([], []).grew)
