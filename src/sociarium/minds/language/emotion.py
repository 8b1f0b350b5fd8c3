"""What an agent feels: six numbers, a word and a thought, asked when something new is remembered (see ``environments.emotions``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sociarium.environments.emotions.levels import AGENTSOCIETY, WORDS, EmotionRules, begun, faded, stirred
from sociarium.kernel.content import Content, said
from sociarium.minds.language.asking import Asking
from sociarium.minds.language.component import AgentIds, Focus
from sociarium.minds.language.reflect import Thinker


class Emotion(Thinker):
    """``rules``: with ``whole`` numbers the model says how strong each emotion now is; else it says how far each is stirred, which is
    added by the rules' stimulus after they have faded. ``last``: newest memories that are shown. Contagion is the world's part: where it
    matters let ``environments.emotions`` hold the levels.
    """

    def __init__(self, rules: EmotionRules = AGENTSOCIETY, *, last: int = 10, name: str = "emotion", **settings: Any) -> None:
        super().__init__(name=name, **settings)
        self.rules, self.last = rules, last
        self.levels = begun(0, rules)  # (agents, emotions), by id
        self.words: dict[int, str] = {}
        self.thoughts: dict[int, str] = {}
        self._heeded: dict[int, int] = {}  # how many memories an agent had when it was last asked
        self._schema = _schema(rules)

    def admit(self, agents: AgentIds) -> None:
        more = int(agents.max(initial=-1)) + 1 - len(self.levels)
        if more > 0:
            self.levels = np.concatenate([self.levels, begun(more, self.rules)])
        self.levels[agents] = begun(len(agents), self.rules)

    async def context(self, asking: Asking, focus: Focus) -> Content:
        levels = ", ".join(f"{name} {level:.3g}" for name, level in zip(self.rules.names, self.levels[asking.agent].tolist(), strict=True))
        values = {"levels": levels, "high": f"{self.rules.high:g}", "word": self.words.get(asking.agent, self.rules.word) or None}
        blocks = self.mind.prompts["emotion"].render(values)
        thought = self.thoughts.get(asking.agent)
        return (*blocks, said(thought, asking.name)) if thought else blocks

    async def think(self, asking: Asking) -> None:
        rows, ever = self.memory.live(asking), len(self.memory.stream.of(asking.agent))
        if not self.due(asking) or not len(rows) or ever == self._heeded.get(asking.agent):
            return
        self._heeded[asking.agent] = ever
        self.levels[asking.agent] = faded(self.levels[asking.agent], self.rules)
        asked = self.mind.prompts["feel" if self.rules.whole else "stirred"]
        head = await asking.context(Focus(top=0), (*self.uses, self.name))
        blocks = (*head, *asked.render(memories=self.memory.shown(rows[-self.last :]), high=f"{self.rules.high:g}"))
        reply = await asking.ask(self.name, blocks, schema=self._schema, sampling=self.sampling)
        value = reply.fields
        given: list[Any] = [value.get(name) for name in self.rules.names]
        if not all(_number(one) and self.rules.low <= one <= self.rules.high for one in given):
            asking.trouble(reply, self.name)
            return
        numbers = np.array(given, np.float64)
        self.levels[asking.agent] = numbers if self.rules.whole else stirred(self.levels[asking.agent], numbers, self.rules)
        if value.get("word") in WORDS:
            self.words[asking.agent] = str(value["word"])
        if isinstance(value.get("thought"), str) and value["thought"].strip():
            self.thoughts[asking.agent] = value["thought"].strip()

    def state(self) -> dict[str, Any]:
        agents = sorted({*self.words, *self.thoughts, *self._heeded})
        texts = np.empty((len(agents), 2), object)
        for row, agent in enumerate(agents):
            texts[row] = (self.words.get(agent, ""), self.thoughts.get(agent, ""))
        heeded = np.array([self._heeded.get(agent, -1) for agent in agents], np.int64)
        return {"levels": self.levels.copy(), "agents": np.array(agents, np.int64), "texts": texts.reshape(-1), "heeded": heeded}

    def load(self, state: Mapping[str, Any]) -> None:
        if not state:
            return
        self.levels = np.array(state["levels"], np.float64).reshape(-1, len(self.rules.names))
        agents, texts = [int(agent) for agent in state["agents"]], list(state["texts"])
        self.words = {a: str(t) for a, t in zip(agents, texts[::2], strict=True) if t}
        self.thoughts = {a: str(t) for a, t in zip(agents, texts[1::2], strict=True) if t}
        self._heeded = {a: int(n) for a, n in zip(agents, state["heeded"], strict=True) if n >= 0}


def _schema(rules: EmotionRules) -> dict[str, Any]:
    level = {"type": "integer" if rules.whole else "number", "minimum": int(rules.low) if rules.whole else rules.low}
    level["maximum"] = int(rules.high) if rules.whole else rules.high
    properties: dict[str, Any] = dict.fromkeys(rules.names, level)
    if rules.word:
        properties |= {"word": {"type": "string", "enum": list(WORDS)}, "thought": {"type": "string", "maxLength": 300}}
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
