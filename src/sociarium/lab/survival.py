"""How long things last: Kaplan-Meier curves with Greenwood intervals, and the log-rank test between arms.

A run that reached its horizon is censored: it lasted at least so long. Durations are in ticks (months, rounds).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.extras import optional

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class SurvivalCurve:
    """The share that outlasts each time. All arrays have one value a time, and begin at time 0 with everybody."""

    times: Floats
    survival: Floats
    low: Floats
    high: Floats
    at_risk: Ints  # how many were still watched just before the time
    ended: Ints  # how many ended at it
    level: float

    def at(self, time: float) -> float:
        """The share that outlasts ``time``."""
        return float(self.survival[np.searchsorted(self.times, time, side="right") - 1])

    def median(self) -> float:
        """The first time by which half have ended; nan where more than half outlast the horizon."""
        past = np.flatnonzero(self.survival <= 0.5)
        return float(self.times[past[0]]) if len(past) else float("nan")


@dataclass(frozen=True, slots=True)
class LogRank:
    """A two-sided test that two arms end at the same rate at all times."""

    statistic: float  # standard normal under the null
    p: float


def kaplan_meier(durations: ArrayLike, ended: ArrayLike, level: float = 0.95) -> SurvivalCurve:
    """The product-limit estimate (Kaplan and Meier 1958) with Greenwood's interval on the log-log scale, which stays inside 0 to 1.

    ``durations``: how long each was watched; ``ended``: True where it ended then, False where it was still going on.
    """
    lasting, over = _checked(durations, ended)
    if not 0 < level < 1:
        raise UsageError(f"an interval's level must lie between 0 and 1, such as 0.95, not {level}")
    times = np.unique(lasting)
    at_risk = len(lasting) - np.searchsorted(np.sort(lasting), times, side="left")
    ends = np.searchsorted(np.sort(lasting[over]), times, side="right") - np.searchsorted(np.sort(lasting[over]), times, side="left")
    survival = np.cumprod(1 - ends / at_risk)
    with np.errstate(divide="ignore", invalid="ignore"):
        greenwood = np.cumsum(ends / (at_risk * (at_risk - ends)))
        z = float(optional("scipy.stats", "lab", "survival curves").norm.ppf((1 + level) / 2))
        spread = np.exp(z * np.sqrt(greenwood) / np.abs(np.log(survival)))
        low, high = survival**spread, survival ** (1 / spread)
    certain = survival == 1
    low, high = np.where(certain, 1.0, low), np.where(certain, 1.0, high)
    gone = survival == 0  # the log-log interval is not defined where nobody is left
    low, high = np.where(gone, 0.0, low), np.where(gone, 0.0, high)
    return SurvivalCurve(
        times=np.concatenate([[0.0], times]),
        survival=np.concatenate([[1.0], survival]),
        low=np.concatenate([[1.0], low]),
        high=np.concatenate([[1.0], high]),
        at_risk=np.concatenate([[len(lasting)], at_risk]).astype(np.int64),
        ended=np.concatenate([[0], ends]).astype(np.int64),
        level=level,
    )


def log_rank(durations: ArrayLike, ended: ArrayLike, other_durations: ArrayLike, other_ended: ArrayLike) -> LogRank:
    """Compare two arms (Mantel 1966). Where nothing ended in either arm there is nothing to tell apart: p is 1."""
    ours, theirs = _checked(durations, ended), _checked(other_durations, other_ended)
    if not (ours[1].any() or theirs[1].any()):
        return LogRank(0.0, 1.0)
    stats = optional("scipy.stats", "lab", "the log-rank test")
    samples = [stats.CensoredData.right_censored(lasting, ~over) for lasting, over in (ours, theirs)]
    with np.errstate(divide="ignore", invalid="ignore"):
        result = stats.logrank(*samples)
    if np.isnan(result.statistic):  # every end fell when only one arm was still watched
        return LogRank(0.0, 1.0)
    return LogRank(float(result.statistic), float(result.pvalue))


def restricted_mean(curve: SurvivalCurve, horizon: float) -> float:
    """The mean time lasted up to ``horizon``: the area under the curve, in ticks."""
    times = np.append(curve.times[curve.times < horizon], horizon)
    return float((np.diff(times) * curve.survival[: len(times) - 1]).sum())


def _checked(durations: ArrayLike, ended: ArrayLike) -> tuple[Floats, Bools]:
    lasting, over = np.asarray(durations, np.float64), np.asarray(ended, np.bool_)
    if lasting.ndim != 1 or lasting.shape != over.shape or not len(lasting):
        raise UsageError(f"durations {lasting.shape} and ends {over.shape} must be two equal rows with at least one value")
    if not (np.isfinite(lasting) & (lasting > 0)).all():
        raise UsageError("durations must be finite and above 0")
    return lasting, over
