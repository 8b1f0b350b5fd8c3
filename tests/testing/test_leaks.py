"""Planted leaks are found, by whichever way they go; a sound world has none."""

from __future__ import annotations

import pytest

from sociarium import testing
from sociarium.testing import ConformanceError

from .worlds import pond


def test_a_sound_world_leaks_nothing_and_was_looked_at():
    report = testing.leak_audit(pond())
    assert report.planted == {"column note": 12, "column role": 12, "argument why of pond.pour": 48}
    assert report.looked > 300
    assert not report.leaks


@pytest.mark.parametrize(
    ("defect", "says"),
    [
        ("told of another", "agent 1 learned column note of agent 0 from pond.describe"),
        ("told what is hidden", "agent 0 learned column role of agent 0 from pond.describe"),
        ("private told", "learned argument why of pond.pour of agent . from news pond.poured"),
    ],
)
def test_a_planted_leak_is_found(defect, says):
    with pytest.raises(ConformanceError, match=says):
        testing.leak_audit(pond(defect))


def test_what_is_kept_is_not_audited():
    testing.leak_audit(pond("told what is hidden"), keep=["role"])


def test_an_audit_of_nothing_is_no_pass():
    simulation = pond(ticks=0)
    with pytest.raises(ConformanceError, match="nothing to audit"):
        testing.leak_audit(simulation, keep=["role", "note"])
