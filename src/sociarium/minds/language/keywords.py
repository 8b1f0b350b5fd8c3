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
        """Pairs of a memory (in the order of the stream's state) and a word."""
        place = np.empty(len(stream), np.int64)
        place[stream.ordered()] = np.arange(len(stream))
        rows = sorted(self._words, key=lambda row: int(place[row]))
        pairs = [(int(place[row]), word) for row in rows for word in self._words[row]]
        words = np.empty(len(pairs), object)
        words[:] = [word for _, word in pairs]
        return {"memories": np.array([at for at, _ in pairs], np.int64), "words": words}

    def load(self, state: Mapping[str, Any], stream: MemoryStream) -> None:
        self._rows, self._words = {}, {}
        tags: dict[int, list[str]] = {}
        for row, word in zip(state["memories"], state["words"], strict=True) if state else ():
            tags.setdefault(int(row), []).append(str(word))
        for row, words in tags.items():
            self.tag(int(stream["agent"][row]), row, words)
