"""Households and their persons raked together, by entropy or by iterative proportional updating."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sociarium.kernel.errors import UsageError
from sociarium.populations.goodness import FitReport, marginal_fit
from sociarium.populations.raking import Targets, WeightFit, coded, reconciled

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Controls:
    """What is wanted of one zone: column -> category -> households, and column -> category -> persons."""

    households: Mapping[str, Targets] = field(default_factory=dict[str, Targets])
    persons: Mapping[str, Targets] = field(default_factory=dict[str, Targets])

    def reconciled(self) -> Controls:
        """Scaled so that the marginals of households agree in their total, and those of persons in theirs."""
        return Controls(
            reconciled(self.households) if self.households else {},
            reconciled(self.persons) if self.persons else {},
        )


class Sample:
    """Households and their persons. Persons stand in the order of households: those of household row i are rows starts[i] to starts[i +
    1]."""

    def __init__(self, households: pl.DataFrame, persons: pl.DataFrame, key: str) -> None:
        for name, table in (("household", households), ("person", persons)):
            if key not in table.columns:
                raise UsageError(f"the {name} table has no column {key!r}; it has {', '.join(table.columns)}")
        if households[key].n_unique() != len(households):
            raise UsageError(f"two households of the sample have the same {key}")
        rows = households.select(key).with_row_index("household_row")
        joined = persons.join(rows, on=key, how="left")
        lost = joined["household_row"].null_count()
        if lost:
            raise UsageError(f"{lost} persons of the sample belong to no household of it; leave them out, or give their households")
        self.households = households
        self.persons = joined.sort("household_row", maintain_order=True)
        counts = np.bincount(self.persons["household_row"].to_numpy(), minlength=len(households))
        self.starts: Ints = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)

    def __len__(self) -> int:
        return len(self.households)

    def household_of(self) -> Ints:
        """The household row of each person."""
        return np.repeat(np.arange(len(self), dtype=np.int64), np.diff(self.starts))


@dataclass(frozen=True, slots=True)
class Constraints:
    """Controls as rows of a matrix: what one household adds to each. ``matrix``: (constraints, households)."""

    names: tuple[str, ...]  # of the marginal each constraint belongs to
    categories: tuple[str, ...]
    wanted: Floats
    matrix: Floats

    def report(self, weights: NDArray[Any], history: Sequence[float] = (), converged: bool = True) -> FitReport:
        fitted = self.matrix @ weights
        fits = [
            marginal_fit(name, dict(zip(np.array(self.categories)[mine].tolist(), self.wanted[mine].tolist(), strict=True)), fitted[mine])
            for name in dict.fromkeys(self.names)
            for mine in [np.flatnonzero(np.array(self.names) == name)]
        ]
        return FitReport(tuple(fits), tuple(history), converged)


def constraints(sample: Sample, controls: Controls) -> Constraints:
    """An error names the category that is wanted and that nobody of the sample has."""
    names: list[str] = []
    categories: list[str] = []
    wanted: list[float] = []
    rows: list[Floats] = []
    levels = (("household", sample.households, controls.households), ("person", sample.persons, controls.persons))
    for level, table, targets in levels:
        columns = {name: table[name].to_numpy() for name in table.columns}
        belongs = np.arange(len(sample)) if level == "household" else sample.household_of()
        for name, column_targets in targets.items():
            codes = coded(columns, name, column_targets)
            for number, (category, value) in enumerate(column_targets.items()):
                row = np.bincount(belongs[codes == number], minlength=len(sample)).astype(np.float64)
                if value > 0 and not row.any():
                    raise UsageError(f"{level} {name} wants {value:g} of {category!r}, of which the sample has nobody")
                names.append(name if name not in controls.households or level == "household" else f"{name} of persons")
                categories.append(category)
                wanted.append(value)
                rows.append(row)
    if not rows:
        raise UsageError("there are no controls to fit to")
    return Constraints(tuple(names), tuple(categories), np.array(wanted), np.array(rows))


class Method(StrEnum):
    """How households are weighted."""

    ENTROPY = "entropy"  # the weights nearest to the start, marginals met up to a small slack (Bar-Gera et al. 2009); Newton's method
    UPDATING = "updating"  # iterative proportional updating, as published (Ye et al. 2009): slow, and lost where marginals contradict


def rake_households(
    sample: Sample,
    controls: Controls,
    *,
    method: Method = Method.ENTROPY,
    weights: Floats | None = None,
    tolerance: float = 5e-3,
    slack: float = 1e-4,
    iterations: int = 2_000,
    strict: bool = False,
) -> WeightFit:
    """One weight a household under which both the marginals of households and those of persons are met.

    Households with anybody in a category of which nobody is wanted get no weight. ``tolerance``: the largest error, relative to its target
    (targets below 1 count as 1), up to which the fit counts as converged; otherwise the report says so, or, where ``strict``, an error
    does:
    tables of households and of persons often contradict each other a little. ``slack``: the relative error taken for a unit of a
    constraint's
    multiplier; it keeps contradictory marginals from having no answer.
    """
    system = constraints(sample, controls)
    start = np.ones(len(sample)) if weights is None else np.array(weights, np.float64)
    start[(system.matrix[system.wanted <= 0] > 0).any(axis=0)] = 0.0
    kept = system.wanted > 0
    lost = np.flatnonzero(kept & ~((system.matrix * start).sum(axis=1) > 0))
    if len(lost):
        name, category = system.names[int(lost[0])], system.categories[int(lost[0])]
        raise UsageError(f"all households that have {name} {category!r} have somebody of a category that should be empty; merge categories")
    matrix, wanted = system.matrix[kept], system.wanted[kept]
    if method is Method.ENTROPY:
        current, history = _entropy(matrix, wanted, start, slack, iterations)
    else:
        current, history = _updating(matrix, wanted, start, tolerance, iterations)
    error = float((np.abs(system.matrix @ current - system.wanted) / np.maximum(system.wanted, 1.0)).max())
    if strict and error > tolerance:
        raise UsageError(f"households and persons cannot both be met: after {len(history)} iterations the largest error is {error:.2%}")
    return WeightFit(current, system.report(current, history, error <= tolerance))


def _entropy(matrix: Floats, wanted: Floats, start: Floats, slack: float, iterations: int) -> tuple[Floats, list[float]]:
    """Weights start * exp(matrix.T @ m), where m makes the convex function sum(weights) - wanted @ m + slack / 2 * sum(scale * m ** 2)
    least: its
    gradient is what is still missing. Newton's steps, halved until the function falls."""
    scale = np.maximum(wanted, 1.0)
    used = np.flatnonzero(start > 0)
    columns: Floats = matrix[:, used]
    base: Floats = start[used] * (wanted.mean() / max(float((matrix @ start).mean()), 1e-300))
    multipliers: Floats = np.zeros(len(wanted))

    def value(m: Floats) -> float:
        with np.errstate(over="ignore"):
            return float((base * np.exp(m @ columns)).sum() - wanted @ m + slack / 2 * (scale * m**2).sum())

    history: list[float] = []
    lowest = value(multipliers)
    for _ in range(min(iterations, 200)):
        current = np.asarray(base * np.exp(multipliers @ columns), np.float64)
        fitted = np.asarray(columns @ current, np.float64)
        history.append(float((np.abs(fitted - wanted) / scale).max()))
        gradient: Floats = fitted - wanted + slack * scale * multipliers
        if float((np.abs(gradient) / scale).max()) < 1e-9:
            break
        curvature = (columns * current) @ columns.T + np.diag(slack * scale)
        step: Floats = np.asarray(np.linalg.solve(curvature, gradient), np.float64)
        length = 1.0
        while not value(multipliers - length * step) < lowest and length > 1e-8:
            length /= 2
        if length <= 1e-8:
            break
        multipliers = multipliers - length * step
        lowest = value(multipliers)
    out = np.zeros(len(start))
    out[used] = base * np.exp(multipliers @ columns)
    return out, history


