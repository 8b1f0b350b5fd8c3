"""Ratings from rankings, and tests of ranks: TrueSkill, Kruskal-Wallis, Dunn's comparisons, and how far judges agree."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.extras import optional
from sociarium.lab.statistics import holm

Floats = NDArray[np.float64]
Level = Literal["nominal", "ordinal", "interval"]


@dataclass(frozen=True, slots=True)
class Skill:
    """A belief about a skill: normal with this mean and standard deviation."""

    mean: float = 25.0
    deviation: float = 25.0 / 3


@dataclass(frozen=True, slots=True)
class Compared:
    """Dunn's comparison of two conditions: ``p`` is adjusted by Holm over all of them."""

    one: str
    other: str
    z: float
    p: float


def rated(skills: Sequence[Skill], *, noise: float = 25.0 / 6, sweeps: int = 50, close: float = 1e-9) -> list[Skill]:
    """Beliefs after one ranking without draws, the best first. TrueSkill (Herbrich, Minka and Graepel, "TrueSkill: A Bayesian skill
    rating system", NIPS 2006) for single players: expectation propagation over the differences of neighbours in the ranking.

    ``noise``: standard deviation of a performance around its skill.
    """
    count = len(skills)
    if count < 2:
        raise UsageError(f"a ranking needs two or more, not {count}")
    precision = np.array([1 / (skill.deviation**2 + noise**2) for skill in skills])
    prior = precision * np.array([skill.mean for skill in skills])
    sent = np.zeros((count - 1, 2, 2))  # by pair of neighbours, to the upper and the lower: precision, and precision times mean
    for _ in range(sweeps):
        before = sent.copy()
        for pair in (*range(count - 1), *range(count - 3, -1, -1)):
            means, variances = np.empty(2), np.empty(2)
            for side in (0, 1):
                player = pair + side
                others = sum((sent[p, s] for p, s in ((player, 0), (player - 1, 1)) if 0 <= p < count - 1 and p != pair), np.zeros(2))
                total = precision[player] + others[0]
                means[side], variances[side] = (prior[player] + others[1]) / total, 1 / total
            mean, variance = means[0] - means[1], variances.sum()
            t = mean / math.sqrt(variance)
            v = _over(t)
            shrunk = variance * max(1 - v * (v + t), 1e-12)
            told = 1 / shrunk - 1 / variance
            difference = ((mean + math.sqrt(variance) * v) / shrunk - mean / variance) / told
            for side, sign in ((0, 1), (1, -1)):
                spread = 1 / told + variances[1 - side]
                sent[pair, side] = 1 / spread, (means[1 - side] + sign * difference) / spread
        if np.abs(sent - before).max() < close:
            break
    after: list[Skill] = []
    for player, skill in enumerate(skills):
        heard = sum((sent[p, s] for p, s in ((player, 0), (player - 1, 1)) if 0 <= p < count - 1), np.zeros(2))
        seen = 1 / (1 / heard[0] + noise**2)  # from performance to skill
        total = 1 / skill.deviation**2 + seen
        after.append(Skill((skill.mean / skill.deviation**2 + seen * heard[1] / heard[0]) / total, total**-0.5))
    return after


def ratings(rankings: Sequence[Sequence[str]]) -> dict[str, Skill]:
    """The belief about each condition after all rankings, best first in each, in the order given."""
    found = {name: Skill() for name in sorted({name for ranking in rankings for name in ranking})}
    for ranking in rankings:
        if len(set(ranking)) < len(ranking):
            raise UsageError(f"a ranking names {ranking!r}: each condition once")
        found.update(zip(ranking, rated([found[name] for name in ranking]), strict=True))
    return found


def kruskal_wallis(groups: Mapping[str, ArrayLike]) -> tuple[float, float]:
    """H and p of the test that all conditions have the same distribution of ranks, corrected for ties."""
    if len(groups) < 2:
        raise UsageError("a test of ranks needs two conditions or more")
    found = optional("scipy.stats", "lab", "tests of ranks").kruskal(*(np.asarray(values, np.float64) for values in groups.values()))
    return float(found.statistic), float(found.pvalue)


