"""Thinking in inner turns: scoring what was stored, insights from what comes to mind, thoughts after a talk."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.content import Content
from sociarium.kernel.errors import UsageError
from sociarium.kernel.units import DAY
from sociarium.minds.language.asking import Asking
from sociarium.minds.language.component import Component, Focus
from sociarium.minds.language.memory import Memory
from sociarium.minds.language.retrieval import NEVER, Kind
from sociarium.minds.language.stream import Memory as Remembered
from sociarium.models.request import Reply, Sampling

Ints = NDArray[np.int64]

DAYS = 63.0  # how long a thought is kept (Piatti et al. 2024)


class Thinker(Component):
    """The base of what thinks: it needs a memory, and asks in some phases only (all, when empty)."""

    def __init__(
        self,
        *,
        name: str,
        phases: tuple[str, ...] = (),
        memory: str = "memory",
        uses: tuple[str, ...] = ("rules", "persona"),
        sampling: Sampling | None = None,
        days: float | None = DAYS,
    ) -> None:
        self.name = name
        self.phases = phases
        self.memory_name = memory
        self.uses = uses
        self.sampling = sampling
        self.days = days

    @property
    def memory(self) -> Memory:
        found = self.mind.component(self.memory_name)
        if not isinstance(found, Memory):
            raise UsageError(f"{self.name} needs a memory; the component {self.memory_name!r} is none")
        return found

    def due(self, asking: Asking) -> bool:
        return not asking.probe and (not self.phases or asking.turn.phase.name in self.phases)

    async def question(self, asking: Asking, label: str, blocks: Content, prompt: str) -> Any:
        """The value under the prompt's one reply field; None (and noted) where the reply is no use."""
        given = self.mind.prompts[prompt]
        head = await asking.context(Focus(top=0), self.uses)
        reply: Reply = await asking.ask(label, (*head, *blocks), schema=given.reply, sampling=self.sampling)
        if not reply.fields:
            asking.trouble(reply, label)
            return None
        return next(iter(reply.fields.values()))

    def think_that(self, asking: Asking, thought: Any, importance: float | None = None, evidence: Ints | None = None) -> int:
        """Remember the agent's own words as a thought, drawn from ``evidence``; its row, -1 where there is none."""
        if not isinstance(thought, str) or not thought.strip():
            return -1
        until = NEVER if self.days is None else asking.turn.time + round(self.days * DAY)
        thought = Remembered(Kind.THOUGHT, thought.strip(), importance, until_time=until, author=asking.agent)
        return self.memory.remember(asking, thought, evidence)


class Importance(Thinker):
    """Asks a score from 1 to 10 for each memory of the agent that has none. It comes before what retrieves."""

    def __init__(self, *, name: str = "importance", prompt: str = "importance", alike: bool = False, **settings: Any) -> None:
        super().__init__(name=name, **settings)
        self.prompt = prompt
        self.alike = alike

    async def think(self, asking: Asking) -> None:
        if not self.due(asking):
            return
        await self.score(asking)

    async def score(self, asking: Asking) -> None:
        """Ask for all scores that are missing, at once. A text that this agent has had a score for is worth the same again."""
        memory, prompt = self.memory, self.mind.prompts[self.prompt]
        rows = self._unlike(memory.unscored_rows(asking), asking)
        if not len(rows):
            return
        head = await asking.context(Focus(top=0), self.uses)
        asked = [(*head, *prompt.render(memory=memory.shown(rows[at : at + 1]))) for at in range(len(rows))]
        requests = [asking.request(blocks, schema=prompt.reply, sampling=self.sampling) for blocks in asked]
        for row, reply in zip(rows, await asking.send_all(self.name, requests), strict=True):
            score = reply.fields.get("importance")
            if isinstance(score, int) and not isinstance(score, bool) and 1 <= score <= 10:
                memory.stream.set("importance", row, score)
            else:
                asking.trouble(reply, self.name)

    def _unlike(self, rows: Ints, asking: Asking) -> Ints:
        """Rows to ask about: those with a text of which the agent has no score yet, where ``alike`` lets scores be taken again."""
        if not self.alike or not len(rows):
            return rows
        stream, known = self.memory.stream, self.memory.live(asking)
        scored = known[~np.isnan(stream["importance"][known])]
        worth = dict(zip(stream["text"][scored], stream["importance"][scored].tolist(), strict=True))
        left: list[int] = []
        for row in rows.tolist():
            if (score := worth.get(stream["text"][row])) is None:
                left.append(row)
            else:
                stream.set("importance", np.array([row]), score)
        return np.array(left, np.int64)


class Reflect(Thinker):
    """Insights from the memories that come to mind on a question ("harvesting"), kept as thoughts."""

    def __init__(self, query: str, *, top: int = 10, name: str = "reflect", prompt: str = "insights", **settings: Any) -> None:
        super().__init__(name=name, **settings)
        self.query, self.top, self.prompt = query, top, prompt

    async def think(self, asking: Asking) -> None:
        if not self.due(asking):
            return
        memory = self.memory
        rows = await memory.recall(asking, Focus((self.query,), self.top), f"{self.name}:recall")
        if not len(rows):
            return
        blocks = self.mind.prompts[self.prompt].render(memories=memory.shown(rows), query=self.query)
        insights = await self.question(asking, self.name, blocks, self.prompt)
        for insight in cast("list[Any]", insights) if isinstance(insights, list) else []:
            self.think_that(asking, insight)


class Afterthoughts(Thinker):
    """After a talk: one thought a prompt (what to plan for, what was interesting), from what the agent heard said in this tick."""

    def __init__(self, prompts: tuple[str, ...] = ("planning", "interesting"), *, name: str = "afterthoughts", **settings: Any) -> None:
        super().__init__(name=name, **settings)
        self.prompts = prompts

    async def think(self, asking: Asking) -> None:
        memory = self.memory
        talk = memory.talk(asking)
        if not self.due(asking) or not len(talk):
            return
        for prompt in self.prompts:
            blocks = self.mind.prompts[prompt].render(talk=memory.shown(talk))
            self.think_that(asking, await self.question(asking, f"{self.name}:{prompt}", blocks, prompt))
