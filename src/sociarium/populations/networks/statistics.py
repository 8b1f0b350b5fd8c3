"""What a network is like: degrees, clustering, mixing, reciprocity, components."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.network import Network

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_WEDGES = 1 << 21  # pairs of neighbours looked up at a time


@dataclass(frozen=True, slots=True)
class Summary:
    """One network in numbers. Undirected measures read it as holding both directions of every edge."""

    nodes: int
    edges: int  # directed
    mean_degree: float
    largest_degree: int
    isolated: int  # nodes without an edge in either direction
    reciprocity: float
    assortativity: float
    transitivity: float
    clustering: float
    largest_component: float  # share of nodes


def summary(network: Network) -> Summary:
    """All of the measures below at once; clustering and components are those of the graph without directions."""
    both = Network.from_edges(network.nodes, network.sources(), network.targets, mutual=True)
    triangles, degrees = triangles_of(both), both.degrees()
    wedges = degrees * (degrees - 1) // 2
    size = np.bincount(components(both), minlength=1)
    return Summary(
        nodes=network.nodes, edges=len(network), mean_degree=len(network) / max(network.nodes, 1),
        largest_degree=int(network.degrees().max(initial=0)), isolated=int((degrees == 0).sum()), reciprocity=reciprocity(network),
        assortativity=assortativity(network), transitivity=_ratio(triangles.sum(), wedges.sum()),
        clustering=float(np.divide(triangles, wedges, out=np.zeros(len(wedges)), where=wedges > 0).mean()) if network.nodes else 0.0,
        largest_component=float(size.max()) / max(network.nodes, 1),
    )  # fmt: skip


def degree_distribution(degrees: Ints) -> Floats:
    """Share of nodes of each degree from 0 to the highest."""
    return np.bincount(degrees) / max(len(degrees), 1)


def survival(degrees: Ints) -> tuple[Ints, Floats]:
    """The degrees there are, ascending, and the share of nodes with at least that degree: straight on double logarithmic axes for a
    power law."""
    values, counts = np.unique(degrees, return_counts=True)
    return values, np.cumsum(counts[::-1])[::-1] / max(len(degrees), 1)


def reciprocity(network: Network) -> float:
    """Share of edges whose reverse is there too; nan without edges."""
    return float(network.has(network.targets, network.sources()).mean()) if len(network) else float("nan")


def assortativity(network: Network, values: NDArray[np.generic] | None = None) -> float:
    """Pearson correlation over edges of the source's and the target's value (Newman 2002): by default source's out-degree and target's
    in-degree. nan where either is constant."""
    a = network.degrees() if values is None else np.asarray(values, np.float64)
    b = network.in_degrees() if values is None else a
    x, y = a[network.sources()].astype(np.float64), b[network.targets].astype(np.float64)
    if not len(x):
        return float("nan")
    x -= x.mean()
    y -= y.mean()
    return _ratio(float(x @ y), float(np.sqrt((x @ x) * (y @ y))))


def triangles_of(network: Network) -> Ints:
    """Triangles each node is part of, in an undirected network. Edges lead to the node of higher degree, and pairs of such neighbours are
    looked up: at most edges to the power 3/2 of them (Latapy 2008)."""
    degrees = network.degrees()
    sources, targets = network.sources(), network.targets
    keys = degrees * np.int64(2**31) + np.arange(network.nodes)
    upward = network.only(keys[sources] < keys[targets])
    ahead = upward.degrees()
    counts = np.zeros(network.nodes, np.int64)
    # a wedge: an upward edge u -> v, and another of u, later in its row
    row_end = np.repeat(upward.starts[1:], ahead)
    later = row_end - np.arange(len(upward)) - 1
    bounds = np.concatenate([[0], np.cumsum(later)])
    first = 0
    origins = upward.sources()
    while first < len(upward):
        last = max(first + 1, int(np.searchsorted(bounds, bounds[first] + _WEDGES, side="right")) - 1)
        edge = np.repeat(np.arange(first, last), later[first:last])
        other = edge + 1 + np.arange(len(edge)) - (bounds[edge] - bounds[first])
        v, w = upward.targets[edge], upward.targets[other]
        swap = keys[v] > keys[w]
        closed = upward.has(np.where(swap, w, v), np.where(swap, v, w))
        for corner in (origins[edge], v, w):
            counts += np.bincount(corner[closed], minlength=network.nodes)
        first = last
    return counts


def components(network: Network) -> Ints:
    """The number of each node's component, by size from 0, in an undirected network: every node takes the least label around it, and then
    that label's label, until nothing changes (Shiloach and Vishkin 1982)."""
    label = np.arange(network.nodes, dtype=np.int64)
    sources, targets = network.sources(), network.targets
    while True:
        before = label.copy()
        np.minimum.at(label, sources, before[targets])
        np.minimum.at(label, before[sources], before[targets])
        while True:
            jumped = label[label]
            if np.array_equal(jumped, label):
                break
            label = jumped
        if np.array_equal(label, before):
            break
    _, named, counts = np.unique(label, return_inverse=True, return_counts=True)
    rank = np.empty(len(counts), np.int64)
    rank[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    return rank[named]


def _ratio(above: float, below: float) -> float:
    return float(above) / float(below) if below else float("nan")
