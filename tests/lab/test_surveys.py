"""Scales with reversed items."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sociarium.kernel.errors import UsageError
from sociarium.lab.surveys import CES_D, Scale

REVERSED = [3, 7, 11, 15]


def test_the_depression_scale_turns_its_four_good_items_round():
    everything = np.zeros((3, 20), int)
    everything[1] = 3
    everything[2, REVERSED] = 3
    assert CES_D.score(everything).tolist() == [12, 48, 0]
    assert [CES_D.items[at] for at in REVERSED] == ["as good as others", "hopeful", "happy", "enjoyed life"]
    assert CES_D.highest == 60


@given(st.lists(st.integers(0, 3), min_size=20, max_size=20))
def test_answers_and_their_opposites_sum_to_the_highest(answers):
    given_ = np.array(answers)
    assert CES_D.score(given_)[0] + CES_D.score(3 - given_)[0] == CES_D.highest


def test_an_open_item_leaves_the_score_open_and_a_wrong_one_is_refused():
    assert np.isnan(CES_D.score([-1, *[0] * 19])).all()
    with pytest.raises(UsageError, match="20 answers"):
        CES_D.score([0] * 19)
    with pytest.raises(UsageError, match="from 0 to 3"):
        CES_D.score([4] * 20)
    with pytest.raises(UsageError, match="reverses item 3"):
        Scale("short", ("a", "b"), ("no", "yes"), frozenset({3}))


def test_answers_are_read_from_words():
    assert CES_D.read(["Rarely", " most", "never"]).tolist() == [0, 3, -1]
