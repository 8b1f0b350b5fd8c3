"""Whole numbers modulo the Mersenne prime 2**61 - 1, and fixed-point numbers in it, in NumPy.

All arrays of residues are uint64 in [0, MODULUS). A fixed-point number x is the residue of round(x * SCALE); negative numbers
are the upper half, as in two's complement, so a sum is right as long as its size stays below ``LARGEST``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.errors import UsageError

Residues = NDArray[np.uint64]
Ints = NDArray[np.int64]
Source = Callable[[int], bytes]  # so many random bytes

BITS = 61
MODULUS = (1 << BITS) - 1
SCALE = 1 << 20
LARGEST = (MODULUS // 2) / SCALE  # of the numbers and of every sum of them
_P = np.uint64(MODULUS)
_LOW = 31  # bits of the lower half, where sums by recipient are split so that each stays exact in float64
_LOW_MASK = np.uint64((1 << _LOW) - 1)
_HIGH_BITS = BITS - _LOW


def encode(values: ArrayLike, scale: int = SCALE) -> Residues:
    """Fixed-point residues of numbers, rounded half to even. Raises UsageError for what is not finite or does not fit."""
    scaled = np.rint(np.asarray(values, np.float64) * scale)
    if not np.isfinite(scaled).all() or (np.abs(scaled) > MODULUS // 2).any():
        raise UsageError(f"a value does not fit into the field: numbers must be finite and below {MODULUS // 2 / scale:.3g} in size")
    return encode_whole(scaled.astype(np.int64))


def encode_whole(values: ArrayLike) -> Residues:
    """Residues of whole numbers (int64) of a size of at most MODULUS // 2."""
    whole = np.asarray(values, np.int64)
    if (np.abs(whole) > MODULUS // 2).any():
        raise UsageError(f"a whole number does not fit into the field: its size may be {MODULUS // 2} at most")
    return np.where(whole < 0, whole + MODULUS, whole).astype(np.uint64)


def decode_whole(residues: Residues) -> Ints:
    """The whole numbers of residues: the inverse of ``encode_whole``."""
    signed = residues.astype(np.int64)
    return np.where(signed > MODULUS // 2, signed - MODULUS, signed)


def decode(residues: Residues, scale: int = SCALE) -> NDArray[np.float64]:
    """The numbers of fixed-point residues."""
    return decode_whole(residues) / scale


def add(a: Residues, b: Residues) -> Residues:
    """a + b in the field."""
    total = a + b
    return np.where(total >= _P, total - _P, total)


def subtract(a: Residues, b: Residues) -> Residues:
    """a - b in the field."""
    return np.where(a >= b, a - b, a + (_P - b))


def sums_by(positions: Ints, residues: Residues, size: int) -> Residues:
    """Sums in the field of the residues at each position 0 to size - 1. At most 2**22 residues a position: the halves stay exact."""
    low = np.bincount(positions, (residues & _LOW_MASK).astype(np.float64), size).astype(np.uint64)
    high = np.bincount(positions, (residues >> np.uint64(_LOW)).astype(np.float64), size).astype(np.uint64)
    # 2**61 = 1 in this field: of high * 2**31, what is above bit 61 comes back at bit 0.
    folded = (high >> np.uint64(_HIGH_BITS)) + ((high & np.uint64((1 << _HIGH_BITS) - 1)) << np.uint64(_LOW))
    return add(_reduced(folded), _reduced(low))


def uniform(count: int, source: Source = os.urandom) -> Residues:
    """Uniform residues from random bytes; the one value of 61 bits that is no residue is drawn again."""
    out = np.frombuffer(source(8 * count), np.uint64) >> np.uint64(64 - BITS)
    while len(again := np.flatnonzero(out == _P)):
        out[again] = np.frombuffer(source(8 * len(again)), np.uint64) >> np.uint64(64 - BITS)
    return out


def split(residues: Residues, parts: int, source: Source = os.urandom) -> NDArray[np.uint64]:
    """Additive shares, (parts, n): any parts - 1 of them are uniform and independent of the residues; all together they are them."""
    if parts < 2:
        raise UsageError(f"a secret is split into 2 shares or more, not {parts}")
    shares: NDArray[np.uint64] = np.empty((parts, len(residues)), np.uint64)
    rest = residues
    for part in range(parts - 1):
        shares[part] = uniform(len(residues), source)
        rest = subtract(rest, shares[part])
    shares[-1] = rest
    return shares


def joined(shares: Any) -> Residues:
    """The residues whose additive shares these are, (parts, n)."""
    total = np.zeros(len(shares[0]), np.uint64)
    for share in shares:
        total = add(total, np.asarray(share, np.uint64))
    return total


def _reduced(values: Residues) -> Residues:
    """Values below 2**62 as residues."""
    return np.where(values >= _P, values - _P, values)
