"""Who gets how much when agents together want more than there is.

Both rules are pure: wishes, stock and uniform draws in, catches out, many groups at once. ``wanted`` has the shape (groups,
agents) and ``stock`` the shape (groups,), both in whole units. Wishes that fit the stock are served in full.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.errors import UsageError

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def unit_by_unit(wanted: Ints, stock: Ints, draws: Floats) -> Ints:
    """Hand out one unit after another, each to a uniformly random agent who still wants one (GovSim's "stochastic").

    ``draws``: uniform in [0, 1), shape (groups, agents, units) with ``units`` at least ``draws_needed(wanted, stock)``; draw
    (i, k) stands for the k-th wish of agent i, and further columns change nothing.

    Exact in one pass, without walking through the units: let each agent's wishes arrive as an independent Poisson process of
    rate one. At any moment the next arrival is equally likely to come from each agent who has wishes left (the exponential has
    no memory), so serving the first ``stock`` arrivals is the rule itself. Shuffling all wishes would be another rule: it
    favours those who want much.
    """
    wanted, stock = _checked(wanted, stock)
    caught = wanted.copy()
    short = np.flatnonzero(wanted.sum(axis=1) > stock)
    if not len(short):
        return caught
    units = draws_needed(wanted, stock)
    if draws.ndim != 3 or draws.shape[:2] != wanted.shape or draws.shape[2] < units:
        raise UsageError(
            f"draws of shape {draws.shape} do not serve: need (groups, agents, units) = {(*wanted.shape, units)} or more units"
        )
    if units == 0:  # every group that is short has nothing at all
        caught[short] = 0
        return caught
    arrivals = np.cumsum(-np.log1p(-draws[short, :, :units]), axis=2)
    arrivals[np.arange(units) >= wanted[short, :, None]] = np.inf
    caught[short] = _first(arrivals, stock[short])
    return caught


def draws_needed(wanted: Ints, stock: Ints) -> int:
    """How many draws an agent ``unit_by_unit`` reads: the most wishes of one agent that could matter in a group that is short."""
    short = wanted.sum(axis=1) > stock
    return int(np.minimum(wanted[short], stock[short, None]).max(initial=0))


def proportional(wanted: Ints, stock: Ints, draws: Floats) -> Ints:
    """Serve all in the same proportion: shares rounded down, what is left over drawn among those who were rounded down.

    ``draws``: uniform in [0, 1), shape (groups, agents). The left-over units are drawn without replacement, so that nobody ends
    a whole unit from the exact share wanted * stock / total.
    """
    wanted, stock = _checked(wanted, stock)
    if draws.shape != wanted.shape:
        raise UsageError(f"draws of shape {draws.shape} do not serve: need (groups, agents) = {wanted.shape}")
    total = wanted.sum(axis=1)
    short = total > stock
    shares = wanted * stock[:, None]
    divisor = np.maximum(total, 1)[:, None]
    floors, rest = shares // divisor, shares % divisor
    left_over = np.where(short, stock - floors.sum(axis=1), 0)
    keys = np.where(rest > 0, draws, np.inf)
    rank = np.argsort(np.argsort(keys, axis=1, kind="stable"), axis=1, kind="stable")
    return np.where(short[:, None], floors + (rank < left_over[:, None]), wanted)


def _first(arrivals: Floats, stock: Ints) -> Ints:
    """How many of each agent's arrivals are among the first ``stock`` of its group. Shape (groups, agents)."""
    groups, agents, units = arrivals.shape
    flat = arrivals.reshape(groups, agents * units)
    in_order = np.sort(flat, axis=1)
    last = np.where(stock > 0, in_order[np.arange(groups), np.maximum(stock, 1) - 1], -np.inf)
    counts = (arrivals <= last[:, None, None]).sum(axis=2)
    for group in np.flatnonzero(counts.sum(axis=1) != stock):  # two arrivals at the very same instant: the lower agent first
        served = np.argsort(flat[group], kind="stable")[: stock[group]]
        counts[group] = np.bincount(served // units, minlength=agents)
    return counts.astype(np.int64)


def _checked(wanted: Ints, stock: Ints) -> tuple[Ints, Ints]:
    if wanted.ndim != 2 or stock.shape != wanted.shape[:1]:
        raise UsageError(f"wishes of shape {wanted.shape} and stock of shape {stock.shape}: need (groups, agents) and (groups,)")
    if not (np.issubdtype(wanted.dtype, np.integer) and np.issubdtype(stock.dtype, np.integer)):
        raise UsageError("rationing hands out whole units: wishes and stock must be integers")
    if (wanted < 0).any() or (stock < 0).any():
        raise UsageError("wishes and stock must not be negative")
    return wanted.astype(np.int64), stock.astype(np.int64)
