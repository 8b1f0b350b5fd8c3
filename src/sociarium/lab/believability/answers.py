"""What was asked in the interviews of a run, and what was answered under each condition."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sociarium.kernel.errors import UsageError
from sociarium.record.frames import frames

KIND = "interview.answered"


@dataclass(frozen=True, slots=True)
class Asked:
    """One question to one agent. ``answers`` by condition: empty where the agent gave none. ``right``: 1 or 0 by rule; without it, for
    judges."""

    agent: int
    name: str
    category: str
    question: str
    answers: dict[str, str] = field(default_factory=dict[str, str])
    right: dict[str, int] = field(default_factory=dict[str, int])

    @property
    def by_rule(self) -> bool:
        return bool(self.right)


def asked_in(folder: Path) -> list[Asked]:
    """The last interview of a run, by agent, then in the order of its questions. Raises UsageError where there was none."""
    tables = frames(folder)
    try:
        if KIND not in tables.kinds():
            raise UsageError(f"nobody was interviewed in {folder}; run it with interviews, such as --set interview_hours=24")
        names = tables.agents()
        called = dict(zip(names["id"].to_list(), names["name"].to_list(), strict=True)) if "name" in names.columns else {}
        rows: list[dict[str, Any]] = tables.events(KIND).collect().to_dicts()
    finally:
        tables.close()
    last = max(row["tick"] for row in rows)
    found: dict[tuple[int, str], Asked] = {}
    for row in (one for one in rows if one["tick"] == last):
        agent, text = int(row["actor"]), str(row["question"])
        one = found.setdefault((agent, text), Asked(agent, str(called.get(agent, f"agent {agent}")), str(row["category"]), text))
        one.answers[str(row["condition"])] = str(row["text"])
        if int(row["right"]) >= 0:
            one.right[str(row["condition"])] = int(row["right"])
    conditions = list(dict.fromkeys(condition for one in found.values() for condition in one.answers))
    for one in found.values():
        for condition in conditions:
            one.answers.setdefault(condition, "")
            if one.right:
                one.right.setdefault(condition, 0)
    return [found[key] for key in sorted(found, key=lambda key: key[0])]
