"""A mind that tries anything: values at, inside and outside the bounds of every action on offer."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.actions import Actions, ActionTable, Argument, Choice, Flag, Integer, Number, Text, Vector
from sociarium.kernel.mind import Mind
from sociarium.kernel.randomness import Stream
from sociarium.kernel.turn import Observations, Turn

Ints = NDArray[np.int64]


class FuzzMind(Mind):
    """About half of the agents try each action, once; one row in eight is outside its bounds, where there are any."""

    def __init__(self, seed: int, *, illegal: bool = True) -> None:
        self.seed = seed
        self.illegal = illegal

    async def decide(self, turn: Turn, seen: Observations) -> Actions:
        actions = Actions()
        for spec in turn.offers:
            stream = Stream(self.seed).at("fuzz", turn.tick, turn.phase.name, turn.number, spec.full)
            agents = turn.agents[stream.uniform(turn.agents) < 0.5]
            if len(agents):
                columns = {name: self.values(argument, agents, stream.at(name)) for name, argument in spec.arguments.items()}
                actions.tables[spec.full] = ActionTable(agents, columns)
        return actions

    def values(self, argument: Argument, agents: Ints, stream: Stream) -> NDArray[Any]:
        """One value a row."""
        drawn = stream.uniform(agents)
        outside = (stream.uniform(agents, 1) < 0.125) & self.illegal
        if isinstance(argument, Integer | Number):
            return _numbers(argument, drawn, outside, stream.integers(0, 3, agents, 2))
        if isinstance(argument, Flag):
            return np.asarray(drawn < 0.5)
        if isinstance(argument, Vector):
            rows = stream.uniform(agents[:, None], np.arange(argument.length, dtype=np.int64))
            return np.where(outside[:, None], argument.high + 1, argument.low + rows * (argument.high - argument.low))
        out = np.empty(len(agents), object)
        for row, chance in enumerate(drawn.tolist()):
            out[row] = _words(argument, chance, bool(outside[row]))
        return out


def _numbers(argument: Integer | Number, drawn: NDArray[np.float64], outside: NDArray[np.bool_], way: Ints) -> NDArray[Any]:
    """A third at either bound, the rest between them (of a span without end, near its beginning)."""
    high = min(argument.high, argument.low + 1e6)
    between = _between(argument, drawn, high)
    inside = np.where(way == 0, argument.low, np.where(way == 1, high, between))
    return np.where(outside, argument.low - 1, inside).astype(argument.dtype)


def _between(argument: Integer | Number, drawn: NDArray[np.float64], high: float) -> NDArray[np.float64]:
    if isinstance(argument, Integer):
        return argument.low + np.floor(drawn * (high - argument.low + 1))
    return argument.low + drawn * (high - argument.low)


def _words(argument: Argument, chance: float, outside: bool) -> str:
    if isinstance(argument, Choice):
        return "not among the options" if outside else argument.options[int(chance * len(argument.options))]
    if isinstance(argument, Text) and outside:
        return "x" * (argument.longest + 1)
    return f"words {int(chance * 1000)}"
