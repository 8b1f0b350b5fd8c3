"""Simulations without a record."""

from __future__ import annotations

from sociarium.kernel.simulation import Simulation


def play(simulation: Simulation, ticks: int | None = None) -> Simulation:
    """Run it to its end, or so many ticks."""
    simulation.run_sync(ticks)
    return simulation
