"""Pictures: who is awake and why, which emotions are shown and felt over time, and negative shares by coverage."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.social.expression import EMOTIONS
from sociarium.kernel.units import HOUR, MINUTE
from sociarium.lab.histories import histories, runs_in
from sociarium.lab.plots import COLOURS, FAINT, INK, STYLE, interval_chart, matplotlib_parts, saved

if TYPE_CHECKING:
    from sociarium.lab.experiment import Results
    from sociarium.scenarios.posim.scenario import Posim

Floats = NDArray[np.float64]

LOOK: Mapping[str, str] = {
    "anger": COLOURS[1], "disgust": COLOURS[3], "sadness": COLOURS[0], "fear": COLOURS[4], "anxiety": "#B8860B", "neutral": "#BDBDBD",
    "surprise": COLOURS[5], "happiness": COLOURS[2],
}  # fmt: skip
SMOOTH = 3  # ticks over which shares of what is shown are taken together


def draw(scenario: Posim, folder: Path, target: Path) -> Path:
    """One run; of several replicates, their means, and the spread of activity."""
    shown, felt = (
        [f"platform.shows_{name}" for name in EMOTIONS],
        [f"emotions.{name}" for name in LOOK if name not in ("anxiety", "neutral")],
    )
    names = ["platform.acts", "clock.expected", *shown, *felt]
    runs = [histories(run, names) for run in runs_in(folder)]
    shortest = min(len(run["platform.acts"]) for run in runs)
    means = {name: np.nanmean([run[name][:shortest] for run in runs], axis=0) for name in names}
    hours = scenario.hour + (np.arange(shortest) * scenario.step + scenario.step / 2) / 60
    style, figures = matplotlib_parts()
    with style.context(STYLE):
        figure = figures.Figure(figsize=(9.6, 8.2), layout="constrained")
        top, middle, bottom = figure.subplots(3, 1, sharex=True)
        _activity(top, scenario, hours, np.array([run["platform.acts"][:shortest] for run in runs]), means["clock.expected"])
        _shares(middle, hours, means)
        for name in felt:
            emotion = name.partition(".")[2]
            bottom.plot(hours, means[name], color=LOOK[emotion], linewidth=1.8, label=emotion)
        bottom.set_title("What users feel: mean level")
        bottom.set_ylim(bottom=0)
        bottom.legend(loc="upper left", bbox_to_anchor=(1.01, 1), fontsize=8)
        bottom.set_xlabel("hour" if hours[-1] <= 24 else "hour, from midnight of the first day")
        bottom.set_xlim(scenario.hour - scenario.step / 60, hours[-1] + scenario.step / 120)
        minds = scenario.model or "users by rule"
        figure.suptitle(
            f"{scenario.users:,} accounts, {minds}, {len(runs)} run{'s' * (len(runs) > 1)}", x=0.01, ha="left", fontweight="bold"
        )
        return saved(figure, target)


def coverage_chart(results: Results, target: Path, *, published: Mapping[str, float] | None = None) -> Path:
    """The share of negative acts of each arm of an experiment, with its interval over the seeds."""
    arms = list(dict.fromkeys(cell.arm for cell in results.cells))
    rows = [(arm, results.interval(arm, "platform.negative")) for arm in arms]
    return interval_chart(rows, target, title="Share of negative acts, by who is primed", label="share of all acts", published=published)


def _activity(axes: Any, scenario: Posim, hours: Floats, acts: Floats, expected: Floats) -> None:
    """Acts a step, the awakenings that the clock expects, and what happens outside."""
    if len(acts) > 1:
        low, high = np.quantile(acts, [0.025, 0.975], axis=0)
        axes.fill_between(hours, low, high, color=COLOURS[0], alpha=0.16, linewidth=0)
    axes.plot(hours, acts.mean(axis=0), color=COLOURS[0], linewidth=1.6, label="acts")
    axes.plot(hours, expected, color=COLOURS[1], linewidth=1.4, linestyle="--", label="awakenings expected by the clock")
    axes.set_ylim(0, 1.28 * max(float(acts.max()), float(expected.max())))  # room for the legend
    labels = {True: "broadcast (height: influence)", False: "post of a named account"}
    ceiling = axes.get_ylim()[1]
    for one in scenario.happenings():
        at, told = (scenario.hour * HOUR + one.minute * MINUTE) / HOUR, not one.author
        if at > hours[-1]:
            continue
        height = ceiling * (0.8 * one.influence if told else 0.12)
        axes.plot([at, at], [0, height], color=INK if told else FAINT, linewidth=1.2, linestyle=":", label=labels.pop(told, None))
        axes.plot([at], [height], "v", color=INK if told else FAINT, markersize=5)
    axes.set_title(f"Activity: acts in {scenario.step} minutes")
    axes.legend(loc="upper center", fontsize=8, ncols=4, frameon=False)


def _shares(axes: Any, hours: Floats, means: Mapping[str, Floats]) -> None:
    window = np.ones(min(SMOOTH, len(hours)))
    counts = np.array([np.convolve(means[f"platform.shows_{name}"], window, "same") for name in LOOK])
    total = counts.sum(axis=0)
    shares = np.divide(counts, total, out=np.zeros_like(counts), where=total > 0)
    axes.stackplot(hours, shares, colors=[LOOK[name] for name in LOOK], labels=list(LOOK), linewidth=0)
    axes.set_title("What is shown: shares of acts (negative emotions at the bottom)")
    axes.set_ylim(0, 1)
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], labels[::-1], loc="upper left", bbox_to_anchor=(1.01, 1), fontsize=8)
