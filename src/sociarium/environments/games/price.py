"""How a trait changes between generations: the Price equation, selection and mutation bias, and what drift alone would do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.errors import UsageError

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class PriceTerms:
    """The change of a trait's mean, split in two, in units of the trait. One value a group."""

    selection: Floats  # cov(w, z) / mean(w)
    transmission: Floats  # mean(w * change) / mean(w)

    @property
    def total(self) -> Floats:
        """The whole change of the mean."""
        return self.selection + self.transmission


def price(fitness: Floats, trait: Floats, passed_on: Floats) -> PriceTerms:
    """The Price equation: dz = cov(w, z) / w' + E(w dz_i) / w' with w' the mean fitness (Price 1970).

    All arrays are (groups, agents): number of offspring, the parent's trait, and the mean trait of its offspring (any number where
    it has none).
    """
    if not fitness.shape == trait.shape == passed_on.shape or fitness.ndim != 2:
        raise UsageError(f"fitness {fitness.shape}, trait {trait.shape} and offspring {passed_on.shape} must all be (groups, agents)")
    mean_fitness = fitness.mean(axis=1)
    if (fitness < 0).any() or not (mean_fitness > 0).all():
        raise UsageError("fitness counts offspring: it must not be negative, and every group needs some")
    covariance = (fitness * (trait - trait.mean(axis=1, keepdims=True))).mean(axis=1)
    change = np.where(fitness > 0, passed_on - trait, 0.0)
    return PriceTerms(covariance / mean_fitness, (fitness * change).mean(axis=1) / mean_fitness)


def selection_differential(donation: Floats, survived: Bools) -> Floats:
    """(Mean donation of survivors - of the others) / mean donation of the generation; (groups,). nan where nobody donated."""
    survivors, others = _two_means(donation, survived)
    with np.errstate(divide="ignore", invalid="ignore"):
        return (survivors - others) / donation.mean(axis=1)


def mutation_bias(donation: Floats, newcomer: Bools) -> Floats:
    """Mean donation of the newcomers - of the survivors beside them, in units of the donation; (groups,)."""
    newcomers, survivors = _two_means(donation, newcomer)
    return newcomers - survivors


def expected_heterozygosity(first: float, parents: int, generations: int) -> float:
    """The chance that two agents differ, after neutral drift from ``first``: H0 (1 - 1/N)^t (Wright-Fisher, N parents)."""
    return first * (1 - 1 / parents) ** generations


def drift_z(before: Floats, after: Floats, parents: int) -> Floats:
    """How many standard deviations of neutral drift a share moved in one generation of ``parents`` draws with replacement.

    nan where a share was 0 or 1 and drift could not move it.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((before > 0) & (before < 1), (after - before) / np.sqrt(before * (1 - before) / parents), np.nan)


def _two_means(values: Floats, members: Bools) -> tuple[Floats, Floats]:
    inside = members.sum(axis=1)
    outside = members.shape[1] - inside
    if (inside == 0).any() or (outside == 0).any():
        raise UsageError("both sides of a comparison need at least one agent in every group")
    return (values * members).sum(axis=1) / inside, (values * ~members).sum(axis=1) / outside
