"""How good are stated chances? Ranking (area under the curve), distance (Brier), and whether they mean what they say (calibration)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.errors import UsageError

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_NEWTON_STEPS = 50


@dataclass(frozen=True, slots=True)
class Reliability:
    """Rows in bins of equal size by their stated chance: the mean chance, the share that came out, and how many, one a bin."""

    stated: Floats
    seen: Floats
    count: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Assessment:
    """Of stated chances against what came out. ``slope`` is 1 and ``intercept`` 0 where they are calibrated; a slope below 1 says that
    they are too extreme. ``error``: expected calibration error."""

    area: float
    brier: float
    slope: float
    intercept: float
    error: float
    rows: int

    @classmethod
    def of(cls, came: ArrayLike, chance: ArrayLike, bins: int = 10) -> Assessment:
        slope, intercept = calibration(came, chance)
        area, error = area_under_curve(came, chance), calibration_error(came, chance, bins)
        return cls(area, brier(came, chance), slope, intercept, error, np.size(came))


def area_under_curve(came: ArrayLike, score: ArrayLike) -> float:
    """The chance that a row that came out has a higher score than one that did not, ties counting half (Mann and Whitney 1947)."""
    outcome, value = _checked(came, score)
    _, place, counts = np.unique(value, return_inverse=True, return_counts=True)
    rank = (np.cumsum(counts) - (counts - 1) / 2)[place]  # mean rank of ties, from 1
    ones = int(outcome.sum())
    if not 0 < ones < len(outcome):
        raise UsageError("the area under the curve needs rows that came out and rows that did not")
    return float((rank[outcome].sum() - ones * (ones + 1) / 2) / (ones * (len(outcome) - ones)))


def brier(came: ArrayLike, chance: ArrayLike) -> float:
    """The mean square of chance less outcome (Brier 1950)."""
    outcome, stated = _checked(came, chance)
    return float(((stated - outcome) ** 2).mean())


def calibration(came: ArrayLike, chance: ArrayLike) -> tuple[float, float]:
    """Slope and intercept of the logistic regression of the outcome on the stated log odds (Cox 1958), by Newton's method."""
    outcome, stated = _checked(came, chance)
    if not 0 < outcome.sum() < len(outcome) or (stated == stated[0]).all():
        raise UsageError("calibration needs outcomes of both kinds, and chances that differ")
    safe = np.clip(stated, 1e-12, 1 - 1e-12)
    x = np.log(safe / (1 - safe))
    if x[outcome].min() >= x[~outcome].max() or x[outcome].max() <= x[~outcome].min():
        return float("nan"), float("nan")  # the two kinds are parted: no slope is steep enough
    slope, intercept = 1.0, 0.0
    for _ in range(_NEWTON_STEPS):
        fitted = 1 / (1 + np.exp(-np.clip(intercept + slope * x, -500, 500)))
        left, weight = outcome - fitted, fitted * (1 - fitted)
        gradient = np.array([left.sum(), (left * x).sum()])
        a, b, c = weight.sum(), (weight * x).sum(), (weight * x * x).sum()
        step = np.array([c * gradient[0] - b * gradient[1], a * gradient[1] - b * gradient[0]]) / (a * c - b * b)
        intercept, slope = intercept + float(step[0]), slope + float(step[1])
        if np.abs(step).max() < 1e-10:
            break
    return slope, intercept


def reliability(came: ArrayLike, chance: ArrayLike, bins: int = 10) -> Reliability:
    """In bins of equal size by stated chance; rows of equal chance are not parted, so there may be fewer bins."""
    outcome, stated = _checked(came, chance)
    if bins < 1:
        raise UsageError(f"{bins} bins hold nothing; give at least one")
    edges = np.unique(np.quantile(stated, np.arange(1, bins) / bins))
    place = np.searchsorted(edges, stated, side="right")
    count = np.bincount(place, minlength=len(edges) + 1)
    kept = count > 0
    means = [np.bincount(place, values, len(count))[kept] / count[kept] for values in (stated, outcome.astype(np.float64))]
    return Reliability(means[0], means[1], count[kept].astype(np.int64))


def calibration_error(came: ArrayLike, chance: ArrayLike, bins: int = 10) -> float:
    """Expected calibration error: how far the share that came out lies from the stated chance, over bins by their size (Naeini et al. 2015,
    here with bins of equal size)."""
    found = reliability(came, chance, bins)
    return float(np.abs(found.seen - found.stated) @ found.count / found.count.sum())


def _checked(came: ArrayLike, chance: ArrayLike) -> tuple[Bools, Floats]:
    outcome, stated = np.asarray(came), np.asarray(chance, np.float64)
    if outcome.ndim != 1 or outcome.shape != stated.shape or not len(outcome):
        raise UsageError(f"{outcome.shape} outcomes do not fit {stated.shape} chances; give one row of each")
    if not np.isfinite(stated).all() or not np.isin(outcome, (0, 1)).all():
        raise UsageError("outcomes are 0 or 1, and chances finite")
    return outcome.astype(np.bool_), stated
