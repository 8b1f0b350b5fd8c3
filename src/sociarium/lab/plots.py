"""Pictures for papers and READMEs: stock curves with their spread, and intervals side by side.

Colours are those of Okabe and Ito, told apart by all common kinds of colour vision; arms differ in dash and marker too. Matplotlib
is loaded when the first picture is drawn, without a window.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.extras import optional
from sociarium.lab.statistics import Interval
from sociarium.lab.survival import kaplan_meier

Floats = NDArray[np.float64]
Numbers = NDArray[Any]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#4D4D4D")
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1.2)), (0, (6, 2, 1, 2)), (0, (3, 1)), (0, (8, 2)), "-")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
PUBLISHED: dict[str, Any] = {
    "markerfacecolor": "none",
    "markeredgecolor": COLOURS[1],
    "markeredgewidth": 1.6,
    "markersize": 9.5,
    "zorder": 4,
}
INK, FAINT = "#222222", "#B0B0B0"
STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "svg.hashsalt": "sociarium",  # the same picture has the same bytes
    "svg.fonttype": "none",  # words stay words: they can be searched and read aloud
}


def stock_curves(
    arms: Mapping[str, tuple[Numbers, Numbers]],
    path: Path,
    *,
    title: str = "",
    unit: str = "units",
    period: str = "month",
    capacity: float | None = None,
    limit: float | None = None,
    level: float = 0.95,
) -> Path:
    """Three panels for up to seven arms: the stock over time, the harvest of an agent, and the share of runs that survive.

    ``arms``: name -> (stock, catches); stock at the end of each period, (replicates, periods), nan after a run has ended; catches
    (replicates, periods, agents), nan after it too. Bands hold the middle ``level`` of the replicates in the first two panels, and
    are Greenwood's interval in the third. ``limit`` draws the stock that ends a run.
    """
    checked = {name: _checked(name, *arrays) for name, arrays in arms.items()}
    if not 1 <= len(checked) <= len(COLOURS):
        raise UsageError(f"one picture shows 1 to {len(COLOURS)} arms, not {len(checked)}")
    periods = max(stock.shape[1] for stock, _ in checked.values())
    style, figures = matplotlib_parts()
    with style.context(STYLE):
        figure = figures.Figure(figsize=(10.5, 3.7), layout="constrained")
        left, middle, right = figure.subplots(1, 3, width_ratios=[1.35, 1, 1])
        for place, (name, (stock, catches)) in enumerate(checked.items()):
            look = {"color": COLOURS[place], "linestyle": DASHES[place], "linewidth": 2.0, "label": name}
            _band(left, stock, level, look)
            _band(middle, catches.mean(axis=2), level, look)
            _survival(right, stock, periods, level, look)
        if capacity is not None:
            left.axhline(capacity, color=FAINT, linewidth=1, linestyle=":")
        if limit is not None:
            left.axhspan(0, limit, color="#D55E00", alpha=0.12, linewidth=0)
            left.annotate("collapse", (periods, limit), ha="right", va="bottom", fontsize=7.5, color="#8A3B00")
        _finish(left, "Stock", f"{unit} left at the end of the {period}", period, periods)
        _finish(middle, "Harvest of an agent", f"{unit} a {period}, mean of agents", period, periods)
        _finish(right, "Survival", "share of runs not lost", period, periods)
        right.set_ylim(-0.03, 1.03)  # so that lines at none and all are seen whole
        _explain(figure, title, level, left)
        return saved(figure, path)


def interval_chart(
    rows: Sequence[tuple[str, Interval]],
    path: Path,
    *,
    title: str = "",
    label: str = "",
    published: Mapping[str, float] | None = None,
    reference: float | None = None,
) -> Path:
    """One line a row: the estimate as a dot in its interval, with the numbers beside it; a published value is an open diamond.

    ``reference`` draws an upright line, such as 0 for differences.
    """
    if not rows:
        raise UsageError("an interval chart needs at least one row")
    published = published or {}
    unknown = sorted(set(published) - {name for name, _ in rows})
    if unknown:
        raise UsageError(f"a published value names the row {unknown[0]!r}, which is not drawn")
    decimals = _decimals(rows)
    style, figures = matplotlib_parts()
    with style.context({**STYLE, "axes.grid.axis": "x"}):
        figure = figures.Figure(figsize=(7.2, 1.15 + 0.36 * len(rows)), layout="constrained")
        axes = figure.subplots()
        if reference is not None:
            axes.axvline(reference, color=INK, linewidth=1)
        for place, (name, interval) in enumerate(rows):
            axes.plot([interval.low, interval.high], [place, place], color=COLOURS[0], linewidth=2.4, solid_capstyle="round")
            axes.plot([interval.estimate], [place], "o", color=COLOURS[0], markersize=6.5)
            if name in published:
                axes.plot([published[name]], [place], "D", **PUBLISHED)
            axes.text(1.02, place, _told(interval, decimals), transform=axes.get_yaxis_transform(), va="center", fontsize=8)
        axes.set_yticks(range(len(rows)), [name for name, _ in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(label)
        axes.set_title(title, pad=20 if published else 8)
        if published:
            axes.plot([], [], "o-", color=COLOURS[0], markersize=6.5, linewidth=2.4, label=f"ours, {_coverage(rows)}")
            axes.plot([], [], "D", **PUBLISHED, label="published")
            axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderpad=0, handlelength=1.6)
        return saved(figure, path)


def matplotlib_parts() -> tuple[Any, Any]:
    """Matplotlib's styles and figures, loaded now."""
    return optional("matplotlib.style", "plot", "drawing"), optional("matplotlib.figure", "plot", "drawing")


