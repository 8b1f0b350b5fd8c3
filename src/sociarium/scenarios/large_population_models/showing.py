"""Pictures: a run domain by domain, and what case counts can and cannot tell about the parameters of an epidemic."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.errors import UsageError
from sociarium.lab.plots import COLOURS, FAINT, INK, STYLE, matplotlib_parts, saved

if TYPE_CHECKING:
    from sociarium.scenarios.large_population_models.scenario import LargePopulationModels

Floats = NDArray[np.float64]
PANELS = {  # of each domain: title, unit, measures with their words
    "epidemic": (
        ("New cases", "people a day", {"epidemic.cases": "infected that day"}),
        ("Stages", "people", {"epidemic.exposed": "exposed", "epidemic.infectious": "infectious", "epidemic.isolating": "staying at home"}),
    ),
    "labour": (("Unemployment", "% of those who want to work", {"labour.unemployment": "without a job"}),),
    "opinion": (("Opinions", "from 0 to 1", {"opinion.mean": "mean", "opinion.polarisation": "polarisation"}),),
    "predator-prey": (
        ("Predators and prey", "animals alive, mean of the grids", {"ecology.prey": "prey", "ecology.predators": "predators"}),
        ("Grass", "fields, mean of the grids", {"ecology.grass": "grown"}),
    ),
}
FLAT = 1e-12  # eigenvalues below it are drawn at it: not told from 0


def draw(scenario: LargePopulationModels, folder: Path, target: Path) -> Path:
    """A panel a measure of each domain; a thin line a replicate where there are several, a thick one their mean."""
    runs = [folder] if (folder / "run.sqlite").exists() else sorted(path.parent for path in folder.glob("seed-*/run.sqlite"))
    if not runs:
        raise UsageError(f"there is no run in {folder}")
    panels = [panel for domain in scenario.domains for panel in PANELS[domain]]
    series = [_measures(run, scenario.steps) for run in runs]
    style, figures = matplotlib_parts()
    with style.context(STYLE):
        figure = figures.Figure(figsize=(4.6 * len(panels), 3.6), layout="constrained")
        for axes, (title, unit, names) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
            scale = 100 if unit.startswith("%") else 1
            for colour, (name, words) in zip(COLOURS, names.items(), strict=False):
                values = scale * np.array([one.get(name, np.full(scenario.steps, np.nan)) for one in series])
                steps = np.arange(1, scenario.steps + 1)
                if len(values) > 1:
                    axes.plot(steps, values.T, color=colour, linewidth=0.6, alpha=0.35)
                axes.plot(steps, values.mean(axis=0), color=colour, linewidth=2, label=words)
            axes.set_title(title)
            axes.set_ylabel(unit)
            axes.set_xlabel("day" if "epidemic" in scenario.domains else "step")
            axes.set_ylim(bottom=0)
            axes.legend(loc="best", fontsize=8)
        who = scenario.model or "rule minds"
        size = (
            ("one grid" if scenario.grids == 1 else f"{scenario.grids} grids")
            if scenario.domains == ["predator-prey"]
            else f"{scenario.agents:,} people"
        )
        figure.suptitle(f"{' + '.join(scenario.domains)}: {size}, {who}", x=0.01, ha="left", fontsize=12, fontweight="bold")
        if len(series) > 1:
            figure.supxlabel(f"Thick: mean of {len(series)} runs. Thin: single runs.", fontsize=7)
        return saved(figure, target)


def identifiability_picture(target: Path) -> Path:
    """The eigenvalues of ``studies.curvatures``, one row a question; what lies at the left edge the data do not tell at all."""
    from sociarium.scenarios.large_population_models.studies import QUESTIONS, curvatures

    rows = {question.words: curvatures(question.streams, *question.free) for question in QUESTIONS.values()}
    style, figures = matplotlib_parts()
    with style.context(STYLE):
        figure = figures.Figure(figsize=(9.2, 0.55 * len(rows) + 1.5), layout="constrained")
        axes = figure.subplots()
        for place, found in enumerate(reversed(rows.values())):
            shown = np.maximum(found, FLAT)
            least = COLOURS[1] if found[0] < 1e-4 else COLOURS[0]
            axes.plot(shown[1:], np.full(len(shown) - 1, place), "o", color=FAINT, markersize=5)
            axes.plot(shown[:1], [place], "o", color=least, markersize=8)
            said = "0" if found[0] < 1e-9 else f"{found[0]:.2g}"
            axes.annotate(f"{said}", (shown[0], place), xytext=(0, 7), textcoords="offset points", ha="center", fontsize=7.5, color=INK)
        axes.set_yticks(range(len(rows)), list(reversed(rows)))
        axes.set_ylim(-0.6, len(rows) - 0.2)
        axes.set_xscale("log")
        axes.set_xlim(FLAT / 4, None)
        axes.set_xlabel("eigenvalues of the Hessian of weekly totals by log parameters (left edge: 0)")
        axes.set_title("Large dot: the direction that the data tell least. Red: not told")
        return saved(figure, target)


def _measures(folder: Path, steps: int) -> dict[str, Floats]:
    """Measures by step, mean over groups."""
    from sociarium.record.frames import frames

    tables = frames(folder)
    try:
        rows: list[Any] = tables.measures().select("tick", "name", "group", "value").rows()
    finally:
        tables.close()
    sums: dict[str, Floats] = {}
    counts: dict[str, Floats] = {}
    for tick, name, _, value in rows:
        sums.setdefault(name, np.zeros(steps))[tick] += value
        counts.setdefault(name, np.zeros(steps))[tick] += 1
    return {name: np.where(counts[name] > 0, total / np.maximum(counts[name], 1), np.nan) for name, total in sums.items()}
