"""Reflection when enough of weight has happened: questions, memories for each, insights with their evidence.

As in Generative Agents (arXiv 2304.03442, section 4.2): a counter falls from ``trigger`` by the importance of each new perception; at 0 or
below three questions are asked of the newest memories, 30 memories come to mind for each, and up to five insights are kept as thoughts
that cite the memories they were drawn from. Then the counter is full again. Insights may cite insights.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.errors import UsageError
from sociarium.minds.language.asking import Asking
from sociarium.minds.language.component import Focus
from sociarium.minds.language.memory import Memory
from sociarium.minds.language.reflect import Thinker
from sociarium.minds.language.retrieval import Kind

Ints = NDArray[np.int64]


class Reflection(Thinker):
    """In the form ``text`` each question has one insight, which cites all that came to mind.

    ``counts``: kinds of memories whose importance the counter falls by. ``recent``: the newest memories that questions are asked of (the
    paper: 100). ``questions``, ``top`` and ``insights``: how many, and how many memories for each question."""

    def __init__(
        self,
        *,
        trigger: float = 150.0,
        counts: tuple[Kind, ...] = (Kind.EVENT,),
        recent: int = 100,
        questions: int = 3,
        top: int = 30,
        insights: int = 5,
        name: str = "reflection",
        **settings: Any,
    ) -> None:
        super().__init__(name=name, **settings)
        if trigger <= 0 or min(recent, questions, top, insights) < 1:
            raise UsageError("Reflection: trigger, recent, questions, top and insights must be above 0")
        self.trigger, self.recent, self.questions, self.top, self.insights = float(trigger), recent, questions, top, insights
        self.counts = [int(kind) for kind in counts]
        self.left: dict[int, float] = {}  # what is left of the counter
        self.counted: dict[int, int] = {}  # how many of its memories an agent has counted
        self.times: dict[int, int] = {}  # how often it has reflected

    def tell(self, asking: Asking) -> bool:
        """Count what is new; whether it is time to reflect. A memory without a score waits, and all after it."""
        stream, agent = self.memory.stream, asking.agent
        new = stream.of(agent)[self.counted.get(agent, 0) :]
        new_kinds, scores = np.isin(stream["kind"][new], self.counts), stream["importance"][new]
        waiting = np.flatnonzero(new_kinds & np.isnan(scores))
        ready = int(waiting[0]) if len(waiting) else len(new)
        weight = float(scores[:ready][new_kinds[:ready]].astype(np.float64).sum())
        self.counted[agent] = self.counted.get(agent, 0) + ready
        self.left[agent] = self.left.get(agent, self.trigger) - weight
        return self.left[agent] <= 0

    async def think(self, asking: Asking) -> None:
        if not self.due(asking) or not self.tell(asking):
            return
        self.left[asking.agent] = self.trigger
        self.times[asking.agent] = self.times.get(asking.agent, 0) + 1
        memory = self.memory
        rows = memory.live(asking)
        rows = rows[memory.stream["kind"][rows] != Kind.CHAT]
        if not len(rows):
            return
        asked = self.mind.prompts["questions"].render(memories=memory.shown(rows[-self.recent :]), count=self.questions)
        found = await self.question(asking, f"{self.name}:questions", asked, "questions")
        questions = (
            [one.strip() for one in cast("list[Any]", found or []) if isinstance(one, str) and one.strip()]
            if isinstance(found, list)
            else []
        )
        for number, question in enumerate(questions[: self.questions]):
            await self._conclude(asking, memory, question, f"{self.name}:{number}")

    async def _conclude(self, asking: Asking, memory: Memory, question: str, label: str) -> None:
        """Insights from what comes to mind on one question. What cites no memory that was shown is no insight."""
        rows = await memory.recall(asking, Focus((question,), self.top), f"{label}:recall")
        if not len(rows):
            return
        if self.form == "text":
            asked = self.mind.prompts["insight"].render(memories=memory.shown(rows), question=question)
            self.think_that(asking, await self.question(asking, label, asked, "insight"), evidence=rows)
            return
        prompt = self.mind.prompts["evidence"]
        head = await asking.context(Focus(top=0), self.uses)
        blocks = (*head, *prompt.render(memories=memory.shown(rows, numbered=True), question=question, count=self.insights))
        reply = await asking.ask(label, blocks, schema=self._schema(len(rows)), sampling=self.sampling)
        value = reply.fields.get("insights")
        if not isinstance(value, list):
            asking.trouble(reply, label)
            return
        for one in cast("list[Any]", value)[: self.insights]:
            insight = cast("dict[str, Any]", one) if isinstance(one, dict) else {}
            cited = cast("list[Any]", because) if isinstance(because := insight.get("because"), list) else []
            known = [n for n in cited if isinstance(n, int) and not isinstance(n, bool) and 1 <= n <= len(rows)]
            if known:
                self.think_that(asking, insight.get("insight"), evidence=rows[np.array(sorted(set(known))) - 1])

    def _schema(self, rows: int) -> dict[str, Any]:
        because = {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": rows}, "minItems": 1, "maxItems": 5}
        properties = {"insight": {"type": "string", "maxLength": 300}, "because": because}
        insight = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
        insights = {"type": "array", "items": insight, "minItems": 1, "maxItems": self.insights}
        return {"type": "object", "properties": {"insights": insights}, "required": ["insights"], "additionalProperties": False}

    def state(self) -> dict[str, Any]:
        agents = sorted({*self.left, *self.times})
        return {
            "agents": np.array(agents, np.int64),
            "left": np.array([self.left.get(agent, self.trigger) for agent in agents]),
            "counted": np.array([self.counted.get(agent, 0) for agent in agents], np.int64),
            "times": np.array([self.times.get(agent, 0) for agent in agents], np.int64),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        agents = [int(agent) for agent in state["agents"]] if state else []
        columns = (self.left, self.counted, self.times)
        for column, name in zip(columns, ("left", "counted", "times"), strict=True):
            column.clear()
            column.update(zip(agents, np.asarray(state[name]).tolist(), strict=True) if agents else ())
