"""Graphs with given degrees."""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network, edge_codes
from sociarium.kernel.randomness import Stream
from sociarium.populations.networks.nulls import rewired

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

MOST_REJECTIONS = 10_000
MOST_REPAIRS = 500


class Simple(StrEnum):
    """How a pairing of stubs becomes a graph without self-loops and repeated edges."""

    REPAIR = "repair"  # bad edges swap ends with others: all degrees as given; close to uniform, not exactly
    REJECT = "reject"  # pair anew until there is no bad edge: exactly uniform; only for low degrees
    ERASE = "erase"  # leave bad edges out: degrees are a little lower than given


def configuration_model(degrees: ArrayLike, random: Stream, *, simple: Simple = Simple.REPAIR) -> Network:
    """A random graph in which node i has ``degrees[i]`` neighbours (Bollobás 1980; Molloy and Reed 1995)."""
    wanted = np.asarray(degrees, np.int64)
    if not graphical(wanted):
        raise UsageError(f"no simple graph has these {len(wanted)} degrees (sum {wanted.sum()}, most {wanted.max(initial=0)})")
    stubs = np.repeat(np.arange(len(wanted)), wanted)
    for attempt in range(MOST_REJECTIONS):
        dealt = stubs[random.at("pairing", attempt).order(np.arange(len(stubs)))]
        a, b = dealt[0::2], dealt[1::2]
        if simple is not Simple.REJECT:
            break
        if not _bad(a, b, directed=False).any():
            return Network.from_edges(len(wanted), a, b, mutual=True)
    else:
        raise UsageError(f"{MOST_REJECTIONS} pairings had a self-loop or a repeated edge; degrees are too high for 'reject', use 'repair'")
    if simple is Simple.REPAIR:
        repaired = _repair(a, b, random.at("repair"), directed=False)
        a, b = rewired(*_havel_hakimi(wanted), random.at("instead"), directed=False) if repaired is None else repaired
    return Network.from_edges(len(wanted), a, b, mutual=True)


def directed_configuration(out: ArrayLike, into: ArrayLike, random: Stream, *, simple: Simple = Simple.REPAIR) -> Network:
    """A random directed graph in which node i has ``out[i]`` targets and ``into[i]`` sources."""
    leave, enter = np.asarray(out, np.int64), np.asarray(into, np.int64)
    if len(leave) != len(enter) or leave.sum() != enter.sum() or min(leave.min(initial=0), enter.min(initial=0)) < 0:
        raise UsageError(f"out-degrees sum to {leave.sum()} and in-degrees to {enter.sum()}; one of each a node, and equal sums")
    a, ends = np.repeat(np.arange(len(leave)), leave), np.repeat(np.arange(len(enter)), enter)
    for attempt in range(MOST_REJECTIONS):
        b = ends[random.at("pairing", attempt).order(np.arange(len(ends)))]
        if simple is not Simple.REJECT:
            break
        if not _bad(a, b, directed=True).any():
            return Network.from_edges(len(leave), a, b)
    else:
        raise UsageError(f"{MOST_REJECTIONS} pairings had a self-loop or a repeated edge; degrees are too high for 'reject', use 'repair'")
    if simple is Simple.REPAIR:
        repaired = _repair(a, b, random.at("repair"), directed=True)
        if repaired is None:
            raise UsageError("these out- and in-degrees could not be joined to a graph without repeated edges; lower the highest ones")
        a, b = repaired
    return Network.from_edges(len(leave), a, b)


def random_regular(nodes: int, degree: int, random: Stream) -> Network:
    """A random graph in which everyone has ``degree`` neighbours."""
    if nodes * degree % 2 or not 0 <= degree < max(nodes, 1):
        raise UsageError(f"no graph of {nodes} nodes has {degree} neighbours for each: nodes times degree must be even")
    return configuration_model(np.full(nodes, degree), random)


def power_law_degrees(
    nodes: int, exponent: float, random: Stream, *, minimum: int = 1, maximum: int | None = None, even: bool = True
) -> Ints:
    """Degrees k with probability proportional to k ** -exponent between bounds; ``even``: one node gets one more where the sum is odd.

    ``maximum`` is by default the square root of the number of nodes, below which repeated edges are rare.
    """
    most = max(minimum, int(nodes**0.5)) if maximum is None else maximum
    if exponent <= 1 or not 1 <= minimum <= most:
        raise UsageError(f"power-law degrees from {minimum} to {most} with exponent {exponent}: exponent above 1, bounds in order, from 1")
    values = np.arange(minimum, most + 1)
    drawn = values[_proportional(np.asarray(values ** -float(exponent), np.float64), random.uniform(np.arange(nodes)))]
    if even and drawn.sum() % 2:
        drawn[int(random.at("odd").integers(0, nodes - 1, [0])[0])] += 1
    return drawn


