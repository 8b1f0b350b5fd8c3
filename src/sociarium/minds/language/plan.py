"""A plan in a sentence or two: made in inner turns, kept as the agent's own, and shown to it until it makes another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sociarium.kernel.content import Content, said
from sociarium.minds.language.asking import Asking
from sociarium.minds.language.component import Focus
from sociarium.minds.language.reflect import Thinker


class Plan(Thinker):
    """The plan of each agent. ``query`` is what memories are sought by when it is made."""

    def __init__(self, query: str, *, top: int = 10, prompt: str = "plan", name: str = "plan", **settings: Any) -> None:
        super().__init__(name=name, **settings)
        self.query, self.top, self.prompt = query, top, prompt
        self.plans: dict[int, str] = {}

    async def context(self, asking: Asking, focus: Focus) -> Content:
        plan = self.plans.get(asking.agent, "")
        return self.mind.prompts["plan_shown"].render(plan=said(plan, asking.name)) if plan else ()

    async def think(self, asking: Asking) -> None:
        if not self.due(asking):
            return
        rows = await self.memory.recall(asking, Focus((self.query,), self.top), f"{self.name}:recall")
        blocks = self.mind.prompts[self.prompt].render(memories=self.memory.shown(rows), query=self.query)
        plan = await self.question(asking, self.name, blocks, self.prompt)
        if isinstance(plan, str) and plan.strip():
            self.plans[asking.agent] = plan.strip()

    def state(self) -> dict[str, Any]:
        agents = sorted(self.plans)
        texts = np.empty(len(agents), object)
        texts[:] = [self.plans[agent] for agent in agents]
        return {"agents": np.array(agents, np.int64), "plans": texts}

    def load(self, state: Mapping[str, Any]) -> None:
        self.plans = {int(a): str(t) for a, t in zip(state["agents"], state["plans"], strict=True)} if state else {}
