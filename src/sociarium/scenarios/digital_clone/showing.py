"""The picture of a clone: layers of a run beside a recorded cascade, whether its chances mean what they say, and what holds a post back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.cascade.spread import Spread, SpreadRules, spread
from sociarium.kernel.randomness import Randomness, Stream
from sociarium.lab.classification import reliability
from sociarium.lab.plots import COLOURS, DASHES, FAINT, INK, STYLE, matplotlib_parts, saved
from sociarium.lab.twins import TwinBand
from sociarium.minds.sharing.classifier import ShareClassifier
from sociarium.scenarios.digital_clone.clone import LATER, TRAINING, Measure, anybody, by_pair, cloned, hubs, prominent, trials
from sociarium.scenarios.digital_clone.world import world

if TYPE_CHECKING:
    from sociarium.scenarios.digital_clone.scenario import DigitalClone

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

RECORDED = 101  # cascades of the world of which one is shown


def draw(scenario: DigitalClone, folder: Path, target: Path) -> Path:
    """Of one run, or all replicates of a folder together."""
    runs = [folder] if (folder / "run.sqlite").exists() else sorted(path.parent for path in folder.glob("seed-*/run.sqlite"))
    style, figures = matplotlib_parts()
    with style.context(STYLE):
        figure = figures.Figure(figsize=(13.2, 4.1), layout="constrained")
        left, middle, right = figure.subplots(1, 3, width_ratios=[1.15, 0.95, 1.15])
        _layers(left, np.concatenate([layers_of(scenario, run) for run in runs]), recorded(scenario))
        _reliability(middle, scenario)
        _arms(right, arms(scenario))
        who = scenario.model or {"planted": "the planted law"}.get(scenario.decides, f"the {scenario.decides}")
        title = f"A post on {scenario.about()} among {scenario.users:,} users, {scenario.trials * len(runs):,} trials, shared by {who}"
        figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
        return saved(figure, target)


def layers_of(scenario: DigitalClone, folder: Path) -> Ints:
    """(trials, layers): sharers of a recorded run, the source first."""
    from sociarium.record.frames import frames

    tables = frames(folder)
    rows: list[Ints] = []
    try:
        for kind in ("cascade.reshared", "cascade.quoted"):
            if kind in tables.kinds():
                rows.append(tables.events(kind).select("actor", "layer").collect().to_numpy())
    finally:
        tables.close()
    shared = np.concatenate(rows) if rows else np.empty((0, 2), np.int64)
    deep = int(shared[:, 1].max(initial=0)) + 1
    counts = np.bincount(shared[:, 0] // scenario.users * deep + shared[:, 1], minlength=scenario.trials * deep)
    found = counts.reshape(scenario.trials, deep).astype(np.int64)
    found[:, 0] = 1
    return np.pad(found, ((0, 0), (0, scenario.most_layers + 1 - deep)))


def recorded(scenario: DigitalClone) -> Ints:
    """The layers of one cascade of the world itself: of 101, the one of median size among those that went beyond the first layer."""
    truth = world(scenario.rules())
    source = prominent(truth.network, truth.block, scenario.topic)
    chance = by_pair(truth.law, truth.network, truth.words.vectors([scenario.words()])[0])
    rules = SpreadRules(retry=scenario.retry, most_layers=scenario.most_layers)
    found = spread(truth.network, np.full(RECORDED, source), chance, _stream(scenario, "recorded"), rules).layers(scenario.most_layers + 1)
    beyond = found[found[:, 2:].any(axis=1)] if found.shape[1] > 2 and found[:, 2:].any() else found
    return beyond[np.argsort(beyond.sum(axis=1), kind="stable")[len(beyond) // 2]]


def arms(scenario: DigitalClone) -> dict[str, Spread]:
    """The run's trials again without comments, by rule, with each counter-measure: paired, since draws belong to edges."""
    network, truth = scenario.ties(), world(scenario.rules())
    source = prominent(truth.network, truth.block, scenario.topic)
    chance = by_pair(scenario.sharing(), network, truth.words.vectors([scenario.words()])[0])
    gone = {"hubs": hubs(network, scenario.removed, source), "lot": anybody(network, scenario.removed, source, _stream(scenario, "gone"))}
    masks = {name: np.isin(np.arange(network.nodes), users) for name, users in gone.items()}
    measures = {
        "nothing done": Measure(),
        f"{100 * scenario.removed:g} % removed by lot": Measure(removed=masks["lot"]),
        f"{100 * scenario.removed:g} % hubs removed": Measure(removed=masks["hubs"]),
        f"shares slowed to {scenario.factor:g}": Measure(speed=scenario.factor),
        f"labelled, appeal {scenario.factor:g}": Measure(appeal=scenario.factor),
    }
    rules = SpreadRules(retry=scenario.retry, most_layers=scenario.most_layers)
    count = max(200, min(scenario.trials, 2_000))
    return {
        name: trials(chance, network, source, count, _stream(scenario, "arms"), rules, measure) for name, measure in measures.items()
    }  # fmt: skip


