"""What an agent thinks of things: an attitude from 0 to 10 on each topic, its opinion in words and the reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sociarium.kernel.content import Block, Content, said
from sociarium.kernel.errors import UsageError
from sociarium.kernel.units import DAY
from sociarium.minds.attitudes import MIDDLE
from sociarium.minds.language.asking import Asking
from sociarium.minds.language.component import AgentIds, Focus
from sociarium.minds.language.reflect import Thinker


class Beliefs(Thinker):
    """Attitudes by topic, thought over anew at most once in ``days_between`` simulated days, from the ``top`` memories on the topic.

    ``start``: the first attitude on every topic, a population column (one for all topics) or a number. Nothing is asked of who
    remembers nothing of a topic.
    """

    def __init__(
        self,
        topics: Sequence[str],
        *,
        start: float | str = MIDDLE,
        days_between: float = 1.0,
        top: int = 10,
        name: str = "beliefs",
        **settings: Any,
    ) -> None:
        super().__init__(name=name, **settings)
        if not topics or len(set(topics)) != len(topics):
            raise UsageError(f"beliefs need one topic or more, each once, not {list(topics)}")
        self.topics, self.start, self.top = tuple(topics), start, top
        self.between = round(days_between * DAY)
        self.attitudes = np.empty((0, len(self.topics)))  # (agents, topics), by id
        self.words: dict[tuple[int, int], tuple[str, str]] = {}  # (agent, topic) -> opinion, reason
        self._asked: dict[int, int] = {}  # when, microseconds

    def admit(self, agents: AgentIds) -> None:
        more = int(agents.max(initial=-1)) + 1 - len(self.attitudes)
        if more > 0:
            self.attitudes = np.concatenate([self.attitudes, np.full((more, len(self.topics)), MIDDLE)])
        first: Any = self.mind.world.population.get(agents, self.start) if isinstance(self.start, str) else self.start
        self.attitudes[agents] = np.broadcast_to(np.asarray(first, np.float64), agents.shape)[:, None]

    async def context(self, asking: Asking, focus: Focus) -> Content:
        prompt, blocks = self.mind.prompts["belief"], list[Block]()
        for number, topic in enumerate(self.topics):
            opinion, reason = self.words.get((asking.agent, number), ("", ""))
            own = said(f"{opinion} {reason}".strip(), asking.name) if opinion else None
            blocks += prompt.render(topic=topic, attitude=f"{self.attitudes[asking.agent, number]:.3g}", opinion=own)
        return tuple(blocks)

    async def think(self, asking: Asking) -> None:
        last = self._asked.get(asking.agent)
        if not self.due(asking) or (last is not None and asking.turn.time - last < self.between):
            return
        self._asked[asking.agent] = asking.turn.time
        for number, topic in enumerate(self.topics):
            await self._think_of(asking, number, topic)

    async def _think_of(self, asking: Asking, number: int, topic: str) -> None:
        label, prompt = f"{self.name}:{number}", self.mind.prompts["attitude"]
        rows = await self.memory.recall(asking, Focus((topic,), self.top), f"{label}:recall")
        if not len(rows):
            return
        head = await asking.context(Focus(top=0), self.uses)
        own = self.mind.prompts["belief"].render(topic=topic, attitude=f"{self.attitudes[asking.agent, number]:.3g}", opinion=None)
        blocks = (*head, *own, *prompt.render(memories=self.memory.shown(rows), topic=topic))
        reply = await asking.ask(label, blocks, schema=prompt.reply, sampling=self.sampling)
        value = reply.fields
        attitude = value.get("attitude")
        if isinstance(attitude, bool) or not isinstance(attitude, int | float) or not 0 <= attitude <= 10:
            asking.trouble(reply, label)
            return
        self.attitudes[asking.agent, number] = attitude
        self.words[asking.agent, number] = (str(value.get("opinion", "")), str(value.get("reason", "")))

    def state(self) -> dict[str, Any]:
        keys, texts = sorted(self.words), np.empty(2 * len(self.words), object)
        for row, key in enumerate(keys):
            texts[2 * row], texts[2 * row + 1] = self.words[key]
        asked = np.array(sorted(self._asked.items()), np.int64).reshape(-1, 2)
        keyed = np.array(keys, np.int64).reshape(-1, 2)
        return {"attitudes": self.attitudes.copy(), "keys": keyed, "texts": texts, "asked": asked}

    def load(self, state: Mapping[str, Any]) -> None:
        if not state:
            return
        self.attitudes = np.array(state["attitudes"], np.float64).reshape(-1, len(self.topics))
        texts = [str(text) for text in state["texts"]]
        pairs = zip(texts[::2], texts[1::2], strict=True)
        self.words = {(int(a), int(t)): words for (a, t), words in zip(np.asarray(state["keys"]).tolist(), pairs, strict=True)}
        self._asked = {int(agent): int(time) for agent, time in np.asarray(state["asked"]).tolist()}