def _updating(matrix: Floats, wanted: Floats, start: Floats, tolerance: float, iterations: int) -> tuple[Floats, list[float]]:
    """Each constraint in turn scales all households that have anything of it, households first, persons after them."""
    current, scale = start.copy(), np.maximum(wanted, 1.0)
    members = [np.flatnonzero(row) for row in matrix]
    shares = [row[mine] for row, mine in zip(matrix, members, strict=True)]
    history: list[float] = []
    for _ in range(iterations):
        for goal, mine, share in zip(wanted.tolist(), members, shares, strict=True):
            have = float(share @ current[mine])
            if have > 0:
                current[mine] *= goal / have
        history.append(float((np.abs(matrix @ current - wanted) / scale).max()))
        if history[-1] <= tolerance:
            break
    return current, history


def read_marginals(
    path: Path, *, zone: str = "zone_id", ignore: Sequence[str] = ("sample_geog",)
) -> dict[str, dict[str, dict[str, float]]]:
    """Zone -> column -> category -> count, from a CSV with two lines of heading: the column, then the category, of each count."""
    try:
        lines = [line.split(",") for line in path.read_text("utf-8-sig").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read as text: {error}") from error
    if len(lines) < 3 or len(lines[0]) != len(lines[1]) or zone not in lines[0]:
        raise UsageError(f"{path} must begin with two lines of equal length, columns and categories, one column called {zone!r}")
    columns, categories = lines[0], lines[1]
    where = columns.index(zone)
    out: dict[str, dict[str, dict[str, float]]] = {}
    for number, line in enumerate(lines[2:], 3):
        if len(line) != len(columns):
            raise UsageError(f"{path}, line {number}, has {len(line)} values for {len(columns)} columns")
        table: dict[str, dict[str, float]] = {}
        for place, (column, category) in enumerate(zip(columns, categories, strict=True)):
            if place == where or column in ignore:
                continue
            try:
                table.setdefault(column, {})[category] = float(line[place])
            except ValueError:
                raise UsageError(f"{path}, line {number}: {column} {category!r} is {line[place]!r}, not a number") from None
        out[line[where]] = table
    return out
