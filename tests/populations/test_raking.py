"""Raking: closed forms, an independent implementation, exact totals, and clear errors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from sociarium.kernel.errors import UsageError
from sociarium.kernel.randomness import Randomness
from sociarium.populations.goodness import MarginalFit
from sociarium.populations.integers import largest_remainder, polished, truncate_replicate_sample
from sociarium.populations.raking import fit_table, rake, reconciled


def stream(seed=0):
    return Randomness(seed).stream("test")


class TestTables:
    def test_without_a_seed_variables_are_independent(self):
        rows, columns = np.array([30.0, 70.0]), np.array([20.0, 50.0, 30.0])
        fit = fit_table([((0,), rows), ((1,), columns)], shape=(2, 3))
        assert fit.table == pytest.approx(np.outer(rows, columns) / 100)
        assert fit.report.converged and len(fit.report.history) <= 2

    def test_odds_ratios_of_the_seed_stay(self):
        seed = np.array([[3.0, 1.0], [2.0, 5.0]])
        table = fit_table([((0,), [40, 60]), ((1,), [55, 45])], seed=seed).table
        odds = lambda t: t[0, 0] * t[1, 1] / (t[0, 1] * t[1, 0])  # noqa: E731
        assert odds(table) == pytest.approx(odds(seed))

    @settings(max_examples=25, deadline=None)
    @given(st.integers(0, 10_000))
    def test_three_overlapping_marginals_of_a_table_are_met(self, seed):
        truth = stream(seed).uniform(np.arange(2 * 3 * 4)).reshape(2, 3, 4) + 0.05
        start = stream(seed).uniform(np.arange(2 * 3 * 4), 1).reshape(2, 3, 4) + 0.05
        start[0, 0, 0] = truth[0, 0, 0] = 0
        marginals = [((0, 1), truth.sum(2)), ((2, 1), truth.sum(0).T), ((0, 2), truth.sum(1))]
        fit = fit_table(marginals, seed=start, iterations=20_000, tolerance=1e-9)
        assert fit.table.sum(2) == pytest.approx(truth.sum(2), abs=1e-6)
        assert fit.table.sum(0) == pytest.approx(truth.sum(0), abs=1e-6)
        assert fit.table.sum(1) == pytest.approx(truth.sum(1), abs=1e-6)
        assert fit.table[0, 0, 0] == 0

    def test_it_is_the_nearest_table(self):
        """Beside a general optimiser of Kullback and Leibler's divergence under the same marginals."""
        seed, rows, columns = np.array([[3.0, 1.0, 2.0], [2.0, 5.0, 1.0]]), np.array([7.0, 9.0]), np.array([5.0, 5.0, 6.0])
        loss = lambda x: (x * np.log(x / seed.ravel()) - x).sum()  # noqa: E731
        sums = np.array([np.repeat([1, 0], 3), np.repeat([0, 1], 3), np.tile([1, 0, 0], 2), np.tile([0, 1, 0], 2)])  # the last follows
        held = {"type": "eq", "fun": lambda x: sums @ x - [*rows, *columns[:2]]}
        bounds, options = [(1e-6, None)] * 6, {"ftol": 1e-14, "maxiter": 500}
        best = optimize.minimize(loss, np.full(6, 2.5), bounds=bounds, constraints=held, method="SLSQP", options=options)
        assert best.success
        assert fit_table([((0,), rows), ((1,), columns)], seed=seed).table.ravel() == pytest.approx(best.x, abs=1e-4)

    def test_what_cannot_be_met_is_named(self):
        with pytest.raises(UsageError, match="0 sums to 10, 1 to 11"):
            fit_table([((0,), [4, 6]), ((1,), [5, 6])], shape=(2, 2))
        with pytest.raises(UsageError, match=r"wants 6 at \[1\], where the seed has only zeros"):
            fit_table([((0,), [4, 6])], seed=[[1, 1], [0, 0]])
        with pytest.raises(UsageError, match="did not converge"):
            fit_table([((0,), [1, 9]), ((1,), [5, 5])], seed=[[1, 1], [0, 1]], iterations=50)
        with pytest.raises(UsageError, match="shape"):
            fit_table([((0,), [1, 2, 3])], shape=(2, 2))


SAMPLE = {"sex": ["f", "f", "f", "m", "m"], "age": ["young", "old", "old", "young", "old"]}


