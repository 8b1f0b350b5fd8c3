"""The memory of language minds: what is heard is stored, what is asked is answered with what comes to mind.

What comes to mind is scored by ``retrieval``; here are the columns, the rules by which news becomes memory, and the words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.content import Block, Content, said
from sociarium.kernel.environment import News
from sociarium.kernel.errors import UsageError
from sociarium.minds.language.asking import Asking
from sociarium.minds.language.component import Component, Focus
from sociarium.minds.language.news import NewsRules
from sociarium.minds.language.recall import Ask, Recall
from sociarium.minds.language.retrieval import GOVSIM, Kind, Retrieval
from sociarium.minds.language.stream import Memory as Memory_
from sociarium.minds.language.stream import MemoryStream
from sociarium.minds.language.vectors import Embedder, Vectors

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class Memory(Component):
    """The memory stream.

    ``importance``: for memories without one of their own, a number, one a kind (``{"thought": 6}``), or ``"model"``: asked from
    the model in inner turns; until then ``unscored`` stands in. ``capacity``: so many memories of an agent stay in mind; of more, the least
    important are out of it (of equals the oldest).
    """

    def __init__(
        self,
        news: NewsRules | Mapping[str, Any] | None = None,
        *,
        embedder: Embedder | None = None,
        importance: float | Mapping[str, float] | str = 5.0,
        unscored: float = 5.0,
        rule: Retrieval = GOVSIM,
        capacity: int | None = None,
        prompt: str = "memories",
        name: str = "memory",
    ) -> None:
        if rule.spread is not None and embedder is None:
            raise UsageError("memories that are to be unlike one another are compared in this process: give Memory an embedder")
        self.name = name
        self.given = news
        self.importance = importance
        self.unscored = unscored
        self.rule = rule
        self.capacity = capacity
        self.prompt = prompt
        self.stream = MemoryStream()
        self.vectors = Vectors(embedder)
        self.recalling = Recall(self.stream, self.vectors, rule, unscored)
        self._news: NewsRules | None = news if isinstance(news, NewsRules) else None

    def hear(self, news: Sequence[News]) -> None:
        rules = self._news
        if rules is None:
            rules = self._news = NewsRules(self.given if isinstance(self.given, Mapping) else {}, self.mind.prompts.language)
        for piece in news:
            if piece.kind not in rules.rules:
                continue
            for row in range(len(piece)):
                names = {"actor": self.mind.name_of(int(piece.actors[row])), "tick": piece.tick, "round": piece.tick + 1}
                for who, memory in rules.memories(piece, row, names):
                    self.stream.append(who, self._scored(memory), time=piece.time, tick=piece.tick)

    def remember(self, asking: Asking, memory: Memory_, evidence: Ints | None = None) -> int:
        """Store for the agent whose turn it is, drawn from ``evidence`` (rows), and give its row. A probe leaves no memory: -1."""
        if asking.probe:
            return -1
        turn, row = asking.turn, len(self.stream)
        self.stream.append(np.array([asking.agent], np.int64), self._scored(memory), time=turn.time, tick=turn.tick)
        if evidence is not None:
            self.stream.cite(row, evidence)
        return row

    async def context(self, asking: Asking, focus: Focus) -> Content:
        rows = await self.recall(asking, focus)
        return self.mind.prompts[self.prompt].render(memories=self.shown(rows)) if len(rows) else ()

    async def recall(self, asking: Asking, focus: Focus, label: str = "recall") -> Ints:
        """Rows that come to mind, oldest first; with several queries, each memory counts by its best match."""
        rows = self.live(asking)
        rows = rows[~np.isin(self.stream["kind"][rows], [int(kind) for kind in self.rule.hidden])]
        if self.rule.omitted:
            rows = rows[~self._omitted(rows)]
        if focus.kinds is not None:
            rows = rows[np.isin(self.stream["kind"][rows], [int(kind) for kind in focus.kinds])]
        if not len(rows) or focus.top < 1:
            return rows[:0]
        ask = Ask(rows, focus.queries, asking.turn.time, focus.top)
        if self.vectors.embedder is not None or not focus.queries or not self.rule.relevance_weight:
            found = await self.recalling.together(ask)
        else:
            place, queries = await self.vectors.asked(asking, self.stream, rows, focus.queries, label)
            self.recalling.answer([ask], lambda _: place, queries[None])
            found = ask.found
            if asking.probe:
                self.vectors.forget(rows, place, self.stream)
        if not asking.probe:
            self.stream.set("accessed", found, asking.turn.time)
        return found

    def live(self, asking: Asking) -> Ints:
        """All memories of the asking agent that have not expired and are in mind, oldest first."""
        rows = self.stream.live(asking.agent, time=asking.turn.time, tick=asking.turn.tick)
        if self.capacity is None or len(rows) <= self.capacity:
            return rows
        importance = self.stream["importance"][rows]
        importance = np.where(np.isnan(importance), self.unscored, importance)
        return rows[np.sort(np.argsort(importance, kind="stable")[len(rows) - self.capacity :])]

    def _omitted(self, rows: Ints) -> NDArray[np.bool_]:
        """Which of these hold a word that the rule leaves out."""
        numbers, of = np.unique(self.stream.numbers[rows], return_inverse=True)
        texts = (text.casefold() for text in self.stream["text"].of(numbers))
        return np.array([any(word in text for word in self.rule.omitted) for text in texts], np.bool_)[of.reshape(-1)]

    def talk(self, asking: Asking) -> Ints:
        """What this agent heard said in this tick."""
        rows = self.stream.of(asking.agent)
        return rows[(self.stream["kind"][rows] == Kind.CHAT) & (self.stream["tick"][rows] == asking.turn.tick)]

    def unscored_rows(self, asking: Asking) -> Ints:
        """Memories of this agent that wait for a score."""
        rows = self.live(asking)
        return rows[np.isnan(self.stream["importance"][rows]) & (self.stream["kind"][rows] != Kind.CHAT)]

    def shown(self, rows: Ints, *, numbered: bool = False) -> Content:
        """Memories as blocks: the engine's as a list, words of agents as theirs. ``numbered`` from 1, so that they can be cited."""
        blocks: list[Block] = []
        lines: list[str] = []
        for number, row in enumerate(rows, 1):
            text, author = str(self.stream["text"][row]), int(self.stream["author"][row])
            if author < 0:
                lines.append(f"{number}. {text}" if numbered else f"- {text}")
                continue
            if numbered:
                lines.append(f"{number}.")
            if lines:
                blocks.append(Block("\n".join(lines), origin=self.name))
            lines = []
            blocks.append(said(text, self.mind.name_of(author)))
        return (*blocks, Block("\n".join(lines), origin=self.name)) if lines else tuple(blocks)

    def state(self) -> dict[str, Any]:
        return {**self.stream.state(), **({} if self.vectors.embedder is not None else self.vectors.state(self.stream))}

    def load(self, state: Mapping[str, Any]) -> None:
        self.stream.load(state)
        self.vectors.load(state if "vectors" in state else {})

    def _scored(self, memory: Memory_) -> Memory_:
        rule = self.importance
        score = rule.get(memory.kind.name.lower()) if isinstance(rule, Mapping) else None if isinstance(rule, str) else float(rule)
        if memory.always:
            score = 10.0
        if memory.importance is not None or score is None:
            return memory
        return replace(memory, importance=score)
