"""How well does a simulated twin agree with what was recorded? Bands, ranks within them, totals, sizes and communities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.extras import optional

Floats = NDArray[np.float64]

INSIDE = (0.16, 0.84)  # the middle 68 per cent


@dataclass(frozen=True, slots=True)
class TwinBand:
    """By layer (or instant): the median of the trials, and the 16th and 84th percentile."""

    median: Floats
    low: Floats
    high: Floats

    @classmethod
    def of(cls, trials: ArrayLike) -> TwinBand:
        """Of (trials, layers)."""
        median, low, high = np.quantile(np.asarray(trials, np.float64), [0.5, *INSIDE], axis=0)
        return cls(median, low, high)


@dataclass(frozen=True, slots=True)
class Agreement:
    """``inside``: by layer, the share of recorded cascades whose randomised rank among the trials lies in the middle 68 per cent: 0.68
    where both are one process. ``total``: mean size of the trials over that of the recorded, less 1. ``distance``: Kolmogorov and
    Smirnov's, between the sizes. ``communities``: Spearman's correlation of mean reach by community; nan for fewer than three."""

    inside: Floats
    total: float
    distance: float
    communities: float


def agreement(
    recorded: ArrayLike, trials: ArrayLike, uniform: ArrayLike, *, recorded_by: ArrayLike | None = None, trials_by: ArrayLike | None = None
) -> Agreement:
    """Recorded (cascades, layers) against simulated (trials, layers), with layer 0 the source; ``uniform`` (cascades, layers) splits ties.
    ``recorded_by`` and ``trials_by``: reach by community, (cascades, communities) and (trials, communities)."""
    real, ours = np.asarray(recorded), np.asarray(trials)
    if real.ndim != 2 or ours.ndim != 2 or real.shape[1] != ours.shape[1] or not len(real) or not len(ours):
        raise UsageError(f"recorded layers {real.shape} and simulated ones {ours.shape} must be two tables with as many layers")
    between = float("nan")
    if recorded_by is not None and trials_by is not None and np.shape(recorded_by)[1] > 2:
        between = rank_correlation(np.asarray(recorded_by).mean(axis=0), np.asarray(trials_by).mean(axis=0))
    return Agreement(
        inside_share(real, ours, uniform),
        float(ours.sum(axis=1).mean() / real.sum(axis=1).mean() - 1),
        float(_stats().ks_2samp(real.sum(axis=1), ours.sum(axis=1)).statistic),
        between,
    )


def inside_share(recorded: ArrayLike, trials: ArrayLike, uniform: ArrayLike) -> Floats:
    """By layer, the share of recorded cascades whose randomised rank lies between 0.16 and 0.84. Layers are small whole numbers: a plain
    band would hold far more than 68 per cent of them, however exact the twin."""
    real, ours, tie = np.asarray(recorded), np.asarray(trials), np.asarray(uniform, np.float64)
    found = np.empty(real.shape[1])
    for layer in range(real.shape[1]):
        values, counts = np.unique(ours[:, layer], return_counts=True)
        upto = np.concatenate([[0], np.cumsum(counts)]) / len(ours)
        below, through = (upto[np.searchsorted(values, real[:, layer], side=side)] for side in ("left", "right"))
        rank = below + tie[:, layer] * (through - below)
        found[layer] = ((rank > INSIDE[0]) & (rank < INSIDE[1])).mean()
    return found


def rank_correlation(one: ArrayLike, other: ArrayLike) -> float:
    """Spearman's; nan where either is constant."""
    a, b = np.asarray(one, np.float64), np.asarray(other, np.float64)
    if (a == a[0]).all() or (b == b[0]).all():
        return float("nan")
    return float(_stats().spearmanr(a, b).statistic)


def same_distribution(one: ArrayLike, other: ArrayLike) -> float:
    """The p value of Kolmogorov and Smirnov's test that two samples come from one distribution (with ties it is too large, never too
    small)."""
    return float(_stats().ks_2samp(np.asarray(one), np.asarray(other)).pvalue)


def _stats() -> Any:
    return optional("scipy.stats", "lab", "comparing distributions")


__all__ = ["INSIDE", "Agreement", "TwinBand", "agreement", "inside_share", "rank_correlation", "same_distribution"]
