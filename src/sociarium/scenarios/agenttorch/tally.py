"""What is counted each day, by county and age: infections, deaths, who stays at home; and each month who is out of work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.columnar import Cells, ColumnarEnvironment
from sociarium.environments.epidemic.disease import Stage
from sociarium.environments.epidemic.epidemic import Epidemic
from sociarium.environments.labour.labour import Labour
from sociarium.kernel.environment import Events, Groups, Outcome

Array = NDArray[Any]
Ints = NDArray[np.int64]

EDGES = (2, 6)  # age classes at which groups of age begin: below 20, 20 to 59, 60 and over
AGE_GROUPS = ("under 20", "20 to 59", "60 and over")


class Tally(ColumnarEnvironment):
    """Nobody acts here. It stands after ``epidemic`` and ``labour``. Deaths are expected ones, as the published model counts them."""

    name: ClassVar[str] = "city"

    days: Ints  # counted so far, (groups,)
    peak: Ints  # most new cases of a day
    home_days: Ints  # days that citizens have stayed at home, in all

    def __init__(self, epidemic: Epidemic, labour: Labour, counties: int) -> None:
        self.epidemic, self.labour, self.counties = epidemic, labour, counties
        self.group_cells = {name: Cells(np.int64) for name in ("days", "peak", "home_days")}
        self.agent_cells = {}
        self._cell: NDArray[np.uint8] | None = None

    def begin(self, groups: Groups) -> None:
        self._cell = None

    def advance(self, to: int) -> Outcome | None:
        """``counted``: a row for each county and group of age, (counties x 3); at the end of a month ``employment``, a row a county."""
        epidemic, cells = self.epidemic, self.counties * len(AGE_GROUPS)
        cell = self._cells()
        people = np.bincount(cell, minlength=cells)
        infected = self._by(cell, epidemic.infected == epidemic.day - 1, cells)
        home = self._by(cell, epidemic.isolating, cells) if "isolate" in epidemic.rules.actions else np.zeros(cells, np.int64)
        left = self._by(cell, epidemic.stage == Stage.RECOVERED, cells)
        self.days += 1
        self.peak = np.maximum(self.peak, epidemic.cases)
        self.home_days += home.sum()
        nobody, number = np.full(cells, -1, np.int64), np.arange(cells)
        counted = {
            "county": number // len(AGE_GROUPS), "age": number % len(AGE_GROUPS), "people": people, "cases": infected, "home": home,
            "infectious": self._by(cell, epidemic.stage == Stage.INFECTIOUS, cells), "deaths": epidemic.disease.mortality * left,
        }  # fmt: skip
        outcome = Outcome([Events("counted", nobody, counted, "nobody", groups=np.zeros(cells, np.int64))])
        if (self.world.clock.tick + 1) % self.labour.rules.month == 0:
            outcome.events.append(self._employment())
        return outcome

    def measures(self) -> Mapping[str, Array]:
        """isolation: share of all who stay at home today; isolation_mean: of all days so far; peak: most new cases of a day; attack: share
        of all infected so far; working: share of the labour force who want to work."""
        size = max(len(self.epidemic.stage), 1)
        home = np.count_nonzero(self.epidemic.isolating) if "isolate" in self.epidemic.rules.actions else 0
        adults = self.world.population.get(self.world.population.ids(), "adult")
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = self.home_days / (self.days * size)
        working = np.count_nonzero(self.labour.willing) / max(np.count_nonzero(adults), 1)
        return {
            "isolation": np.array([home / size]), "isolation_mean": mean, "peak": self.peak.copy(),
            "attack": self.epidemic.total / size, "working": np.array([working]),
        }  # fmt: skip

    def _employment(self) -> Events:
        """By county: adults, who wants to work, who has no job of them, and unemployment as the regression has it."""
        population = self.world.population
        everyone = population.ids()
        county, adult = population.get(everyone, "county"), np.asarray(population.get(everyone, "adult"), np.bool_)
        willing = self.labour.willing[everyone]
        counts = [np.bincount(county[f], minlength=self.counties) for f in (adult, willing, willing & ~self.labour.employed[everyone])]
        data = {"county": np.arange(self.counties), "adults": counts[0], "willing": counts[1], "jobless": counts[2]}
        data["unemployment"] = self.labour.unemployment[0].copy()
        nobody = np.full(self.counties, -1, np.int64)
        return Events("employment", nobody, data, "nobody", groups=np.zeros(self.counties, np.int64))

    def _cells(self) -> NDArray[np.uint8]:
        """County and group of age of everyone, as one number."""
        if self._cell is None:
            population = self.world.population
            everyone = population.ids(present=False)
            group = np.searchsorted(EDGES, population.get(everyone, "age_class"), side="right")
            self._cell = (population.get(everyone, "county") * np.uint8(len(AGE_GROUPS)) + group).astype(np.uint8)
        return self._cell

    def _by(self, cell: NDArray[np.uint8], flags: NDArray[np.bool_], cells: int) -> Ints:
        return np.bincount(cell[flags], minlength=cells).astype(np.int64)
