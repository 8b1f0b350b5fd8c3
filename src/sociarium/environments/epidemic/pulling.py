"""Who is infected, found from the side of those who may be: drawn first, looked at after.

The number of an agent and day does not depend on its contacts, so it is drawn before they are read. Where it is not below the probability
that all contacts together could give (were each as infectious as can be), the agent is not infected whatever they are, and its row is
not read. Nothing is added up at random places. The bits are those of the reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.epidemic import kernels
from sociarium.environments.epidemic.forces import Candidates
from sociarium.environments.epidemic.workshop import Graph, Workshop

Array = NDArray[Any]
WORDS = 4096  # words of 64 agents at a time: what is found then stays in the second-level cache
NO_MASK = np.empty(0, np.bool_)


class Pulled:
    """What is pulled over one layer today. ``sending``: who sends there, a bit an agent. ``unit``: what each of them sends; where that
    differs, ``code`` has the row of ``units`` of each sender, and anything for others. ``receives``: who takes part; empty for all."""

    __slots__ = ("code", "receives", "sending", "unit", "units")

    def __init__(self, sending: Array, receives: Array | None, units: Array, code: Array | None = None, unit: int = 0) -> None:
        self.sending, self.receives = sending, NO_MASK if receives is None else receives
        self.units, self.code, self.unit = units, code, unit


class Pulling:
    """Rows in narrow columns: first contact in 32 bits where they suffice, number of contacts in 8 (255: so many or more)."""

    def __init__(self, workshop: Workshop, graphs: Sequence[Graph]) -> None:
        self.workshop = workshop
        self.size = len(graphs[0][0]) - 1
        self.rows = [(starts.astype(np.uint32) if len(targets) < 2**32 else starts, targets) for starts, targets in graphs]
        self.degrees = np.empty((len(graphs), self.size), np.uint8)
        for row, (starts, _) in zip(self.degrees, graphs, strict=True):
            kernels.narrow_degrees(starts, row)

    def candidates(
        self, opened: Array, layers: Sequence[Pulled], trait: Array, receptivity: Array, inverse: float, key: int
    ) -> tuple[Candidates, int]:
        """Who may be infected, and how many contacts were looked at."""
        most = np.array([layer.units.max(initial=0) for layer in layers], np.float64)
        reach = most[:, None] * np.arange(256) * inverse
        reach[:, 255] = np.where(most > 0, 2.0**60, 0.0)  # no bound
        rates = receptivity[:1] if (receptivity == receptivity[0]).all() else receptivity
        parts = self.workshop.parts(len(opened))

        def work(number: int) -> tuple[tuple[list[Array], list[Array], list[Array]], int]:
            who: list[Array] = []
            drawn: list[Array] = []
            hazard: list[Array] = []
            visited = 0
            first, stop = parts[number]
            room = WORDS * 64 + 1
            agents = self.workshop.room(f"hopeful {number}", room, np.int32)
            numbers = self.workshop.room(f"drawn {number}", room, np.float64)
            sums = self.workshop.room(f"sums {number}", room, np.uint64)
            for start in range(first, stop, WORDS):
                last = min(start + WORDS, stop)
                count = kernels.hopeful(opened, start, last, self.degrees, reach, trait, rates, np.uint64(key), agents, numbers)
                sums[:count] = 0
                for rows, layer in zip(self.rows, layers, strict=True):
                    if layer.code is None:
                        visited += kernels.pull_alike(*rows, agents[:count], layer.receives, layer.sending, layer.unit, sums)
                    else:
                        visited += kernels.pull(*rows, agents[:count], layer.receives, layer.sending, layer.code, layer.units, sums)
                kept, rate = kernels.narrowed(agents[:count], numbers, sums, trait, rates, inverse), sums.view(np.float64)
                who.append(agents[:kept].copy())
                drawn.append(numbers[:kept].copy())
                hazard.append(rate[:kept].copy())
            return (who, drawn, hazard), visited

        found = self.workshop.each(work)
        columns: list[Array] = [np.concatenate([each for lists, _ in found for each in lists[n]]) for n in range(3)]
        return Candidates(*columns), sum(visited for _, visited in found)
