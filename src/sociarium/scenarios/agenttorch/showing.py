"""The picture of a run or of its replicates: waves, who stays at home, work by county, and what asking cost."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sociarium.kernel.errors import UsageError
from sociarium.scenarios.agenttorch.city import COUNTIES
from sociarium.scenarios.agenttorch.tally import AGE_GROUPS

if TYPE_CHECKING:
    from sociarium.scenarios.agenttorch.scenario import AgentTorch

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class History:
    """One run: ``cases`` (days,) in 100,000, ``home`` (days, ages) shares, ``unemployment`` (months, counties), ``calls`` (days,)."""

    cases: Floats
    home: Floats
    unemployment: Floats
    calls: Floats


def history(folder: Path) -> History:
    """Read from the record."""
    from sociarium.record.frames import frames

    tables = frames(folder)
    try:
        counted = tables.events("city.counted").select("tick", "age", "people", "cases", "home").collect()
        employed = (
            tables.events("city.employment").select("tick", "county", "unemployment").collect()
            if "city.employment" in tables.kinds()
            else pl.DataFrame({"tick": [], "county": [], "unemployment": []})
        )
        asked = tables.calls().select("tick").to_series().to_numpy()
    finally:
        tables.close()
    days = 1 + int(counted["tick"].to_numpy().max(initial=-1))
    shape = (days, -1, len(AGE_GROUPS))
    people, cases, home = (counted[name].to_numpy().astype(np.float64).reshape(shape).sum(1) for name in ("people", "cases", "home"))
    rows = employed["unemployment"].to_numpy().astype(np.float64).reshape(-1, len(COUNTIES))
    with np.errstate(invalid="ignore", divide="ignore"):
        return History(
            1e5 * cases.sum(1) / people.sum(1),
            home / people,
            rows,
            np.bincount(asked.astype(np.int64), minlength=days)[:days].astype(np.float64),
        )


def observed(path: str, people: int) -> Floats:
    """Daily cases in 100,000 of each week of a CSV with the columns week and cases."""
    try:
        table = pl.read_csv(path)
        return 1e5 * table.sort("week")["cases"].to_numpy().astype(np.float64) / (7 * people)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise UsageError(f"observed: {path} is no table with the columns week and cases: {error}") from None


def draw(scenario: AgentTorch, folder: Path, target: Path) -> Path:
    """Four panels; of several replicates the mean and the band of all."""
    from sociarium.lab.plots import COLOURS, DASHES, INK, STYLE, matplotlib_parts, saved

    runs = [folder] if (folder / "run.sqlite").exists() else sorted(path.parent for path in folder.glob("seed-*/run.sqlite"))
    if not runs:
        raise UsageError(f"there is no run in {folder}")
    found = [history(run) for run in runs]
    shortest = min(len(one.cases) for one in found)
    months = min(len(one.unemployment) for one in found)
    day = np.arange(1, shortest + 1)
    style, figures = matplotlib_parts()
    with style.context(STYLE):
        figure = figures.Figure(figsize=(10.5, 6.4), layout="constrained")
        (waves, home), (work, calls) = figure.subplots(2, 2)
        _band(waves, day, np.stack([one.cases[:shortest] for one in found]), COLOURS[0], "-", "simulated")
        if scenario.observed:
            weeks = observed(scenario.observed, scenario.agents)
            waves.plot(7 * np.arange(len(weeks)) + 4, weeks, "o", color=INK, markerfacecolor="none", label="observed, weekly mean")
        for place, name in enumerate(AGE_GROUPS):
            _band(home, day, np.stack([one.home[:shortest, place] for one in found]), COLOURS[place], DASHES[place], name)
        month = np.arange(1, months + 1)
        for place, name in enumerate(COUNTIES):
            rows = np.stack([100 * one.unemployment[:months, place] for one in found])
            _band(work, month, rows, COLOURS[place], DASHES[place], name, marker="o")
        _band(calls, day, np.stack([one.calls[:shortest] for one in found]), COLOURS[4], "-", "calls")
        for axes, title, across in (
            (waves, "New infections a day in 100,000", "day"),
            (home, "Share who stay at home, by age", "day"),
            (work, "Unemployment by county, %", "month"),
            (calls, "Model calls a day", "day"),
        ):
            axes.set_title(title)
            axes.set_xlabel(across)
            axes.set_ylim(bottom=0)
        home.set_ylim(0, 1)
        if months:
            work.set_xticks(month)
        if not calls.lines[0].get_ydata().any():
            calls.annotate("no model was asked", (0.5, 0.5), xycoords="axes fraction", ha="center", color=INK)
        if scenario.stimulus and scenario.stimulus_day < shortest:
            for axes in (waves, home):
                axes.axvline(scenario.stimulus_day + 0.5, color=INK, linewidth=0.8, linestyle=":")
        for axes in (waves, home, work):
            axes.legend(loc="best", fontsize=8)
        band = f"; bands: all of {len(found)} runs" if len(found) > 1 else ""
        figure.suptitle(
            f"{scenario.agents:,} people, {scenario.decided_by()} minds{band}", x=0.01, ha="left", fontsize=12, fontweight="bold"
        )
        return saved(figure, target)


def _band(axes: Any, across: NDArray[Any], rows: Floats, colour: str, dash: Any, label: str, marker: str = "") -> None:
    if not rows.size:
        return
    axes.plot(across, rows.mean(0), color=colour, linestyle=dash, linewidth=1.8, label=label, marker=marker, markersize=4)
    if len(rows) > 1:
        axes.fill_between(across, rows.min(0), rows.max(0), color=colour, alpha=0.18, linewidth=0)
