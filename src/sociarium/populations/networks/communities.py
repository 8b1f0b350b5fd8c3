"""Groups of nodes that hold together: label propagation in arrays, Louvain through NetworkX, and how good a division is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.extras import optional
from sociarium.kernel.network import Network
from sociarium.kernel.randomness import Stream
from sociarium.populations.networks.files import to_networkx

Ints = NDArray[np.int64]


def label_propagation(network: Network, random: Stream, *, rounds: int = 100) -> Ints:
    """The community of each node, numbered by size from 0 (Raghavan, Albert and Kumara 2007), in an undirected network.

    In each round a random half of the nodes takes the label most frequent among its neighbours, ties by lot (all at once would swing
    to and fro for ever); until nobody would change, or ``rounds`` are over.
    """
    label = np.arange(network.nodes, dtype=np.int64)
    sources = network.sources().astype(np.int64)
    for number in range(2 * rounds):
        stream = random.at(number)
        best, keeps = _most_frequent(label, sources, network, stream)
        wrong = ~keeps
        if not wrong.any():
            break
        moving = wrong & (stream.uniform(np.arange(network.nodes), 1) < 0.5)
        label[moving] = best[moving]
    return by_size(label)


def louvain(network: Network, random: Stream, *, resolution: float = 1.0, weight: str | None = None) -> Ints:
    """The community of each node by Louvain's method (Blondel et al. 2008), as NetworkX has it (extra ``graph``)."""
    nx = optional("networkx", "graph", "Louvain's method")
    graph = to_networkx(network, directed=False)
    seed = int(random.bits([0])[0] >> np.uint64(33))
    found: list[set[int]] = nx.community.louvain_communities(graph, weight=weight, resolution=resolution, seed=seed)
    label = np.empty(network.nodes, np.int64)
    for number, members in enumerate(found):
        label[list(members)] = number
    return by_size(label)


def modularity(network: Network, community: NDArray[Any], *, resolution: float = 1.0) -> float:
    """Share of edges within communities less what it would be by degrees alone (Newman and Girvan 2004); directed as Leicht and Newman."""
    if not len(network):
        return float("nan")
    _, named = np.unique(community, return_inverse=True)
    inside = (named[network.sources()] == named[network.targets]).mean()
    out, into = (np.bincount(named, weights=degrees) / len(network) for degrees in (network.degrees(), network.in_degrees()))
    return float(inside - resolution * (out @ into))


def mutual_information(one: NDArray[Any], other: NDArray[Any]) -> float:
    """How much two divisions of the same nodes have in common, from 0 to 1: mutual information over the mean of both entropies (Danon et
    al. 2005). 1 also where both are a single community."""
    if len(one) != len(other) or not len(one):
        raise UsageError(f"divisions of {len(one)} and {len(other)} nodes cannot be compared; both need the same nodes, at least one")
    _, a = np.unique(one, return_inverse=True)
    _, b = np.unique(other, return_inverse=True)
    joint = np.bincount(a * (int(b.max()) + 1) + b).astype(np.float64)
    entropies = [_entropy(np.bincount(part).astype(np.float64)) for part in (a, b)]
    total = sum(entropies)
    return 2 * (total - _entropy(joint)) / total if total > 0 else 1.0


def by_size(label: Ints) -> Ints:
    """The same division with communities numbered by size, the largest 0; of equal ones that of the lowest node first."""
    _, first, named, counts = np.unique(label, return_index=True, return_inverse=True, return_counts=True)
    rank = np.empty(len(counts), np.int64)
    rank[np.lexsort((first, -counts))] = np.arange(len(counts))
    return rank[named]


def _entropy(counts: NDArray[np.float64]) -> float:
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def _most_frequent(label: Ints, sources: Ints, network: Network, random: Stream) -> tuple[Ints, NDArray[np.bool_]]:
    """For each node a most frequent label among its neighbours, and whether its own is one of the most frequent."""
    codes = (sources << 32) | label[network.targets]
    codes.sort()
    heads = np.flatnonzero(np.concatenate([[True], codes[1:] != codes[:-1]])) if len(codes) else np.empty(0, np.int64)
    counts = np.diff(np.append(heads, len(codes)))
    pair = codes[heads]
    top = _highest(counts, pair >> 32)
    pair = pair[top]
    node, candidate = pair >> 32, pair & 0xFFFFFFFF
    keeps = network.degrees() == 0
    keeps[node[label[node] == candidate]] = True
    lot = _highest(random.at("lot").bits(pair), node)  # draws belong to the pair, not to its place
    best = label.copy()
    best[node[lot]] = candidate[lot]
    return best, keeps


def _highest(values: NDArray[Any], node: Ints) -> NDArray[np.bool_]:
    """Which values are the highest of their node; rows stand in order of node."""
    if not len(values):
        return np.zeros(0, np.bool_)
    starts = np.flatnonzero(np.concatenate([[True], node[1:] != node[:-1]]))
    most = np.maximum.reduceat(values, starts)
    return values == np.repeat(most, np.diff(np.append(starts, len(values))))
