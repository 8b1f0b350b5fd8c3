"""Who an agent is, in the words a language mind reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from sociarium.kernel.errors import UsageError

MAXIMUM_TEXT = 4_000

Text = Annotated[str, Field(max_length=MAXIMUM_TEXT)]


class Persona(BaseModel):
    """One agent's identity. Only the name is needed; what is empty is left out of the text, never made up."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    name: Annotated[str, Field(min_length=1, max_length=200)]
    age: Annotated[int | None, Field(ge=0, le=130, description="years")] = None
    traits: tuple[Text, ...] = ()
    background: Text = ""
    goals: Text = ""
    behaviour: Text = ""
    customs: Text = ""
    facts: Annotated[Mapping[str, Text], Field(description="further facts, such as survey answers: label -> value")] = {}

    @field_validator("name")
    @classmethod
    def _one_line(cls, name: str) -> str:
        if not name.isprintable():
            raise ValueError("a name is one line of printable characters: it stands at the head of what its agent says")
        return name

    def block(self) -> str:
        """The persona as labelled lines, always in the same order, so that a prompt's prefix stays the same."""
        lines = [f"Name: {self.name}"]
        if self.age is not None:
            lines.append(f"Age: {self.age}")
        if self.traits:
            lines.append(f"Traits: {', '.join(self.traits)}")
        said = (("Background", self.background), ("Goals", self.goals), ("Behaviour", self.behaviour), ("Customs", self.customs))
        lines += [f"{label}: {text}" for label, text in (*said, *self.facts.items()) if text]
        return "\n".join(lines)


def distinct_names(personas: Iterable[Persona]) -> list[Persona]:
    """The personas, where every name is one agent's only; an error names the first two that clash.

    Prompts tell agents apart by name. A clash is the author's to settle: nothing is renamed or made up here.
    """
    seen: dict[str, int] = {}
    result = list(personas)
    for place, persona in enumerate(result):
        key = persona.name.casefold()
        if key in seen:
            raise UsageError(
                f"personas {seen[key] + 1} and {place + 1} are both called {persona.name!r}; give each agent a name of its own"
            )
        seen[key] = place
    return result


def first_distinct(personas: Sequence[Persona], count: int) -> list[Persona]:
    """The first ``count`` personas with names of their own, in the order given; later bearers of a name already taken are passed over."""
    taken: dict[str, Persona] = {}
    for persona in personas:
        taken.setdefault(persona.name.casefold(), persona)
        if len(taken) == count:
            return list(taken.values())
    raise UsageError(f"{count} personas with different names were asked for, but there are only {len(taken)}")
