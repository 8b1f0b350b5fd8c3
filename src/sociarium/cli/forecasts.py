"""Forecasts as they are made and shown, before a run and alone."""

from __future__ import annotations

from sociarium.cli.console import say, show_table
from sociarium.lab.pilot import Cost, Pilot, forecast_of, pilot_of, priced
from sociarium.lab.running import Options
from sociarium.lab.scenario import Scenario
from sociarium.models.forecast import Forecast, Interval

UNITS = {
    "calls": "",
    "prompt_tokens": "tokens",
    "completion_tokens": "tokens",
    "money": "US dollars",
    "seconds": "seconds, one call at a time",
}


async def made(scenario: Scenario, seed: int, options: Options, runs: int = 5) -> Forecast:
    """Of one run, from pilots on the scripted model and one question of each kind to the real one, within the limits of ``options``."""
    return forecast_of(*await piloted(scenario, seed, runs, options))


async def piloted(scenario: Scenario, seed: int, runs: int, options: Options | None) -> tuple[Pilot, dict[str, Cost] | None]:
    """``options``: how the real model is asked; None leaves it alone."""
    pilot = await pilot_of(scenario, seed, runs=runs)
    if options is None:
        return pilot, None
    try:
        return pilot, await priced(pilot, scenario, seed, options)
    finally:
        await options.close()


def show(scenario: Scenario, found: Forecast) -> None:
    """A table of the totals."""
    rows = [(name.replace("_", " "), *_shown(name, one), UNITS[name]) for name, one in found.totals.items()]
    share = f"{100 * found.confidence:g} % interval"
    show_table(f"one run of {scenario.slug} on {scenario.model}", ["what", "mean", share, "unit"], rows, numbers=[1], folds=[3])
    say(f"from {found.seen} pilot runs on a scripted model")


def _shown(name: str, one: Interval) -> tuple[str, str]:
    if one.mean != one.mean:
        return "unknown", "its prices are not known"
    if name == "money":
        return f"{one.mean / 1e6:,.4f}", f"{one.low / 1e6:,.4f} to {one.high / 1e6:,.4f}"
    return f"{one.mean:,.0f}", f"{one.low:,.0f} to {one.high:,.0f}"
