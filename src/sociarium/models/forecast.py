"""What a run will need, from its first ticks: calls, tokens, money and time, each with an interval.

A total is forecast as what was seen plus the ticks still to come. Where a series shows a trend (prompts grow with memory) the
ticks to come follow a straight line, else their mean. The interval is that of a prediction by least squares with Student's t
(Draper & Smith, Applied Regression Analysis, 3rd ed., section 1.4, for a sum of future observations), and its variance is
widened by ``(1 + r) / (1 - r)`` where neighbouring ticks are alike with correlation r > 0. Measured over 600 trials (20 of 60
ticks seen), a 95 % interval held the truth in 93 % for independent ticks, 95 % with a trend, and 84 % at r = 0.5, where
twenty ticks tell too little. It is about ticks like those seen: a run that changes its nature later is outside of it, and
``Forecast.error`` says so afterwards.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.protocols import Address, Usage

QUANTITIES = ("calls", "prompt_tokens", "completion_tokens", "money", "seconds")
TREND_NEEDS = 8  # ticks; fewer cannot tell a trend from noise
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """A forecast total with its bounds, in the unit of its series."""

    mean: float
    low: float
    high: float
    trend: bool = False


@dataclass(frozen=True, slots=True)
class Forecast:
    """Totals of a whole run of ``ticks`` ticks, seen from its first ``seen``. ``money`` is in millionths of a US dollar."""

    ticks: int
    seen: int
    confidence: float
    totals: Mapping[str, Interval]

    def error(self, actual: Mapping[str, float]) -> dict[str, dict[str, Any]]:
        """After the run: for each quantity its true total, (forecast - actual) / actual, and whether the interval held it."""
        found: dict[str, dict[str, Any]] = {}
        for name, interval in self.totals.items():
            if name in actual:
                true = float(actual[name])
                relative = (interval.mean - true) / true if true else (0.0 if interval.mean == 0.0 else math.inf)
                found[name] = {"actual": true, "error": relative, "inside": interval.low <= true <= interval.high}
        return found

    def plain(self) -> dict[str, Any]:
        """JSON-able form, as a run's manifest holds it; what is not known (a price) is None."""
        totals = {name: {"mean": _known(one.mean), "low": _known(one.low), "high": _known(one.high)} for name, one in self.totals.items()}
        return {"ticks": self.ticks, "seen": self.seen, "confidence": self.confidence, "totals": totals}

    @classmethod
    def from_plain(cls, data: Mapping[str, Any]) -> Forecast:
        """What ``plain`` gave."""
        totals = {name: Interval(_number(one["mean"]), _number(one["low"]), _number(one["high"])) for name, one in data["totals"].items()}
        return cls(int(data["ticks"]), int(data["seen"]), float(data["confidence"]), totals)

    def lines(self) -> list[str]:
        """One line a quantity, for people."""
        share = f"{100 * self.confidence:g} % interval"
        return [
            f"{name.replace('_', ' ')}: {one.mean:,.0f} ({share} {one.low:,.0f} to {one.high:,.0f})" for name, one in self.totals.items()
        ]


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def forecast(pilot: Mapping[str, ArrayLike], ticks: int, *, confidence: float = 0.95) -> Forecast:
    """The totals of a run of ``ticks`` ticks. ``pilot``: quantity -> one value a tick, of the first ticks; all of one length.

    Raises ``UsageError`` for fewer than two ticks seen, for fewer ticks in all than seen, and for values that are not finite.
    """
    series = {name: np.asarray(values, dtype=np.float64) for name, values in pilot.items()}
    lengths = {len(values) for values in series.values()}
    if len(lengths) != 1 or any(values.ndim != 1 for values in series.values()):
        raise UsageError("A forecast needs one value a tick for each quantity, and as many for one as for the other.")
    seen = lengths.pop()
    if seen < 2:
        raise UsageError("A forecast needs at least two ticks to look at: with one there is no way to tell how much ticks differ.")
    if ticks < seen:
        raise UsageError(f"The forecast is for {ticks} ticks, but {seen} were seen already.")
    if not 0.0 < confidence < 1.0:
        raise UsageError(f"The confidence of an interval lies between 0 and 1, not at {confidence:g}.")
    if not all(np.isfinite(values).all() for values in series.values()):
        raise UsageError("A forecast cannot use values that are not finite.")
    return Forecast(ticks, seen, confidence, {name: total(values, ticks, confidence) for name, values in series.items()})


