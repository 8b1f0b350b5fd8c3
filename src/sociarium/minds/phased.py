"""Another mind in another phase: a day's caution from a language model, a month's work by a rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sociarium.kernel.actions import Actions
from sociarium.kernel.environment import News
from sociarium.kernel.errors import UsageError
from sociarium.kernel.mind import AgentIds, Mind, Transitions
from sociarium.kernel.turn import Observations, Turn
from sociarium.kernel.world import World

OTHER = ""  # no phase has this name


class PhasedMind(Mind):
    """``minds`` by the name of a phase, or of the environment that leads it (its own name comes first). In any other phase ``other``
    decides; without one nobody does anything. One mind may serve several phases; all hear what their agents may know.

    ``who``: for a phase, a true/false column of the population; those for whom it is false are not asked there and do nothing.
    """

    def __init__(self, minds: Mapping[str, Mind], who: Mapping[str, str] | None = None, *, other: Mind | None = None) -> None:
        if not minds:
            raise UsageError("a phased mind needs a mind for at least one phase")
        if unknown := set(who or {}) - set(minds):
            raise UsageError(f"there is no mind for the phase {sorted(unknown)[0]!r}; there are minds for {', '.join(minds)}")
        self.minds, self.who = dict(minds), dict(who or {})
        self._named = self.minds if other is None else {**self.minds, OTHER: other}
        self._each = list({id(mind): mind for mind in self._named.values()}.values())
        self.paced = any(mind.paced for mind in self._each)
        self.hears = any(mind.hears for mind in self._each)
        self.keeps = any(mind.keeps for mind in self._each)

    def begin(self, world: World) -> None:
        self.world = world
        for mind in self._each:
            mind.begin(world)

    def admit(self, agents: AgentIds) -> None:
        for mind in self._each:
            mind.admit(agents)

    async def decide(self, turn: Turn, seen: Observations) -> Actions:
        mind = self._named.get(turn.phase.name) or self._named.get(turn.phase.lead) or self._named.get(OTHER)
        if mind is None:
            return Actions()
        if column := self.who.get(turn.phase.name):
            asked = np.asarray(self.world.population.get(turn.agents, column), np.bool_)
            if not asked.any():
                return Actions()
            if not asked.all():
                return await self._of_some(mind, turn, seen, asked)
        return await mind.decide(turn, seen)

    async def _of_some(self, mind: Mind, turn: Turn, seen: Observations, asked: Any) -> Actions:
        part = turn.part(asked)
        actions = await mind.decide(part, seen.part(asked, part))
        for name in ("status", "fallback"):
            if (column := getattr(actions, name)) is not None:
                whole = np.zeros(len(turn.agents), column.dtype)
                whole[asked] = column
                setattr(actions, name, whole)
        return actions

    def notice(self, events: Sequence[News]) -> None:
        for mind in self._each:
            if mind.hears:
                mind.notice(events)

    def learn(self, steps: Transitions) -> None:
        for mind in self._each:
            mind.learn(steps)

    def state(self) -> dict[str, Any]:
        """By the first phase of each mind."""
        first = {id(mind): name for name, mind in reversed(self._named.items())}
        return {first[id(mind)]: mind.state() for mind in self._each}

    def load(self, state: Mapping[str, Any]) -> None:
        for name, saved in state.items():
            self._named[name].load(saved)
