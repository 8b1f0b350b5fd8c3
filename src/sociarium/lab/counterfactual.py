"""What was, what would have been, what may come: arms that share a past and part at one tick.

One design serves three questions. *Retrospective*: do runs of the past look like the data (``observed``, ``coverage``)?
*Counterfactual*: what would a decision at a past tick have changed? *Prospective*: from today on, which decision leads where? Every
arm branches from the same state of the same run and draws the same random numbers, so arms of one seed differ only after the tick at
which they part, and differences are paired over seeds (common random numbers).
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.records import TickRecord
from sociarium.kernel.simulation import Intervention, Simulation
from sociarium.lab.curves import parting_curves
from sociarium.lab.running import Options, refuse_unapplied, simulation_of
from sociarium.lab.scenario import Scenario
from sociarium.lab.statistics import Interval, common_difference, mean_interval

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Arm:
    """What is done from the tick on at which arms part: parameters set anew, and an operator's actions (not before that tick)."""

    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    interventions: Sequence[Intervention] = ()


@dataclass(frozen=True, slots=True)
class Futures:
    """``curves``: measure -> arm -> (seeds, ticks), one value a tick, the mean over groups; nan after a run has ended. The first
    arm is what the others are compared with."""

    at: int
    seeds: Sequence[int]
    curves: Mapping[str, Mapping[str, Floats]]

    def values(self, arm: str, measure: str) -> Floats:
        """(seeds, ticks) of one arm."""
        if measure not in self.curves:
            raise UsageError(f"there is no measure {measure!r}; there are {', '.join(self.curves)}")
        if arm not in self.curves[measure]:
            raise UsageError(f"there is no arm {arm!r}; there are {', '.join(self.curves[measure])}")
        return self.curves[measure][arm]

    def interval(self, arm: str, measure: str, level: float = 0.95) -> Interval:
        """Mean at the last tick that all seeds reached."""
        return mean_interval(_last(self.values(arm, measure)), level)

    def difference(self, arm: str, measure: str, base: str | None = None, level: float = 0.95) -> Interval:
        """Arm minus base (the first, unless named) at the last tick that all reached, paired by seed."""
        theirs = self.values(base or next(iter(self.curves[measure])), measure)
        ours = self.values(arm, measure)
        shared = _reached(np.concatenate([ours, theirs]))
        return common_difference(ours[:, shared - 1], theirs[:, shared - 1], level)

    def total_difference(self, arm: str, measure: str, base: str | None = None, level: float = 0.95) -> Interval:
        """The same for the sum over the ticks after the parting: infections averted, tons gained."""
        theirs = self.values(base or next(iter(self.curves[measure])), measure)
        ours = self.values(arm, measure)
        shared = _reached(np.concatenate([ours, theirs]))
        return common_difference(ours[:, self.at : shared].sum(1), theirs[:, self.at : shared].sum(1), level)

    def coverage(self, arm: str, measure: str, observed: ArrayLike, level: float = 0.95) -> float:
        """Retrospective: the share of observed ticks (nan: not observed) that lie in the middle ``level`` of the replicates."""
        data = np.asarray(observed, np.float64)
        runs = self.values(arm, measure)[:, : len(data)]
        seen = ~np.isnan(data) & ~np.isnan(runs).any(0)
        if data.ndim != 1 or not seen.any():
            raise UsageError("coverage needs one row of observations, some of them at ticks that every run reached")
        low, high = np.quantile(runs[:, seen], [(1 - level) / 2, (1 + level) / 2], axis=0)
        return float(((data[seen] >= low) & (data[seen] <= high)).mean())

    def plot(self, measure: str, path: Path, *, title: str = "", period: str = "tick", observed: ArrayLike | None = None) -> Path:
        """Arms with their bands and the data, and the paired differences; over the ticks that all runs reached."""
        arms = self.curves[measure] if measure in self.curves else {"": self.values("", measure)}
        shared = min(_reached(values) for values in arms.values())
        data = None if observed is None else np.asarray(observed, np.float64)[:shared]
        shown = {name: values[:, :shared] for name, values in arms.items()}
        return parting_curves(shown, path, at=self.at, title=title, measure=measure, period=period, observed=data)


