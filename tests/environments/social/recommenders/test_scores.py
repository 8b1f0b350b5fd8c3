"""Scores of posts against hand values and their closed forms."""

import numpy as np
import pytest

from sociarium.environments.social.recommenders.scores import HORIZON, HOT_EPOCH, HOT_SPAN, decay, engagement, fame, hot, recency


def test_hot_score_of_ten_votes_one_span_after_the_epoch_is_exactly_two():
    assert hot(10, 0, HOT_EPOCH + HOT_SPAN) == 2.0


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("votes", [1, 3, 70])
def test_ten_times_the_net_votes_weigh_as_much_as_one_span_of_age(votes, sign):
    few = (votes, 0) if sign > 0 else (0, votes)
    many = tuple(10 * side for side in few)
    assert hot(*many, HOT_EPOCH) == pytest.approx(hot(*few, HOT_EPOCH + sign * HOT_SPAN), abs=1e-12)


def test_one_vote_up_none_and_one_down_have_the_same_hot_score_and_a_further_like_parts_them():
    up, none, down = hot([1, 0, 0], [0, 0, 1], HOT_EPOCH)
    assert up == none == down == 0.0
    liked = hot([2, 1, 1], [0, 0, 1], HOT_EPOCH)
    assert liked == pytest.approx([np.log10(2), 0, 0])
    assert liked[0] * HOT_SPAN == pytest.approx(13_546, abs=1)


def test_hot_score_of_the_code_is_rounded_to_seven_decimals():
    exact = hot(3, 0, HOT_EPOCH + 1)
    assert hot(3, 0, HOT_EPOCH + 1, digits=7) == round(float(exact), 7) != exact


def test_recency_is_that_of_the_paper():
    assert recency(0) == pytest.approx(0.99990, abs=5e-6)
    assert recency(171.8) == pytest.approx(0, abs=1e-12)
    assert recency(171) > 0 > recency(172)
    assert recency(150) / recency(0) == pytest.approx(0.197, abs=5e-4)
    assert np.isnan(recency([HORIZON, HORIZON + 1])).all() and not np.isnan(recency(HORIZON - 1e-6))


def test_ninety_steps_of_three_minutes_are_the_last_that_recency_is_defined_for():
    age = 3.0 * np.arange(93)
    assert not np.isnan(recency(age[:91])).any() and np.isnan(recency(age[91:])).all()


def test_fame_begins_at_a_thousand_followers():
    assert fame([0, 998, 999]) == pytest.approx([1, 1, 1])
    assert fame(1000) > 1 and fame(999_999) == pytest.approx(2)


def test_popularity_counts_shares_twice_and_ends_at_one():
    assert engagement(3, 3, 0) == pytest.approx(np.log10(10) / 5)
    assert engagement([99_999, 10**7], 0, 0) == pytest.approx([1, 1]) and engagement(99_998, 0, 0) < 1
    assert engagement(0, 0, 0) == 0 and engagement(0, 0, 0, least=1) == pytest.approx(np.log10(2) / 5)


def test_decay_is_one_over_e_after_a_day():
    assert decay([0, 24]) == pytest.approx([1, np.exp(-1)])
