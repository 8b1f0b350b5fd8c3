"""Rows by key where both only grow: the comments of a post, the posts of an author, the likes of a user."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.extras import Compiled, compiled

Ints = NDArray[np.int64]
Array = NDArray[Any]
Ragged = tuple[Ints, Ints]  # starts, one more than there are keys; and the rows of all keys, one key after another

WORTH_COMPILING = 4_000  # rows in one call from which compiled loops are used: short runs never wait for a compiler
LONG = 256  # rows of one key from which they are, however few the keys


class Chains:
    """Each key leads to its newest row, each row to the one before it under the same key: 4 bytes a key and a row, no sorting.

    Keys and rows are whole numbers from 0; rows are numbered in the order in which they were added.
    """

    __slots__ = ("_before", "_newest", "size")

    def __init__(self) -> None:
        self.size = 0
        self._newest = np.full(16, -1, np.int32)
        self._before = np.full(16, -1, np.int32)

    def extend(self, keys: Array) -> None:
        """The keys of the next rows; a row with key -1 stands under none."""
        if not len(keys):
            return
        start, self.size = self.size, self.size + len(keys)
        self._newest = grown(self._newest, int(keys.max()) + 1, -1)
        self._before = grown(self._before, self.size, -1)
        if worth_compiling(len(keys)):
            _link(keys, start, self._newest, self._before)
            return
        order = np.argsort(keys, kind="stable")
        order = order[keys[order] >= 0]
        if not len(order):
            return
        ordered, rows = keys[order], order + start
        first = np.append(True, ordered[1:] != ordered[:-1])
        self._before[rows[1:]] = rows[:-1]
        self._before[rows[first]] = self._newest[ordered[first]]
        last = np.append(first[1:], True)
        self._newest[ordered[last]] = rows[last]

    def rows(self, keys: Array, most: int | None = None) -> Ragged:
        """The rows of each key, newest first; at most so many of each."""
        limit = self.size if most is None else most
        known = (keys >= 0) & (keys < len(self._newest))
        at = np.where(known, self._newest[np.where(known, keys, 0)], np.int32(-1))
        if worth_compiling(len(keys)):
            return self._walked(at, limit)
        owners, steps = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        first, owner = at, np.flatnonzero(at >= 0)
        at = at[owner]
        while len(owner) and len(steps) <= limit:  # one step along every chain at a time
            owners.append(owner)
            steps.append(at.astype(np.int64))
            at = self._before[at]
            going = at >= 0
            owner, at = owner[going], at[going]
            if len(steps) > LONG and Compiled.available():
                return self._walked(first, limit)
        whose = np.concatenate(owners)
        order = np.argsort(whose, kind="stable")
        starts = np.concatenate([[0], np.cumsum(np.bincount(whose, minlength=len(keys)))]).astype(np.int64)
        return starts, np.concatenate(steps)[order]

    def _walked(self, at: Array, limit: int) -> Ragged:
        """The same, compiled: chain after chain."""
        starts = np.zeros(len(at) + 1, np.int64)
        _count(at, self._before, limit, starts)
        found = np.empty(int(starts[-1]), np.int64)
        _walk(at, self._before, starts, found)
        return starts, found


def grown(array: Array, size: int, fill: Any) -> Array:
    """The array with room for at least ``size`` rows; doubled, so that growing row by row costs little."""
    if size <= len(array):
        return array
    out = np.full((max(size, 2 * len(array)), *array.shape[1:]), fill, array.dtype)
    out[: len(array)] = array
    return out


def worth_compiling(rows: int) -> bool:
    return rows >= WORTH_COMPILING and Compiled.available()


@compiled(nogil=True, cache=True)
def _link(keys: Array, start: int, newest: Array, before: Array) -> None:
    for row in range(len(keys)):
        key = keys[row]
        if key >= 0:
            before[start + row] = newest[key]
            newest[key] = start + row


@compiled(nogil=True, cache=True)
def _count(at: Array, before: Array, limit: int, starts: Array) -> None:
    for key in range(len(at)):
        row, count = at[key], 0
        while row >= 0 and count < limit:
            count += 1
            row = before[row]
        starts[key + 1] = starts[key] + count


@compiled(nogil=True, cache=True)
def _walk(at: Array, before: Array, starts: Array, found: Array) -> None:
    for key in range(len(at)):
        row = at[key]
        for place in range(starts[key], starts[key + 1]):
            found[place] = row
            row = before[row]
