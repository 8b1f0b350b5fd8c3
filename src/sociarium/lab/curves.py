"""Pictures of series over time: simulated bands beside observed points, arms that part at a date, and how a loss fell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.errors import UsageError
from sociarium.lab.plots import (
    COLOURS,
    DASHES,
    FAINT,
    INK,
    STYLE,
    matplotlib_parts,
    saved,
)

Floats = NDArray[np.float64]
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Band:
    """(replicates, periods) simulated, and (periods,) observed where there is data (nan: not observed)."""

    simulated: Floats
    observed: Floats | None = None


def series_panels(
    bands: Mapping[str, Band],
    path: Path,
    *,
    title: str = "",
    period: str = "week",
    losses: Floats | None = None,
    told: Sequence[str] = (),
    level: float = LEVEL,
) -> Path:
    """A panel a stream: mean and middle ``level`` of the replicates, observed points; and a last panel with the loss, if given."""
    if not bands:
        raise UsageError("a picture needs at least one series")
    style, figures = matplotlib_parts()
    panels = len(bands) + (losses is not None)
    with style.context(STYLE):
        figure = figures.Figure(figsize=(3.9 * panels, 3.6), layout="constrained")
        places = figure.subplots(1, panels, squeeze=False)[0]
        for axes, (name, band) in zip(places, bands.items(), strict=False):
            _band(axes, band.simulated, level, COLOURS[0], "-", "simulated")
            if band.observed is not None:
                _points(axes, band.observed)
            _finish(axes, name, f"{name} a {period}", period, band.simulated.shape[1])
            axes.set_ylim(bottom=min(0.0, float(band.simulated.min())))
        places[0].legend(loc="best", fontsize=8)
        if losses is not None:
            _losses(places[-1], losses)
        heading = "\n".join([title, *("    ".join(told[k : k + 2]) for k in range(0, len(told), 2))])
        figure.suptitle(heading, x=0.01, ha="left", fontsize=11)
        _foot(
            figure,
            f"Lines: mean of the replicates. Bands: their middle {100 * level:g} %. Points: observed.",
        )
        return saved(figure, path)


def parting_curves(
    arms: Mapping[str, Floats],
    path: Path,
    *,
    at: int,
    title: str = "",
    measure: str = "value",
    period: str = "tick",
    observed: Floats | None = None,
    level: float = LEVEL,
) -> Path:
    """Two panels: each arm's (replicates, periods) with its band, and the paired difference of every arm from the first.

    ``at``: the last period that they share. The band of a difference is an interval of its mean over paired replicates.
    """
    if not 1 <= len(arms) <= len(COLOURS):
        raise UsageError(f"one picture shows 1 to {len(COLOURS)} arms, not {len(arms)}")
    (first, base), *others = arms.items()
    style, figures = matplotlib_parts()
    with style.context(STYLE):
        figure = figures.Figure(figsize=(10.2, 3.9), layout="constrained")
        left, right = figure.subplots(1, 2)
        for place, (name, values) in enumerate(arms.items()):
            _band(left, values, level, COLOURS[place], DASHES[place], name)
        if observed is not None:
            _points(left, observed)
        for place, (name, values) in enumerate(others, 1):
            _difference(
                right,
                values - base,
                level,
                COLOURS[place],
                DASHES[place],
                f"{name} − {first}",
            )
        right.axhline(0, color=INK, linewidth=0.8)
        for axes, words in ((left, measure), (right, f"difference of {measure}")):
            axes.axvline(at, color=FAINT, linestyle=":", linewidth=1.4)
            _finish(axes, words[:1].upper() + words[1:], words, period, base.shape[1])
        left.set_ylim(bottom=min(0.0, left.get_ylim()[0]))
        left.legend(loc="best", fontsize=8)
        if others:
            right.legend(loc="best", fontsize=8, frameon=True, framealpha=0.9, edgecolor="none")
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
        left_foot = f"Left: mean and middle {100 * level:g} % of {len(base)} replicates. "
        _foot(
            figure,
            f"{left_foot}Right: paired by seed, {100 * level:g} % interval of the mean (t). Dotted: arms part here.",
        )
        return saved(figure, path)


def _band(axes: Any, values: Floats, level: float, colour: str, dash: Any, label: str) -> None:
    times = _numbers(values.shape[1])
    axes.plot(times, values.mean(0), color=colour, linestyle=dash, linewidth=2, label=label)
    if len(values) > 1:
        low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2], axis=0)
        axes.fill_between(times, low, high, color=colour, alpha=0.18, linewidth=0)


def _difference(axes: Any, values: Floats, level: float, colour: str, dash: Any, label: str) -> None:
    from sociarium.lab.statistics import paired_t

    times = _numbers(values.shape[1])
    axes.plot(times, values.mean(0), color=colour, linestyle=dash, linewidth=2, label=label)
    if len(values) > 1:
        test = paired_t(values.T, np.zeros_like(values.T), level)
        axes.fill_between(times, test.low, test.high, color=colour, alpha=0.22, linewidth=0)


def _points(axes: Any, observed: Floats) -> None:
    axes.plot(
        np.arange(1, len(observed) + 1),
        observed,
        "o",
        color=INK,
        markersize=5,
        label="observed",
        zorder=5,
        markerfacecolor="white",
    )


def _losses(axes: Any, losses: Floats) -> None:
    axes.plot(np.arange(1, len(losses) + 1), losses, color=COLOURS[1], linewidth=1.4)
    if (losses > 0).all():
        axes.set_yscale("log")
    axes.set_title("Loss")
    axes.set_xlabel("step")
    axes.set_ylabel("weighted mean square")


def _finish(axes: Any, title: str, label: str, period: str, periods: int) -> None:
    axes.set_title(title)
    axes.set_xlabel(period)
    axes.set_ylabel(label)
    axes.locator_params(axis="y", nbins=6)
    step = max(1, round(periods / 7))
    axes.set_xticks(range(step if step > 1 else 1, periods + 1, step))


def _numbers(periods: int) -> Floats:
    return np.arange(1, periods + 1, dtype=np.float64)


def _foot(figure: Any, words: str) -> None:
    figure.supxlabel(words, fontsize=7, color="#666666")
