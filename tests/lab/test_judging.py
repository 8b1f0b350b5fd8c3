"""Judges who err: what they say, and what it says about the truth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sociarium.kernel.errors import UsageError
from sociarium.kernel.randomness import Stream
from sociarium.lab.judging import Judge

shares = st.floats(0, 1)


@given(shares, shares, shares)
def test_the_correction_undoes_the_errors(share, sensitivity, specificity):
    judge = Judge(sensitivity, specificity)
    if judge.power > 0.01:
        assert judge.corrected(judge.raw(share)) == pytest.approx(share, abs=1e-9)


def test_verdicts_follow_the_rates_and_the_share_comes_back():
    truth = np.arange(20_000) % 5 == 0
    judge = Judge(0.8, 0.9)
    said = judge.verdicts(truth, Stream(3), np.arange(20_000))
    assert abs(said[truth].mean() - 0.8) < 0.02 and abs(said[~truth].mean() - 0.1) < 0.01
    assert judge.share(int(said.sum()), 20_000, 0.9973).holds(0.2)
    measured = Judge.measured(said[:10_000], truth[:10_000])
    assert (measured.positives, measured.negatives) == (2_000, 8_000)
    known = judge.share(int(said.sum()), 20_000)
    unsure = measured.share(int(said.sum()), 20_000)
    assert unsure.high - unsure.low > known.high - known.low


def test_intervals_cover_as_they_say():
    covered, judge = 0, Judge(0.85, 0.9)
    for study in range(400):
        truth = Stream(study).uniform(np.arange(500)) < 0.3
        said = judge.verdicts(truth, Stream(10_000 + study), np.arange(500))
        covered += judge.share(int(said.sum()), 500).holds(0.3)
    assert 0.92 < covered / 400 < 0.98


def test_a_judge_who_guesses_tells_nothing():
    with pytest.raises(UsageError, match="no better than a guess"):
        Judge(0.3, 0.7).corrected(0.5)
    with pytest.raises(UsageError, match="true cases and others"):
        Judge.measured([True, True], [True, True])
    with pytest.raises(UsageError):
        Judge(1.2, 0.5)
