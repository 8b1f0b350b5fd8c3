"""What is so now, beside the stream of what has happened: a line a key, each with the memory that it came from.

After AgentSociety (Piao et al., arXiv 2502.08691): an event stream and a status store, both searched by meaning and linked to each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sociarium.kernel.content import Block, Content, said
from sociarium.kernel.errors import UsageError
from sociarium.minds.language.asking import Asking
from sociarium.minds.language.component import Component, Focus
from sociarium.minds.language.vectors import Embedder, Vectors

MOST = 64  # keys of one agent


@dataclass(frozen=True, slots=True)
class Line:
    """``own``: the agent's own words, or a model's, and shown as that. ``since``: microseconds. ``memory``: its place among the agent's own
    memories, -1 for none."""

    text: str
    own: bool
    since: int
    memory: int


class StatusStore(Component):
    """The status store of a mind's agents. Of more than ``top`` lines those are shown that are nearest to what a question is about; with no
    embedder, or no query, those that changed last."""

    def __init__(self, *, embedder: Embedder | None = None, top: int = 8, prompt: str = "status", name: str = "status") -> None:
        if top < 1:
            raise UsageError(f"StatusStore: top is {top}; at least one line must be shown")
        self.name = name
        self.top = top
        self.prompt = prompt
        self.vectors = None if embedder is None else Vectors(embedder)
        self.lines: dict[int, dict[str, Line]] = {}

    def put(self, agent: int, key: str, text: str, *, time: int, own: bool = False, memory: int = -1) -> None:
        """Something is so from now on; an empty text takes it back. What is so already keeps its beginning and its memory."""
        mine = self.lines.setdefault(agent, {})
        if not text:
            mine.pop(key, None)
        elif key not in mine or mine[key].text != text:
            if key not in mine and len(mine) >= MOST:
                raise UsageError(f"agent {agent} has {MOST} lines of status, the most there can be; {key!r} is one too many")
            mine[key] = Line(text, own, time, memory)

    def now(self, agent: int) -> Mapping[str, Line]:
        """All lines of an agent by key."""
        return self.lines.get(agent, {})

    def of_memory(self, agent: int, memory: int) -> list[str]:
        """The keys that came from one of the agent's memories."""
        return sorted(key for key, line in self.now(agent).items() if line.memory == memory)

    def found(self, agent: int, queries: tuple[str, ...], top: int) -> list[str]:
        """The keys of the lines nearest to any of the queries, nearest first; without, of those that changed last."""
        lines = self.now(agent)
        keys = sorted(lines, key=lambda key: (-lines[key].since, key))
        if self.vectors is None or not queries or not keys:
            return keys[:top]
        places = self.vectors.exact([*(f"{key}: {lines[key].text}" for key in keys), *queries])
        vectors = self.vectors.table.vectors[places].astype(np.float64)
        lengths = np.sqrt((vectors * vectors).sum(axis=1))
        unit = vectors / np.where(lengths > 0, lengths, 1)[:, None]
        near = np.array([max(float((one * query).sum()) for query in unit[len(keys) :]) for one in unit[: len(keys)]])
        return [keys[at] for at in np.argsort(-near, kind="stable")[:top].tolist()]

    async def context(self, asking: Asking, focus: Focus) -> Content:
        lines = self.now(asking.agent)
        keys = sorted(self.found(asking.agent, focus.queries, self.top))
        if not keys:
            return ()
        blocks: list[Block] = []
        for key in keys:
            line = lines[key]
            told = f"{key}: {line.text}"
            blocks.append(said(told, asking.name) if line.own else Block(told, origin=self.name))
        return self.mind.prompts[self.prompt].render(status=tuple(blocks))

    def state(self) -> dict[str, Any]:
        rows = [(agent, key, line) for agent in sorted(self.lines) for key, line in sorted(self.lines[agent].items())]
        texts = np.empty((len(rows), 2), object)
        for at, (_, key, line) in enumerate(rows):
            texts[at] = (key, line.text)
        numbers = np.array([(agent, line.own, line.since, line.memory) for agent, _, line in rows], np.int64).reshape(-1, 4)
        return {"numbers": numbers, "texts": texts.reshape(-1)}

    def load(self, state: Mapping[str, Any]) -> None:
        self.lines = {}
        if not state:
            return
        texts = list(state["texts"])
        numbers = np.array(state["numbers"], np.int64).reshape(-1, 4).tolist()
        for (agent, own, since, memory), key, text in zip(numbers, texts[::2], texts[1::2], strict=True):
            self.lines.setdefault(int(agent), {})[str(key)] = Line(str(text), bool(own), int(since), int(memory))
