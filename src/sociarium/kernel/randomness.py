"""Random numbers as a counter-based function of (seed, stream name, tick, phase, turn, row, index).

There is no generator state: the same coordinates give the same number, in any order, in any process, for one row or for ten
million. The function is SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014):
coordinates that are shared by a whole batch are hashed once by BLAKE2b into a 64-bit key; row and index are mixed per element.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_SECOND = np.uint64(0xD1B54A32D192ED03)
_MIX_A = np.uint64(0xBF58476D1CE4E5B9)
_MIX_B = np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)
_CHUNK = 1 << 15  # rows mixed at a time, so that the passes stay in cache


def key_of(*coordinates: object) -> int:
    """64 bits from any plain coordinates (numbers and names)."""
    text = "\x1f".join(f"{type(part).__name__[0]}{part}" for part in coordinates)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def _mix(x: NDArray[np.uint64], shifted: NDArray[np.uint64]) -> None:
    """SplitMix64's finaliser, in place; ``shifted`` is room of the same size."""
    for shift, factor in ((_S30, _MIX_A), (_S27, _MIX_B)):
        np.right_shift(x, shift, out=shifted)
        np.bitwise_xor(x, shifted, out=x)
        np.multiply(x, factor, out=x)
    np.right_shift(x, _S31, out=shifted)
    np.bitwise_xor(x, shifted, out=x)


def _bits(key: int, rows: Ints, index: int | Ints) -> Iterator[tuple[slice, NDArray[np.uint64]]]:
    """64 bits a row (rows flat), a piece at a time, in room that the next piece takes: what follows is done while it is in cache."""
    base, flat = np.uint64(key), rows.view(np.uint64)
    fixed = np.uint64((0xD1B54A32D192ED03 * (index + 1)) & 0xFFFFFFFFFFFFFFFF) if isinstance(index, int) else None
    room = np.empty((2, min(_CHUNK, len(flat))), np.uint64)
    for start in range(0, len(flat), _CHUNK):
        place = slice(start, min(start + _CHUNK, len(flat)))
        part, shifted = room[:, : place.stop - start]
        np.multiply(flat[place], _GOLDEN, out=part)
        np.add(part, base, out=part)
        _mix(part, shifted)
        if fixed is not None and index:
            np.add(part, fixed, out=part)
            _mix(part, shifted)
        elif not isinstance(index, int):
            moved = part + (index[place].astype(np.uint64) + np.uint64(1)) * _SECOND
            _mix(moved, shifted)
            np.copyto(part, moved, where=index[place] != 0)
        yield place, part


class Stream:
    """One named stream at one moment of a run. Every method takes ``rows``: agents, edges, groups or posts (int64, any shape).

    ``index`` tells apart several numbers of one row; an array of indices is broadcast against the rows.
    """

    __slots__ = ("_key",)

    def __init__(self, key: int) -> None:
        self._key = key

    @property
    def key(self) -> int:
        """The 64 bits that the coordinates shared by all rows came to: another implementation of the function starts here."""
        return self._key

    def at(self, *coordinates: object) -> Stream:
        """A stream within this one, for instance of one lane or one question."""
        return Stream(key_of(self._key, *coordinates))

    def bits(self, rows: ArrayLike, index: int | Ints = 0) -> NDArray[np.uint64]:
        """64 random bits a row."""
        where, which = _coordinates(rows, index)
        out = np.empty(where.shape, np.uint64)
        flat = out.reshape(-1)
        for place, part in _bits(self._key, where.reshape(-1), which):
            flat[place] = part
        return out

    def uniform(self, rows: ArrayLike, index: int | Ints = 0) -> Floats:
        """Uniform in [0, 1), 53 bits."""
        where, which = _coordinates(rows, index)
        out = np.empty(where.shape, np.float64)
        flat = out.reshape(-1)
        for place, part in _bits(self._key, where.reshape(-1), which):
            np.right_shift(part, _S11, out=part)
            np.multiply(part.view(np.int64), 2.0**-53, out=flat[place])
        return out

    def integers(self, low: ArrayLike, high: ArrayLike, rows: ArrayLike, index: int | Ints = 0) -> Ints:
        """Whole numbers from ``low`` to ``high``, both included."""
        span = np.asarray(high, np.int64) - np.asarray(low, np.int64) + 1
        out = self.uniform(rows, index)
        np.multiply(out, span, out=out)
        return out.astype(np.int64) + np.asarray(low, np.int64)

    def normal(self, rows: ArrayLike, index: int = 0) -> Floats:
        """Standard normal, by Box and Muller."""
        first, second = self.uniform(rows, 2 * index), self.uniform(rows, 2 * index + 1)
        return np.sqrt(-2.0 * np.log1p(-first)) * np.cos(2.0 * np.pi * second)

    def exponential(self, rows: ArrayLike, index: int | Ints = 0) -> Floats:
        """Exponential with mean 1."""
        return -np.log1p(-self.uniform(rows, index))

    def choice(self, probabilities: ArrayLike, rows: ArrayLike, index: int | Ints = 0) -> Ints:
        """An option's number a row; ``probabilities`` is (options,) or (rows, options) and need not be normalised."""
        weights = np.atleast_2d(np.asarray(probabilities, np.float64))
        cumulative = np.cumsum(weights, axis=1)
        drawn = self.uniform(rows, index)[:, None] * cumulative[:, -1:]
        return np.minimum((cumulative <= drawn).sum(axis=1), weights.shape[1] - 1).astype(np.int64)

    def order(self, rows: ArrayLike, index: int | Ints = 0) -> Ints:
        """Positions of ``rows`` in random order. Whether two rows come before one another depends on those two only."""
        return np.argsort(self.bits(rows, index), kind="stable")

    def pick(self, options: Sequence[Any], row: int = 0, index: int = 0) -> Any:
        """One of ``options``, for one row."""
        return options[int(self.integers(0, len(options) - 1, [row], index)[0])]


def _coordinates(rows: ArrayLike, index: int | Ints) -> tuple[Ints, int | Ints]:
    """Rows and, where they differ, indices, broadcast against each other; the indices flat."""
    where = np.asarray(rows, np.int64)
    if isinstance(index, int):
        return np.ascontiguousarray(where), index
    where, which = np.broadcast_arrays(where, np.asarray(index, np.int64))
    return np.ascontiguousarray(where), np.ascontiguousarray(which).reshape(-1)


class Randomness:
    """All streams of one run, from its seed."""

    __slots__ = ("seed",)

    def __init__(self, seed: int) -> None:
        self.seed = int(seed)

    def stream(self, name: str, *coordinates: object) -> Stream:
        """The stream of this name at these coordinates (tick, phase, turn)."""
        return Stream(key_of(self.seed, name, *coordinates))
