"""What a person sees of a commons game: one line an event, and a picture of the run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.commons.growth import LostBelow
from sociarium.environments.wording import number

Floats = NDArray[np.float64]

if TYPE_CHECKING:
    from sociarium.scenarios.govsim.game import CommonsGame


def told_line(game: CommonsGame, kind: str, row: Mapping[str, Any]) -> str | None:
    """``month 3: John wanted 20, got 20 tons`` and ``Kate: <utterance>``. With several lakes, only the first is told."""
    if row.get("group", 0) != 0:
        return None
    month = f"month {int(row['tick']) + 1}: " if "tick" in row else ""
    if kind == "commons.harvested":
        return f"{month}{row['name']} wanted {row['wanted']}, got {row['caught']} {game.words().unit}"
    if kind == "commons.collapsed":
        return f"{month}the commons is lost: {number(row['stock'])} {game.words().unit} were left"
    if kind == "commons.survived":
        return f"{month}the commons has survived to the end"
    if kind == "conversation.said":
        return f"  {row['name']}: {' '.join(str(row['text']).split())}"
    if kind == "conversation.summarised":
        return f"{row['name']} sums up: {' '.join(str(row['text']).split())}"
    return f"{row['name']} notes the limit agreed on: {row['limit']} {game.words().unit} each" if kind == "conversation.agreed" else None


def draw(game: CommonsGame, folder: Path, target: Path) -> Path:
    """One run: stock and every catch. Several runs or lakes: their mean and spread, and survival."""
    from sociarium.lab.plots import stock_curves

    runs = [folder] if (folder / "run.sqlite").exists() else sorted(path.parent for path in folder.glob("seed-*/run.sqlite"))
    found = [history(game, run) for run in runs]
    stock, catches = (np.concatenate([one[place] for one in found]) for place in (0, 1))
    words = game.words()
    if len(stock) == 1:
        return draw_one(game, stock[0], catches[0], found[0][2], target)
    title = f"{len(stock)} runs of {game.slug}, {game.model or 'rule minds'}"
    count = np.count_nonzero(~np.isnan(catches), axis=2)
    mean = np.divide(np.nansum(catches, axis=2), count, out=np.full(stock.shape, np.nan), where=count > 0)
    return stock_curves(
        {"runs": (stock, mean[:, :, None])}, target, title=title, unit=words.unit, capacity=game.capacity, limit=lost_below(game)
    )


def lost_below(game: CommonsGame) -> float | None:
    """The stock under which the commons is lost; None where it is lost by too much."""
    collapse = game.rules().collapse
    return collapse.limit if isinstance(collapse, LostBelow) else None


def history(game: CommonsGame, folder: Path) -> tuple[Floats, Floats, list[str]]:
    """Stock at the end of each month (lakes, months), catches (lakes, months, agents), nan where nobody played; agents' names."""
    from sociarium.record.frames import frames

    tables = frames(folder)
    try:
        caught = tables.events("commons.harvested").select("tick", "lane", "actor", "caught").collect()
        stocks = tables.measures().filter(_named("commons.stock")).select("tick", "group", "value")
        people = {int(row["id"]): str(row["name"]) for row in tables.agents(kind="harvester").iter_rows(named=True)}
    finally:
        tables.close()
    agents = sorted(people)
    lakes = int(stocks["group"].to_numpy().max()) + 1
    width = -(-len(agents) // lakes)
    place = {agent: at for lake in range(lakes) for at, agent in enumerate(_of_lake(caught, lake))}
    catches = np.full((lakes, game.months, width), np.nan)
    for tick, lane, actor, units in caught.iter_rows():
        catches[lane, tick, place[actor]] = units
    found = np.full((lakes, game.months + 1), np.nan)  # stock that each month begins with
    found[:, 0] = game.rules().initial
    for tick, group, value in stocks.iter_rows():
        found[group, tick + 1] = value
    played = ~np.isnan(catches).all(axis=2)
    left = np.where(played, found[:, :-1] - np.nansum(catches, axis=2), np.nan)
    return left, catches, [people[agent] for agent in _of_lake(caught, 0)]


def _of_lake(caught: Any, lake: int) -> list[int]:
    return sorted({int(actor) for _, lane, actor, _ in caught.iter_rows() if lane == lake})


def _named(name: str) -> Any:
    import polars as pl

    return pl.col("name") == name


def draw_one(game: CommonsGame, left: Floats, catches: Floats, names: list[str], target: Path) -> Path:
    """The stock of one run from month to month, and under it what every agent caught, as numbers."""
    from sociarium.kernel.extras import optional
    from sociarium.lab.plots import COLOURS, FAINT, INK, STYLE

    style, figures = optional("matplotlib.style", "plot", "drawing"), optional("matplotlib.figure", "plot", "drawing")
    months = int(np.count_nonzero(~np.isnan(left)))
    begun = left[:months] + np.nansum(catches[:months], axis=1)
    with style.context(STYLE):
        figure = figures.Figure(figsize=(8.4, 3.3 + 0.26 * len(names)), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=[2.4, 0.4 + 0.26 * len(names)])
        times = np.repeat(np.arange(1.0, months + 1), 2) + np.tile([-0.42, 0.0], months)
        above.plot(times, np.column_stack([begun, left[:months]]).ravel(), color=COLOURS[0], linewidth=2)
        above.plot(np.arange(1, months + 1), left[:months], "o", color=COLOURS[0], markersize=5, label="left after the harvest")
        above.axhline(game.capacity, color=FAINT, linewidth=1, linestyle=":")
        if (limit := lost_below(game)) is not None:
            above.axhspan(0, limit, color=COLOURS[1], alpha=0.15, linewidth=0)
            above.text(game.months + 0.45, limit + 1, "collapse", ha="right", va="bottom", fontsize=7.5, color="#8A3B00")
        if months < game.months:
            above.plot(months, left[months - 1], "X", color=COLOURS[1], markersize=11, markeredgecolor="white", zorder=5, clip_on=False)
        above.set_ylim(bottom=0)
        above.set_ylabel(f"stock, {game.words().unit}")
        above.set_title(f"{game.slug}, {game.model or 'rule minds'}: {months} of {game.months} months")
        below.imshow(catches.T, aspect="auto", cmap="Blues", vmin=0, vmax=max(1.0, float(np.nanmax(catches)) * 1.5),
                     extent=(0.5, game.months + 0.5, len(names) - 0.5, -0.5))  # fmt: skip
        for month, row in enumerate(catches[:months], 1):
            for place, units in enumerate(row):
                if not np.isnan(units):
                    below.text(month, place, f"{units:g}", ha="center", va="center", fontsize=8, color=INK)
        below.set_yticks(range(len(names)), names)
        below.grid(visible=False)
        below.set_xlim(0.5, game.months + 0.5)
        below.set_xticks(range(1, game.months + 1))
        below.set_xlabel("month")
        below.set_title("what each agent got")
        figure.savefig(target, dpi=200)
    return target
