"""Maximum likelihood finds the parameters that made the data (POSIM, line A3)."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sociarium.kernel.errors import UsageError
from sociarium.kernel.hawkes import ContinuousHawkes, poisson
from sociarium.kernel.randomness import Randomness
from sociarium.lab.hawkes import fit_steps, fit_times, step_means

TRUTH = (0.01, 0.005, 0.16)


def counts(seed: int, steps: int = 2000) -> np.ndarray:
    """The set-up of A2 with weight 1: every awake agent makes one action."""
    drawn, felt, fade = Randomness(seed).stream("counts").uniform(np.arange(steps)), 0.0, math.exp(-1.6)
    out = np.empty(steps)
    for step, uniform in enumerate(drawn.tolist()):
        out[step] = poisson(2000 / 6 * -math.expm1(-(0.01 + 0.005 * felt)), uniform)
        felt = (felt + out[step]) * fade
    return out


@pytest.mark.parametrize("seed", range(10))
def test_the_truth_is_as_likely_as_chance_allows(seed):
    observed = counts(seed)
    fit = fit_steps(observed, step=10, awakenings=2000)
    mean = step_means(observed, *TRUTH, step=10, awakenings=2000)
    truth = float((observed * np.log(mean) - mean).sum() - sum(math.lgamma(count + 1) for count in observed))
    gain = 2 * (fit.log_likelihood - truth)
    assert -1e-6 < gain < 16.27
    assert 0.008 < fit.estimates["background"] < 0.0125


def test_intervals_hold_the_truth_as_often_as_they_say():
    held = sum(
        low < 0.01 < high for seed in range(20) for low, high in [fit_steps(counts(seed), step=10, awakenings=2000).intervals["background"]]
    )
    assert held >= 16  # of 20 at 95 %: fewer by chance less than once in a thousand


def test_a_continuous_process_is_recovered():
    kicks, decays = [], []
    for seed in range(8):
        times = ContinuousHawkes(0.2, 0.6, 0.5).times(4000.0, Randomness(seed).stream("t"))
        fit = fit_times(times, 4000.0)
        kicks.append(fit.estimates["kick"])
        decays.append(fit.estimates["decay"])
        low, high = fit.intervals["kick"]
        assert low < fit.estimates["kick"] < high
    assert np.mean(kicks) == pytest.approx(0.6, abs=0.05)
    assert np.mean(decays) == pytest.approx(0.5, abs=0.08)


def test_too_few_data_are_refused():
    with pytest.raises(UsageError, match="at least 10 steps"):
        fit_steps([1, 2], step=10, awakenings=100)
    with pytest.raises(UsageError, match="at least 10 event times"):
        fit_times([1.0], 10.0)
