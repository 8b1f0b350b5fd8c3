"""Slow, plain reference answers, written apart from the engine's kernels so that the two can be held against each other."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.errors import UsageError

Floats = NDArray[np.float64]

MAXIMUM_STATES = 20_000_000


@dataclass(frozen=True, slots=True)
class PlainRun:
    """One commons run as plain lists: ``catches[month][agent]``, stock before and after each month, in units."""

    before: list[int]
    after: list[int]
    wanted: list[list[int]]
    catches: list[list[int]]

    @property
    def months(self) -> int:
        """Months played."""
        return len(self.catches)

    @property
    def gains(self) -> list[int]:
        """Units an agent over the whole run."""
        return [sum(month[agent] for month in self.catches) for agent in range(len(self.catches[0]))]


@dataclass(frozen=True, slots=True)
class PlainMeasures:
    """Measures of one run by the formulas as printed; shares between 0 and 1. ``equality`` is None where nobody caught a unit."""

    months: int
    gains: list[float]
    efficiency: float
    equality: float | None
    over_usage: float


def play_commons(
    policy: Callable[[int, int, int], int],
    *,
    agents: int,
    horizon: int,
    regrow: Callable[[int], int],
    lost: Callable[[int], bool],
    choose: Callable[[int], int] = lambda _: 0,
    start: int = 100,
) -> PlainRun:
    """Play scripted agents, one unit at a time. ``policy(agent, month, stock)`` is a wish; ``choose(n)`` picks one of n who want."""
    run = PlainRun([], [], [], [])
    stock = start
    for month in range(horizon):
        wanted = [policy(agent, month, stock) for agent in range(agents)]
        catches = hand_out(wanted, stock, choose)
        left = stock - sum(catches)
        run.before.append(stock)
        run.after.append(left)
        run.wanted.append(wanted)
        run.catches.append(catches)
        if lost(left):
            break
        stock = regrow(left)
    return run


def hand_out(wanted: Sequence[int], stock: int, choose: Callable[[int], int]) -> list[int]:
    """Unit by unit to one of those who still want, in a loop."""
    if sum(wanted) <= stock:
        return list(wanted)
    caught = [0] * len(wanted)
    for _ in range(stock):
        wanting = [agent for agent, wish in enumerate(wanted) if caught[agent] < wish]
        caught[wanting[choose(len(wanting))]] += 1
    return caught


def expected_unit_by_unit(wanted: Sequence[int], stock: int) -> Floats:
    """The exact expected catches when each unit goes to a uniformly random agent still wanting, in units, shape (agents,).

    Dynamic programming over how much each agent has: the chance of every vector of catches after 0, 1, ... ``stock`` units.
    """
    if sum(wanted) <= stock:
        return np.array(wanted, np.float64)
    shape = tuple(min(wish, stock) + 1 for wish in wanted)
    if math.prod(shape) > MAXIMUM_STATES:
        raise UsageError(f"the exact expectation of {len(wanted)} agents needs {math.prod(shape)} states; the limit is {MAXIMUM_STATES}")
    have = np.indices(shape)
    limits = np.array(wanted).reshape((-1,) + (1,) * len(shape))
    wanting = have < limits
    chance = np.zeros(shape)
    chance[(0,) * len(shape)] = 1.0
    for _ in range(stock):
        each = chance / np.maximum(1, wanting.sum(axis=0))
        following = np.zeros(shape)
        for agent, top in enumerate(shape):
            if top > 1:
                to = tuple(slice(1, None) if axis == agent else slice(None) for axis in range(len(shape)))
                since = tuple(slice(None, -1) if axis == agent else slice(None) for axis in range(len(shape)))
                following[to] += (each * wanting[agent])[since]
        chance = following
    return (have * chance).sum(axis=tuple(range(1, len(shape) + 1)))


def most_units(start: int, horizon: int, regrow: Callable[[int], int], lost: Callable[[int], bool]) -> tuple[int, list[int]]:
    """The most units one group can take in ``horizon`` months, and a plan that takes them, by dynamic programming over whole stocks."""
    return _best_plan(start, horizon, regrow, lost, sign=1, must_last=False)


def least_removal(
    start: int, horizon: int, regrow: Callable[[int], int], lost: Callable[[int], bool], *, last_month_may_be_lost: bool = False
) -> tuple[int, list[int]]:
    """The fewest units that must be removed so that no month ends lost, and a plan. The last month may be let off."""
    tolerant = horizon if last_month_may_be_lost else None
    return _best_plan(start, horizon, regrow, lost, sign=-1, must_last=True, let_off=tolerant)


def _best_plan(
    start: int,
    horizon: int,
    regrow: Callable[[int], int],
    lost: Callable[[int], bool],
    *,
    sign: int,
    must_last: bool,
    let_off: int | None = None,
) -> tuple[int, list[int]]:
    """Best total over months left, from the last month backwards; ``sign`` 1 takes the most, -1 the least."""
    worst = -math.inf
    tops = max(start, max(regrow(left) for left in range(start + 1)))
    value = [0.0] * (tops + 1)
    plans: list[list[int]] = []
    for month in range(horizon, 0, -1):
        best, choice = [worst] * (tops + 1), [0] * (tops + 1)
        for stock in range(tops + 1):
            for take in range(stock + 1):
                left = stock - take
                ends = lost(left)
                if ends and must_last and month != let_off:
                    continue
                total = sign * take + (0.0 if ends or month == horizon else value[regrow(left)])
                if total > best[stock]:
                    best[stock], choice[stock] = total, take
        value, plans = best, [choice, *plans]
    if value[start] == worst:
        raise UsageError("no plan keeps this commons from being lost")
    return sign * int(value[start]), _follow(start, plans, regrow, lost)


def _follow(start: int, plans: list[list[int]], regrow: Callable[[int], int], lost: Callable[[int], bool]) -> list[int]:
    takes: list[int] = []
    stock = start
    for choice in plans:
        takes.append(choice[stock])
        if lost(stock - choice[stock]):
            break
        stock = regrow(stock - choice[stock])
    return takes


def plain_measures(
    catches: Sequence[Sequence[float]], thresholds: Sequence[float], *, horizon: int = 12, first_threshold: float = 50
) -> PlainMeasures:
    """The measures of one run by double loops, straight from the printed formulas. ``catches[month][agent]``, units."""
    agents = len(catches[0])
    gains = [math.fsum(month[agent] for month in catches) for agent in range(agents)]
    total = math.fsum(gains)
    differences = math.fsum(abs(one - other) for one in gains for other in gains)
    over = sum(1 for month, threshold in zip(catches, thresholds, strict=True) for catch in month if catch > threshold)
    sustainable = horizon * first_threshold
    return PlainMeasures(
        months=len(catches),
        gains=gains,
        efficiency=1 - max(0.0, sustainable - total) / sustainable,
        equality=None if total == 0 else 1 - differences / (2 * agents * total),
        over_usage=over / (agents * len(catches)),
    )
