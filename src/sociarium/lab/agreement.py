"""How alike two curves are: mean square error and correlation, on the curves as they are or each on its own scale from 0 to 1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.errors import UsageError

Floats = NDArray[np.float64]


def mean_square(actual: ArrayLike, predicted: ArrayLike) -> float:
    """The mean over time of the squared difference (S3, arXiv 2307.14984, calls it MSED). Steps that are nan in either are left out."""
    first, second = _pair(actual, predicted)
    return float(((first - second) ** 2).mean())


def correlation(actual: ArrayLike, predicted: ArrayLike) -> float:
    """Pearson's correlation of two curves (Cor); nan where one of them is flat."""
    first, second = _pair(actual, predicted)
    one, other = first - first.mean(), second - second.mean()
    scale = float(np.sqrt((one**2).sum() * (other**2).sum()))
    flat = any(np.ptp(curve) <= 1e-14 * np.abs(curve).max() for curve in (first, second))
    return float("nan") if flat or not scale else float(np.clip((one * other).sum() / scale, -1.0, 1.0))


def min_max(curve: ArrayLike) -> Floats:
    """The curve from its least value, 0, to its greatest, 1; all 0 where it is flat. Of several curves, (curves, steps), each by itself."""
    values = np.asarray(curve, np.float64)
    low = np.nanmin(values, axis=-1, keepdims=True)
    span = np.nanmax(values, axis=-1, keepdims=True) - low
    return np.divide(values - low, span, out=np.where(np.isnan(values), np.nan, 0.0), where=span > 0)


@dataclass(frozen=True, slots=True)
class Agreement:
    """Mean square error and correlation on the curves as they are (``raw``) and with each on its own scale from 0 to 1 (``scaled``)."""

    raw_error: float
    raw_correlation: float
    scaled_error: float
    scaled_correlation: float

    @classmethod
    def of(cls, actual: ArrayLike, predicted: ArrayLike) -> Agreement:
        one, other = min_max(actual), min_max(predicted)
        return cls(mean_square(actual, predicted), correlation(actual, predicted), mean_square(one, other), correlation(one, other))


def _pair(actual: ArrayLike, predicted: ArrayLike) -> tuple[Floats, Floats]:
    first, second = np.asarray(actual, np.float64), np.asarray(predicted, np.float64)
    if first.ndim != 1 or first.shape != second.shape:
        raise UsageError(f"curves of shapes {first.shape} and {second.shape} cannot be compared; give two of as many steps")
    both = ~(np.isnan(first) | np.isnan(second))
    if not both.any():
        raise UsageError("two curves that have no step in common cannot be compared")
    return first[both], second[both]
