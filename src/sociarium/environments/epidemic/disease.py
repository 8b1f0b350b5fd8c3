"""The parameters of a disease: who catches it how easily, how infectious one is on which day, how long stages last.

Defaults are the published constants of AgentTorch's COVID model (Chopra and others, "On the limits of agency in agent-based models",
AAMAS 2025, arXiv 2409.10568). ``Disease.seirs`` is the textbook model with constant transmission.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.errors import UsageError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SCALE = 2**20  # fixed-point units of infectiousness: sums of whole numbers are the same in any order
LONGEST = 30_000  # days; a day is kept in 16 bits


class Stage(IntEnum):
    SUSCEPTIBLE = 0
    EXPOSED = 1
    INFECTIOUS = 2
    RECOVERED = 3
    DEAD = 4  # published model: never entered, deaths are counted in expectation


@dataclass(frozen=True, slots=True)
class Duration:
    """Days spent in a stage: always ``days``, or geometric with that mean (``drawn``). Infinite: for good.

    Who enters a stage on day t is in it on days t + 1 to t + d.
    """

    days: float = math.inf
    drawn: bool = False

    def __post_init__(self) -> None:
        if self.days < 1 or (math.isfinite(self.days) and not self.drawn and (self.days % 1 or self.days > LONGEST)):
            raise UsageError(f"a stage lasts {self.days} days: a whole number from 1 to {LONGEST}, a mean of 1 or more, or infinite")

    @property
    def ends(self) -> bool:
        return math.isfinite(self.days)

    def thresholds(self) -> Floats:
        """P(length <= k) for k = 1, 2 ... as long as it is below 1 in 53 bits, or up to ``LONGEST``; for drawn lengths only."""
        if self.days == 1:
            return np.empty(0)
        known = -np.expm1(np.arange(1, LONGEST) * math.log1p(-1 / self.days))
        return known[known < 1 - 2.0**-53]

    def lengths(self, uniform: Floats) -> Ints:
        """Days for each of these uniform numbers u, by inversion: 1 and as many more as there are thresholds that are not above u."""
        if not self.drawn:
            return np.full(len(uniform), int(self.days), np.int64)
        return 1 + np.searchsorted(self.thresholds(), uniform, side="right").astype(np.int64)


def gamma_cdf(x: float, shape: float, scale: float) -> float:
    """P(X <= x) of a Gamma variable, by the series of the incomplete gamma function; to 1e-14."""
    z = x / scale
    if z <= 0:
        return 0.0
    term = total = 1.0 / shape
    n = shape
    while term > total * 1e-16:
        n += 1
        term *= z / n
        total += term
    return min(1.0, total * math.exp(-z + shape * math.log(z) - math.lgamma(shape)))


def gamma_increments(mean: float = 5.5, sd: float = 2.4, days: int = 21) -> tuple[float, ...]:
    """w(k) = F(k) - F(k - 1) for k = 0 to ``days`` - 1: how infectious one is, k + 1 days after infection. w(0) = 0."""
    shape, scale = (mean / sd) ** 2, sd**2 / mean
    cumulative = [gamma_cdf(k, shape, scale) for k in range(days)]
    return (0.0, *(later - earlier for earlier, later in itertools.pairwise(cumulative)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Disease:
    """A day's hazard that j infects i over a contact of weight B:

    lambda_ij = R_week * S(age_i) / I(age_i) * A(stage_j) * B * w(t - t_j - 1), and P(i infected) = 1 - exp(-sum_j lambda_ij).

    ``reproduction``: R by week (the last goes on for ever); a week is one number, or one an area. ``susceptibility`` S and
    ``interactions`` I (mean number of contacts, which R is shared out over): one an age class. ``infectivity``: A, one a stage.
    ``profile``: w(k), zero beyond its end; None: constant 1. ``protection``: share by which vaccination lowers the hazard.
    ``mortality``: expected deaths for each one who leaves INFECTIOUS. ``scale``: fixed-point units for A * B * w.
    """

    reproduction: tuple[float | tuple[float, ...], ...] = (4.75,)
    susceptibility: tuple[float, ...] = (0.35, 0.69, 1.03, 1.03, 1.03, 1.03, 1.27, 1.52, 1.52)
    interactions: tuple[float, ...] = (2.0, 2.0, 3.0, 3.0, 3.0, 3.0, 3.0, 4.0, 4.0)
    infectivity: tuple[float, float, float, float, float] = (0.0, 0.33, 0.72, 0.0, 0.0)
    profile: tuple[float, ...] | None = gamma_increments()
    exposed: Duration = Duration(6)
    infectious: Duration = Duration(5)
    immune: Duration = Duration()
    mortality: float = 0.12
    protection: float = 0.9
    days_a_week: int = 7
    scale: int = SCALE

    def __post_init__(self) -> None:
        if len(self.susceptibility) != len(self.interactions):
            raise UsageError(f"{len(self.susceptibility)} susceptibilities for {len(self.interactions)} interactions: one an age class")
        if not self.reproduction or len({np.size(week) for week in self.reproduction}) != 1:
            raise UsageError("reproduction needs at least one week, and the same number of areas in each")
        if not (0 <= self.mortality <= 1 and 0 <= self.protection <= 1):
            raise UsageError(f"mortality is {self.mortality} and protection {self.protection}: both are shares from 0 to 1")

    @classmethod
    def seirs(cls, transmission: float, exposed: Duration, infectious: Duration, immune: Duration | None = None) -> Disease:
        """Constant transmission: each infectious contact infects with probability ``transmission`` a day, so k of them with
        1 - (1 - transmission)^k. Everyone is equally susceptible."""
        if not 0 <= transmission < 1:
            raise UsageError(f"transmission is {transmission}: a probability, 0 or more and below 1")
        return cls(
            reproduction=(1.0,),
            susceptibility=(1.0,),
            interactions=(1.0,),
            infectivity=(0.0, 0.0, -math.log1p(-transmission), 0.0, 0.0),
            profile=None,
            exposed=exposed,
            infectious=infectious,
            immune=immune or Duration(),
            mortality=0.0,
        )

    @property
    def ages(self) -> int:
        """Age classes."""
        return len(self.susceptibility)

    @property
    def areas(self) -> int:
        """Areas that R tells apart."""
        return int(np.size(self.reproduction[0]))

    def duration(self, stage: int) -> Duration:
        """Of a stage that one enters by itself."""
        return {Stage.EXPOSED: self.exposed, Stage.INFECTIOUS: self.infectious, Stage.RECOVERED: self.immune}.get(Stage(stage), Duration())

    def week(self, day: int) -> Floats:
        """R on a day, one value an area."""
        return np.atleast_1d(np.asarray(self.reproduction[min(day // self.days_a_week, len(self.reproduction) - 1)], np.float64))

    def receptivity(self, day: int) -> Floats:
        """R_week * S / I on a day, one value a trait (see ``traits``)."""
        by_age = np.asarray(self.susceptibility, np.float64) / np.asarray(self.interactions, np.float64)
        protected = np.array([1.0, 1.0 - self.protection])
        return (self.week(day)[:, None, None] * (protected[:, None] * by_age)).reshape(-1)

    def traits(self, age: NDArray[np.integer], area: NDArray[np.integer] | int = 0, vaccinated: NDArray[np.bool_] | bool = False) -> Ints:
        """One number for all that makes someone susceptible: (area * 2 + vaccinated) * ages + age."""
        where = np.asarray(area, np.int64) if self.areas > 1 else np.int64(0)
        return (where * 2 + np.asarray(vaccinated, np.int64)) * self.ages + np.asarray(age, np.int64)

    def emission(self, weight: float = 1.0) -> Ints:
        """A * B * w in fixed-point units, (stages, days since infection); later days are like the last column."""
        rounded = np.rint(self.scale * self.exact_emission(weight))
        if rounded.max() >= 2**31:
            raise UsageError(f"a contact of weight {weight} is too infectious for fixed-point units of 1/{self.scale}; lower the scale")
        return rounded.astype(np.int64)

    def exact_emission(self, weight: float = 1.0) -> Floats:
        """A * B * w before rounding: row a stage, column a = t - t_j."""
        days = np.ones(1) if self.profile is None else np.concatenate([[0.0], self.profile, [0.0]])
        return np.asarray(self.infectivity, np.float64)[:, None] * (weight * days)
