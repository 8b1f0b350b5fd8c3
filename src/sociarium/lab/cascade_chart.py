"""Cascade curves: scale, depth and breadth over time, each arm with its band, beside what was recorded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.errors import UsageError
from sociarium.lab.plots import COLOURS, DASHES, INK, STYLE, matplotlib_parts, saved

Floats = NDArray[np.float64]
Curves = Mapping[str, Floats]  # scale, depth, breadth

PANELS = {
    "scale": ("Scale", "users reached"),
    "depth": ("Depth", "longest way from the source"),
    "breadth": ("Breadth", "largest layer"),
}


def cascade_curves(
    arms: Mapping[str, Curves], minutes: Floats, path: Path, *, recorded: Curves | None = None, title: str = "", level: float = 0.95
) -> Path:
    """Three panels. ``arms``: name -> curves, (replicates, instants) each, at ``minutes``; bands hold the middle ``level`` of them.

    ``recorded``: one curve a panel, one value a minute from minute 0, drawn as far as ``minutes`` go.
    """
    if not 1 <= len(arms) <= len(COLOURS):
        raise UsageError(f"one picture shows 1 to {len(COLOURS)} arms, not {len(arms)}")
    style, figures = matplotlib_parts()
    with style.context(STYLE):
        figure = figures.Figure(figsize=(10.5, 3.5), layout="constrained")
        for axes, (name, (heading, label)) in zip(figure.subplots(1, 3), PANELS.items(), strict=True):
            for place, (arm, curves) in enumerate(arms.items()):
                _curve(axes, minutes, np.atleast_2d(curves[name]), level, COLOURS[place], DASHES[place], arm)
            if recorded is not None:
                real = np.asarray(recorded[name], np.float64)[: int(minutes.max()) + 1]
                axes.plot(np.arange(len(real)), real, color=INK, linewidth=1.8, linestyle=(0, (1, 1)), label="recorded", zorder=5)
            axes.set_title(heading)
            axes.set_xlabel("minutes")
            axes.set_ylabel(label)
            axes.set_xlim(0, float(minutes.max()))
            axes.set_ylim(bottom=0, top=1.15 * axes.get_ylim()[1])
            axes.yaxis.get_major_locator().set_params(integer=True)
            if name == "scale":
                axes.legend(loc="lower right")
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
        if any(len(np.atleast_2d(curves["scale"])) > 1 for curves in arms.values()):
            figure.supxlabel(f"Bands hold the middle {100 * level:g} % of the replicates.", x=0.01, ha="left", fontsize=8)
        return saved(figure, path)


def _curve(axes: Any, minutes: Floats, values: Floats, level: float, colour: str, dash: Any, label: str) -> None:
    axes.plot(minutes, values.mean(axis=0), color=colour, linestyle=dash, linewidth=2, label=f"{label} (mean of {len(values)})")
    if len(values) > 1:
        low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2], axis=0)
        axes.fill_between(minutes, low, high, color=colour, alpha=0.2, linewidth=0)
