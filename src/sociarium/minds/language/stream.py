"""Memories as append-only columns: one row a memory of one agent.

Rows of several agents are appended in order of arrival, so no result may depend on the order between agents: what is read is one
agent's rows in their own order, and ``state`` gives all rows by agent, then in that order.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.errors import UsageError
from sociarium.minds.language.retrieval import NEVER, Kind

Ints = NDArray[np.int64]
Array = NDArray[Any]

COLUMNS: Mapping[str, Any] = {
    "agent": np.int64,
    "time": np.int64,  # microseconds
    "accessed": np.int64,  # when it last came to mind
    "tick": np.int64,
    "kind": np.uint8,
    "importance": np.float32,  # 1 to 10; NaN: not yet scored
    "until_time": np.int64,  # microseconds; recalled while the time is before it
    "until_tick": np.int64,  # the last tick in which it is recalled
    "always": np.bool_,
    "author": np.int64,  # the agent whose words they are; -1: the engine's
    "vector": np.int64,  # row among the stored vectors; -1: none
}


@dataclass(frozen=True, slots=True)
class Memory:
    """One memory, before it is anyone's. ``importance`` None: to be scored."""

    kind: Kind
    text: str
    importance: float | None = None
    always: bool = False
    until_time: int = NEVER
    until_tick: int = NEVER
    author: int = -1


class MemoryStream:
    """All memories of all agents of a mind."""

    def __init__(self) -> None:
        self.size = 0
        self._columns: dict[str, Array] = {name: np.empty(0, dtype) for name, dtype in COLUMNS.items()}
        self._texts: Array = np.empty(0, object)
        self._places: Ints = np.empty(0, np.int64)
        self._rows: dict[int, array[int]] = {}
        self._evidence: dict[int, tuple[int, ...]] = {}  # rows that a thought was drawn from
        self._depth: dict[int, int] = {}

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, name: str) -> Array:
        """A column: a view, one value a memory."""
        return (self._texts if name == "text" else self._columns[name])[: self.size]

    @property
    def places(self) -> Ints:
        """Where an exact embedder keeps the vector of each memory's text; -1: not asked for yet. A cache, and no part of the state."""
        return self._places[: self.size]

    def append(self, agents: Ints, memory: Memory, *, time: int, tick: int) -> None:
        """The same memory for each of these agents."""
        start, count = self.size, len(agents)
        self._grow(start + count)
        self.size = start + count
        new = slice(start, self.size)
        importance = np.nan if memory.importance is None else memory.importance
        values = {
            "agent": agents, "time": time, "accessed": time, "tick": tick, "kind": memory.kind, "importance": importance,
            "until_time": memory.until_time, "until_tick": memory.until_tick, "always": memory.always,
            "author": memory.author, "vector": -1,
        }  # fmt: skip
        for name, value in values.items():
            self._columns[name][new] = value
        self._texts[new] = memory.text
        self._places[new] = -1
        for row, agent in enumerate(agents.tolist(), start):
            self._rows.setdefault(agent, array("q")).append(row)

    def of(self, agent: int) -> Ints:
        """The rows of one agent, oldest first."""
        return np.array(self._rows.get(agent, ()), np.int64)

    def live(self, agent: int, *, time: int, tick: int) -> Ints:
        """The rows of one agent that have not expired, oldest first."""
        rows = self.of(agent)
        return rows[(self._columns["until_time"][rows] > time) & (self._columns["until_tick"][rows] >= tick)]

    def cite(self, row: int, evidence: Ints) -> None:
        """Note what a thought was drawn from: older memories of the same agent. Raises UsageError for any other."""
        agents = self._columns["agent"]
        cited = tuple(sorted(set(np.asarray(evidence, np.int64).tolist())))
        if not 0 <= row < self.size or any(not 0 <= one < row or agents[one] != agents[row] for one in cited):
            raise UsageError(f"memory {row} can be drawn from older memories of the same agent only, not from {list(cited)}")
        if cited:
            self._evidence[row] = cited
            self._depth[row] = 1 + max(self.depth(one) for one in cited)

    def evidence(self, row: int) -> Ints:
        """The rows that a thought was drawn from, ascending; none of what was perceived."""
        return np.array(self._evidence.get(row, ()), np.int64)

    def depth(self, row: int) -> int:
        """How many thoughts stand on one another below this one: 0 for what was perceived, 1 for what was drawn from that."""
        return self._depth.get(row, 0)

    def set(self, name: str, rows: Ints, values: Any) -> None:
        """Write into rows of one agent."""
        self._columns[name][rows] = values

    def ordered(self) -> Ints:
        """All rows by agent, then in the agent's own order."""
        return np.argsort(self["agent"], kind="stable")

    def state(self) -> dict[str, Any]:
        order = self.ordered()
        place = np.empty(self.size, np.int64)
        place[order] = np.arange(self.size)
        drawn = sorted((int(place[row]), int(place[one])) for row, cited in self._evidence.items() for one in cited)
        return {**{name: self[name][order] for name in (*COLUMNS, "text")}, "evidence": np.array(drawn, np.int64).reshape(-1, 2)}

    def load(self, state: Mapping[str, Any]) -> None:
        self.size = len(state["agent"]) if state else 0
        self._columns = {name: np.array(state[name] if state else (), dtype) for name, dtype in COLUMNS.items()}
        self._texts = np.empty(self.size, object)
        self._texts[:] = list(state["text"]) if state else []
        self._places = np.full(self.size, -1, np.int64)
        self._rows = {}
        for row, agent in enumerate(self._columns["agent"].tolist()):
            self._rows.setdefault(agent, array("q")).append(row)
        self._evidence, self._depth = {}, {}
        drawn: dict[int, list[int]] = {}
        for row, one in np.asarray(state["evidence"]).tolist() if state else ():
            drawn.setdefault(row, []).append(one)
        for row in sorted(drawn):
            self.cite(row, np.array(drawn[row]))

    def _grow(self, size: int) -> None:
        room = len(self._texts)
        if size <= room:
            return
        room = max(size, room + room // 2, 64)
        for name, dtype in COLUMNS.items():
            grown: Array = np.empty(room, dtype)
            grown[: self.size] = self._columns[name][: self.size]
            self._columns[name] = grown
        texts: Array = np.empty(room, object)
        texts[: self.size] = self._texts[: self.size]
        self._texts = texts
        places: Ints = np.empty(room, np.int64)
        places[: self.size] = self._places[: self.size]
        self._places = places
