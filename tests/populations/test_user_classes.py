"""Classes of users by standing and activity."""

import pytest

from sociarium.kernel.errors import UsageError
from sociarium.populations.user_classes import UserClass, user_classes


def test_the_much_followed_and_active_are_influential_and_the_little_followed_and_idle_have_low_impact():
    found = user_classes([100, 100, 1, 1, 5, 0], [10, 10, 20, 20, 5, 0], [3, 0.1, 3, 0.1, 0.2, 0.1])
    kinds = [UserClass.INFLUENTIAL, UserClass.REGULAR, UserClass.REGULAR, UserClass.LOW_IMPACT, UserClass.REGULAR, UserClass.LOW_IMPACT]
    assert found.tolist() == kinds
    assert user_classes([], [], []).tolist() == []


def test_bounds_that_cannot_be_are_said():
    with pytest.raises(UsageError, match="a ratio of 1 or more"):
        user_classes([1], [1], [1], ratio=0.5)
