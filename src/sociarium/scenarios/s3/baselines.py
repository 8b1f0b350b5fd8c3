"""The classic models beside ours, on the same graph and from the same start: linear threshold, independent cascade, voter, DeGroot."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.opinion.models import degroot, voter
from sociarium.kernel.network import Network
from sociarium.kernel.randomness import Randomness
from sociarium.lab.agreement import mean_square
from sociarium.lab.diffusion import Spread, independent_cascade, linear_threshold
from sociarium.scenarios.s3.people import network, people, seeds

if TYPE_CHECKING:
    from sociarium.scenarios.s3.scenario import SocialNetworkSimulation

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CHANCES = np.array([0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.13, 0.16, 0.2, 0.3, 0.5])
THRESHOLDS = np.array([0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6])
CELLS = 200_000  # users times runs of one cascade


def reach_baselines(scenario: SocialNetworkSimulation, seed: int, target: Floats) -> dict[str, Floats]:
    """Share aware after each step, (steps,), of a linear threshold model and an independent cascade, each with the one parameter that comes
    nearest to the first half of ``target``."""
    random = Randomness(seed).stream("s3")
    graph = network(scenario, random)
    first, draws = seeds(scenario, graph, random), random.at("baselines")
    runs = max(1, min(40, CELLS // graph.nodes))

    def cascade(chance: float) -> Spread:
        return independent_cascade(graph, first, chance, draws.at("cascade"), runs=runs, steps=len(target))

    def threshold(needed: float) -> Spread:
        return linear_threshold(graph, first, needed, steps=len(target))

    tried: dict[str, tuple[Callable[[float], Spread], Floats]] = {"LT": (threshold, THRESHOLDS), "IC": (cascade, CHANCES)}
    return {
        name: _nearest([_aware(model(value), graph, len(target)) for value in values], target) for name, (model, values) in tried.items()
    }


def opinion_baselines(scenario: SocialNetworkSimulation, seed: int, column: str, most: int) -> dict[str, Floats]:
    """Mean of a column (``attitude``, ``emotion``) over ``most``, after each step, (steps,), where all users follow the voter model, and
    where all average as DeGroot says."""
    random = Randomness(seed).stream("s3")
    graph = network(scenario, random)
    start = people(scenario, graph, random)["user"][column] / float(most)
    draws = random.at("baselines", column)
    models: dict[str, Callable[[Floats, int], Floats]] = {
        "voter": lambda held, step: voter(graph, held, draws.at(step)),
        "DeGroot": lambda held, step: degroot(graph, held, own=0.5),
    }
    found: dict[str, Floats] = {}
    for name, model in models.items():
        held, means = start, list[float]()
        for step in range(scenario.steps):
            held = model(held, step) if step else held
            means.append(float(held.mean()))
        found[name] = np.array(means)
    return found


def _aware(spread: Spread, graph: Network, steps: int) -> Floats:
    return spread.aware(graph).curve(steps - 1).mean(axis=0) / graph.nodes


def _nearest(curves: list[Floats], target: Floats) -> Floats:
    half = max(2, len(target) // 2)
    return min(curves, key=lambda curve: mean_square(target[:half], curve[:half]))
