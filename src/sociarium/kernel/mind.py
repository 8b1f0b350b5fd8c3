"""Who decides. A mind decides for a batch of agents at once; the population's ``mind`` column says which mind an agent has."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.actions import Actions, merged
from sociarium.kernel.environment import News
from sociarium.kernel.errors import UsageError
from sociarium.kernel.turn import Observations, Turn

if TYPE_CHECKING:
    from sociarium.kernel.world import World

AgentIds = NDArray[np.int64]


@dataclass(slots=True)
class Transitions:
    """What a mind may learn from at the end of a tick: summed rewards, in agent order."""

    tick: int
    agents: AgentIds
    rewards: NDArray[np.float64]


class Mind:
    """The base of all minds. ``paced``: waits for something outside, so each lane goes at its own pace. ``hears``: wants news.
    ``keeps``: the outcome of each of its agent-turns is stored as a row of its own."""

    paced: bool = False
    hears: bool = False
    keeps: bool = False

    def begin(self, world: World) -> None:
        """Called once, when the simulation is built."""

    def admit(self, agents: AgentIds) -> None:
        """Agents that have come to this mind."""

    async def decide(self, turn: Turn, seen: Observations) -> Actions:
        """From observations to actions. ``turn.ask`` reaches a model, ``turn.random`` draws."""
        raise NotImplementedError(type(self).__name__)

    def notice(self, events: Sequence[News]) -> None:
        """What these agents perceive. It only stores: thinking takes a turn."""

    def learn(self, steps: Transitions) -> None:
        """Rewards, at the end of the tick."""

    def state(self) -> dict[str, Any]:
        return {}

    def load(self, state: Mapping[str, Any]) -> None:
        """The inverse of ``state``."""


def told_to(news: News, recipients: Sequence[AgentIds]) -> News | None:
    """The rows of the news that somebody hears; None where nobody hears any."""
    keep = np.fromiter((len(who) > 0 for who in recipients), np.bool_, len(recipients))
    if not keep.any():
        return None
    if keep.all():
        return replace(news, recipients=list(recipients))
    data = {name: column[keep] for name, column in news.data.items()}
    kept = [who for who in recipients if len(who)]
    return replace(news, actors=news.actors[keep], groups=news.groups[keep], data=data, recipients=kept)


class Minds:
    """All minds of a run, and the routing between them."""

    def __init__(self, minds: Sequence[Mind], world: World) -> None:
        if not minds:
            raise UsageError("a simulation needs at least one mind")
        self.all = list(minds)
        self.world = world
        self.hearers: AgentIds = np.empty(0, np.int64)  # agents whose mind hears, ascending, as the phase began
        self._told: NDArray[np.int16] = np.empty(0, np.int16)  # the mind that each agent was handed to
        for mind in self.all:
            mind.begin(world)
        self.settle()

    def settle(self) -> None:
        """Hand agents to the minds they have come to: newcomers, and those whose mind was changed. Called as each phase begins."""
        if len(self.all) > 1 or len(self._told) != len(self.world.population):
            self._hand_over()
        parts = [self.of(number) for number, mind in enumerate(self.all) if mind.hears]
        self.hearers = np.sort(np.concatenate(parts)) if parts else np.empty(0, np.int64)

    def loaded(self) -> None:
        """After ``load``: the minds have their agents already."""
        self._told = self._now()
        self.settle()

    def _hand_over(self) -> None:
        now = self._now()
        if len(now) != len(self._told) or not np.array_equal(now, self._told):
            new = np.ones(len(now), np.bool_)
            new[: len(self._told)] = now[: len(self._told)] != self._told
            for number, mind in enumerate(self.all):
                if len(mine := np.flatnonzero(new & (now == number))):
                    mind.admit(mine)
        self._told = now

    def _now(self) -> NDArray[np.int16]:
        population = self.world.population
        if len(self.all) == 1:
            return np.broadcast_to(np.int16(0), len(population))
        now = np.array(population.get(population.ids(present=False), "mind"), np.int16)
        if len(now) and (now.min() < 0 or now.max() >= len(self.all)):
            raise UsageError(f"the mind column names minds {now.min()} to {now.max()}; this simulation has 0 to {len(self.all) - 1}")
        return now

    def of(self, number: int) -> AgentIds:
        """The agents that have this mind, in order of id."""
        ids = self.world.population.ids()
        return ids if len(self.all) == 1 else ids[self.world.population.get(ids, "mind") == number]

    def numbers(self, agents: AgentIds) -> NDArray[np.int16]:
        """The number of each agent's mind."""
        if len(self.all) == 1:
            return np.broadcast_to(np.int16(0), len(agents))
        return self.world.population.get(agents, "mind")

    async def decide(self, turn: Turn, seen: Observations) -> Actions:
        """Each mind decides for its own agents, all at the same time; the result is in agent order."""
        if len(self.all) == 1:
            return await self.all[0].decide(turn, seen)
        numbers = self.numbers(turn.agents)
        present = np.flatnonzero(np.bincount(numbers, minlength=len(self.all)))
        if len(present) == 1:
            return await self.all[int(present[0])].decide(turn, seen)
        masks = [numbers == number for number in present]
        turns = [turn.part(mask) for mask in masks]
        parts = [seen.part(mask, part) for mask, part in zip(masks, turns, strict=True)]
        calls = [self.all[int(n)].decide(t, s) for n, t, s in zip(present, turns, parts, strict=True)]
        decided = await asyncio.gather(*calls, return_exceptions=True)
        for answer in decided:  # all have ended, so that no paid reply is left behind
            if isinstance(answer, BaseException):
                raise answer
        return merged(list(zip(turns, [a for a in decided if isinstance(a, Actions)], strict=True)), turn)

    def notice(self, events: Sequence[News]) -> None:
        """Tell each mind that hears what its own agents may know."""
        for number, mind in enumerate(self.all):
            if mind.hears and (own := [news for news in (self._for(number, news) for news in events) if news is not None]):
                mind.notice(own)

    def learn(self, steps: Transitions) -> None:
        numbers = self.numbers(steps.agents)
        for number, mind in enumerate(self.all):
            mine = numbers == number
            if mine.any():
                mind.learn(Transitions(steps.tick, steps.agents[mine], steps.rewards[mine]))

    def _for(self, number: int, news: News) -> News | None:
        if news.recipients is None or len(self.all) == 1:
            return news
        mine: dict[int, AgentIds] = {}  # rows mostly share one array of recipients
        for who in news.recipients:
            if id(who) not in mine:
                mine[id(who)] = who[self.numbers(who) == number]
        return told_to(news, [mine[id(who)] for who in news.recipients])
