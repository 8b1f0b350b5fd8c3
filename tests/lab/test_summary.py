"""When a run is no result."""

from __future__ import annotations

import pytest

from sociarium.lab.summary import Summary


@pytest.mark.parametrize(
    ("turns", "share", "valid"),
    [
        ({"ok": 36, "skipped": 64}, 1.0, True),  # most had nothing to decide: residents who are asleep or on their way
        ({"ok": 5, "repaired": 5, "skipped": 90, "failed": 10}, 0.5, True),
        ({"ok": 9, "skipped": 90, "failed": 11}, 0.45, False),
        ({"skipped": 7}, 1.0, True),
        ({"malformed": 1, "skipped": 999}, 0.0, False),
        ({}, 1.0, True),
    ],
)
def test_a_run_is_judged_by_the_turns_in_which_there_was_something_to_decide(turns, share, valid):
    summary = Summary(turns=turns)
    assert summary.good_share == pytest.approx(share)
    assert (summary.too_few(0.5) is None) == valid
