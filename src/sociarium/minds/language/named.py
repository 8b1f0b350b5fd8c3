"""A prompt that a column of the population names: the role of each kind of account, a text that some have been primed with.

An operator changes it in the course of a run: ``population.set`` with the column, some agents, and the prompt's name.
"""

from __future__ import annotations

from sociarium.kernel.content import Content
from sociarium.minds.language.asking import Asking
from sociarium.minds.language.component import Component, Focus


class NamedPrompt(Component):
    """``column`` holds the name of a prompt without its ``prefix``; empty for agents who have none."""

    def __init__(self, column: str, *, prefix: str, name: str = "") -> None:
        self.name, self.column, self.prefix = name or column, column, prefix

    async def context(self, asking: Asking, focus: Focus) -> Content:
        chosen = self.mind.text_of(asking.agent, self.column)
        return self.mind.prompts[self.prefix + chosen].render() if chosen else ()
