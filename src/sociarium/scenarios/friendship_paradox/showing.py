"""The picture of a run: the graph it grew, its in-degrees, the gap from iteration to iteration, and every measure beside its nulls."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network
from sociarium.kernel.randomness import Randomness
from sociarium.lab.paradox.report import Line, Report
from sociarium.populations.networks.nulls import random_follows
from sociarium.populations.networks.statistics import survival
from sociarium.scenarios.friendship_paradox.graph import Grown, graph_in

if TYPE_CHECKING:
    from sociarium.scenarios.friendship_paradox.scenario import FriendshipParadox

Floats = NDArray[np.float64]

DRAWS = 199
NULLS = ("random graph", "random follows", "same degrees", "shuffled")
SHOWN = (
    ("followers", "gap by edge, followees' followers"),
    ("followers", "gap by node"),
    ("posts", "gap by edge"),
    ("reactions", "gap by edge"),
    ("activity", "gap by edge"),
)
SHARES = (
    ("followers", "weak share"),
    ("followers", "strong share"),
    ("followers", "upward edges"),
    ("reactions", "upward edges"),
    ("activity", "upward edges"),
)


def draw(scenario: FriendshipParadox, folder: Path, target: Path) -> Path:
    """One run, or the first of several, whose gaps are all drawn."""
    from sociarium.lab.network_picture import draw_network
    from sociarium.lab.plots import STYLE, matplotlib_parts, saved

    runs = [folder] if (folder / "run.sqlite").exists() else sorted(path.parent for path in folder.glob("seed-*/run.sqlite"))
    if not runs:
        raise UsageError(f"{folder} holds no run")
    grown = graph_in(runs[0])
    made = grown.report(0, DRAWS)
    style, figures = matplotlib_parts()
    with style.context(STYLE):
        figure = figures.Figure(figsize=(11.5, 8.6), layout="constrained")
        grid = figure.add_gridspec(2, 2, width_ratios=[1, 1.15])
        network, degrees, path = (figure.add_subplot(grid[place]) for place in (0, 1, 2))
        upper, lower = grid[3].subgridspec(2, 1, hspace=0.04).subplots()
        into = grown.network.in_degrees()
        points = draw_network(network, grown.network, into, random=Randomness(0).stream("layout"), label="Who follows whom, by followers")
        figure.colorbar(points, ax=network, shrink=0.6, label="followers", location="left")
        _degrees(degrees, grown.network)
        _path(path, [_history(run) for run in runs])
        _beside(upper, made, SHOWN, "Gaps beside their nulls", symmetric=True)
        _beside(lower, made, SHARES, "Shares beside their nulls", symmetric=False)
        who = "rule minds" if scenario.model is None else scenario.model
        told = (
            ""
            if scenario.model is not None
            else f", who follow {'anyone' if scenario.follow == 'random' else f'the most {scenario.follow}'}"
        )
        figure.suptitle(f"{grown.network.nodes} users ({who}{told}), {len(grown.network)} follows", x=0.01, ha="left", fontweight="bold")
        return saved(figure, target)


def _degrees(axes: Any, network: Network) -> None:
    """Share of users with at least so many followers, and where everyone follows as many at random."""
    from sociarium.lab.plots import COLOURS, DASHES

    null = [random_follows(network.degrees(), Randomness(0).stream("degrees", draw)).in_degrees() for draw in range(20)]
    for place, (name, into) in enumerate((("followers", network.in_degrees()), ("random follows", np.concatenate(null)))):
        values, share = survival(into)
        axes.step(values, share, where="post", color=COLOURS[place], linestyle=DASHES[place], linewidth=2, label=name)
    values, share = survival(network.degrees())
    if len(values) > 1:
        axes.step(values, share, where="post", color=COLOURS[2], linestyle=DASHES[2], linewidth=1.5, label="followees")
    axes.set_yscale("log")
    axes.set_title("Degrees")
    axes.set_xlabel("at least so many")
    axes.set_ylabel("share of users")
    axes.legend()


def _path(axes: Any, histories: list[tuple[Floats, Floats]]) -> None:
    from sociarium.lab.plots import COLOURS, DASHES

    for place, (gap, null) in enumerate(histories):
        times, pale = np.arange(1, len(gap) + 1), 1.0 if len(histories) == 1 else 0.45
        axes.plot(times, gap, "o-", color=COLOURS[0], markersize=4, alpha=pale, label=None if place else "followees' followers, by edge")
        axes.plot(times, null, color=COLOURS[1], linestyle=DASHES[1], alpha=pale, label=None if place else "of random follows (exact)")
    axes.set_title("The gap, and the one nobody chose")
    axes.set_xlabel("iteration")
    axes.set_ylabel("followers more than oneself")
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper right")


def _beside(axes: Any, made: Report, wanted: tuple[tuple[str, str], ...], title: str, *, symmetric: bool) -> None:
    """Each measure as a dot; the middle 95 % of each null that can judge it as a bar. Gaps are in units of the mean of what they are of."""
    from sociarium.lab.plots import COLOURS, FAINT, INK

    lines = [one for one in made.lines if (one.x, one.measure) in wanted]
    for place, one in enumerate(lines):
        able = [null for null in one.nulls if not null.same]
        for at, null in enumerate(able):
            row = place + 0.13 * (at - (len(able) - 1) / 2)
            colour = COLOURS[1 + NULLS.index(null.null)]
            axes.plot([null.low, null.high], [row, row], color=colour, linewidth=3, solid_capstyle="butt", alpha=0.8)
        axes.plot([one.observed], [place], "o", color=INK, markersize=6, zorder=4)
    if symmetric:
        axes.set_xscale("symlog", linthresh=0.1)
    axes.axvline(0 if symmetric else 0.5, color=FAINT, linewidth=1, linestyle=":")
    axes.set_yticks(range(len(lines)), [_short(one) for one in lines])
    axes.set_ylim(len(lines) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
    axes.set_title(title)
    if not symmetric:
        for name in NULLS:
            axes.plot([], [], color=COLOURS[1 + NULLS.index(name)], linewidth=3, label=name)
        axes.plot([], [], "o", color=INK, label="this graph")
        axes.legend(fontsize=7, ncols=5, loc="upper right", bbox_to_anchor=(1, -0.18), columnspacing=1, handlelength=1)


def _short(one: Line) -> str:
    return f"{one.x}, {one.measure.split(',')[0]}"


def _history(folder: Path) -> tuple[Floats, Floats]:
    """The gap at the end of each iteration, and that of random follows."""
    from sociarium.record.frames import frames

    tables = frames(folder)
    try:
        rows = tables.measures().select("tick", "name", "value").rows()
    finally:
        tables.close()
    ticks = 1 + max((int(tick) for tick, _, _ in rows), default=-1)
    found = {name: np.full(ticks, np.nan) for name in ("platform.gap", "platform.random_gap")}
    for tick, name, value in rows:
        if name in found:
            found[name][int(tick)] = float(value)
    return found["platform.gap"], found["platform.random_gap"]


__all__ = ["Grown", "draw"]
