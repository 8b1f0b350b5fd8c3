"""Vectors whose cosines are exact, whoever computes them.

A product of matrices adds in an order of its own choice, so equal rows in another batch may get other last bits, and a feed would
depend on who else refreshes. Here unit vectors are rounded to whole numbers up to 4096. Every partial sum of a product then is a whole
number below 2**24 (Cauchy and Schwarz), which 32-bit floats hold exactly: any library, any order, any batch gives the same cosine.
What rounding costs is an error of about 0.0001.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.errors import UsageError

Grid = NDArray[np.float32]  # whole numbers, (rows, length)

LONGEST = 65_536  # components


def steps(length: int) -> int:
    """Steps from 0 to 1, such that a rounded vector is never longer than 4096."""
    if not 0 < length <= LONGEST:
        raise UsageError(f"vectors of {length} components cannot be compared; they have 1 to {LONGEST}")
    return 4096 - math.ceil(math.sqrt(length) / 2)


def on_grid(vectors: ArrayLike) -> Grid:
    """Vectors (rows, length) of any scale, as directions on the grid. A vector of zeros stays one, and is like nothing."""
    rows = np.ascontiguousarray(np.atleast_2d(np.asarray(vectors, np.float64)))
    if rows.ndim != 2 or not np.isfinite(rows).all():
        raise UsageError("vectors are a table (rows, length) of finite numbers")
    largest = np.abs(rows).max(axis=1, keepdims=True, initial=0.0)
    np.divide(rows, largest, out=(scaled := np.zeros_like(rows)), where=largest > 0)
    size = np.sqrt((scaled * scaled).sum(axis=1, keepdims=True))
    np.divide(scaled, size, out=scaled, where=size > 0)
    return np.rint(scaled * steps(rows.shape[1])).astype(np.float32)


def cosines(a: Grid, b: Grid) -> NDArray[np.float32]:
    """Cosines (rows of a, rows of b) of two tables on the grid."""
    if a.shape[1] != b.shape[1]:
        raise UsageError(f"vectors of {a.shape[1]} components cannot be compared with vectors of {b.shape[1]}")
    out = a @ b.T
    out *= np.float32(1.0 / steps(a.shape[1]) ** 2)
    return out


class Vectors:
    """Vectors on the grid, one a row, appended or written anew; room grows by half, so that n rows cost O(n)."""

    def __init__(self, length: int, rows: int = 0) -> None:
        steps(length)
        self._rows: Grid = np.zeros((rows, length), np.float32)
        self.size = rows

    @property
    def rows(self) -> Grid:
        return self._rows[: self.size]

    @property
    def length(self) -> int:
        return self._rows.shape[1]

    def grow(self, size: int) -> None:
        """At least so many rows; new ones are zeros."""
        if size > len(self._rows):
            room = np.zeros((max(size, self.size + self.size // 2, 64), self.length), np.float32)
            room[: self.size] = self.rows
            self._rows = room
        self.size = max(self.size, size)

    def write(self, where: ArrayLike, vectors: ArrayLike) -> None:
        """Vectors of any scale, put on the grid, into these rows."""
        if np.size(where):
            fresh = on_grid(vectors)
            if fresh.shape[1] != self.length:
                raise UsageError(f"vectors of {fresh.shape[1]} components among vectors of {self.length}")
            self._rows[np.asarray(where, np.int64)] = fresh
