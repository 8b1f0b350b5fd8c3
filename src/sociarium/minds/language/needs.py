"""What an agent needs: satisfactions that fall with time, and the ladder that says which need rules (see ``minds.needs``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sociarium.kernel.content import Block, Content, Trust
from sociarium.kernel.units import DAY
from sociarium.minds.language.asking import Asking
from sociarium.minds.language.component import AgentIds, Component, Focus
from sociarium.minds.needs import LEVELS, Need, NeedColumns, NeedRules
from sociarium.models.request import Sampling

_LINES = {Need.HUNGRY: "hungry", Need.TIRED: "tired", Need.WORK: "work", Need.SAFE: "unsafe", Need.SOCIAL: "alone"}
LEVEL_OF = {Need.HUNGRY: 0, Need.TIRED: 1, Need.WORK: 2, Need.SAFE: 2, Need.SOCIAL: 3}


class Needs(Component):
    """The needs of a mind's agents. Deciders ask ``pursue`` what rules now and tell ``done`` when a plan is over.

    ``pursues``: whether inner turns ask what rules; False where a planner does it. ``works``: the population's column (true or false) of
    those who go to work, on ``workdays`` (0 is the first day of the week).
    """

    def __init__(
        self,
        rules: NeedRules | None = None,
        *,
        pursues: bool = True,
        works: str = "works",
        workdays: Sequence[int] = (0, 1, 2, 3, 4),
        prompt: str = "needs",
        sampling: Sampling | None = None,
        name: str = "needs",
    ) -> None:
        self.name = name
        self.columns = NeedColumns(rules)
        self.pursues = pursues
        self.works, self.workdays = works, frozenset(workdays)
        self.prompt = prompt
        self.sampling = sampling

    def admit(self, agents: AgentIds) -> None:
        self.columns.admit(agents, self.mind.world.clock.time)

    def pursue(self, asking: Asking) -> tuple[Need, bool]:
        """What rules this agent now, and whether that breaks off the plan it has."""
        if asking.probe:
            return Need(int(self.columns.pursued[asking.agent])), False
        agents, time = np.array([asking.agent]), asking.turn.time
        needs, broken = self.columns.pursue(agents, time, workday=self._workday(asking.agent, time))
        return Need(int(needs[0])), bool(broken[0])

    def done(self, asking: Asking) -> None:
        """The plan that this agent pursued is over."""
        if not asking.probe:
            self.columns.done(np.array([asking.agent]), asking.turn.time)

    async def settle(self, asking: Asking, need: Need, what: str) -> float | None:
        """Ask how well a need is satisfied after ``what`` was done, and keep the answer; None where it is no use, or of no such need."""
        if asking.probe or need not in LEVEL_OF:
            return None
        agents, level, prompt = np.array([asking.agent]), LEVEL_OF[need], self.mind.prompts["satisfaction"]
        before = float(self.columns.at(agents, asking.turn.time)[0, level])
        done = Block(what, origin=asking.name, trust=Trust.AGENT)
        blocks = (
            *await asking.context(Focus(top=0), ("rules", "persona")),
            *prompt.render(need=LEVELS[level], level=f"{before:.2f}", done=done),
        )
        reply = await asking.ask(f"{self.name}:settle", blocks, schema=prompt.reply, sampling=self.sampling)
        value = reply.fields.get("level")
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            asking.trouble(reply, self.name)
            return None
        self.columns.satisfy(agents, level, to=float(value), time=asking.turn.time)
        return float(value)

    async def context(self, asking: Asking, focus: Focus) -> Content:
        now = self.columns.at(np.array([asking.agent]), asking.turn.time)[0]
        values: dict[str, str | None] = {name: f"{level:.2f}" for name, level in zip(LEVELS, now.tolist(), strict=True)}
        pursued = Need(int(self.columns.pursued[asking.agent]))
        values |= {line: asking.name if pursued == need else None for need, line in _LINES.items()}
        blocks = self.mind.prompts[self.prompt].render(values)
        words = self.columns.instructions.get(asking.agent)
        return blocks if words is None else (*blocks, Block(words, origin="operator", trust=Trust.OUTSIDE))

    async def think(self, asking: Asking) -> None:
        if self.pursues:
            self.pursue(asking)

    def state(self) -> dict[str, Any]:
        return self.columns.state()

    def load(self, state: Mapping[str, Any]) -> None:
        self.columns.load(state)

    def _workday(self, agent: int, time: int) -> bool:
        population = self.mind.world.population
        table = population[population.kind_of(agent)]
        if self.works not in table or time // DAY % 7 not in self.workdays:
            return False
        return bool(table[self.works][int(population.row_of(np.array([agent]))[0])])
