"""run, resume, replay, branch: start a run or go on with one, watched as it happens."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from sociarium.cli import forecasts, watch
from sociarium.cli.console import complain, emit_json, say
from sociarium.kernel.errors import BudgetSpent, Interrupted, ModelError, SociariumError, UsageError
from sociarium.kernel.protocols import Lease
from sociarium.lab import running
from sociarium.lab.documents import finite
from sociarium.lab.running import Finished, Options
from sociarium.lab.scenario import Scenario, parse_settings, read_settings
from sociarium.models.budget import BudgetLimits
from sociarium.models.forecast import Forecast
from sociarium.record.run import RunRecord
from sociarium.scenarios import catalogue

FLAGS = {"calls": "--max-calls", "tokens": "--max-tokens", "money": "--max-dollars"}  # what is raised; time is counted anew
Settings = Annotated[list[str], Parameter(name="--set", negative=(), help="a parameter, as name=value; may be repeated")]


@dataclass
class Shown:
    """How much is shown."""

    quiet: Annotated[bool, Parameter(negative=(), help="only what came of it, not the run as it goes on")] = False
    json: Annotated[bool, Parameter(negative=(), help="machine-readable output")] = False


@dataclass
class ShownBefore(Shown):
    """And what is said before."""

    forecast: Annotated[
        bool, Parameter(negative=(), help="say before what it will cost, and after how far that was off; its questions count as spent")
    ] = False


Output = Annotated[Shown | None, Parameter(name="*")]


def run(
    slug: str,
    *,
    settings: Settings = [],  # noqa: B006 - Cyclopts reads the default and never writes to it
    config: Annotated[Path | None, Parameter(name="--settings", help="a YAML file of parameters")] = None,
    model: Annotated[str | None, Parameter(help="language model: local:smollm2, http://host/v1#name, openai:name …")] = None,
    seed: int = 1,
    replicates: Annotated[int, Parameter(help="runs with seeds seed, seed+1, …: one run is not a result")] = 1,
    out: Annotated[Path | None, Parameter(help="folder of the record (default: runs/SLUG-seed)")] = None,
    budget: Annotated[watch.CallFlags | None, Parameter(name="*")] = None,
    shown: Annotated[ShownBefore | None, Parameter(name="*")] = None,
) -> int:
    """Run a scenario, record it, and say what came of it."""
    if replicates < 1:
        raise UsageError(f"--replicates is {replicates}; it must be at least 1")
    shown = shown or ShownBefore()
    scenario = configured(slug, settings, config, model)
    folder = out or fresh(Path("runs"), f"{slug}-seed{seed}")
    seeds = list(range(seed, seed + replicates))
    folders = [folder] if replicates == 1 else [folder / f"seed-{number}" for number in seeds]
    limits = (budget or watch.CallFlags()).limits()
    watcher = watch.Watcher(scenario, quiet=shown.json or shown.quiet, several=replicates > 1, calls=budget)
    asking = watcher.options(seed, limits, {})
    made = asyncio.run(forecasts.made(scenario, seed, asking)) if shown.forecast else None
    if made is not None and not (shown.json or shown.quiet):
        forecasts.show(scenario, made)
    finished = _watched(lambda: _all(scenario, seeds, folders, watcher, limits, made, asking.spent), watcher, folders)
    if shown.json:
        emit_json(finite({"scenario": slug, "runs": [_plain(f) for f in finished]}))
        return _verdict(finished)
    watch.summarise(scenario, finished)
    if (drawn := _plotted(scenario, folder, folder / "plot.png")) is not None:
        say(f"plot    {drawn}")
    say(f"record  {folder}   (sociarium show {shlex.quote(str(folders[0]))})")
    return _verdict(finished)


def resume(
    run: Path,
    *,
    budget: Annotated[watch.CallFlags | None, Parameter(name="*")] = None,
    shown: Output = None,
) -> int:
    """Go on with a run that was stopped or killed: nothing that was paid for is asked again. A finished run stays as it is."""
    if _finished(run) and not (shown and shown.json):
        say(f"{run} is finished: nothing is left to do", style="green")
    limits = (budget or watch.CallFlags()).limits()
    return _one(run, lambda options: running.resume(run, catalogue.scenario, options), shown, limits, calls=budget)


def replay(run: Path, *, shown: Output = None) -> int:
    """Run a record again with no model and no network, and check that every tick ends in the same digest."""
    code = _one(run, lambda options: running.replay(run, catalogue.scenario, options), shown, BudgetLimits(), summary=False)
    if not (shown and shown.json):
        say("replayed to the same digest, with no call", style="green")
    return code


def branch(
    run: Path,
    *,
    at: Annotated[int, Parameter(help="the first tick that is played anew")],
    settings: Settings = [],  # noqa: B006
    out: Annotated[Path | None, Parameter(help="folder of the new record")] = None,
    budget: Annotated[watch.CallFlags | None, Parameter(name="*")] = None,
    shown: Output = None,
) -> int:
    """A new run that shares the first ticks of another and goes on with other parameters. Only what changed is asked."""
    target = out or fresh(run.parent, f"{run.name}-branch{at}")
    limits = (budget or watch.CallFlags()).limits()
    pairs = parse_settings(settings)
    return _one(target, lambda options: running.branch(run, target, at, pairs, catalogue.scenario, options), shown, limits, calls=budget)


def configured(slug: str, settings: list[str], config: Path | None, model: str | None) -> Scenario:
    """A scenario from what the command line gives."""
    given: dict[str, Any] = {**(read_settings(config) if config else {}), **parse_settings(settings)}
    if model is not None:
        given["model"] = model
    return catalogue.scenario(slug).of(given)


def fresh(parent: Path, name: str) -> Path:
    """A folder that is not there yet: name, name-2, name-3 …"""
    number, folder = 1, parent / name
    while folder.exists():
        number += 1
        folder = parent / f"{name}-{number}"
    return folder


async def _all(
    scenario: Scenario,
    seeds: list[int],
    folders: list[Path],
    watcher: watch.Watcher,
    limits: BudgetLimits,
    made: Forecast | None,
    spent: Lease,
) -> list[Finished]:
    """All replicates at the same time, on the same models."""
    shared = Options(budget=limits, limiters={})
    try:
        await running.opened(scenario, shared)
        watcher.announce(seeds, folders[0] if len(folders) == 1 else folders[0].parent)
        runs: list[Awaitable[Finished]] = []
        for seed, folder in zip(seeds, folders, strict=True):
            options = watcher.options(seed, limits, shared.backends)
            options.forecast, options.limiters = made, shared.limiters
            options.spent, spent = spent, Lease()  # of the first: it was asked once
            runs.append(running.start(scenario, seed, folder, options))
        return await together(runs)
    finally:
        await shared.close()


async def together(runs: Sequence[Awaitable[Finished]]) -> list[Finished]:
    """Let all end, then raise the first error."""
    ended = await asyncio.gather(*runs, return_exceptions=True)
    for one in ended:
        if isinstance(one, BaseException):
            raise one
    return [one for one in ended if isinstance(one, Finished)]


def _one(
    folder: Path, go: Callable[[Options], Awaitable[Finished]], shown: Shown | None, limits: BudgetLimits, summary: bool = True, *,
    calls: watch.CallFlags | None = None,
) -> int:  # fmt: skip
    shown = shown or Shown()
    watcher = watch.Watcher(None, quiet=shown.json or shown.quiet, several=False, calls=calls)

    async def all_of_it() -> list[Finished]:
        options = watcher.options(0, limits, {})
        try:
            return [await go(options)]
        finally:
            await options.close()

    finished = _watched(all_of_it, watcher, [folder])
    if shown.json:
        emit_json(finite(_plain(finished[0])))
    elif summary:
        watch.summarise(finished[0].scenario, finished)
        say(f"record  {folder}   (sociarium show {shlex.quote(str(folder))})")
    return _verdict(finished)


def _watched(go: Callable[[], Awaitable[list[Finished]]], watcher: watch.Watcher, folders: list[Path]) -> list[Finished]:
    try:
        with watcher:
            return asyncio.run(_awaited(go))
    except (Interrupted, BudgetSpent, KeyboardInterrupt) as stopped:
        more = f" {FLAGS[stopped.limit]} MORE" if isinstance(stopped, BudgetSpent) and stopped.limit in FLAGS else ""
        for folder in folders:
            if (folder / "run.sqlite").exists():
                say(f"paused; go on with: sociarium resume {shlex.quote(str(folder))}{more}", style="yellow")
        raise stopped if isinstance(stopped, SociariumError) else Interrupted("stopped") from None


async def _awaited(go: Callable[[], Awaitable[list[Finished]]]) -> list[Finished]:
    return await go()


def _plotted(scenario: Scenario, folder: Path, target: Path) -> Path | None:
    try:
        return scenario.plot(folder, target)
    except ModuleNotFoundError as missing:
        say(f"no plot: {missing.name} is not installed (pip install 'sociarium[plot]')", style="dim")
        return None


def _finished(folder: Path) -> bool:
    with RunRecord.open(folder, mode="read") as record:
        return record.get("status") == "finished"


def _verdict(finished: list[Finished]) -> int:
    """A run in which the model answered nobody is kept, but it is no result."""
    if (reason := watch.unanswered(finished)) is None:
        return 0
    complain(f"the model gave no usable answer to any agent: {reason}")
    return ModelError.exit_code


def _plain(finished: Finished) -> dict[str, Any]:
    return {"folder": str(finished.folder), "digest": finished.digest, "seed": finished.seed, **finished.summary.plain()}