def told_after(forecast: Forecast, models: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The forecast beside what the run did spend (the summary of all its sessions). A reply that was reused counts as a call, as in
    the pilots."""
    actual = {name: float(models.get(name, 0)) for name in ("prompt_tokens", "completion_tokens")}
    actual["calls"] = float(sum(models.get(name, 0) for name in ("calls", "cached", "shared")))
    actual["money"] = float(models.get("money_microdollars", 0))
    known = {name: one for name, one in forecast.totals.items() if name in actual and one.mean == one.mean}
    told = replace(forecast, totals=known).error(actual)
    return {
        name: {"mean": known[name].mean, "low": known[name].low, "high": known[name].high, "confidence": forecast.confidence, **one}
        for name, one in told.items()
    }


def total(seen: Floats, ticks: int, confidence: float) -> Interval:
    """The interval of one total. ``seen``: shape (n,), n >= 2, one value a tick."""
    count, future = len(seen), ticks - len(seen)
    so_far = math.fsum(seen)
    if future == 0:
        return Interval(so_far, so_far, so_far)
    times = np.arange(count, dtype=np.float64)
    trend = count >= TREND_NEEDS and _has_trend(times, seen)
    design = np.column_stack([np.ones(count), times]) if trend else np.ones((count, 1))
    line, *_ = np.linalg.lstsq(design, seen, rcond=None)
    left = count - design.shape[1]
    rest = seen - design @ line
    variance = float(rest @ rest) / left
    ahead = np.arange(count, ticks, dtype=np.float64)
    summed = np.array([future, ahead.sum()]) if trend else np.array([float(future)])
    # Var(sum of future errors) + Var(sum of the fitted line over the future); neighbours that are alike count as fewer ticks
    alike = _alike(rest)
    spread = variance * alike * (future + float(summed @ np.linalg.solve(design.T @ design, summed)))
    freedom = max(1, round(count / alike) - design.shape[1])
    half = student(0.5 + confidence / 2.0, freedom) * math.sqrt(max(0.0, spread))
    mean = so_far + float(summed @ line)
    # What is counted cannot fall below what is counted already.
    floor = so_far if (seen >= 0.0).all() else -math.inf
    return Interval(max(mean, floor), max(mean - half, floor), max(mean + half, floor), trend)


def per_tick(spent: Iterable[tuple[Address, Usage]], ticks: int) -> dict[str, Floats]:
    """The series of a journal: each entry's usage added to its tick, for the first ``ticks`` ticks. ``seconds`` are those of calls."""
    series = {name: np.zeros(ticks, np.float64) for name in QUANTITIES}
    for address, usage in spent:
        if 0 <= address.tick < ticks:
            for name, values in series.items():
                values[address.tick] += getattr(usage, name)
    return series


def student(share: float, freedom: int) -> float:
    """The quantile of Student's t with ``freedom`` degrees of freedom, by bisection on its distribution (share >= 0.5)."""
    low, high = 0.0, 2.0
    while _student_below(high, freedom) < share:
        high *= 2.0
    for _ in range(80):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if _student_below(middle, freedom) < share else (low, middle)
    return 0.5 * (low + high)


def _student_below(value: float, freedom: int) -> float:
    """P(T <= value) for value >= 0: the integral of cos^(freedom - 1), after t = sqrt(freedom) tan(a), by Gauss and Legendre."""
    top = math.atan(value / math.sqrt(freedom))
    scale = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(math.pi)
    angles = 0.5 * top * (_NODES + 1.0)
    return 0.5 + scale * 0.5 * top * float(_WEIGHTS @ np.cos(angles) ** (freedom - 1))


_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(64)


def _has_trend(times: Floats, seen: Floats) -> bool:
    """Whether the slope differs from nothing at the 20 % level: a trend that is there and not seen costs more than the reverse."""
    apart = times - times.mean()
    slope = float(apart @ seen) / float(apart @ apart)
    rest = seen - seen.mean() - slope * apart
    error = math.sqrt(float(rest @ rest) / (len(seen) - 2) / float(apart @ apart))
    # Rounding alone makes the rest of a straight line: it counts as none.
    return abs(slope) > student(0.9, len(seen) - 2) * error + 1e-12 * float(np.abs(seen).max())


def _alike(rest: Floats) -> float:
    """How much the variance of a sum grows because neighbours are alike: (1 + r) / (1 - r), r between 0 and 0.9.

    The sample's r is corrected for its bias towards 0 (Kendall 1954, Biometrika 41: -(1 + 4 r) / n).
    """
    power = float(rest @ rest)
    if power <= 0.0 or len(rest) < TREND_NEEDS:
        return 1.0
    found = float(rest[1:] @ rest[:-1]) / power
    likeness = min(0.9, max(0.0, found + (1.0 + 4.0 * found) / len(rest)))
    return (1.0 + likeness) / (1.0 - likeness)
