"""How a shared stock grows between months, when it has collapsed, and how much may be taken without shrinking it.

All functions work on whole arrays, one value a group, and draw nothing. Stocks are in units of the resource (tons of fish,
hectares, per cent of clean water, units of trash); the laws keep integers exact wherever the parameters are integers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.errors import UsageError

Numbers = NDArray[Any]  # int64 or float64, shape (groups,)
Bools = NDArray[np.bool_]


class Growth(Protocol):
    """A law of growth: from the stock a month leaves to the stock the next month finds."""

    def regrow(self, left: Numbers) -> Numbers:
        """Stock at the start of the next month, from ``left`` units at the end of this one. Shape (groups,)."""
        ...

    def group_threshold(self, stock: Numbers) -> Numbers:
        """The most whole units that may be taken together from ``stock`` so that it regrows to at least ``stock``."""
        ...


class Collapse(Protocol):
    """When a commons is lost for good."""

    def lost(self, left: Numbers) -> Bools:
        """True for groups whose month ended with a stock that ends the game. Shape (groups,)."""
        ...


@dataclass(frozen=True, slots=True)
class Multiplying:
    """The stock is multiplied up to a capacity: min(capacity, multiplier * left). GovSim's law (arXiv 2404.16698) doubles."""

    multiplier: float = 2
    capacity: float = 100

    def __post_init__(self) -> None:
        if not self.multiplier > 1:
            raise UsageError(f"growth multiplier {self.multiplier} must be above 1: at 1 or below nothing ever grows back")
        _positive("capacity", self.capacity)

    def regrow(self, left: Numbers) -> Numbers:
        return np.minimum(_exact(self.capacity), left * _exact(self.multiplier))

    def group_threshold(self, stock: Numbers) -> Numbers:
        if self.multiplier == 2:  # exact in integers: floor(h / 2)
            return np.asarray(stock // 2)
        return _largest_harvest(self, stock, stock - stock / self.multiplier)


@dataclass(frozen=True, slots=True)
class Logistic:
    """Discrete logistic growth: left + rate * left * (1 - left / capacity), never below nothing nor above the capacity."""

    rate: float = 1.0
    capacity: float = 100

    def __post_init__(self) -> None:
        if not 0 < self.rate <= 3:
            raise UsageError(f"logistic growth rate {self.rate} must lie in (0, 3]: above 3 the map leaves the range of stocks")
        _positive("capacity", self.capacity)

    def regrow(self, left: Numbers) -> Numbers:
        return np.clip(left + self.rate * left * (1 - left / self.capacity), 0, self.capacity)

    def group_threshold(self, stock: Numbers) -> Numbers:
        # what is left, y, must satisfy (1 + r) y - r y^2 / K >= h; its smaller root is the least that must stay
        spread = np.sqrt(np.maximum(0.0, (1 + self.rate) ** 2 - 4 * self.rate * stock / self.capacity))
        must_stay = self.capacity * ((1 + self.rate) - spread) / (2 * self.rate)
        return _largest_harvest(self, stock, stock - must_stay)


@dataclass(frozen=True, slots=True)
class Adding:
    """A fixed number of units a month, up to a capacity: min(capacity, left + amount). Trash grows by 50 (arXiv 2505.09289)."""

    amount: float = 50
    capacity: float = 100

    def __post_init__(self) -> None:
        if self.amount < 0:
            raise UsageError(f"growth of {self.amount} units a month must not be negative")
        _positive("capacity", self.capacity)

    def regrow(self, left: Numbers) -> Numbers:
        return np.minimum(_exact(self.capacity), left + _exact(self.amount))

    def group_threshold(self, stock: Numbers) -> Numbers:
        return np.floor(np.minimum(stock, self.amount)).astype(np.asarray(stock).dtype)


@dataclass(frozen=True, slots=True)
class LostBelow:
    """Too little left: lost when a month ends with less than ``limit`` units (5 in GovSim)."""

    limit: float = 5

    def lost(self, left: Numbers) -> Bools:
        return np.asarray(left < self.limit)


@dataclass(frozen=True, slots=True)
class LostAbove:
    """Too much left: lost when a month ends with more than ``limit`` units (95 in the trash world, "house overfull")."""

    limit: float = 95

    def lost(self, left: Numbers) -> Bools:
        return np.asarray(left > self.limit)


@dataclass(frozen=True, slots=True)
class NeverLost:
    """No end but the horizon."""

    def lost(self, left: Numbers) -> Bools:
        return np.zeros(np.shape(left), np.bool_)


def per_agent_threshold(group_threshold: Numbers, agents: int) -> Numbers:
    """An equal, whole share of what a group may take: floor(threshold / agents). Shape (groups,), units an agent.

    GovSim quotes 10 units in the first month whatever the number of agents; a caller who wants that passes it in itself.
    """
    if agents < 1:
        raise UsageError(f"{agents} agents cannot share a threshold; give at least one")
    return np.asarray(group_threshold // agents)


def _largest_harvest(law: Growth, stock: Numbers, bound: Numbers) -> Numbers:
    """Whole units at or below the real-valued ``bound``, put right where floating point fell on the wrong side of one."""
    harvest = np.clip(np.floor(bound), 0, stock)
    more = harvest + 1
    harvest = np.where((more <= stock) & (law.regrow(np.maximum(stock - more, 0)) >= stock), more, harvest)
    fails = (harvest > 0) & (law.regrow(stock - harvest) < stock)
    return np.where(fails, harvest - 1, harvest).astype(np.asarray(stock).dtype)


def _exact(value: float) -> float:
    """An integer where the number is whole, so that integer stocks stay integers."""
    return int(value) if float(value).is_integer() else value


def _positive(name: str, value: float) -> None:
    if not value > 0:
        raise UsageError(f"{name} {value} must be above 0")
