"""Texts that are only ever added: their UTF-8 bytes one after another, so that a million cost what their bytes cost, also in snapshots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.social.chains import grown

Ints = NDArray[np.int64]
Array = NDArray[Any]


class Texts:
    """Numbered texts. Lone surrogates, which are no characters, become question marks, as in the record."""

    __slots__ = ("_bytes", "_ends", "numbered", "size")

    def __init__(self) -> None:
        self.size = 0
        self.numbered = object()  # another one where other texts have the numbers: what was computed of the old ones is void
        self._bytes = np.zeros(1024, np.uint8)
        self._ends = np.zeros(17, np.int64)  # text i lies between ends i and i + 1

    def __len__(self) -> int:
        return self.size

    def append(self, texts: Sequence[str]) -> Ints:
        """Their numbers."""
        if not len(texts):
            return np.empty(0, np.int64)
        joined = "".join(texts)
        if joined.isascii():
            data = joined.encode()
            lengths = np.fromiter(map(len, texts), np.int64, len(texts))
        else:
            parts = [text.encode("utf-8", "replace") for text in texts]
            data = b"".join(parts)
            lengths = np.fromiter(map(len, parts), np.int64, len(parts))
        first, begin = self.size, int(self._ends[self.size])
        self.size += len(texts)
        self._ends = grown(self._ends, self.size + 1, 0)
        self._ends[first + 1 : self.size + 1] = begin + np.cumsum(lengths)
        self._bytes = grown(self._bytes, begin + len(data), 0)
        self._bytes[begin : begin + len(data)] = np.frombuffer(data, np.uint8)
        return np.arange(first, self.size)

    def __getitem__(self, number: int) -> str:
        return self._bytes[self._ends[number] : self._ends[number + 1]].tobytes().decode()

    def of(self, numbers: Array) -> Array:
        """The texts with these numbers, an object array of their shape; "" for -1."""
        unique, which = np.unique(numbers, return_inverse=True)
        values = np.empty(len(unique), object)
        for place, number in enumerate(unique.tolist()):
            values[place] = self[number] if number >= 0 else ""
        return values[which].reshape(np.shape(numbers))

    def containing(self, words: str) -> Ints:
        """Numbers of the texts in which these words stand, letters of the alphabet A to Z large or small; ascending."""
        wanted = words.encode("utf-8", "replace").lower()
        found: list[int] = []
        data = self._bytes[: self._ends[self.size]].tobytes().lower()
        at = data.find(wanted) if wanted else -1
        while at >= 0:
            number = int(np.searchsorted(self._ends[: self.size + 1], at, side="right")) - 1
            end = int(self._ends[number + 1])
            if at + len(wanted) <= end:
                found.append(number)
                at = data.find(wanted, end)  # on to the next text
            else:
                at = data.find(wanted, at + 1)  # it ran over into the next text
        return np.array(found, np.int64)

    def state(self) -> dict[str, Any]:
        return {"bytes": self._bytes[: self._ends[self.size]].copy(), "ends": self._ends[: self.size + 1].copy()}

    def load(self, state: Mapping[str, Any]) -> None:
        self.numbered = object()
        self._bytes, self._ends = np.array(state["bytes"], np.uint8), np.array(state["ends"], np.int64)
        self.size = len(self._ends) - 1
