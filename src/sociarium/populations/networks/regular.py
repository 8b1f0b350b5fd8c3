"""Graphs without chance, and the small world that begins as one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network, edge_codes
from sociarium.kernel.randomness import Stream

Ints = NDArray[np.int64]


def complete(nodes: int) -> Network:
    """Everyone beside everyone."""
    a, b = np.triu_indices(nodes, 1)
    return Network.from_edges(nodes, a, b, mutual=True)


def star(leaves: int) -> Network:
    """Node 0 in the middle, ``leaves`` others around it."""
    return Network.from_edges(leaves + 1, np.zeros(leaves, np.int64), np.arange(1, leaves + 1), mutual=True)


def ring(nodes: int, neighbours: int = 2) -> Network:
    """A circle in which each is joined to the ``neighbours`` nearest, half on each side."""
    if neighbours % 2 or not 0 <= neighbours < max(nodes, 1):
        raise UsageError(f"a ring of {nodes} nodes with {neighbours} neighbours: an even number below the number of nodes")
    a, b = _ring_edges(nodes, neighbours)
    return Network.from_edges(nodes, a, b, mutual=True)


def grid(rows: int, columns: int, *, periodic: bool = False, diagonal: bool = False) -> Network:
    """Node r * columns + c at (r, c), joined to the 4 (``diagonal``: 8) around it; ``periodic``: opposite borders touch."""
    r, c = np.divmod(np.arange(rows * columns), max(columns, 1))
    sources, targets = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)) if diagonal else ((0, 1), (1, 0)):
        rr, cc = r + down, c + right
        inside = np.ones(len(r), np.bool_) if periodic else (rr < rows) & (cc >= 0) & (cc < columns)
        sources.append(np.flatnonzero(inside))
        targets.append((rr % max(rows, 1) * columns + cc % max(columns, 1))[inside])
    return Network.from_edges(rows * columns, np.concatenate(sources), np.concatenate(targets), mutual=True)


def watts_strogatz(nodes: int, neighbours: int, rewire: float, random: Stream) -> Network:
    """A ring in which each edge, with probability ``rewire``, is led to another node chosen uniformly (Watts and Strogatz 1998).

    The number of edges stays. A new end is drawn again while it would make a self-loop or an edge that is there already.
    """
    if neighbours % 2 or not 0 <= 2 * neighbours <= max(nodes, 1) or not 0 <= rewire <= 1:
        raise UsageError(f"a small world of {nodes} nodes needs an even number of neighbours, at most half of them")
    a, b = _ring_edges(nodes, neighbours)
    moves = random.uniform(np.arange(len(a))) < rewire
    settled = np.sort(_undirected(a[~moves], b[~moves]))
    ends, waiting, attempt = random.at("end"), np.flatnonzero(moves), 0
    while len(waiting):
        others = ends.integers(0, nodes - 2, waiting, attempt)
        b[waiting] = others + (others >= a[waiting])
        codes = _undirected(a[waiting], b[waiting])
        first = np.zeros(len(codes), np.bool_)
        first[np.unique(codes, return_index=True)[1]] = True
        if len(settled):
            first &= settled[np.minimum(np.searchsorted(settled, codes), len(settled) - 1)] != codes
        settled = np.sort(np.concatenate([settled, codes[first]]))
        waiting, attempt = waiting[~first], attempt + 1
    return Network.from_edges(nodes, a, b, mutual=True)


def _ring_edges(nodes: int, neighbours: int) -> tuple[Ints, Ints]:
    a = np.repeat(np.arange(nodes), neighbours // 2)
    return a, (a + np.tile(np.arange(1, neighbours // 2 + 1), nodes)) % max(nodes, 1)


def _undirected(a: Ints, b: Ints) -> Ints:
    return edge_codes(np.minimum(a, b), np.maximum(a, b))
