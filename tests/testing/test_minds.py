"""A sound mind passes; a mind that changes when asked, sees its batch, or acts outside the legal set does not."""

from __future__ import annotations

import pytest

from sociarium import testing
from sociarium.testing import ConformanceError

from .worlds import pond


def test_a_sound_mind_passes():
    testing.mind_test(pond)


@pytest.mark.parametrize(
    ("defect", "says"),
    [
        ("probe", "a probe changes no mind"),
        ("batch", "decides pond.pour otherwise"),
        ("illegal", "outside the legal set: amount must be a number from 0 to 5"),
        ("load", "state, load, state"),
    ],
)
def test_a_defect_is_found(defect, says):
    with pytest.raises(ConformanceError, match=says):
        testing.mind_test(lambda: pond(mind=defect))


def test_minds_that_are_never_asked_are_no_pass():
    with pytest.raises(ConformanceError, match="no mind was ever asked"):
        testing.mind_test(lambda: pond(ticks=0))
