"""Actors in many processes beside the ideal: waiting, computing, and how soon a call comes back."""

from __future__ import annotations

import os
from typing import Any

from sociarium.cluster.speed import first_return, sleeping, spinning

ACTORS, WORKERS, SECONDS = 64, 16, 0.2
WAIT_GOAL = 1.3  # of the ideal (AgentScope, speed-up)
EFFICIENCY = 0.7  # least speed-up a worker
RETURNS = 0.02  # seconds in which a call must come back


def run() -> list[dict[str, Any]]:
    """Rows for ``sociarium bench cluster``. The reference is the ideal: all waiting or computing at once, with no cost between."""
    ideal = SECONDS * ACTORS / WORKERS
    waiting = sleeping(ACTORS, WORKERS, SECONDS)
    rows = [_row(f"{ACTORS} actors wait {SECONDS} s on {WORKERS} workers", waiting, ideal, WAIT_GOAL, "the workers")]
    cores = os.cpu_count() or 1
    for workers in sorted({2, min(4, cores), cores} - {1}):
        if workers <= cores:
            alone, together = spinning(workers)
            rows.append(_row(f"computing on {workers} workers", together, alone / workers, 1 / EFFICIENCY, "cores, and who else uses them"))
    returned, _ = first_return(1.0)
    rows.append(_row("a call of 1 s comes back", returned, RETURNS, 1.0, "one message to a worker", "20 ms"))
    return rows


def _row(case: str, ours: float, reference: float, goal: float, limit: str, name: str = "ideal") -> dict[str, Any]:
    return {
        "case": case,
        "unit": "s",
        "ours": ours,
        "reference": reference,
        "reference_name": name,
        "ratio": ours / reference,
        "goal": goal,
        "limit": limit,
    }
