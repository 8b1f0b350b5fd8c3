"""A picture of how well a population meets its marginals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from sociarium.kernel.errors import UsageError
from sociarium.kernel.extras import optional
from sociarium.lab.plots import COLOURS, FAINT, STYLE
from sociarium.populations.goodness import FitReport


def fit_chart(report: FitReport, path: Path, *, title: str = "", unit: str = "people") -> Path:
    """Wanted against fitted counts of every cell, one colour a marginal; the error of each marginal; and the way to convergence.

    Extra ``plot``. ``path`` ends in .png, .svg or .pdf.
    """
    if path.suffix not in (".png", ".svg", ".pdf"):
        raise UsageError(f"{path} must end in .png, .svg or .pdf")
    if not report.marginals:
        raise UsageError("the report has no marginal to draw")
    style, figures = optional("matplotlib.style", "plot", "drawing"), optional("matplotlib.figure", "plot", "drawing")
    with style.context({**STYLE, "axes.grid.axis": "both"}):
        figure = figures.Figure(figsize=(10.5, 3.9), layout="constrained")
        left, middle, right = figure.subplots(1, 3, width_ratios=[1.2, 1.25, 1])
        _scatter(left, report, unit)
        _errors(middle, report, unit)
        _history(right, report)
        if title:
            figure.suptitle(title, x=0.01, ha="left", size=12, weight="bold")
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=200, metadata={"Date": None} if path.suffix == ".svg" else None)
    return path


def _scatter(axes: Any, report: FitReport, unit: str) -> None:
    most = max(float(max(m.wanted.max(initial=0), m.fitted.max(initial=0))) for m in report.marginals) * 1.04
    axes.plot([0, most], [0, most], color=FAINT, linewidth=1)
    for place, marginal in enumerate(report.marginals):
        axes.plot(
            marginal.wanted, marginal.fitted, "o", color=COLOURS[place % len(COLOURS)], markersize=4, alpha=0.7, markeredgewidth=0,
            label=marginal.name,
        )  # fmt: skip
    axes.set_title("Every cell")
    axes.set_xlabel(f"{unit} wanted")
    axes.set_ylabel(f"{unit} there are")
    axes.set_xlim(0, most)
    axes.set_ylim(0, most)
    if len(report.marginals) <= len(COLOURS):
        axes.legend(loc="lower right", fontsize=7.5, handletextpad=0.2)


def _errors(axes: Any, report: FitReport, unit: str) -> None:
    values = np.array([marginal.variation for marginal in report.marginals]) * 100
    for place, value in enumerate(values.tolist()):
        axes.plot([0, value], [place, place], color=COLOURS[place % len(COLOURS)], linewidth=3, solid_capstyle="butt")
        axes.text(
            1.02, place, f"{value:.2f} %   SRMSE {report.marginals[place].srmse:.3f}", transform=axes.get_yaxis_transform(), va="center",
            fontsize=7.5,
        )  # fmt: skip
    axes.set_yticks(range(len(values)), [marginal.name for marginal in report.marginals])
    axes.set_ylim(len(values) - 0.5, -0.5)
    axes.set_xlim(0, max(float(np.nanmax(values)) * 1.05, 1e-9))
    axes.set_title("Who would have to change")
    axes.set_xlabel(f"% of {unit} in another category than wanted")


def _history(axes: Any, report: FitReport) -> None:
    axes.set_title("Convergence")
    axes.set_xlabel("iteration")
    if not report.history:
        axes.text(0.5, 0.5, "not fitted by iteration", transform=axes.transAxes, ha="center", color="#666666")
        return
    steps = np.arange(1, len(report.history) + 1)
    errors = np.maximum(np.array(report.history), 1e-16)
    axes.semilogy(steps, errors, color=COLOURS[0], linewidth=1.8, marker="o" if len(steps) < 30 else None, markersize=3.5)
    axes.set_ylabel("largest relative error")
    axes.xaxis.get_major_locator().set_params(integer=True)
    if not report.converged:
        axes.annotate("not converged", (0.97, 0.95), xycoords="axes fraction", ha="right", va="top", fontsize=8, color="#8A3B00")
