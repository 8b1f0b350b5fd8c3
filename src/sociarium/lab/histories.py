"""Measures of recorded runs, tick by tick: what pictures are drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.errors import UsageError

Floats = NDArray[np.float64]


def histories(folder: Path, names: Sequence[str]) -> dict[str, Floats]:
    """(ticks,) by name, of a run with one world; nan where a measure had no value. Raises UsageError for a measure it does not have."""
    from sociarium.record.frames import frames

    tables = frames(folder)
    try:
        rows = tables.measures().select("tick", "name", "value").rows()
    finally:
        tables.close()
    wanted, found = set(names), dict[str, dict[int, float]]()
    for tick, name, value in rows:
        if name in wanted:
            found.setdefault(str(name), {})[int(tick)] = float("nan") if value is None else float(value)
    if missing := sorted(wanted - set(found)):
        raise UsageError(f"the run in {folder} has no measure {missing[0]!r}")
    return {name: np.array([found[name][tick] for tick in sorted(found[name])]) for name in names}


def runs_in(folder: Path) -> list[Path]:
    """The run in a folder, or all replicates in it (``seed-*``), in order of name."""
    return [folder] if (folder / "run.sqlite").exists() else sorted(path.parent for path in folder.glob("seed-*/run.sqlite"))
