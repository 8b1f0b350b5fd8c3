"""The guess-a-fraction-of-the-average game."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sociarium.environments.games.guessing import (
    fixed_point,
    level_report,
    level_shares,
    pooled_mean,
    standard_errors_from_random,
    winning_number,
)
from sociarium.kernel.errors import UsageError

RATIOS = (1 / 2, 3 / 5, 2 / 3, 51 / 100, 67 / 100)


def best_responses(ratio: float, shift: float, rounds: int) -> list[float]:
    report, means = 50.0, []
    for _ in range(rounds):
        means.append(float(np.full(200, report).mean()))
        report = winning_number(np.full(200, report), ratio, shift)
    return means


def test_means_fall_by_two_thirds_a_round() -> None:
    means = best_responses(2 / 3, 0, 12)
    assert means == pytest.approx([50 * (2 / 3) ** k for k in range(12)])


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("shift", [0.0, 5.0])
def test_round_thirty_is_at_the_fixed_point(ratio: float, shift: float) -> None:
    assert abs(best_responses(ratio, shift, 30)[-1] - fixed_point(ratio, shift)) < 1e-3


def test_shifted_fixed_points() -> None:
    assert [fixed_point(ratio, 5) for ratio in RATIOS] == pytest.approx([10, 12.5, 15, 10.204, 15.152], abs=5e-4)
    with pytest.raises(UsageError):
        fixed_point(1.0)


@pytest.mark.parametrize("shares", [(0.5, 0.3, 0.2), (1.0, 0.0, 0.0), (0.1, 0.2, 0.7)])
def test_levels_mean_and_recovered_shares(shares: tuple[float, float, float]) -> None:
    count = 2_000
    levels = [int(count * share) for share in shares]
    rng = np.random.Generator(np.random.Philox(key=11))
    reports = np.concatenate(
        [rng.uniform(0, 100, levels[0]), np.full(levels[1], level_report(1, 2 / 3)), np.full(levels[2], level_report(2, 2 / 3))]
    )
    expected = 50 * (shares[0] + shares[1] * 2 / 3 + shares[2] * 4 / 9)
    assert abs(reports.mean() - expected) <= 4 * 29.15 * np.sqrt(shares[0] / count)
    found = level_shares(reports, 2 / 3, tolerance=0.05)
    for share, estimate in zip(shares, found, strict=True):
        assert abs(estimate - share) <= 4 * max(np.sqrt(share * (1 - share) / count), 1e-3)


def test_a_checker_of_random_players_accepts_three_published_means_and_rejects_the_fourth() -> None:
    distances = [standard_errors_from_random(mean, 100) for mean in (50.51, 45.15, 48.32, 19.52)]
    assert np.round(distances, 2).tolist() == [0.17, -1.66, -0.58, -10.45]
    assert [abs(distance) < 3 for distance in distances] == [True, True, True, False]


@given(st.lists(st.floats(0, 100), min_size=1, max_size=200), st.sampled_from([1, 4, 7, 64]))
def test_the_mean_does_not_depend_on_the_number_of_groups(reports: list[float], groups: int) -> None:
    parts = np.array_split(np.array(reports), groups)
    assert pooled_mean(parts) == pytest.approx(pooled_mean([np.array(reports)]), rel=1e-12, abs=1e-12)


def test_no_answers_is_missing_and_not_zero() -> None:
    assert np.isnan(winning_number(np.array([]), 0.5)) and np.isnan(pooled_mean([]))


def test_overlapping_levels_are_refused() -> None:
    with pytest.raises(UsageError):
        level_shares(np.array([1.0]), 0.99, levels=3)
    with pytest.raises(UsageError):
        level_shares(np.array([]), 0.5)
