"""Agreement of a twin with what was recorded."""

from __future__ import annotations

import numpy as np
import pytest

from sociarium.kernel.errors import UsageError
from sociarium.lab.cascades import randomised_rank
from sociarium.lab.twins import TwinBand, agreement, inside_share, rank_correlation, same_distribution

RANDOM = np.random.Generator(np.random.PCG64(2))


def test_the_band_is_the_middle_68_per_cent():
    band = TwinBand.of(np.arange(101)[:, None])
    assert (band.median.tolist(), band.low.tolist(), band.high.tolist()) == ([50], [16], [84])


def test_shares_inside_are_those_of_the_ranks_one_by_one():
    recorded, trials, tie = RANDOM.poisson(2, (50, 4)), RANDOM.poisson(2, (90, 4)), RANDOM.random((50, 4))
    ranks = np.stack([randomised_rank(row, trials, u) for row, u in zip(recorded, tie, strict=True)])
    assert inside_share(recorded, trials, tie).tolist() == ((ranks > 0.16) & (ranks < 0.84)).mean(axis=0).tolist()


def test_one_process_agrees_with_itself_and_not_with_a_larger_one():
    recorded, trials, tie = RANDOM.poisson(3, (2000, 5)), RANDOM.poisson(3, (2000, 5)), RANDOM.random((2000, 5))
    by = RANDOM.poisson([9, 5, 2], (2000, 3))
    same = agreement(recorded, trials, tie, recorded_by=by, trials_by=by)
    assert (np.abs(same.inside - 0.68) < 0.05).all() and abs(same.total) < 0.03 and same.distance < 0.06 and same.communities == 1
    other = agreement(2 * recorded, trials, tie)
    assert (other.inside < 0.6).all() and other.total == pytest.approx(-0.5, abs=0.03) and other.distance > 0.5
    assert np.isnan(other.communities)
    assert same_distribution(recorded.sum(1), trials.sum(1)) > 0.001 > same_distribution(2 * recorded.sum(1), trials.sum(1))


def test_ranks_of_a_constant_correlate_with_nothing():
    assert np.isnan(rank_correlation([1, 1, 1], [1, 2, 3])) and rank_correlation([1, 2, 9], [3, 4, 5]) == 1


def test_tables_that_do_not_fit_are_refused():
    with pytest.raises(UsageError, match="as many layers"):
        agreement(np.ones((3, 2)), np.ones((3, 4)), np.ones((3, 2)))
