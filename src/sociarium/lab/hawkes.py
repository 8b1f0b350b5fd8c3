"""Fitting Hawkes processes to data by maximum likelihood, with intervals.

``fit_steps`` fits the discrete clock (``kernel.hawkes.Excitation``) to counts a step; ``fit_times`` the continuous process to event times
(log-likelihood by the recursion of Ozaki 1979). Intervals are of the log of each parameter, from the observed information.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.extras import optional

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class HawkesFit:
    """Estimates by name, their 95 % intervals (nan where the data do not bound them), and the highest log-likelihood."""

    estimates: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    log_likelihood: float
    events: int


def fit_steps(
    counts: ArrayLike, *, step: float, awakenings: float, kicks: ArrayLike | None = None, start: Sequence[float] = (0.02, 0.01, 0.1)
) -> HawkesFit:
    """mu, alpha and beta (a minute) of the discrete clock without outside events or curve: counts are Poisson with mean ``awakenings`` *
    lambda * step / 60. ``kicks``: what the actions of each step add up to (their weights); the counts themselves where None."""
    observed = np.asarray(counts, np.float64)
    added = observed if kicks is None else np.asarray(kicks, np.float64)
    if observed.ndim != 1 or observed.shape != added.shape or len(observed) < 10 or (observed < 0).any():
        raise UsageError("fit_steps needs one count of 0 or more for each of at least 10 steps, and as many kicks")

    def log_likelihood(values: Floats) -> float:
        mean = step_means(added, *np.exp(values).tolist(), step=step, awakenings=awakenings)
        return float((observed * np.log(mean) - mean).sum())

    constant = float(sum(math.lgamma(count + 1) for count in observed))
    return _fitted(log_likelihood, ("background", "own_kick", "own_decay"), start, int(observed.sum()), -constant)


def step_means(kicks: Floats, background: float, kick: float, decay: float, *, step: float, awakenings: float) -> Floats:
    """The mean count of each step, given what was done in the steps before."""
    fade = math.exp(-decay * step)
    signal = optional("scipy.signal", "lab", "fitting a Hawkes process")
    felt = np.asarray(signal.lfilter([0.0, fade], [1.0, -fade], kicks), np.float64)
    return awakenings * -np.expm1(-(background + kick * felt)) * step / 60


def fit_times(times: ArrayLike, until: float, *, start: Sequence[float] = (0.0, 0.5, 0.1)) -> HawkesFit:
    """background, kick (mean offspring) and decay of a continuous process with a flat curve, from event times in (0, until), minutes.
    A ``start`` background of 0 is half the mean rate."""
    events = np.sort(np.asarray(times, np.float64))
    if len(events) < 10 or events[0] < 0 or events[-1] > until:
        raise UsageError(f"fit_times needs at least 10 event times between 0 and {until}")

    def log_likelihood(values: Floats) -> float:
        background, kick, decay = np.exp(values).tolist()
        felt, total, last = 0.0, 0.0, events[0]
        for time in events.tolist():
            felt *= math.exp(-decay * (time - last))
            total += math.log(background + kick * decay * felt)
            felt, last = felt + 1.0, time
        return total - background * until - kick * float(-np.expm1(-decay * (until - events)).sum())

    begin = (start[0] or len(events) / until / 2, *start[1:])
    return _fitted(log_likelihood, ("background", "kick", "decay"), begin, len(events), 0.0)


def _fitted(
    log_likelihood: Callable[[Floats], float], names: Sequence[str], start: Sequence[float], events: int, constant: float
) -> HawkesFit:
    optimize = optional("scipy.optimize", "lab", "fitting a Hawkes process")
    settings = {"xatol": 1e-6, "fatol": 1e-8, "maxiter": 4000}

    def cost(values: Floats) -> float:
        return -log_likelihood(values)

    found = optimize.minimize(cost, np.log(start), method="Nelder-Mead", options=settings)
    best: Floats = np.asarray(found.x, np.float64)
    information = -_hessian(log_likelihood, best)
    with np.errstate(invalid="ignore"):
        try:
            spread = np.sqrt(np.diag(np.linalg.inv(information)))
        except np.linalg.LinAlgError:
            spread = np.full(len(best), np.nan)
    low, high = np.exp(best - 1.959964 * spread), np.exp(best + 1.959964 * spread)
    estimates = {name: float(value) for name, value in zip(names, np.exp(best), strict=True)}
    intervals = {name: (float(a), float(b)) for name, a, b in zip(names, low, high, strict=True)}
    return HawkesFit(estimates, intervals, log_likelihood(best) + constant, events)


def _hessian(function: Callable[[Floats], float], at: Floats, step: float = 1e-3) -> Floats:
    """Second derivatives by central differences."""
    size = len(at)
    moves = np.eye(size) * step
    out = np.empty((size, size))
    for i in range(size):
        for j in range(size):
            corners = [function(at + a * moves[i] + b * moves[j]) for a, b in ((1, 1), (1, -1), (-1, 1), (-1, -1))]
            out[i, j] = (corners[0] - corners[1] - corners[2] + corners[3]) / (4 * step * step)
    return out
