"""Where the vectors of texts come from: an exact embedder in this process, or the one door to models.

An exact embedder is a pure function of the text, so its vectors are a cache: shared between agents, and no part of the state.
What comes through the door is journalled, belongs to the memory it was asked for, and is state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.errors import ModelError
from sociarium.minds.language.asking import Asking
from sociarium.minds.language.stream import MemoryStream
from sociarium.models.request import Request

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]


class Embedder(Protocol):
    """A pure function from texts to vectors of one length, (texts, length), such as those of ``models.backends.embed``."""

    def vectors(self, texts: Sequence[str]) -> NDArray[Any]: ...


class Vectors:
    """Vectors of one mind's memories. ``embedder`` None: asked through the door, at the route ``embedder``."""

    def __init__(self, embedder: Embedder | None, route: str = "embedder") -> None:
        self.embedder = embedder
        self.route = route
        self._cache: dict[str, Floats] = {}
        self._rows: list[Floats] = []

    def __deepcopy__(self, memo: dict[int, Any]) -> Vectors:
        """A fork shares the embedder and what was computed: neither ever changes a result."""
        copied = Vectors(self.embedder, self.route)
        copied._cache, copied._rows = self._cache, list(self._rows)
        return copied

    async def of(self, asking: Asking, stream: MemoryStream, rows: Ints, queries: Sequence[str], label: str) -> tuple[Floats, Floats]:
        """Vectors of some memories of the asking agent, and of the queries: (rows, length), (queries, length)."""
        texts = [str(text) for text in stream["text"][rows]]
        if self.embedder is not None:
            found = self._exact(self.embedder, [*texts, *queries])
            return found[: len(rows)], found[len(rows) :]
        held = stream["vector"][rows]
        missing = np.flatnonzero(held < 0)
        wanted = [*(texts[at] for at in missing), *queries]
        replies = await asking.send_all(label, [Request(kind="embed", texts=(text,)) for text in wanted], route=self.route)
        for reply in replies:
            if not reply.good or not reply.vectors:
                raise ModelError(
                    f"the embedder at route {self.route!r} gave no vector for agent {asking.agent} ({reply.error or reply.status.name}); "
                    "memories cannot be sought without it: start it again and resume, or give Memory an embedder of its own"
                )
        fresh: list[Floats] = [np.asarray(reply.vectors[0], np.float32) for reply in replies]
        known: list[Floats] = [fresh[int(np.searchsorted(missing, at))] if row < 0 else self._rows[row] for at, row in enumerate(held)]
        if not asking.probe:
            for at, vector in zip(missing, fresh, strict=False):
                stream.set("vector", rows[at : at + 1], len(self._rows))
                self._rows.append(vector)
        length = len(fresh[0]) if fresh else 0
        return _matrix(known, length), _matrix(fresh[len(missing) :], length)

    def state(self, stream: MemoryStream) -> dict[str, Any]:
        """The vectors that memories hold, by agent and order, and each memory's place among them."""
        rows: Ints = stream["vector"][stream.ordered()]
        held = rows >= 0
        place = np.where(held, np.cumsum(held) - 1, -1)
        numbers: list[int] = rows[held].tolist()
        return {"vectors": _matrix([self._rows[row] for row in numbers], 0), "vector": place}

    def load(self, state: Mapping[str, Any]) -> None:
        table: Floats = np.array(state["vectors"] if state else (), np.float32)
        self._rows = [np.asarray(table[row], np.float32) for row in range(len(table))]

    def _exact(self, embedder: Embedder, texts: Sequence[str]) -> Floats:
        if missing := [text for text in dict.fromkeys(texts) if text not in self._cache]:
            for text, vector in zip(missing, np.asarray(embedder.vectors(missing), np.float32), strict=True):
                self._cache[text] = vector
        return _matrix([self._cache[text] for text in texts], 0)


def _matrix(rows: Sequence[Floats], length: int) -> Floats:
    return np.stack(rows) if rows else np.empty((0, length), np.float32)
