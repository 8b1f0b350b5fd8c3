"""Reproduction numbers fitted to common case counts by sites that show nothing but sums: not their agents, not their gradients.

Every round is a whole epidemic at the numbers so far. After each day the sites add up, in secret, new cases and their derivative by
R, sum over susceptible agents of Lambda_i exp(-R Lambda_i): the straight-through gradient of one day (``differentiable.samplers``), each
agent's part rounded to 2^-20 so that the sum is the same on one site and on many. All of them take the same step from the same sums.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.cluster.secure_aggregation.epidemic import EpidemicSite
from sociarium.cluster.secure_aggregation.epidemic import opened as opened_site
from sociarium.cluster.secure_aggregation.field import SCALE
from sociarium.kernel.errors import UsageError
from sociarium.training.adam import Adam

Floats = NDArray[np.float64]
BETAS = (0.5, 0.9)


class SharedDescent:
    """R by week from ``observed`` new cases a day, (days,), by Adam on log R; the loss is the mean of (cases - observed)^2 / observed.

    ``start``: R to begin with, (weeks,); the last week goes on to the end. ``rate``: the first step on the log scale, which falls as
    1 / (1 + round / 20). Fed with the common statistics day by day, so whoever reads those can follow it.
    """

    def __init__(self, observed: ArrayLike, start: ArrayLike, *, rate: float = 0.1, days_a_week: int = 7) -> None:
        self.observed, self.days_a_week = np.asarray(observed, np.float64), days_a_week
        self.place = np.log(np.atleast_1d(np.asarray(start, np.float64)))
        if not len(self.observed) or (len(self.place) - 1) * days_a_week >= len(self.observed):
            raise UsageError(f"{len(self.observed)} days of cases say nothing about {len(self.place)} weeks")
        self.rate, self.adam = rate, Adam(len(self.place), rate, BETAS)
        self.days: list[list[float]] = []  # cases and slope of the round that goes on
        self.losses: list[float] = []
        self.tried: list[list[float]] = []  # R by week in each round

    @property
    def reproduction(self) -> tuple[float, ...]:
        """R by week in the round that goes on."""
        return tuple(np.exp(self.place).tolist())

    @property
    def best(self) -> tuple[float, ...]:
        """R by week where the loss was least."""
        return tuple(self.tried[int(np.argmin(self.losses))])

    def feed(self, common: ArrayLike) -> bool:
        """The sums of one day: cases, slope. True where a round is over and another begins, with ``reproduction`` moved."""
        self.days.append(np.asarray(common, np.float64).tolist())
        if len(self.days) < len(self.observed):
            return False
        cases, slopes = np.array(self.days).T
        weights, misses = 1 / np.maximum(self.observed, 1.0), cases - self.observed
        week = np.minimum(np.arange(len(cases)) // self.days_a_week, len(self.place) - 1)
        gradient = np.zeros(len(self.place))
        np.add.at(gradient, week, 2 * weights * misses * slopes / len(cases))
        self.losses.append(float((weights * misses**2).mean()))
        self.tried.append(list(self.reproduction))
        self.adam.rate = self.rate / (1 + len(self.losses) / 20)
        self.place = self.adam.step(self.place, gradient * np.exp(self.place))
        self.days = []
        return True

    def state(self) -> dict[str, Any]:
        return {"place": self.place, "days": self.days, "losses": self.losses, "tried": self.tried, "adam": self.adam.state()}

    def load(self, state: Mapping[str, Any]) -> None:
        self.place = np.array(state["place"])
        self.days, self.losses, self.tried = ([*state[name]] for name in ("days", "losses", "tried"))
        self.adam.load(state["adam"])


class CalibratingSite:
    """A site of ``run_here``, ``run_processes`` or ``run_alone`` whose steps are days of round after round of a fit. Its agents keep
    the same random numbers in every round. Noise on the statistics (``run_here(noise=...)``) is noise on the gradient."""

    def __init__(self, site: EpidemicSite, descent: SharedDescent) -> None:
        if site.disease.areas > 1 or len(site.sizes) > 1:
            raise UsageError("a fit over sites is of one R a week in one world; give each area a run of its own")
        self.site, self.descent = site, descent
        site.restart(replace(site.disease, reproduction=descent.reproduction, days_a_week=descent.days_a_week))

    @property
    def own(self) -> NDArray[np.int64]:
        return self.site.own

    def outgoing(self, step: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        return self.site.outgoing(step)

    def advance(self, step: int, received: NDArray[np.int64]) -> None:
        self.site.advance(step, received)

    def statistics(self) -> Floats:
        """New cases, and their derivative by R."""
        return np.array([float(len(self.site.flows.infected)), self.site.slope / SCALE])

    def hear(self, step: int, common: Floats) -> None:
        self.site.hear(step, common)
        if self.descent.feed(common):
            self.site.restart(replace(self.site.disease, reproduction=self.descent.reproduction))

    def state(self) -> dict[str, Any]:
        return {"site": self.site.state(), "descent": self.descent.state()}

    def load(self, state: Mapping[str, Any]) -> None:
        self.site.load(state["site"])
        self.descent.load(state["descent"])


def followed(statistics: Floats, descent: SharedDescent) -> SharedDescent:
    """The fit as whoever reads the common statistics of a ``Trajectory``, (steps, 2), can tell it."""
    for common in statistics:
        descent.feed(common)
    return descent


def opened(path: str, observed: Sequence[float], start: Sequence[float], rate: float = 0.1) -> CalibratingSite:
    """For ``run_processes``: a site that ``EpidemicSite.save`` kept, fitting R."""
    return CalibratingSite(opened_site(path), SharedDescent(observed, start, rate=rate))
