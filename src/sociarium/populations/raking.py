"""Raking: tables and survey weights are made to meet marginals, changed as little as can be (iterative proportional fitting).

Deming and Stephan 1940; the fit is the table nearest to the seed in Kullback and Leibler's sense (Csiszár 1975). Households together
with their persons are in ``households``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.errors import UsageError
from sociarium.populations.goodness import FitReport, MarginalFit, marginal_fit

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Targets = Mapping[str, float]

TOTALS = 1e-6  # how far, relatively, totals of marginals may lie apart by rounding


@dataclass(frozen=True, slots=True)
class TableFit:
    """A table that meets its marginals."""

    table: Floats
    report: FitReport


@dataclass(frozen=True, slots=True)
class WeightFit:
    """One weight a row of a sample, and how its marginals are met."""

    weights: Floats
    report: FitReport

    @property
    def effective_size(self) -> float:
        """Kish's: the size of a simple random sample of the same precision."""
        return float(self.weights.sum() ** 2 / (self.weights**2).sum())


def fit_table(
    marginals: Sequence[tuple[Sequence[int], ArrayLike]],
    *,
    seed: ArrayLike | None = None,
    shape: Sequence[int] | None = None,
    tolerance: float = 1e-10,
    iterations: int = 1_000,
) -> TableFit:
    """The table nearest to ``seed`` with these marginals: pairs of axes and the sums over all other axes, of any dimension.

    ``seed``: a table, not negative; zeros stay zero (structural zeros). Without it, ones of ``shape``: then variables are as independent
    as the
    marginals leave them. ``tolerance``: largest error relative to the total. Errors: marginals whose totals differ (see ``reconciled``), a
    category that is wanted and has no cell, no convergence.
    """
    table = np.ones(tuple(shape)) if seed is None and shape is not None else np.array(seed, np.float64)
    if not np.isfinite(table).all() or (table < 0).any():
        raise UsageError("a seed table is finite and not negative")
    wanted = [_table_marginal(table, axes, targets) for axes, targets in marginals]
    if not wanted:
        raise UsageError("there is no marginal to fit to")
    total = _one_total({_axes_name(axes): float(target.sum()) for axes, target in wanted})
    for axes, target in wanted:
        empty = (target > 0) & ~(_summed(table, axes) > 0)
        if empty.any():
            cell = np.argwhere(empty)[0].tolist()
            raise UsageError(
                f"the marginal over axes {_axes_name(axes)} wants {target[tuple(cell)]:g} at {cell}, where the seed has only zeros"
            )
    history: list[float] = []
    for _ in range(iterations):
        for axes, target in wanted:
            table *= _spread(_ratio(target, _summed(table, axes)), axes, table.ndim)
        history.append(max(float(np.abs(_summed(table, axes) - target).max()) for axes, target in wanted) / max(total, 1e-300))
        if history[-1] <= tolerance or total == 0:
            break
    else:
        raise UsageError(_not_converged(history, tolerance))
    fits = tuple(
        MarginalFit(
            f"axes {_axes_name(axes)}", tuple(map(str, np.ndindex(target.shape))), target.reshape(-1), _summed(table, axes).reshape(-1)
        )
        for axes, target in wanted
    )
    return TableFit(table, FitReport(fits, tuple(history)))


def rake(
    sample: Mapping[str, Sequence[Any] | NDArray[Any]],
    targets: Mapping[str, Targets],
    *,
    weights: ArrayLike | None = None,
    trim: tuple[float, float] | None = None,
    tolerance: float = 1e-8,
    iterations: int = 1_000,
) -> WeightFit:
    """Weights for the rows of a survey under which every column of ``targets`` has the totals wanted of its categories.

    ``sample``: columns of categories, one value a row. ``targets``: column -> category -> people (or shares, of the same sum in each
    column).
    ``weights``: what to begin with (1). ``trim``: the least and largest weight, as multiples of the mean weight; weights are cut after each
    round and raked on, so that the marginals are met as far as the bounds allow (Potter 1990): what is missed stands in the report.
    """
    start = np.ones(_length(sample)) if weights is None else np.array(weights, np.float64)
    if (start < 0).any() or not start.sum() > 0:
        raise UsageError("weights to begin with are not negative, and not all 0")
    codes = {name: coded(sample, name, wanted) for name, wanted in targets.items()}
    arrays = {name: np.array(list(wanted.values()), np.float64) for name, wanted in targets.items()}
    total = _one_total({name: float(values.sum()) for name, values in arrays.items()})
    for name, values in arrays.items():
        have = np.bincount(codes[name], weights=start, minlength=len(values))
        missing = np.flatnonzero((values > 0) & ~(have > 0))
        if len(missing):
            category = list(targets[name])[int(missing[0])]
            raise UsageError(
                f"{name} wants {values[missing[0]]:g} of {category!r}, of which the sample has nobody; merge it with another category"
            )
    current, history, converged = start * (total / start.sum()), list[float](), False
    mean = total / len(start)
    for _ in range(iterations):
        for name, values in arrays.items():
            current *= _ratio(values, np.bincount(codes[name], weights=current, minlength=len(values)))[codes[name]]
        if trim is not None:
            positive = current > 0
            current[positive] = np.clip(current[positive], trim[0] * mean, trim[1] * mean)
        errors = [np.abs(np.bincount(codes[n], weights=current, minlength=len(v)) - v).max() for n, v in arrays.items()]
        history.append(float(max(errors)) / total)
        if history[-1] <= tolerance:
            converged = True
            break
        if trim is not None and len(history) > 20 and history[-1] > 0.999 * history[-2]:
            break  # the bounds keep the marginals from being met
    if not converged and trim is None:
        raise UsageError(_not_converged(history, tolerance))
    fits = tuple(
        marginal_fit(name, wanted, np.bincount(codes[name], weights=current, minlength=len(wanted))) for name, wanted in targets.items()
    )
    notes = (
        ()
        if converged
        else (f"weights are kept from {trim[0]:g} to {trim[1]:g} times their mean: not all marginals can be met",)
        if trim
        else ()
    )
    return WeightFit(current, FitReport(fits, tuple(history), converged, notes))


