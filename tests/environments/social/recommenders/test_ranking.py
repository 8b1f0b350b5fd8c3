"""The best few, draws without replacement, and cosines that are the same for whoever asks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sociarium.environments.social.recommenders.grid import Vectors, cosines, on_grid, steps
from sociarium.environments.social.recommenders.ranking import best, best_plain, drawn, drawn_plain, top
from sociarium.kernel.errors import UsageError
from sociarium.kernel.extras import Compiled
from sociarium.kernel.randomness import Randomness

scores = st.sampled_from([-np.inf, -2.5, -0.0, 0.0, 1.0, 1.5, np.inf, np.nan]).map(np.float32)


def by_hand(block, count, owners, authors):
    out = np.full((len(block), count), -1)
    for row, values in enumerate(block):
        usable = [c for c in range(len(values)) if values[c] > -np.inf and authors[c] != owners[row]]
        chosen = sorted(usable, key=lambda c: (-values[c], -c))[:count]
        out[row, : len(chosen)] = chosen
    return out


@given(arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(1, 9)), elements=scores), st.integers(0, 10), st.data())
def test_the_best_are_those_of_a_plain_sort_with_ties_to_the_newer_and_own_posts_left_out(block, count, data):
    owners = np.array(data.draw(st.lists(st.integers(0, 3), min_size=len(block), max_size=len(block))), np.int64)
    authors = np.array(data.draw(st.lists(st.integers(0, 3), min_size=block.shape[1], max_size=block.shape[1])), np.int64)
    wanted = by_hand(block, count, owners, authors)
    assert np.array_equal(best_plain(block, count, owners, authors), wanted)
    assert np.array_equal(best(block, count, owners, authors), wanted)


def test_without_the_compiler_the_best_are_the_same(monkeypatch):
    block = np.random.default_rng(1).normal(size=(20, 300)).round(1).astype(np.float32)
    compiled = best(block, 7)
    monkeypatch.setattr(Compiled, "available", staticmethod(lambda: False))
    assert np.array_equal(best(block, 7), compiled)
    rows, stream = np.arange(50), Randomness(2).stream("draw")
    plain = drawn(9, 6, stream, rows)
    monkeypatch.undo()
    assert np.array_equal(drawn(9, 6, stream, rows), plain)


@given(st.lists(st.sampled_from([-1.0, 0.0, 2.0, np.nan, -np.inf]), max_size=12), st.integers(0, 14))
def test_the_top_of_one_list_has_ties_to_the_later(values, count):
    usable = [place for place, value in enumerate(values) if value > -np.inf]
    wanted = sorted(usable, key=lambda place: (-values[place], -place))[:count]
    assert top(np.array(values, np.float64), count).tolist() == wanted


def test_every_order_of_a_draw_is_as_likely():
    rows = np.arange(24_000)
    found = drawn(4, 3, Randomness(5).stream("draw"), rows)
    _, counts = np.unique(found @ [16, 4, 1], return_counts=True)
    assert len(counts) == 24 and ((counts - 1000.0) ** 2 / 1000).sum() < 49.7  # chi-square of 23 degrees, p = 0.001


@given(st.lists(st.integers(0, 12), min_size=1, max_size=30), st.integers(0, 9))
def test_a_draw_holds_different_places_and_all_where_there_are_no_more(sizes, count):
    limits, rows, stream = np.array(sizes), np.arange(len(sizes)), Randomness(1).stream("draw")
    found = drawn(limits, count, stream, rows)
    for size, row in zip(sizes, found.tolist(), strict=True):
        there = [place for place in row if place >= 0]
        assert len(set(there)) == len(there) == min(size, count) and all(place < size for place in there)
    uniform = np.array([[stream.uniform([row], at)[0] for at in range(count)] for row in rows]).reshape(len(rows), count)
    assert np.array_equal(drawn_plain(limits.astype(np.int64), uniform), found)


def test_a_reader_draws_the_same_alone_and_among_others():
    stream = Randomness(3).stream("draw")
    together = drawn(10**6, 40, stream, np.arange(30))
    assert np.array_equal(drawn(10**6, 40, stream, np.array([17]))[0], together[17])
    assert (np.diff(np.sort(together, axis=1), axis=1) > 0).all()


@pytest.mark.parametrize("length", [1, 3, 32, 768])
def test_cosines_are_exact_whatever_the_batch_and_near_the_true_ones(length):
    random = np.random.default_rng(length)
    a, b = random.normal(size=(40, length)) * 7, random.normal(size=(60, length)) * 0.01
    ours = cosines(on_grid(a), on_grid(b))
    one_by_one = np.array([[cosines(on_grid(x), on_grid(y))[0, 0] for y in b] for x in a])
    assert np.array_equal(ours, one_by_one)
    exact = on_grid(a).astype(np.int64) @ on_grid(b).astype(np.int64).T
    assert np.array_equal(ours, exact.astype(np.float32) * np.float32(1 / steps(length) ** 2))
    true = (a / np.linalg.norm(a, axis=1, keepdims=True)) @ (b / np.linalg.norm(b, axis=1, keepdims=True)).T
    assert np.abs(ours - true).max() < 2e-3


@pytest.mark.parametrize("length", [1, 2, 768, 4096])
def test_no_sum_leaves_what_single_precision_holds_exactly(length):
    worst = on_grid(np.ones((1, length)))
    assert (worst.astype(np.float64) ** 2).sum() <= 2**24
    skewed = on_grid(np.random.default_rng(0).normal(size=(50, length)) ** 3)
    assert ((skewed.astype(np.float64) ** 2).sum(axis=1) <= 2**24).all()


def test_a_vector_of_zeros_is_like_nothing_and_huge_ones_do_not_overflow():
    grid = on_grid([[0.0, 0.0], [1e300, 1e300], [1e-300, 1e-300]])
    assert cosines(grid, grid)[0].tolist() == [0, 0, 0]
    assert cosines(grid, grid)[1, 2] == pytest.approx(1, abs=1e-3)


def test_vectors_of_another_length_and_not_finite_ones_are_refused():
    kept = Vectors(3, 2)
    with pytest.raises(UsageError, match="2 components among vectors of 3"):
        kept.write([0], [[1.0, 2.0]])
    with pytest.raises(UsageError, match="finite"):
        on_grid([[np.nan, 1.0]])
    with pytest.raises(UsageError, match="cannot be compared"):
        cosines(on_grid([[1.0]]), on_grid([[1.0, 2.0]]))
