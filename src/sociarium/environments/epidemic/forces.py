"""How much is sent to whom in a day, pushed from those who send. ``pulling.py`` gets the same sums from the other side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.epidemic import kernels
from sociarium.environments.epidemic.workshop import Workshop
from sociarium.kernel.errors import UsageError

Array = NDArray[Any]
Push = Callable[[Array, Array, int, Array], tuple[int, int, int]]  # senders, units, first, hits -> next, hits held, contacts

HITS = 1 << 18  # susceptible contacts held at a time, a thread


@dataclass(frozen=True, slots=True)
class Candidates:
    """Agents who may be infected, ascending, with the number drawn for each and the hazard."""

    agents: NDArray[np.int32]
    drawn: NDArray[np.float64]
    hazard: NDArray[np.float64]

    def infected(self) -> NDArray[np.int64]:
        return self.agents[self.drawn < 1 - np.exp(-self.hazard)].astype(np.int64)


class Forces:
    """Fixed-point sums, one an agent: a row a thread, added up when they are used."""

    def __init__(self, workshop: Workshop, size: int) -> None:
        self.workshop, self.size = workshop, size
        self.words = (size + 63) // 64
        self.force = np.zeros((workshop.threads, size), np.uint32)
        self.reached = np.zeros((workshop.threads, self.words), np.uint64)

    def push(self, kernel: Push, who: Array, units: Array) -> int:
        """Add what these agents send; returns how many contacts they have."""
        parts = self.workshop.parts(len(who))

        def work(number: int) -> int:
            first, last = parts[number]
            hits = self.workshop.room(f"hits {number}", HITS, np.uint64)
            visited, whole = 0, True
            while first < last:
                after, held, contacts = kernel(who[:last], units[:last], first, hits)
                if after == first:
                    hits = np.empty(2 * len(hits), np.uint64)  # an agent with more contacts than there is room for
                    continue
                whole &= kernels.add(hits[:held], self.force[number], self.reached[number])
                first, visited = after, visited + contacts
            return visited if whole else -1

        return _whole(self.workshop.each(work))

    def candidates(self, trait: Array, receptivity: Array, inverse: float, key: int, mixed: Array, also: Array | None) -> Candidates:
        """Draw for everyone on whom there is any force (and for ``also``, ascending, who contain them), and leave no force behind."""
        parts = self.workshop.parts(self.words)
        everyone = self.workshop.room("touched", self.size + self.workshop.threads, np.int32)

        def work(number: int) -> tuple[Array, Array, Array]:
            first, last = parts[number]
            start, stop = min(64 * first, self.size), min(64 * last, self.size)
            touched = everyone[start + number : stop + number + 1]
            touched = touched[: kernels.sweep(self.force, self.reached, first, last, touched)]
            if also is not None:
                touched = also[np.searchsorted(also, start) : np.searchsorted(also, stop)]
            room = len(touched) + 1
            who = self.workshop.room(f"candidates {number}", room, np.int32)
            drawn = self.workshop.room(f"drawn {number}", room, np.float64)
            hazard = self.workshop.room(f"hazard {number}", room, np.float64)
            count = kernels.candidates(touched, self.force[0], mixed, trait, receptivity, inverse, np.uint64(key), who, drawn, hazard)
            return who[:count], drawn[:count], hazard[:count]

        found = self.workshop.each(work)
        return Candidates(*(found[0] if len(found) == 1 else (np.concatenate(columns) for columns in zip(*found, strict=True))))


def _whole(counts: list[int]) -> int:
    if min(counts) < 0:
        raise UsageError("what one agent is sent in a day does not fit into 32 bits; lower the disease's scale or the layers' weights")
    return sum(counts)
