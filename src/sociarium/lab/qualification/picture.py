"""The findings as a picture: where each lies between what is wanted and what is not."""

from __future__ import annotations

from pathlib import Path

from sociarium.lab.plots import COLOURS, INK, STYLE, matplotlib_parts, saved
from sociarium.lab.qualification.measures import RULES
from sociarium.lab.qualification.qualify import Qualification

GOOD, BAD, OPEN = COLOURS[2], COLOURS[1], "#707070"


def draw(done: Qualification, path: Path) -> Path:
    """One line a finding: estimate and 95 % interval, the side of the bound that fails shaded."""
    rows = done.findings
    style, figures = matplotlib_parts()
    with style.context({**STYLE, "axes.grid.axis": "x"}):
        figure = figures.Figure(figsize=(8.6, 1.5 + 0.36 * len(rows)), layout="constrained")
        axes = figure.subplots()
        for place, row in enumerate(rows):
            bound, side = RULES.get(row.name, (None, ""))
            if bound is not None and row.verdict in ("holds", "fails"):
                left, right = (0.0, bound) if side == "at least" else (bound, 1.0)
                axes.fill_between([left, right], place - 0.36, place + 0.36, color=BAD, alpha=0.12, linewidth=0)
                axes.plot([bound, bound], [place - 0.36, place + 0.36], color=INK, linewidth=1)
            colour, marker = {"holds": (GOOD, "o"), "fails": (BAD, "s")}.get(row.verdict, (OPEN, "D"))
            found = row.interval
            if found.estimate == found.estimate:
                axes.plot([max(found.low, -0.05), min(found.high, 1.0)], [place, place], color=colour, linewidth=2.4)
                axes.plot([found.estimate], [place], marker, color=colour, markersize=6.5)
                axes.text(
                    1.02, place, f"{found.estimate:.2f}  {row.verdict}", transform=axes.get_yaxis_transform(), va="center", fontsize=8
                )
            else:
                axes.text(1.02, place, row.verdict, transform=axes.get_yaxis_transform(), va="center", fontsize=8, color=OPEN)
        axes.set_yticks(range(len(rows)), [f"{row.part}: {row.name}" for row in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlim(-0.05, 1.02)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel("estimate with its 95 % interval; shaded: fails")
        figure.suptitle(f"{done.model} as a sampler of people", x=0.01, ha="left", size=12, weight="bold")
        return saved(figure, path)
