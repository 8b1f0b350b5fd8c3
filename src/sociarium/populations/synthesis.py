"""A synthetic population: households with their persons, zone by zone, raked to marginals, with workplaces and schools.

Costs a few arrays of one value a person: 8.4 million people take seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.randomness import Stream
from sociarium.populations.goodness import FitReport, merged
from sociarium.populations.households import Controls, Sample, constraints, rake_households
from sociarium.populations.integers import polished, truncate_replicate_sample

Array = NDArray[Any]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

NOWHERE = -1


@dataclass(frozen=True, slots=True)
class Coded:
    """A column of categories: small whole numbers, and what they mean."""

    codes: Array
    labels: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.codes)


@dataclass(frozen=True, slots=True)
class Places:
    """Workplaces or schools: who goes, how large they are, and how many stay in their zone.

    ``column`` and ``categories``: those persons go, a share ``share`` of them. ``mean_size`` people a place; ``spread`` is the standard
    deviation
    of the logarithm of size (0: all alike; 1.2 is about that of firms). ``local``: share that goes to a place in the own zone; the others
    go to zones in proportion to how many of their people go at all.
    """

    column: str
    categories: tuple[str, ...] | None = None
    least: float = -np.inf
    most: float = np.inf
    share: float = 1.0
    mean_size: float = 20.0
    spread: float = 0.0
    local: float = 0.5


@dataclass(frozen=True, slots=True)
class Synthetic:
    """The people and their households. ``persons`` has besides the sample's columns ``household`` (row of the households' table) and
    ``zone``, and
    one column a kind of place (-1: none). ``fractional`` and ``whole``: the fit before and after weights became whole households."""

    households: dict[str, Array | Coded]
    persons: dict[str, Array | Coded]
    zones: tuple[str, ...]
    fractional: FitReport
    whole: FitReport
    provenance: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def __len__(self) -> int:
        return len(self.persons["household"])


def synthesise(
    sample: Sample,
    zones: Mapping[str, Controls],
    random: Stream,
    *,
    households: Sequence[str] = (),
    persons: Sequence[str] = (),
    places: Mapping[str, Places] | None = None,
    scale: float = 1.0,
    polish: bool = True,
) -> Synthetic:
    """Households are raked to each zone's controls, made whole, and copied with all their persons.

    ``households`` and ``persons``: columns of the sample to keep, text as categories. ``scale`` multiplies every control: a city of a
    sample of
    zones. ``polish``: after the draw, households are exchanged while the marginals come nearer. Errors: as ``rake_households``.
    """
    if not zones:
        raise UsageError("there are no zones to synthesise")
    counts: list[Ints] = []
    reports: tuple[list[FitReport], list[FitReport]] = ([], [])
    for number, controls in enumerate(zones.values()):
        fit = rake_households(sample, controls)
        weights = fit.weights * scale
        homes = next((sum(wanted.values()) for wanted in controls.households.values()), None)
        goal = None if homes is None else round(homes * scale)
        whole = truncate_replicate_sample(weights, random.at("households", number), goal)
        system = constraints(sample, controls)
        if polish:
            whole = polished(whole, system.matrix, system.wanted * scale)
        counts.append(whole)
        reports[0].append(fit.report)
        reports[1].append(type(system)(system.names, system.categories, system.wanted * scale, system.matrix).report(whole))
    copies = np.concatenate([np.repeat(np.arange(len(sample), dtype=np.int32), count) for count in counts])
    zone_of_household = np.repeat(np.arange(len(counts), dtype=np.int32), [int(count.sum()) for count in counts])
    sizes = np.diff(sample.starts)[copies].astype(np.int32)
    household = np.repeat(np.arange(len(copies), dtype=np.int32), sizes)
    rows = _rows(sample.starts, copies, sizes)
    zone = zone_of_household[household]
    houses: dict[str, Array | Coded] = {"zone": zone_of_household, "members": sizes}
    houses |= {name: _taken(sample.households[name].to_numpy(), copies) for name in households}
    people: dict[str, Array | Coded] = {"household": household, "zone": zone}
    people |= {name: _taken(sample.persons[name].to_numpy(), rows) for name in persons}
    for name, kind in (places or {}).items():
        goes = _who_goes(sample, kind)[rows] & (random.at("goes", name).uniform(np.arange(len(rows))) < kind.share)
        people[name] = assign_places(zone, goes, kind, random.at("place", name), zones=len(counts))
    return Synthetic(houses, people, tuple(zones), merged(reports[0]), merged(reports[1]), _provenance(zones, scale, len(sample)))


def assign_places(zone: NDArray[np.int32], goes: NDArray[np.bool_], kind: Places, random: Stream, *, zones: int) -> NDArray[np.int32]:
    """The place of each person, numbered over all zones, -1 for those who do not go. Places are never of two zones."""
    people = np.flatnonzero(goes).astype(np.int32)
    out = np.full(len(zone), NOWHERE, np.int32)
    if not len(people):
        return out
    where = zone[people].astype(np.int64)
    moves = random.uniform(people) >= kind.local
    if moves.any():
        bound = np.cumsum(np.bincount(where, minlength=zones))
        where[moves] = np.searchsorted(bound, random.integers(0, len(people) - 1, people[moves], 1), side="right")
    order = _shuffled_by(where, random.at("order").bits(people))
    ends = np.cumsum(np.bincount(where, minlength=zones))
    cuts = _cuts(len(people), ends, kind, random.at("size"))
    place = np.repeat(np.arange(len(cuts) - 1, dtype=np.int32), np.diff(cuts))
    out[people[order]] = place
    return out


def _cuts(total: int, ends: Ints, kind: Places, random: Stream) -> Ints:
    """Where one place ends and the next begins along all who go: after drawn sizes, and where a zone ends."""
    most = int(total / max(kind.mean_size, 1.0) * 1.2) + 64
    while True:
        rows = np.arange(most)
        sizes = (
            np.full(most, kind.mean_size)
            if kind.spread == 0
            else kind.mean_size * np.exp(kind.spread * random.normal(rows) - kind.spread**2 / 2)
        )
        bounds = np.cumsum(np.maximum(np.rint(sizes), 1)).astype(np.int64)
        if bounds[-1] >= total:
            return np.unique(np.concatenate([[0], bounds[bounds < total], ends]))
        most *= 2


def _shuffled_by(where: Ints, mixed: NDArray[np.uint64]) -> Ints:
    """Rows in order of ``where``, within it in random order: zone, random bits and row in one number, so that a plain sort does it."""
    low, high = max(len(where) - 1, 1).bit_length(), max(int(where.max()), 1).bit_length()
    lot = (mixed >> np.uint64(1 + low + high)).astype(np.int64)
    return np.sort((where << (63 - high)) | (lot << low) | np.arange(len(where))) & ((1 << low) - 1)


def _rows(starts: Ints, copies: NDArray[np.int32], sizes: NDArray[np.int32]) -> NDArray[np.int32]:
    """The sample's person row of every person."""
    ends = np.cumsum(sizes, dtype=np.int64)
    shift = starts[copies] - (ends - sizes)
    return (np.arange(int(ends[-1]) if len(ends) else 0) + np.repeat(shift, sizes)).astype(np.int32)


