"""The places of a city: where they lie and what they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.randomness import Stream

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class City:
    """``at``: (places, 2), km; ``kind``: the number of each place's category in ``kinds``."""

    at: Floats
    kind: Ints
    kinds: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.at.shape != (len(self.kind), 2) or not np.isfinite(self.at).all():
            raise UsageError(f"a city of {len(self.kind)} places needs as many pairs of finite coordinates, not {self.at.shape}")
        if len(self.kind) and (self.kind.min() < 0 or self.kind.max() >= len(self.kinds)):
            raise UsageError(f"a place is of category {self.kind.max()}; this city has {', '.join(self.kinds)}")

    def __len__(self) -> int:
        return len(self.kind)

    def of(self, kind: str) -> Ints:
        """The numbers of all places of a category."""
        if kind not in self.kinds:
            raise UsageError(f"this city has no places of category {kind!r}; it has {', '.join(self.kinds)}")
        return np.flatnonzero(self.kind == self.kinds.index(kind))

    @classmethod
    def scattered(cls, counts: Mapping[str, int], random: Stream, *, radius: float = 5.0, spread: ArrayLike = 0.5) -> City:
        """Places in a disc of ``radius`` km. ``spread``: a place lies at radius * u^spread, u uniform: 0.5 spreads evenly over the area,
        more crowds the middle."""
        kinds, sizes = tuple(counts), np.array(list(counts.values()), np.int64)
        number = np.arange(int(sizes.sum()))
        away = radius * random.uniform(number) ** np.asarray(spread, np.float64)
        angle = 2 * np.pi * random.uniform(number, 1)
        return cls(np.stack([away * np.cos(angle), away * np.sin(angle)], axis=1), np.repeat(np.arange(len(kinds)), sizes), kinds)


def durations(here: Floats, there: Floats, *, speed: float, detour: float) -> Ints:
    """Whole minutes of a trip, at least one: the straight line times ``detour``, at ``speed`` km/h."""
    distance = np.hypot(*(np.asarray(here) - np.asarray(there)).T)
    return np.maximum(1, np.ceil(distance * detour / speed * 60.0)).astype(np.int64)


def names(kinds: Sequence[str], numbers: Ints) -> NDArray[np.object_]:
    """What the places of these categories are called."""
    table = np.array([*kinds, ""], object)
    return table[numbers]
