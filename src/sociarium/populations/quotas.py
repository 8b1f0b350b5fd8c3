"""A population whose marginals are exact: shares become whole counts, and each attribute is dealt out by itself.

Nothing here draws from anywhere but the generator it is given, so one seed gives one population.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.errors import UsageError

Ints = NDArray[np.int64]

TOLERANCE = 1e-9  # how far shares may sum from 1 by rounding alone


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a population: its categories, the share of each, and what else comes with a category."""

    name: str
    shares: Mapping[str, float]
    bundles: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])  # category -> further columns


def exact_counts(shares: Sequence[float], total: int, *, renormalise: bool = False) -> Ints:
    """Whole counts that add up to ``total``, each within one of its share (largest remainder; ties go to the earlier share).

    Shares that do not sum to 1 are an error, unless ``renormalise`` says that they are weights.
    """
    if total < 0:
        raise UsageError(f"a population of {total} agents cannot be drawn")
    if not len(shares) or any(not math.isfinite(share) or share < 0 for share in shares):
        raise UsageError(f"shares must be finite and not negative, and there must be at least one: {list(shares)}")
    whole = math.fsum(shares)
    if not whole > 0:
        raise UsageError("all shares are 0: nobody could be drawn")
    if abs(whole - 1) > TOLERANCE and not renormalise:
        raise UsageError(f"shares sum to {whole:.6g}, not 1; mend them, or pass renormalise=True to read them as weights")
    exact = [share / whole * total for share in shares]
    # a share such as 0.29 of 100 is 28.999999999999996 in floating point: count it as the 29 it means
    floors = [round(value) if abs(value - round(value)) < 1e-7 else math.floor(value) for value in exact]
    remainders = [max(0.0, value - floor) for value, floor in zip(exact, floors, strict=True)]
    by_remainder = sorted(range(len(shares)), key=lambda place: (-remainders[place], place))
    for place in by_remainder[: total - sum(floors)]:
        floors[place] += 1
    return np.array(floors, np.int64)


def draw_population(
    attributes: Sequence[Attribute], total: int, random: np.random.Generator, *, renormalise: bool = False
) -> dict[str, NDArray[np.object_]]:
    """One column an attribute (and one a bundled column), each of length ``total``, with exact marginals.

    Attributes are shuffled one by one in the order given, so they are independent of one another; adding one at the end leaves
    the columns before it as they were.
    """
    columns: dict[str, NDArray[np.object_]] = {}
    for attribute in attributes:
        categories = list(attribute.shares)
        try:
            counts = exact_counts(list(attribute.shares.values()), total, renormalise=renormalise)
        except UsageError as error:
            raise UsageError(f"attribute {attribute.name!r}: {error}") from None
        dealt = random.permutation(np.repeat(np.arange(len(categories)), counts))
        for name, values in _columns(attribute, categories).items():
            if name in columns:
                raise UsageError(f"two attributes write the column {name!r}; rename one")
            columns[name] = values[dealt]
    return columns


def _columns(attribute: Attribute, categories: list[str]) -> dict[str, NDArray[np.object_]]:
    """The value of each column by category: the category itself, then what its bundle brings."""
    unknown = sorted(set(attribute.bundles) - set(categories))
    if unknown:
        raise UsageError(f"attribute {attribute.name!r} has a bundle for {unknown[0]!r}, which is not one of its categories")
    names = sorted({name for bundle in attribute.bundles.values() for name in bundle})
    for category in categories if names else ():
        missing = sorted(set(names) - set(attribute.bundles.get(category, {})))
        if missing:
            raise UsageError(f"attribute {attribute.name!r}: category {category!r} lacks {missing[0]!r}, which another category brings")
    columns = {attribute.name: _objects(categories)}
    return columns | {name: _objects([attribute.bundles[category][name] for category in categories]) for name in names}


def _objects(values: Sequence[Any]) -> NDArray[np.object_]:
    column = np.empty(len(values), np.object_)
    column[:] = values
    return column
