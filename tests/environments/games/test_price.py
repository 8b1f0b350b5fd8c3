"""The Price equation and drift."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sociarium.environments.games.price import drift_z, expected_heterozygosity, mutation_bias, price, selection_differential
from sociarium.kernel.errors import UsageError


@given(st.integers(0, 2**31), st.integers(1, 4), st.integers(2, 30))
def test_the_identity_holds_for_any_generation(seed: int, groups: int, agents: int) -> None:
    """Count the offspring one by one: the change of the mean is what the two terms add up to."""
    rng = np.random.Generator(np.random.Philox(key=seed))
    trait = rng.random((groups, agents))
    offspring = rng.integers(0, 4, (groups, agents))
    offspring[:, 0] += 1
    passed_on = trait + rng.normal(0, 0.1, trait.shape)
    for group in range(groups):
        children = np.repeat(passed_on[group], offspring[group])
        terms = price(offspring[group : group + 1].astype(float), trait[group : group + 1], passed_on[group : group + 1])
        assert abs(float(terms.total[0]) - (children.mean() - trait[group].mean())) < 1e-9


def test_selection_and_transmission_are_told_apart() -> None:
    trait = np.array([[0.2, 0.8]])
    chosen = price(np.array([[0.0, 2.0]]), trait, trait)
    assert chosen.selection == pytest.approx([0.3]) and chosen.transmission.tolist() == [0.0]
    moved = price(np.array([[1.0, 1.0]]), trait, trait + 0.1)
    assert moved.selection == pytest.approx([0.0]) and moved.transmission == pytest.approx([0.1])


def test_selection_differential_and_mutation_bias() -> None:
    donation = np.array([[0.6, 0.4, 0.2, 0.0]])
    first_two = np.array([[True, True, False, False]])
    assert selection_differential(donation, first_two) == pytest.approx([0.4 / 0.3])
    assert mutation_bias(donation, ~first_two) == pytest.approx([-0.4])
    with pytest.raises(UsageError):
        mutation_bias(donation, np.ones((1, 4), bool))


def test_neutral_drift_loses_heterozygosity_as_wright_fisher_says() -> None:
    rng = np.random.Generator(np.random.Philox(key=3))
    share = np.full(40_000, 0.5)
    for _ in range(10):
        share = rng.binomial(12, share) / 12
    mean = (2 * share * (1 - share)).mean()
    assert mean == pytest.approx(expected_heterozygosity(0.5, 12, 10), abs=4 * 0.2 / np.sqrt(40_000))
    moved = drift_z(np.full(40_000, 0.3), rng.binomial(12, 0.3, 40_000) / 12, 12)
    assert abs(moved.mean()) < 0.02 and moved.std() == pytest.approx(1, abs=0.02)
    assert np.isnan(drift_z(np.array([0.0, 1.0]), np.array([0.0, 1.0]), 12)).all()
