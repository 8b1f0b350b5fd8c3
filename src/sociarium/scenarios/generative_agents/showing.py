"""What a person sees of a run: a line an event, and a picture of the town, its people, their days and what went round."""

from __future__ import annotations

from collections.abc import Mapping
from colorsys import hsv_to_rgb
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sociarium.environments.town.map import Level, TownMap
from sociarium.scenarios.generative_agents import people
from sociarium.scenarios.generative_agents.history import History, read

if TYPE_CHECKING:
    from sociarium.scenarios.generative_agents.scenario import GenerativeAgents

STEP = 10 / 3600  # hours
FRAMES = 6
SORTS = {"asleep": "#3B4A6B", "at home": "#9DB4C0", "elsewhere": "#5C9EAD", "free time": "#F2B134", "party": "#D1495B"}


def told_line(kind: str, row: Mapping[str, Any], start: float = 0) -> str | None:
    """``13 Feb 07:02  Mara Lindqvist: Hello!`` and ``13 Feb 07:02  Otto Brandt has heard of the party``, by the clock of a run that began
    at the hour ``start``. With several towns, only the first is told."""
    if row.get("group", 0) != 0 or kind not in ("chats.said", "grapevine.learned"):
        return None
    at = moment(start, int(row["tick"]))
    if kind == "chats.said":
        return f"{at}  {row['name']}: {' '.join(str(row['text']).split())}"
    return f"{at}  {row['name']} has heard of the {row['fact']}"


def moment(start: float, tick: int) -> str:
    """``13 Feb 07:02``: the clock after so many ticks of a run that began at the hour ``start``."""
    seconds = round(3600 * start) + 10 * tick
    return f"{13 + seconds // 86_400} Feb {seconds // 3600 % 24:02d}:{seconds // 60 % 60:02d}"


def draw(scenario: GenerativeAgents, folder: Path, target: Path) -> Path:
    """The map with everybody's ways, who met whom, the two facts over time, the days as strips, and frames of the map. Of several runs, the
    first."""
    from sociarium.lab.plots import STYLE, matplotlib_parts, saved

    run = folder if (folder / "run.sqlite").exists() else sorted(path.parent for path in folder.glob("seed-*/run.sqlite"))[0]
    history, town = read(run), people.town_map()
    style, figures = matplotlib_parts()
    with style.context({**STYLE, "axes.grid": False}):
        figure = figures.Figure(figsize=(16, 13.8), layout="constrained")
        grid = figure.add_gridspec(3, 3, width_ratios=[1.5, 1.0, 0.02], height_ratios=[1.25, 1.0, 0.42])
        _map(figure.add_subplot(grid[0, 0]), town, history)
        _network(figure.add_subplot(grid[0, 1]), history)
        _days(figure.add_subplot(grid[1, 0]), scenario, town, history)
        _curves(figure.add_subplot(grid[1, 1]), scenario, history)
        strip = grid[2, :].subgridspec(1, FRAMES)
        for number in range(FRAMES):
            tick = round((number + 0.5) * history.ticks / FRAMES)
            _frame(figure.add_subplot(strip[0, number]), scenario, town, history, tick)
        who = scenario.model or "rule minds"
        title = f"{town.name}: {len(history.names)} residents, {history.ticks * STEP:g} hours, {who}"
        figure.suptitle(title, x=0.01, ha="left", fontsize=14, fontweight="bold")
        return saved(figure, target)


def colours(count: int) -> list[str]:
    """As many colours as residents, around the wheel, alternating in lightness."""
    from sociarium.kernel.extras import optional

    to_hex = optional("matplotlib.colors", "plot", "drawing").to_hex
    return [to_hex(hsv_to_rgb(at / count, 0.85 if at % 2 else 0.6, 0.62 if at % 2 else 0.85)) for at in range(count)]


def ground(town: TownMap) -> Any:
    """(height, width) of -1 for walls, 0 outside, and the number of the building elsewhere."""
    inside = town.arena.reshape(town.height + 2, town.width + 2)[1:-1, 1:-1]
    sectors = np.where(inside >= 0, town.parents[np.clip(inside, 0, None)], -1)
    first = int(sectors[0, 0]) if (sectors[0, 0]) >= 0 else int(sectors[sectors >= 0][0])
    order = {first: 0}
    for sector in sorted(set(sectors[sectors >= 0].tolist()) - {first}):
        order[sector] = len(order)
    return np.array([[order.get(int(one), -1) for one in row] for row in sectors])