def dunn(groups: Mapping[str, ArrayLike]) -> list[Compared]:
    """All pairs after Kruskal-Wallis (Dunn 1964), ties corrected, two-sided p values adjusted by Holm."""
    stats = optional("scipy.stats", "lab", "tests of ranks")
    names = list(groups)
    sizes = [len(np.asarray(groups[name])) for name in names]
    values = np.concatenate([np.asarray(groups[name], np.float64) for name in names])
    ranks: Floats = np.asarray(stats.rankdata(values), np.float64)
    ends = np.cumsum(sizes)
    means = [float(ranks[end - size : end].mean()) for size, end in zip(sizes, ends, strict=True)]
    total = len(values)
    ties = np.unique(values, return_counts=True)[1].astype(np.float64)
    spread = total * (total + 1) / 12 - float((ties**3 - ties).sum()) / (12 * (total - 1))
    pairs = list(combinations(range(len(names)), 2))
    z = [(means[a] - means[b]) / math.sqrt(spread * (1 / sizes[a] + 1 / sizes[b])) for a, b in pairs]
    adjusted = holm([2 * float(stats.norm.sf(abs(one))) for one in z])
    return [Compared(names[a], names[b], one, float(p)) for (a, b), one, p in zip(pairs, z, adjusted, strict=True)]


def kappa(one: Sequence[str], other: Sequence[str]) -> float:
    """Cohen's kappa (1960) of two judges' verdicts on the same answers; nan where both always say the same one thing."""
    if len(one) != len(other) or not one:
        raise UsageError(f"two judges agree over the same answers: {len(one)} and {len(other)} verdicts do not pair")
    agreed = sum(a == b for a, b in zip(one, other, strict=True)) / len(one)
    by_chance = sum(one.count(label) * other.count(label) for label in {*one, *other}) / len(one) ** 2
    return (agreed - by_chance) / (1 - by_chance) if by_chance < 1 else float("nan")


def cohens_d(one: ArrayLike, other: ArrayLike) -> float:
    """The difference of two means in pooled standard deviations (Cohen 1988); nan where nothing varies."""
    first, second = np.asarray(one, np.float64), np.asarray(other, np.float64)
    if min(len(first), len(second)) < 2:
        raise UsageError("an effect size needs two values or more on each side")
    freedom = len(first) + len(second) - 2
    pooled = (first.var(ddof=1) * (len(first) - 1) + second.var(ddof=1) * (len(second) - 1)) / freedom
    return float((first.mean() - second.mean()) / math.sqrt(pooled)) if pooled > 0 else float("nan")


def agreement_alpha(ratings: ArrayLike, level: Level = "nominal") -> float:
    """Krippendorff's alpha of several judges: 1 where they agree, 0 where they do as if by chance (Krippendorff, "Computing
    Krippendorff's Alpha-Reliability", 2011). ``ratings``: (judges, units) of numbers, nan where a judge is silent; units with fewer than
    two values do not count. nan where none do, or where all values are the same."""
    table = np.atleast_2d(np.asarray(ratings, np.float64))
    table = table[:, (~np.isnan(table)).sum(axis=0) >= 2]
    values, places = np.unique(table[~np.isnan(table)], return_inverse=True)
    if len(values) < 2:
        return float("nan")
    numbers = np.full(table.shape, -1)
    numbers[~np.isnan(table)] = places
    counts = np.array([[np.count_nonzero(unit == value) for value in range(len(values))] for unit in numbers.T], np.float64)
    sizes = counts.sum(axis=1)
    coincidences = np.einsum("uv,uw,u->vw", counts, counts, 1 / (sizes - 1)) - np.diag((counts / (sizes - 1)[:, None]).sum(axis=0))
    totals = coincidences.sum(axis=1)
    distance = _distances(values, totals, level)
    expected = (np.outer(totals, totals) * distance).sum() / (totals.sum() - 1)
    return float(1 - (coincidences * distance).sum() / expected)


def _distances(values: Floats, totals: Floats, level: Level) -> Floats:
    """Squared distances of values: different or not, by their ranks, or as numbers."""
    if level == "nominal":
        return 1.0 - np.eye(len(values))
    if level == "interval":
        return (values[:, None] - values[None, :]) ** 2
    middle = np.cumsum(totals) - totals / 2
    return (middle[:, None] - middle[None, :]) ** 2


def _over(t: float) -> float:
    """Density over distribution of the standard normal; where that is nothing over nothing, its limit."""
    below = 0.5 * math.erfc(-t / math.sqrt(2))
    return math.exp(-t * t / 2) / math.sqrt(2 * math.pi) / below if below > 1e-300 else -t