def _taken(values: Array, rows: NDArray[np.int32]) -> Array | Coded:
    """A column of the sample for these rows; text becomes categories in order of name."""
    if values.dtype.kind not in "OUT":
        return values[rows]
    labels, codes = np.unique(values.astype(str), return_inverse=True)
    small = np.uint8 if len(labels) <= 256 else np.uint16 if len(labels) <= 65_536 else np.uint32
    return Coded(codes.reshape(-1).astype(small)[rows], tuple(labels.tolist()))


def _who_goes(sample: Sample, kind: Places) -> NDArray[np.bool_]:
    if kind.column not in sample.persons.columns:
        raise UsageError(f"persons of the sample have no column {kind.column!r}; they have {', '.join(sample.persons.columns)}")
    values = sample.persons[kind.column].to_numpy()
    if kind.categories is not None:
        return np.isin(values.astype(str), kind.categories)
    return np.asarray((values >= kind.least) & (values <= kind.most), np.bool_)


def _provenance(zones: Mapping[str, Controls], scale: float, size: int) -> dict[str, Any]:
    """What the population was made from, as plain data."""
    told = {
        zone: {
            "households": {name: dict(wanted) for name, wanted in controls.households.items()},
            "persons": {name: dict(wanted) for name, wanted in controls.persons.items()},
        }
        for zone, controls in zones.items()
    }
    return {"controls": told, "scale": scale, "sample_households": size}
