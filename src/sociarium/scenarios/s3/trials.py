"""Worlds in which the closed forms hold: many communities side by side that never touch, each a run of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.environments.social.platform import Platform
from sociarium.environments.social.recommenders.delivered import Arrivals, Delivered
from sociarium.environments.social.stances import Stances
from sociarium.kernel.network import Network
from sociarium.kernel.population import Population
from sociarium.kernel.simulation import Intervention, Simulation
from sociarium.kernel.turn import Phase
from sociarium.minds.reactions import ReactionRules, Reactions
from sociarium.minds.resharing import Reshare
from sociarium.scenarios.s3.reading import Feed

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

OFFERS = ("platform.repost", "platform.create_post", "stances.hold")


@dataclass(slots=True)
class Trial:
    """What a spread came to, user by user; ``curve``: the mean level / 2 over all users after each step."""

    simulation: Simulation
    passed: Bools
    aware: Bools
    curve: list[float] = field(default_factory=list[float])
    reach: list[int] = field(default_factory=list[int])


def spread(
    graph: Network, reshare: Reshare, seeds: ArrayLike, *, steps: int = 50, fading: float = 0.0, rules: ReactionRules | None = None,
    seed: int = 1, quiet: bool = True,
) -> Trial:  # fmt: skip
    """Users by rule on one platform: ``seeds`` post at step 0, then those who read decide by ``reshare``. ``quiet``: to the end of what
    travels only."""
    platform, stances = Platform(graph, recommender=Delivered()), Stances(fading=fading, keep=False)
    given = rules or ReactionRules()
    given.reshare = reshare
    schedule = Arrivals([Phase("read", "platform", shows=("stances",), offers=OFFERS)], steps, quiet=quiet)
    simulation = Simulation(
        Population.of("user", graph.nodes),
        [platform, stances],
        [Reactions(Feed(platform, stances, sources=False), given)],
        schedule,
        seed=seed,
    )
    first = np.asarray(seeds, np.int64)
    reshare.begun(first)
    simulation.interventions.append(Intervention(0, "platform.publish", {"users": first, "texts": "news"}))
    found = Trial(simulation, reshare.passed, stances.aware)
    simulation.on_tick.append(lambda record: found.curve.append(float(record.measures["stances.emotion"][0])))
    simulation.on_tick.append(lambda record: found.reach.append(int(stances.aware.sum())))
    simulation.run_sync()
    found.passed, found.aware = reshare.passed.copy(), stances.aware.copy()
    return found


def side_by_side(graphs: Sequence[Network]) -> Network:
    """One network of graphs that do not touch, one after another."""
    offsets = np.cumsum([0, *(graph.nodes for graph in graphs)])
    edges = np.cumsum([0, *(len(graph) for graph in graphs)])
    starts = [graph.starts[:-1] + edge for graph, edge in zip(graphs, edges, strict=False)]
    targets = [graph.targets + offset for graph, offset in zip(graphs, offsets, strict=False)]
    return Network(np.concatenate([*starts, [edges[-1]]]), np.concatenate(targets))


def copies(graph: Network, count: int) -> Network:
    """The same graph many times, side by side."""
    return side_by_side([graph] * count)


def peaks(curve: ArrayLike, share: float = 0.02) -> list[int]:
    """Where a curve has peaks that stand out by at least ``share`` of its range: from each, one must come down so far on both sides (or
    to the curve's end) before it rises higher. Of equal neighbours the first."""
    values = np.asarray(curve, np.float64)
    least = share * float(np.ptp(values))
    found: list[int] = []
    for at in range(len(values)):
        if least > 0 and all(
            _falls(side, values[at], least, strict) for side, strict in ((values[at + 1 :], True), (values[:at][::-1], False))
        ):
            found.append(at)
    return found


def _falls(side: Floats, top: float, least: float, later: bool) -> bool:
    """Whether the curve, going away from a top, comes down by ``least`` before it rises above it. The end of the curve lies at nothing."""
    for value in side.tolist():
        if value > top or (value == top and not later):
            return False
        if value <= top - least:
            return True
    return True


__all__ = ["Trial", "copies", "peaks", "side_by_side", "spread"]
