"""Who and what is in sight, for all who look at once.

In sight is what lies within a square of radius ``vision`` tiles around the looker, in the same arena of the same town; of that, the
``attention`` nearest are noticed (distance in steps of a king, then the lower code). After Park et al., arXiv 2304.03442.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Points:
    """Where things are: x, y, and the room they are in (one number for group and arena), all (n,); ``codes`` tell them apart."""

    x: Ints
    y: Ints
    room: Ints
    codes: Ints


def in_sight(lookers: Points, things: Points, vision: int, attention: int) -> Ints:
    """The codes of what each looker notices, nearest first: (lookers, attention), -1 where there is nothing more. Nobody sees itself."""
    out = np.full((len(lookers.x), attention), -1, np.int64)
    if not len(lookers.x) or not len(things.x):
        return out
    by_code = np.argsort(things.codes, kind="stable")
    rows, at = _near(lookers, things, max(1, vision))
    far = np.maximum(np.abs(lookers.x[rows] - things.x[at]), np.abs(lookers.y[rows] - things.y[at]))
    keep = (far <= vision) & (lookers.codes[rows] != things.codes[at])
    rows, at, far = rows[keep], at[keep], far[keep]
    lower = np.empty(len(by_code), np.int64)
    lower[by_code] = np.arange(len(by_code))
    keys = np.sort((rows * (vision + 1) + far) * len(by_code) + lower[at])  # by looker, then distance, then code, in one number
    rows = keys // (len(by_code) * (vision + 1))
    first = np.searchsorted(rows, np.arange(len(lookers.x)))
    rank = np.arange(len(rows)) - first[rows]
    seen = rank < attention
    out[rows[seen], rank[seen]] = things.codes[by_code[keys[seen] % len(by_code)]]
    return out


def _near(lookers: Points, things: Points, size: int) -> tuple[Ints, Ints]:
    """Pairs (looker, thing) in the same room and in the same or adjoining squares of ``size``."""
    wide = 3 + int(max(lookers.x.max(initial=0), things.x.max(initial=0))) // size
    high = 3 + int(max(lookers.y.max(initial=0), things.y.max(initial=0))) // size
    column, line = 1 + things.x // size, 1 + things.y // size
    codes = (things.room * high + line) * wide + column
    order = np.argsort(codes, kind="stable")
    codes = codes[order]
    rows: list[Ints] = []
    found: list[Ints] = []
    own = (lookers.room * high + 1 + lookers.y // size) * wide + 1 + lookers.x // size
    near = np.argsort(own, kind="stable")  # neighbours in space ask one after the other: a bisection then stays in cache
    for step in (-1, 0, 1):
        left = own[near] + step * wide
        begin, end = np.searchsorted(codes, left - 1), np.searchsorted(codes, left + 1, side="right")
        counts = end - begin
        starts = np.repeat(begin - (np.cumsum(counts) - counts), counts)
        rows.append(np.repeat(near, counts))
        found.append(order[np.arange(len(starts)) + starts])
    return np.concatenate(rows), np.concatenate(found)
