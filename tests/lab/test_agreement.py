"""Curves compared: the closed forms of a curve with itself, shifted, stretched and turned over."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sociarium.kernel.errors import UsageError
from sociarium.lab.agreement import Agreement, correlation, mean_square, min_max

CURVES = st.lists(st.integers(-1000, 1000), min_size=3, max_size=40).filter(lambda values: len(set(values)) > 1)


@settings(max_examples=60, deadline=None)
@given(CURVES, st.integers(-100, 100))
def test_a_shift_has_the_error_of_its_square_and_vanishes_on_its_own_scale(values: list[int], shift: int):
    curve = np.array(values, np.float64)
    found = Agreement.of(curve, curve + shift)
    assert found.raw_error == pytest.approx(shift**2, abs=1e-9)
    assert found.raw_correlation == pytest.approx(1, abs=1e-12)
    assert found.scaled_error == pytest.approx(0, abs=1e-24)
    assert found.scaled_correlation == pytest.approx(1, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(CURVES, st.floats(0.1, 50))
def test_a_curve_turned_over_correlates_at_minus_one(values: list[int], factor: float):
    curve = np.array(values, np.float64)
    assert correlation(curve, -factor * curve) == pytest.approx(-1, abs=1e-12)
    assert min_max(factor * curve) == pytest.approx(min_max(curve), abs=1e-9)


def test_a_curve_with_itself_is_without_error_and_correlates_at_one():
    curve = [0.1, 0.3, 0.2, 0.9]
    assert mean_square(curve, curve) == 0
    assert correlation(curve, curve) == 1


def test_a_flat_curve_has_no_correlation_and_stays_flat_on_its_own_scale():
    assert math.isnan(correlation([0.1, 0.1, 0.1], [1, 2, 3]))
    assert min_max([0.1, 0.1, 0.1]).tolist() == [0, 0, 0]


def test_steps_that_are_missing_in_either_are_left_out():
    assert mean_square([1, np.nan, 3, 4], [1, 2, 5, np.nan]) == 2
    assert min_max([[1, np.nan, 3], [0, 5, 10]])[1].tolist() == [0, 0.5, 1]


def test_curves_of_other_lengths_cannot_be_compared():
    with pytest.raises(UsageError, match=r"shapes \(2,\) and \(3,\)"):
        mean_square([1, 2], [1, 2, 3])
    with pytest.raises(UsageError, match="no step in common"):
        mean_square([np.nan], [1])
