"""Intervals, tests and corrections, against SciPy, closed forms and repeated sampling."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sociarium.kernel.errors import UsageError
from sociarium.lab import statistics as lab


def drawn(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=seed))


def test_mean_interval_is_students() -> None:
    values = [3.1, 2.7, 4.4, 3.9, 2.2]
    ours = lab.mean_interval(values)
    low, high = stats.t.interval(0.95, 4, np.mean(values), stats.sem(values))
    assert (ours.estimate, ours.low, ours.high) == pytest.approx((np.mean(values), low, high))
    assert np.isnan(lab.mean_interval([1.0]).low)
    assert lab.mean_interval([2.0, 2.0]).high == 2.0


def test_mean_interval_covers_as_often_as_it_says() -> None:
    samples = drawn(1).normal(5, 2, (2_000, 6))
    covered = sum(lab.mean_interval(sample).holds(5) for sample in samples)
    assert stats.binom.ppf(0.0005, 2_000, 0.95) <= covered <= stats.binom.ppf(0.9995, 2_000, 0.95)


@given(st.integers(1, 500), st.floats(0, 1), st.sampled_from([0.8, 0.95, 0.999]))
def test_share_interval_equals_scipys_wilson(trials: int, part: float, level: float) -> None:
    successes = round(trials * part)
    ours = lab.share_interval(successes, trials, level)
    theirs = stats.binomtest(successes, trials).proportion_ci(level, method="wilson")
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    assert 0 <= ours.low <= ours.estimate <= ours.high <= 1


def test_bootstrap_is_the_seed_and_nothing_else_and_near_the_truth() -> None:
    values = drawn(2).exponential(1, 400)
    first, again, other = (lab.bootstrap_interval(values, seed=seed) for seed in (3, 3, 4))
    assert first == again and first != other
    t = lab.mean_interval(values)
    assert first.low == pytest.approx(t.low, abs=0.02) and first.high == pytest.approx(t.high, abs=0.02)
    assert lab.bootstrap_interval(values, np.median, seed=1).holds(np.log(2))


def test_bootstrap_does_not_depend_on_its_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    values = drawn(5).normal(size=50)
    whole = lab.bootstrap_interval(values, seed=1, resamples=1_000)
    monkeypatch.setattr(lab, "CHUNK", 700)
    assert lab.bootstrap_interval(values, seed=1, resamples=1_000) == whole


def test_paired_t_equals_scipys_over_many_experiments() -> None:
    ours, theirs = drawn(6).normal(size=(2, 40, 12))
    result = lab.paired_t(ours, theirs)
    reference = stats.ttest_rel(ours, theirs, axis=1)
    assert result.t == pytest.approx(reference.statistic) and result.p == pytest.approx(reference.pvalue)
    interval = reference.confidence_interval()
    assert result.low == pytest.approx(interval.low) and result.high == pytest.approx(interval.high)


def test_paired_machinery_has_the_power_and_the_size_it_should() -> None:
    """45 pairs, differences with standard deviation 4 months, 1000 replications."""
    noise = drawn(7).normal(0, 4, (1_000, 45))
    zero = np.zeros_like(noise)
    assert (lab.paired_t(noise + 4, zero).p < 0.001).sum() >= 980
    assert 29 <= (lab.paired_t(noise, zero).p < 0.05).sum() <= 74
    assert lab.paired_power(4, 4, 45, 0.001) == pytest.approx(0.999, abs=1e-3)
    assert lab.paired_power(0, 4, 45, 0.05) == pytest.approx(0.05)


def test_paired_t_without_spread() -> None:
    flat = lab.paired_t([[3, 3, 3], [1, 1, 1]], [[3, 3, 3], [0, 0, 0]])
    assert flat.p.tolist() == [1.0, 0.0]
    assert lab.paired_t([1, 2, 3], [0, 1, 2]).interval().estimate == 1.0


def test_pairs_needed_is_the_fewest() -> None:
    for effect, deviation in ((1.0, 2.0), (4.0, 4.0), (0.2, 1.0)):
        count = lab.pairs_needed(effect, deviation, 0.9)
        assert lab.paired_power(effect, deviation, count) >= 0.9
        assert count == 2 or lab.paired_power(effect, deviation, count - 1) < 0.9
    with pytest.raises(UsageError):
        lab.pairs_needed(0, 1)


def test_common_random_numbers_cancel_what_both_arms_share() -> None:
    shared = drawn(8).normal(0, 10, 30)
    effect = 1 + drawn(9).normal(0, 0.5, 30)
    common = lab.common_difference(shared + effect, shared)
    apart = lab.independent_difference(shared + effect, shared)
    assert common.holds(1) and common.estimate == pytest.approx(apart.estimate)
    assert common.high - common.low < (apart.high - apart.low) / 10


def test_welch_equals_scipys() -> None:
    ours, theirs = drawn(10).normal(1, 1, 9), drawn(11).normal(0, 3, 14)
    mine = lab.independent_difference(ours, theirs)
    reference = stats.ttest_ind(ours, theirs, equal_var=False).confidence_interval()
    assert (mine.low, mine.high) == pytest.approx((reference.low, reference.high))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_corrections_equal_independent_ones(p_values: list[float]) -> None:
    from statsmodels.stats.multitest import multipletests

    assert lab.benjamini_hochberg(p_values) == pytest.approx(stats.false_discovery_control(p_values), abs=1e-12)
    assert lab.holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1], abs=1e-12)


def test_holm_keeps_false_findings_below_the_level_under_the_null() -> None:
    nulls = drawn(12).random((2_000, 10))
    assert sum((lab.holm(row) < 0.05).any() for row in nulls) <= stats.binom.ppf(0.9995, 2_000, 0.05)
    assert sum((row < 0.05).any() for row in nulls) > 600  # what would happen without it


def test_impossible_requests_are_refused() -> None:
    for bad in (
        lambda: lab.mean_interval([]),
        lambda: lab.mean_interval([1, np.nan]),
        lambda: lab.mean_interval([1, 2], 95),
        lambda: lab.share_interval(5, 4),
        lambda: lab.bootstrap_interval([1.0], seed=1),
        lambda: lab.bootstrap_interval([1.0, 2.0], seed=1, resamples=3),
        lambda: lab.paired_t([1], [2]),
        lambda: lab.common_difference([1, 2, 3], [1, 2]),
        lambda: lab.holm([0.5, 1.5]),
    ):
        with pytest.raises(UsageError):
            bad()
