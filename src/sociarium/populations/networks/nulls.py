"""Null models: another graph in which every node has the degrees it had, or follows as many others as it did."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network, edge_codes
from sociarium.kernel.randomness import Stream

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


def degree_preserving(network: Network, random: Stream, *, directed: bool, swaps: float = 10) -> Network:
    """The network after about ``swaps`` attempted swaps an edge: (a, b), (c, d) become (a, d), (c, b) (Maslov and Sneppen 2002).

    Undirected networks hold both directions of every edge, and keep the degree of every node; directed ones keep out- and in-degrees.
    Every round is symmetric, so that all graphs within reach become equally likely; directed graphs that differ only by the direction
    of isolated three-cycles are out of each other's reach. Attributes are left behind.
    """
    a, b = network.sources().astype(np.int64), network.targets.astype(np.int64)
    if not directed:
        if not network.has(b, a).all():
            raise UsageError("the network has edges in one direction only; pass directed=True")
        a, b = a[a < b], b[network.sources() < b]
    return Network.from_edges(network.nodes, *rewired(a, b, random, directed=directed, swaps=swaps), mutual=not directed)


def random_follows(out: ArrayLike, random: Stream) -> Network:
    """A directed network in which node i follows ``out[i]`` others, each set of them as likely: what is left when nobody prefers anybody.

    Targets are drawn one after the other, and repeats passed over.
    """
    wanted = np.asarray(out, np.int64)
    nodes = len(wanted)
    if len(wanted) and (wanted.min() < 0 or wanted.max() >= max(nodes, 1)):
        raise UsageError(f"{nodes} nodes follow from 0 to {max(nodes - 1, 0)} others each, not {wanted.min()} to {wanted.max()}")
    kept, missing, step = np.empty(0, np.int64), wanted, 0
    while (drawn := int(missing.sum())) > 0:
        sources = np.repeat(np.arange(nodes), missing)
        targets = random.at(step).integers(0, nodes - 2, np.arange(drawn))
        targets += targets >= sources  # never oneself
        kept = np.unique(np.concatenate([kept, edge_codes(sources, targets)]))
        missing = wanted - np.bincount(kept >> 32, minlength=nodes)
        step += 1
    return Network.from_codes(nodes, kept)


def rewired(a: Ints, b: Ints, random: Stream, *, directed: bool, swaps: float = 10) -> tuple[Ints, Ints]:
    """Rounds of swaps over an edge list; undirected edges stand in it once. Each round pairs edge e with edge s - e for a random s."""
    a, b = a.copy(), b.copy()
    rounds = max(1, round(2 * swaps)) if len(a) > 1 else 0
    for number in range(rounds):
        _round(a, b, random.at(number), directed)
    return a, b


def _round(a: Ints, b: Ints, random: Stream, directed: bool) -> None:
    """Swap in every pair that may, of a half chosen by coins.

    Whether a pair may depends on the old and new edges of all pairs together, and on nothing that a swap changes: it may where its new
    edges are no self-loops and none of its four edges is anybody else's, old or new. So the way back is as likely as the way there.
    """
    size = len(a)
    total = int(random.at("sum").integers(0, size - 1, [0])[0])
    first = np.arange(size)
    second = (total - first) % size
    first, second = first[first < second], second[first < second]
    coins = random.bits(first)
    plays = (coins & np.uint64(1)) != 0
    first, second, coins = first[plays], second[plays], coins[plays]
    if not directed:  # which end of the second edge is the one given away
        turned = second[(coins & np.uint64(2)) != 0]
        a[turned], b[turned] = b[turned], a[turned]
    new = [_codes(a[first], b[second], directed), _codes(a[second], b[first], directed)]
    old = _codes(a, b, directed)
    everything = np.sort(np.concatenate([*new, old]))
    taken = np.unique(everything[1:][everything[1:] == everything[:-1]])
    may = (a[first] != b[second]) & (a[second] != b[first])
    if len(taken):
        for codes in (*new, old[first], old[second]):
            may &= ~_among(codes, taken)
    first, second = first[may], second[may]
    b[first], b[second] = b[second], b[first]


def _codes(a: Ints, b: Ints, directed: bool) -> Ints:
    return edge_codes(a, b) if directed else edge_codes(np.minimum(a, b), np.maximum(a, b))


def _among(codes: Ints, taken: Ints) -> Mask:
    return taken[np.minimum(np.searchsorted(taken, codes), len(taken) - 1)] == codes
