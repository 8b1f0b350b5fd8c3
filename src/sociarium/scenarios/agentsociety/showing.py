"""The picture of a run: ways out by the hour beside the first day's, how far news has come, and how attitudes moved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sociarium.scenarios.agentsociety.scenario import AgentSociety

Floats = NDArray[np.float64]


def draw(scenario: AgentSociety, folder: Path, target: Path) -> Path:
    """One run, or several, each a line."""
    from sociarium.kernel.extras import optional
    from sociarium.lab.histories import histories, runs_in
    from sociarium.lab.plots import COLOURS, FAINT, STYLE

    runs = runs_in(folder)
    names = [name for name in ("mobility.outings", "messages.reach", "opinion.polarisation") if _shown(scenario, name)]
    each = [histories(run, names) for run in runs]
    found = {name: [one[name] for one in each] for name in names}
    style, figures = optional("matplotlib.style", "plot", "drawing"), optional("matplotlib.figure", "plot", "drawing")
    with style.context(STYLE):
        figure = figures.Figure(figsize=(10, 0.6 + 2.7 * len(names)), layout="constrained")
        panels = figure.subplots(len(names), 1, squeeze=False, sharex=True)[:, 0]
        for axes, name in zip(panels, names, strict=True):
            hourly = name == "mobility.outings"
            for values in found[name]:
                series = by_hour(values, scenario.step) if hourly else values
                times = (np.arange(len(series)) + (0.5 if hourly else 1)) * (1 if hourly else scenario.step / 60) / 24
                axes.plot(times, series, color=COLOURS[0], linewidth=1.6, alpha=1 if len(runs) == 1 else 0.5)
                if hourly and scenario.days > 1:
                    first = np.tile(series[:24], scenario.days)[: len(series)]
                    axes.plot(times, first, color=FAINT, linewidth=1.2, linestyle="--", label="as on the first day")
            axes.set_title(TITLES[name])
            axes.set_ylim(bottom=0, top=None if hourly else 1.02)
            if hourly and scenario.days > 1:
                handles, labels = axes.get_legend_handles_labels()
                axes.legend(handles[:1], labels[:1], loc="upper right")
                axes.set_ylim(top=1.2 * axes.get_ylim()[1])  # room for the legend
            if scenario.storm is not None:
                end = min(scenario.days, scenario.storm - 1 + scenario.storm_days)
                axes.axvspan(scenario.storm - 1, end, color=COLOURS[1], alpha=0.12, linewidth=0)
        panels[-1].set_xlabel("days" + (" (shaded: the hurricane)" if scenario.storm is not None else ""))
        panels[-1].set_xlim(0, scenario.days)
        panels[-1].set_xticks(np.arange(0, scenario.days + 1, max(1, scenario.days // 12)))
        figure.suptitle(f"{scenario.citizens:,} citizens", x=0.01, ha="left", fontsize=12, fontweight="bold")
        target.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(target, dpi=160)
    return target


def by_hour(values: Floats, step: int) -> Floats:
    """Counts of ticks of ``step`` minutes, by hour; ticks longer than that count in their first hour."""
    hours = np.arange(len(values)) * step // 60
    return np.bincount(hours, values).astype(np.float64)


def _shown(scenario: Any, name: str) -> bool:
    return name == "mobility.outings" or (
        scenario.news != "none" if name == "messages.reach" else scenario.persuasion != "none" and scenario.model is None
    )


TITLES = {
    "mobility.outings": "Ways out that began, by the hour",
    "messages.reach": "Share of citizens that the news has reached",
    "opinion.polarisation": "Polarisation of attitudes (1: halves at the ends)",
}
