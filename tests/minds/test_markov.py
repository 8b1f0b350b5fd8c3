"""Markov kernels: moves have the probabilities of the matrix, estimates find them again."""

from __future__ import annotations

import numpy as np
import pytest

from sociarium.kernel.errors import UsageError
from sociarium.kernel.randomness import Randomness
from sociarium.minds.markov import MarkovKernel, estimated

EMOTION = MarkovKernel.of([[0.7, 0.2, 0.1], [0.3, 0.5, 0.2], [0.05, 0.35, 0.6]])
BY_MESSAGE = MarkovKernel.of([[[0.9, 0.1], [0.4, 0.6]], [[0.5, 0.5], [0.1, 0.9]]])


def test_every_entry_is_found_again_from_a_hundred_thousand_transitions():
    levels, before, after = np.zeros(5000, np.int64), [], []
    for step in range(20):
        moved = EMOTION.moved(levels, Randomness(3).stream("emotion", step), np.arange(5000))
        before.append(levels)
        after.append(moved)
        levels = moved
    found = estimated(np.concatenate(before), np.concatenate(after), 3)
    assert found.counts.sum() == 100_000
    assert (np.abs(found.probabilities - EMOTION.matrix) <= 4 * found.errors(EMOTION)).all()


def test_the_context_chooses_the_matrix():
    rows = np.arange(40_000)
    levels, context = rows % 2, rows // 2 % 2
    moved = BY_MESSAGE.moved(levels, Randomness(1).stream("attitude"), rows, context)
    found = estimated(levels, moved, 2, context, contexts=2)
    assert (np.abs(found.probabilities - BY_MESSAGE.matrix) <= 4 * found.errors(BY_MESSAGE)).all()


def test_a_rows_move_does_not_depend_on_who_moves_with_it():
    stream, rows = Randomness(5).stream("emotion"), np.arange(100)
    whole = EMOTION.moved(rows % 3, stream, rows)
    assert np.array_equal(whole[40:60], EMOTION.moved(rows[40:60] % 3, stream, rows[40:60]))


def test_the_long_run_has_the_stationary_shares():
    shares = EMOTION.stationary()
    assert shares @ EMOTION.matrix[0] == pytest.approx(shares, abs=1e-12)
    assert np.linalg.matrix_power(EMOTION.matrix[0], 200)[0] == pytest.approx(shares, abs=1e-9)


def test_what_was_never_left_has_no_row_unless_counts_are_added():
    found = estimated([0, 0, 0, 0], [0, 0, 0, 1], 2)
    with pytest.raises(UsageError, match="level 1 in context 0 was never left"):
        found.kernel()
    assert found.kernel(1.0).matrix[0] == pytest.approx(np.array([[4 / 6, 2 / 6], [0.5, 0.5]]))


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([[0.5, 0.4], [0, 1]], "row 0 of context 0"),
        ([[1.5, -0.5], [0, 1]], "row 0 of context 0"),
        ([[0.5, 0.5]], "a square matrix"),
    ],
)
def test_what_is_no_kernel_is_said(rows: list[list[float]], told: str):
    with pytest.raises(UsageError, match=told):
        MarkovKernel.of(rows)


def test_levels_outside_are_refused():
    with pytest.raises(UsageError, match="outside this kernel"):
        EMOTION.moved([3], Randomness(1).stream("e"), [0])
    with pytest.raises(UsageError, match="after has 0 to 2"):
        estimated([0, 1], [0, 2], 2)
