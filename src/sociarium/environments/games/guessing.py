"""The guess-a-fraction-of-the-average game: its winner, its equilibrium, and how deep players think.

As played at scale in "Very Large-Scale Multi-Agent Simulation in AgentScope" (arXiv 2407.17789). Numbers are points between 0 and
``maximum``; the winner is shift + ratio * mean.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.errors import UsageError

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def winning_number(reports: Floats, ratio: float, shift: float = 0.0) -> float:
    """What the players tried to hit. Reports that failed are left out before; without any it is nan.

    The sum is exact (``math.fsum``), so the number does not depend on how players are split into groups.
    """
    return shift + ratio * math.fsum(reports.tolist()) / len(reports) if len(reports) else math.nan


def pooled_mean(parts: Sequence[Floats]) -> float:
    """The mean over all groups from one (sum, count) a group, whatever the sizes; nan where no player answered."""
    count = sum(len(part) for part in parts)
    return math.fsum(math.fsum(part.tolist()) for part in parts) / count if count else math.nan


def fixed_point(ratio: float, shift: float = 0.0) -> float:
    """The one number that is its own winner: shift / (1 - ratio)."""
    if not 0 <= ratio < 1:
        raise UsageError(f"ratio {ratio} must be at least 0 and below 1; otherwise reports do not converge")
    return shift / (1 - ratio)


def level_report(level: int, ratio: float, shift: float = 0.0, start: float = 50.0) -> float:
    """What a level-k player reports: the best response to a world of level k - 1, level 0 having the mean ``start``."""
    report = start
    for _ in range(level):
        report = shift + ratio * report
    return report


def level_shares(reports: Floats, ratio: float, *, levels: int = 2, maximum: float = 100.0, tolerance: float = 0.5) -> Floats:
    """Estimated shares of level 0, 1, ... ``levels`` players, shape (levels + 1,), from one round of reports.

    Level 0 is uniform over 0 .. maximum; deeper levels report their number within ``tolerance``. Reports outside all windows can
    only be level 0, and a known part of level 0 falls into the windows by chance: both are accounted for, so the estimate is the
    maximum-likelihood one while no share would be negative (where one would, it is set to nothing and the rest rescaled).
    """
    if not len(reports):
        raise UsageError("no reports to estimate levels from")
    centres = [level_report(level, ratio, start=maximum / 2) for level in range(1, levels + 1)]
    if any(centres[k] - centres[k + 1] < 2 * tolerance for k in range(levels - 1)):
        raise UsageError(f"with ratio {ratio} the windows of {levels} levels overlap at tolerance {tolerance}; lower either")
    inside = np.array([(np.abs(reports - centre) <= tolerance).mean() for centre in centres])
    width = np.array([min(maximum, centre + tolerance) - max(0.0, centre - tolerance) for centre in centres]) / maximum
    beginners = (1 - inside.sum()) / (1 - width.sum())
    shares = np.clip(np.array([beginners, *(inside - beginners * width)]), 0, None)
    return shares / shares.sum()


def standard_errors_from_random(mean: float, count: int, maximum: int = 100) -> float:
    """How many standard errors a mean lies from that of ``count`` players who draw whole numbers 0 .. maximum at random."""
    deviation = math.sqrt(((maximum + 1) ** 2 - 1) / 12)
    return (mean - maximum / 2) / (deviation / math.sqrt(count))
