"""The language mind: each agent's turn is a coroutine over an ordered list of components; thousands are in flight.

A turn with something on offer is answered by the first decider that it suits; in any other turn every component thinks, in order.
Results are put together in the order of the agents, never in the order in which replies arrived.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.actions import Actions
from sociarium.kernel.environment import News
from sociarium.kernel.errors import UsageError
from sociarium.kernel.mind import Mind
from sociarium.kernel.outcomes import Status
from sociarium.kernel.turn import Observations, Turn
from sociarium.kernel.world import World
from sociarium.minds.language.asking import Asking, together
from sociarium.minds.language.component import Component, Decider, Decision
from sociarium.minds.prompts import PromptPack
from sociarium.models.request import Sampling

AgentIds = NDArray[np.int64]


class LanguageMind(Mind):
    """A mind for agents of one or several kinds.

    ``routes`` leads names of routes to the routes of the model service (``{"framework": "default"}``). An agent's own route is
    in the population's ``route`` column, where there is one and it is not empty; else it is ``default``.
    """

    paced = True
    hears = True
    keeps = True

    def __init__(
        self,
        components: Sequence[Component],
        prompts: PromptPack,
        *,
        sampling: Sampling | None = None,
        routes: Mapping[str, str] | None = None,
    ) -> None:
        self.components = list(components)
        self.prompts = prompts
        self.sampling = sampling or Sampling()
        self.routes = dict(routes or {})
        names = [component.name for component in self.components]
        for name in names:
            if names.count(name) > 1:
                raise UsageError(f"two components of a language mind are called {name!r}; give one of them another name")

    def begin(self, world: World) -> None:
        self.world = world
        for component in self.components:
            component.begin(self)

    def admit(self, agents: AgentIds) -> None:
        for component in self.components:
            component.admit(agents)

    def component(self, name: str) -> Component:
        for component in self.components:
            if component.name == name:
                return component
        known = ", ".join(component.name for component in self.components)
        raise UsageError(f"this language mind has no component {name!r}; it has {known or 'none'}")

    async def decide(self, turn: Turn, seen: Observations) -> Actions:
        kinds = self.world.population
        askings = [Asking(self, turn, seen, row, int(agent), kinds.kind_of(int(agent))) for row, agent in enumerate(turn.agents)]
        decisions: list[Decision] = await together([self._turn_of(asking) for asking in askings])
        return gathered(turn, decisions)

    def notice(self, events: Sequence[News]) -> None:
        for component in self.components:
            component.hear(events)

    def route(self, wanted: str, agent: int) -> str:
        """The route of a question: what it asks for, else the agent's own, else ``default``; by ``routes`` to the service's name."""
        own = wanted or self.text_of(agent, "route") or "default"
        return self.routes.get(own, own)

    def name_of(self, agent: int) -> str:
        """An agent's name, for prompts: its ``name`` column, else its kind and id. -1 is the world, and has none."""
        return "" if agent < 0 else self.text_of(agent, "name") or f"{self.world.population.kind_of(agent)} {agent}"

    def text_of(self, agent: int, column: str) -> str:
        """A text of the agent's row; empty where its table has no such column."""
        population = self.world.population
        table = population[population.kind_of(agent)]
        return str(table[column][int(population.row_of(np.array([agent]))[0])]) if column in table else ""

    def named(self, agents: AgentIds) -> dict[str, int]:
        """Ids by name, of those among ``agents``; a name that two of them share is left out."""
        names = [self.name_of(int(agent)) for agent in agents]
        return {name: int(agent) for name, agent in zip(names, agents, strict=True) if names.count(name) == 1}

    def company(self, agent: int) -> AgentIds:
        """All who are present in the world of this agent, and of its kind, itself too."""
        population = self.world.population
        ids = population.ids(population.kind_of(agent))
        return ids[population.get(ids, "group") == population.get(np.array([agent]), "group")[0]]

    def state(self) -> dict[str, Any]:
        return {component.name: state for component in self.components if (state := component.state())}

    def load(self, state: Mapping[str, Any]) -> None:
        for component in self.components:
            component.load(state.get(component.name, {}))

    async def _turn_of(self, asking: Asking) -> Decision:
        if not asking.turn.offers:
            for component in self.components:
                await component.think(asking)
            status, reason = max(asking.troubles, default=(Status.OK, ""))
            return Decision(status=status, reason=reason)
        for component in self.components:
            if isinstance(component, Decider) and component.answers(asking):
                return await component.decide(asking)
        offered = ", ".join(spec.full for spec in asking.turn.offers)
        raise UsageError(
            f"no component of this language mind answers {offered} in phase {asking.turn.phase.name!r} for agents of kind {asking.kind!r}; "
            "add a decider, or let its actions, phases and kinds include these"
        )


def gathered(turn: Turn, decisions: Sequence[Decision]) -> Actions:
    """One table an action, rows in the order of the turn's agents; outcomes marked."""
    actions = Actions()
    tables: dict[str, tuple[list[int], list[dict[str, Any]]]] = {}
    for row, decision in enumerate(decisions):
        for name, arguments in decision.actions:
            agents, rows = tables.setdefault(turn.offer(name).full, ([], []))
            agents.append(int(turn.agents[row]))
            rows.append(arguments)
        if decision.status != Status.OK or decision.fallback:
            actions.mark(turn, row, decision.status, decision.reason, fallback=decision.fallback)
    for name in sorted(tables):
        agents, rows = tables[name]
        columns = {key: column([row[key] for row in rows], argument.dtype) for key, argument in turn.offer(name).arguments.items()}
        actions.add(turn, name, np.array(agents, np.int64), **columns)
    return actions


def column(values: list[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Values of one argument as a column; text stays text of any length."""
    if dtype.kind != "O":
        return np.array(values, dtype)
    out = np.empty(len(values), object)
    out[:] = values
    return out
