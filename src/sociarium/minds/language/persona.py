"""What is always true for an agent: the rules of its world, and who it is."""

from __future__ import annotations

from typing import Any

import numpy as np

from sociarium.kernel.content import Block, Content
from sociarium.kernel.errors import UsageError
from sociarium.kernel.population import Visibility
from sociarium.minds.language.asking import Asking
from sociarium.minds.language.component import Component, Focus
from sociarium.minds.prompts import Value


class Rules(Component):
    """The rules of the scenario, shared by all, and how words of others are marked. ``values`` fill the prompt's variables."""

    def __init__(self, prompt: str = "rules", *, name: str = "rules", kinds: tuple[str, ...] = (), **values: Value) -> None:
        self.name = name
        self.prompt = prompt
        self.kinds = kinds
        self.values = values

    async def context(self, asking: Asking, focus: Focus) -> Content:
        return self.blocks(asking)

    def blocks(self, asking: Asking) -> Content:
        """The same blocks in every turn, so that prefix caches hit."""
        if self.kinds and asking.kind not in self.kinds:
            return ()
        return self.mind.prompts[self.prompt].render(self.values) + self.mind.prompts["marks"].render()


class Persona(Component):
    """An agent's identity, from the columns of the population that the prompt names. Lines with fields that are not set are left out."""

    def __init__(self, prompt: str = "persona", *, neutral: str = "persona_neutral", name: str = "persona") -> None:
        self.name = name
        self.prompt = prompt
        self.neutral_prompt = neutral

    async def context(self, asking: Asking, focus: Focus) -> Content:
        prompt = self.mind.prompts[self.prompt]
        return prompt.render({column: self._field(asking, column) for column in prompt.variables})

    def neutral(self) -> tuple[Block, ...]:
        """Anybody: the prior against which an agent's choices are weighed."""
        return self.mind.prompts[self.neutral_prompt].render()

    def _field(self, asking: Asking, column: str) -> str | int | float | None:
        if column == "name":
            return asking.name
        population = self.mind.world.population
        table = population[asking.kind]
        if column not in table:
            return None
        if table.columns[column].visibility is Visibility.HIDDEN:
            raise UsageError(f"the persona prompt {self.prompt!r} names the column {column!r}, which is hidden; nobody may be told it")
        value = table[column][int(population.row_of(np.array([asking.agent]))[0])]
        return _set(value, table.columns[column].default)


def _set(value: Any, default: Any) -> str | int | float | None:
    """A field as it is worded; None where it is not set: empty text, not a number, or the default of its column."""
    if isinstance(value, str):
        return value or None
    if value == default or value != value:
        return None
    return float(value) if isinstance(value, float) or np.asarray(value).dtype.kind == "f" else int(value)
