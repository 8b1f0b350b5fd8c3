"""Interviews: questions put to agents in turns that change neither mind nor world; their answers are kept.

A question belongs to a category; one that has a known answer is scored by rule. The phase that it leads is a probe
(``Phase(..., kind=TurnKind.PROBE)``): what an agent is asked it does not remember, and no draw of the run is shifted. So the same
question can be put to the same memory under several conditions, such as without a part of it; what a condition takes away is the
mind's to know.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.actions import ActionTable, Text, action
from sociarium.kernel.content import Block, Content
from sociarium.kernel.environment import AgentIds, Environment, Events, Groups, Outcome, State
from sociarium.kernel.errors import UsageError
from sociarium.kernel.turn import Lanes, Observations, Phase, Turn
from sociarium.kernel.world import World

Array = NDArray[Any]

LONGEST = 2_000  # characters of an answer
WORD = re.compile(r"\w+", re.UNICODE)
SHOWN = {"category": "category", "question": "text", "condition": "condition"}
STEM, SHORT = 4, 3  # letters by which words are compared; words up to so long are not


@dataclass(frozen=True, slots=True)
class Question:
    """One question. ``expects``: parts that a right answer has, in any case; none: no rule scores it. ``least``: the share of their words
    that is enough, where an answer may word them in its own way; words are the same where they begin alike (``write``, ``writing``)."""

    category: str
    text: str
    expects: tuple[str, ...] = ()
    condition: str = ""
    least: float = 1.0

    def right(self, answer: str) -> bool:
        """Whether an answer has what is expected."""
        said = answer.casefold()
        if self.least >= 1:
            return bool(self.expects) and all(part.casefold() in said for part in self.expects)
        stems = {word[:STEM] for word in WORD.findall(said)}
        wanted = {word[:STEM] for part in self.expects for word in WORD.findall(part.casefold()) if len(word) > SHORT}
        return bool(wanted) and len(wanted & stems) >= self.least * len(wanted)


class Interview(Environment):
    """The same questions for everybody. Subclasses give each agent its own by ``questions``.

    ``conditions``: each question is put under each of these, all questions of one before those of the next.
    """

    name: ClassVar[str] = "interview"

    def __init__(self, asked: Sequence[Question] = (), conditions: Sequence[str] = ("",)) -> None:
        self.asked, self.conditions = tuple(asked), tuple(conditions)
        if len(set(self.conditions)) < max(1, len(self.conditions)):
            raise UsageError("an interview needs conditions (the empty one, where there are none), each once")
        self.scores: dict[str, Array] = {}  # by category: (groups, 2) of right and scored answers of the last interview

    def questions(self, agents: AgentIds) -> list[list[Question]]:
        """The questions for each agent, in order; one may have fewer than another."""
        return [list(self.asked) for _ in agents]

    def categories(self) -> list[str]:
        """All categories, in order."""
        return list(dict.fromkeys(question.category for question in self.asked))

    def put(self, agents: AgentIds) -> list[list[Question]]:
        """All that each agent is asked: its questions under every condition."""
        return [[replace(q, condition=c) for c in self.conditions for q in own] for own in self.questions(agents)]

    def key(self, category: str, condition: str) -> str:
        """The name under which answers are counted: that of the category, with the condition where there are several."""
        return category if len(self.conditions) == 1 or not category else f"{category} ({condition})"

    def reset(self, world: World, groups: Groups) -> None:
        super().reset(world, groups)
        for category in [self.key(category, condition) for condition in self.conditions for category in self.categories()]:
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
        rows = [at for at, own in enumerate(self.put(lanes.agents)) if numbers[at] < len(own)]
        return lanes.turn(lanes.agents[rows], np.asarray(lanes.lane_of())[rows]) if rows else None

    def observe(self, turn: Turn) -> Mapping[str, Array]:
        """category, question, condition: what each is asked now, and under which condition."""
        now = self._now(turn)
        return {name: _texts([getattr(q, attribute) for q in now]) for name, attribute in SHOWN.items()}

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
                self.scores[self.key(question.category, question.condition)][group] += (verdict, 1)
        told: dict[str, Any] = {
            **{name: _texts([getattr(q, attribute) for q in asked]) for name, attribute in SHOWN.items()},
            "expects": _texts(["; ".join(q.expects) for q in asked]),
            "text": _texts(texts),
            "right": np.array(right, np.int64),
        }
        return Outcome([Events("answered", table.agents, told, "nobody")])

    def measures(self) -> Mapping[str, Array]:
        """By category (and condition, where there are several), the share of right answers among those that a rule scores, in the last
        interview; nan before any."""
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
        return [own[turn.number] for own in self.put(turn.agents)]


def _texts(values: Sequence[str]) -> Array:
    out: Array = np.empty(len(values), object)
    out[:] = list(values)
    return out
