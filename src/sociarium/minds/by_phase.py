"""One mind made of several: each phase has its own, such as rules for where to walk and a language model for what to say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.actions import Actions
from sociarium.kernel.environment import News
from sociarium.kernel.mind import Mind, Transitions
from sociarium.kernel.turn import Observations, Turn
from sociarium.kernel.world import World


class ByPhase(Mind):
    """``minds`` by the environment that leads a phase (or the phase's name, which comes first); ``other`` decides in all others.

    All of them hear everything that the agents may know, and each keeps its own state.
    """

    def __init__(self, other: Mind, minds: Mapping[str, Mind]) -> None:
        self.other = other
        self.minds = dict(minds)
        self.all: list[Mind] = list(dict.fromkeys([other, *self.minds.values()]))
        self.paced = any(mind.paced for mind in self.all)
        self.hears = any(mind.hears for mind in self.all)
        self.keeps = any(mind.keeps for mind in self.all)

    def begin(self, world: World) -> None:
        for mind in self.all:
            mind.begin(world)

    def admit(self, agents: NDArray[np.int64]) -> None:
        for mind in self.all:
            mind.admit(agents)

    async def decide(self, turn: Turn, seen: Observations) -> Actions:
        chosen = self.minds.get(turn.phase.name, self.minds.get(turn.phase.lead, self.other))
        return await chosen.decide(turn, seen)

    def notice(self, events: Sequence[News]) -> None:
        for mind in self.all:
            if mind.hears:
                mind.notice(events)

    def learn(self, steps: Transitions) -> None:
        for mind in self.all:
            mind.learn(steps)

    def state(self) -> dict[str, Any]:
        return {str(number): mind.state() for number, mind in enumerate(self.all)}

    def load(self, state: Mapping[str, Any]) -> None:
        for number, mind in enumerate(self.all):
            mind.load(state[str(number)])
