"""Estimates with intervals, tests and corrections for many tests.

Nothing here holds random state: a bootstrap takes a seed. Arrays may carry replicates in their last axis; whatever stands before it
is many estimates at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.extras import optional

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

LEAST_EXPECTED = 5.0  # counts of an option, below which it is taken together with others in a chi-square test
CHUNK = 2_000_000  # resampled numbers held at once by a bootstrap


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate and the interval around it. ``level`` is its coverage, such as 0.95; bounds are nan where none can be given."""

    estimate: float
    low: float
    high: float
    level: float
    method: str

    def __str__(self) -> str:
        return f"{self.estimate:.4g} [{self.low:.4g}, {self.high:.4g}]"

    def holds(self, value: float) -> bool:
        """Whether ``value`` lies inside."""
        return self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class PairedTest:
    """Paired t tests of many experiments at once, one value an experiment. All arrays have the shape of the leading axes."""

    difference: Floats  # mean of treated - control
    low: Floats
    high: Floats
    t: Floats
    p: Floats  # two-sided
    pairs: int
    level: float

    def interval(self) -> Interval:
        """The one experiment as an interval; an error where there are several."""
        if self.difference.size != 1:
            raise UsageError(f"{self.difference.size} experiments have no single interval; index the arrays instead")
        return Interval(self.difference.item(), self.low.item(), self.high.item(), self.level, f"paired t, {self.pairs} pairs")


def mean_interval(values: ArrayLike, level: float = 0.95) -> Interval:
    """Mean with Student's t interval. One value gives no interval (nan bounds); replicates without any spread give a point."""
    sample = _sample(values)
    _checked_level(level)
    mean = float(sample.mean())
    if len(sample) < 2:
        return Interval(mean, float("nan"), float("nan"), level, "t, one value")
    half = _t_quantile(level, len(sample) - 1) * float(sample.std(ddof=1)) / len(sample) ** 0.5
    return Interval(mean, mean - half, mean + half, level, f"t, {len(sample)} values")


def share_interval(successes: int, trials: int, level: float = 0.95) -> Interval:
    """A share with Wilson's score interval (Wilson 1927): it stays inside 0 to 1 and has width even at 0 or all of ``trials``."""
    _checked_level(level)
    if trials < 1 or not 0 <= successes <= trials:
        raise UsageError(f"{successes} successes in {trials} trials is no share; give 0 <= successes <= trials with at least one trial")
    z = float(_stats().norm.ppf((1 + level) / 2))
    share = successes / trials
    centre = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * (share * (1 - share) / trials + z * z / (4 * trials * trials)) ** 0.5
    low = 0.0 if successes == 0 else centre - half
    high = 1.0 if successes == trials else centre + half
    return Interval(share, low, high, level, f"Wilson, {trials} trials")


def exact_share_interval(successes: int, trials: int, level: float = 0.95) -> Interval:
    """A share with the exact interval of Clopper and Pearson (1934): it covers at least ``level``, whatever the share is."""
    _checked_level(level)
    if trials < 1 or not 0 <= successes <= trials:
        raise UsageError(f"{successes} successes in {trials} trials is no share; give 0 <= successes <= trials with at least one trial")
    beta, tail = _stats().beta, (1 - level) / 2
    low = 0.0 if successes == 0 else float(beta.ppf(tail, successes, trials - successes + 1))
    high = 1.0 if successes == trials else float(beta.ppf(1 - tail, successes + 1, trials - successes))
    return Interval(successes / trials, low, high, level, f"Clopper-Pearson, {trials} trials")


