"""What the engine takes besides the model: the record of a call, and its share of a run on a small local model.

The cost of the record is the CPU time of one society on the scripted model, recorded on disk, less that of the same society in
memory, a reply that is journalled (those equal to an earlier one are, too); all threads count, and so do the beginning and the end
of a run. The share of a local run is the CPU time of the main thread, where all of the engine's own work is done (the model
computes in threads of its own), and of what the record takes, as measured before, over the CPU time of the whole process. Work for
the model that is done on the main thread (prompts, replies) counts as the engine's.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from sociarium.kernel.errors import ModelError
from sociarium.lab import running
from sociarium.lab.running import Finished, Options
from sociarium.lab.scenario import Scenario
from sociarium.models import weights
from sociarium.scenarios import catalogue

SLUG, MODEL, LOCAL = "govsim", "scripted:schema", "smollm2"
WANTED_CALL, WANTED_SHARE = 0.5, 5.0  # CPU milliseconds a reply; per cent of a run


def run(repeats: int = 5, lakes: int = 20, months: int = 2) -> list[dict[str, Any]]:
    """Rows for ``sociarium bench overhead``."""
    scenario = catalogue.scenario(SLUG).of({"model": MODEL, "lakes": lakes, "embedder": "hashing"})
    taken: list[tuple[float, float]] = []
    for repeat in range(repeats + 1):
        both = [_per_call(scenario, recorded) for recorded in ((True, False) if repeat % 2 else (False, True))]
        taken.append((both[0], both[1]) if repeat % 2 else (both[1], both[0]))
    recorded, bare = (statistics.median(pair[which] for pair in taken[1:]) for which in (0, 1))
    own = statistics.median(pair[0] - pair[1] for pair in taken[1:])
    bound = "SQLite, JSON and one sync a batch"
    rows = [
        _row("a scripted reply, recorded", "CPU ms", recorded, bare, "in memory", (bare + WANTED_CALL) / bare, bound),
        _row("the record's part of it", "CPU ms", own, WANTED_CALL, "wanted", 1.0, bound),
    ]
    share, limit = _local_share(months, own)
    return [*rows, _row("share outside the model, local run", "% of CPU", share, WANTED_SHARE, "wanted", 1.0, limit)]


def _per_call(scenario: Scenario, recorded: bool) -> float:
    """CPU milliseconds a reply: live ones, and those equal to an earlier one, which are journalled too."""
    gc.collect()
    with tempfile.TemporaryDirectory() as folder:
        began = time.process_time()
        finished = asyncio.run(_played(scenario, Path(folder) / "run" if recorded else None))
        spent = time.process_time() - began
    return 1e3 * spent / sum(finished.summary.models[name] for name in ("calls", "cached", "shared"))


async def _played(scenario: Scenario, folder: Path | None, options: Options | None = None) -> Finished:
    return await (running.in_memory(scenario, 1, options) if folder is None else running.start(scenario, 1, folder, options))


def _local_share(months: int, own: float) -> tuple[float | None, str]:
    """Per cent of the CPU time of a recorded run on the local model that is not the model's, and what bounds it."""
    if weights.located(LOCAL) is None:
        return None, f"not measured: sociarium models pull {LOCAL}"
    scenario = catalogue.scenario(SLUG).of({"model": f"local:{LOCAL}", "pace": "choices", "max_rounds": months})
    options = Options()
    try:
        asyncio.run(running.opened(scenario, options))  # loading the model is no part of the run
    except (ModelError, ImportError) as missing:
        return None, f"not measured: {missing}"
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_shared(scenario, Path(folder) / "run", options, own))


async def _shared(scenario: Scenario, folder: Path, options: Options, own: float) -> tuple[float, str]:
    whole, main = time.process_time(), time.thread_time()
    try:
        finished = await _played(scenario, folder, options)
        whole, main = time.process_time() - whole, time.thread_time() - main
    finally:
        for backend in options.backends.values():
            await backend.close()
    calls = finished.summary.models["calls"]
    outside = main + calls * max(own, 0.0) / 1e3
    return 100 * outside / whole, f"{calls} calls, {1e3 * (whole - main) / calls:,.0f} CPU ms each in the model"


def _row(case: str, unit: str, ours: float | None, reference: float, name: str, goal: float, limit: str) -> dict[str, Any]:
    ratio = None if ours is None else round(ours / reference, 3)
    figures = {"ours": None if ours is None else round(ours, 3), "reference": round(reference, 3), "ratio": ratio}
    return {"case": case, "unit": unit, **figures, "reference_name": name, "goal": round(goal, 3), "limit": limit}
