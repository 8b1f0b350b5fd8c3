"""A durable list of runs, arms times seeds, with common random numbers: the default way to a result (law 6).

An arm is a name and the parameters it sets. All arms use the same seeds, so that differences between arms are paired. A folder
holds one run a cell; what is finished is not run again, and what was stopped is resumed.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.errors import UsageError
from sociarium.lab import running
from sociarium.lab.running import Finished, Options
from sociarium.lab.scenario import Scenario
from sociarium.lab.statistics import Interval, common_difference, mean_interval

Settings = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Cell:
    """The measures at the end of one run: (groups,) arrays by name."""

    arm: str
    seed: int
    digest: str
    measures: Mapping[str, NDArray[np.float64]]


@dataclass(slots=True)
class Results:
    """All cells of an experiment. A replicate's value is the mean over its groups, missing values left out."""

    cells: list[Cell] = field(default_factory=list[Cell])

    def values(self, arm: str, measure: str) -> NDArray[np.float64]:
        """(seeds,): one value a replicate, in order of seed."""
        own = sorted((cell for cell in self.cells if cell.arm == arm), key=lambda cell: cell.seed)
        if not own:
            raise UsageError(f"there is no arm {arm!r}; there are {', '.join(sorted({cell.arm for cell in self.cells}))}")
        return np.array([_mean(cell.measures[measure]) for cell in own])

    def interval(self, arm: str, measure: str, level: float = 0.95) -> Interval:
        values = self.values(arm, measure)
        return mean_interval(values[~np.isnan(values)], level)

    def difference(self, arm: str, base: str, measure: str, level: float = 0.95) -> Interval:
        """Arm minus base, paired by seed (common random numbers)."""
        treated, control = self.values(arm, measure), self.values(base, measure)
        both = ~(np.isnan(treated) | np.isnan(control))
        return common_difference(treated[both], control[both], level)


class Experiment:
    """``Experiment(GovSim, {"plain": {}, "univ": {"universalization": True}}, seeds=range(20)).run(folder)``."""

    def __init__(
        self, scenario: type[Scenario], arms: Mapping[str, Settings], seeds: Sequence[int], *, base: Settings | None = None
    ) -> None:
        if not arms or not list(seeds):
            raise UsageError("an experiment needs at least one arm and one seed")
        self.arms = {name: scenario.of({**(base or {}), **settings}) for name, settings in arms.items()}
        self.seeds = list(seeds)

    async def run(self, folder: Path | None = None, options: Options | None = None, *, workers: int = 1, at_once: int = 8) -> Results:
        """Every cell. Without a folder nothing is kept. ``workers`` processes share out cells that call no model; cells that
        do call models run in this process, ``at_once`` at a time, on the same backends."""
        if options is None:
            async with Options() as own:
                return await self.run(folder, own, workers=workers, at_once=at_once)
        jobs = [(arm, scenario, seed) for arm, scenario in self.arms.items() for seed in self.seeds]
        asking = any(scenario.routes() for scenario in self.arms.values())
        if workers > 1 and not asking:
            with ProcessPoolExecutor(workers) as pool:
                return Results(list(pool.map(_cell_alone, [(arm, type(s), s.parameters(), seed, folder) for arm, s, seed in jobs])))
        slots = asyncio.Semaphore(at_once)
        shared = replace(options, limiters={} if options.limiters is None else options.limiters)

        async def one(arm: str, scenario: Scenario, seed: int) -> Cell:
            async with slots:
                return await _cell(arm, scenario, seed, folder, replace(shared))

        return Results(await _all([one(*job) for job in jobs]))

    def run_sync(self, folder: Path | None = None, options: Options | None = None, *, workers: int = 1) -> Results:
        return asyncio.run(self.run(folder, options, workers=workers))


async def _all(cells: Sequence[Any]) -> list[Cell]:
    ended = await asyncio.gather(*cells, return_exceptions=True)
    for one in ended:
        if isinstance(one, BaseException):
            raise one
    return [one for one in ended if isinstance(one, Cell)]


def _cell_alone(job: tuple[str, type[Scenario], Mapping[str, Any], int, Path | None]) -> Cell:
    arm, kind, parameters, seed, folder = job
    return asyncio.run(_cell(arm, kind.of(parameters), seed, folder, Options()))


async def _cell(arm: str, scenario: Scenario, seed: int, folder: Path | None, options: Options) -> Cell:
    if folder is None:
        return _of(arm, seed, await running.in_memory(scenario, seed, options))
    own = folder / arm / f"seed-{seed}"
    done = own / "cell.json"
    if done.exists():
        kept = json.loads(done.read_text(encoding="utf-8"))
        values = {name: np.array([np.nan if v is None else v for v in column]) for name, column in kept["measures"].items()}
        return Cell(arm, seed, kept["digest"], values)
    exists = (own / "run.sqlite").exists()
    finished = await (running.resume(own, lambda _: type(scenario), options) if exists else running.start(scenario, seed, own, options))
    cell = _of(arm, seed, finished)
    plain = {name: [None if v != v else float(v) for v in column] for name, column in cell.measures.items()}
    aside = done.with_suffix(".part")
    aside.write_text(json.dumps({"digest": cell.digest, "measures": plain}), encoding="utf-8")
    aside.replace(done)
    return cell


def _of(arm: str, seed: int, finished: Finished) -> Cell:
    measures = finished.last.measures if finished.last else {}
    return Cell(arm, seed, finished.digest, {name: np.asarray(values, np.float64) for name, values in measures.items()})


def _mean(values: NDArray[np.float64]) -> float:
    there = values[~np.isnan(values)]
    return float(there.mean()) if len(there) else float("nan")