def chi_square(counts: ArrayLike, shares: ArrayLike) -> float:
    """The p-value of Pearson's test that counts were drawn by these shares. What is expected less than five times is taken together."""
    seen, wanted = np.asarray(counts, np.float64), np.asarray(shares, np.float64)
    if seen.shape != wanted.shape or seen.ndim != 1 or not seen.sum() > 0.0 or not abs(wanted.sum() - 1.0) < 1e-6:
        raise UsageError("a chi-square test needs one share a count, summing to 1, and at least one count above 0")
    wanted = wanted * seen.sum()
    rare = wanted < LEAST_EXPECTED
    if rare.any():
        seen, wanted = np.append(seen[~rare], seen[rare].sum()), np.append(wanted[~rare], wanted[rare].sum())
    possible = wanted > 0.0
    if seen[~possible].any():
        return 0.0
    if possible.sum() < 2:
        return 1.0
    statistic = float(((seen - wanted)[possible] ** 2 / wanted[possible]).sum())
    return float(_stats().chi2.sf(statistic, int(possible.sum()) - 1))


def bootstrap_interval(values: ArrayLike, statistic: Any = np.mean, *, seed: int, resamples: int = 10_000, level: float = 0.95) -> Interval:
    """Percentile bootstrap of any statistic that takes ``axis`` (np.mean, np.median, ...), reproducible from the seed alone."""
    sample = _sample(values)
    _checked_level(level)
    if len(sample) < 2:
        raise UsageError("a bootstrap needs at least two values: with one, every resample is the same")
    if resamples < 100:
        raise UsageError(f"{resamples} resamples are too few for an interval; give at least 100")
    random = np.random.Generator(np.random.PCG64(seed))
    rows = max(1, CHUNK // len(sample))
    found: list[Floats] = []
    for start in range(0, resamples, rows):
        chosen = random.integers(0, len(sample), (min(rows, resamples - start), len(sample)))
        found.append(np.asarray(statistic(sample[chosen], axis=1), np.float64))
    low, high = np.quantile(np.concatenate(found), [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(statistic(sample, axis=0)), float(low), float(high), level, f"bootstrap, {resamples} resamples")


def paired_t(treated: ArrayLike, control: ArrayLike, level: float = 0.95) -> PairedTest:
    """Paired t test along the last axis; leading axes are separate experiments.

    Where all differences are equal there is no spread: p is 0 if they are not zero, else 1.
    """
    _checked_level(level)
    differences = np.asarray(treated, np.float64) - np.asarray(control, np.float64)
    pairs = differences.shape[-1] if differences.ndim else 0
    if pairs < 2:
        raise UsageError(f"a paired test needs at least two pairs, not {pairs}")
    if not np.isfinite(differences).all():
        raise UsageError("a paired test needs finite values; leave out missing pairs first, and say so")
    mean = np.asarray(differences.mean(axis=-1))
    error = np.asarray(differences.std(axis=-1, ddof=1)) / pairs**0.5
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(error > 0, mean / error, np.where(mean == 0, 0.0, np.copysign(np.inf, mean)))
    p = np.asarray(2 * _stats().t.sf(np.abs(t), pairs - 1), np.float64)
    half = _t_quantile(level, pairs - 1) * error
    return PairedTest(mean, mean - half, mean + half, t, p, pairs, level)


def common_difference(treated: ArrayLike, control: ArrayLike, level: float = 0.95) -> Interval:
    """The effect of a treatment whose arms shared seeds (common random numbers): replicate k of both arms drew the same numbers.

    What the seeds did to both arms cancels, so the interval is that of the paired differences; the method names how much narrower
    it is than the one of independent arms.
    """
    ours, theirs = _sample(treated), _sample(control)
    if len(ours) != len(theirs):
        raise UsageError(f"arms with {len(ours)} and {len(theirs)} replicates do not pair; run both with the same seeds")
    test = paired_t(ours, theirs, level)
    apart = (ours.var(ddof=1) + theirs.var(ddof=1)) / len(ours)
    together = (ours - theirs).var(ddof=1) / len(ours)
    gain = f", variance / {apart / together:.3g}" if together > 0 else ""
    return Interval(test.difference.item(), test.low.item(), test.high.item(), level, f"common random numbers, {len(ours)} pairs{gain}")


def independent_difference(treated: ArrayLike, control: ArrayLike, level: float = 0.95) -> Interval:
    """The difference of two means from separate replicates, with Welch's interval."""
    _checked_level(level)
    ours, theirs = _sample(treated), _sample(control)
    if len(ours) < 2 or len(theirs) < 2:
        raise UsageError("a difference of means needs at least two replicates an arm")
    one, other = float(ours.var(ddof=1)) / len(ours), float(theirs.var(ddof=1)) / len(theirs)
    difference = float(ours.mean() - theirs.mean())
    if one + other == 0:
        return Interval(difference, difference, difference, level, "Welch, no spread")
    freedom = (one + other) ** 2 / (one**2 / (len(ours) - 1) + other**2 / (len(theirs) - 1))
    half = _t_quantile(level, freedom) * (one + other) ** 0.5
    return Interval(difference, difference - half, difference + half, level, f"Welch, {len(ours)} and {len(theirs)} values")


def holm(p_values: ArrayLike) -> Floats:
    """p values adjusted so that the chance of any false finding stays below the level (Holm 1979), in the order given."""
    p, order = _ordered(p_values)
    stepped = p[order] * np.arange(len(p), 0, -1)
    return _restore(np.minimum(1.0, np.maximum.accumulate(stepped)), order)


def benjamini_hochberg(p_values: ArrayLike) -> Floats:
    """p values adjusted so that the share of false findings stays below the level (Benjamini and Hochberg 1995), in the order given."""
    p, order = _ordered(p_values)
    stepped = p[order] * len(p) / np.arange(1, len(p) + 1)
    return _restore(np.minimum(1.0, np.minimum.accumulate(stepped[::-1])[::-1]), order)


def paired_power(effect: float, deviation: float, pairs: int, alpha: float = 0.05) -> float:
    """The chance that a two-sided paired t test finds ``effect``; ``deviation`` is the standard deviation of the differences."""
    _checked_level(1 - alpha)
    if pairs < 2 or not deviation > 0:
        raise UsageError("power needs at least two pairs and a positive standard deviation of the differences")
    stats = _stats()
    shift = abs(effect) / deviation * pairs**0.5
    critical = stats.t.ppf(1 - alpha / 2, pairs - 1)
    # the far tail as the near one of the mirrored effect: SciPy's own lower tail is nan for large effects
    return float(stats.nct.sf(critical, pairs - 1, shift) + stats.nct.sf(critical, pairs - 1, -shift))


def pairs_needed(effect: float, deviation: float, power: float = 0.8, alpha: float = 0.05, limit: int = 1_000_000) -> int:
    """The fewest pairs with which a two-sided paired t test finds ``effect`` with the chance ``power``."""
    if effect == 0:
        raise UsageError("no number of pairs finds an effect of nothing")
    low, high = 2, 4
    while paired_power(effect, deviation, high, alpha) < power:
        low, high = high, high * 2
        if high > limit:
            raise UsageError(f"finding an effect of {effect} with deviation {deviation} takes more than {limit} pairs")
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if paired_power(effect, deviation, middle, alpha) >= power else (middle + 1, high)
    return low


def _stats() -> Any:
    return optional("scipy.stats", "lab", "statistics")


def _t_quantile(level: float, freedom: float) -> float:
    return float(_stats().t.ppf((1 + level) / 2, freedom))


def _sample(values: ArrayLike) -> Floats:
    sample = np.asarray(values, np.float64)
    if sample.ndim != 1 or not len(sample):
        raise UsageError(f"need one row of values, not an array of shape {sample.shape}")
    if not np.isfinite(sample).all():
        raise UsageError("values must be finite; leave out missing ones first, and say how many")
    return sample


def _checked_level(level: float) -> None:
    if not 0 < level < 1:
        raise UsageError(f"an interval's level must lie between 0 and 1, such as 0.95, not {level}")


def _ordered(p_values: ArrayLike) -> tuple[Floats, NDArray[np.intp]]:
    p = _sample(p_values)
    if (p < 0).any() or (p > 1).any():
        raise UsageError("p values must lie between 0 and 1")
    return p, np.argsort(p, kind="stable")


def _restore(in_order: Floats, order: NDArray[np.intp]) -> Floats:
    result = np.empty_like(in_order)
    result[order] = in_order
    return result
