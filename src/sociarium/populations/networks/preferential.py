"""Graphs that grow: newcomers join those who have many neighbours already."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.extras import compiled
from sociarium.kernel.network import Network
from sociarium.kernel.randomness import Stream

Nodes = NDArray[np.int32]
Floats = NDArray[np.float64]


def barabasi_albert(nodes: int, links: int, random: Stream, *, directed: bool = False) -> Network:
    """Each newcomer joins ``links`` different others, each chosen with probability proportional to its degree (Barabási and Albert 1999).

    Begins with a star of ``links`` leaves, so there are links * (nodes - links) edges. ``directed``: from the newcomer to those it chose.
    Ten million edges take a second where Numba is installed, half a minute in plain Python.
    """
    _check(nodes, links)
    targets = np.empty(links * (nodes - links), np.int32)
    _with_draws(lambda draws: _grow(nodes, links, draws, targets), len(targets), random)
    return _network(nodes, links, targets, directed)


def cumulative_advantage(nodes: int, links: int, random: Stream, *, attraction: float = 1.0) -> Network:
    """Each newcomer follows ``links`` different earlier nodes, each chosen with probability proportional to its followers plus
    ``attraction`` (Price 1976): directed, every out-degree the same beyond the first ``links`` nodes, in-degrees with the tail exponent
    2 + attraction / links. The first nodes follow nobody."""
    _check(nodes, links)
    if not attraction > 0:
        raise UsageError(f"attraction is {attraction}; above 0, or nobody is ever followed first")
    targets = np.empty(links * (nodes - links), np.int32)
    _with_draws(lambda draws: _grow_cited(nodes, links, attraction, draws, targets), len(targets), random)
    return Network.from_edges(nodes, np.repeat(np.arange(links, nodes, dtype=np.int32), links), targets)


def powerlaw_cluster(nodes: int, links: int, triangle: float, random: Stream, *, directed: bool = False) -> Network:
    """As Barabási and Albert, but after each link the next, with probability ``triangle``, goes to a neighbour of the one just joined, so
    that friends of friends become friends (Holme and Kim 2002)."""
    _check(nodes, links)
    if not 0 <= triangle <= 1:
        raise UsageError(f"triangle is {triangle}; it is a probability, from 0 to 1")
    targets = np.empty(links * (nodes - links), np.int32)
    _with_draws(lambda draws: _grow_clustered(nodes, links, triangle, draws, targets), 3 * len(targets), random)
    return _network(nodes, links, targets, directed)


def _check(nodes: int, links: int) -> None:
    if not 1 <= links < nodes:
        raise UsageError(f"{nodes} nodes with {links} links for each newcomer: at least 1 link, and fewer links than nodes")


def _with_draws(grow: Callable[[Floats], Any], expected: int, random: Stream) -> None:
    """Run a growth that takes its draws one after the other from an array; begin anew with a longer one where it does not suffice."""
    size = expected + expected // 16 + 10_000
    while not grow(random.uniform(np.arange(size))):
        size *= 2


def _network(nodes: int, links: int, targets: Nodes, directed: bool) -> Network:
    """The star's edges come first, from each leaf to the middle; then ``links`` a newcomer."""
    sources = np.concatenate([np.arange(1, links + 1, dtype=np.int32), np.repeat(np.arange(links + 1, nodes, dtype=np.int32), links)])
    return Network.from_edges(nodes, sources, targets, mutual=not directed)


@compiled(nogil=True)
def _grow(nodes: int, links: int, draws: Floats, targets: Nodes) -> bool:
    """Write the target of every edge. Edge i has its ends at slots 2 i (the newcomer) and 2 i + 1 (the target); a slot chosen uniformly
    names a node with probability proportional to its degree. False where the draws ran out."""
    targets[:links] = 0
    used = 0
    for node in range(links + 1, nodes):
        first = links * (node - links)
        for k in range(links):
            fresh, target = False, 0
            while not fresh:
                if used == len(draws):
                    return False
                slot = int(draws[used] * (2 * first))
                used += 1
                edge = slot // 2
                if slot % 2 == 1:
                    target = targets[edge]
                elif edge < links:
                    target = edge + 1
                else:
                    target = edge // links + links
                fresh = True
                for earlier in range(first, first + k):
                    if targets[earlier] == target:
                        fresh = False
                        break
            targets[first + k] = target
    return True


@compiled(nogil=True)
def _grow_cited(nodes: int, links: int, attraction: float, draws: Floats, targets: Nodes) -> bool:
    """As ``_grow``: a draw falls on an earlier edge, and names its target, or on a node itself."""
    used = 0
    for node in range(links, nodes):
        first = links * (node - links)
        for k in range(links):
            fresh, target = False, 0
            while not fresh:
                if used == len(draws):
                    return False
                place = draws[used] * (first + attraction * node)
                used += 1
                target = targets[int(place)] if place < first else min(int((place - first) / attraction), node - 1)
                fresh = True
                for earlier in range(first, first + k):
                    if targets[earlier] == target:
                        fresh = False
                        break
            targets[first + k] = target
    return True


@compiled(nogil=True)
def _grow_clustered(nodes: int, links: int, triangle: float, draws: Floats, targets: Nodes) -> bool:
    """As ``_grow``, with the neighbours of each node in a block of one pool; a full block moves to the end, twice as long."""
    room = 2 * links
    pool = np.zeros(8 * links * nodes, np.int32)
    block, size, held = np.empty(nodes, np.int64), np.empty(nodes, np.int64), np.zeros(nodes, np.int64)
    for node in range(nodes):
        block[node], size[node] = node * room, room
    end = nodes * room
    used = 0
    for edge in range(links * (nodes - links)):
        source = edge + 1 if edge < links else edge // links + links
        first = 0 if edge < links else edge - edge % links
        target = 0
        fresh = edge < links
        tried = edge == first  # the first link is never a triangle's
        while not fresh:
            if used + 2 > len(draws):
                return False
            if not tried and draws[used] < triangle:
                previous = targets[edge - 1]
                target = pool[block[previous] + int(draws[used + 1] * held[previous])]
            else:
                slot = int(draws[used + 1] * (2 * first))
                which = slot // 2
                if slot % 2 == 1:
                    target = targets[which]
                else:
                    target = which + 1 if which < links else which // links + links
            used += 2
            tried = True  # a neighbour that is no new one is not asked for twice: the link goes by degree
            fresh = target != source
            for earlier in range(first, edge):
                if targets[earlier] == target:
                    fresh = False
                    break
        targets[edge] = target
        for one, other in ((source, target), (target, source)):
            if held[one] == size[one]:
                if end + 2 * size[one] > len(pool):
                    grown = np.zeros(2 * len(pool) + 2 * size[one], np.int32)
                    grown[:end] = pool[:end]
                    pool = grown
                pool[end : end + held[one]] = pool[block[one] : block[one] + held[one]]
                block[one] = end
                size[one] *= 2
                end += size[one]
            pool[block[one] + held[one]] = other
            held[one] += 1
    return True
