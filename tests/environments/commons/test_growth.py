"""Growth laws, collapse tests and thresholds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sociarium.environments.commons.growth import Adding, Logistic, LostAbove, LostBelow, Multiplying, NeverLost, per_agent_threshold
from sociarium.kernel.errors import UsageError

ALL_STOCKS = np.arange(101)


def test_doubling_and_its_collapse_over_every_stock() -> None:
    regrown = Multiplying().regrow(ALL_STOCKS)
    lost = LostBelow().lost(ALL_STOCKS)
    assert regrown.dtype == np.int64
    for left in range(101):
        assert regrown[left] == min(100, left + left)
        assert lost[left] == (left in (0, 1, 2, 3, 4))


def test_the_four_boundary_stocks_of_the_fishery() -> None:
    left = np.array([4, 5, 50, 51])
    assert LostBelow().lost(left).tolist() == [True, False, False, False]
    assert Multiplying().regrow(left).tolist() == [8, 10, 100, 100]


def test_trash_grows_by_fifty_and_is_overfull_above_ninety_five() -> None:
    regrown = Adding().regrow(ALL_STOCKS)
    lost = LostAbove().lost(ALL_STOCKS)
    for left in range(101):
        assert regrown[left] == min(100, left + 50)
        assert lost[left] == (left in (96, 97, 98, 99, 100))


def test_growth_rules_differ_from_twenty_and_meet_from_sixty() -> None:
    assert Multiplying().regrow(np.array([20, 60])).tolist() == [40, 100]
    assert Adding().regrow(np.array([20, 60])).tolist() == [70, 100]


def test_thresholds_of_the_two_worlds_are_ten_each_for_five_agents() -> None:
    full = np.array([100])
    assert per_agent_threshold(Multiplying().group_threshold(full), 5).tolist() == [10]
    assert per_agent_threshold(Adding().group_threshold(full), 5).tolist() == [10]
    assert per_agent_threshold(Multiplying().group_threshold(np.array([75, 9, 11])), 5).tolist() == [7, 0, 1]  # floor of a floor


@pytest.mark.parametrize(
    "law",
    [
        Multiplying(),
        Multiplying(3),
        Multiplying(1.1),
        Multiplying(1.5, 80),
        Logistic(),
        Logistic(0.3),
        Logistic(1.7),
        Adding(),
        Adding(7),
        Adding(0),
    ],
)
def test_a_threshold_is_the_largest_whole_harvest_that_regrows(law: Multiplying | Logistic | Adding) -> None:
    for stock in range(int(law.capacity) + 1):
        enough = [take for take in range(stock + 1) if law.regrow(np.array([stock - take]))[0] >= stock]
        expected = max(enough, default=0)
        assert law.group_threshold(np.array([stock]))[0] == expected, f"at stock {stock}"


@given(st.integers(0, 100), st.floats(0.01, 3))
def test_logistic_growth_stays_between_nothing_and_capacity(left: int, rate: float) -> None:
    regrown = Logistic(rate).regrow(np.array([left]))[0]
    assert 0 <= regrown <= 100
    assert Logistic(rate).regrow(np.array([0, 100])).tolist() == [0, 100]


def test_never_lost_never_ends() -> None:
    assert not NeverLost().lost(ALL_STOCKS).any()


def test_impossible_parameters_are_refused() -> None:
    for build in (lambda: Multiplying(1), lambda: Multiplying(2, 0), lambda: Logistic(3.5), lambda: Adding(-1)):
        with pytest.raises(UsageError):
            build()
    with pytest.raises(UsageError):
        per_agent_threshold(np.array([50]), 0)
