"""A directed graph over agents in compressed sparse rows: neighbours of all agents in two arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]
Ints = NDArray[np.int64]
Nodes = NDArray[np.int32]

MOST_NODES = 2**31 - 1
_PIECE = 1 << 17  # edges worked on at a time, so that they stay in cache


class Network:
    """Edges from source to target. ``starts`` (int64) has one more entry than there are nodes; ``targets[starts[i]:starts[i + 1]]``
    (int32) are the neighbours of node i, ascending, each once. Edge numbers in [0, len(network)) are rows for random streams, and places
    in ``attributes``: further columns, one value an edge, such as ``weight``.

    A network is never changed: what edits it returns a new one.
    """

    __slots__ = ("attributes", "starts", "targets")

    def __init__(self, starts: ArrayLike, targets: ArrayLike, attributes: Mapping[str, ArrayLike] | None = None) -> None:
        self.starts: Ints = np.asarray(starts, np.int64)
        self.targets: Nodes = np.asarray(targets, np.int32)
        self.attributes: dict[str, Array] = {name: np.asarray(values) for name, values in (attributes or {}).items()}
        for name, values in self.attributes.items():
            if len(values) != len(self.targets):
                raise ValueError(f"edge attribute {name!r} has {len(values)} values for {len(self.targets)} edges")

    @classmethod
    def from_edges(
        cls,
        nodes: int,
        sources: ArrayLike,
        targets: ArrayLike,
        *,
        mutual: bool = False,
        attributes: Mapping[str, ArrayLike] | None = None,
    ) -> Network:
        """From edge lists. ``mutual`` adds each edge's reverse, with the same attributes; self-loops are dropped, and of repeated edges
        the first stays."""
        a, b = np.atleast_1d(np.asarray(sources)), np.atleast_1d(np.asarray(targets))
        if not 0 <= nodes <= MOST_NODES:
            raise ValueError(f"a network has 0 to {MOST_NODES} nodes, not {nodes}")
        if len(a) != len(b):
            raise ValueError(f"{len(a)} sources cannot be paired with {len(b)} targets")
        if len(a) and (min(a.min(), b.min()) < 0 or max(a.max(), b.max()) >= nodes):
            raise ValueError(f"an edge names a node outside 0 to {nodes - 1}")
        codes = edge_codes(a, b, mutual=mutual)
        if not attributes:
            codes.sort()
            return cls._from_sorted(nodes, _clean(codes))
        kept, first = np.unique(codes, return_index=True)
        first = first[(kept >> 32) != (kept & 0xFFFFFFFF)]
        columns = {name: np.asarray(values) for name, values in attributes.items()}
        for name, values in columns.items():
            if len(values) != len(a):
                raise ValueError(f"edge attribute {name!r} has {len(values)} values for {len(a)} edges")
        place = first % max(len(a), 1)  # the reverse of edge i is row i of the second half
        return cls._from_sorted(nodes, _clean(kept), {name: values[place] for name, values in columns.items()})

    @classmethod
    def from_codes(cls, nodes: int, codes: Ints) -> Network:
        """From the codes of edges (``edge_codes``), in any order, sorted in place; repeats and self-loops are dropped."""
        codes.sort()
        return cls._from_sorted(nodes, _clean(codes))

    @classmethod
    def _from_sorted(cls, nodes: int, codes: Ints, attributes: Mapping[str, ArrayLike] | None = None) -> Network:
        """From codes that are sorted and distinct, a piece at a time: memory touched for the first time costs more than the work."""
        starts = np.zeros(nodes + 1, np.int64)
        last, begun = -1, 0
        for place in _pieces(len(codes)):
            high = codes[place] >> 32
            heads = np.flatnonzero(np.diff(high, prepend=last))
            rows, where = high[heads], heads + place.start
            if len(heads):
                if last >= 0:
                    starts[last + 1] = where[0] - begun
                starts[rows[:-1] + 1] = np.diff(where)
                last, begun = int(rows[-1]), int(where[-1])
        if last >= 0:
            starts[last + 1] = len(codes) - begun
        return cls(np.cumsum(starts, out=starts), codes.astype(np.int32), attributes)  # the cast keeps the low half: the target

    def __deepcopy__(self, memo: dict[int, Any]) -> Network:
        """Itself: since it is never changed, a fork shares it."""
        return self

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, attribute: str) -> Array:
        """An attribute, one value an edge."""
        try:
            return self.attributes[attribute]
        except KeyError:
            known = ", ".join(self.attributes) or "none"
            raise KeyError(f"the network has no edge attribute {attribute!r}; it has {known}") from None

    @property
    def nodes(self) -> int:
        return len(self.starts) - 1

    def neighbours(self, node: int) -> Nodes:
        return self.targets[self.starts[node] : self.starts[node + 1]]

    def degrees(self) -> Ints:
        """Out-degree a node."""
        return np.diff(self.starts)

    def in_degrees(self) -> Ints:
        return np.bincount(self.targets, minlength=self.nodes).astype(np.int64, copy=False)

    def sources(self) -> Nodes:
        """The source of every edge, in the order of ``targets``."""
        return np.repeat(np.arange(self.nodes, dtype=np.int32), self.degrees())

    def codes(self) -> Ints:
        """One number an edge, ascending: source times 2**32 plus target."""
        return edge_codes(self.sources(), self.targets)

    def sums(self, values: ArrayLike, weight: str | None = None) -> NDArray[np.float64]:
        """Sum of ``values`` (one a node) over each node's neighbours, in ascending order of neighbour; times an edge attribute."""
        out = np.zeros(self.nodes)
        filled = self.degrees() > 0
        if filled.any():
            terms = np.asarray(values, np.float64)[self.targets]
            if weight is not None:
                terms *= self[weight]
            out[filled] = np.add.reduceat(terms, self.starts[:-1][filled])
        return out

    def find(self, sources: ArrayLike, targets: ArrayLike) -> Ints:
        """The number of each edge asked for, -1 where there is none: a bisection within rows, for all questions at once."""
        a, b = np.atleast_1d(np.asarray(sources, np.int64)), np.atleast_1d(np.asarray(targets, np.int64))
        low, end = self.starts[a], self.starts[a + 1]
        high = end.copy()
        while (going := low < high).any():
            middle = (low + high) >> 1
            below = going & (self.targets[np.minimum(middle, len(self) - 1)] < b)
            low, high = np.where(below, middle + 1, low), np.where(going & ~below, middle, high)
        if not len(self):
            return np.full(len(a), -1, np.int64)
        return np.where((low < end) & (self.targets[np.minimum(low, len(self) - 1)] == b), low, -1)

    def has(self, sources: ArrayLike, targets: ArrayLike) -> NDArray[np.bool_]:
        """Whether each of these edges is there."""
        return self.find(sources, targets) >= 0

    def with_edges(self, sources: ArrayLike, targets: ArrayLike, attributes: Mapping[str, ArrayLike] | None = None) -> Network:
        """With further edges; one that is there already keeps its attributes. Costs a pass over all edges: collect edits, then apply."""
        a = np.concatenate([self.sources(), np.atleast_1d(np.asarray(sources))])
        b = np.concatenate([self.targets, np.atleast_1d(np.asarray(targets))])
        given = attributes or {}
        if set(given) != set(self.attributes):
            raise ValueError(f"new edges need the attributes {sorted(self.attributes)}, not {sorted(given)}")
        columns = {name: np.concatenate([values, np.asarray(given[name])]) for name, values in self.attributes.items()}
        return Network.from_edges(self.nodes, a, b, attributes=columns)

    def without_edges(self, sources: ArrayLike, targets: ArrayLike) -> Network:
        """Without these edges; those that are not there are passed over."""
        place = self.find(sources, targets)
        keep = np.ones(len(self), np.bool_)
        keep[place[place >= 0]] = False
        return self.only(keep)

    def only(self, keep: NDArray[np.bool_]) -> Network:
        """The edges of a mask, over the same nodes."""
        counted = np.concatenate([[0], np.cumsum(keep)])
        return Network(counted[self.starts], self.targets[keep], {name: values[keep] for name, values in self.attributes.items()})

    def reversed(self) -> Network:
        return Network.from_edges(self.nodes, self.targets, self.sources(), attributes=self.attributes)

    def grown(self, nodes: int) -> Network:
        """The same edges among more nodes; the new ones have none."""
        starts = np.concatenate([self.starts, np.full(nodes - self.nodes, len(self), np.int64)])
        return Network(starts, self.targets, self.attributes)

    def relabelled(self, labels: ArrayLike) -> Network:
        """The same graph where node i is called ``labels[i]``, a permutation: an order that keeps neighbours near makes gathers fast."""
        names = np.asarray(labels, np.int32)
        return Network.from_edges(self.nodes, names[self.sources()], names[self.targets], attributes=self.attributes)

    def state(self) -> dict[str, Any]:
        return {"starts": self.starts, "targets": self.targets, "attributes": dict(self.attributes)}

    @classmethod
    def load(cls, state: Mapping[str, Any]) -> Network:
        return cls(state["starts"], state["targets"], state.get("attributes", {}))


