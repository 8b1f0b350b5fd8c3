"""A memory for minds that are rules: what was seen, said, meant and concluded, as nodes of the same stream that language minds have.

Kinds: EVENT, what one saw; CHAT, what one heard said; PLAN, what one means to do; THOUGHT, what one concluded (a reflection).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from sociarium.kernel.errors import UsageError
from sociarium.minds.language.retrieval import Kind, Memories, Retrieval, retrieve
from sociarium.minds.language.stream import Memory, MemoryStream
from sociarium.minds.language.vectors import Embedder, Vectors
from sociarium.models.backends.embed import HashingEmbedder

# By relevance; of equals, the newer. Nothing is scaled by the other candidates, so what is left out changes no order among the rest.
ANSWERS = Retrieval(1e-4, 0.0, 1.0, 0.995, "hours", "created", 0, "none", frozenset())


class Diary:
    """Nodes of all agents. ``threshold``: summed importance after which an agent should reflect; the sum then begins anew from 0."""

    def __init__(self, threshold: float = 150.0, embedder: Embedder | None = None, rule: Retrieval = ANSWERS) -> None:
        if threshold <= 0:
            raise UsageError(f"an agent reflects after some importance, not {threshold}")
        self.threshold, self.rule = threshold, rule
        self.stream = MemoryStream()
        self.vectors = Vectors(embedder or HashingEmbedder())
        self.felt: dict[int, float] = {}  # importance since the last reflection

    def note(self, agent: int, kind: Kind, text: str, importance: float, *, time: int, tick: int) -> bool:
        """A node more. True where the agent should reflect now."""
        self.stream.append(np.array([agent]), Memory(kind, text, importance), time=time, tick=tick)
        felt = self.felt.get(agent, 0.0) + (importance if kind in (Kind.EVENT, Kind.CHAT) else 0.0)
        due = felt >= self.threshold
        self.felt[agent] = 0.0 if due else felt
        return due

    def recall(self, agent: int, query: str, now: int, top: int = 1, kinds: Iterable[Kind] = tuple(Kind)) -> list[str]:
        """The texts that come to mind, the best first. Reading changes nothing: an interview may do it."""
        stream = self.stream
        rows = stream.of(agent)
        rows = rows[np.isin(stream["kind"][rows], [int(kind) for kind in kinds])]
        if not len(rows):
            return []
        places = self.vectors.exact([str(text) for text in stream["text"][rows]])
        asked = self.vectors.exact([query])
        table = self.vectors.table
        none = np.full(len(rows), np.iinfo(np.int64).max)
        memories = Memories(
            np.zeros(len(rows), np.int64), stream["time"][rows], stream["accessed"][rows], none, stream["kind"][rows].astype(np.int64),
            stream["importance"][rows].astype(np.float64), stream["always"][rows], table.vectors, table.lengths, places,
        )  # fmt: skip
        found = retrieve(memories, np.zeros(1, np.int64), table.vectors[asked], now, top, self.rule)
        best = sorted(zip(found.scores[0].tolist(), found.memories[0].tolist(), strict=True), key=lambda one: (-one[0], -one[1]))
        return [str(stream["text"][rows[at]]) for score, at in best if at >= 0 and score == score]

    def texts(self, agent: int) -> list[str]:
        """All nodes of an agent, oldest first."""
        return [str(text) for text in self.stream["text"][self.stream.of(agent)]]

    def state(self) -> dict[str, Any]:
        agents = sorted(self.felt)
        return {**self.stream.state(), "feeling": np.array(agents, np.int64), "felt": np.array([self.felt[a] for a in agents])}

    def load(self, state: Mapping[str, Any]) -> None:
        self.stream.load({name: column for name, column in state.items() if name not in ("feeling", "felt")})
        self.felt = dict(zip(state["feeling"].tolist(), state["felt"].tolist(), strict=True)) if state else {}
