"""Who gets which slot of the engine: the free one whose last prompt begins most like the new one, so that prefixes are reused."""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray


class Slots:
    """A pool of ``count`` slots, for threads. The engine keeps the last prompt of each slot; so do we."""

    def __init__(self, count: int) -> None:
        self.last: list[NDArray[np.int64]] = [np.zeros(0, np.int64) for _ in range(count)]
        self.free = list(range(count))  # least recently used first
        self.changed = threading.Condition()

    @contextmanager
    def taken(self, prompt: Sequence[int]) -> Generator[int]:
        """A slot for the time of the block; waits while none is free."""
        tokens = np.asarray(prompt, np.int64)
        with self.changed:
            while not self.free:
                self.changed.wait()
            slot = max(self.free, key=lambda one: shared_prefix(self.last[one], tokens))  # the first of equals
            self.free.remove(slot)
            self.last[slot] = tokens
        try:
            yield slot
        finally:
            with self.changed:
                self.free.append(slot)
                self.changed.notify()


def shared_prefix(one: NDArray[np.int64], other: NDArray[np.int64]) -> int:
    """How many tokens the two begin with in common."""
    length = min(len(one), len(other))
    differ = np.flatnonzero(one[:length] != other[:length])
    return int(differ[0]) if len(differ) else length
