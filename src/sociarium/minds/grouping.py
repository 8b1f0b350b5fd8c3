"""Alike agents: which archetype each one is of, by the variables of a prompt.

``Grouping`` is a variable with categories that splits agents (age group, gender, county); the archetypes are all combinations.
``Told`` is a variable that is the same for all who are asked together (cases yesterday, the month, the news): it splits nobody.

    Grouping.binned("age", (18, 65), ("a child", "an adult", "an old person"))
    Grouping.coded("gender", ("a woman", "a man"))                      # the column holds 0 and 1
    Grouping.named("county", ("Queens", "Kings"))                       # the column holds these texts
    Told("cases", "epidemic.cases", nearest=100)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.population import Visibility
from sociarium.kernel.turn import Observations, Turn
from sociarium.kernel.world import World
from sociarium.minds.prompts import Value

Array = NDArray[Any]
Ints = NDArray[np.int64]

MOST_ARCHETYPES = 100_000
CHUNK = 1 << 15  # agents at a time, so that the passes stay in cache


@dataclass(frozen=True, slots=True)
class Grouping:
    """A prompt variable with categories. ``labels`` are the words that the prompt is given, one a category.

    ``source`` is a column of the population (``age``) or of what is seen (``epidemic.symptoms``); ``name`` where it is empty. Made by
    ``binned``, ``coded`` or ``named``. A text column costs one comparison a category and agent: prefer codes for millions of agents.
    """

    name: str
    labels: tuple[str, ...]
    source: str = ""
    edges: tuple[float, ...] | None = None
    values: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if len(self.labels) < 1 or len(set(self.labels)) < len(self.labels):
            raise UsageError(f"the grouping {self.name!r} needs categories with different labels; got {', '.join(self.labels) or 'none'}")
        if self.edges is not None and (len(self.edges) != len(self.labels) - 1 or sorted(set(self.edges)) != list(self.edges)):
            raise UsageError(
                f"the grouping {self.name!r} has {len(self.labels)} labels: give {len(self.labels) - 1} rising edges between them"
            )
        if self.values is not None and (len(self.values) != len(self.labels) or len(set(self.values)) < len(self.values)):
            raise UsageError(f"the grouping {self.name!r} needs one value a label, no two alike")

    @classmethod
    def binned(cls, name: str, edges: Sequence[float], labels: Sequence[str], source: str = "") -> Grouping:
        """Numbers by bins: below ``edges[0]`` the first label, from the last edge on the last. An edge belongs to the bin above it."""
        return cls(name, tuple(labels), source, edges=tuple(float(edge) for edge in edges))

    @classmethod
    def coded(cls, name: str, labels: Sequence[str], source: str = "") -> Grouping:
        """Whole numbers from 0, one a label; flags count as 0 and 1."""
        return cls(name, tuple(labels), source)

    @classmethod
    def named(cls, name: str, labels: Sequence[str], source: str = "", values: Sequence[str] | None = None) -> Grouping:
        """Texts: ``values`` as the column holds them, or the labels themselves."""
        return cls(name, tuple(labels), source, values=tuple(labels if values is None else values))

    def codes(self, part: Array, dtype: Any = np.int32) -> Array:
        """The category of each value, as ``dtype``. Raises UsageError for a value that is in no category."""
        if self.values is not None:
            found = np.full(len(part), -1, np.int32)
            for number, value in enumerate(self.values):
                found[part == value] = number
            if len(part) and found.min() < 0:
                raise self._no_category(part[int(found.argmin())])
            return found.astype(dtype)
        codes = np.zeros(len(part), dtype)
        if len(part) == 0:
            return codes
        low, high = part.min(), part.max()
        if self.edges is not None:
            if not low <= high:
                raise self._no_category(math.nan)
            for edge in self.edges:
                np.add(codes, (part >= edge).view(np.uint8), out=codes, casting="unsafe")
            return codes
        if part.dtype.kind not in "biu" or not 0 <= low <= high < len(self.labels):
            raise self._no_category(low if part.dtype.kind not in "biu" or low < 0 else high)
        return part.astype(dtype)

    def _no_category(self, value: Any) -> UsageError:
        kind = "bins" if self.edges is not None else "texts" if self.values is not None else "codes"
        known = ", ".join(map(str, self.edges if self.edges is not None else self.values or range(len(self.labels))))
        return UsageError(f"the grouping {self.name!r} has no category for the value {value!r}; its {kind} are {known}")


@dataclass(frozen=True, slots=True)
class Told:
    """A prompt variable that is the same for all agents of a lane: a column (``epidemic.cases``), or what ``of`` says.

    ``nearest`` rounds a number to its multiples, so that a small change is no new question. ``of(turn, seen)`` gives a text, a number or
    blocks; it must depend on its arguments and the world only.
    """

    name: str
    source: str = ""
    nearest: float = 0.0
    of: Callable[[Turn, Observations], Value] | None = None

    def value(self, world: World, turn: Turn, seen: Observations) -> Value:
        if self.of is not None:
            return self.of(turn, seen)
        column = column_of(self.source or self.name, self.name, world, turn, seen)
        if column.strides != (0,) and (column != column[0]).any():
            raise UsageError(
                f"{self.name!r} is told to all agents of a lane, and {self.source or self.name} differs among them; make it a Grouping"
            )
        value: Any = column[0]
        if isinstance(value, str):
            return value
        number = float(value)
        if self.nearest > 0.0 and math.isfinite(number):
            number = float(round(number / self.nearest) * self.nearest)
        return int(number) if number.is_integer() else number


def column_of(source: str, name: str, world: World, turn: Turn, seen: Observations) -> Array:
    """A column of what is seen (``epidemic.cases``) or of the population (``age``), one value an agent of the turn."""
    environment, dot, key = source.partition(".")
    if dot:
        shown = seen.parts.get(environment, {})
        if key not in shown:
            known = ", ".join(f"{part}.{column}" for part, columns in seen.parts.items() for column in columns)
            raise UsageError(
                f"the prompt variable {name!r} takes {source}, which phase {turn.phase.name!r} does not show; it shows {known or 'nothing'}"
            )
        column = np.asarray(shown[key])
        return np.broadcast_to(column, turn.agents.shape) if column.ndim == 0 else column
    for table in world.population:
        if source in table and table.columns[source].visibility is Visibility.HIDDEN:
            raise UsageError(f"the prompt variable {name!r} takes the column {source!r}, which is hidden; nobody may be told it")
    return np.asarray(world.population.get(turn.agents, source))


class Archetypes:
    """All combinations of some groupings, numbered with the last grouping changing fastest."""

    def __init__(self, groupings: Sequence[Grouping]) -> None:
        self.groupings = tuple(groupings)
        self.count = math.prod(len(grouping.labels) for grouping in self.groupings)
        if self.count > MOST_ARCHETYPES:
            shape = " x ".join(str(len(grouping.labels)) for grouping in self.groupings)
            raise UsageError(f"{shape} = {self.count:,} archetypes; the limit is {MOST_ARCHETYPES:,}: take fewer or coarser groupings")
        self._storage = np.min_scalar_type(max(self.count - 1, 0))

    def labels(self, archetype: int) -> dict[str, str]:
        """The words of one archetype, by variable."""
        out: dict[str, str] = {}
        for grouping in reversed(self.groupings):
            archetype, at = divmod(archetype, len(grouping.labels))
            out[grouping.name] = grouping.labels[at]
        return dict(reversed(out.items()))

    def of(self, world: World, turn: Turn, seen: Observations) -> Array:
        """The archetype of each agent of the turn, in the smallest type that holds them."""
        out = np.zeros(len(turn.agents), self._storage)
        columns = [column_of(grouping.source or grouping.name, grouping.name, world, turn, seen) for grouping in self.groupings]
        for start in range(0, len(out), CHUNK):
            part = out[start : start + CHUNK]
            for grouping, column in zip(self.groupings, columns, strict=True):
                if len(grouping.labels) < self.count:  # else all others have one label, and the type need not hold the factor
                    np.multiply(part, part.dtype.type(len(grouping.labels)), out=part)
                np.add(part, grouping.codes(column[start : start + CHUNK], self._storage), out=part)
        return out

    def members(self, which: Array) -> Ints:
        """How many of the agents are of each archetype, (archetypes,)."""
        counts = np.zeros(self.count, np.int64)
        for start in range(0, len(which), CHUNK):
            counts += np.bincount(which[start : start + CHUNK], minlength=self.count)
        return counts
