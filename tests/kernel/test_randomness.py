"""Random numbers are a function of their coordinates, and look like random numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sociarium.kernel.randomness import _CHUNK, Randomness, Stream, key_of

ROWS = np.arange(100_000)


def test_known_answers():
    """Pinned: a change of these numbers changes every run ever recorded."""
    stream = Randomness(42).stream("test", 3, "phase", 1)
    assert key_of(42, "test", 3, "phase", 1) == 10117353090008464427
    assert stream.bits([0, 1, -1, 10**12]).tolist() == [
        15161333997083849707,
        9818667887083238824,
        12374006094110021980,
        3358125234972862915,
    ]
    assert stream.bits([0, 1], 5).tolist() == [8289958573127906, 3450050614281736600]


def test_splitmix64_reference_sequence():
    """Rows 1, 2, 3 under key 0 are the first outputs of SplitMix64 seeded with 0 (Steele, Lea and Flood; reference code by Vigna)."""
    expected = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    assert Stream(0).bits([1, 2, 3]).tolist() == expected


@pytest.mark.parametrize("index", [0, 1, 7])
def test_uniform_passes_chi_square_and_kolmogorov_smirnov(index):
    drawn = Stream(9).uniform(ROWS, index)
    assert drawn.min() >= 0
    assert drawn.max() < 1
    assert stats.chisquare(np.histogram(drawn, 100, (0, 1))[0]).pvalue > 1e-4
    assert stats.kstest(drawn, "uniform").pvalue > 1e-4


def test_every_bit_is_fair():
    bits = Stream(5).bits(ROWS)
    ones = np.array([int(((bits >> np.uint64(bit)) & np.uint64(1)).sum()) for bit in range(64)])
    assert (np.abs(ones - len(ROWS) / 2) < 5 * np.sqrt(len(ROWS) / 4)).all()


@pytest.mark.parametrize(
    "other",
    [
        Randomness(1).stream("b", 0),  # another name
        Randomness(1).stream("a", 1),  # another tick
        Randomness(2).stream("a", 0),  # another seed
        Randomness(1).stream("a", "0"),  # a name is not a number
        Randomness(1).stream("a", 0).at(0),
    ],
)
def test_streams_are_independent(other):
    one = Randomness(1).stream("a", 0).uniform(ROWS)
    assert abs(stats.pearsonr(one, other.uniform(ROWS)).statistic) < 0.02
    assert not (one == other.uniform(ROWS)).any()


def test_rows_and_indices_are_independent():
    stream = Stream(3)
    one = stream.uniform(ROWS)
    assert abs(stats.pearsonr(one[:-1], one[1:]).statistic) < 0.02
    for index in (1, 2, 3):
        assert abs(stats.pearsonr(one, stream.uniform(ROWS, index)).statistic) < 0.02
    table, _, _ = np.histogram2d(one, stream.uniform(ROWS, 1), 10)
    assert stats.chisquare(table.ravel()).pvalue > 1e-4


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=50), st.integers(0, 2**40))
def test_a_row_does_not_depend_on_its_batch(rows, index):
    stream = Stream(77)
    together = stream.bits(np.array(rows, np.int64), index).tolist()
    assert together == [stream.bits([row], index)[0] for row in rows]
    assert together == stream.bits(np.array(rows, np.int64), np.int64(index)).tolist()
    assert together[::-1] == stream.bits(np.array(rows[::-1], np.int64), np.full(len(rows), index)).tolist()


def test_chunks_leave_no_seam():
    rows = np.arange(3 * _CHUNK + 5)
    whole = Stream(1).bits(rows, 2)
    for at in (0, _CHUNK - 1, _CHUNK, 2 * _CHUNK, len(rows) - 1):
        assert whole[at] == Stream(1).bits([at], 2)[0]
    assert (whole[_CHUNK:] == Stream(1).bits(rows[_CHUNK:], 2)).all()
    strided = np.asfortranarray(rows[: 2 * _CHUNK].reshape(2, _CHUNK))
    assert (Stream(1).bits(strided, 2) == whole[: 2 * _CHUNK].reshape(2, _CHUNK)).all()


def test_indices_are_broadcast_against_rows():
    table = Stream(1).uniform(np.arange(3)[:, None], np.arange(4))
    assert table.shape == (3, 4)
    assert table[2].tolist() == [Stream(1).uniform([2], index)[0] for index in range(4)]


def test_distributions():
    stream = Stream(11)
    dice = stream.integers(1, 6, ROWS)
    assert stats.chisquare(np.bincount(dice, minlength=7)[1:]).pvalue > 1e-4
    assert set(dice.tolist()) == {1, 2, 3, 4, 5, 6}
    assert stats.kstest(stream.normal(ROWS), "norm").pvalue > 1e-4
    assert stats.kstest(stream.exponential(ROWS), "expon").pvalue > 1e-4
    chosen = np.bincount(stream.choice([1, 0, 2, 1], ROWS), minlength=4)
    assert chosen[1] == 0
    assert stats.chisquare(chosen[[0, 2, 3]], len(ROWS) * np.array([0.25, 0.5, 0.25])).pvalue > 1e-4


def test_each_row_has_its_own_bounds_and_probabilities():
    high = np.array([0, 5, 2**40])
    drawn = Stream(1).integers(0, high, [1, 2, 3])
    assert drawn[0] == 0
    assert (drawn <= high).all()
    certain = np.eye(4)[[3, 1]]
    assert Stream(1).choice(certain, [8, 9]).tolist() == [3, 1]


def test_order_of_two_depends_on_those_two():
    rows = np.arange(40)
    order = rows[Stream(2).order(rows)].tolist()
    some = rows[::3]
    assert some[Stream(2).order(some)].tolist() == [row for row in order if row % 3 == 0]
    assert sorted(order) == rows.tolist()
    assert order != rows.tolist()
