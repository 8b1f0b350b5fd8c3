"""Talks on a fixed timetable: who meets whom, and when, is given. For what is known of spreading on a log of contacts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.environments.conversation.chats import Chats
from sociarium.kernel.environment import Environment, Groups, Outcome
from sociarium.kernel.errors import UsageError
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.turn import Phase
from sociarium.kernel.units import MINUTE
from sociarium.kernel.world import World

Ints = NDArray[np.int64]


class Contacts(Environment):
    """Opens the talks of each tick. ``log``: (contacts, 3) of tick, first speaker, other, ascending by tick; nobody twice in a tick."""

    name: ClassVar[str] = "contacts"

    def __init__(self, log: ArrayLike, chats: Chats) -> None:
        self.log: Ints = np.asarray(log, np.int64).reshape(-1, 3)
        self.chats = chats
        ticks = self.log[:, 0]
        if (ticks[1:] < ticks[:-1]).any() or (len(ticks) and ticks[0] < 0):
            raise UsageError("a log of contacts is sorted by tick, from 0")
        meetings = np.concatenate([self.log[:, [0, 1]], self.log[:, [0, 2]]])
        if len(np.unique(meetings, axis=0)) < len(meetings):
            raise UsageError("a log of contacts has somebody twice in one tick; give the second talk a later tick")

    def reset(self, world: World, groups: Groups) -> None:
        super().reset(world, groups)
        self._open(world.clock.tick)

    def advance(self, to: int) -> Outcome | None:
        self._open(self.world.clock.tick + 1)
        return None

    def _open(self, tick: int) -> None:
        begin, end = np.searchsorted(self.log[:, 0], [tick, tick + 1])
        for _, first, other in self.log[begin:end].tolist():
            if first not in self.chats.of and other not in self.chats.of:
                self.chats.open([first, other])

    @property
    def ticks(self) -> int:
        """How many ticks the log takes."""
        return int(self.log[-1, 0]) + 1 if len(self.log) else 0

    def rounds(self, shows: Sequence[str] = ()) -> Rounds:
        """A schedule that plays the log, a tick a minute."""
        phase = Phase("talk", self.chats.name, shows=tuple(shows), offers=(f"{self.chats.name}.say",))
        return Rounds([phase], self.ticks, length=MINUTE)


def reached(log: ArrayLike, first: Sequence[int]) -> set[int]:
    """Who can have heard by the end: reachability forward in time, with contacts of one tick side by side. By breadth-first search
    over (tick, agent): its own algorithm, to check simulations by."""
    by_agent: dict[int, list[tuple[int, int]]] = {}
    for tick, one, other in np.asarray(log, np.int64).reshape(-1, 3).tolist():
        by_agent.setdefault(one, []).append((tick, other))
        by_agent.setdefault(other, []).append((tick, one))
    earliest: dict[int, int] = dict.fromkeys(first, -1)
    queue = list(first)
    while queue:
        agent = queue.pop(0)
        for tick, other in by_agent.get(agent, []):
            if tick > earliest[agent] and tick < earliest.get(other, tick + 1):
                earliest[other] = tick
                queue.append(other)
    return set(earliest)


def spread(log: ArrayLike, size: int, first: Sequence[int], chance: float, seeds: int, random: np.random.Generator) -> Ints:
    """How many know at the end, in ``seeds`` independent simulations of susceptible-infected spreading on a log: (seeds,)."""
    knows: Any = np.zeros((seeds, size), np.bool_)
    knows[:, list(first)] = True
    for _, one, other in np.asarray(log, np.int64).reshape(-1, 3).tolist():
        passes = (knows[:, one] ^ knows[:, other]) & (random.random(seeds) < chance)
        knows[:, one] |= passes
        knows[:, other] |= passes
    return knows.sum(axis=1)


def expected_spread(size: int, contacts: int, chance: float, first: int = 1) -> float:
    """The mean number who know after ``contacts`` meetings of uniformly random pairs: exact, by the chain of births
    P(k -> k + 1) = chance * 2 k (size - k) / (size (size - 1))."""
    at = np.zeros(size + 1)
    at[first] = 1.0
    known = np.arange(size + 1)
    birth = chance * 2.0 * known * (size - known) / (size * (size - 1.0))
    for _ in range(contacts):
        moved = at * birth
        at = at - moved
        at[1:] += moved[:-1]
    return float((at * known).sum())
