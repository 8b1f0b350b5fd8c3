"""What is forgotten and what is kept for good: short- and long-term stores with decay, as a retention beside a memory.

The formula is that of an agent network study (arXiv 2502.05919): with age k, recency s = 1 / (k + 1), shares v and feeling q, importance is
r = 0.6 v + 0.4 |q|, and forgetting is 1 - (s + r) / 2 * max(r ** beta, delta), within 0 and 1. What reaches 0.9 in the short-term store is
gone; what was shared twice or felt about moves to the long-term store, where nothing is ever forgotten.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.errors import UsageError
from sociarium.minds.language.asking import Asking
from sociarium.minds.language.memory import Memory
from sociarium.minds.language.reflect import Thinker

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

NEAR = 1e-12


@dataclass(frozen=True, slots=True)
class Forgetting:
    """How fast what is forgotten. The defaults are the preset ``FRIENDSHIP_PARADOX``.

    ``sharing`` and ``feeling``: weights of importance; ``beta`` and ``delta``: see the module; ``gone``: the forgetting at which a memory
    leaves the short-term store; ``shares`` and ``feelings``: how much of either moves it to the long-term store.
    """

    sharing: float = 0.6
    feeling: float = 0.4
    beta: float = 4.0
    delta: float = 1.0
    gone: float = 0.9
    shares: float = 2.0
    feelings: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.gone <= 1 or self.beta < 0 or self.delta < 0:
            raise UsageError("Forgetting: gone lies in (0, 1], beta and delta are 0 or more")

    def importance(self, shares: ArrayLike, feeling: ArrayLike) -> Floats:
        return self.sharing * np.asarray(shares, np.float64) + self.feeling * np.abs(np.asarray(feeling, np.float64))

    def forgetting(self, age: ArrayLike, shares: ArrayLike = 0.0, feeling: ArrayLike = 0.0) -> Floats:
        """From 0 (fresh) to 1. ``age``: whole steps since it was stored, 0 in the step of storing."""
        recency = 1.0 / (np.asarray(age, np.float64) + 1.0)
        weight = self.importance(shares, feeling)
        return np.clip(1.0 - (recency + weight) / 2.0 * np.maximum(weight**self.beta, self.delta), 0.0, 1.0)

    def forgotten(self, age: ArrayLike, shares: ArrayLike = 0.0, feeling: ArrayLike = 0.0) -> Bools:
        return self.forgetting(age, shares, feeling) >= self.gone - NEAR

    def kept(self, shares: ArrayLike, feeling: ArrayLike) -> Bools:
        """What moves to the long-term store."""
        return (np.asarray(shares) >= self.shares) | (np.abs(np.asarray(feeling)) >= self.feelings)


FRIENDSHIP_PARADOX = Forgetting()


class Retention(Thinker):
    """The stores of a memory. In each inner turn of ``phases`` (all, when empty) an agent's memories age by one step: some go to the
    long-term store, some are forgotten. ``react`` tells it that a memory was shared or felt about.

    A forgotten memory is not erased: from then on it does not come to mind (``until_tick`` has passed).
    """

    def __init__(self, rule: Forgetting = FRIENDSHIP_PARADOX, *, name: str = "retention", **settings: Any) -> None:
        super().__init__(name=name, **settings)
        self.rule = rule
        self._columns: dict[str, NDArray[Any]] = {name: np.empty(0, dtype) for name, dtype in _COLUMNS.items()}

    def react(self, row: int, *, shares: float = 0.0, feeling: float = 0.0) -> None:
        """A row of the memory's stream was shared, liked (feeling 1) or disliked (-1)."""
        self._room()
        self._columns["shares"][row] += shares
        self._columns["feeling"][row] += feeling

    def long_term(self, agent: int) -> Ints:
        """The agent's rows in the long-term store."""
        self._room()
        rows = self.memory.stream.of(agent)
        return rows[self._columns["long"][rows]]

    async def think(self, asking: Asking) -> None:
        if self.due(asking):
            self.age(self.memory, asking.agent, asking.turn.time, asking.turn.tick)

    def age(self, memory: Memory, agent: int, time: int, tick: int) -> Ints:
        """One step for one agent. What is forgotten is returned: rows of the stream."""
        self._room()
        columns, rows = self._columns, memory.stream.live(agent, time=time, tick=tick)
        shares, feeling = columns["shares"][rows], columns["feeling"][rows]
        columns["long"][rows] |= self.rule.kept(shares, feeling)
        short = ~columns["long"][rows]
        gone = rows[short & self.rule.forgotten(columns["age"][rows], shares, feeling)]
        memory.stream.set("until_tick", gone, tick - 1)
        columns["age"][rows] += 1
        return gone

    def state(self) -> dict[str, Any]:
        self._room()
        order = self.memory.stream.ordered()
        return {name: column[order] for name, column in self._columns.items()}

    def load(self, state: Mapping[str, Any]) -> None:
        self._columns = {name: np.array(state[name] if state else (), dtype) for name, dtype in _COLUMNS.items()}

    def _room(self) -> None:
        """A row for each memory there is."""
        more = len(self.memory.stream) - len(self._columns["age"])
        if more > 0:
            self._columns = {n: np.concatenate([column, np.zeros(more, column.dtype)]) for n, column in self._columns.items()}


_COLUMNS: Mapping[str, Any] = {"age": np.int64, "shares": np.float64, "feeling": np.float64, "long": np.bool_}