def _checked(name: str, stock: Numbers, catches: Numbers) -> tuple[Floats, Floats]:
    stock, catches = np.asarray(stock, np.float64), np.asarray(catches, np.float64)
    if stock.ndim != 2 or catches.ndim != 3 or catches.shape[:2] != stock.shape or not stock.size:
        raise UsageError(
            f"arm {name!r}: stock {stock.shape} and catches {catches.shape} must be (replicates, periods) and (replicates, periods, agents)"
        )
    if np.isnan(stock[:, 0]).any() or (np.isnan(stock[:, :-1]) & ~np.isnan(stock[:, 1:])).any():
        raise UsageError(f"arm {name!r}: a run may be nan only after its end, and every run has a first period")
    return stock, catches


def _band(axes: Any, values: Floats, level: float, look: Mapping[str, Any]) -> None:
    """Mean and spread over the runs still going on; pale where fewer than half are, for there the mean is that of the survivors."""
    going = np.count_nonzero(~np.isnan(values), axis=0)
    last = int(np.flatnonzero(going)[-1]) + 1
    times, kept = _numbers(last), values[:, :last]
    mean = np.nanmean(kept, axis=0)
    firm = int(np.count_nonzero(2 * going >= len(values)))
    axes.plot(times[:firm], mean[:firm], **look)
    axes.plot(times[firm - 1 :], mean[firm - 1 :], **{**look, "alpha": 0.4, "label": None})
    if len(values) > 1:
        low, high = np.nanquantile(kept, [(1 - level) / 2, (1 + level) / 2], axis=0)
        axes.fill_between(times, low, high, color=look["color"], alpha=0.16, linewidth=0)
    if last < values.shape[1]:
        axes.plot(times[-1], mean[-1], marker="X", markersize=7.5, color=look["color"], markeredgecolor="white", linestyle="none", zorder=5)


def _survival(axes: Any, stock: Floats, periods: int, level: float, look: Mapping[str, Any]) -> None:
    lasting = (~np.isnan(stock)).sum(axis=1)
    curve = kaplan_meier(lasting, lasting < stock.shape[1], level)
    times = np.append(curve.times, periods)
    steps = [np.append(values, values[-1]) for values in (curve.survival, curve.low, curve.high)]
    axes.step(times, steps[0], where="post", **look)
    if len(stock) > 1:
        axes.fill_between(times, steps[1], steps[2], step="post", color=look["color"], alpha=0.16, linewidth=0)


def _finish(axes: Any, title: str, label: str, period: str, periods: int) -> None:
    axes.set_title(title)
    axes.set_xlabel(period)
    axes.set_ylabel(label)
    axes.set_ylim(bottom=0)
    axes.locator_params(axis="y", nbins=6)
    axes.set_xlim(0 if title == "Survival" else 0.6, periods + 0.3)
    step = max(1, round(periods / 6))
    axes.set_xticks(range(0 if title == "Survival" else step, periods + 1, step))


def _explain(figure: Any, title: str, level: float, axes: Any) -> None:
    """Title, legend, and one line that says what lines, bands and crosses are."""
    handles, labels = axes.get_legend_handles_labels()
    bold = {"size": 12, "weight": "bold"}
    if len(handles) > 1:  # the title heads the legend: each outside of the axes for itself, they would overlap
        place = {"loc": "outside upper left", "ncols": min(len(handles), 4), "handlelength": 2.8}
        figure.legend(handles, labels, title=title, alignment="left", title_fontproperties=bold, **place)
    elif title:
        figure.suptitle(title, x=0.01, ha="left", fontproperties=bold)
    figure.supxlabel(
        f"Lines: mean of the runs still going, pale where fewer than half are. Bands: middle {100 * level:g} % of those runs; "
        f"for survival, {100 * level:g} % interval (Greenwood). Crosses: the last run is lost.",
        fontsize=7,
        color="#666666",
    )


def _numbers(periods: int) -> Floats:
    """1, 2, ... periods."""
    return np.arange(1, periods + 1, dtype=np.float64)


def _told(interval: Interval, decimals: int) -> str:
    estimate, low, high = (f"{value:.{decimals}f}".replace("-", "−") for value in (interval.estimate, interval.low, interval.high))
    return f"{estimate} [{low}, {high}]"


def _decimals(rows: Sequence[tuple[str, Interval]]) -> int:
    """As many as tell the ends of the narrowest interval apart by two digits; the same for all rows."""
    widths = [interval.high - interval.low for _, interval in rows if interval.high > interval.low]
    return min(6, max(0, 1 - math.floor(math.log10(min(widths))))) if widths else 2


def _coverage(rows: Sequence[tuple[str, Interval]]) -> str:
    levels = {interval.level for _, interval in rows}
    return f"{100 * levels.pop():g} % interval" if len(levels) == 1 else "intervals of several levels"


def saved(figure: Any, path: Path) -> Path:
    """Write a picture; the same picture has the same bytes."""
    if path.suffix not in (".png", ".svg", ".pdf"):
        raise UsageError(f"{path} must end in .png, .svg or .pdf")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=200, metadata={"Date": None} if path.suffix == ".svg" else None)
    return path
