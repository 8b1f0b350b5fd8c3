"""Minds and models with planted behaviour, for checks: what they write is known, so what comes of it is too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.social.threads import Slot, Threads
from sociarium.kernel.actions import Actions
from sociarium.kernel.mind import Mind
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Observations, Turn
from sociarium.kernel.world import World
from sociarium.models.request import Request
from sociarium.scenarios.social_simulacra.scenario import SocialSimulacra


class Stub(Mind):
    """Writes what a function of the slot says. As designer it proposes persona number ``person(call)`` for every call."""

    def __init__(self, words: Callable[[Slot], str], person: Callable[[int], int] | None = None) -> None:
        self.words = words
        self.person: Callable[[int], int] = person or int

    def begin(self, world: World) -> None:
        self.world = world

    async def decide(self, turn: Turn, seen: Observations) -> Actions:
        if turn.offered("membership.propose"):
            return self._proposals(turn, seen)
        if not turn.offers:
            return Actions()
        threads = cast("Threads", self.world["threads"])
        verb = "threads.post" if turn.offered("threads.post") else "threads.reply"
        return Actions.one(turn, verb, text=_texts([self.words(slot) for slot in threads.slots(turn.lanes)]))

    def _proposals(self, turn: Turn, seen: Observations) -> Actions:
        actions, part = Actions(), seen["membership"]
        for row, agent in enumerate(turn.agents.tolist()):
            first = int(part["calls"][row])
            numbers: list[int] = [self.person(call) for call in range(first, first + int(part["asked"][row]))]
            names, phrases = _texts([f"Person {n}" for n in numbers]), _texts([f"number {n} of many" for n in numbers])
            actions.add(turn, "membership.propose", np.full(len(numbers), agent), name=names, phrase=phrases)
        return actions


async def played(mind: Mind | None = None, seed: int = 1, **settings: Any) -> Simulation:
    """A run of the scenario, with another mind if one is given."""
    simulation = SocialSimulacra.of(settings).build(seed)
    if mind is not None:
        simulation.minds.all[:] = [mind]
        mind.begin(simulation.world)
    await simulation.run()
    return simulation


def threads_of(simulation: Simulation) -> Threads:
    return cast("Threads", simulation.world["threads"])


def prompt_of(request: Request) -> str:
    """A request's blocks as one text."""
    return "\n".join(block.text for block in request.blocks)


def _texts(words: list[str]) -> NDArray[Any]:
    out = np.empty(len(words), object)
    out[:] = words
    return out
