"""Both rationing rules against exact expectations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sociarium.environments.commons.rationing import draws_needed, proportional, unit_by_unit
from sociarium.kernel.errors import UsageError
from sociarium.lab.reference import expected_unit_by_unit

WANTED = (10, 20, 30, 40, 0)


def drawn(seed: int, *shape: int) -> np.ndarray:
    return np.random.Generator(np.random.Philox(key=seed)).random(shape)


def many(groups: int, wanted: tuple[int, ...] = WANTED, stock: int = 50) -> tuple[np.ndarray, np.ndarray]:
    return np.tile(np.array(wanted), (groups, 1)), np.full(groups, stock)


def test_the_exact_expectation_is_the_published_one() -> None:
    assert np.round(expected_unit_by_unit(WANTED, 50), 4).tolist() == [9.6721, 13.4245, 13.4517, 13.4517, 0.0]


def test_unit_by_unit_matches_the_exact_expectation_over_twenty_thousand_groups() -> None:
    wanted, stock = many(20_000)
    caught = unit_by_unit(wanted, stock, drawn(1, *wanted.shape, 40))
    assert (caught <= wanted).all() and (caught.sum(axis=1) == 50).all()
    error = caught.std(axis=0, ddof=1) / np.sqrt(20_000)
    expected = expected_unit_by_unit(WANTED, 50)
    assert (np.abs(caught.mean(axis=0) - expected) <= 4 * np.maximum(error, 1e-12)).all()


def test_shuffling_wishes_would_be_told_apart() -> None:
    """The check above has the power to reject the wrong rule: a random half of 100 wishes gives everybody half."""
    shuffled = np.array([5.0, 10, 15, 20, 0])
    assert (np.abs(shuffled - expected_unit_by_unit(WANTED, 50))[:4] > 1).all()


def test_unit_by_unit_has_the_whole_distribution_right() -> None:
    """Two agents want 2 and 1 of 2 units: (1,1) with chance 3/4 and (2,0) with 1/4; a shuffle of wishes gives 2/3."""
    wanted, stock = many(40_000, (2, 1), 2)
    caught = unit_by_unit(wanted, stock, drawn(2, *wanted.shape, 2))
    both = (caught[:, 0] == 1).mean()
    assert abs(both - 0.75) < 4 * np.sqrt(0.75 * 0.25 / 40_000)


def test_proportional_gives_exact_shares_where_they_are_whole() -> None:
    wanted, stock = many(100)
    assert (proportional(wanted, stock, drawn(3, *wanted.shape)) == [5, 10, 15, 20, 0]).all()


def test_proportional_stays_within_one_unit_of_every_share() -> None:
    wanted, stock = many(5_000, stock=47)
    caught = proportional(wanted, stock, drawn(4, *wanted.shape))
    shares = np.array([4.7, 9.4, 14.1, 18.8, 0.0])
    assert (caught.sum(axis=1) == 47).all()
    assert (np.abs(caught - shares) < 1).all()
    assert (caught[:, :4].min(axis=0) < caught[:, :4].max(axis=0)).all()  # each of the four wins the draw at times
    up = (caught[:, :4] - np.floor(shares[:4])).mean(axis=0)
    assert np.abs(up - 0.5).max() < 4 * np.sqrt(0.25 / 5_000)  # two of four, uniformly, without replacement


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(0, 12), min_size=3, max_size=3), min_size=1, max_size=5), st.integers(0, 40), st.integers(0, 10**6))
def test_nothing_is_made_or_lost(wishes: list[list[int]], stock: int, seed: int) -> None:
    wanted = np.array(wishes)
    stocks = np.full(len(wishes), stock)
    draws = drawn(seed, *wanted.shape, 12)
    for caught in (unit_by_unit(wanted, stocks, draws), proportional(wanted, stocks, draws[:, :, 0])):
        assert (caught >= 0).all() and (caught <= wanted).all()
        assert (caught.sum(axis=1) == np.minimum(wanted.sum(axis=1), stocks)).all()


def test_a_group_does_not_depend_on_its_neighbours_nor_on_spare_draws() -> None:
    rng = np.random.Generator(np.random.Philox(key=5))
    wanted, stock = rng.integers(0, 30, (64, 5)), rng.integers(0, 80, 64)
    draws = rng.random((64, 5, 40))
    together = unit_by_unit(wanted, stock, draws)
    for group in range(64):
        units = draws_needed(wanted[group : group + 1], stock[group : group + 1])
        alone = unit_by_unit(wanted[group : group + 1], stock[group : group + 1], draws[group : group + 1, :, :units])
        assert (alone[0] == together[group]).all()


def test_arrivals_at_the_very_same_instant_still_add_up() -> None:
    wanted, stock = many(3, (4, 4, 4), 5)
    caught = unit_by_unit(wanted, stock, np.zeros((3, 3, 5)))
    assert caught.tolist() == [[4, 1, 0]] * 3


def test_bad_shapes_and_parts_of_units_are_refused() -> None:
    wanted, stock = many(2)
    for bad in (
        lambda: unit_by_unit(wanted, stock, np.zeros((2, 5, 3))),
        lambda: unit_by_unit(wanted * 1.0, stock, np.zeros((2, 5, 50))),
        lambda: unit_by_unit(-wanted, stock, np.zeros((2, 5, 50))),
        lambda: proportional(wanted, stock, np.zeros((2, 4))),
        lambda: proportional(wanted, stock[:1], np.zeros((2, 5))),
    ):
        with pytest.raises(UsageError):
            bad()
