"""How involved the strategies of the donor game are, in words: numbers and clauses that each one holds.

It only listens to the game (``donor.stated``) and reads the texts that the players live by.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.columnar import Cells, ColumnarEnvironment
from sociarium.kernel.environment import Groups, News

NUMBER = re.compile(r"\d+(?:[.,]\d+)?")
CLAUSE = re.compile(r"\b(?:if|when|unless|otherwise|except|while|but|whenever|provided)\b|;", re.IGNORECASE)


def complexity(text: str) -> int:
    """Numbers and conditional clauses in a strategy; 0 for an empty one."""
    return len(NUMBER.findall(text)) + len(CLAUSE.findall(text))


class StrategyComplexity(ColumnarEnvironment):
    """Nobody acts here."""

    name: ClassVar[str] = "strategies"

    complexity: NDArray[np.float64]  # mean over the players of the newest generation; nan before any strategy, (groups,)

    def __init__(self, kind: str = "player", column: str = "strategy") -> None:
        self.kind, self.column = kind, column
        self.group_cells = {"complexity": Cells(np.float64, np.nan)}
        self.agent_cells = {}

    def begin(self, groups: Groups) -> None:
        self._read(groups)

    def notice(self, events: Sequence[News]) -> None:
        for news in events:
            if news.kind == "donor.stated":
                self._read(np.unique(news.groups))

    def measures(self) -> Mapping[str, NDArray[Any]]:
        """complexity"""
        return {"complexity": self.complexity.copy()}

    def _read(self, groups: Groups) -> None:
        players = self.world.population.ids(self.kind)
        of = self.group_of(players)
        mine = np.isin(of, groups)
        if self.column not in self.world.population[self.kind]:
            return
        texts = self.world.population.get(players[mine], self.column)
        told = [(group, complexity(text)) for group, text in zip(of[mine].tolist(), texts, strict=True) if text]
        if told:
            where, values = np.array(told, np.int64).T
            total, count = np.bincount(where, values, self.world.groups), np.bincount(where, minlength=self.world.groups)
            known = groups[count[groups] > 0]
            self.complexity[known] = total[known] / count[known]
