"""The loops over neighbours. Opinions are whole numbers from 0 to 2**30 (``ONE``), so a sum is the same in every order, on every machine,
compiled or not, and in as many lanes as the processor has. Numba compiles them where it is installed (extra ``fast``).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.extras import Compiled, compiled
from sociarium.kernel.network import Network

Held = NDArray[np.int32]
Floats = NDArray[np.float64]
Array = NDArray[Any]

ONE = 2**30


def averages(network: Network, held: Held, own: float) -> Held:
    """own * own opinion + (1 - own) * mean of the neighbours; who has none keeps its opinion."""
    out = np.empty_like(held)
    if Compiled.available():
        _average(network.starts, _unsigned(network), held, own, out)
        return out
    degrees = network.degrees()
    total = _row_sums(network, held[network.targets].astype(np.int64))
    mean = np.divide(total, degrees, out=np.zeros(len(held)), where=degrees > 0)
    np.rint(np.where(degrees > 0, own * held + (1.0 - own) * mean, held), out=mean)
    return mean.astype(np.int32)


def confident_averages(network: Network, held: Held, confidence: int) -> Held:
    """Mean of the own opinion and those of neighbours at most ``confidence`` away."""
    out = np.empty_like(held)
    if Compiled.available():
        _confident(network.starts, _unsigned(network), held, confidence, out)
        return out
    seen = held[network.targets]
    near = np.abs(seen - np.repeat(held, network.degrees())) <= confidence
    total = held + _row_sums(network, np.where(near, seen, 0).astype(np.int64))
    count = 1 + _row_sums(network, near.astype(np.int64))
    return np.rint(total / count).astype(np.int32)


def _unsigned(network: Network) -> NDArray[np.uint32]:
    """The targets, said never to be negative: a compiled loop then need not ask."""
    return network.targets.view(np.uint32)


def _row_sums(network: Network, values: NDArray[np.int64]) -> NDArray[np.int64]:
    ends = np.concatenate([[0], np.cumsum(values)])
    return ends[network.starts[1:]] - ends[network.starts[:-1]]


@compiled(nogil=True, error_model="numpy")
def _average(starts: Array, targets: Array, held: Held, own: float, out: Held) -> None:
    for node in range(len(held)):
        row = targets[starts[node] : starts[node + 1]]
        total = np.int64(0)
        for place in range(len(row)):
            total += held[row[place]]
        if len(row) > 0:
            out[node] = np.rint(own * held[node] + (1.0 - own) * (total / len(row)))
        else:
            out[node] = held[node]


@compiled(nogil=True, error_model="numpy")
def _confident(starts: Array, targets: Array, held: Held, confidence: int, out: Held) -> None:
    """No branch depends on an opinion: whether a neighbour counts is a number, 0 or 1, and a mask."""
    for node in range(len(held)):
        mine = held[node]
        row = targets[starts[node] : starts[node + 1]]
        total, count = np.int64(mine), np.int32(1)
        for place in range(len(row)):
            seen = held[row[place]]
            near = np.int32(abs(seen - mine) <= confidence)
            total += np.int64(seen & -near)
            count += near
        out[node] = np.rint(total / count)


@compiled(nogil=True)
def meet_in_turn(a: Array, b: Array, confidence: int, convergence: float, held: Held) -> None:
    """Pairs meet one after the other; those at most ``confidence`` apart move towards each other. What one gains the other loses."""
    for pair in range(len(a)):
        difference = held[b[pair]] - held[a[pair]]
        if abs(difference) <= confidence:
            moved = np.int32(np.rint(convergence * difference))
            held[a[pair]] += moved
            held[b[pair]] -= moved


@compiled(nogil=True)
def copy_in_turn(agents: Array, chosen: Array, held: Held) -> None:
    """One after the other, each agent takes the opinion of the one it chose."""
    for step in range(len(agents)):
        held[agents[step]] = held[chosen[step]]
