"""The regression of unemployment on claims, with intervals: what the labour environment's coefficients are estimated by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.extras import optional
from sociarium.lab.statistics import Interval

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class UnemploymentFit:
    """``slopes``: of claims per labour force, this month's first. ``intercepts``: one a county. ``residual``: standard deviation."""

    slopes: tuple[Interval, ...]
    intercepts: tuple[Interval, ...]
    residual: float


def fit_unemployment(
    claims: ArrayLike, labour_force: ArrayLike, unemployment: ArrayLike, *, months: int = 2, level: float = 0.95
) -> UnemploymentFit:
    """Least squares of u = sum_k slope_k * claims_(t-k) / labour force + intercept of the county, over all months and counties.

    Extra ``lab``.

    All arrays are (months, counties); ``labour_force`` may be (counties,). ``months``: how many months of claims count. Intervals use
    errors
    robust to unequal variance (HC1).
    """
    seen, wanted = np.asarray(claims, np.float64), np.asarray(unemployment, np.float64)
    if seen.shape != wanted.shape or seen.ndim != 2:
        raise UsageError(f"claims {seen.shape} and unemployment {wanted.shape} must both be (months, counties)")
    if len(seen) - months + 1 < months + 2:
        raise UsageError(f"{len(seen)} months are too few to estimate {months} coefficients")
    rates = seen / np.broadcast_to(np.asarray(labour_force, np.float64), seen.shape)
    counties, rows = seen.shape[1], len(seen) - months + 1
    columns = [rates[months - 1 - lag : len(rates) - lag].reshape(-1) for lag in range(months)]
    dummies = np.tile(np.eye(counties), (rows, 1))
    design = np.column_stack([*columns, dummies])
    models = optional("statsmodels.api", "lab", "the regression")
    fit = models.OLS(wanted[months - 1 :].reshape(-1), design).fit(cov_type="HC1")
    bounds = np.asarray(fit.conf_int(1 - level), np.float64)
    intervals = [
        Interval(float(value), float(low), float(high), level, "least squares, HC1")
        for value, (low, high) in zip(np.asarray(fit.params, np.float64).tolist(), bounds.tolist(), strict=True)
    ]
    return UnemploymentFit(tuple(intervals[:months]), tuple(intervals[months:]), float(np.sqrt(fit.scale)))
