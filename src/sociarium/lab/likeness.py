"""How alike two networks are, and two sets of cascades: 1 where a measure is the same, less by how far it differs (POSIM, 2603.23884)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network
from sociarium.lab.discourse import jensen_shannon
from sociarium.populations.networks.statistics import summary
from sociarium.populations.networks.tails import fit_power_law

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class NetworkLikeness:
    """Each from 0 to 1; nan where a network has no tail to fit."""

    clustering: float
    inequality: float  # Gini of degrees
    connectedness: float  # share of the largest component
    exponent: float  # of degrees

    @classmethod
    def of(cls, first: Network, second: Network) -> NetworkLikeness:
        """Isolated nodes are left out: they are accounts that nobody met in the run."""
        ours, theirs = (summary(_met(network)) for network in (first, second))
        degrees = [total_degrees(_met(network)) for network in (first, second)]
        return cls(
            _apart(ours.clustering, theirs.clustering),
            _apart(gini(degrees[0]), gini(degrees[1])),
            _apart(ours.largest_component, theirs.largest_component),
            exponent_likeness(*degrees),
        )

    def mean(self) -> float:
        """Of those that could be measured."""
        return float(np.nanmean([self.clustering, self.inequality, self.connectedness, self.exponent]))


def cascade_likeness(first: ArrayLike, second: ArrayLike) -> float:
    """1 less the divergence of the histograms of sizes, one bin a size."""
    ours, theirs = (np.asarray(sizes, np.int64) for sizes in (first, second))
    if not len(ours) or not len(theirs):
        raise UsageError("cascades are compared by their sizes; both sides need at least one")
    most = int(max(ours.max(), theirs.max())) + 1
    return 1 - jensen_shannon(np.bincount(ours, minlength=most), np.bincount(theirs, minlength=most))


def exponent_likeness(first: ArrayLike, second: ArrayLike, *, minimum: int = 1) -> float:
    """1 - |difference| / larger of the exponents of power laws fitted from ``minimum`` on; nan where either has no tail."""
    ours, theirs = exponent(first, minimum=minimum), exponent(second, minimum=minimum)
    return float("nan") if np.isnan([ours, theirs]).any() else 1 - abs(ours - theirs) / max(ours, theirs)


def exponent(values: ArrayLike, *, minimum: int = 1) -> float:
    """Of a power law by maximum likelihood from ``minimum`` on; nan where fewer than two values differ there."""
    tail = np.asarray(values, np.int64)
    tail = tail[tail >= minimum]
    return fit_power_law(tail, minimum=minimum).exponent if len(tail) > 1 and tail.max() > minimum else float("nan")


def gini(values: ArrayLike) -> float:
    """Inequality of values of 0 or more: 0 where all are the same, towards 1 where one has all."""
    ordered = np.sort(np.asarray(values, np.float64))
    total, count = float(ordered.sum()), len(ordered)
    return float((2 * np.arange(1, count + 1) - count - 1) @ ordered / (count * total)) if total > 0 else 0.0


def total_degrees(network: Network) -> Ints:
    """Edges that leave and reach each node."""
    return network.degrees() + network.in_degrees()


def _met(network: Network) -> Network:
    """Without its isolated nodes, numbered anew."""
    kept = np.flatnonzero(total_degrees(network))
    place = np.full(network.nodes, -1, np.int64)
    place[kept] = np.arange(len(kept))
    return Network.from_edges(len(kept), place[network.sources()], place[network.targets])


def _apart(first: float, second: float) -> float:
    return 1 - abs(first - second)
