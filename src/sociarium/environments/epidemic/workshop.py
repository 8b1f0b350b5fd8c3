"""What the compiled kernels need around them: threads, room that is used again, bitmaps, graphs in the widths that they take."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.epidemic.disease import Disease
from sociarium.environments.epidemic.layers import Layer
from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network

Array = NDArray[Any]
Graph = tuple[Array, Array]  # starts (int64), targets (int32)
Got = TypeVar("Got")

ALONE = 200_000  # with fewer agents than this, a second thread only costs


class Workshop:
    """Threads and arrays of one engine. What is borrowed under a name is valid until it is borrowed again."""

    def __init__(self, threads: int, size: int) -> None:
        self.threads = max(1, threads) if size >= ALONE else 1
        self._pool = ThreadPoolExecutor(self.threads, "epidemic") if self.threads > 1 else None
        self._room: dict[str, Array] = {}

    def room(self, name: str, size: int, dtype: Any) -> Array:
        """An array of at least this size, its content undefined."""
        held = self._room.get(name)
        if held is None or len(held) < size:
            held = self._room[name] = np.empty(size, dtype)
        return held[:size]

    def parts(self, size: int) -> list[tuple[int, int]]:
        """A range, in about equal parts, one a thread."""
        cuts = [size * n // self.threads for n in range(self.threads + 1)]
        return list(pairwise(cuts))

    def each(self, work: Callable[[int], Got]) -> list[Got]:
        """``work(0)``, ``work(1)`` ... one a thread, at once."""
        if self._pool is None:
            return [work(0)]
        return list(self._pool.map(work, range(self.threads)))

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown()


def packed(mask: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """One bit an agent."""
    eights = np.packbits(mask, bitorder="little")
    words = np.zeros((len(eights) + 7) // 8, np.uint64)
    words.view(np.uint8)[: len(eights)] = eights
    return words


def chosen(agents: Array, size: int) -> NDArray[np.uint64]:
    """One bit an agent: whether it is among these."""
    mask = np.zeros(size, np.bool_)
    mask[agents] = True
    return packed(mask)


def graph_of(network: Network) -> Graph:
    """Its arrays as the kernels take them; the same ones where they are that already."""
    if network.nodes >= 2**31:
        raise UsageError(f"a network of {network.nodes} nodes: the compiled kernels number agents in 31 bits")
    return np.ascontiguousarray(network.starts, np.int64), np.ascontiguousarray(network.targets, np.int32)


class Emissions:
    """What is sent in each layer, (layers, stages, days since infection), in fixed-point units and as small numbers (codes) for them."""

    def __init__(self, disease: Disease, layers: tuple[Layer, ...]) -> None:
        nothing = np.zeros((1, 5, 1), np.int64)
        self.tables = np.stack([disease.emission(layer.weight) for layer in layers]) if layers else nothing
        if self.tables.shape[2] > 250:
            raise UsageError(f"a profile of {self.tables.shape[2]} days: the compiled kernels keep days since infection up to 250")
        self.active = np.ascontiguousarray((self.tables != 0).any(axis=0))
        self.units = np.unique(np.concatenate([[0], self.tables.reshape(-1)]))  # code 0 sends nothing
        self.codes = np.searchsorted(self.units, self.tables)
        sent = [np.unique(table[self.active.any(axis=1)]) for table in self.tables]
        # What all who are in a stage that sends send in a layer; None where they differ by stage or day.
        self.alike = [int(units[0]) if len(units) == 1 else None for units in sent[: len(layers)]]


def is_mutual(graph: Graph, workshop: Workshop) -> bool:
    """Whether each contact is there in both directions: by a sum over contacts of a number drawn for each, so that a wrong yes has a
    chance of about 2^-64."""
    from sociarium.environments.epidemic import kernels

    parts = workshop.parts(len(graph[0]) - 1)
    sums = workshop.each(lambda number: int(kernels.lopsided(*graph, *parts[number])))
    return sum(sums) % 2**64 == 0
