"""The picture of a run: reach, emotion and attitude with their spread, the classic models beside them, and who holds what over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.social.stances import LEVELS, SIDES
from sociarium.kernel.errors import UsageError
from sociarium.lab.agreement import Agreement
from sociarium.scenarios.s3.baselines import opinion_baselines, reach_baselines

if TYPE_CHECKING:
    from sociarium.scenarios.s3.scenario import SocialNetworkSimulation

Floats = NDArray[np.float64]

CURVES = ("reach", "voiced", "positive")
SHARES = tuple(f"{side}_{level}" for side in SIDES for level in LEVELS)
TITLES = {
    "reach": ("Reach", "share of users who know of it"),
    "voiced": ("Emotion", "mean level / 2 of the messages of a step"),
    "positive": ("Attitude", "positive share of those who know of it"),
}
TINTS = ("#F6D9C6", "#E59A6B", "#B8501A", "#D4E6F3", "#7FB2D9", "#1F6FAE")  # calm to intense, against and for


def draw(scenario: SocialNetworkSimulation, folder: Path, target: Path) -> Path:
    """Four panels. Bands: the middle 95 % of the replicates, or no band of a single run."""
    from sociarium.lab.plots import COLOURS, INK, STYLE, matplotlib_parts, saved

    runs = run_folders(folder)
    series = {name: np.stack([found[name] for found in runs.values()]) for name in (*CURVES, *SHARES)}
    seen = {} if scenario.observed is None else observed(Path(scenario.observed), scenario.steps)
    beside = compared(scenario, next(iter(runs)), series, seen)
    style, figures = matplotlib_parts()
    with style.context(STYLE):
        figure = figures.Figure(figsize=(11, 7.4), layout="constrained")
        places = figure.subplots(2, 2).ravel()
        for axes, name in zip(places, CURVES, strict=False):
            _curve(axes, series[name], COLOURS[0], "ours")
            for number, (model, (curve, fit)) in enumerate(beside.get(name, {}).items(), 1):
                axes.plot(
                    np.arange(len(curve)),
                    curve,
                    color=COLOURS[number],
                    linestyle=(0, (5, 2)),
                    linewidth=1.5,
                    label=f"{model}  {_told(fit)}",
                )
            if name in seen:
                axes.plot(np.arange(len(seen[name])), seen[name], "o", color=INK, markersize=4, markerfacecolor="white", label="observed")
            title, label = TITLES[name]
            axes.set_title(title)
            axes.set_ylabel(label)
            axes.set_ylim(-0.02, 1.02)
            axes.legend(loc="best", fontsize=7.5, title="MSED / Cor, as they are; on own scale", title_fontsize=7)
        _held(places[3], series)
        for axes in places:
            axes.set_xlabel("step")
            axes.set_xlim(0, max(scenario.steps - 1, 1))
            axes.locator_params(axis="x", integer=True)
        counted = f"{len(runs)} run{'s' * (len(runs) > 1)}, {scenario.model or 'users by rule'}"
        figure.suptitle(f"{scenario.event}: {scenario.users:,} users, {counted}", x=0.01, ha="left", fontsize=12, fontweight="bold")
        dashed = "Dashed: classic models on the graph of the first run."
        figure.supxlabel(f"Line: mean of the runs. Band: their middle 95 %. {dashed}", fontsize=7)
        return saved(figure, target)


def run_folders(folder: Path) -> dict[int, dict[str, Floats]]:
    """Curves of each run by its seed: of one folder, or of all replicates in it."""
    from sociarium.record.frames import frames
    from sociarium.record.run import RunRecord

    paths = [folder] if (folder / "run.sqlite").exists() else sorted(path.parent for path in folder.glob("seed-*/run.sqlite"))
    if not paths:
        raise UsageError(f"there is no run in {folder}")
    found: dict[int, dict[str, Floats]] = {}
    for path in paths:
        with RunRecord.open(path, mode="read") as record:
            seed = int(record.manifest["seed"])
        tables = frames(path)
        try:
            rows = tables.measures().select("tick", "name", "group", "value").rows()
        finally:
            tables.close()
        wanted = {f"stances.{name}": name for name in (*CURVES, *SHARES)}
        ticks = 1 + max(tick for tick, *_ in rows)
        curves = {name: np.full(ticks, np.nan) for name in wanted.values()}
        for tick, name, group, value in rows:
            if name in wanted and group == 0:
                curves[wanted[name]][tick] = value
        found[seed] = curves
    return found


def observed(path: Path, steps: int) -> dict[str, Floats]:
    """Real curves from a CSV file: a column ``step`` and any of reach, voiced and positive, as shares from 0 to 1."""
    import csv

    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        columns = [name for name in CURVES if rows and name in rows[0]]
        if not columns or "step" not in rows[0]:
            raise UsageError(f"{path} needs a column step and one or more of {', '.join(CURVES)}")
        found = {name: np.full(steps, np.nan) for name in columns}
        for row in rows:
            if 0 <= (step := int(row["step"])) < steps:
                for name in columns:
                    found[name][step] = float(row[name]) if row[name] else np.nan
        return found
    except OSError as error:
        raise UsageError(f"cannot read the curves {path}: {error.strerror}") from None
    except (ValueError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is no table of curves: {error}") from None


def compared(
    scenario: SocialNetworkSimulation, seed: int, series: Mapping[str, Floats], seen: Mapping[str, Floats]
) -> dict[str, dict[str, tuple[Floats, Agreement]]]:
    """The classic models beside the curves they are models of, each with its agreement: with what was observed, else with ours."""
    aims = {name: seen.get(name, _mean(series[name])) for name in CURVES}
    curves = {
        "reach": reach_baselines(scenario, seed, aims["reach"]),
        "voiced": opinion_baselines(scenario, seed, "emotion", len(LEVELS) - 1),
        "positive": opinion_baselines(scenario, seed, "attitude", len(SIDES) - 1),
    }
    return {
        name: {model: (curve, Agreement.of(aims[name], curve[: len(aims[name])])) for model, curve in models.items()}
        for name, models in curves.items()
    }


def _mean(values: Floats) -> Floats:
    """Over the runs, nan where none has a value."""
    known = ~np.isnan(values).all(axis=0)
    out = np.full(values.shape[1], np.nan)
    out[known] = np.nanmean(values[:, known], axis=0)
    return out


def _curve(axes: Any, values: Floats, colour: str, label: str) -> None:
    known = ~np.isnan(values).all(axis=0)
    times, values = np.flatnonzero(known), values[:, known]
    axes.plot(times, np.nanmean(values, axis=0), color=colour, linewidth=2.2, label=label)
    if len(values) > 1:
        low, high = np.nanquantile(values, [0.025, 0.975], axis=0)
        axes.fill_between(times, low, high, color=colour, alpha=0.18, linewidth=0)


def _held(axes: Any, series: Mapping[str, Floats]) -> None:
    means: Sequence[Floats] = [_mean(np.nan_to_num(series[name]) * series["reach"]) for name in SHARES]
    labels = [name.replace("_", ", ") for name in SHARES]
    axes.stackplot(np.arange(len(means[0])), *means, colors=TINTS, labels=labels, linewidth=0)
    axes.set_title("Who holds what")
    axes.set_ylabel("share of all users")
    axes.set_ylim(0, 1)
    handles, names = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], names[::-1], loc="upper left", fontsize=7.5)


def _told(fit: Agreement) -> str:
    parts = [f"{error:.3f} / {'–' if cor != cor else f'{cor:.2f}'}" for error, cor in _pairs(fit)]
    return "; ".join(parts)


def _pairs(fit: Agreement) -> Sequence[tuple[float, float]]:
    return ((fit.raw_error, fit.raw_correlation), (fit.scaled_error, fit.scaled_correlation))
