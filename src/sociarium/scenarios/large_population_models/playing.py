"""Simulations without a record, from inside a loop of events as well as from outside."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from sociarium.kernel.simulation import Simulation


def play(simulation: Simulation, ticks: int | None = None) -> Simulation:
    """Run it to its end, or so many ticks: on a thread, since claims are checked inside a loop of events."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(simulation.run_sync, ticks).result()
    return simulation
