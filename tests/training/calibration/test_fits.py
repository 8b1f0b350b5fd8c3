"""Every way to fit, on a line with known noise: estimates, intervals, and being stopped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from sociarium.environments.tensors import torch
from sociarium.kernel.errors import UsageError
from sociarium.training.calibration.fit import Fit
from sociarium.training.calibration.gradient import Descent, fit_gradient, loss_and_gradient
from sociarium.training.calibration.intervals import identifiability, jacobian, moments_intervals, noise_effect
from sociarium.training.calibration.parameters import Parameter, Space
from sociarium.training.calibration.posterior import Particles, fit_posterior
from sociarium.training.calibration.search import Method, fit_search
from sociarium.training.calibration.targets import Target, Targets, simulated

SPACE = Space(Parameter("level", -10, 10, 0.0), Parameter("slope", -5, 5, 0.0))
TRUE = {"level": np.array([2.0]), "slope": np.array([1.5])}
DESIGN = np.column_stack([np.ones(5), [0.0, 1.0, 2.0, 3.0, 5.0]])
EXACT = 0.5 * np.sqrt(np.diag(np.linalg.inv(DESIGN.T @ DESIGN)))  # standard errors of least squares, noise .5


def data(line: Any, seed: int = 99) -> Targets:
    return Targets(Target("line", line(TRUE, [seed])["line"][0], variance=0.25))


@pytest.mark.parametrize("method", get_args(Method))
def test_every_search_finds_least_squares_and_its_interval(line: Any, method: Method) -> None:
    targets = data(line)
    best = np.linalg.lstsq(DESIGN, targets.observed, rcond=None)[0]
    fit = fit_search(line, SPACE, targets, method=method, seed=1, replicates=16, evaluations=240 if method != "optuna" else 120)
    widths = np.array([(i.high - i.low) / 2 / 1.96 for i in fit.intervals.values()])
    close = 1.5 if method in ("gauss-newton", "nelder-mead") else 4  # simulated means have a quarter of the noise; the others look wide
    assert (np.abs(np.array(list(fit.estimate.values())) - best) < close * EXACT).all()
    assert np.allclose(widths, EXACT * (1 + 1 / 16) ** 0.5, rtol=0.45), "48 runs tell the noise to about 20 %"
    assert len(fit.losses) <= 240 and fit.fitted.shape == (48, 5)


def test_gradient_descent_finds_the_same(line: Any) -> None:
    targets = data(line)
    ours = fit_gradient(line, SPACE, targets, seed=1, descent=Descent(steps=600, rate=2e-2, replicates=16))
    theirs = fit_search(line, SPACE, targets, method="gauss-newton", seed=1, replicates=16)
    for name, interval in ours.intervals.items():
        assert interval.estimate == pytest.approx(theirs.intervals[name].estimate, abs=0.02)
        assert interval.low == pytest.approx(theirs.intervals[name].low, abs=0.05)


def test_the_derivative_of_the_loss_is_that_of_finite_differences(line: Any) -> None:
    targets, seeds, at = data(line), [1, 2, 3], np.array([0.3, -0.2])
    _, slope = loss_and_gradient(line, SPACE, targets, at, seeds)
    for k in range(2):
        h = 1e-5 * np.eye(2)[k]
        ends = [targets.loss(simulated(line, SPACE, targets, at + sign * h, seeds)[0].mean(0)) for sign in (1, -1)]
        assert slope[k] == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-6)


def test_intervals_hold_the_truth_as_often_as_they_say(line: Any) -> None:
    held = np.zeros(2)
    free = SPACE.free({"level": 2.0, "slope": 1.5})
    every = line({name: np.repeat(value, 300) for name, value in TRUE.items()}, range(300))["line"]
    replicates = line({name: np.repeat(value, 400) for name, value in TRUE.items()}, range(1000, 1400))["line"]
    for observed in every:  # least squares in closed form; the interval as a fit would give it
        targets = Targets(Target("line", observed, variance=0.25))
        best = dict(zip(("level", "slope"), np.linalg.lstsq(DESIGN, observed, rcond=None)[0], strict=True))
        place = SPACE.free(best)
        derivative = jacobian(line, SPACE, targets, place, [1], step=1e-3)
        found, flat = moments_intervals(SPACE, targets, place, derivative, replicates, 10**9)
        assert not flat
        held += [found["level"].holds(2.0), found["slope"].holds(1.5)]
    assert free.shape == (2,)
    assert (np.abs(held / 300 - 0.95) < 4 * (0.95 * 0.05 / 300) ** 0.5).all()


def test_the_posterior_is_that_of_least_squares_under_an_even_prior(line: Any) -> None:
    targets = data(line)
    best = np.linalg.lstsq(DESIGN, targets.observed, rcond=None)[0]
    fit = fit_posterior(line, SPACE, targets, seed=3, particles=Particles(400, 5))
    assert fit.samples is not None
    assert (np.abs(np.median(fit.samples, 0) - best) < EXACT).all()
    assert np.allclose(fit.samples.std(0), EXACT, rtol=0.35)
    raw = fit_posterior(line, SPACE, targets, seed=3, particles=Particles(400, 5, adjust=False))
    assert raw.samples is not None and (raw.samples.std(0) > fit.samples.std(0)).all(), "without the regression it is too wide"


def test_a_fit_stopped_and_resumed_is_the_same_to_the_last_bit(line: Any, tmp_path: Path) -> None:
    targets = data(line)
    how = {"rate": 2e-2, "replicates": 2, "keep_every": 5}
    whole = fit_gradient(line, SPACE, targets, seed=1, descent=Descent(steps=40, **how))
    fit_gradient(line, SPACE, targets, seed=1, descent=Descent(steps=17, **how), state=tmp_path / "a.npz")
    resumed = fit_gradient(line, SPACE, targets, seed=1, descent=Descent(steps=40, **how), state=tmp_path / "a.npz")
    assert resumed.plain() == whole.plain()
    cut = fit_posterior(line, SPACE, targets, seed=1, particles=Particles(40, 2), state=tmp_path / "b.npz")
    resumed = fit_posterior(line, SPACE, targets, seed=1, particles=Particles(40, 4), state=tmp_path / "b.npz")
    assert resumed.plain() == fit_posterior(line, SPACE, targets, seed=1, particles=Particles(40, 4)).plain() != cut.plain()
    with pytest.raises(UsageError, match="another training"):
        fit_gradient(line, SPACE, targets, seed=2, descent=Descent(steps=40, **how), state=tmp_path / "a.npz")
    (tmp_path / "c.npz").write_bytes(b"no archive")
    with pytest.raises(UsageError, match="no saved state"):
        fit_gradient(line, SPACE, targets, seed=2, descent=Descent(steps=40, **how), state=tmp_path / "c.npz")


@pytest.mark.parametrize("method", get_args(Method))
def test_a_search_killed_in_the_middle_of_a_line_goes_on_without_asking_again(line: Any, method: Method, tmp_path: Path) -> None:
    targets, path = data(line), tmp_path / "search.jsonl"

    def search(journal: Path | None) -> Fit:
        return fit_search(line, SPACE, targets, method=method, seed=4, replicates=2, evaluations=30, journal=journal)

    whole = search(path)
    before = line.runs
    assert search(path).plain() == whole.plain() == search(None).plain()
    ended = 2 * len(whole.losses) + 48 + 2 * 24 * 2
    assert line.runs - before == 2 * ended - 2 * len(whole.losses), "with its journal only the end is run again"
    lines = path.read_text("utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[:8]) + lines[8][:20], "utf-8")
    assert search(path).plain() == whole.plain()
    assert path.read_text("utf-8") == "".join(lines)
    with pytest.raises(UsageError, match="another search"):
        fit_search(line, SPACE, targets, method=method, seed=5, replicates=2, evaluations=30, journal=path)


def test_a_fit_goes_to_json_and_back_and_to_a_picture(line: Any, tmp_path: Path) -> None:
    fit = fit_search(line, SPACE, data(line), method="gauss-newton", seed=1)
    loaded = Fit.load(fit.save(tmp_path / "fit.json"))
    assert loaded.plain() == fit.plain()
    assert loaded.values(SPACE)["slope"] == fit.estimate["slope"]
    text = fit.plot(tmp_path / "fit.svg", title="A line").read_text("utf-8")
    assert all(words in text for words in ("A line", "observed", "simulated", "Loss", "slope = "))
    (tmp_path / "bad.json").write_text(json.dumps({"method": 1}), "utf-8")
    with pytest.raises(UsageError, match="holds no fit"):
        Fit.load(tmp_path / "bad.json")


def test_what_the_data_do_not_tell_has_the_whole_range(line: Any) -> None:
    def sums_only(values: Any, seeds: Any) -> Any:
        return {"line": line({"level": values["level"] + values["other"], "slope": values["slope"]}, seeds)["line"]}

    space = Space(*SPACE.parameters, Parameter("other", -1, 1, 0.1))
    fit = fit_search(sums_only, space, data(line), method="gauss-newton", seed=1)
    assert "level, other" in fit.notes[0]
    assert (fit.intervals["other"].low, fit.intervals["other"].high) == (-1, 1)
    assert fit.intervals["slope"].high - fit.intervals["slope"].low < 1


def test_missing_observations_are_left_out_and_streams_weigh_by_their_inverse_variance(line: Any) -> None:
    observed = np.array([2.0, np.nan, 5.0, 6.5, np.nan])
    targets = Targets(Target("line", observed, variance=4.0), Target("other", [1.0, 3.0], weight=2.0))
    assert targets.observed.tolist() == [2.0, 5.0, 6.5, 1.0, 3.0]
    assert targets.weights.tolist() == [0.25] * 3 + [1.0] * 2
    row = targets.row({"line": np.arange(10.0).reshape(2, 5), "other": np.ones((2, 2))})
    assert row.tolist() == [[0, 2, 3, 1, 1], [5, 7, 8, 1, 1]]
    same = targets.row({"line": torch.arange(10.0).reshape(2, 5), "other": torch.ones((2, 2))})
    assert same.tolist() == row.tolist()
    assert float(targets.loss(same[0])) == pytest.approx(targets.loss(row[0]), rel=1e-6)
    with pytest.raises(UsageError, match="no series 'other'"):
        targets.row({"line": np.zeros((2, 5))})
    with pytest.raises(UsageError, match=r"has shape \(4,\)"):
        targets.row({"line": np.zeros((2, 4)), "other": np.ones((2, 2))})


def test_the_jacobian_of_a_line_is_its_design(line: Any) -> None:
    targets, at = data(line), SPACE.start()
    scale = np.array([20, 10]) / 4  # of the transform, in the middle of each range
    assert np.allclose(jacobian(line, SPACE, targets, at, [5], step=1e-3), DESIGN * scale, rtol=1e-5)
    told = identifiability(DESIGN, targets.weights, SPACE.names)
    assert np.allclose(told.eigenvalues, np.linalg.eigvalsh(4 * DESIGN.T @ DESIGN))
    assert told.confounded() == []
    with pytest.raises(UsageError, match="does not fit"):
        identifiability(DESIGN.T, targets.weights, SPACE.names)


def test_noise_on_a_count_moves_the_estimate_as_the_formula_says() -> None:
    agents, force, reproduction, sigma = 1e4, 0.1, 2.0, 100.0
    count = agents * (1 - np.exp(-reproduction * force))

    def estimate(total: Any) -> Any:
        return -np.log(1 - total / agents) / force

    spread, bias = noise_effect(estimate, count, sigma)
    assert spread == pytest.approx(0.1221, abs=5e-5)
    assert bias == pytest.approx(7.5e-4, rel=0.01)
    noise = sigma * np.random.Generator(np.random.PCG64(1)).standard_normal(1_000_000)
    both = np.concatenate([estimate(count + noise), estimate(count - noise)]) - reproduction  # pairs of opposite noise
    assert both.std() == pytest.approx(spread, rel=0.01)
    assert both.mean() == pytest.approx(bias, rel=0.15)


def test_what_cannot_be_fitted_is_refused(line: Any) -> None:
    with pytest.raises(UsageError, match="there is no search"):
        fit_search(line, SPACE, data(line), method="luck")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="at least one target"):
        Targets()
    with pytest.raises(UsageError, match="no observation"):
        Targets(Target("line", [np.nan]))
    with pytest.raises(UsageError, match="rate above 0"):
        fit_gradient(line, SPACE, data(line), descent=Descent(rate=0))
    with pytest.raises(UsageError, match="between 0 and 1"):
        fit_search(line, SPACE, data(line), method="gauss-newton", level=95)
    with pytest.raises(UsageError, match="at least 20"):
        Particles(5)
