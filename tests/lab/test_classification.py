"""Measures of stated chances against hand values, SciPy and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sociarium.kernel.errors import UsageError
from sociarium.lab.classification import Assessment, area_under_curve, brier, calibration, calibration_error, reliability

RANDOM = np.random.Generator(np.random.PCG64(3))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=2, max_size=30).filter(lambda rows: len({r[0] for r in rows}) == 2))
def test_the_area_counts_pairs_with_ties_half(rows):
    came, score = np.array([r[0] for r in rows]), np.array([r[1] for r in rows], float)
    pairs = [(a > b) + (a == b) / 2 for a in score[came] for b in score[~came]]
    assert area_under_curve(came, score) == pytest.approx(np.mean(pairs))


def test_hand_values():
    came, chance = [1, 0, 1, 0], [0.9, 0.1, 0.6, 0.4]
    assert area_under_curve(came, chance) == 1.0
    assert brier(came, chance) == pytest.approx((0.01 + 0.01 + 0.16 + 0.16) / 4)
    assert calibration_error(came, chance, 1) == pytest.approx(0.0)
    assert calibration_error(came, chance, 2) == pytest.approx((abs(1 - 0.75) + abs(0 - 0.25)) / 2)


@pytest.mark.parametrize(("times", "slope", "shift"), [(1.0, 1.0, 0.0), (2.0, 0.5, 0.0), (0.5, 2.0, 0.0), (1.0, 1.0, 0.7)])
def test_calibration_finds_by_how_much_log_odds_are_stretched_and_shifted(times, slope, shift):
    log_odds = RANDOM.normal(size=60_000)
    came = RANDOM.random(60_000) < 1 / (1 + np.exp(-(log_odds + shift)))
    found, intercept = calibration(came, 1 / (1 + np.exp(-times * log_odds)))
    assert found == pytest.approx(slope, abs=0.05 * slope) and intercept == pytest.approx(shift, abs=0.05)


def test_chances_that_mean_what_they_say_lie_on_the_diagonal():
    chance = RANDOM.random(50_000)
    came = RANDOM.random(50_000) < chance
    found = reliability(came, chance)
    assert found.count.tolist() == [5000] * 10
    assert np.abs(found.seen - found.stated).max() < 4 * 0.5 / np.sqrt(5000)
    whole = Assessment.of(came, chance)
    assert whole.error < 0.02 and whole.area == pytest.approx(5 / 6, abs=0.01), "chances uniform: E[p^2 - ...] gives 5/6"
    assert whole.brier == pytest.approx(1 / 6, abs=0.005)


def test_outcomes_that_are_parted_have_no_slope():
    assert np.isnan(calibration([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9])[0])


@pytest.mark.parametrize(
    "call",
    [
        lambda: area_under_curve([1, 1], [0.2, 0.3]),
        lambda: brier([1, 2], [0.2, 0.3]),
        lambda: brier([1], [0.2, 0.3]),
        lambda: brier([1, 0], [np.nan, 0.3]),
        lambda: calibration([1, 0], [0.3, 0.3]),
        lambda: reliability([1, 0], [0.3, 0.4], 0),
    ],
)
def test_what_has_no_measure_is_refused(call):
    with pytest.raises(UsageError):
        call()
