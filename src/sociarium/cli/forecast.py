"""forecast SLUG: what a run will cost, before it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from sociarium.cli.console import emit_json, finite, say, show_table
from sociarium.cli.run import Settings, configured
from sociarium.lab.pilot import Cost, Pilot, forecast_of, pilot_of, priced
from sociarium.lab.running import Options
from sociarium.lab.scenario import Scenario
from sociarium.models.forecast import Interval

UNITS = {
    "calls": "",
    "prompt_tokens": "tokens",
    "completion_tokens": "tokens",
    "money": "US dollars",
    "seconds": "seconds, one call at a time",
}


def forecast(
    slug: str,
    *,
    settings: Settings = [],  # noqa: B006 - Cyclopts reads the default and never writes to it
    config: Annotated[Path | None, Parameter(name="--settings", help="a YAML file of parameters")] = None,
    model: Annotated[str | None, Parameter(help="language model: local:smollm2, http://host/v1#name, openai:name …")] = None,
    seed: int = 1,
    runs: Annotated[int, Parameter(help="pilot runs on the scripted model")] = 5,
    ask: Annotated[bool, Parameter(help="ask the real model one question of each kind, for its tokens, price and speed")] = True,
    json: Annotated[bool, Parameter(negative=(), help="machine-readable output")] = False,
) -> int:
    """Calls, tokens, money and time of one run, each with a 95 % interval."""
    scenario = configured(slug, settings, config, model)
    pilot, costs = asyncio.run(_piloted(scenario, seed, runs, ask))
    found = forecast_of(pilot, costs)
    if json:
        totals = {name: {"mean": one.mean, "low": one.low, "high": one.high} for name, one in found.totals.items()}
        emit_json(finite({"scenario": slug, "model": scenario.model, "pilot_runs": runs, "asked": costs is not None, "totals": totals}))
        return 0
    rows = [(name.replace("_", " "), *_shown(name, one), UNITS[name]) for name, one in found.totals.items()]
    show_table(f"one run of {slug} on {scenario.model}", ["what", "mean", "95 % interval", "unit"], rows, numbers=[1], folds=[3])
    if pilot.early:
        say(f"some pilots ended early: the upper bounds are those of a run that lasts all {pilot.horizon} ticks", style="yellow")
    say(f"from {runs} pilot runs on a scripted model ({min(pilot.ticks)} to {max(pilot.ticks)} ticks); a real run may end sooner or later")
    return 0


async def _piloted(scenario: Scenario, seed: int, runs: int, ask: bool) -> tuple[Pilot, dict[str, Cost] | None]:
    pilot = await pilot_of(scenario, seed, runs=runs)
    if not ask:
        return pilot, None
    options = Options()
    try:
        return pilot, await priced(pilot, scenario, seed, options)
    finally:
        for backend in options.backends.values():
            await backend.close()


def _shown(name: str, one: Interval) -> tuple[str, str]:
    if one.mean != one.mean:
        return "unknown", "its prices are not known"
    if name == "money":
        return f"{one.mean / 1e6:,.4f}", f"{one.low / 1e6:,.4f} to {one.high / 1e6:,.4f}"
    return f"{one.mean:,.0f}", f"{one.low:,.0f} to {one.high:,.0f}"
