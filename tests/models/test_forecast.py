"""Forecasts: closed forms, coverage, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from sociarium.kernel.errors import UsageError
from sociarium.kernel.protocols import Address, Usage
from sociarium.models.forecast import forecast, per_tick, student


@pytest.mark.parametrize("freedom", [1, 2, 3, 7, 30, 500])
@pytest.mark.parametrize("share", [0.5, 0.9, 0.975, 0.9995])
def test_students_quantiles_are_those_of_the_tables(share, freedom):
    assert student(share, freedom) == pytest.approx(stats.t.ppf(share, freedom), rel=1e-6, abs=1e-9)


def test_equal_ticks_leave_no_doubt():
    found = forecast({"calls": [5, 5, 5]}, 100).totals["calls"]
    assert (found.mean, found.low, found.high) == pytest.approx((500.0, 500.0, 500.0))


def test_the_interval_of_a_mean_is_the_closed_form():
    seen = np.array([10.0, 14.0, 9.0])
    found = forecast({"calls": seen}, 23).totals["calls"]
    half = stats.t.ppf(0.975, 2) * seen.std(ddof=1) * np.sqrt(20 + 20**2 / 3)
    assert found.mean == pytest.approx(33.0 + 20 * 11.0)
    assert found.high - found.mean == pytest.approx(half)
    assert found.mean - found.low == pytest.approx(half)


def test_what_is_spent_is_spent():
    assert forecast({"calls": [10.0, 1.0]}, 4).totals["calls"].low == 11.0


def test_growing_prompts_are_followed():
    found = forecast({"prompt_tokens": 100.0 + 7.0 * np.arange(10)}, 50).totals["prompt_tokens"]
    assert found.trend
    assert found.mean == pytest.approx((100.0 + 7.0 * np.arange(50)).sum())
    assert found.high == pytest.approx(found.mean)


# Ticks that are alike are told from trends badly by twenty of them: the interval is then too short, and the module says so.
@pytest.mark.parametrize(("slope", "likeness", "least"), [(0.0, 0.0, 0.88), (3.0, 0.0, 0.88), (10.0, 0.0, 0.92), (0.0, 0.5, 0.8)])
def test_a_95_percent_interval_holds_the_truth_about_that_often(slope, likeness, least):
    dice = np.random.default_rng(11)
    inside = 0
    for _ in range(600):
        noise = dice.normal(0.0, 20.0, 60)
        for at in range(1, 60):
            noise[at] += likeness * noise[at - 1]
        values = 500.0 + slope * np.arange(60) + noise
        predicted = forecast({"calls": values[:20]}, 60)
        inside += predicted.error({"calls": values.sum()})["calls"]["inside"]
    assert least <= inside / 600 <= 0.995, inside / 600


def test_the_error_after_the_run():
    made = forecast({"calls": [4, 6], "money": [0, 0]}, 10)
    told = made.error({"calls": 40.0, "money": 0.0, "tokens": 3.0})
    assert told["calls"] == {"actual": 40.0, "error": pytest.approx(0.25), "inside": True}
    assert told["money"]["error"] == 0.0
    assert set(told) == {"calls", "money"}
    assert made.error({"money": 5.0})["money"]["inside"] is False
    assert made.lines()[0].startswith("calls: 50 (95 % interval 10 to ")


def test_a_journal_is_summed_by_tick():
    def at(tick):
        return Address(tick, "p", 0, 0, "agent:1", "act")

    rows = [(at(0), Usage(1, 10, 0, 2, 30, 0.5)), (at(2), Usage(2, 5, 0, 1)), (at(0), Usage(1)), (at(7), Usage(9))]
    series = per_tick(rows, 3)
    assert series["calls"].tolist() == [2.0, 0.0, 2.0]
    assert series["prompt_tokens"].tolist() == [10.0, 0.0, 5.0]
    assert series["money"].tolist() == [30.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("pilot", "ticks", "words"),
    [
        ({"calls": [1]}, 5, "two ticks"),
        ({"calls": [1, 2, 3]}, 2, "seen already"),
        ({"calls": [1, 2], "money": [1]}, 5, "as many"),
        ({"calls": [1, float("nan")]}, 5, "finite"),
        ({}, 5, "one value"),
    ],
)
def test_what_cannot_be_forecast_is_refused(pilot, ticks, words):
    with pytest.raises(UsageError, match=words):
        forecast(pilot, ticks)
    with pytest.raises(UsageError, match="between 0 and 1"):
        forecast({"calls": [1, 2]}, 5, confidence=95)
