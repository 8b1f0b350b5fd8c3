"""What a person sees of a run: a line an event, and a picture of threads, their lengths, and how the design shows in them."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sociarium.environments.social.casting import ThreadRules
from sociarium.environments.social.design import Design, rule_of
from sociarium.lab.classifier import held_out
from sociarium.lab.statistics import chi_square
from sociarium.scenarios.social_simulacra.history import History, Told, read

if TYPE_CHECKING:
    from sociarium.scenarios.social_simulacra.scenario import SocialSimulacra

SHOWN = 9  # threads with words, as far as there is room
ROOM = 48  # lines
LINES = 7  # of one thread
SORTS = {"ordinary": "#5C6B73", "rule-breaking": "#D55E00", "inserted": "#0072B2"}
LEAST = 8  # threads of a version from which on its words are told apart from another's


def told_line(kind: str, row: Mapping[str, Any]) -> str | None:
    """``[3] Ada Berg: ...``, replies set in."""
    if row.get("group", 0) != 0:
        return None
    what = kind.removeprefix("threads.")
    if what == "edited":
        return f"the design is now version {row['version'] + 1}: {row['goal']}"
    if what == "closed":
        return f"[{row['thread']}] broken off" if row["broken"] else None
    indent = "  " * min(int(row["position"]), 6)
    return f"{indent}[{row['thread']}] {row['name']}{' (inserted)' if what == 'inserted' else ''}: {' '.join(str(row['text']).split())}"


def designs_of(scenario: SocialSimulacra) -> list[Design]:
    """All versions that a run of this scenario has."""
    designs = [scenario.designed()[0]]
    for edit in scenario.edits:
        rules = [rule_of(one) for one in edit.add]
        designs.append(designs[-1].changed(goal=edit.goal, add=rules, drop=edit.drop, people=edit.people, words=edit.words))
    return designs


def run_of(folder: Path) -> Path:
    """The run in a folder, or the first of its replicates."""
    return folder if (folder / "run.sqlite").exists() else sorted(path.parent for path in folder.glob("seed-*/run.sqlite"))[0]


def draw(scenario: SocialSimulacra, folder: Path, target: Path) -> Path:
    """Threads in words, how long all are beside the law, and how well versions of the design are told apart. Of several runs, the first."""
    from sociarium.lab.plots import STYLE, matplotlib_parts, saved

    history = read(run_of(folder))
    style, figures = matplotlib_parts()
    with style.context({**STYLE, "axes.grid": False}):
        figure = figures.Figure(figsize=(15, 9), layout="constrained")
        grid = figure.add_gridspec(3, 2, width_ratios=[1.55, 1.0], height_ratios=[1, 1, 1])
        _threads(figure.add_subplot(grid[:, 0]), history)
        _lengths(figure.add_subplot(grid[0, 1]), scenario, history)
        _forest(figure.add_subplot(grid[1, 1]), history)
        _versions(figure.add_subplot(grid[2, 1]), scenario, history)
        members = sum(1 for _ in history.people)
        title = f"{scenario.community}: {members} members, {len(history.opened())} threads, {scenario.model or 'rule minds'}"
        figure.suptitle(title, x=0.01, ha="left", fontsize=14, fontweight="bold")
        return saved(figure, target)


def _threads(axes: Any, history: History) -> None:
    """The threads that were asked about, then the longest, with their words."""
    asked = [one for one in history.opened() if history.branches(one.number)]
    longest = sorted((one for one in history.opened() if one not in asked), key=lambda one: (-len(one.lines), one.number))
    chosen: list[Told] = []
    for one in (*asked[:2], *longest):
        chosen += [one, *history.branches(one.number)[:1]]
    axes.axis("off")
    axes.set_xlim(0, 1)
    height = 0.0
    for told in chosen[:SHOWN]:
        if height + 1.3 * min(len(told.lines), LINES) + 2 > ROOM:
            break
        height = _one_thread(axes, history, told, height) + 1.1
    axes.set_ylim(max(height, 30), -0.5)
    axes.set_title("Threads in words (of those asked about: the original, then what followed)")


def _one_thread(axes: Any, history: History, told: Told, top: float) -> float:
    sort = {"opened": "Thread", "what_if": "What if", "multiverse": "Another universe"}[told.sort]
    axes.text(0, top, f"{sort} {told.number}", fontsize=8.5, fontweight="bold", va="top", color="#222222")
    height, depths = top + 1.15, dict[int, int]()
    for line in told.lines[:LINES]:
        depth = depths[line.position] = 0 if line.parent < 0 else depths.get(line.parent, 0) + 1
        left = 0.01 + 0.022 * min(depth, 8)
        shared = told.sort != "opened" and line.position < told.since
        look = "inserted" if line.kind == "inserted" else "rule-breaking" if line.breach >= 0 else "ordinary"
        words = _plain(f"{history.people.get(line.actor, ('member', ''))[0]}: {' '.join(line.text.split())}")
        wrapped = textwrap.wrap(words, 112 - 2 * depth)[:3]
        axes.plot([left, left], [height - 0.1, height + len(wrapped) - 0.1], color=SORTS[look], linewidth=2, alpha=0.4 if shared else 1)
        axes.text(left + 0.008, height, "\n".join(wrapped), fontsize=7.3, va="top", linespacing=1.35, alpha=0.5 if shared else 1)
        height += len(wrapped) + 0.25
    if len(told.lines) > LINES:
        axes.text(0.02, height, f"and {len(told.lines) - LINES} more", fontsize=7, va="top", color="#777777")
        height += 1
    return height


def _lengths(axes: Any, scenario: SocialSimulacra, history: History) -> None:
    rules = ThreadRules(scenario.reply, scenario.most)
    whole = [len(one.lines) - 1 for one in history.opened() if not one.broken]
    counts = np.bincount(np.array(whole, np.int64), minlength=rules.width)[: rules.width]
    expected = rules.shares() * max(counts.sum(), 1)
    places = np.arange(rules.width)
    axes.bar(places, counts, color="#9DB4C0", width=0.75, label=f"{counts.sum()} threads")
    axes.plot(places, expected, "o-", color="#222222", markersize=4, linewidth=1.2, label=f"law, p = {scenario.reply:g}")
    p = chi_square(counts, rules.shares()) if counts.sum() else float("nan")
    axes.set_title(f"Replies of a thread: mean {np.mean(whole) if whole else 0:.2f}, law {rules.mean():.2f}, chi-square p = {p:.2f}")
    axes.set_xlabel("replies")
    axes.set_ylabel("threads")
    axes.set_xticks(places)
    axes.legend()


def _forest(axes: Any, history: History) -> None:
    """Every thread as a tree of dots: down by reply."""
    shown = sorted(history.opened(), key=lambda one: one.number)[:60]
    for place, told in enumerate(shown):
        spots: dict[int, tuple[float, int]] = {}
        widths: dict[int, int] = {}
        for line in told.lines:
            depth = 0 if line.parent < 0 else spots[line.parent][1] + 1
            beside = widths[depth] = widths.get(depth, -1) + 1
            spots[line.position] = (place + 0.18 * beside, depth)
            if line.parent >= 0:
                above = spots[line.parent]
                axes.plot([above[0], spots[line.position][0]], [above[1], depth], color="#B0B0B0", linewidth=0.8, zorder=1)
        looks = ["rule-breaking" if line.breach >= 0 else "ordinary" for line in told.lines]
        axes.scatter(
            [spot[0] for spot in spots.values()], [spot[1] for spot in spots.values()], s=16, c=[SORTS[one] for one in looks], zorder=2
        )
    axes.invert_yaxis()
    axes.set_ylabel("depth")
    axes.set_xlabel("thread")
    axes.set_title("The first threads as trees")
    for name in ("ordinary", "rule-breaking"):
        axes.scatter([], [], s=16, c=SORTS[name], label=name)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderpad=0)


def _versions(axes: Any, scenario: SocialSimulacra, history: History) -> None:
    """How well each version's threads are told from those of the one before."""
    versions = range(1, len(scenario.edits) + 1)
    rows: list[tuple[str, float, float, float]] = []
    for version in versions:
        sets = [[" ".join(line.text for line in one.lines) for one in history.opened(number)] for number in (version - 1, version)]
        if min(map(len, sets)) >= LEAST:
            found = held_out([*sets[0], *sets[1]], [0] * len(sets[0]) + [1] * len(sets[1]))
            interval = found.interval()
            rows.append((f"versions {version} and {version + 1}", interval.estimate, interval.low, interval.high))
    if not rows:
        axes.axis("off")
        axes.text(
            0,
            0.6,
            f"Two versions of the design with {LEAST} threads each are needed\nto see how much its change shows in them.",
            color="#777777",
        )
        return
    for place, (_, value, low, high) in enumerate(rows):
        axes.plot([low, high], [place, place], color="#0072B2", linewidth=2.4)
        axes.plot([value], [place], "o", color="#0072B2")
    axes.axvline(0.5, color="#222222", linewidth=1, linestyle=":")
    axes.set_yticks(range(len(rows)), [name for name, *_ in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(0, 1.02)
    axes.set_xlabel("accuracy of a classifier on threads kept apart (0.5: chance)")
    axes.set_title("Design sensitivity")


def _plain(text: str) -> str:
    """Dollar signs begin formulas in Matplotlib, and control characters have no shape."""
    return "".join(c for c in text if c.isprintable()).replace("$", r"\$")
