"""Made once an object, and never of another that took its place in memory."""

from __future__ import annotations

from sociarium.kernel.identity import ByIdentity


def test_an_object_is_made_of_once_and_an_equal_one_anew():
    made = []
    remember = ByIdentity(lambda source: made.append(source) or len(source), 10)
    one, equal = {"a": 1}, {"a": 1}
    assert [remember(one), remember(one), remember(equal)] == [1, 1, 1]
    assert len(made) == 2


def test_an_id_that_is_used_again_is_not_mistaken():
    remember = ByIdentity(lambda source: source[0], 100)
    assert [remember([number]) for number in range(1000)] == list(range(1000))


def test_no_more_is_held_than_the_limit():
    remember = ByIdentity(len, 10)
    for number in range(100):
        remember([number])
        assert len(remember._known) <= 10
