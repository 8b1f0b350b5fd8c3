"""Sets of pairs: who likes which post, who mutes whom, who was shown what. Hundreds of millions of look-ups a minute, and cheap to save.

The pairs lie in a log, in the order in which they came; a hash table leads from a pair to its row. Only the log is state, and it only
grows until enough of it is dead, so that a snapshot stores what is new.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.environments.social.chains import Chains, Ragged, grown, worth_compiling
from sociarium.kernel.extras import compiled

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Array = NDArray[Any]

_GOLDEN = 0x9E3779B97F4A7C15  # 2**64 over the golden ratio: multiplicative hashing (Knuth, TAOCP 3, section 6.4)
_FREE = -1


class Pairs:
    """A set of pairs (a, b) of whole numbers from 0 to 2**31 - 1. About 24 bytes a pair.

    Every method takes whole columns; what it returns is what the same rows, one after the other, would return.
    """

    __slots__ = ("_chains", "_codes", "_dead", "_lost", "_slots", "rows")

    def __init__(self) -> None:
        self._codes: Ints = np.zeros(16, np.int64)  # a times 2**32 plus b, by row
        self._dead: Bools = np.zeros(16, np.bool_)
        self.rows = 0  # rows of the log
        self._lost = 0  # of them dead
        self._slots = np.full(32, _FREE, np.int32)  # the hash table: row of the log, by hash and then the next free place
        self._chains: Chains | None = None  # rows by a, made when first asked for

    def __len__(self) -> int:
        return self.rows - self._lost

    def has(self, a: ArrayLike, b: ArrayLike) -> Bools:
        """Whether each pair is there."""
        found = self._find(codes_of(a, b))
        return (found >= 0) & ~self._dead[found]

    def add(self, a: ArrayLike, b: ArrayLike) -> Bools:
        """Which pairs are new; they are added. Of the same pair twice in one call the first is new."""
        codes = codes_of(a, b)
        self._reserve(len(codes))
        rows = np.empty(len(codes), np.int64)
        if worth_compiling(len(codes)):
            size = int(_enter(codes, self._codes, self.rows, self._slots, self._shift, rows))
        else:
            size = self._enter(codes, rows)
        new = rows >= self.rows
        back = np.flatnonzero(~new)
        if self._lost and len(back):  # rows that were removed come to life again
            back = back[self._dead[rows[back]]]
            back = back[np.unique(rows[back], return_index=True)[1]]
            self._dead[rows[back]] = False
            self._lost -= len(back)
            new[back] = True
        if size - self.rows < np.count_nonzero(rows >= self.rows):  # the same pair twice: only its first row is new
            inside = np.flatnonzero(rows >= self.rows)
            again = np.ones(len(inside), np.bool_)
            again[np.unique(rows[inside], return_index=True)[1]] = False
            new[inside[again]] = False
        self.rows = size
        return new

    def remove(self, a: ArrayLike, b: ArrayLike) -> Bools:
        """Which pairs were there; they are removed. Of the same pair twice in one call the first was there."""
        rows = self._find(codes_of(a, b))
        there = (rows >= 0) & ~self._dead[rows]
        at = np.flatnonzero(there)
        first = at[np.unique(rows[at], return_index=True)[1]]
        out = np.zeros(len(rows), np.bool_)
        out[first] = True
        self._dead[rows[first]] = True
        self._lost += len(first)
        if self._lost > max(1024, self.rows // 2):
            self._compact()
        return out

    def of(self, a: ArrayLike, most: int | None = None) -> Ragged:
        """For each ``a`` all its ``b``, the newest first: starts, and the b of all, one a after another. ``most``: look at the newest rows
        only, so many of each a."""
        keys = np.atleast_1d(np.asarray(a, np.int64))
        if self._chains is None:
            self._chains = Chains()
        self._chains.extend(self._codes[self._chains.size : self.rows] >> 32)
        starts, rows = self._chains.rows(keys, most)
        if self._lost:
            alive = ~self._dead[rows]
            starts = np.concatenate([[0], np.cumsum(alive)])[starts]
            rows = rows[alive]
        return starts, self._codes[rows] & 0xFFFFFFFF

    def codes(self) -> Ints:
        """All pairs, a times 2**32 plus b, in the order in which they came."""
        codes = self._codes[: self.rows]
        return codes[~self._dead[: self.rows]] if self._lost else codes.copy()

    def pairs(self) -> tuple[Ints, Ints]:
        """All pairs as two columns, in the order in which they came."""
        codes = self.codes()
        return codes >> 32, codes & 0xFFFFFFFF

    def clear(self) -> None:
        self.load({"codes": np.empty(0, np.int64), "dead": np.empty(0, np.int64)})

    def state(self) -> dict[str, Any]:
        return {"codes": self._codes[: self.rows].copy(), "dead": np.flatnonzero(self._dead[: self.rows])}

    def load(self, state: Mapping[str, Any]) -> None:
        codes = np.asarray(state["codes"], np.int64)
        self.rows, self._lost = 0, 0
        self._codes, self._dead, self._slots = np.zeros(16, np.int64), np.zeros(16, np.bool_), np.full(32, _FREE, np.int32)
        self._chains = None
        self._reserve(len(codes))
        rows = np.empty(len(codes), np.int64)
        if worth_compiling(len(codes)):
            _enter(codes, self._codes, 0, self._slots, self._shift, rows)
        else:
            self._enter(codes, rows)
        self.rows = len(codes)
        self._dead[np.asarray(state["dead"], np.int64)] = True
        self._lost = len(state["dead"])

    @property
    def _shift(self) -> int:
        return 64 - (len(self._slots).bit_length() - 1)

    def _reserve(self, more: int) -> None:
        """Room for so many more pairs: the table is never more than two thirds full."""
        size = self.rows + more
        self._codes, self._dead = grown(self._codes, size, 0), grown(self._dead, size, False)
        if 3 * size <= 2 * len(self._slots):
            return
        self._slots = np.full(1 << (3 * size // 2).bit_length(), _FREE, np.int32)
        if worth_compiling(self.rows):
            _again(self._codes, self.rows, self._slots, self._shift)
        else:
            self._settle(np.arange(self.rows))

    def _compact(self) -> None:
        kept = self.codes()
        self.load({"codes": kept, "dead": np.empty(0, np.int64)})

    def _find(self, codes: Ints) -> Ints:
        """The row of each pair, dead or alive; -1 where it never came."""
        if worth_compiling(len(codes)):
            out = np.empty(len(codes), np.int64)
            _look(codes, self._codes, self._slots, self._shift, out)
            return out
        mask = len(self._slots) - 1
        place = self._home(codes)
        rows = self._slots[place].astype(np.int64)
        going = np.flatnonzero((rows >= 0) & (self._codes[rows] != codes))
        while len(going):
            place[going] = (place[going] + 1) & mask
            rows[going] = self._slots[place[going]]
            going = going[(rows[going] >= 0) & (self._codes[rows[going]] != codes[going])]
        return rows

    def _enter(self, codes: Ints, rows: Ints) -> int:
        """Give every pair a row, new ones the next in the order in which they first stand here. Returns the number of rows."""
        rows[:] = self._find(codes)
        fresh = np.flatnonzero(rows < 0)
        if not len(fresh):
            return self.rows
        unique, first, which = np.unique(codes[fresh], return_index=True, return_inverse=True)
        order = np.argsort(first, kind="stable")
        number = np.empty(len(unique), np.int64)
        number[order] = np.arange(self.rows, self.rows + len(unique))
        rows[fresh] = number[which]
        self._codes[number] = unique
        self._settle(number[order])
        return self.rows + len(unique)

    def _settle(self, rows: Ints) -> None:
        """Find places for rows of distinct pairs that have none. Of those that want the same free place one gets it."""
        mask = len(self._slots) - 1
        place = self._home(self._codes[rows])
        while len(rows):
            free = self._slots[place] == _FREE
            self._slots[place[free]] = rows[free]
            left = self._slots[place] != rows
            rows, place = rows[left], (place[left] + 1) & mask

    def _home(self, codes: Ints) -> Ints:
        """Where the search for each pair begins."""
        return ((codes.view(np.uint64) * np.uint64(_GOLDEN)) >> np.uint64(self._shift)).view(np.int64)


def codes_of(a: ArrayLike, b: ArrayLike) -> Ints:
    """a times 2**32 plus b."""
    high, low = np.asarray(a, np.int64), np.asarray(b, np.int64)
    return np.atleast_1d((high << 32) | low)


@compiled(nogil=True, cache=True)
def _look(codes: Array, known: Array, slots: Array, shift: int, out: Array) -> None:
    mask = len(slots) - 1
    for row in range(len(codes)):
        code = codes[row]
        place = np.int64((np.uint64(code) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(shift))
        while slots[place] >= 0 and known[slots[place]] != code:
            place = (place + 1) & mask
        out[row] = slots[place]


@compiled(nogil=True, cache=True)
def _enter(codes: Array, known: Array, size: int, slots: Array, shift: int, out: Array) -> int:
    mask = len(slots) - 1
    for row in range(len(codes)):
        code = codes[row]
        place = np.int64((np.uint64(code) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(shift))
        while slots[place] >= 0 and known[slots[place]] != code:
            place = (place + 1) & mask
        if slots[place] < 0:
            slots[place] = size
            known[size] = code
            size += 1
        out[row] = slots[place]
    return size


@compiled(nogil=True, cache=True)
def _again(known: Array, size: int, slots: Array, shift: int) -> None:
    mask = len(slots) - 1
    for row in range(size):
        place = np.int64((np.uint64(known[row]) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(shift))
        while slots[place] >= 0:
            place = (place + 1) & mask
        slots[place] = row
