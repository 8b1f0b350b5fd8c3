"""Where the vectors of texts come from: an exact embedder in this process, or the one door to models.

An exact embedder is a pure function of the text, so its vectors are a cache: shared between agents, and no part of the state.
What comes through the door is journalled, belongs to the memory it was asked for, and is state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.errors import ModelError, UsageError
from sociarium.minds.language.asking import Asking
from sociarium.minds.language.stream import MemoryStream
from sociarium.models.request import Request

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]


class Embedder(Protocol):
    """A pure function from texts to vectors of one length, (texts, length), such as those of ``models.backends.embed``."""

    def vectors(self, texts: Sequence[str]) -> NDArray[Any]: ...


class Table:
    """Vectors one below the other, (rows, length) of float32, with their lengths; appended, never changed."""

    def __init__(self, rows: ArrayLike = ()) -> None:
        given = np.asarray(rows, np.float32)
        self._vectors: Floats = given if given.ndim == 2 else np.empty((0, 0), np.float32)
        self._lengths: NDArray[np.float64] = _norms(self._vectors)
        self.size = len(self._vectors)

    @property
    def vectors(self) -> Floats:
        return self._vectors[: self.size]

    @property
    def lengths(self) -> NDArray[np.float64]:
        return self._lengths[: self.size]

    def append(self, rows: Floats) -> Ints:
        """The numbers of the new rows."""
        first, needed = self.size, self.size + len(rows)
        if needed > len(self._vectors) or rows.shape[1] != self._vectors.shape[1]:
            if first and rows.shape[1] != self._vectors.shape[1]:
                raise ModelError(f"the embedder gave vectors of length {rows.shape[1]} after some of {self._vectors.shape[1]}")
            grown: Floats = np.empty((max(needed, first + first // 2, 64), rows.shape[1]), np.float32)
            lengths = np.empty(len(grown))
            grown[:first], lengths[:first] = self.vectors if first else grown[:0], self.lengths
            self._vectors, self._lengths = grown, lengths
        self._vectors[first:needed], self._lengths[first:needed] = rows, _norms(rows)
        self.size = needed
        return np.arange(first, needed)


class Vectors:
    """Vectors of one mind's memories. ``embedder`` None: asked through the door, at the route ``embedder``."""

    def __init__(self, embedder: Embedder | None, route: str = "embedder") -> None:
        self.embedder = embedder
        self.route = route
        self.table = Table()
        self._known: dict[str, int] = {}  # rows of the table by text, where the embedder is exact

    def __deepcopy__(self, memo: dict[int, Any]) -> Vectors:
        """A fork shares the embedder and what was computed where that never changes a result; journalled vectors are its own."""
        copied = Vectors(self.embedder, self.route)
        if self.embedder is not None:
            copied.table, copied._known = self.table, self._known
        else:
            copied.table = Table(self.table.vectors.copy())
        return copied

    def exact(self, texts: Sequence[str]) -> Ints:
        """Rows of the table for these texts, by the embedder in this process; each text is embedded once."""
        if self.embedder is None:
            raise UsageError("these vectors come through the door: no embedder in this process can be asked")
        known = self._known
        if missing := [text for text in dict.fromkeys(texts) if text not in known]:
            rows = self.table.append(np.asarray(self.embedder.vectors(missing), np.float32))
            known.update(zip(missing, rows.tolist(), strict=True))
        return np.fromiter((known[text] for text in texts), np.int64, len(texts))

    def forget(self, rows: Ints, place: Ints, stream: MemoryStream) -> None:
        """Drop the vectors at the end of the table that were asked for a probe, as no memory holds them."""
        if (loose := place[stream["vector"][rows] < 0]).size:
            self.table.size = int(loose.min())

    async def asked(self, asking: Asking, stream: MemoryStream, rows: Ints, queries: Sequence[str], label: str) -> tuple[Ints, Floats]:
        """Rows of the table for some memories of the asking agent, and the vectors of the queries, through the door."""
        held = stream["vector"][rows]
        missing = np.flatnonzero(held < 0)
        wanted = [*(str(text) for text in stream["text"][rows[missing]]), *queries]
        replies = await asking.send_all(label, [Request(kind="embed", texts=(text,)) for text in wanted], route=self.route)
        for reply in replies:
            if not reply.good or not reply.vectors:
                raise ModelError(
                    f"the embedder at route {self.route!r} gave no vector for agent {asking.agent} ({reply.error or reply.status.name}); "
                    "memories cannot be sought without it: start it again and resume, or give Memory an embedder of its own"
                )
        fresh: Floats = np.array([reply.vectors[0] for reply in replies], np.float32)
        place = held.copy()
        if len(missing):
            place[missing] = self.table.append(fresh[: len(missing)])
            if not asking.probe:
                stream.set("vector", rows[missing], place[missing])
        return place, fresh[len(missing) :]

    def state(self, stream: MemoryStream) -> dict[str, Any]:
        """The vectors that memories hold, by agent and order, and each memory's place among them."""
        rows: Ints = stream["vector"][stream.ordered()]
        held = rows >= 0
        place = np.where(held, np.cumsum(held) - 1, -1)
        kept = self.table.vectors[rows[held]].copy() if held.any() else np.empty((0, 0), np.float32)
        return {"vectors": kept, "vector": place}

    def load(self, state: Mapping[str, Any]) -> None:
        if self.embedder is None:
            self.table = Table(state["vectors"] if state else ())


def _norms(rows: Floats) -> NDArray[np.float64]:
    return np.sqrt(np.einsum("md,md->m", rows, rows)).astype(np.float64)