def expected_degrees(out: ArrayLike, into: ArrayLike, edges: int, random: Stream) -> Network:
    """A directed graph of about ``edges`` edges: each from i to j with probability proportional to ``out[i] * into[j]``, drawn with
    replacement; self-loops and repeats are left out (Chung and Lu 2002). Heavy tails in ``into`` make a follower graph."""
    weights = np.asarray(out, np.float64), np.asarray(into, np.float64)
    if len(weights[0]) != len(weights[1]) or any(w.min(initial=1) < 0 or not w.sum() > 0 for w in weights):
        raise UsageError("expected degrees are two lists of one weight a node, not negative, not all 0")
    ends = [_proportional(w, random.at(side).uniform(np.arange(edges))) for side, w in zip(("out", "in"), weights, strict=True)]
    return Network.from_edges(len(weights[0]), *ends)


def graphical(degrees: ArrayLike) -> bool:
    """Whether a simple undirected graph has these degrees (Erdős and Gallai 1960)."""
    d = np.sort(np.asarray(degrees, np.int64))[::-1]
    if not len(d):
        return True
    if d[-1] < 0 or d[0] >= len(d) or d.sum() % 2:
        return False
    k = np.arange(1, len(d) + 1)
    above = np.minimum(len(d) - np.searchsorted(d[::-1], k, side="left"), len(d))  # how many degrees are at least k
    left = np.concatenate([[0], np.cumsum(d)])
    # sum over i > k of min(d_i, k): those of at least k count k each, the rest their degree
    split = np.maximum(above, k)
    rest = k * (split - k) + left[-1] - left[split]
    return bool((left[1:] <= k * (k - 1) + rest).all())


def _proportional(weights: Floats, uniform: Floats) -> NDArray[np.int32]:
    """The node whose part of the line a draw falls on: a table of where to begin, then steps (Chen and Asau 1974)."""
    cumulative = np.cumsum(weights)
    cells = 2 * len(weights)
    begin: Ints = np.asarray(np.searchsorted(cumulative, np.arange(cells) * (cumulative[-1] / cells), side="right"), np.int64)
    drawn = uniform * cumulative[-1]
    found = np.maximum(begin[np.minimum((uniform * cells).astype(np.int64), cells - 1)] - 1, 0).astype(np.int32)
    waiting = np.flatnonzero(cumulative[found] <= drawn)
    while len(waiting):
        found[waiting] += 1
        waiting = waiting[(found[waiting] < len(weights) - 1) & (cumulative[found[waiting]] <= drawn[waiting])]
    return np.minimum(found, np.flatnonzero(weights)[-1]).astype(np.int32)


def _codes(a: Ints, b: Ints, directed: bool) -> Ints:
    return edge_codes(a, b) if directed else edge_codes(np.minimum(a, b), np.maximum(a, b))


def _bad(a: Ints, b: Ints, *, directed: bool) -> NDArray[np.bool_]:
    """Self-loops, and edges that an earlier one repeats."""
    codes = _codes(a, b, directed)
    bad = a == b
    inside = np.sort(codes)
    repeated = np.unique(inside[1:][inside[1:] == inside[:-1]])
    if len(repeated):  # few: an order of all codes would cost far more than finding these
        places = np.flatnonzero(repeated[np.minimum(np.searchsorted(repeated, codes), len(repeated) - 1)] == codes)
        later = np.ones(len(places), np.bool_)
        later[np.unique(codes[places], return_index=True)[1]] = False
        bad[places[later]] = True
    return bad


def _repair(a: Ints, b: Ints, random: Stream, *, directed: bool) -> tuple[Ints, Ints] | None:
    """Bad edges swap ends with edges drawn at random, where both become good. None where that comes to no end."""
    a, b = a.copy(), b.copy()
    for step in range(MOST_REPAIRS):
        bad = np.flatnonzero(_bad(a, b, directed=directed))
        if not len(bad):
            return a, b
        stream = random.at(step)
        other = stream.integers(0, len(a) - 1, bad)
        turned = (not directed) & (stream.uniform(bad, 1) < 0.5)
        c, d = np.where(turned, b[other], a[other]), np.where(turned, a[other], b[other])
        codes = np.sort(_codes(a, b, directed))
        new = [_codes(a[bad], d, directed), _codes(c, b[bad], directed)]
        good = (a[bad] != d) & (c != b[bad]) & (new[0] != new[1])
        for one in new:
            good &= codes[np.minimum(np.searchsorted(codes, one), len(codes) - 1)] != one
        good &= ~np.isin(other, bad)
        for one in (other, *new):  # of those that meet in one edge, old or new, the first goes on
            first = np.zeros(len(bad), np.bool_)
            first[np.unique(np.where(good, one, -1 - np.arange(len(bad))), return_index=True)[1]] = True
            good &= first
        crossed = np.intersect1d(new[0][good], new[1][good])
        good &= ~np.isin(new[0], crossed)
        a[other[good]], b[other[good]] = c[good], b[bad[good]]
        b[bad[good]] = d[good]
    return None


def _havel_hakimi(degrees: Ints) -> tuple[Ints, Ints]:
    """Some graph with these degrees: the node with the highest is joined to the next highest, again and again."""
    left = degrees.copy()
    sources, targets = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    while left.max(initial=0) > 0:
        node = int(left.argmax())
        wanted, left[node] = int(left[node]), 0
        others = np.argsort(-left, kind="stable")[:wanted]
        left[others] -= 1
        sources.append(np.full(wanted, node))
        targets.append(others)
    return np.concatenate(sources), np.concatenate(targets)
