"""A town of language minds, killed and resumed: its replay, and a run that nobody disturbs, have the same digest.

``make big-town`` does the same with a day of 25 residents on the small local model.
"""

import pytest

from .big_town import SMALL, trial


@pytest.mark.slow
def test_a_town_killed_in_the_middle_and_resumed_comes_to_the_digest_of_its_replay_and_of_a_run_that_nobody_disturbs(tmp_path):
    chosen = {**SMALL, "size": 4, "hours": 1, "start": 7, "embedder": "hashing"}
    found = trial(tmp_path, "scripted:schema?delay=0.01", [10], pilots=0, beside=True, **chosen)
    assert 10 <= found["killed_after"][0] < 360, "it was not killed in the middle: nothing was tested"
    assert found["equal"] and found["undisturbed"]["digest"] == found["replayed"]["digest"]
    assert found["run"]["models"]["calls"] > 10