def _layers(axes: Any, layers: Ints, real: Ints) -> None:
    band = TwinBand.of(layers)
    last = max(4, int(np.flatnonzero((band.high > 0) | (real > 0)).max(initial=0)) + 1)
    number = np.arange(last + 1)
    shown = slice(0, last + 1)
    axes.fill_between(number, band.low[shown], band.high[shown], color=COLOURS[0], alpha=0.2, linewidth=0, label="trials: middle 68 %")
    axes.plot(number, band.median[shown], color=COLOURS[0], linewidth=2.2, label="trials: median")
    axes.plot(number, real[shown], "o-", color=INK, markerfacecolor="white", markersize=5, linewidth=1, label="a recorded cascade")
    axes.set_title("Sharers by layer")
    axes.set_xlabel("layer (0: the source)")
    axes.set_ylabel("users")
    axes.set_ylim(bottom=0)
    axes.locator_params(axis="x", integer=True)
    axes.legend(loc="upper right", fontsize=8)


def _reliability(axes: Any, scenario: DigitalClone) -> None:
    """Stated chances against shares that came out, in bins of equal size, in training and later. A model states none: the classifier's."""
    clone, sharing = cloned(scenario.rules(), text=scenario.decides != "blind classifier", negatives=scenario.negatives), scenario.sharing()
    most = 0.0
    for place, (name, windows) in enumerate({"training weeks": TRAINING, "later weeks": LATER}.items()):
        log = clone.exposures(*windows)
        if isinstance(sharing, ShareClassifier):
            stated = sharing.of(log, clone.world.posts)
        else:
            stated = sharing.chance(log.source, log.target, clone.world.posts[log.post])
        found = reliability(log.shared, stated)
        error = 1.96 * np.sqrt(found.seen * (1 - found.seen) / found.count)
        axes.errorbar(
            found.stated, found.seen, yerr=error, fmt="os"[place], color=COLOURS[place], markersize=5, linewidth=1.2, label=name,
        )  # fmt: skip
        most = max(most, float(found.stated.max()), float((found.seen + error).max()))
    axes.plot([0, most], [0, most], color=FAINT, linestyle=":", linewidth=1.4)
    axes.set_title("Do chances mean what they say?")
    axes.set_xlabel("stated chance to share")
    axes.set_ylabel("share that shared (95 % interval)")
    axes.legend(loc="upper left", fontsize=8)


def _arms(axes: Any, found: dict[str, Spread]) -> None:
    for place, (name, one) in enumerate(found.items()):
        reach = np.sort(one.reach())
        above = 1 - np.arange(len(reach)) / len(reach)
        label = f"{name}: mean {reach.mean():.1f}"
        axes.step(reach, above, where="pre", color=COLOURS[place], linestyle=DASHES[place], linewidth=1.8, label=label)
    axes.set_xscale("log")
    axes.set_title("What holds it back")
    axes.set_xlabel("users reached")
    axes.set_ylabel("share of trials that reach at least so many")
    axes.set_ylim(0, 1.52)  # room for the legend above the curves
    axes.set_yticks(np.arange(6) / 5)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.legend(loc="upper left", fontsize=8)


def _stream(scenario: DigitalClone, name: str) -> Stream:
    return Randomness(scenario.world_seed).stream(f"digital-clone.picture {name}")
