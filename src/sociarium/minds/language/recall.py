"""What comes to mind, for all who ask at once.

Agents' turns are coroutines; those that ask in the same step of the event loop are answered by one vectorised retrieval. What one
agent remembers never depends on who else asks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.minds.language.retrieval import NEVER, Memories, Retrieval, retrieve
from sociarium.minds.language.stream import MemoryStream
from sociarium.minds.language.vectors import Vectors

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]

ROWS = 1 << 16  # memories that are scored in one go: their columns stay in cache


@dataclass(slots=True)
class Ask:
    """One agent's question: candidate ``rows`` of the stream, oldest first, and the ``top`` best by any of ``queries``."""

    rows: Ints
    queries: Sequence[str]
    now: int
    top: int
    found: Ints = field(default_factory=lambda: np.empty(0, np.int64))


class Recall:
    """Answers asks of one memory stream. ``unscored`` stands in for an importance that has not been given yet."""

    def __init__(self, stream: MemoryStream, vectors: Vectors, rule: Retrieval, unscored: float) -> None:
        self.stream, self.vectors, self.rule, self.unscored = stream, vectors, rule, unscored
        self._waiting: list[Ask] = []
        self._answering: asyncio.Task[None] | None = None

    def __deepcopy__(self, memo: dict[int, Any]) -> Recall:
        """A fork asks anew: nobody waits in it."""
        return Recall(deepcopy(self.stream, memo), deepcopy(self.vectors, memo), self.rule, self.unscored)

    async def together(self, ask: Ask) -> Ints:
        """The answer to one ask, given together with all others of this step. For an embedder in this process, or without queries."""
        self._waiting.append(ask)
        if self._answering is None:
            self._answering = asyncio.create_task(self._answer_waiting())
        await asyncio.shield(self._answering)
        return ask.found

    def answer(self, asks: Sequence[Ask], place: Callable[[Ask], Ints] | None = None, queries: Floats | None = None) -> None:
        """Fill in ``found``. ``place`` and ``queries``, (asks, alternatives, length): vectors that came through the door."""
        begin = 0
        while begin < len(asks):
            end, rows = begin + 1, len(asks[begin].rows)
            while end < len(asks) and rows + len(asks[end].rows) <= ROWS and asks[end].now == asks[begin].now:
                rows += len(asks[end].rows)
                end += 1
            self._answer(asks[begin:end], place, None if queries is None else queries[begin:end])
            begin = end

    async def _answer_waiting(self) -> None:
        await asyncio.sleep(0)  # others that are ready in this step of the loop join
        asks, self._waiting, self._answering = self._waiting, [], None
        self.answer(asks)

    def _answer(self, asks: Sequence[Ask], place: Callable[[Ask], Ints] | None, queries: Floats | None) -> None:
        sought = bool(self.rule.relevance_weight) and any(ask.queries for ask in asks)
        relevant = queries is not None or sought or self.rule.spread is not None
        places = (
            np.concatenate([place(ask) for ask in asks])
            if place is not None
            else self.places(np.concatenate([ask.rows for ask in asks]))
            if relevant
            else None
        )
        if queries is None and sought:
            queries = self._queries(asks)
        rows, counts = np.concatenate([ask.rows for ask in asks]), [len(ask.rows) for ask in asks]
        memories = self._memories(rows, np.repeat(np.arange(len(asks)), counts), places)
        width = self.vectors.table.vectors.shape[1] if relevant else 1
        asked = np.zeros((len(asks), 1, width), np.float32) if queries is None else queries
        tops = np.array([ask.top for ask in asks], np.int64)
        found = retrieve(memories, np.arange(len(asks)), asked, asks[0].now, tops, self.rule)
        for number, ask in enumerate(asks):
            ask.found = rows[found.row(number)]

    def places(self, rows: Ints) -> Ints:
        """Rows of the table of vectors, a memory each; texts that are not embedded yet are, in one call."""
        numbers, places = self.stream.numbers[rows], self.stream.places
        if (places[numbers] < 0).any():
            missing = np.unique(numbers[places[numbers] < 0])
            places[missing] = self.vectors.exact(self.stream["text"].of(missing))
        return places[numbers]

    def _queries(self, asks: Sequence[Ask]) -> Floats:
        """(asks, alternatives, length); an ask with fewer repeats its first, which changes no maximum."""
        most = max(len(ask.queries) for ask in asks)
        texts = [text for ask in asks for text in (*ask.queries, *[ask.queries[0] if ask.queries else ""] * (most - len(ask.queries)))]
        rows = self.vectors.exact(texts)  # first: the table may grow
        found = self.vectors.table.vectors[rows]
        found = found.reshape(len(asks), most, -1)
        for number, ask in enumerate(asks):
            if not ask.queries:
                found[number] = 0.0  # asks for nothing in particular: no memory is more relevant than another
        return found

    def _memories(self, rows: Ints, owners: Ints, places: Ints | None) -> Memories:
        stream, table = self.stream, self.vectors.table
        importance = stream["importance"][rows].astype(np.float64)
        columns = (
            owners,
            stream["time"][rows],
            stream["accessed"][rows],
            np.full(len(rows), NEVER),  # candidates are live
            stream["kind"][rows].astype(np.int64),
            np.where(np.isnan(importance), self.unscored, importance),
            stream["always"][rows],
        )
        if places is None:
            return Memories(*columns, np.zeros((len(rows), 1)))
        return Memories(*columns, table.vectors, table.lengths, places)
