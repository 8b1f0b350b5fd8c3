"""Taxes by brackets and their redistribution, in whole cents: what is taken is given, to the last cent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.errors import UsageError

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

PER_MILLE = 1000


@dataclass(frozen=True, slots=True)
class Brackets:
    """Marginal rates: income above ``floors[i]`` cents a month, up to the next floor, is taxed at ``rates[i]`` per mille.

    The default is the United States' federal income tax of 2019 for single filers, by the month, without deductions.
    """

    floors: tuple[int, ...] = (0, 80_833, 328_958, 701_667, 1_339_375, 1_700_833, 4_252_500)
    rates: tuple[int, ...] = (100, 120, 220, 240, 320, 350, 370)

    def __post_init__(self) -> None:
        if len(self.floors) != len(self.rates) or not self.floors or self.floors[0] != 0:
            raise UsageError("tax brackets need one rate for each floor, and the first floor is 0")
        if any(b <= a for a, b in zip(self.floors, self.floors[1:], strict=False)) or any(not 0 <= r <= PER_MILLE for r in self.rates):
            raise UsageError(f"tax brackets need ascending floors and rates from 0 to {PER_MILLE} per mille")


def tax(income: ArrayLike, brackets: Brackets) -> Ints:
    """The tax on each income, rounded down to a cent in each bracket; none on what is not above 0."""
    cents = np.asarray(income, np.int64)
    owed = np.zeros(cents.shape, np.int64)
    for place, (floor, rate) in enumerate(zip(brackets.floors, brackets.rates, strict=True)):
        above = np.maximum(cents - floor, 0)
        if place + 1 < len(brackets.floors):
            above = np.minimum(above, brackets.floors[place + 1] - floor)
        owed += above * rate // PER_MILLE
    return owed


def equal_shares(total: ArrayLike, group: Ints, groups: int) -> Ints:
    """Each group's ``total`` in equal parts to its members, in order; the odd cents go to the first of them, one each.

    A group without members gets nothing: its total must be 0.
    """
    whole = np.asarray(total, np.int64)
    members = np.bincount(group, minlength=groups)
    if (whole[members == 0] != 0).any():
        raise UsageError("there is money to share out in a group that has nobody")
    part, odd = whole // np.maximum(members, 1), whole % np.maximum(members, 1)
    if groups == 1:
        return part[0] + (np.arange(len(group)) < odd[0])
    order = np.argsort(group, kind="stable")
    rank = np.empty(len(group), np.int64)
    rank[order] = np.arange(len(group)) - np.repeat(np.cumsum(members) - members, members)
    return part[group] + (rank < odd[group])


def predicted_unemployment(claims: ArrayLike, labour_force: ArrayLike, slopes: Sequence[float], intercept: ArrayLike) -> Floats:
    """u = sum_k slopes[k] * x_k + intercept of each county, kept from 0 to 1, where x_k are claims in the labour force of k months ago.

    ``claims``: (months back, counties), the present month first; ``labour_force``: (counties,).
    """
    rates = np.atleast_2d(np.asarray(claims, np.float64)) / np.maximum(np.asarray(labour_force, np.float64), 1.0)
    if len(rates) != len(slopes):
        raise UsageError(f"{len(slopes)} coefficients need claims of as many months, not {len(rates)}")
    return np.clip(np.asarray(slopes) @ rates + np.asarray(intercept, np.float64), 0.0, 1.0)
