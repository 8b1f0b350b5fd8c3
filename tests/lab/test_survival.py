"""Survival curves against SciPy, statsmodels and hand calculation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.duration.survfunc import SurvfuncRight, survdiff

from sociarium.kernel.errors import UsageError
from sociarium.lab.survival import kaplan_meier, log_rank, restricted_mean

WATCHED = st.lists(st.tuples(st.integers(1, 12), st.booleans()), min_size=2, max_size=40)


@given(WATCHED)
def test_the_curve_equals_scipys_product_limit(watched: list[tuple[int, bool]]) -> None:
    durations, ended = map(np.array, zip(*watched, strict=True))
    ours = kaplan_meier(durations, ended)
    theirs = stats.ecdf(stats.CensoredData.right_censored(durations.astype(float), ~ended)).sf
    for time, survival in zip(theirs.quantiles, theirs.probabilities, strict=True):
        assert ours.at(time) == pytest.approx(survival, abs=1e-12)
    assert (ours.low <= ours.survival + 1e-12).all() and (ours.survival <= ours.high + 1e-12).all()


def test_the_interval_is_greenwoods() -> None:
    durations, ended = [1, 2, 2, 4, 6, 7, 9, 12, 12, 12], [1, 1, 0, 1, 1, 0, 1, 0, 0, 0]
    ours = kaplan_meier(durations, ended)
    theirs = SurvfuncRight(durations, ended)
    z = stats.norm.ppf(0.975)
    for time, survival, error in zip(theirs.surv_times, theirs.surv_prob, theirs.surv_prob_se, strict=True):
        place = ours.times.tolist().index(time)
        spread = np.exp(z * error / (survival * abs(np.log(survival))))
        assert (ours.low[place], ours.high[place]) == pytest.approx((survival**spread, survival ** (1 / spread)))


def test_all_twelve_months_and_all_at_once() -> None:
    forever = kaplan_meier([12, 12, 12], [False] * 3)
    assert forever.survival.tolist() == [1, 1] and np.isnan(forever.median()) and restricted_mean(forever, 12) == 12
    at_once = kaplan_meier([1, 1, 1], [True] * 3)
    assert at_once.survival.tolist() == [1, 0] and at_once.median() == 1 and restricted_mean(at_once, 12) == 1


def test_the_mean_up_to_the_horizon_is_the_mean_of_months() -> None:
    months = np.array([1, 4, 7, 12, 12])
    assert restricted_mean(kaplan_meier(months, months < 12), 12) == pytest.approx(months.mean())


@given(WATCHED, WATCHED)
def test_log_rank_equals_statsmodels(ours: list[tuple[int, bool]], theirs: list[tuple[int, bool]]) -> None:
    durations, ended = map(np.array, zip(*ours, strict=True))
    other, other_ended = map(np.array, zip(*theirs, strict=True))
    result = log_rank(durations, ended, other, other_ended)
    if result.p == 1.0:
        return
    arm = np.repeat([0, 1], [len(ours), len(theirs)])
    chi_square, p = survdiff(np.concatenate([durations, other]), np.concatenate([ended, other_ended]), arm)
    assert result.statistic**2 == pytest.approx(chi_square) and result.p == pytest.approx(p)


def test_log_rank_finds_a_difference_and_not_a_missing_one() -> None:
    random = np.random.Generator(np.random.Philox(key=4))
    short, long = random.geometric(0.5, 60), np.minimum(12, random.geometric(0.05, 60))
    assert log_rank(short, np.full(60, True), long, long < 12).p < 1e-6
    assert log_rank([12, 12], [False, False], [12, 12], [False, False]).p == 1.0


def test_bad_durations_are_refused() -> None:
    for durations, ended in (([], []), ([0, 1], [True, True]), ([1, 2], [True])):
        with pytest.raises(UsageError):
            kaplan_meier(durations, ended)
