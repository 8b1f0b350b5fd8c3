"""Memories as append-only columns: one row a memory of one agent.

Rows of several agents are appended in order of arrival, so no result may depend on the order between agents: what is read is one
agent's rows in their own order, and ``state`` gives all rows by agent, then in that order.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.errors import UsageError
from sociarium.minds.language.retrieval import NEVER, Kind

Ints = NDArray[np.int64]
Array = NDArray[Any]

COLUMNS: Mapping[str, Any] = {
    "agent": np.int32,
    "time": np.int64,  # microseconds
    "accessed": np.int64,  # when it last came to mind
    "tick": np.int32,
    "kind": np.uint8,
    "importance": np.float32,  # 1 to 10; NaN: not yet scored
    "until_time": np.int64,  # microseconds; recalled while the time is before it
    "until_tick": np.int64,  # the last tick in which it is recalled
    "always": np.bool_,
    "author": np.int32,  # the agent whose words they are; -1: the engine's
    "vector": np.int32,  # row among the stored vectors; -1: none
}
FILLS: Mapping[str, Any] = {"until_time": NEVER, "until_tick": NEVER, "always": False, "author": -1, "vector": -1}
"""Columns that take no room until a memory differs from this."""


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


class Texts:
    """What memories say, by row: equal texts are kept once."""

    def __init__(self, words: list[str], numbers: NDArray[np.int32]) -> None:
        self.words, self.numbers = words, numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[str]:
        return iter(self.of(self.numbers))

    def __getitem__(self, rows: Any) -> Any:
        """The text of one row, or an array of those of several."""
        numbers = self.numbers[rows]
        if np.ndim(numbers) == 0:
            return self.words[int(numbers)]
        out = np.empty(len(numbers), object)
        out[:] = self.of(numbers)
        return out

    def of(self, numbers: NDArray[Any]) -> list[str]:
        """The texts of these numbers."""
        return [self.words[number] for number in numbers.tolist()]

    @property
    def nbytes(self) -> int:
        return self.numbers.nbytes


class MemoryStream:
    """All memories of all agents of a mind."""

    def __init__(self) -> None:
        self.size = 0
        self._room = 0
        self._columns: dict[str, Array] = {name: np.empty(0, dtype) for name, dtype in COLUMNS.items() if name not in FILLS}
        self._numbers: NDArray[np.int32] = np.empty(0, np.int32)  # the text of each memory
        self._words: list[str] = []  # texts that differ, in order of arrival
        self._known: dict[str, int] = {}
        self._places: Ints = np.empty(0, np.int64)
        self._rows: dict[int, array[int]] = {}
        self._evidence: dict[int, tuple[int, ...]] = {}  # rows that a thought was drawn from
        self._depth: dict[int, int] = {}

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, name: str) -> Any:
        """A column, one value a memory: a view, not to be written into (see ``set``). ``text`` is a ``Texts``."""
        if name == "text":
            return Texts(self._words, self.numbers)
        held = self._columns.get(name)
        return np.broadcast_to(np.array(FILLS[name], COLUMNS[name]), self.size) if held is None else held[: self.size]

    @property
    def numbers(self) -> NDArray[np.int32]:
        """The number of each memory's text; equal texts have the same."""
        return self._numbers[: self.size]

    @property
    def places(self) -> Ints:
        """Where an exact embedder keeps the vector of each text, by number; -1: not asked for yet. A cache, and no part of the state."""
        return self._places[: len(self._words)]

    def append(self, agents: Ints, memory: Memory, *, time: int, tick: int) -> None:
        """The same memory for each of these agents."""
        start, count = self.size, len(agents)
        self._grow(start + count)
        self.size = start + count
        new = slice(start, self.size)
        importance = np.nan if memory.importance is None else memory.importance
        values = {
            "agent": agents, "time": time, "accessed": time, "tick": tick, "kind": memory.kind, "importance": importance,
            "until_time": memory.until_time, "until_tick": memory.until_tick, "always": memory.always, "author": memory.author,
        }  # fmt: skip
        for name, value in values.items():
            if name in self._columns or value != FILLS[name]:
                self._held(name)[new] = value
        self._numbers[new] = self._number(memory.text)
        for row, agent in enumerate(agents.tolist(), start):
            self._rows.setdefault(agent, array("i")).append(row)

    def of(self, agent: int) -> Ints:
        """The rows of one agent, oldest first."""
        return np.array(self._rows.get(agent, ()), np.int64)

    def live(self, agent: int, *, time: int, tick: int) -> Ints:
        """The rows of one agent that have not expired, oldest first."""
        rows = self.of(agent)
        return rows[(self["until_time"][rows] > time) & (self["until_tick"][rows] >= tick)]

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
        self._held(name)[rows] = values

    def held(self) -> dict[str, Array]:
        """The arrays that take room, with what is kept free for memories to come."""
        return {**self._columns, "text": self._numbers}

    def ordered(self) -> Ints:
        """All rows by agent, then in the agent's own order."""
        return np.argsort(self["agent"], kind="stable")

    def state(self) -> dict[str, Any]:
        """All columns by agent; ``text`` numbers the ``words``, which stand in the order in which they then come."""
        order = self.ordered()
        numbers = self.numbers[order]
        used, first = np.unique(numbers, return_index=True)
        used = used[np.argsort(first)]
        number = np.zeros(len(self._words), np.int32)
        number[used] = np.arange(len(used))
        words = np.empty(len(used), object)
        words[:] = [self._words[at] for at in used.tolist()]
        place = np.empty(self.size, np.int64)
        place[order] = np.arange(self.size)
        drawn = sorted((int(place[row]), int(place[one])) for row, cited in self._evidence.items() for one in cited)
        texts = {"text": number[numbers], "words": words}
        return {**{name: self[name][order] for name in COLUMNS}, **texts, "evidence": np.array(drawn, np.int64).reshape(-1, 2)}

    def load(self, state: Mapping[str, Any]) -> None:
        self.__init__()
        if not state:
            return
        self.size = self._room = len(state["agent"])
        for name, dtype in COLUMNS.items():
            values = np.array(state[name], dtype)
            if name not in FILLS or (values != FILLS[name]).any():
                self._columns[name] = values
        self._numbers = np.array(state["text"], np.int32)
        for text in state["words"]:
            self._number(str(text))
        for row, agent in enumerate(self._columns["agent"].tolist()):
            self._rows.setdefault(agent, array("i")).append(row)
        drawn: dict[int, list[int]] = {}
        for row, one in np.asarray(state["evidence"]).tolist():
            drawn.setdefault(row, []).append(one)
        for row in sorted(drawn):
            self.cite(row, np.array(drawn[row]))

    def _held(self, name: str) -> Array:
        """A column that can be written into."""
        if name not in self._columns:
            self._columns[name] = np.full(self._room, FILLS[name], COLUMNS[name])
        return self._columns[name]

    def _number(self, text: str) -> int:
        number = self._known.setdefault(text, len(self._words))
        if number == len(self._words):
            self._words.append(text)
            if number >= len(self._places):
                self._places = np.append(self._places, np.full(max(64, number // 2), -1))
        return number

    def _grow(self, size: int) -> None:
        if size <= self._room:
            return
        self._room = max(size, self._room + self._room // 2, 64)
        for name, column in self._columns.items():
            self._columns[name] = self._grown(column, FILLS.get(name, 0))
        self._numbers = self._grown(self._numbers, 0)

    def _grown(self, column: Array, fill: Any) -> Array:
        grown = np.empty(self._room, column.dtype)
        grown[: self.size], grown[self.size :] = column[: self.size], fill
        return grown