def edge_codes(sources: Array, targets: Array, *, mutual: bool = False) -> Ints:
    """source times 2**32 plus target: codes sort as edges do. ``mutual`` appends the codes of the reversed edges."""
    codes = np.empty((2 if mutual else 1) * len(sources), np.int64)
    for half, (high, low) in zip(np.split(codes, 2) if mutual else [codes], ((sources, targets), (targets, sources)), strict=False):
        np.left_shift(high, 32, out=half, dtype=np.int64, casting="unsafe")
        np.bitwise_or(half, low, out=half, dtype=np.int64, casting="unsafe")
    return codes


def _clean(codes: Ints) -> Ints:
    """Sorted codes without repeats and self-loops, moved together in place."""
    kept, last = 0, -1
    for place in _pieces(len(codes)):
        part = codes[place]
        keep = np.diff(part, prepend=last) != 0
        keep &= (part >> 32) != (part & 0xFFFFFFFF)
        last = int(part[-1])
        if keep.all():
            if kept < place.start:
                codes[kept : kept + len(part)] = part
            kept += len(part)
        else:
            some = part[keep]
            codes[kept : kept + len(some)] = some
            kept += len(some)
    return codes[:kept]


def _pieces(size: int) -> Iterator[slice]:
    return (slice(start, min(start + _PIECE, size)) for start in range(0, size, _PIECE))
