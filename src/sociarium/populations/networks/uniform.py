"""Graphs in which edges are independent: Erdős and Rényi's two, and the stochastic block model."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network
from sociarium.kernel.randomness import Stream

Ints = NDArray[np.int64]

MOST_PAIRS = 2**53  # beyond, a number in [0, 1) of 53 bits cannot name each pair
_BATCH = 1 << 22


def erdos_renyi(nodes: int, probability: float, random: Stream, *, directed: bool = False) -> Network:
    """G(n, p): every pair is an edge with this probability, whatever the others (Gilbert 1959). Costs as much as there are edges."""
    if nodes < 0 or not 0 <= probability <= 1:
        raise UsageError(f"G(n, p) of {nodes} nodes with probability {probability}: 0 or more nodes, and a probability from 0 to 1")
    a, b = _pairs(chosen(_all_pairs(nodes, directed), probability, random), nodes, directed)
    return Network.from_edges(nodes, a, b, mutual=not directed)


def erdos_renyi_edges(nodes: int, edges: int, random: Stream, *, directed: bool = False) -> Network:
    """G(n, m): one of all graphs with exactly this many edges, each as likely (Erdős and Rényi 1959)."""
    pairs = _all_pairs(nodes, directed)
    if not 0 <= edges <= pairs:
        raise UsageError(f"{nodes} nodes have {pairs} pairs, so a graph of {edges} edges cannot be drawn")
    a, b = _pairs(distinct(pairs, edges, random), nodes, directed)
    return Network.from_edges(nodes, a, b, mutual=not directed)


def stochastic_block(sizes: Sequence[int], probabilities: ArrayLike, random: Stream, *, directed: bool = False) -> Network:
    """Blocks of consecutive nodes; ``probabilities[i, j]`` is that of an edge from block i to block j (Holland, Laskey, Leinhardt 1983)."""
    chances = np.asarray(probabilities, np.float64)
    if chances.shape != (len(sizes), len(sizes)) or not ((chances >= 0) & (chances <= 1)).all():
        raise UsageError(f"{len(sizes)} blocks need {len(sizes)} x {len(sizes)} probabilities from 0 to 1, not {chances.shape}")
    if not directed and not np.array_equal(chances, chances.T):
        raise UsageError("an undirected block model needs symmetric probabilities; make them symmetric, or pass directed=True")
    starts = np.concatenate([[0], np.cumsum(np.asarray(sizes, np.int64))])
    sources, targets = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for i in range(len(sizes)):
        for j in range(len(sizes)) if directed else range(i, len(sizes)):
            stream = random.at(i, j)
            if i == j:
                a, b = _pairs(chosen(_all_pairs(sizes[i], directed), float(chances[i, i]), stream), sizes[i], directed)
            else:
                code = chosen(sizes[i] * sizes[j], float(chances[i, j]), stream)
                a, b = code // max(sizes[j], 1), code % max(sizes[j], 1)
            sources.append(a + starts[i])
            targets.append(b + starts[j])
    return Network.from_edges(int(starts[-1]), np.concatenate(sources), np.concatenate(targets), mutual=not directed)


def chosen(trials: int, probability: float, random: Stream) -> Ints:
    """The numbers of the trials that succeed, ascending: gaps between them are geometric (Batagelj and Brandes 2005, algorithm 1)."""
    if trials <= 0 or probability <= 0:
        return np.empty(0, np.int64)
    if probability >= 1:
        return np.arange(trials, dtype=np.int64)
    parts: list[Ints] = []
    last, drawn = -1, 0
    while last < trials:
        expected = (trials - last) * probability
        size = min(_BATCH, int(expected + 4 * math.sqrt(expected) + 3))
        gaps = np.log1p(-random.uniform(np.arange(drawn, drawn + size)))
        with np.errstate(over="ignore"):  # a gap beyond all numbers is one beyond all trials
            gaps /= math.log1p(-probability)
        np.minimum(np.floor(gaps, out=gaps), float(trials), out=gaps)
        places = np.cumsum(gaps.astype(np.int64) + 1)
        places += last
        parts.append(places[: int(np.searchsorted(places, trials))])
        last, drawn = int(places[-1]), drawn + size
    return np.concatenate(parts)


def distinct(total: int, count: int, random: Stream) -> Ints:
    """``count`` different numbers below ``total``, ascending; every set as likely: drawn one after the other, repeats passed over."""
    if total > MOST_PAIRS:
        raise UsageError(f"{total} things are too many to draw from; at most {MOST_PAIRS}")
    if 2 * count > total:
        left = np.ones(total, np.bool_)
        left[distinct(total, total - count, random)] = False
        return np.flatnonzero(left)
    kept, drawn = np.empty(0, np.int64), 0
    while (missing := count - len(kept)) > 0:
        kept = np.concatenate([kept, random.integers(0, total - 1, np.arange(drawn, drawn + missing))])
        kept.sort()
        kept = kept[np.concatenate([[True], kept[1:] != kept[:-1]])]
        drawn += missing
    return kept


def _all_pairs(nodes: int, directed: bool) -> int:
    pairs = nodes * (nodes - 1) // (1 if directed else 2)
    if pairs > MOST_PAIRS:
        raise UsageError(f"{nodes} nodes have {pairs} pairs; at most {MOST_PAIRS} can be told apart")
    return pairs


def _pairs(codes: Ints, nodes: int, directed: bool) -> tuple[Ints, Ints]:
    """Pair number c: directed c = a (n - 1) + b, self left out; undirected c = b (b - 1) / 2 + a with a < b."""
    if directed:
        a, b = codes // max(nodes - 1, 1), codes % max(nodes - 1, 1)
        return a, b + (b >= a)
    b = ((1 + np.sqrt(1.0 + 8.0 * codes)) / 2).astype(np.int64)
    b -= b * (b - 1) // 2 > codes  # the square root is rounded: put it right by one
    b += b * (b + 1) // 2 <= codes
    return codes - b * (b - 1) // 2, b
