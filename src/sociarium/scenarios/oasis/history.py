"""What a run left: measures step by step, and cascades from the rows of a platform or of a record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.records import TickRecord
from sociarium.kernel.simulation import Simulation
from sociarium.lab.cascades import Curves

if TYPE_CHECKING:
    from sociarium.scenarios.oasis.scenario import Oasis

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SPREAD = {"scale": "cascade.scale", "depth": "cascade.depth", "breadth": "cascade.breadth"}


def played(simulation: Simulation) -> list[TickRecord]:
    """Run to the end."""
    records: list[TickRecord] = []
    simulation.on_tick.append(records.append)
    simulation.run_sync()
    return records


def series(records: Sequence[TickRecord], name: str) -> Floats:
    """A measure, step by step."""
    return np.array([float(record.measures[name][0]) for record in records])


def minute_curves(measured: Mapping[str, Floats], minutes: Ints, step: int) -> Curves:
    """Scale, depth and breadth at ``minutes`` after the source was posted: what is done in a step counts when it ends."""
    done = np.asarray(minutes) // step  # steps that have ended by then
    found = {name: np.concatenate([[start], measured[name]])[np.minimum(done, len(measured[name]))] for name, start in _BEGIN.items()}
    return Curves(**{name: np.rint(values).astype(np.int64) for name, values in found.items()})


def curves_of(records: Sequence[TickRecord], minutes: Ints, step: int) -> Curves:
    """The same from the records of a run."""
    return minute_curves({name: series(records, measure) for name, measure in SPREAD.items()}, minutes, step)


def measures_of(folder: Path) -> dict[str, Floats]:
    """All measures of a recorded run, step by step."""
    from sociarium.record.frames import frames

    tables = frames(folder)
    try:
        rows = tables.measures().select("tick", "name", "value").rows()
    finally:
        tables.close()
    found: dict[str, dict[int, float]] = {}
    for tick, name, value in rows:
        found.setdefault(name, {})[int(tick)] = float("nan") if value is None else float(value)
    return {name: np.array([values[tick] for tick in sorted(values)]) for name, values in found.items()}


def runs_in(folder: Path) -> list[Path]:
    """A run, or all replicates of a folder."""
    return [folder] if (folder / "run.sqlite").exists() else sorted(path.parent for path in folder.glob("seed-*/run.sqlite"))


def minutes_of(scenario: Oasis) -> Ints:
    return np.arange(scenario.total_ticks() * scenario.step + 1)


_BEGIN = {"scale": 1, "depth": 0, "breadth": 0}
