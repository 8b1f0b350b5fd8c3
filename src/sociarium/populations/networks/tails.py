"""Is a tail heavy? Discrete power laws fitted by maximum likelihood (Clauset, Shalizi and Newman 2009)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.randomness import Stream

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730)  # B2, B4, ...
_LARGEST_EXPONENT = 20.0


@dataclass(frozen=True, slots=True)
class PowerLaw:
    """p(k) proportional to k ** -exponent for k >= minimum. ``error``: standard error of the exponent. ``distance``: Kolmogorov and
    Smirnov's, between the tail and the fit. ``tail``: how many values the fit is to."""

    exponent: float
    minimum: int
    error: float
    distance: float
    tail: int

    def survival(self, values: ArrayLike) -> Floats:
        """P(K >= k) given K >= minimum."""
        k = np.asarray(values, np.float64)
        return hurwitz_zeta(self.exponent, np.maximum(k, self.minimum)) / float(hurwitz_zeta(self.exponent, float(self.minimum)))


def fit_power_law(values: ArrayLike, *, minimum: int | None = None, least_tail: int = 50) -> PowerLaw:
    """The fit to whole numbers. Without ``minimum``, the one with the least distance among those that leave ``least_tail`` values above."""
    data = np.sort(np.asarray(values).astype(np.int64))
    data = data[data >= 1]
    if minimum is not None:
        if (data >= minimum).sum() < 2 or data[-1] <= minimum:
            raise UsageError(f"a power law from {minimum} on needs at least two values there, and one above {minimum}")
        return _fit(data, minimum)
    at_least = len(data) - np.searchsorted(data, distinct := np.unique(data), side="left")
    tried = distinct[(at_least >= least_tail) & (distinct < data[-1])] if len(data) else distinct
    if not len(tried):
        raise UsageError(f"{len(data)} values of 1 or more are too few for a tail of {least_tail}; give minimum, or lower least_tail")
    return min((_fit(data, int(m)) for m in tried[:200]), key=lambda fit: fit.distance)


def goodness_of_fit(values: ArrayLike, fit: PowerLaw, random: Stream, *, draws: int = 100) -> float:
    """Share of ``draws`` data sets, made by the fit above its minimum and like the data below it, whose own fit is at least as far away.

    Below 0.1 the power law is a poor account of the data (Clauset et al. 2009, section 4).
    """
    data = np.asarray(values).astype(np.int64)
    below = data[(data >= 1) & (data < fit.minimum)]
    size = len(below) + fit.tail
    worse = 0
    for draw in range(draws):
        stream = random.at(draw)
        rows = np.arange(size)
        tail = stream.uniform(rows) < fit.tail / size
        made = sample_power_law(fit.exponent, fit.minimum, stream.uniform(rows, 1))
        if len(below):
            made = np.where(tail, made, below[stream.integers(0, len(below) - 1, rows, 2)])
        worse += fit_power_law(made, least_tail=min(50, fit.tail)).distance >= fit.distance
    return worse / draws


def sample_power_law(exponent: float, minimum: int, uniform: Floats) -> Ints:
    """The value whose survival first falls to 1 - u: doubling, then bisection, for all at once (Clauset et al. 2009, appendix D)."""
    survival = (1.0 - uniform) * float(hurwitz_zeta(exponent, float(minimum)))
    low, high = np.full(len(uniform), minimum, np.int64), np.full(len(uniform), 2 * minimum, np.int64)
    while (short := (hurwitz_zeta(exponent, high.astype(np.float64)) > survival) & (high < 2**52)).any():
        low, high = np.where(short, high, low), np.where(short, 2 * high, high)
    while (going := high - low > 1).any():
        middle = (low + high) // 2
        above = hurwitz_zeta(exponent, middle.astype(np.float64)) > survival
        low, high = np.where(going & above, middle, low), np.where(going & ~above, middle, high)
    return low


def hurwitz_zeta(exponent: float, start: ArrayLike) -> Floats:
    """Sum over n >= 0 of (start + n) ** -exponent, for exponents above 1: ten terms, then Euler and Maclaurin's formula."""
    q = np.asarray(start, np.float64)
    total = np.zeros_like(q)
    for n in range(10):
        total += (q + n) ** -exponent
    a = q + 10.0
    total += a ** (1 - exponent) / (exponent - 1) + 0.5 * a**-exponent
    rising, power = exponent, a ** -(exponent + 1)
    for number, bernoulli in enumerate(_BERNOULLI, 1):
        total += bernoulli / math.factorial(2 * number) * rising * power
        rising *= (exponent + 2 * number - 1) * (exponent + 2 * number)
        power = power / a**2
    return total


def _fit(data: Ints, minimum: int) -> PowerLaw:
    tail = data[int(np.searchsorted(data, minimum)) :]
    exponent = _maximum(minimum, float(np.log(tail).sum()), len(tail))
    values, first = np.unique(tail, return_index=True)
    z = float(hurwitz_zeta(exponent, float(minimum)))
    seen = first / len(tail)  # share of values below each
    expected = 1 - hurwitz_zeta(exponent, values.astype(np.float64)) / z
    after = np.append(first[1:], len(tail)) / len(tail)
    through = 1 - hurwitz_zeta(exponent, values + 1.0) / z
    distance = float(max(np.abs(seen - expected).max(), np.abs(after - through).max()))
    h = 1e-4
    logs = [math.log(float(hurwitz_zeta(exponent + step, float(minimum)))) for step in (-h, 0.0, h)]
    curvature = (logs[0] - 2 * logs[1] + logs[2]) / h**2  # the second derivative of log zeta
    return PowerLaw(exponent, minimum, 1 / math.sqrt(len(tail) * curvature) if curvature > 0 else math.inf, distance, len(tail))


def _maximum(minimum: int, logs: float, count: int) -> float:
    """The exponent at which -n log zeta(a, minimum) - a sum(log k) is highest: golden section, for it is concave."""

    def loss(a: float) -> float:
        return count * math.log(float(hurwitz_zeta(a, float(minimum)))) + a * logs

    golden = (math.sqrt(5) - 1) / 2
    low, high = 1.0001, _LARGEST_EXPONENT
    left, right = high - golden * (high - low), low + golden * (high - low)
    at_left, at_right = loss(left), loss(right)
    while high - low > 1e-7:
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - golden * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + golden * (high - low)
            at_right = loss(right)
    return (low + high) / 2
