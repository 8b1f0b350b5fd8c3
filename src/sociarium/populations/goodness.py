"""How well fitted counts meet the marginals they were fitted to, in numbers and as a text table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class MarginalFit:
    """One marginal: what was wanted of each category, and what there is. ``name``: such as ``age`` or ``age x sex``."""

    name: str
    categories: tuple[str, ...]
    wanted: Floats
    fitted: Floats

    @property
    def largest_error(self) -> float:
        """Largest absolute difference, in the unit of the marginal (people, households)."""
        return float(np.abs(self.fitted - self.wanted).max(initial=0.0))

    @property
    def srmse(self) -> float:
        """Standardised root mean square error: 0 is perfect, 1 is off by a mean cell (Knudsen and Fotheringham 1986)."""
        mean = self.wanted.mean()
        return float(np.sqrt(np.mean((self.fitted - self.wanted) ** 2)) / mean) if mean > 0 else float("nan")

    @property
    def variation(self) -> float:
        """Total variation distance between the two distributions: the share of people who would have to change category."""
        a, b = self.wanted.sum(), self.fitted.sum()
        return float(np.abs(self.wanted / a - self.fitted / b).sum() / 2) if a > 0 and b > 0 else float("nan")

    @property
    def degrees_of_freedom(self) -> int:
        return max(int((self.wanted > 0).sum()) - 1, 0)

    @property
    def chi_square(self) -> float:
        """Pearson's; infinite where there is somebody in a category that should be empty."""
        empty = self.wanted <= 0
        if (self.fitted[empty] > 1e-9).any():
            return float("inf")
        wanted = self.wanted[~empty]
        return float(((self.fitted[~empty] - wanted) ** 2 / wanted).sum())

    @property
    def g_square(self) -> float:
        """Likelihood ratio statistic, 2 sum fitted log(fitted / wanted), of totals made equal."""
        total = self.fitted.sum()
        if not total > 0 or not self.wanted.sum() > 0:
            return float("nan")
        wanted = self.wanted * (total / self.wanted.sum())
        some = self.fitted > 0
        if (wanted[some] <= 0).any():
            return float("inf")
        return float(max(0.0, 2 * (self.fitted[some] * np.log(self.fitted[some] / wanted[some])).sum()))


@dataclass(frozen=True, slots=True)
class FitReport:
    """Every marginal, and the largest relative error after each iteration."""

    marginals: tuple[MarginalFit, ...]
    history: tuple[float, ...] = ()
    converged: bool = True
    notes: tuple[str, ...] = field(default=())

    def __getitem__(self, name: str) -> MarginalFit:
        for marginal in self.marginals:
            if marginal.name == name:
                return marginal
        raise KeyError(f"there is no marginal {name!r}; there are {', '.join(marginal.name for marginal in self.marginals)}")

    @property
    def srmse(self) -> float:
        """Of all cells of all marginals together."""
        wanted, fitted = (np.concatenate(side) for side in zip(*((m.wanted, m.fitted) for m in self.marginals), strict=True))
        return MarginalFit("all", (), wanted, fitted).srmse

    @property
    def largest_error(self) -> float:
        return max((m.largest_error for m in self.marginals), default=0.0)

    def text(self) -> str:
        """One line a marginal, as a table for a terminal or a log."""
        head = ("marginal", "cells", "wanted", "fitted", "largest error", "SRMSE", "TV", "chi2", "G2", "df")
        rows = [head, *(_line(marginal) for marginal in self.marginals)]
        widths = [max(len(row[place]) for row in rows) for place in range(len(head))]
        lines = [
            "  ".join(
                cell.ljust(width) if place == 0 else cell.rjust(width) for place, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            for row in rows
        ]
        state = f"{'converged' if self.converged else 'NOT converged'} after {len(self.history)} iterations" if self.history else ""
        return "\n".join([*lines, *([state] if state else []), *self.notes])


def merged(reports: Sequence[FitReport]) -> FitReport:
    """One report of several fits to the same marginals (zones): cells side by side, so that a shift between zones shows."""
    names = [marginal.name for marginal in reports[0].marginals]
    joined: list[MarginalFit] = []
    for name in names:
        parts = [report[name] for report in reports]
        cells = tuple(f"{zone}: {category}" for zone, part in enumerate(parts) for category in part.categories)
        joined.append(MarginalFit(name, cells, np.concatenate([p.wanted for p in parts]), np.concatenate([p.fitted for p in parts])))
    longest = max(reports, key=lambda report: len(report.history))
    return FitReport(
        tuple(joined), longest.history, all(report.converged for report in reports), tuple(n for r in reports for n in r.notes)
    )


def marginal_fit(name: str, targets: Mapping[str, float], fitted: ArrayLike) -> MarginalFit:
    return MarginalFit(name, tuple(targets), np.array(list(targets.values()), np.float64), np.asarray(fitted, np.float64))


def _line(m: MarginalFit) -> tuple[str, ...]:
    return (
        m.name, str(len(m.wanted)), f"{m.wanted.sum():,.0f}", f"{m.fitted.sum():,.1f}", f"{m.largest_error:.3g}", f"{m.srmse:.2e}",
        f"{m.variation:.2e}", f"{m.chi_square:.3g}", f"{m.g_square:.3g}", str(m.degrees_of_freedom),
    )  # fmt: skip
