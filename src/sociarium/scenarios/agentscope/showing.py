"""The picture of a run: how the reports were spread in each round, and the path of the winning number."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.games.guessing import fixed_point

if TYPE_CHECKING:
    from sociarium.scenarios.agentscope.scenario import AgentScope

Floats = NDArray[np.float64]
SHOWN = 6  # rounds drawn as histograms; of more, some evenly spread ones


def draw(scenario: AgentScope, folder: Path, target: Path) -> Path:
    """One run, or several whose histograms are added and whose paths are drawn one by one."""
    from sociarium.kernel.extras import optional
    from sociarium.lab.plots import COLOURS, INK, STYLE

    runs = [folder] if (folder / "run.sqlite").exists() else sorted(path.parent for path in folder.glob("seed-*/run.sqlite"))
    found = [history(run) for run in runs]
    counts: Any = np.sum([one[0] for one in found], axis=0)
    rounds = len(counts)
    shown = sorted({round(at) for at in np.linspace(0, rounds - 1, min(rounds, SHOWN))})
    style, figures = optional("matplotlib.style", "plot", "drawing"), optional("matplotlib.figure", "plot", "drawing")
    with style.context(STYLE):
        figure = figures.Figure(figsize=(10, 1.3 + 0.75 * max(3, len(shown))), layout="constrained")
        left, right = figure.add_gridspec(1, 2, width_ratios=[1.5, 1])
        panels = left.subgridspec(len(shown), 1, hspace=0.12).subplots(squeeze=False, sharex=True)[:, 0]
        edges = np.linspace(0, scenario.max_value, counts.shape[1] + 1)
        for axes, at in zip(panels, shown, strict=True):
            axes.stairs(counts[at] / max(1, counts[at].sum()), edges, fill=True, color=COLOURS[0], alpha=0.85)
            winner = float(np.mean([one[1][at] for one in found]))
            axes.axvline(winner, color=COLOURS[1], linewidth=2)
            axes.set_yticks([])
            axes.set_ylabel(f"round {at + 1}", rotation=0, ha="right", va="center")
        panels[0].set_title("Share of reports; the line is the winning number")
        panels[-1].set_xlabel("number reported")
        axes = figure.add_subplot(right)
        times = np.arange(1, rounds + 1)
        for place, (_, winner, mean) in enumerate(found):
            look = {"alpha": 1 if len(found) == 1 else 0.5}
            axes.plot(times, winner, "o-", color=COLOURS[1], label="winning number" if not place else None, **look)
            axes.plot(times, mean, "s--", color=COLOURS[0], label="mean report" if not place else None, **look)
        equilibrium = fixed_point(scenario.ratio, scenario.shift)
        axes.axhline(equilibrium, color=INK, linewidth=1, linestyle=":", label=f"equilibrium {equilibrium:g}")
        axes.set_title("From round to round")
        axes.set_xlabel("round")
        axes.set_xticks(times if rounds <= 12 else np.unique(np.linspace(1, rounds, 8).astype(int)))
        axes.set_ylim(bottom=min(0, -0.02 * scenario.max_value))
        axes.legend()
        who = ", ".join(f"{share:.0%} {name.replace('_', ' ')}" for name, share in scenario.shares().items())
        figure.suptitle(f"{scenario.participants:,} players ({who})", x=0.01, ha="left", fontsize=12, fontweight="bold")
        target.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(target, dpi=160)
    return target


def history(folder: Path) -> tuple[Floats, Floats, Floats]:
    """Counts by round and bin (rounds, bins), winning numbers and mean reports (rounds,)."""
    from sociarium.record.frames import frames

    tables = frames(folder)
    try:
        spread = tables.events("statistics.histogram").select("tick", "counts").collect()
        rows_of = tables.measures().select("tick", "name", "value").rows()
    finally:
        tables.close()
    named = {name: {int(tick): float(value) for tick, which, value in rows_of if which == name} for name in _MEASURES}
    rounds = 1 + max(named[_MEASURES[0]])
    rows = {int(tick): np.asarray(counts, np.float64) for tick, counts in spread.iter_rows()}
    nothing = np.zeros(len(next(iter(rows.values()))) if rows else 1)
    counts = np.stack([rows.get(at, nothing) for at in range(rounds)])
    winner, mean = (np.array([named[name][at] for at in range(rounds)]) for name in _MEASURES)
    return counts, winner, mean


_MEASURES = ("guess.winner", "guess.mean")
