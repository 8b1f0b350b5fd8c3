"""How the reports of the guessing game are spread: median, extremes, distance to equilibrium, histogram, and who gave none.

It only listens to the game (``guess.reported``, ``guess.announced``), so the reports of a million players need not be kept whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.columnar import Cells, ColumnarEnvironment
from sociarium.environments.games.guessing import fixed_point
from sociarium.kernel.environment import Events, Groups, News, Outcome

Array = NDArray[Any]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

BINS = 50  # of the histogram, from 0 to the maximum
EXACT = 1e-6  # how near a report must be to the equilibrium to count as exact, in points


class GuessStatistics(ColumnarEnvironment):
    """Nobody acts here. ``ratio``, ``shift`` and ``maximum`` are those of the game; the equilibrium is shift / (1 - ratio)."""

    name: ClassVar[str] = "statistics"
    MEASURES: ClassVar[tuple[str, ...]] = ("median", "least", "most", "distance", "exact_share", "failure_share")

    median: Floats  # of the reports of the last round; so are all below, (groups,)
    least: Floats
    most: Floats
    distance: Floats  # |mean - equilibrium|
    exact_share: Floats  # reports at the equilibrium, as a part of all reports
    failure_share: Floats  # players without a report, as a part of all players
    counts: Ints  # reports by bin, (groups, BINS)
    heard: NDArray[np.bool_]  # reports have come in this tick, (groups,)

    def __init__(self, ratio: float, shift: float, maximum: float) -> None:
        self.equilibrium = fixed_point(ratio, shift)
        self.maximum = maximum
        self.group_cells = {name: Cells(np.float64, np.nan) for name in self.MEASURES}
        self.group_cells |= {"counts": Cells(np.int64, 0, (BINS,)), "heard": Cells(np.bool_, False)}
        self.agent_cells = {}

    def notice(self, events: Sequence[News]) -> None:
        for news in events:
            if news.kind == "guess.reported":
                self._hear(news.groups, np.asarray(news.data["number"], np.float64))
            elif news.kind == "guess.announced":
                self._close(news.groups, news.data["mean"], news.data["reports"])

    def advance(self, to: int) -> Outcome | None:
        """The histogram of a round, as one event a group: ``counts`` (groups, BINS)."""
        groups = np.flatnonzero(self.heard)
        if not len(groups):
            return None
        self.heard[:] = False
        nobody = np.full(len(groups), -1, np.int64)
        return Outcome([Events("histogram", nobody, {"counts": self.counts[groups].copy()}, "nobody", groups=groups)])

    def measures(self) -> Mapping[str, Array]:
        """All of the last round; nan where nobody reported."""
        return {name: getattr(self, name).copy() for name in self.MEASURES}

    def _hear(self, of: Groups, numbers: Floats) -> None:
        """All reports of one round: (reports,), with the group of each."""
        if self.world.groups == 1:
            self._describe(0, numbers)
            return
        order = np.argsort(of, kind="stable")
        groups, starts = np.unique(of[order], return_index=True)
        for group, own in zip(groups.tolist(), np.split(numbers[order], starts[1:]), strict=True):
            self._describe(group, own)

    def _describe(self, group: int, numbers: Floats) -> None:
        self.median[group] = np.median(numbers)
        self.least[group], self.most[group] = numbers.min(), numbers.max()
        self.exact_share[group] = np.count_nonzero(np.abs(numbers - self.equilibrium) <= EXACT) / len(numbers)
        places = np.minimum((numbers * (BINS / self.maximum)).astype(np.int64), BINS - 1)
        self.counts[group] = np.bincount(places, minlength=BINS)
        self.heard[group] = True

    def _close(self, groups: Groups, means: Array, reports: Array) -> None:
        self.distance[groups] = np.abs(means - self.equilibrium)
        silent = groups[np.asarray(reports) == 0]
        for name in ("median", "least", "most", "exact_share"):
            getattr(self, name)[silent] = np.nan
        self.counts[silent] = 0
        self.failure_share[groups] = 1 - np.asarray(reports) / self._players()[groups]

    def _players(self) -> Ints:
        """How many agents are in each group."""
        ids = self.world.population.ids()
        if self.world.groups == 1:
            return np.array([len(ids)], np.int64)
        return np.bincount(self.group_of(ids), minlength=self.world.groups)
