"""Two-alternative studies: balance, the law of ideal raters, and comparisons of conditions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sociarium.kernel.errors import UsageError
from sociarium.lab.discrimination import LEFT, RIGHT, always, choosing, compare, d_prime, error_of, ideal, planned, run


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 8), st.integers(1, 13), st.integers(1, 6), st.integers(1, 6), st.integers(0, 1_000))
def test_sides_are_balanced_and_no_item_comes_again_before_all_have_come(raters, pairs, real, made, seed):
    trials = planned(raters, pairs, real, made, seed=seed)
    left = (trials.side.reshape(raters, pairs) == LEFT).sum(axis=1)
    assert (abs(2 * left - pairs) <= pairs % 2).all()
    for column, items in ((trials.real, real), (trials.generated, made)):
        counts = np.array([np.bincount(row, minlength=items) for row in column.reshape(raters, pairs)])
        assert (counts.max(axis=1) - counts.min(axis=1) <= 1).all()


@pytest.mark.parametrize(("d", "error"), [(0, 0.5), (0.5, 0.362), (1, 0.240), (2, 0.079)])
def test_the_law_and_its_inverse(d, error):
    assert error_of(d) == pytest.approx(error, abs=5e-4)
    assert d_prime(error_of(d)) == pytest.approx(d, abs=1e-9)
    trials = planned(50, 50, 50, 50, seed=4)
    found = run(trials, ideal(d), seed=5)
    assert abs(found.error - error_of(d)) <= 3.5 * (error * (1 - error) / 2_500) ** 0.5
    assert len(found.rates) == 50 and found.interval().holds(found.error) and found.left_share == 0.5


def test_the_published_error_is_a_d_prime_of_a_third():
    assert d_prime(0.41) == pytest.approx(0.32, abs=0.005)


def test_who_does_not_look_errs_in_half_and_who_knows_never():
    trials = planned(9, 20, 7, 7, seed=1)
    assert run(trials, always(LEFT), seed=1).rates.tolist() == [0.5] * 9
    assert run(trials, choosing(lambda trial: trial.side), seed=1).error == 0
    assert run(trials, choosing(lambda trial: 1 - trial.side), seed=1).error == 1
    assert run(trials, ideal(np.full(9, 50.0)), seed=1).d_prime == np.inf


def test_an_answer_that_is_no_side_is_refused():
    with pytest.raises(UsageError, match="left"):
        run(planned(1, 2, 1, 1, seed=1), always(7), seed=1)
    with pytest.raises(UsageError):
        planned(0, 1, 1, 1, seed=1)
    with pytest.raises(UsageError):
        d_prime(1.5)


def test_conditions_that_differ_are_found_and_which():
    trials = planned(50, 50, 50, 50, seed=1)
    found = compare(
        {"full": run(trials, ideal(0.3), seed=1), "bare": run(trials, ideal(1.5), seed=2), "same": run(trials, ideal(0.3), seed=3)}
    )
    assert found.p < 1e-6 and (found.between, found.within) == (2, 147) and found.eta > 0.5
    assert found.pairs["full", "bare"] < 1e-6 < 0.05 < found.pairs["full", "same"]
    assert LEFT != RIGHT


def test_the_variance_ratio_is_the_one_worked_out_by_hand():
    found = compare({"a": [1.0, 2.0, 3.0], "b": [2.0, 3.0, 4.0], "c": [5.0, 6.0, 7.0]})
    assert found.f == pytest.approx(13.0) and found.eta == pytest.approx(26 / 32)
    with pytest.raises(UsageError):
        compare({"a": [1.0, 2.0]})
