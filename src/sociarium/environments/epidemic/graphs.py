"""Networks of millions: random graphs, and compressed rows from lists of contacts, with 32-bit targets."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network
from sociarium.kernel.randomness import Stream

SHIFT = 14  # nodes in a bucket: 2^14, whose rows fit into the second-level cache
SMALL = 4096  # contacts below which NumPy is as good


def random_network(nodes: int, degree: float, stream: Stream, *, threads: int = 1) -> Network:
    """A random graph of mean degree ``degree``: nodes * degree / 2 contacts with both ends drawn evenly, there in both directions.

    Self-loops and repeats (a share of about degree / nodes) are dropped. The n-th contact is row n of the stream, so a graph is the
    same with and without compiled kernels, and on any number of threads.
    """
    if not 0 <= nodes < 2**31 or degree < 0:
        raise UsageError(f"a random network of {nodes} nodes and mean degree {degree}: up to 2^31 nodes, and 0 or more")
    contacts = round(nodes * degree / 2)
    if (building := _kernels()) is None or contacts < SMALL:
        rows = np.arange(contacts, dtype=np.int64)
        ends = [(stream.uniform(rows, index) * nodes).astype(np.int32) for index in (0, 1)]
        return network_of(nodes, *ends)
    one, other = np.empty(contacts, np.int32), np.empty(contacts, np.int32)
    cuts = [contacts * n // threads for n in range(threads + 1)]
    key = np.uint64(stream.key)

    def draw(number: int) -> None:
        building.pairs(nodes, key, cuts[number], cuts[number + 1], one, other)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(draw, range(threads)))
    return _built(building, nodes, one, other, True, threads)


def network_of(nodes: int, sources: ArrayLike, targets: ArrayLike, *, mutual: bool = True, threads: int = 1) -> Network:
    """``Network.from_edges`` with 32-bit targets, at 15 to 20 bytes an edge in all and some ten times its speed."""
    one, other = np.asarray(sources), np.asarray(targets)
    if len(one) != len(other):
        raise UsageError(f"{len(one)} sources for {len(other)} targets; give one each")
    if len(one) and (min(one.min(), other.min()) < 0 or max(one.max(), other.max()) >= nodes):
        raise UsageError(f"a contact names a node outside 0 to {nodes - 1}")
    if (building := _kernels()) is None or len(one) < SMALL:
        network = Network.from_edges(nodes, one, other, mutual=mutual)
        return Network(network.starts, network.targets.astype(np.int32))
    return _built(building, nodes, one.astype(np.int32, copy=False), other.astype(np.int32, copy=False), mutual, threads)


def near(network: Network) -> NDArray[np.int64]:
    """A label for each node, so that neighbours have labels that are near: breadth first from nodes of low degree (Cuthill and McKee 1969,
    reversed). Give it to ``network.relabelled`` and put agents' columns in that order: rows that are read together then lie together.
    A random graph has no such order; households, schools and towns have.
    """
    degrees = network.degrees()
    label = np.full(network.nodes, -1, np.int64)
    count = 0
    seeds = np.argsort(degrees, kind="stable")
    place = 0
    while count < network.nodes:
        while label[seeds[place]] >= 0:
            place += 1
        layer = seeds[place : place + 1]
        while len(layer):
            label[layer] = np.arange(count, count + len(layer))
            count += len(layer)
            sizes = degrees[layer]
            ends = np.cumsum(sizes)
            at = np.arange(int(ends[-1])) + np.repeat(network.starts[layer] - (ends - sizes), sizes)
            found = network.targets[at].astype(np.int64)
            found = found[label[found] < 0]
            unique, first = np.unique(found, return_index=True)
            layer = unique[np.lexsort((degrees[unique], first))]  # in the order in which they were met, then by degree
    return network.nodes - 1 - label


def _built(building: Any, nodes: int, one: NDArray[np.int32], other: NDArray[np.int32], mutual: bool, threads: int) -> Network:
    buckets = ((nodes - 1) >> SHIFT) + 1
    shares = [slice(len(one) * n // threads, len(one) * (n + 1) // threads) for n in range(threads)]
    counts = np.zeros((threads, buckets), np.int64)

    def count(number: int) -> None:
        building.count_buckets(one[shares[number]], other[shares[number]], mutual, SHIFT, counts[number])

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(count, range(threads)))
    ends = np.cumsum(counts.T).reshape(buckets, threads).T  # in each bucket, a share a thread
    bounds = np.concatenate([[0], ends[-1]]).astype(np.int64)
    edges = int(bounds[-1])
    sources, targets = np.empty(edges, np.uint16), np.empty(edges, np.int32)

    def fill(number: int) -> None:
        cursor = np.ascontiguousarray(ends[number] - counts[number])
        building.fill_buckets(one[shares[number]], other[shares[number]], mutual, SHIFT, cursor, sources, targets)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(fill, range(threads)))
    degrees = np.empty(nodes, np.int32)
    cuts = [buckets * n // threads for n in range(threads + 1)]

    def sort(number: int) -> None:
        building.sort_buckets(bounds, cuts[number], cuts[number + 1], SHIFT, sources, targets, degrees)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(sort, range(threads)))
    starts = np.zeros(nodes + 1, np.int64)
    np.cumsum(degrees, out=starts[1:])
    if starts[-1] != edges:
        building.close_gaps(bounds, starts, SHIFT, targets)
        targets = targets[: starts[-1]]
    return Network(starts, targets)


def _kernels() -> Any:
    """The compiled kernels; None without the extra ``fast``."""
    try:
        from sociarium.environments.epidemic import building
    except ModuleNotFoundError as missing:
        if missing.name is not None and missing.name.partition(".")[0] in ("numba", "llvmlite"):
            return None
        raise
    return building
