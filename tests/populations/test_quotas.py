"""Populations with exact marginals and independent attributes."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sociarium.kernel.errors import UsageError
from sociarium.populations.quotas import Attribute, draw_population, exact_counts

WEIGHTS = st.lists(st.floats(0, 1000), min_size=1, max_size=12).filter(lambda weights: sum(weights) > 1e-3)

ATTRIBUTES = [
    Attribute("education", dict.fromkeys(["none", "primary", "secondary", "bachelor", "doctor"], 0.2)),
    Attribute("sex", {"female": 0.51, "male": 0.49}),
    Attribute("region", {"north": 0.5, "east": 0.3, "south": 0.13, "west": 0.07}),
    Attribute(
        "work",
        {"teacher": 0.1, "nurse": 0.25, "driver": 0.65},
        {w: {"hours": h} for w, h in (("teacher", 35), ("nurse", 38), ("driver", 45))},
    ),
]


def random(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=seed))


@given(WEIGHTS, st.integers(0, 5_000))
def test_counts_add_up_and_lie_within_one_of_any_shares(weights: list[float], total: int) -> None:
    counts = exact_counts(weights, total, renormalise=True)
    exact = np.array(weights) / np.sum(weights) * total
    assert counts.sum() == total and (counts >= 0).all()
    assert (np.abs(counts - exact) <= 1 + 1e-6).all()


def test_whole_shares_are_exact_and_the_largest_remainder_wins() -> None:
    assert exact_counts([0.29, 0.71], 100).tolist() == [29, 71]
    assert exact_counts([0.2] * 5, 1000).tolist() == [200] * 5
    assert exact_counts([0.5, 0.3, 0.2], 7).tolist() == [4, 2, 1]  # 3.5, 2.1, 1.4
    assert exact_counts([1 / 3] * 3, 10).tolist() == [4, 3, 3]


def test_shares_that_sum_to_one_point_two_are_an_error_or_weights() -> None:
    """The released profession file has six professions of 20 % each."""
    with pytest.raises(UsageError, match=r"sum to 1\.2,"):
        exact_counts([0.2] * 6, 600)
    assert exact_counts([0.2] * 6, 600, renormalise=True).tolist() == [100] * 6
    with pytest.raises(UsageError, match=r"'job'.*sum to 1\.2,"):
        draw_population([Attribute("job", dict.fromkeys("abcdef", 0.2))], 600, random(1))


def test_marginals_are_exact_whatever_the_seed() -> None:
    for seed in range(5):
        people = draw_population(ATTRIBUTES, 1000, random(seed))
        for attribute in ATTRIBUTES:
            found = Counter(people[attribute.name].tolist())
            assert all(abs(found[category] - 1000 * share) <= 1 for category, share in attribute.shares.items())


def test_attributes_are_independent() -> None:
    people = draw_population(ATTRIBUTES, 1000, random(2))
    pairs = list(combinations([attribute.name for attribute in ATTRIBUTES], 2))
    for one, other in pairs:
        table = stats.contingency.crosstab(people[one], people[other]).count
        assert stats.chi2_contingency(table, correction=False).pvalue > 0.001 / len(pairs)


def test_the_independence_check_would_find_attributes_dealt_in_step() -> None:
    people = draw_population(ATTRIBUTES, 1000, random(2))
    table = stats.contingency.crosstab(np.sort(people["region"]), np.sort(people["education"])).count
    assert stats.chi2_contingency(table).pvalue < 1e-10


def test_a_bundle_travels_with_its_category() -> None:
    people = draw_population(ATTRIBUTES, 200, random(3))
    assert dict(zip(people["work"], people["hours"], strict=True)) == {"teacher": 35, "nurse": 38, "driver": 45}


def test_one_seed_one_population_and_a_later_attribute_changes_nothing_before_it() -> None:
    first, again = (draw_population(ATTRIBUTES[:2], 300, random(4)) for _ in range(2))
    longer = draw_population(ATTRIBUTES, 300, random(4))
    other = draw_population(ATTRIBUTES[:2], 300, random(5))
    for name in first:
        assert first[name].tolist() == again[name].tolist() == longer[name].tolist()
        assert first[name].tolist() != other[name].tolist()


def test_mistakes_are_named() -> None:
    for bad in (
        lambda: exact_counts([], 3),
        lambda: exact_counts([-0.5, 1.5], 3),
        lambda: exact_counts([0, 0], 3, renormalise=True),
        lambda: exact_counts([1.0], -1),
        lambda: draw_population([ATTRIBUTES[1], ATTRIBUTES[1]], 4, random(1)),
        lambda: draw_population([Attribute("a", {"x": 1.0}, {"y": {"z": 1}})], 4, random(1)),
        lambda: draw_population([Attribute("a", {"x": 0.5, "y": 0.5}, {"y": {"z": 1}})], 4, random(1)),
    ):
        with pytest.raises(UsageError):
            bad()