class Counterfactual:
    """``Counterfactual(scenario, at=30, arms={"as it was": Arm(), "closed": Arm({"schools": "closed"})}, seeds=range(20)).run_sync()``.

    ``at`` 0 is a comparison of whole runs; at the last tick of the data it is a projection.
    """

    def __init__(self, scenario: Scenario, at: int, arms: Mapping[str, Arm], seeds: Sequence[int], *, ticks: int | None = None) -> None:
        if at < 0 or not arms or not list(seeds) or len(set(seeds)) != len(list(seeds)):
            raise UsageError("arms part at tick 0 or later; there must be at least one arm and one seed, and no seed twice")
        for name, arm in arms.items():
            if early := [i for i in arm.interventions if i.tick < at]:
                raise UsageError(f"arm {name!r} acts at tick {early[0].tick}, before the arms part at tick {at}")
        self.scenario, self.at, self.ticks = scenario, at, ticks
        self.arms = {name: (scenario.changed(arm.settings) if arm.settings else scenario, arm) for name, arm in arms.items()}
        self.seeds = list(seeds)

    async def run(self, measures: Sequence[str] = (), options: Options | None = None) -> Futures:
        """Every arm of every seed; the shared past of a seed is played once. ``measures``: those to keep, all where none is named.

        Nothing is recorded. Where models are asked, all arms share ``options.backends``.
        """
        options = options or Options()
        kept: dict[str, dict[str, list[list[float]]]] = {}
        for seed in self.seeds:
            for name, ticks in (await self._of(seed, options)).items():
                for measure in measures or ticks[0]:
                    if measure not in ticks[0]:
                        raise UsageError(f"the scenario has no measure {measure!r}; it has {', '.join(ticks[0])}")
                    kept.setdefault(measure, {}).setdefault(name, []).append([tick[measure] for tick in ticks])
        longest = max((len(row) for arms in kept.values() for rows in arms.values() for row in rows), default=0)
        curves = {m: {name: _padded(rows, longest) for name, rows in arms.items()} for m, arms in kept.items()}
        return Futures(self.at, self.seeds, curves)

    def run_sync(self, measures: Sequence[str] = (), options: Options | None = None) -> Futures:
        return asyncio.run(self.run(measures, options))

    async def _of(self, seed: int, options: Options) -> dict[str, list[dict[str, float]]]:
        past: list[dict[str, float]] = []
        trunk = _watched(await simulation_of(self.scenario, seed, options), past)
        done = await trunk.run(self.at) if self.at else 0
        if done < self.at:
            raise UsageError(f"the run of seed {seed} ended after {done} ticks, before the arms part at tick {self.at}")
        state = trunk.state()
        found: dict[str, list[dict[str, float]]] = {}
        for name, (scenario, arm) in self.arms.items():
            if seed == self.seeds[0]:
                refuse_unapplied(self.scenario, scenario, seed, self.at)
            own = list(past)
            branch = _watched(await simulation_of(scenario, seed, options), own)
            if self.at:
                branch.load(copy.deepcopy(state))
            branch.interventions += list(arm.interventions)
            await branch.run(None if self.ticks is None else self.ticks - self.at)
            found[name] = own
        return found


def _watched(simulation: Simulation, into: list[dict[str, float]]) -> Simulation:
    def keep(record: TickRecord) -> None:
        into.append({name: _mean(np.asarray(values, np.float64)) for name, values in record.measures.items()})

    simulation.on_tick.append(keep)
    return simulation


def _mean(values: Floats) -> float:
    there = values[~np.isnan(values)]
    return float(there.mean()) if len(there) else float("nan")


def _padded(rows: list[list[float]], length: int) -> Floats:
    return np.array([row + [np.nan] * (length - len(row)) for row in rows])


def _reached(values: Floats) -> int:
    """Ticks for which every run has a value."""
    missing = np.isnan(values).any(0)
    reached = int(np.argmax(missing)) if missing.any() else values.shape[1]
    if not reached:
        raise UsageError("no tick was reached by every run with a value of this measure")
    return reached


def _last(values: Floats) -> Floats:
    return values[:, _reached(values) - 1]
