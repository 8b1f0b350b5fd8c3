"""What two are to each other, as one of them sees it: a sentence and a closeness from 0 to 10, kept and made anew after talks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sociarium.kernel.content import Content, said
from sociarium.minds.language.asking import Asking
from sociarium.minds.language.component import Focus
from sociarium.minds.language.reflect import Thinker

STRANGERS = 0
UNSAID = -1


class Relationships(Thinker):
    """``top``: memories that come to mind on the other's name (Generative Agents takes 50). One view an ordered pair. In the form ``text``
    only the sentence is asked for: how close two are is then ``UNSAID``."""

    def __init__(self, *, top: int = 50, name: str = "relationships", **settings: Any) -> None:
        super().__init__(name=name, **settings)
        self.top = top
        self.views: dict[tuple[int, int], tuple[str, int]] = {}  # (agent, other) -> sentence, closeness

    def view(self, agent: int, other: int) -> tuple[str, int]:
        """How one sees the other; an empty sentence and 0 of strangers."""
        return self.views.get((agent, other), ("", STRANGERS))

    def set(self, agent: int, other: int, summary: str, closeness: int) -> None:
        """What is known from the start, or decided elsewhere."""
        self.views[agent, other] = (summary, min(10, max(UNSAID, int(closeness))))

    def shown(self, asking: Asking, other: int) -> Content:
        """The view in words; nothing of strangers."""
        summary, closeness = self.view(asking.agent, other)
        if not summary:
            return ()
        values = {
            "other": self.mind.name_of(other),
            "closeness": None if closeness == UNSAID else closeness,
            "summary": said(summary, asking.name),
        }
        return self.mind.prompts["relation"].render(values)

    async def update(self, asking: Asking, other: int) -> str:
        """Ask anew, from what comes to mind on the other's name. Where nothing does, nothing is asked. The sentence, also in a probe."""
        name, label = self.mind.name_of(other), f"{self.name}:{other}"
        rows = await self.memory.recall(asking, Focus((name,), self.top), f"{label}:recall")
        if not len(rows):
            return self.view(asking.agent, other)[0]
        if self.form == "text":
            asked = self.mind.prompts["relationship_text"].render(memories=self.memory.shown(rows), other=name)
            sentence = await self.question(asking, label, asked, "relationship_text")
            if isinstance(sentence, str) and not asking.probe:
                self.set(asking.agent, other, sentence, UNSAID)
            return sentence if isinstance(sentence, str) else self.view(asking.agent, other)[0]
        prompt = self.mind.prompts["relationship"]
        head = await asking.context(Focus(top=0), self.uses)
        blocks = (*head, *prompt.render(memories=self.memory.shown(rows), other=name))
        reply = await asking.ask(label, blocks, schema=prompt.reply, sampling=self.sampling)
        value = reply.fields
        summary, closeness = value.get("relationship"), value.get("closeness")
        if not isinstance(summary, str) or not isinstance(closeness, int) or isinstance(closeness, bool):
            asking.trouble(reply, label)
            return self.view(asking.agent, other)[0]
        if not asking.probe:
            self.set(asking.agent, other, summary.strip(), closeness)
        return summary.strip()

    def state(self) -> dict[str, Any]:
        pairs, texts = sorted(self.views), np.empty(len(self.views), object)
        texts[:] = [self.views[pair][0] for pair in pairs]
        return {
            "pairs": np.array(pairs, np.int64).reshape(-1, 2),
            "summaries": texts,
            "closeness": np.array([self.views[pair][1] for pair in pairs], np.int64),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        self.views = {}
        if state:
            for (a, b), text, close in zip(np.asarray(state["pairs"]).tolist(), state["summaries"], state["closeness"], strict=True):
                self.views[int(a), int(b)] = (str(text), int(close))
