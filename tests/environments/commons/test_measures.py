"""Measures of sustainability against closed forms, plain loops and dynamic programming."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sociarium.environments.commons.growth import Adding, LostBelow, Multiplying, per_agent_threshold
from sociarium.environments.commons.measures import (
    Sustainability,
    efficiency,
    equality,
    months_survived,
    over_usage,
    sustainability,
    time_cost,
    waste,
)
from sociarium.lab.reference import PlainRun, least_removal, most_units, plain_measures, play_commons

Policy = Callable[[int, int, int], int]


def double(left: int) -> int:
    return min(100, 2 * left)


def trash(left: int) -> int:
    return min(100, left + 50)


def too_little(left: int) -> bool:
    return left < 5


def overfull(left: int) -> bool:
    return left > 95


def fishery(policy: Policy, horizon: int = 12) -> PlainRun:
    return play_commons(policy, agents=5, horizon=horizon, regrow=double, lost=too_little)


def house(policy: Policy) -> PlainRun:
    return play_commons(policy, agents=5, horizon=12, regrow=trash, lost=overfull)


def measured(run: PlainRun, law: Multiplying | Adding | None = None) -> Sustainability:
    thresholds = per_agent_threshold((law or Multiplying()).group_threshold(np.array([run.before])), 5)
    return sustainability(np.array([run.catches]), np.array([run.months]), thresholds, horizon=12, first_threshold=50)


def test_a_tenth_each_sustains_all_twelve_months() -> None:
    result = measured(fishery(lambda agent, month, stock: stock // 10))
    assert result.months.tolist() == [12] and result.survived.all()
    assert result.gain.tolist() == [[120.0] * 5]
    assert result.efficiency.tolist() == [1.0] and result.equality.tolist() == [1.0] and result.over_usage.tolist() == [0.0]


def test_twenty_each_ends_the_first_month_with_a_sixth_of_the_harvest() -> None:
    result = measured(fishery(lambda agent, month, stock: 20))
    assert result.months.tolist() == [1] and not result.survived.any()
    assert result.mean_gain.tolist() == [20.0]
    assert round(100 * float(result.efficiency[0]), 1) == 16.7
    assert result.over_usage.tolist() == [1.0]


def test_the_group_optimum_is_650_and_efficiency_stops_at_one() -> None:
    best, plan = most_units(100, 12, double, too_little)
    assert best == 650 and sum(plan) == 650 and plan[-1] == 100
    run = fishery(lambda agent, month, stock: plan[month] // 5)
    result = measured(run)
    assert result.gain.sum() == 650 and result.gain.tolist() == [[130.0] * 5]
    assert result.efficiency.tolist() == [1.0]
    assert months_survived(np.array([run.after]), LostBelow(), 12).tolist() == [12]  # emptied in month 12 is still 12


@pytest.mark.parametrize(("greedy", "months"), list(enumerate([12, 4, 2, 1, 1, 1])))
def test_greedy_mixes_collapse_when_the_spec_says(greedy: int, months: int) -> None:
    run = fishery(lambda agent, month, stock: stock // 5 + 10 if agent < greedy else stock // 2 // 5)
    assert run.months == months
    assert months_survived(np.array([run.after + [0] * (12 - run.months)]), LostBelow(), 12).tolist() == [months]


@pytest.mark.parametrize("sustainable", range(6))
def test_mixed_groups_of_ten_and_twenty(sustainable: int) -> None:
    plain = fishery(lambda agent, month, stock: 10 if agent < sustainable else 20)
    persuaded = fishery(lambda agent, month, stock: 10 if agent < sustainable else 15)
    assert plain.months == [1, 2, 2, 2, 3, 12][sustainable]
    assert persuaded.months == [2, 2, 3, 3, 4, 12][sustainable]
    assert persuaded.months >= plain.months


@pytest.mark.parametrize(("horizon", "switch"), [(400, 5 / 6), (15, 0.8472), (12, 0.8610)])
def test_defecting_beats_grim_cooperation_exactly_below_the_discount(horizon: int, switch: float) -> None:
    def discounted(policy: Policy, factor: float) -> float:
        run = fishery(policy, horizon)
        return sum(factor**month * catches[0] for month, catches in enumerate(run.catches))

    def cooperate(agent: int, month: int, stock: int) -> int:
        return 10

    def defect(agent: int, month: int, stock: int) -> int:
        return (60 if agent == 0 else 10) if month == 0 else 0

    for factor, expected in ((switch - 1e-3, True), (switch + 1e-3, False)):
        assert (discounted(defect, factor) > discounted(cooperate, factor)) is expected
    assert fishery(defect, horizon).months == 1


def test_the_inverse_world_in_closed_form() -> None:
    five = house(lambda agent, month, stock: 1)
    assert five.months == 12 and sum(five.gains) == 60 and five.gains == [12] * 5
    assert house(lambda agent, month, stock: int(agent < 4)).months == 1
    everything = house(lambda agent, month, stock: stock // 5)
    assert sum(everything.gains) == 650 and everything.gains == [130] * 5
    assert least_removal(100, 12, trash, overfull)[0] == 60
    assert least_removal(100, 12, trash, overfull, last_month_may_be_lost=True)[0] == 55


def test_ten_each_in_the_inverse_world_wastes_540() -> None:
    run = house(lambda agent, month, stock: 10)
    result = measured(run, Adding())
    assert result.months.tolist() == [12] and result.gain.sum() == 600 and result.over_usage.tolist() == [0.0]
    assert waste(result.gain, least_removal(100, 12, trash, overfull)[0]).tolist() == [540.0]
    assert time_cost(result.gain).tolist() == [[1200.0] * 5]


@given(st.lists(st.lists(st.integers(0, 20), min_size=4, max_size=4), min_size=1, max_size=6), st.integers(0, 2**31))
def test_the_kernels_equal_the_printed_formulas(catches: list[list[int]], seed: int) -> None:
    thresholds = np.random.Generator(np.random.Philox(key=seed)).integers(0, 20, (1, len(catches)))
    fast = sustainability(np.array([catches]), np.array([len(catches)]), thresholds, horizon=12, first_threshold=50)
    plain = plain_measures(catches, thresholds[0].tolist())
    assert fast.gain[0].tolist() == plain.gains
    assert fast.efficiency[0] == pytest.approx(plain.efficiency, abs=1e-12)
    assert fast.over_usage[0] == pytest.approx(plain.over_usage, abs=1e-12)
    if plain.equality is None:
        assert np.isnan(fast.equality[0])
    else:
        assert fast.equality[0] == pytest.approx(plain.equality, abs=1e-12)


def test_months_after_the_end_are_not_counted() -> None:
    catches = np.array([[[10, 10], [99, 99]]])
    thresholds = np.array([[5, 5]])
    assert over_usage(catches, np.array([1]), thresholds).tolist() == [1.0]
    assert sustainability(catches, np.array([1]), thresholds, horizon=2, first_threshold=20).gain.tolist() == [[10.0, 10.0]]


def test_equality_is_missing_where_nobody_caught_anything_and_known_in_the_extremes() -> None:
    values = equality(np.array([[0, 0, 0], [5, 5, 5], [9, 0, 0]]))
    assert np.isnan(values[0]) and values[1] == 1.0 and values[2] == pytest.approx(1 / 3)


def test_efficiency_is_capped_and_needs_a_harvest() -> None:
    assert efficiency(np.array([700.0, 300.0]), 12, 50).tolist() == [1.0, 0.5]
    with pytest.raises(Exception, match="positive sustainable harvest"):
        efficiency(np.array([1.0]), 12, 0)
