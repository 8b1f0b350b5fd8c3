"""Rationing among the agents of many groups of different sizes, with draws that belong to agents."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.commons.rationing import draws_needed, proportional, unit_by_unit
from sociarium.kernel.randomness import Stream

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

AT_ONCE = 1 << 21  # draws made at a time, so that memory stays small however many groups are short


def shared_out(agents: Ints, groups: Ints, wanted: Ints, stock: Floats, rule: Literal["stochastic", "proportional"], draws: Stream) -> Ints:
    """What each agent gets, in whole units. ``agents``, ``groups`` and ``wanted`` are aligned; ``stock`` has one value a group.

    Draw (agent, k) decides over the k-th wish of an agent, so the result of a group does not depend on which others are there.
    """
    total = np.bincount(groups, wanted, len(stock))
    whole = np.floor(np.maximum(stock, 0)).astype(np.int64)
    short = np.flatnonzero(total > whole)
    if not len(short):
        return wanted
    caught = wanted.copy()
    rows = np.flatnonzero(np.isin(groups, short))
    rows = rows[np.lexsort((agents[rows], groups[rows]))]
    sizes = np.bincount(groups[rows], minlength=len(stock))[short]
    widest = int(sizes.max())
    step = max(1, AT_ONCE // (widest * max(1, int(whole[short].max(initial=0)))))
    ends = np.cumsum(sizes)
    for first in range(0, len(short), step):
        some = slice(first, first + step)
        begin = 0 if first == 0 else int(ends[first - 1])
        mine = rows[begin : int(ends[some][-1])]
        caught[mine] = _rationed(agents[mine], wanted[mine], sizes[some], whole[short[some]], rule, draws)
    return caught


def _rationed(agents: Ints, wanted: Ints, sizes: Ints, stock: Ints, rule: str, draws: Stream) -> Ints:
    """Groups side by side as rows of a matrix, padded with agents who want nothing."""
    filled: Any = np.arange(int(sizes.max())) < sizes[:, None]
    wishes, who = np.zeros(filled.shape, np.int64), np.zeros(filled.shape, np.int64)
    wishes[filled], who[filled] = wanted, agents
    if rule == "proportional":
        return proportional(wishes, stock, draws.uniform(who))[filled]
    units = np.arange(draws_needed(wishes, stock), dtype=np.int64)
    uniform = draws.uniform(np.broadcast_to(who[:, :, None], (*who.shape, len(units))), units)
    return unit_by_unit(wishes, stock, uniform)[filled]
