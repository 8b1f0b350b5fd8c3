"""Attitudes from 0 (against) to 10 (for), by topic: columns, how they move, and how polarised they are. For any mind.

How opinions spread on networks is ``environments.opinion``; this is what one agent holds, and what is measured of all.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

LOW, HIGH, MIDDLE = 0.0, 10.0, 5.0


def persuaded(own: ArrayLike, other: ArrayLike, *, bound: float = HIGH, rate: float = 0.5) -> Floats:
    """Towards the other by ``rate`` where the two lie no farther than ``bound`` apart (bounded confidence), within 0 and 10."""
    mine, theirs = np.asarray(own, np.float64), np.asarray(other, np.float64)
    moved = mine + rate * (theirs - mine)
    return np.clip(np.where(np.abs(theirs - mine) <= bound, moved, mine), LOW, HIGH)


@dataclass(frozen=True, slots=True)
class Polarisation:
    """Shares of agents whose distance from the middle grew or shrank, and who crossed it; and the mean distance after."""

    grew: float
    shrank: float
    crossed: float
    distance: float


def polarisation(before: ArrayLike, after: ArrayLike, *, middle: float = MIDDLE, least: float = 1e-9) -> Polarisation:
    """How attitudes have moved, as AgentSociety counts it. ``least``: a move of the distance that counts. All nan of no agents."""
    first, last = np.asarray(before, np.float64) - middle, np.asarray(after, np.float64) - middle
    if not first.size:
        return Polarisation(nan, nan, nan, nan)
    growth = np.abs(last) - np.abs(first)
    grew, shrank, crossed = (float(share.mean()) for share in (growth > least, growth < -least, first * last < 0))
    return Polarisation(grew, shrank, crossed, float(np.abs(last).mean()))
