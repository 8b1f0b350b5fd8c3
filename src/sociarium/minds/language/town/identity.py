"""Who one is and how things stand for one now: the persona, and what one has made of it since."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sociarium.kernel.content import Content, said
from sociarium.minds.language.asking import Asking
from sociarium.minds.language.component import Focus
from sociarium.minds.language.persona import Persona

REVISED = ("currently", "requirement")


class Identity(Persona):
    """The persona's columns (name, age, innate, learned, lifestyle), then ``currently`` and ``requirement`` (what one must do every day),
    which are the columns' until the agent writes them anew. What it wrote itself is shown as its own words."""

    def __init__(self, prompt: str = "identity", *, neutral: str = "persona_neutral", name: str = "persona") -> None:
        super().__init__(prompt, neutral=neutral, name=name)
        self.own: dict[int, dict[str, str]] = {}

    def revise(self, asking: Asking, column: str, words: str) -> None:
        """The agent's own words stand in the place of a column from now on. A probe revises nothing."""
        if not asking.probe and words.strip():
            self.own.setdefault(asking.agent, {})[column] = words.strip()

    def text(self, asking: Asking, column: str) -> str:
        """How ``currently`` or ``requirement`` reads now."""
        return self.own.get(asking.agent, {}).get(column) or self.mind.text_of(asking.agent, column)

    async def context(self, asking: Asking, focus: Focus) -> Content:
        own = self.own.get(asking.agent, {})
        prompt = self.mind.prompts[self.prompt]
        blocks = prompt.render({name: None if name in own else self._field(asking, name) for name in prompt.variables})
        for column in REVISED:
            if column in own:
                blocks += self.mind.prompts[f"own_{column}"].render({column: said(own[column], asking.name)})
        return blocks

    async def first(self, asking: Asking) -> Content:
        """Who one was in the beginning: without what one has written since."""
        return await super().context(asking, Focus(top=0))

    def state(self) -> dict[str, Any]:
        return {str(agent): dict(self.own[agent]) for agent in sorted(self.own)}

    def load(self, state: Mapping[str, Any]) -> None:
        self.own = {int(agent): {str(k): str(v) for k, v in own.items()} for agent, own in state.items()}
