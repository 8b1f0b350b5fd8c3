"""A population from independent tables: each attribute drawn by itself, by the weights of its table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from ruamel.yaml import YAML

from sociarium.kernel.errors import UsageError
from sociarium.kernel.randomness import Stream

Codes = NDArray[np.int16]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Table:
    """Categories of one attribute and their weights, which need not sum to 1."""

    name: str
    categories: tuple[str, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.categories) != len(self.weights) or not self.categories:
            raise UsageError(f"table {self.name!r} has {len(self.weights)} weights for {len(self.categories)} categories")
        if min(self.weights) < 0 or not 0 < sum(self.weights) < float("inf"):
            raise UsageError(f"the weights of table {self.name!r} must be finite, not negative, and not all 0")

    @property
    def shares(self) -> Floats:
        """The weights over their sum."""
        weights = np.array(self.weights, np.float64)
        return weights / weights.sum()

    def drawn(self, agents: NDArray[np.int64], random: Stream) -> Codes:
        """The number of a category for each agent: one draw, addressed by the agent."""
        ends = np.cumsum(self.shares)
        return np.minimum(np.searchsorted(ends, random.uniform(agents), side="right"), len(ends) - 1).astype(np.int16)

    def words(self, codes: Codes) -> NDArray[Any]:
        return np.array(self.categories, object)[codes]


def read_tables(path: Path) -> dict[str, Table]:
    """Tables of a YAML file: ``name: {category: weight, ...}``, or a list of categories of equal weight."""
    plain: Any = YAML(typ="safe", pure=True).load(path.read_text("utf-8"))  # pyright: ignore[reportUnknownMemberType]
    out: dict[str, Table] = {}
    for name, given in cast("Mapping[str, Any]", plain).items():
        if isinstance(given, list):
            names = [str(one) for one in cast("Sequence[Any]", given)]
            out[name] = Table(name, tuple(names), (1.0,) * len(names))
        else:
            weights = cast("Mapping[Any, float]", given)
            out[name] = Table(name, tuple(str(one) for one in weights), tuple(float(one) for one in weights.values()))
    return out


def drawn(tables: Mapping[str, Table], size: int, random: Stream, *, first: int = 0) -> dict[str, Codes]:
    """One column of codes a table. Agents ``first`` to ``first + size - 1``: another size leaves the draws of an agent as they were."""
    agents = np.arange(first, first + size, dtype=np.int64)
    return {name: table.drawn(agents, random.at(name)) for name, table in tables.items()}
