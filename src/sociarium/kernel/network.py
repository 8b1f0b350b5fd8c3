"""A directed graph over agents in compressed sparse rows: neighbours of all agents in two arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Ints = NDArray[np.int64]


class Network:
    """Edges from source to target. ``starts`` has one more entry than there are nodes; ``targets[starts[i]:starts[i + 1]]``
    are the neighbours of node i, ascending. ``edge`` numbers in [0, len(network)) are rows for random streams."""

    __slots__ = ("starts", "targets")

    def __init__(self, starts: Ints, targets: Ints) -> None:
        self.starts = starts
        self.targets = targets

    @classmethod
    def from_edges(cls, nodes: int, sources: ArrayLike, targets: ArrayLike, *, mutual: bool = False) -> Network:
        """From edge lists. ``mutual`` adds each edge's reverse; repeated edges and self-loops are dropped."""
        a, b = np.asarray(sources, np.int64), np.asarray(targets, np.int64)
        if mutual:
            a, b = np.concatenate([a, b]), np.concatenate([b, a])
        if len(a) and (min(a.min(), b.min()) < 0 or max(a.max(), b.max()) >= nodes):
            raise ValueError(f"an edge names a node outside 0 to {nodes - 1}")
        codes = np.unique((a * nodes + b)[a != b])
        a, b = codes // max(nodes, 1), codes % max(nodes, 1)
        return cls(np.concatenate([[0], np.cumsum(np.bincount(a, minlength=nodes))]).astype(np.int64), b)

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def nodes(self) -> int:
        return len(self.starts) - 1

    def neighbours(self, node: int) -> Ints:
        return self.targets[self.starts[node] : self.starts[node + 1]]

    def degrees(self) -> Ints:
        """Out-degree a node."""
        return np.diff(self.starts)

    def sources(self) -> Ints:
        """The source of every edge, in the order of ``targets``."""
        return np.repeat(np.arange(self.nodes, dtype=np.int64), self.degrees())

    def sums(self, values: ArrayLike) -> NDArray[np.float64]:
        """Sum of ``values`` (one a node) over each node's neighbours, in ascending order of neighbour."""
        out = np.zeros(self.nodes)
        filled = self.degrees() > 0
        if filled.any():
            out[filled] = np.add.reduceat(np.asarray(values, np.float64)[self.targets], self.starts[:-1][filled])
        return out

    def reversed(self) -> Network:
        return Network.from_edges(self.nodes, self.targets, self.sources())

    def state(self) -> dict[str, Any]:
        return {"starts": self.starts, "targets": self.targets}

    @classmethod
    def load(cls, state: dict[str, Any]) -> Network:
        return cls(np.asarray(state["starts"], np.int64), np.asarray(state["targets"], np.int64))
