"""The paper's interview: five areas, five questions each, put together for every resident out of its own life."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any, cast

from sociarium.environments.interview import Question
from sociarium.environments.wording import read_yaml
from sociarium.scenarios.generative_agents.people import Resident

FILE = Path(__file__).parent / "questions.yaml"


@dataclass(frozen=True, slots=True)
class Template:
    """A question before it is anybody's: ``text`` and ``expects`` with names in braces."""

    area: str
    text: str
    expects: tuple[str, ...] = ()
    least: float = 1.0

    def names(self) -> set[str]:
        return {name for part in (self.text, *self.expects) for _, name, _, _ in Formatter().parse(part) if name}

    def of(self, life: Mapping[str, str]) -> Question | None:
        """The question for one resident; None where its life has nothing to ask about."""
        if not all(life.get(name) for name in self.names()):
            return None
        given = {name: life[name] for name in self.names()}
        return Question(
            self.area, self.text.format_map(given), tuple(part.format_map(given) for part in self.expects), "", self.least
        )  # values go in as they are: what is in braces in them stays


@cache
def templates() -> tuple[Template, ...]:
    """The questions of ``questions.yaml``, area by area."""
    found: list[Template] = []
    for area, rows in cast("dict[str, list[dict[str, Any]]]", read_yaml(FILE, "questions")).items():
        found += [Template(area, row["text"], tuple(row.get("expects", ())), float(row.get("least", 1))) for row in rows]
    return tuple(found)


def areas() -> list[str]:
    return list(dict.fromkeys(one.area for one in templates()))


def questions(life: Mapping[str, str]) -> list[Question]:
    """All questions that can be put to one who has lived this life."""
    return [question for one in templates() if (question := one.of(life)) is not None]


def portraits(residents: Sequence[Resident]) -> list[dict[str, str]]:
    """What is true of each resident from the start: its first name, age and home, and one relative or other, where there is just one."""
    found: list[dict[str, str]] = []
    for one in residents:
        roles = list(one.knows.values())
        only = [(role, who) for who, role in one.knows.items() if roles.count(role) == 1]
        relation, relative = only[0] if only else ("", "")
        found.append({"first": one.name.split()[0], "age": str(one.age), "home": one.home, "relation": relation, "relative": relative})
    return found
