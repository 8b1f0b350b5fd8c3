"""Players that follow a rule: random, best response to the last announcement, and level k. One vectorised call for any number."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.games.guessing import level_report
from sociarium.kernel.actions import Actions
from sociarium.kernel.mind import Mind
from sociarium.kernel.outcomes import Status
from sociarium.kernel.turn import Observations, Turn
from sociarium.populations.quotas import exact_counts

RULES = ("random", "best_response", "level0", "level1", "level2", "level3", "silent")
LANGUAGE = "language"

Numbers = NDArray[np.float64]


class Players(Mind):
    """``rules``: the number of each agent's rule in ``RULES``, by agent id; or one rule's name for all.

    ``random`` and ``level0`` draw a whole number from 0 to the maximum. ``best_response`` reports the number announced last,
    unrounded, and half of the maximum in the first round. ``level1`` does what is best where all others report half of the maximum (in
    later rounds: what won last), and ``level2``, ``level3`` what is best among players one level below.
    ``silent`` players never give a legal number: they are marked as failed, and left out of sum and count.
    """

    def __init__(self, *, ratio: float, shift: float, maximum: float, rules: NDArray[np.int8] | str = "random") -> None:
        self.ratio, self.shift, self.maximum = ratio, shift, maximum
        self.rules = rules

    async def decide(self, turn: Turn, seen: Observations) -> Actions:
        if not turn.offered("guess.report"):
            return Actions()
        numbers = self.reports(turn, seen["guess"]["winner"])
        silent = np.isnan(numbers)
        if not silent.any():
            return Actions.one(turn, "guess.report", number=numbers)
        actions = Actions.one(turn, "guess.report", turn.agents[~silent], number=numbers[~silent])
        actions.status = np.where(silent, Status.FAILED, Status.OK).astype(np.uint8)
        actions.fallback = np.zeros(len(silent), np.bool_)
        return actions

    def reports(self, turn: Turn, announced: Numbers) -> Numbers:
        """(agents,) numbers from 0 to the maximum, nan for the silent; ``announced`` is nan in the first round."""
        if isinstance(self.rules, str):
            return self._of(self.rules, turn, announced, np.ones(len(turn.agents), np.bool_))
        mine = self.rules[turn.agents]
        numbers = np.empty(len(turn.agents))
        for rule in range(len(RULES)):
            rows = mine == rule
            if not rows.any():
                continue
            numbers[rows] = self._of(RULES[rule], turn, announced[rows], rows)
        return numbers

    def _of(self, rule: str, turn: Turn, announced: Numbers, rows: NDArray[np.bool_]) -> Numbers:
        if rule in ("random", "level0"):
            agents = turn.agents if rows.all() else turn.agents[rows]
            return turn.random("report").integers(0, int(self.maximum), agents).astype(np.float64)
        if rule == "silent":
            return np.full(len(announced), np.nan)
        first = np.isnan(announced)
        if rule == "best_response":
            return np.minimum(np.where(first, self.maximum / 2, announced), self.maximum)
        level = int(rule.removeprefix("level"))
        deep = level_report(level, self.ratio, self.shift, self.maximum / 2)
        later = announced
        for _ in range(level - 1):
            later = self.shift + self.ratio * later
        return np.minimum(np.where(first, deep, later), self.maximum)


def dealt(shares: Mapping[str, float], count: int, order: NDArray[np.int64]) -> NDArray[np.object_]:
    """The rule of each of ``count`` players: exact counts, dealt out in ``order`` (a permutation)."""
    names = np.array(list(shares), object)
    column = np.empty(count, object)
    column[order] = np.repeat(names, exact_counts(list(shares.values()), count))
    return column


def rule_mind(*, ratio: float, shift: float, maximum: float, rules: NDArray[np.int8] | str) -> Players:
    """For other processes: ``sociarium.scenarios.agentscope.players:rule_mind``."""
    return Players(ratio=ratio, shift=shift, maximum=maximum, rules=rules)
