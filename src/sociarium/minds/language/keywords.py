"""Memories by what they are about: an index of words, beside a memory stream. No scores, no model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.minds.language.stream import MemoryStream

Ints = NDArray[np.int64]


class Keywords:
    """For each agent, the rows of a stream that were tagged with a word. Words count in any case."""

    def __init__(self) -> None:
        self._rows: dict[int, dict[str, list[int]]] = {}
        self._words: dict[int, tuple[str, ...]] = {}

    def tag(self, agent: int, row: int, words: Iterable[str]) -> None:
        """Tag a memory; a row is tagged once."""
        given = tuple(dict.fromkeys(word.strip().casefold() for word in words if word.strip()))
        if row < 0 or not given:
            return
        self._words[row] = given
        for word in given:
            self._rows.setdefault(agent, {}).setdefault(word, []).append(row)

    def words(self, row: int) -> tuple[str, ...]:
        return self._words.get(row, ())

    def about(self, agent: int, words: Iterable[str]) -> Ints:
        """The agent's rows that share a word with these, oldest first."""
        own = self._rows.get(agent, {})
        return np.array(sorted({row for word in words for row in own.get(word.strip().casefold(), ())}), np.int64)

    def state(self, stream: MemoryStream) -> dict[str, Any]:
        """An agent, its memory (in the order of the stream's state) and a word, a row each."""
        place = np.empty(len(stream), np.int64)
        place[stream.ordered()] = np.arange(len(stream))
        agents = stream["agent"]
        tags = [(int(place[row]), int(agents[row]), word) for row, words in self._words.items() for word in words]
        tags.sort(key=lambda tag: tag[0])
        words = np.empty(len(tags), object)
        words[:] = [word for _, _, word in tags]
        numbers = np.array([tag[:2] for tag in tags], np.int64).reshape(-1, 2)
        return {"memories": numbers[:, 0], "agents": numbers[:, 1], "words": words}

    def load(self, state: Mapping[str, Any]) -> None:
        self._rows, self._words = {}, {}
        tags: dict[tuple[int, int], list[str]] = {}
        for row, agent, word in zip(state["memories"], state["agents"], state["words"], strict=True) if state else ():
            tags.setdefault((int(agent), int(row)), []).append(str(word))
        for (agent, row), words in tags.items():
            self.tag(agent, row, words)
