"""Beside what a gap must be read: shuffled attributes, random networks, and edges left out by lot.

Four of the paradox's measures are 0 or more in *any* network: the three edge gaps that are a variance over a mean, and the node gap of an
undirected network. A gap above 0 is therefore no finding; a gap beyond that of a null is one, about what the null left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network
from sociarium.kernel.randomness import Stream
from sociarium.populations.networks.nulls import degree_preserving, random_follows
from sociarium.populations.networks.uniform import erdos_renyi_edges

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Statistic = Callable[[Network], float]

LEVEL = 0.95
SAME = 1e-9  # a null whose draws all lie this near is the measure itself, and judges nothing
_AT_ONCE = 1 << 22  # numbers held at once


class Null(StrEnum):
    """What is drawn anew."""

    RANDOM_GRAPH = "random graph"  # as many edges, anywhere
    RANDOM_FOLLOWS = "random follows"  # everyone follows as many, whoever
    SAME_DEGREES = "same degrees"  # everyone has as many followers and followees
    SHUFFLED = "shuffled"  # the same network, x dealt out anew


@dataclass(frozen=True, slots=True)
class Judged:
    """An observed value beside the draws of a null. ``p`` is two-sided, counting the observed among the draws; nan where the null
    cannot judge (``same``: it keeps the measure as it is)."""

    null: str
    mean: float
    low: float  # of the central part of the draws
    high: float
    p: float
    draws: int
    same: bool

    @property
    def outside(self) -> bool:
        return not self.same and self.p <= 1 - LEVEL

    def __str__(self) -> str:
        if self.same:
            return f"{self.null}: the same in every draw, so it judges nothing"
        return f"{self.null}: {self.mean:.4g} [{self.low:.4g}, {self.high:.4g}], p = {self.p:.3g}"


def judged(observed: float, draws: ArrayLike, null: str, *, level: float = LEVEL) -> Judged:
    """Where a value lies among draws of a null."""
    values = np.asarray(draws, np.float64)
    values = values[~np.isnan(values)]
    if not len(values) or np.isnan(observed):
        return Judged(null, float("nan"), float("nan"), float("nan"), float("nan"), len(values), True)
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    same = bool(np.abs(values - observed).max() <= SAME * max(1.0, abs(observed)))
    below, above = (values <= observed + SAME).sum(), (values >= observed - SAME).sum()
    p = float("nan") if same else min(1.0, 2 * (min(below, above) + 1) / (len(values) + 1))
    return Judged(null, float(values.mean()), float(low), float(high), float(p), len(values), same)


def drawn(network: Network, null: Null, random: Stream, *, directed: bool = True) -> Network:
    """One network of a null."""
    if null is Null.RANDOM_GRAPH:
        return erdos_renyi_edges(network.nodes, len(network) if directed else len(network) // 2, random, directed=directed)
    if null is Null.RANDOM_FOLLOWS:
        return random_follows(network.degrees(), random)
    if null is Null.SAME_DEGREES:
        return degree_preserving(network, random, directed=directed)
    raise UsageError("shuffling x leaves the network as it is: use shuffles")


def shuffles(x: ArrayLike, random: Stream, draws: int) -> Floats:
    """x dealt out to the nodes anew, (draws, nodes); every order as likely."""
    values = np.asarray(x, np.float64)
    bits = random.bits(np.arange(draws * len(values))).reshape(draws, len(values))
    return values[np.argsort(bits, axis=1, kind="stable")]


@dataclass(frozen=True, slots=True)
class Infrequent:
    """What becomes of the gap of followees' followers when infrequent edges are dropped, beside as many edges dropped by lot.

    A gap falls whenever edges are dropped (thinning alone lowers it), so ``change`` is no finding by itself. ``p`` is the share of draws
    that fall at least as far, ties counted by half: small where the infrequent edges carry more of the gap than other edges do.
    """

    gap: float
    cut: float  # edges of at most this weight are dropped
    dropped: int
    change: float
    thinned: Floats  # the change in each draw
    p: float

    def __str__(self) -> str:
        low, high = np.quantile(self.thinned, [0.025, 0.975])
        return (
            f"gap {self.gap:.4g}; without the {self.dropped} edges of weight {self.cut:g} or less {self.change:+.4g}; "
            f"without as many by lot {self.thinned.mean():+.4g} [{low:+.4g}, {high:+.4g}], p = {self.p:.3g}"
        )


def infrequent(network: Network, weight: str, random: Stream, *, cut: float | None = None, draws: int = 999) -> Infrequent:
    """Drop edges of weight ``cut`` (the median, by default) or less. Permuting the weights over the edges is the same as dropping as many
    edges by lot, so one null serves both."""
    weights = np.asarray(network[weight], np.float64)
    if not len(weights):
        raise UsageError("a network without edges has no infrequent ones")
    most = float(np.median(weights)) if cut is None else cut
    keep = weights > most
    kept = int(keep.sum())
    if not kept:
        raise UsageError(f"every edge has a weight of {most:g} or less, so that none is left: give a lower cut")
    change, thinned = gap_without(network, keep), thinning(network, kept, random, draws=draws)
    same = np.abs(thinned - change) <= SAME
    p = float((thinned < change - SAME).sum() + 0.5 * (same.sum() + 1)) / (draws + 1)
    return Infrequent(_gap(network.in_degrees()), most, len(weights) - kept, change, thinned, p)


def gap_without(network: Network, keep: Bools) -> float:
    """By how much the gap of followees' followers changes where only these edges are left."""
    return _gap(np.bincount(network.targets[keep], minlength=network.nodes)) - _gap(network.in_degrees())


def thinning(network: Network, kept: int, random: Stream, *, draws: int) -> Floats:
    """The changes of that gap where ``kept`` edges are left by lot."""
    edges, nodes = len(network), network.nodes
    out = np.empty(draws)
    block = max(1, _AT_ONCE // max(edges, nodes))
    for first in range(0, draws, block):
        rows = np.arange(first, min(first + block, draws))
        bits = random.bits(rows[:, None] * edges + np.arange(edges))
        left = np.argpartition(bits, kept - 1, axis=1)[:, :kept] if kept < edges else np.broadcast_to(np.arange(edges), bits.shape)
        places = network.targets[left] + (rows - first)[:, None] * np.int64(nodes)
        into = np.bincount(places.reshape(-1), minlength=len(rows) * nodes).reshape(len(rows), nodes).astype(np.float64)
        out[rows] = (into**2).sum(1) / kept - kept / nodes
    return out - _gap(network.in_degrees())


def _gap(into: Ints) -> float:
    degrees = into.astype(np.float64)
    return float((degrees @ degrees) / degrees.sum() - degrees.mean())
