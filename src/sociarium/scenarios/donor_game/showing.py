"""The picture of a run: resources and giving from generation to generation, with intervals over societies and runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sociarium.scenarios.donor_game.scenario import DonorEvolution

Floats = NDArray[np.float64]
DRAWN = 40  # replicates up to which each is drawn as a line of its own


def draw(scenario: DonorEvolution, folder: Path, target: Path) -> Path:
    """Means with 95 % intervals; a thin line a replicate where there are few."""
    from sociarium.kernel.extras import optional
    from sociarium.lab.plots import COLOURS, FAINT, STYLE

    runs = [folder] if (folder / "run.sqlite").exists() else sorted(path.parent for path in folder.glob("seed-*/run.sqlite"))
    resources, donation = (np.concatenate([history(scenario, run, name) for run in runs]) for name in ("resources", "donation"))
    full = scenario.endowment * (1 + scenario.multiplier) * scenario.multiplier ** (scenario.rounds - 1) / 2  # all give everything
    style, figures = optional("matplotlib.style", "plot", "drawing"), optional("matplotlib.figure", "plot", "drawing")
    with style.context(STYLE):
        figure = figures.Figure(figsize=(10, 3.9), layout="constrained")
        left, right = figure.subplots(1, 2)
        _lines(left, resources, COLOURS[0])
        left.set_yscale("log")
        left.axhline(scenario.endowment, color=FAINT, linewidth=1, linestyle=":")
        if scenario.schedule == "reference":
            left.axhline(full, color=FAINT, linewidth=1, linestyle=":")
            left.annotate(f"everybody gives everything: {full:,.0f}", (1, full), va="bottom", fontsize=7.5)
        left.annotate("nobody gives", (1, scenario.endowment), va="bottom", fontsize=7.5)
        left.set_title("Mean final resources")
        left.set_ylabel("units, log scale")
        _lines(right, 100 * donation, COLOURS[2])
        right.set_ylim(-2, 102)
        right.set_title("Part given at an encounter")
        right.set_ylabel("per cent of the giver's resources")
        for axes in (left, right):
            axes.set_xlabel("generation")
            axes.set_xlim(0.7, scenario.generations + 0.3)
            axes.set_xticks(np.unique(np.linspace(1, scenario.generations, min(scenario.generations, 10)).astype(int)))
        who = scenario.model or "rule minds"
        counted = f"{len(resources)} societies" if len(resources) > 1 else "one society"
        figure.suptitle(f"{counted} of {scenario.agents}, {who}", x=0.01, ha="left", fontsize=12, fontweight="bold")
        figure.supxlabel("Thick: mean. Band: 95 % interval of the mean (t) over societies and runs. Thin: single societies.", fontsize=7)
        target.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(target, dpi=160)
    return target


def history(scenario: DonorEvolution, folder: Path, name: str) -> Floats:
    """A measure by society and generation, nan where a generation was not played: (societies, generations)."""
    from sociarium.record.frames import frames

    tables = frames(folder)
    try:
        rows = tables.measures().select("tick", "name", "group", "value").rows()
    finally:
        tables.close()
    ticks = scenario.rules().generation_ticks
    found = np.full((scenario.societies, scenario.generations), np.nan)
    for tick, measure, group, value in rows:
        if measure == f"donor.{name}" and (tick + 1) % ticks == 0:
            found[group, (tick + 1) // ticks - 1] = value
    return found


def _lines(axes: Any, values: Floats, colour: str) -> None:
    from sociarium.lab.statistics import mean_interval

    played = ~np.isnan(values).all(axis=0)
    times, values = np.flatnonzero(played) + 1, values[:, played]
    if len(values) <= DRAWN:
        axes.plot(times, values.T, color=colour, linewidth=0.8, alpha=0.35)
    axes.plot(times, values.mean(axis=0), "o-", color=colour, linewidth=2.2)
    if len(values) > 1:
        intervals = [mean_interval(column) for column in values.T]
        axes.fill_between(times, [max(i.low, 1e-9) for i in intervals], [i.high for i in intervals], color=colour, alpha=0.18, linewidth=0)
