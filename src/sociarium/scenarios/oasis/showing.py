"""Pictures: cascade curves beside the recorded ones, truths and rumours, how answers move, how posts end by their first vote."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sociarium.lab.cascade_chart import cascade_curves
from sociarium.lab.plots import COLOURS, DASHES, INK, STYLE, matplotlib_parts, saved
from sociarium.scenarios.oasis.data import read_series
from sociarium.scenarios.oasis.history import SPREAD, measures_of, minute_curves, minutes_of, runs_in

if TYPE_CHECKING:
    from sociarium.scenarios.oasis.scenario import Oasis

Floats = NDArray[np.float64]

SERIES = "False_Business_0_real_series.json"


def draw(scenario: Oasis, folder: Path, target: Path) -> Path:
    """One run, or several with their spread."""
    found = [measures_of(run) for run in runs_in(folder)]
    stacked = {name: np.stack([one[name] for one in found]) for name in found[0]}
    if scenario.experiment == "spreading":
        return spread(scenario, found, target)
    if scenario.experiment == "misinformation":
        lines = {name: stacked[f"cascade.{name}"] for name in ("truth", "rumour")}
        return curves(scenario, {"Mean users reached by a story": lines}, target, "users", f"{scenario.size():,} users: truths and rumours")
    if scenario.experiment == "polarisation":
        return answers(scenario, stacked, target)
    arms = {name: stacked[f"herd.{name}"] for name in ("up", "control", "down")}
    panels = {"Net votes by the first vote": arms, "Up less down": {"gap": stacked["herd.gap"]}}
    title = f"{scenario.size():,} users, {scenario.posts} posts, score {'shown' if scenario.show_score else 'hidden'}"
    return curves(scenario, panels, target, "mean net votes, first vote left out", title)


def spread(scenario: Oasis, found: list[dict[str, Floats]], target: Path) -> Path:
    """Scale, depth and breadth with their bands; beside the recorded curves where the recorded cascade is what spreads."""
    minutes = minutes_of(scenario)
    ours = [minute_curves({name: run[measure] for name, measure in SPREAD.items()}, minutes, scenario.step) for run in found]
    arm = {name: np.stack([getattr(one, name) for one in ours]).astype(np.float64) for name in SPREAD}
    recorded = None
    if scenario.recorded and scenario.data:
        real = read_series(Path(scenario.data) / SERIES)
        recorded = {name: np.asarray(getattr(real, name), np.float64) for name in SPREAD}
    who = "language minds" if scenario.model else "rule minds"
    what = "a recorded cascade and ours" if recorded else f"{scenario.size():,} users"
    return cascade_curves({who: arm}, minutes.astype(np.float64), target, recorded=recorded, title=f"How a post spreads: {what}")


def answers(scenario: Oasis, stacked: Mapping[str, Floats], target: Path) -> Path:
    """How far answers lie from the middle, interview after interview."""
    every = scenario.interviews() or 1
    shown = {name: stacked[f"interview.{name}"][:, ::every] for name in ("extremeness", "more_extreme")}
    panels = {
        "Distance of answers from the middle": {"mean of those asked": shown["extremeness"]},
        "More extreme than at first": {"share of those asked": shown["more_extreme"]},
    }
    asked = min(scenario.interviewed, scenario.size())
    return curves(scenario, panels, target, "", f"{scenario.size():,} users, {asked} interviewed", every=every)


def curves(
    scenario: Oasis,
    panels: Mapping[str, Mapping[str, Floats]],
    target: Path,
    label: str,
    title: str,
    *,
    every: int = 1,
    level: float = 0.95,
) -> Path:
    """Lines over steps with the middle 95 % of the replicates."""
    style, figures = matplotlib_parts()
    with style.context(STYLE):
        figure = figures.Figure(figsize=(5.2 * max(len(panels), 1.5), 3.7), layout="constrained")
        for axes, (heading, lines) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
            for place, (name, values) in enumerate(lines.items()):
                _line(axes, values, every, place, name)
            axes.axhline(0, color=INK, linewidth=0.8)
            axes.set_title(heading)
            axes.set_xlabel(f"steps of {scenario.step} minutes")
            axes.set_ylabel(label)
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.legend(loc="best", fontsize=8)
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
        if any(len(values) > 1 for lines in panels.values() for values in lines.values()):
            figure.supxlabel("Bands hold the middle 95 % of the replicates.", x=0.01, ha="left", fontsize=8)
        return saved(figure, target)


def _line(axes: Any, values: Floats, every: int, place: int, name: str) -> None:
    steps: Floats = np.arange(values.shape[1], dtype=np.float64) * every + (1 if every == 1 else 0)
    axes.plot(steps, values.mean(axis=0), color=COLOURS[place], linestyle=DASHES[place], linewidth=2, label=name)
    if len(values) > 1:
        low, high = np.quantile(values, [0.025, 0.975], axis=0)
        axes.fill_between(steps, low, high, color=COLOURS[place], alpha=0.2, linewidth=0)
