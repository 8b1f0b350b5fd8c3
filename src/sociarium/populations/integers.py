"""From weights to whole people: counts with an exact total."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.randomness import Stream

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def largest_remainder(weights: ArrayLike, total: int | None = None) -> Ints:
    """Whole counts nearest to the weights with an exact total (Hamilton's method); ties go to the earlier. Without chance, and so biased
    for
    weights below one: rare rows vanish."""
    exact, goal = _scaled(weights, total)
    floors = np.floor(exact + 1e-9).astype(np.int64)
    missing = goal - int(floors.sum())
    first = np.lexsort((np.arange(len(exact)), -(exact - floors)))[:missing]
    floors[first] += 1
    return floors


def truncate_replicate_sample(weights: ArrayLike, random: Stream, total: int | None = None) -> Ints:
    """Whole parts are kept, and the rest is drawn without replacement with probability equal to the fractional part (Lovelace and Ballas
    2013).

    Systematic sampling in random order: the total is exact, each count is its weight rounded up or down, and its mean is the weight.
    """
    exact, goal = _scaled(weights, total)
    floors = np.floor(exact + 1e-9).astype(np.int64)
    missing = goal - int(floors.sum())
    if missing > 0:
        order = random.order(np.arange(len(exact)))
        parts = np.maximum(exact - floors, 0.0)[order]
        ladder = np.cumsum(parts) * (missing / parts.sum())
        steps = np.floor(ladder + random.at("start").uniform([0])[0])
        steps[-1] = missing
        floors[order] += np.diff(steps, prepend=0.0).astype(np.int64)
    return floors


def polished(counts: ArrayLike, incidence: ArrayLike, wanted: ArrayLike, *, steps: int = 2_000) -> Ints:
    """Counts whose sums are nearer to what is wanted: again and again one member goes and another comes, the best of each, as long as the
    sum
    of squared errors falls (a search in the manner of Voas and Williamson 2000). The total stays. Only rows with a count above 0 take part.

    ``incidence``: (constraints, rows), what one member of the row adds to each constraint.
    """
    current, matrix, goal = np.array(counts, np.int64), np.asarray(incidence, np.float64), np.asarray(wanted, np.float64)
    used = np.flatnonzero(current > 0)
    if not len(used):
        return current
    columns, have = matrix[:, used], current[used].copy()
    squares = (columns**2).sum(axis=0)
    rest = goal - columns @ have
    for _ in range(steps):
        gone = int(np.where(have > 0, 2 * (rest @ columns) + squares, np.inf).argmin())
        without = rest + columns[:, gone]
        come = int((squares - 2 * (without @ columns)).argmin())
        after = without - columns[:, come]
        if not after @ after < rest @ rest - 1e-9:
            break
        have[gone] -= 1
        have[come] += 1
        rest = after
    current[used] = have
    return current


def _scaled(weights: ArrayLike, total: int | None) -> tuple[Floats, int]:
    exact = np.asarray(weights, np.float64)
    if not np.isfinite(exact).all() or (exact < 0).any():
        raise UsageError("weights are finite and not negative")
    whole = float(exact.sum())
    goal = round(whole) if total is None else total
    if goal < 0 or (goal > 0 and not whole > 0):
        raise UsageError(f"weights that sum to {whole:g} cannot become {goal} people")
    return (exact * (goal / whole) if whole > 0 else exact), goal
