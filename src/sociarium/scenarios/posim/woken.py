"""The clocks alone: how many wake, step by step, where everybody who wakes makes one act of its own weight and nothing else happens."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.actions import Actions
from sociarium.kernel.environment import Environment, Events, Outcome
from sociarium.kernel.hawkes import Excitation, Hawkes, Sources, Uniform
from sociarium.kernel.population import Population
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Observations, Phase, Turn
from sociarium.kernel.units import HOUR, MINUTE
from sociarium.minds.rule import RuleMind, nothing

Floats = NDArray[np.float64]

EVENTS = ((0, 1.0), (600, 0.7), (1500, 0.9))  # minutes after the beginning, and influences
STEPS, USERS = 276, 1530  # of the first of the paper's events
WEIGHTS = (0.01, 1.0, 0.5, 0.1, 0.2, 0.2, 0.4)
SHARES = (6.0, 2.0, 1.5, 3.0, 0.6, 1.2, 0.3)  # of acts, as citizens tend to them


class Crowd(Environment):
    """Whoever is awake makes one act."""

    name = "crowd"

    def apply(self, turn: Turn, seen: Observations, actions: Actions) -> Outcome:
        drawn = turn.random("act").choice(np.array(SHARES), turn.agents)
        found = [(str(act), turn.agents[drawn == act]) for act in range(len(SHARES))]
        return Outcome([Events(f"act_{act}", who, {}, "nobody", kept=False) for act, who in found if len(who)])


async def awake_counts(clock: str, seed: int) -> Floats:
    """(steps,) from 08:00, with three outside events."""
    begin = 8 * HOUR
    told = Sources(
        {f"crowd.act_{act}": weight for act, weight in enumerate(WEIGHTS)},
        outside=[(begin + minute * MINUTE, influence) for minute, influence in EVENTS],
    )
    kind = Hawkes if clock == "hawkes" else Uniform
    schedule = kind([Phase("act", "crowd")], Excitation(), step=10 * MINUTE, duration=STEPS * 10 * MINUTE, start=begin, sources=told)
    counts = np.zeros(STEPS)
    simulation = Simulation(Population.of("user", USERS), [Crowd()], [RuleMind(nothing)], schedule, seed=seed)
    simulation.on_tick.append(
        lambda record: counts.__setitem__(record.tick, sum(outcome.counts.get("ok", 0) for outcome in record.outcomes))
    )
    await simulation.run()
    return counts
