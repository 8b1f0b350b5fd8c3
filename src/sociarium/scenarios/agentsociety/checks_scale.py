"""Claims about many citizens: time goes with their number, and what they keep does not grow with the days."""

from __future__ import annotations

import json
import time

import numpy as np

from sociarium.kernel.simulation import Simulation
from sociarium.lab.claims import ClaimContext, Measured, claim
from sociarium.record.tree import survey
from sociarium.scenarios.agentsociety.scenario import AgentSociety


@claim("scale")
def scale(context: ClaimContext) -> Measured:
    sizes = (40_000, 80_000, 160_000)
    spent: list[float] = []
    for size in sizes:
        simulation = _city(size)
        begun = time.process_time()
        simulation.run_sync(24)
        spent.append(time.process_time() - begun)
    slope = float(np.polyfit(np.log(sizes), np.log(spent), 1)[0])
    return Measured.exactly(slope, holds=abs(slope - 1) <= 0.1)


@claim("memory-bounded")
def memory_bounded(context: ClaimContext) -> Measured:
    """Bytes of the saved state of 10,000 citizens after 24 and 48 steps, and of 20,000."""
    (day, two), (twice, _) = (_kept(size) for size in (10_000, 20_000))
    return Measured.exactly(two / day, holds=two <= 1.05 * day and abs(twice / day - 2) <= 0.05)


def _kept(size: int) -> tuple[int, int]:
    simulation = _city(size)
    found: list[int] = []
    for _ in range(2):
        simulation.run_sync(24)
        kept = survey(simulation.state())
        found.append(sum(memoryview(chunk).nbytes for chunk in kept.chunks.values()) + len(json.dumps(kept.tree)))
    return found[0], found[1]


def _city(size: int) -> Simulation:
    return AgentSociety.of({"citizens": size, "days": 2, "step": 60}).build(0)