class TestSurveys:
    def test_weights_meet_the_marginals(self):
        fit = rake(SAMPLE, {"sex": {"f": 50, "m": 50}, "age": {"young": 60, "old": 40}})
        female, young = np.array([1, 1, 1, 0, 0], bool), np.array([1, 0, 0, 1, 0], bool)
        assert fit.weights[female].sum() == pytest.approx(50) and fit.weights[young].sum() == pytest.approx(60)
        assert fit.weights[1] == fit.weights[2]
        assert fit.report["age"].largest_error < 1e-5
        assert fit.effective_size < 5

    def test_one_marginal_is_post_stratification(self):
        fit = rake({"sex": ["f"] * 3 + ["m"]}, {"sex": {"f": 10, "m": 30}})
        assert fit.weights == pytest.approx([10 / 3] * 3 + [30])
        trimmed = rake({"sex": ["f"] * 3 + ["m"]}, {"sex": {"f": 10, "m": 30}}, trim=(0.5, 2))
        assert trimmed.weights.max() <= 20 and not trimmed.report.converged
        assert "kept from 0.5 to 2" in trimmed.report.text()

    def test_trimming_that_does_no_harm_meets_the_marginals(self):
        sample = {"a": (stream().uniform(np.arange(2000)) < 0.3).astype(int), "b": stream().integers(0, 3, np.arange(2000), 1)}
        fit = rake(sample, {"a": {"0": 0.6, "1": 0.4}, "b": {"0": 0.1, "1": 0.2, "2": 0.3, "3": 0.4}}, trim=(0.3, 3))
        assert fit.report.converged and fit.report.largest_error < 1e-6

    def test_weights_are_those_of_statsmodels_loglinear_form(self):
        """Raked weights are products of one factor a category: their logarithm is additive."""
        sample = {"a": np.repeat([0, 1], 40), "b": np.tile([0, 1, 2, 3], 20)}
        fit = rake(sample, {"a": {"0": 30, "1": 70}, "b": {"0": 40, "1": 30, "2": 20, "3": 10}}, weights=np.ones(80))
        logs = np.log(fit.weights).reshape(2, 10, 4)[:, 0]
        assert logs[0] - logs[1] == pytest.approx(np.full(4, logs[0, 0] - logs[1, 0]))

    def test_what_cannot_be_met_is_named(self):
        with pytest.raises(UsageError, match="wants 3 of 'x', of which the sample has nobody"):
            rake({"sex": ["f"]}, {"sex": {"f": 1, "x": 3}})
        with pytest.raises(UsageError, match="sex 'm', for which there is no target"):
            rake(SAMPLE, {"sex": {"f": 1}})
        with pytest.raises(UsageError, match="totals of marginals differ"):
            rake(SAMPLE, {"sex": {"f": 1, "m": 1}, "age": {"young": 1, "old": 2}})
        with pytest.raises(UsageError, match="no column 'race'"):
            rake(SAMPLE, {"race": {"a": 1}})

    def test_reconciled_marginals_agree(self):
        agreed = reconciled({"a": {"x": 9, "y": 11}, "b": {"z": 30}})
        assert agreed == {"a": {"x": 11.25, "y": 13.75}, "b": {"z": 25}}
        assert sum(reconciled({"a": {"x": 9, "y": 11}}, total=7)["a"].values()) == pytest.approx(7)


class TestIntegers:
    @given(st.lists(st.floats(0, 50), min_size=1, max_size=40).filter(lambda w: sum(w) > 0.6), st.integers(0, 99))
    def test_totals_are_exact_and_counts_are_neighbours(self, weights, seed):
        total = round(sum(weights))
        for counts in (largest_remainder(weights), truncate_replicate_sample(weights, stream(seed))):
            assert counts.sum() == total
            scaled = np.array(weights) * total / sum(weights)
            assert (np.abs(counts - scaled) < 1 + 1e-6).all()
        assert largest_remainder(weights, total=5).sum() == 5

    def test_sampling_is_unbiased(self):
        weights = np.array([0.1, 0.25, 2.4, 0.05, 1.2, 0.7, 3.0, 0.3])
        drawn = np.array([truncate_replicate_sample(weights, stream(seed)) for seed in range(3000)])
        assert drawn.mean(axis=0) == pytest.approx(weights, abs=4 * 0.5 / np.sqrt(3000))
        assert (drawn[:, 6] == 3).all()

    def test_polishing_never_makes_it_worse_and_keeps_the_total(self):
        matrix = stream().integers(0, 3, np.arange(5)[:, None], np.arange(60)[None, :])
        weights = stream(1).uniform(np.arange(60)) * 3
        wanted = matrix @ weights
        counts = truncate_replicate_sample(weights, stream(2))
        better = polished(counts, matrix, wanted)
        assert better.sum() == counts.sum() and (better >= 0).all()
        assert np.abs(matrix @ better - wanted).sum() < 0.5 * np.abs(matrix @ counts - wanted).sum()


def test_statistics_of_fit_as_scipy():
    fit = MarginalFit("age", ("a", "b", "c"), np.array([20.0, 30.0, 50.0]), np.array([25.0, 30.0, 45.0]))
    assert fit.chi_square == pytest.approx(stats.chisquare(fit.fitted, fit.wanted).statistic)
    assert fit.g_square == pytest.approx(stats.power_divergence(fit.fitted, fit.wanted, lambda_="log-likelihood").statistic)
    assert (fit.degrees_of_freedom, fit.largest_error, fit.variation) == (2, 5.0, pytest.approx(0.05))
    assert fit.srmse == pytest.approx(np.sqrt(50 / 3) / (100 / 3))
    assert MarginalFit("b", ("x", "y"), np.array([1.0, 0.0]), np.array([1.0, 0.5])).chi_square == np.inf
