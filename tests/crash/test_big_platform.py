"""A platform of rule users and language users, killed by SIGKILL, resumed and replayed: one digest.

``make big-platform`` does the same with a million users and twenty on the small local model; ``SOCIARIUM_PLATFORM=local`` takes that
model here.
"""

import os

import pytest

from .big_platform import trial

MODEL = "local:smollm2?exact=yes" if os.environ.get("SOCIARIUM_PLATFORM") == "local" else "scripted:schema?delay=0.1"


@pytest.mark.slow
def test_a_mixed_platform_killed_in_the_middle_resumed_and_replayed_ends_in_one_digest(tmp_path):
    found = trial(tmp_path, ["users=2003", "language=3", "steps=10", f"model={MODEL}"], [4])
    assert 4 <= found["killed_after"][0] < 10, "it was not killed in the middle: nothing was tested"
    assert found["equal"]
    assert found["whole"]["calls"] == found["resumed"]["calls"] == 30
    assert found["replayed"]["calls"] == 0
    applied = found["whole"]["applied"]
    assert applied == found["resumed"]["applied"]
    assert sum(applied.values()) > 600