def reconciled(targets: Mapping[str, Targets], total: float | None = None) -> dict[str, dict[str, float]]:
    """The same marginals, each scaled to one total: by default the mean of theirs. Published tables of small areas are rounded or blurred,
    and do
    not quite agree."""
    sums = {name: sum(wanted.values()) for name, wanted in targets.items()}
    for name, value in sums.items():
        if not value > 0:
            raise UsageError(f"the marginal {name!r} sums to {value:g}; it cannot be scaled")
    goal = sum(sums.values()) / len(sums) if total is None else total
    return {name: {category: value * goal / sums[name] for category, value in wanted.items()} for name, wanted in targets.items()}


def coded(sample: Mapping[str, Sequence[Any] | NDArray[Any]], name: str, wanted: Targets) -> Ints:
    """A column as places in its marginal; an error names the first value that has no target."""
    if name not in sample:
        raise UsageError(f"the sample has no column {name!r}; it has {', '.join(sample)}")
    values = np.asarray(sample[name])
    kinds, places = np.unique(values.astype(str), return_inverse=True)
    known = {str(category): number for number, category in enumerate(wanted)}
    unknown = [kind for kind in kinds.tolist() if kind not in known]
    if unknown:
        raise UsageError(f"the sample has {name} {unknown[0]!r}, for which there is no target; there are {', '.join(known)}")
    for category, value in wanted.items():
        if not np.isfinite(value) or value < 0:
            raise UsageError(f"the target of {name} {category!r} is {value}; it must be finite and not negative")
    return np.array([known[kind] for kind in kinds.tolist()], np.int64)[places.reshape(-1)]


def _length(sample: Mapping[str, Sequence[Any] | NDArray[Any]]) -> int:
    sizes = {len(column) for column in sample.values()}
    if len(sizes) != 1:
        raise UsageError(f"the columns of a sample are of one length, not {sorted(sizes)}")
    return sizes.pop()


def _one_total(totals: Mapping[str, float]) -> float:
    (first, total), *rest = totals.items()
    for name, other in rest:
        if abs(other - total) > TOTALS * max(abs(total), abs(other)):
            raise UsageError(
                f"totals of marginals differ: {first} sums to {total:g}, {name} to {other:g}; mend them, or scale them with reconciled()"
            )
    return total


def _table_marginal(table: Floats, axes: Sequence[int], targets: ArrayLike) -> tuple[tuple[int, ...], Floats]:
    """Axes in ascending order, and the targets turned accordingly."""
    target = np.asarray(targets, np.float64)
    wanted = tuple(table.shape[axis] for axis in axes if axis < table.ndim)
    if target.shape != wanted or len(wanted) != len(axes) or len(set(axes)) != len(axes):
        raise UsageError(f"a marginal over axes {tuple(axes)} of a table {table.shape} has the shape {wanted}, not {target.shape}")
    if not np.isfinite(target).all() or (target < 0).any():
        raise UsageError(f"the marginal over axes {tuple(axes)} must be finite and not negative")
    order: list[int] = np.argsort(np.asarray(axes)).tolist()
    return tuple(int(axes[place]) for place in order), target.transpose(order)


def _summed(table: Floats, axes: tuple[int, ...]) -> Floats:
    return np.asarray(table.sum(axis=tuple(axis for axis in range(table.ndim) if axis not in axes)), np.float64)


def _spread(values: Floats, axes: tuple[int, ...], dimensions: int) -> Floats:
    return np.expand_dims(values, tuple(axis for axis in range(dimensions) if axis not in axes))


def _ratio(wanted: Floats, have: NDArray[Any]) -> Floats:
    return np.divide(wanted, have, out=np.zeros_like(wanted), where=have > 0)


def _axes_name(axes: Sequence[int]) -> str:
    return ", ".join(map(str, axes))


def _not_converged(history: Sequence[float], tolerance: float) -> str:
    return (
        f"raking did not converge: after {len(history)} iterations the largest error is {history[-1]:.2e} of the total ({tolerance:.0e}). "
        "Zeros of the seed may contradict the marginals: merge rare categories, allow more iterations, or raise the tolerance"
    )
