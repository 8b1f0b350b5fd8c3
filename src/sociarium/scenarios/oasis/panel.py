"""Some users are asked the same question again and again; by its words an answer is placed between the safest and the riskiest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.interview import Interview, Question
from sociarium.kernel.actions import ActionTable
from sociarium.kernel.environment import AgentIds, Groups, Outcome, State
from sociarium.kernel.turn import Lanes, Moment, Observations, Phase, Turn
from sociarium.kernel.world import World

Floats = NDArray[np.float64]
Array = NDArray[Any]


class Panel(Interview):
    """The first ``asked`` users answer, awake or not. ``stances``: answers in order, read literally; what is none of them has none, and is
    for a judge. Measures: ``extremeness``, the mean distance of stances from the middle one, and ``more_extreme``, the share of those
    asked who are further from it than at their first answer."""

    def __init__(self, question: str, asked: int, stances: Sequence[str]) -> None:
        super().__init__([Question("", question)])
        self.asked_users = asked
        self.stance = {text: place - len(stances) // 2 for place, text in enumerate(stances)}
        self._clear()

    def _clear(self) -> None:
        self.first: Floats = np.full(self.asked_users, np.nan)
        self.last: Floats = np.full(self.asked_users, np.nan)

    def reset(self, world: World, groups: Groups) -> None:
        super().reset(world, groups)
        self._clear()

    def lanes(self, phase: Phase, awake: AgentIds, moment: Moment) -> Lanes:
        users = np.arange(self.asked_users, dtype=np.int64)
        here = users[self.world.population.get(users, "present")]
        return Lanes.by(moment, here, np.broadcast_to(np.int64(0), here.shape))

    def answer_stances(self, texts: Sequence[str]) -> Floats:
        return np.array([self.stance.get(text.strip(), np.nan) for text in texts], np.float64)

    def apply(self, turn: Turn, seen: Observations, actions: Any) -> Outcome:
        outcome = super().apply(turn, seen, actions)
        table: ActionTable | None = actions.of(self.name).get("answer")
        if table is not None and len(table):
            self.last[table.agents] = self.answer_stances([str(text) for text in table["text"]])
            new = np.isnan(self.first[table.agents])
            self.first[table.agents[new]] = self.last[table.agents[new]]
        return outcome

    def measures(self) -> Mapping[str, Array]:
        both = ~np.isnan(self.first) & ~np.isnan(self.last)
        if not both.any():
            return {"extremeness": np.array([np.nan]), "more_extreme": np.array([np.nan])}
        now, before = np.abs(self.last[both]), np.abs(self.first[both])
        return {"extremeness": np.array([now.mean()]), "more_extreme": np.array([(now > before).mean()])}

    def state(self, groups: Groups | None = None) -> State:
        return {**super().state(groups), "first": self.first.copy(), "last": self.last.copy()}

    def load(self, state: State, groups: Groups | None = None) -> None:
        super().load(state, groups)
        if state:
            self.first, self.last = np.array(state["first"]), np.array(state["last"])