def labels(town: TownMap) -> list[tuple[str, float, float]]:
    """Where the name of each building stands: above its rooms, (name, x, y)."""
    found: list[tuple[str, float, float]] = []
    for place in np.flatnonzero(town.levels == Level.SECTOR).tolist():
        x, y = town.xy(town.tiles(place))
        if len(x) < town.width * town.height / 3:
            top = int(np.flatnonzero(np.bincount(y) > 2)[0])  # of its rooms: a door in the wall is narrower
            found.append((town.places.names[place], float(x.mean()), top - 2.0))
    return found


def _floor(axes: Any, town: TownMap) -> None:
    """The rooms and walls of the town."""
    from sociarium.kernel.extras import optional

    listed = optional("matplotlib.colors", "plot", "drawing").ListedColormap
    tints = ["#4A4A4A", "#E9EFE2", "#F6E7CB", "#F3D9C6", "#DCE6F1", "#E8DFF0", "#F9EDD8", "#E2EFE9"]
    kinds = ground(town)
    axes.imshow(np.where(kinds <= 0, kinds + 1, 2 + kinds % 6), cmap=listed(tints), vmin=0, vmax=7, interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])


def _map(axes: Any, town: TownMap, history: History) -> None:
    _floor(axes, town)
    for name, x, y in labels(town):
        axes.text(x, y, name, fontsize=6.5, ha="center", va="bottom", color="#222222")
    palette = colours(len(history.names))
    for agent in range(len(history.names)):
        path = history.stood[history.stood[:, 1] == agent]
        shift = (agent % 5 - 2) * 0.13, (agent // 5 - 2) * 0.13  # so that ways side by side are seen
        axes.plot(path[:, 2] + shift[0], path[:, 3] + shift[1], color=palette[agent], linewidth=0.8, alpha=0.55)
        if len(path):
            axes.plot(path[-1, 2], path[-1, 3], "o", color=palette[agent], markersize=4, markeredgecolor="white", markeredgewidth=0.5)
    axes.set_title("Ways of everybody, and where they are at the end")


def _frame(axes: Any, scenario: GenerativeAgents, town: TownMap, history: History, tick: int) -> None:
    """Where everybody stands at one moment; who has heard of the first fact has a dark rim."""
    _floor(axes, town)
    fact = people.facts()[0].name
    heard = {agent for at, agent, name, _ in history.learned if name == fact and at <= tick}
    heard |= set(people.first_told(fact, people.written()[: len(history.names)]))
    until = history.stood[history.stood[:, 0] <= tick]
    for agent, colour in enumerate(colours(len(history.names))):
        if len(own := until[until[:, 1] == agent]):
            rim = "#111111" if agent in heard else "white"
            axes.plot(own[-1, 2], own[-1, 3], "o", color=colour, markersize=4.5, markeredgecolor=rim, markeredgewidth=1.0)
    axes.set_title(f"{moment(scenario.start, tick)}, {fact}: {len(heard)}", fontsize=9)


def _network(axes: Any, history: History) -> None:
    count, palette = len(history.names), colours(len(history.names))
    angle = np.pi / 2 - 2 * np.pi * np.arange(count) / count
    x, y = np.cos(angle), np.sin(angle)
    talks: dict[tuple[int, int], int] = {}
    for _, one, other in history.met:
        pair = (min(one, other), max(one, other))
        talks[pair] = talks.get(pair, 0) + 1
    most = max(talks.values(), default=1)
    for (one, other), number in sorted(talks.items(), key=lambda item: item[1]):
        axes.plot(x[[one, other]], y[[one, other]], color="#555577", linewidth=0.4 + 2.4 * number / most, alpha=0.25 + 0.5 * number / most)
    axes.scatter(x, y, c=palette, s=55, edgecolors="white", zorder=3)
    for agent, name in enumerate(history.names):
        turn = np.degrees(angle[agent])
        left = x[agent] < -1e-9
        side = {"rotation": turn + 180 if left else turn, "rotation_mode": "anchor", "ha": "right" if left else "left", "va": "center"}
        axes.text(1.06 * x[agent], 1.06 * y[agent], name, fontsize=7.5, **side)
    axes.set_xlim(-1.75, 1.75)
    axes.set_ylim(-1.6, 1.6)
    axes.set_aspect("equal")
    axes.axis("off")
    pairs = count * (count - 1) / 2
    axes.set_title(f"Who talked with whom: {len(history.met)} talks, {len(talks) / pairs:.0%} of all pairs")


def _curves(axes: Any, scenario: GenerativeAgents, history: History) -> None:
    from sociarium.lab.plots import COLOURS

    end = scenario.start + history.ticks * STEP
    heard = {fact.name: sum(name == fact.name for _, _, name, _ in history.learned) for fact in people.facts()}
    order = sorted(heard, key=lambda name: heard[name])  # of the labels: that of the ends of the curves
    for at, fact in enumerate(people.facts()):
        begun = len(people.first_told(fact.name, people.written()[: len(history.names)]))
        times = [scenario.start + tick * STEP for tick, _, name, _ in history.learned if name == fact.name]
        count = np.arange(begun, begun + len(times) + 1)
        axes.step([scenario.start, *times, end], [*count, count[-1]], where="post", color=COLOURS[at], linewidth=2.2, label=fact.name)
        beside = (4, -8 + 11 * order.index(fact.name))
        axes.annotate(f"{fact.name}: {count[-1]}", (end, count[-1]), xytext=beside, textcoords="offset points", color=COLOURS[at])
    _clock(axes, scenario, end)
    axes.set_ylim(0, len(history.names) + 1)
    axes.set_ylabel("residents who have heard of it")
    axes.set_title("What went round")
    axes.grid(axis="y")


def _days(axes: Any, scenario: GenerativeAgents, town: TownMap, history: History) -> None:
    count = len(history.names)
    end = scenario.start + history.ticks * STEP
    free = {habit.activity for one in people.written() for habit in one.habits(town, 0) if habit.free}
    homes = {name: town.find(one.home) for one, name in zip(people.written(), history.names, strict=False)}
    rows: list[list[tuple[int, int, int, str, int]]] = [[] for _ in history.names]
    for row in history.began:
        rows[row[1]].append(row)
    for agent, own in enumerate(rows):
        house = set(town.within(homes[history.names[agent]]).tolist())
        for at, (tick, _, place, activity, _) in enumerate(own):
            begin = scenario.start + tick * STEP
            until = scenario.start + own[at + 1][0] * STEP if at + 1 < len(own) else end
            sort = (
                "asleep" if activity == "sleeping" else "party" if "party" in activity and place not in house and "at the" in activity
                else "at home" if place in house else "free time" if activity in free else "elsewhere"
            )  # fmt: skip
            axes.barh(agent, until - begin, left=begin, height=0.86, color=SORTS[sort], linewidth=0)
    for tick, one, other in history.met:
        hour = scenario.start + tick * STEP
        axes.plot([hour, hour], [one, other], color="#222222", linewidth=0.25, alpha=0.35)
        axes.plot([hour, hour], [one, other], ".", color="#222222", markersize=2)
    for name, colour in SORTS.items():
        axes.barh([-9], [0], color=colour, label=name)
    axes.plot([], [], ".-", color="#222222", linewidth=0.5, markersize=3, label="talk")
    axes.set_yticks(range(count), history.names, fontsize=7)
    axes.set_ylim(count - 0.4, -0.6)
    _clock(axes, scenario, end)
    axes.set_title("Their days", pad=20)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=6, fontsize=7.5, borderpad=0, handlelength=1.2)


def _clock(axes: Any, scenario: GenerativeAgents, end: float) -> None:
    """Hours of the day along the bottom."""
    hours = max(end - scenario.start, 0.01)
    step = next(step for step in (0.25, 1, 2, 3, 6, 12, 24, 24 * 366) if hours / step <= 12)
    ticks = np.arange(np.ceil(scenario.start / step) * step, end + 1e-9, step)
    axes.set_xticks(ticks, [f"{int(t) // 24 + 13} Feb\n0:00" if t % 24 == 0 else f"{int(t % 24)}:{round(t % 1 * 60):02d}" for t in ticks])
    axes.set_xlim(scenario.start, end)
