"""A city's epidemic with archetype minds, killed and resumed: the digest is that of the run nobody disturbed.

``make big-epidemic`` does the same with 8.4 million people; ``SOCIARIUM_EPIDEMIC=local`` takes the small local model here.
"""

import os

import pytest

from .big_epidemic import trial

MODEL = "local:smollm2?exact=yes" if os.environ.get("SOCIARIUM_EPIDEMIC") == "local" else "scripted:schema?delay=0.02"


@pytest.mark.slow
def test_a_city_killed_in_the_middle_and_resumed_ends_in_the_same_digest(tmp_path):
    found = trial(tmp_path, 1_000, 24, MODEL, [8])
    assert 8 <= found["killed_after"][0] < 24, "it was not killed in the middle: nothing was tested"
    assert found["equal"]
    assert found["whole"]["models"]["calls"] == found["resumed"]["models"]["calls"] == 4 * 10 + 8
    assert found["whole"]["agent_turns"] == found["resumed"]["agent_turns"]
