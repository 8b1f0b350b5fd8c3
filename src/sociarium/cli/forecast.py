"""forecast SLUG: what a run will cost, before it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from sociarium.cli.console import emit_json, say
from sociarium.cli.forecasts import piloted, show
from sociarium.cli.run import Settings, configured
from sociarium.lab.documents import finite
from sociarium.lab.pilot import forecast_of
from sociarium.lab.running import Options


def forecast(
    slug: str,
    *,
    settings: Settings = [],  # noqa: B006 - Cyclopts reads the default and never writes to it
    config: Annotated[Path | None, Parameter(name="--settings", help="a YAML file of parameters")] = None,
    model: Annotated[str | None, Parameter(help="language model: local:smollm2, http://host/v1#name, openai:name …")] = None,
    seed: int = 1,
    runs: Annotated[int, Parameter(help="pilot runs on the scripted model")] = 5,
    ask: Annotated[bool, Parameter(help="ask the real model one question of each kind, for its tokens, price and speed")] = True,
    call_timeout: Annotated[float, Parameter(help="seconds after which a call is given up and tried again")] = 120.0,
    json: Annotated[bool, Parameter(negative=(), help="machine-readable output")] = False,
) -> int:
    """Calls, tokens, money and time of one run, each with a 95 % interval."""
    scenario = configured(slug, settings, config, model)
    pilot, costs = asyncio.run(piloted(scenario, seed, runs, Options(timeout=call_timeout) if ask else None))
    found = forecast_of(pilot, costs)
    if json:
        totals = {name: {"mean": one.mean, "low": one.low, "high": one.high} for name, one in found.totals.items()}
        emit_json(finite({"scenario": slug, "model": scenario.model, "pilot_runs": runs, "asked": costs is not None, "totals": totals}))
        return 0
    show(scenario, found)
    if pilot.early:
        say(f"some pilots ended early: the upper bounds are those of a run that lasts all {pilot.horizon} ticks", style="yellow")
    say(f"pilots had {min(pilot.ticks)} to {max(pilot.ticks)} ticks; a real run may end sooner or later")
    return 0
