"""Arithmetic modulo 2**61 - 1 against Python's whole numbers, and the shares' distribution."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2

from sociarium.cluster.secure_aggregation.field import (
    LARGEST,
    MODULUS,
    SCALE,
    add,
    decode,
    decode_whole,
    encode,
    encode_whole,
    joined,
    split,
    subtract,
    sums_by,
    uniform,
)
from sociarium.kernel.errors import UsageError

residues = st.integers(0, MODULUS - 1) | st.sampled_from([0, 1, MODULUS - 1, MODULUS // 2, MODULUS // 2 + 1])


@given(st.lists(st.tuples(residues, residues), min_size=1, max_size=20))
def test_sums_and_differences_are_those_of_whole_numbers(pairs):
    a, b = (np.array(column, np.uint64) for column in zip(*pairs, strict=True))
    assert add(a, b).tolist() == [(x + y) % MODULUS for x, y in pairs]
    assert subtract(a, b).tolist() == [(x - y) % MODULUS for x, y in pairs]


@given(st.lists(st.tuples(st.integers(0, 4), residues), min_size=1, max_size=200))
def test_sums_by_recipient_are_exact(rows):
    at, values = np.array([r[0] for r in rows]), np.array([r[1] for r in rows], np.uint64)
    wanted = [sum(value for place, value in rows if place == recipient) % MODULUS for recipient in range(5)]
    assert sums_by(at, values, 5).tolist() == wanted


@given(st.lists(st.integers(-(MODULUS // 2), MODULUS // 2), min_size=1, max_size=50))
def test_whole_numbers_come_back(numbers):
    assert decode_whole(encode_whole(np.array(numbers, np.int64))).tolist() == numbers


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50))
def test_fixed_point_is_off_by_half_a_unit_at_most(numbers):
    assert np.abs(decode(encode(numbers)) - numbers).max() <= 0.5 / SCALE


@given(st.lists(residues, min_size=1, max_size=30), st.integers(2, 6))
def test_all_shares_together_are_the_secret(numbers, parts):
    secret = np.array(numbers, np.uint64)
    assert joined(split(secret, parts)).tolist() == numbers


@pytest.mark.parametrize("bad", [np.nan, np.inf, 2 * LARGEST, -2 * LARGEST])
def test_what_does_not_fit_is_refused(bad):
    with pytest.raises(UsageError, match="does not fit"):
        encode([0.0, bad])


def test_one_share_is_no_sharing():
    with pytest.raises(UsageError, match="2 shares or more"):
        split(np.zeros(3, np.uint64), 1)


def test_the_value_that_is_no_residue_is_drawn_again():
    bytes_of = iter([(MODULUS << 3).to_bytes(8, "little") + (5 << 3).to_bytes(8, "little"), (7 << 3).to_bytes(8, "little")])
    assert uniform(2, lambda count: next(bytes_of)[:count]).tolist() == [7, 5]


@pytest.mark.parametrize("secret", [0, 1, MODULUS - 1])
def test_any_two_of_three_shares_are_uniform_whatever_the_secret(secret):
    """Large Population Models, line 7: 64 cells, 100,000 draws, every k - 1 subset, p > 1e-4."""
    generator = np.random.default_rng(20_241)
    shares = split(np.full(100_000, secret, np.uint64), 3, generator.bytes)
    eighths = (shares >> np.uint64(58)).astype(np.int64)  # 61 bits: the upper three are the eighth of the field
    for first, second in combinations(range(3), 2):
        counts = np.bincount(8 * eighths[first] + eighths[second], minlength=64)
        statistic = ((counts - 100_000 / 64) ** 2 / (100_000 / 64)).sum()
        assert chi2.sf(statistic, 63) > 1e-4


def test_the_check_of_uniformity_can_fail():
    """Shares that hold the secret in the open do not pass it."""
    shares = np.zeros((3, 100_000), np.uint64)
    counts = np.bincount((shares[0] >> np.uint64(58)).astype(np.int64) * 8, minlength=64)
    assert chi2.sf(((counts - 100_000 / 64) ** 2 / (100_000 / 64)).sum(), 63) < 1e-4
