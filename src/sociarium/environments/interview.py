"""Interviews: questions put to agents in turns that change neither mind nor world; their answers are kept.

A question belongs to a category; one that has a known answer is scored by rule. The phase that it leads is a probe
(``Phase(..., kind=TurnKind.PROBE)``): what an agent is asked it does not remember, and no draw of the run is shifted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.actions import ActionTable, Text, action
from sociarium.kernel.content import Block, Content
from sociarium.kernel.environment import AgentIds, Environment, Events, Groups, Outcome, State
from sociarium.kernel.turn import Lanes, Observations, Phase, Turn
from sociarium.kernel.world import World

Array = NDArray[Any]

LONGEST = 2_000  # characters of an answer


@dataclass(frozen=True, slots=True)
class Question:
    """One question. ``expects``: parts that a right answer has, in any case; none: no rule scores it."""

    category: str
    text: str
    expects: tuple[str, ...] = ()

    def right(self, answer: str) -> bool:
        """Whether an answer has all that is expected."""
        said = answer.casefold()
        return bool(self.expects) and all(part.casefold() in said for part in self.expects)


class Interview(Environment):
    """The same questions for everybody. Subclasses give each agent its own by ``questions``."""

    name: ClassVar[str] = "interview"

    def __init__(self, asked: Sequence[Question] = ()) -> None:
        self.asked = tuple(asked)
        self.scores: dict[str, Array] = {}  # by category: (groups, 2) of right and scored answers of the last interview

    def questions(self, agents: AgentIds) -> list[list[Question]]:
        """The questions for each agent, in order; one may have fewer than another."""
        return [list(self.asked) for _ in agents]

    def categories(self) -> list[str]:
        """All categories, in order."""
        return list(dict.fromkeys(question.category for question in self.asked))

    def reset(self, world: World, groups: Groups) -> None:
        super().reset(world, groups)
        for category in self.categories():
            rows = self.scores.get(category, np.zeros((0, 2), np.int64))
            if len(rows) < world.groups:
                rows = np.concatenate([rows, np.zeros((world.groups - len(rows), 2), np.int64)])
            rows[groups] = 0
            self.scores[category] = rows

    def turn(self, phase: Phase, lanes: Lanes) -> Turn | None:
        """One question a turn, the same number for all."""
        if phase.lead != self.name or not len(lanes):
            return None
        numbers = np.repeat(lanes.played, np.diff(lanes.starts)).tolist()
        for category in self.scores.values():
            category[lanes.ids[lanes.played == 0]] = 0
        rows = [at for at, own in enumerate(self.questions(lanes.agents)) if numbers[at] < len(own)]
        return lanes.turn(lanes.agents[rows], np.asarray(lanes.lane_of())[rows]) if rows else None

    def observe(self, turn: Turn) -> Mapping[str, Array]:
        """category, question: what each is asked now."""
        now = self._now(turn)
        return {"category": _texts([q.category for q in now]), "question": _texts([q.text for q in now])}

    def describe(self, seen: Observations, row: int) -> Content:
        return (Block(str(seen[self.name]["question"][row]), origin=self.name),) if self.name in seen.parts else ()

    @action("Answer the question.", text=Text(longest=LONGEST, doc="your answer"))
    def answer(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        row_of = {agent: row for row, agent in enumerate(turn.agents.tolist())}
        now = self._now(turn)
        asked = [now[row_of[agent]] for agent in table.agents.tolist()]
        texts: list[str] = [str(text) for text in table["text"]]
        right = [int(q.right(text)) if q.expects else -1 for q, text in zip(asked, texts, strict=True)]
        groups: list[int] = self.world.population.get(table.agents, "group").tolist()
        for question, verdict, group in zip(asked, right, groups, strict=True):
            if verdict >= 0:
                self.scores[question.category][group] += (verdict, 1)
        told: dict[str, Any] = {
            "category": _texts([q.category for q in asked]),
            "question": _texts([q.text for q in asked]),
            "expects": _texts(["; ".join(q.expects) for q in asked]),
            "text": _texts(texts),
            "right": np.array(right, np.int64),
        }
        return Outcome([Events("answered", table.agents, told, "nobody")])

    def measures(self) -> Mapping[str, Array]:
        """By category, the share of right answers among those that a rule scores, in the last interview; nan before any."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return {name: rows[:, 0] / rows[:, 1] for name, rows in self.scores.items() if name}

    def state(self, groups: Groups | None = None) -> State:
        rows = slice(None) if groups is None else groups
        return {"scores": {name: counts[rows].copy() for name, counts in self.scores.items()}}

    def load(self, state: State, groups: Groups | None = None) -> None:
        for name, rows in state["scores"].items() if state else ():
            if groups is None:
                self.scores[name] = np.array(rows)
            else:
                self.scores[name][groups] = rows

    def _now(self, turn: Turn) -> list[Question]:
        return [own[turn.number] for own in self.questions(turn.agents)]


def _texts(values: Sequence[str]) -> Array:
    out: Array = np.empty(len(values), object)
    out[:] = list(values)
    return out
