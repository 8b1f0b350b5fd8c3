"""A rule with random numbers and memory, which every process can import."""

import time
from typing import Any

import numpy as np

from sociarium.kernel.actions import Actions
from sociarium.kernel.mind import Mind


class Noisy(Mind):
    """Moves from the announcement by a random step, and remembers what it reported."""

    def __init__(self, wobble: float = 0.0) -> None:
        self.wobble = wobble
        self.memory: dict[str, list[float]] = {}

    async def decide(self, turn: Any, seen: Any) -> Actions:
        if self.wobble:
            time.sleep(self.wobble * float(np.random.default_rng().random()))
        drawn = turn.random("step").uniform(turn.agents)
        number = np.clip(seen["guess"]["announced"] + 10 * drawn - 5, 0, 100)
        for agent, value in zip(turn.agents, number, strict=True):
            self.memory.setdefault(str(int(agent)), []).append(float(value))
        return Actions.one(turn, "report", number=number)

    def state(self) -> dict[str, Any]:
        return {"memory": self.memory}


def make(wobble: float = 0.0) -> Noisy:
    return Noisy(wobble)


class Mortal(Noisy):
    """Takes its process down in the second round, where it has agent 1."""

    async def decide(self, turn: Any, seen: Any) -> Actions:
        if turn.tick == 1 and 1 in turn.agents:
            import os

            os._exit(9)
        return await super().decide(turn, seen)


def make_mortal() -> Mortal:
    return Mortal()
