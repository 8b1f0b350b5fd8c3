"""Where one goes, against plain draws and closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from sociarium.environments.mobility.gravity import GravityRules, chosen, destinations, exponent, ring_density
from sociarium.kernel.errors import UsageError
from sociarium.kernel.randomness import Randomness

STREAM = Randomness(3).stream("gravity")


def disc(count: int, radius: float, key: int = 0) -> np.ndarray:
    rows = np.arange(count)
    away, angle = radius * np.sqrt(STREAM.uniform(rows, 2 * key)), 2 * np.pi * STREAM.uniform(rows, 2 * key + 1)
    return np.stack([away * np.cos(angle), away * np.sin(angle)], axis=1)


def test_the_likeliest_exponent_is_that_of_the_density():
    low, high, drawn = 0.1, 10.0, STREAM.uniform(np.arange(200_000), 9)
    for true in (0.5, 1.0, 1.5, 2.5):
        rise = 1 - true
        values = low * (high / low) ** drawn if rise == 0 else (low**rise + drawn * (high**rise - low**rise)) ** (1 / rise)
        assert exponent(values, low, high) == pytest.approx(true, abs=0.02)


def test_rings_count_the_places_in_reach_by_area():
    places = disc(4_000, 10.0)
    density = ring_density(np.hypot(*places.T)[None, :], GravityRules())
    assert density.shape == (1, 10)
    assert (density * np.pi * np.diff(np.arange(11.0) ** 2)).sum() == pytest.approx(4_000)
    assert density[0, 3:] == pytest.approx(4_000 / (np.pi * 100), rel=0.2)


def test_who_chooses_where_does_not_depend_on_who_else_chooses():
    places, here = disc(300, 5.0), disc(40, 5.0, 1)
    together = destinations(here, places, STREAM, np.arange(40))
    for at in (0, 17, 39):
        assert destinations(here[at : at + 1], places, STREAM, np.array([at])).tolist() == [together[at]]


def test_nobody_goes_where_it_is_or_out_of_reach():
    places = np.array([[0.0, 0.0], [1.0, 0.0], [30.0, 0.0]])
    here = np.zeros((500, 2))
    assert set(destinations(here, places, STREAM, np.arange(500), barred=np.zeros(500, np.int64)).tolist()) == {1}
    assert destinations(here[:2], places[2:], STREAM, np.arange(2)).tolist() == [-1, -1]
    assert destinations(here[:2], places[:0], STREAM, np.arange(2)).tolist() == [-1, -1]


def test_the_last_step_is_taken_by_density_over_the_square_of_distance():
    distance, density = np.tile([1.0, 2.0], (50_000, 1)), np.tile([1.0, 2.0], (50_000, 1))
    taken = chosen(distance, density, STREAM, np.arange(50_000), GravityRules())
    assert (taken == 0).mean() == pytest.approx(2 / 3, abs=0.01)  # 1 / 1 against 2 / 4


@pytest.mark.parametrize("wrong", [{"candidates": 0}, {"nearest": 0.0}, {"nearest": 11.0}, {"ring": 0.0}])
def test_impossible_rules_are_refused(wrong):
    with pytest.raises(UsageError, match="GravityRules"):
        GravityRules(**wrong)
