"""Forecasts from pilot runs: how often the interval holds the truth, and what a run says of its forecast afterwards."""

from __future__ import annotations

import asyncio
import json

import numpy as np
import pytest

from sociarium.kernel.errors import BudgetSpent, ModelError
from sociarium.lab import running
from sociarium.lab.pilot import Pilot, forecast_of, pilot_of, priced
from sociarium.lab.running import Options
from sociarium.models.backend import CallFailed
from sociarium.models.backends.scripted import ScriptedBackend, open_scripted
from sociarium.models.budget import BudgetLimits
from sociarium.models.forecast import Forecast, Interval
from sociarium.models.retry import RetryPolicy
from sociarium.record.run import RunRecord
from sociarium.scenarios import catalogue

PILOTS, TRIALS = 5, 40
SETTINGS = {
    "donor-game": {"generations": 1, "rounds": 2, "agents": 6},
    "govsim": {"pace": "choices", "max_rounds": 2, "embedder": "hashing"},
}

WIDEST = {"donor-game": 0.2, "govsim": 2.0}  # of the truth: in govsim the lake collapses at once or lasts


def scenario_of(slug):
    return catalogue.scenario(slug).of({"model": "scripted:schema", **SETTINGS[slug]})


def tokens(pilot, run):
    return sum(count * pilot.sizes[run][label].prompt_tokens for label, count in pilot.runs[run].items())


@pytest.mark.parametrize("slug", list(SETTINGS))
def test_a_90_percent_interval_holds_the_truth_about_that_often(slug):
    """Runs with seeds of their own: five are the pilots, another is the truth. 40 trials share 60 runs."""
    pool = asyncio.run(pilot_of(scenario_of(slug), 7, runs=60))
    dice = np.random.default_rng(5)
    inside, widths = 0, []
    for _ in range(TRIALS):
        *chosen, truth = dice.choice(60, PILOTS + 1, replace=False).tolist()
        pilot = Pilot(
            [pool.runs[at] for at in chosen], [pool.ticks[at] for at in chosen], {}, pool.costs, [pool.sizes[at] for at in chosen], None
        )
        found = forecast_of(pilot, confidence=0.9).totals["prompt_tokens"]
        actual = tokens(pool, truth)
        inside += found.low - 1e-6 <= actual <= found.high + 1e-6
        widths.append((found.high - found.low) / actual)
    assert inside >= 0.75 * TRIALS, "too narrow (a 90 % interval fails this once in 700)"
    assert np.median(widths) < WIDEST[slug], "and it says something"
    assert len({round(tokens(pool, run)) for run in range(60)}) > 5, "runs do differ"


def test_a_run_says_how_far_its_forecast_was_off(tmp_path):
    scenario = scenario_of("donor-game")
    made = Forecast(
        4, 5, 0.9, {"calls": Interval(10.0, 9.0, 11.0), "prompt_tokens": Interval(1e5, 10.0, 1e7), "money": Interval(float("nan"), 0, 0)}
    )
    finished = asyncio.run(running.start(scenario, 3, tmp_path / "run", Options(forecast=made)))
    used = finished.summary.models
    told = finished.summary.forecast
    assert told["calls"]["actual"] == used["calls"] + used["cached"] + used["shared"]
    assert not told["calls"]["inside"]
    assert told["prompt_tokens"]["inside"]
    assert told["prompt_tokens"]["error"] == pytest.approx((1e5 - used["prompt_tokens"]) / used["prompt_tokens"])
    assert "money" not in told, "what was not known before is not judged after"
    with RunRecord.open(tmp_path / "run", mode="read") as record:
        assert Forecast.from_plain(record.manifest["forecast"]).totals["calls"] == made.totals["calls"]
        assert json.loads(record.get("summary"))["forecast"]["calls"]["actual"] == told["calls"]["actual"]


async def test_a_forecast_asks_through_the_service_within_its_limits():
    """A model that is short of capacity is asked again, one that hangs is given up, and what was spent is told."""
    scenario = scenario_of("donor-game")
    pilot = await pilot_of(scenario, 7, runs=2)
    none, asked = RetryPolicy(attempts=3, first_wait=0.0), []
    script = open_scripted("scripted:schema").script

    def busy(request, draw):
        asked.append(1)
        if len(asked) % 3:
            raise CallFailed("unavailable", "short of capacity", retryable=True)
        return script(request, draw)

    options = Options(backends={"scripted:schema": ScriptedBackend(busy)}, retry=none)
    costs = await priced(pilot, scenario, 7, options)
    assert set(costs) == set(pilot.costs)
    assert options.spent.calls == len(asked) == 3 * len(costs)
    assert options.spent.tokens > 0
    hangs = Options(backends={"scripted:schema": ScriptedBackend(busy, delay=lambda request, draw: 600.0)}, retry=none, timeout=0.005)
    with pytest.raises(ModelError, match="read_timeout"):
        await priced(pilot, scenario, 7, hangs)
    assert hangs.spent.calls == 3
    limited = Options(backends=options.backends, retry=none, budget=BudgetLimits(calls=1))
    with pytest.raises(BudgetSpent):
        await priced(pilot, scenario, 7, limited)


def test_a_forecast_of_the_same_script_is_borne_out():
    scenario = scenario_of("donor-game")
    made = forecast_of(asyncio.run(pilot_of(scenario, 1)), confidence=0.9)
    again = Forecast.from_plain(json.loads(json.dumps(made.plain())))
    assert again.totals == {name: Interval(one.mean, one.low, one.high) for name, one in made.totals.items()}
    assert made.totals["calls"].low <= made.totals["calls"].high
