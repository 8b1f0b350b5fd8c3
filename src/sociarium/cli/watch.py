"""What a person sees of a run: what is said as it is said, a progress bar, and a table at the end."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any

import numpy as np
from cyclopts import Parameter
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from sociarium.cli.console import console, number, say, show_table
from sociarium.kernel.errors import UsageError
from sociarium.kernel.ledger import Reported
from sociarium.kernel.records import TickRecord
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.world import Clock
from sociarium.lab.running import Finished, Options
from sociarium.lab.scenario import Scenario
from sociarium.lab.statistics import mean_interval
from sociarium.models.backend import Backend
from sociarium.models.budget import BudgetLimits

COUNTED = (
    "calls", "replayed", "cached", "shared", "prompt_tokens", "cached_tokens", "completion_tokens", "reasoning_tokens", "money_microdollars"
)  # fmt: skip
FEW_ROWS = 12  # events of one batch that are shown one by one


@dataclass
class BudgetFlags:
    """Budgets: none is ever exceeded; a run that meets one pauses and can be resumed with a larger one. Each run has its own."""

    max_calls: Annotated[int | None, Parameter(help="model calls of one run at the most")] = None
    max_tokens: Annotated[int | None, Parameter(help="tokens of one run at the most, read and generated")] = None
    max_dollars: Annotated[float | None, Parameter(help="US dollars of one run at the most")] = None
    max_minutes: Annotated[float | None, Parameter(help="minutes at the most: stops a run, never changes it")] = None

    def limits(self) -> BudgetLimits:
        if self.max_dollars is not None and not math.isfinite(self.max_dollars):
            raise UsageError(f"--max-dollars is {self.max_dollars:g}; it must be a number of dollars (none: no limit)")
        money = None if self.max_dollars is None else round(self.max_dollars * 1_000_000)
        seconds = None if self.max_minutes is None else self.max_minutes * 60
        return BudgetLimits(calls=self.max_calls, tokens=self.max_tokens, money=money, seconds=seconds)


@dataclass
class CallFlags(BudgetFlags):
    """Budgets, and how models are called: what a reply is does not change with it, but a call that is given up has none."""

    call_timeout: Annotated[float, Parameter(help="seconds after which a call is given up and tried again")] = 120.0
    at_once: Annotated[int | None, Parameter(help="calls in flight to one model at the most, over all runs (none: what it can take)")] = (
        None
    )

    def limits(self) -> BudgetLimits:
        if not 0 < self.call_timeout < math.inf:
            raise UsageError(f"--call-timeout is {self.call_timeout:g}; a call needs a number of seconds above 0")
        if self.at_once is not None and self.at_once < 1:
            raise UsageError(f"--at-once is {self.at_once}; it must be at least 1")
        return super().limits()


class Watcher:
    """Prints the events that a scenario calls worth showing, above a progress bar of ticks."""

    def __init__(self, scenario: Scenario | None, *, quiet: bool, several: bool, calls: CallFlags | None = None) -> None:
        self.scenario = scenario
        self.calls = calls or CallFlags()
        self.quiet = quiet
        self.several = several
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=quiet or not console.is_terminal,
            transient=True,
        )
        self.tasks: dict[int, TaskID] = {}
        self.names: dict[int, Callable[[int], str]] = {}
        self.clocks: dict[int, Clock] = {}

    def __enter__(self) -> Watcher:
        self.progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.progress.stop()

    def announce(self, seeds: list[int], folder: Path) -> None:
        if self.quiet or self.scenario is None:
            return
        who = self.scenario.model or "rule minds"
        many = f"seeds {seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else f"seed {seeds[0]}"
        say(f"{self.scenario.slug}: {self.scenario.title}", style="bold")
        say(f"minds: {who}; {many}; record: {folder}", style="dim")

    def options(self, seed: int, limits: BudgetLimits, backends: dict[str, Backend]) -> Options:
        return Options(
            budget=limits,
            backends=backends,
            timeout=self.calls.call_timeout,
            concurrency=self.calls.at_once,
            handle_signals=True,
            on_tick=[lambda record: self.ticked(seed, record)],
            on_events=[lambda piece: self.happened(seed, piece)],
            on_built=[lambda scenario, simulation: self.built(seed, scenario, simulation)],
        )

    def built(self, seed: int, scenario: Scenario, simulation: Simulation) -> None:
        self.scenario = scenario
        population = simulation.world.population

        def name(agent: int) -> str:
            table = population[population.kind_of(agent)]
            return str(table["name"][int(population.row_of(np.array([agent]))[0])]) if "name" in table else f"agent {agent}"

        self.names[seed] = name
        self.clocks[seed] = simulation.world.clock
        self.tasks[seed] = self.progress.add_task(f"seed {seed}" if self.several else "ticks", total=scenario.total_ticks())

    def ticked(self, seed: int, record: TickRecord) -> None:
        if seed in self.tasks:
            self.progress.update(self.tasks[seed], completed=record.tick + 1)

    def happened(self, seed: int, piece: Reported) -> None:
        if self.quiet or self.scenario is None or piece.kind not in self.scenario.progress:
            return
        for row in range(min(len(piece.events), FEW_ROWS)):
            actor = int(piece.events.actors[row])
            data = {name: column[row] for name, column in piece.events.data.items() if name not in piece.events.private}
            name = self.names[seed](actor) if actor >= 0 else "world"
            line = self.scenario.told(
                piece.kind, {"actor": actor, "name": name, "group": int(piece.groups[row]), "tick": self.clocks[seed].tick, **data}
            )
            if line:
                say(f"[{seed}] {line}" if self.several else line)


def summarise(scenario: Scenario, finished: list[Finished]) -> None:
    """The headline measures with intervals over replicates (or groups), and how the agent-turns ended."""
    rows: list[tuple[object, ...]] = []
    for name in scenario.summed_up():
        found = [np.asarray(f.last.measures[name], np.float64) for f in finished if f.last and name in f.last.measures]
        found = [one[~np.isnan(one)] for one in found]
        if len(finished) > 1:  # a replicate is one observation, however many worlds it has side by side
            found = [one.mean(keepdims=True) for one in found if len(one)]
        values = np.concatenate(found) if found else np.empty(0)
        values = values[~np.isnan(values)]
        if len(values) == 0:
            rows.append((name, "–", "–", 0))
        elif len(values) == 1:
            rows.append((name, number(float(values[0])), "one run: no interval", 1))
        else:
            interval = mean_interval(values)
            rows.append((name, number(interval.estimate), f"{number(interval.low)} to {number(interval.high)}", len(values)))
    show_table("what came of it", ["measure", "mean", "95 % interval", "runs" if len(finished) > 1 else "worlds"], rows, numbers=[1, 3])
    turns: dict[str, int] = {}
    for one in finished:
        for status, count in one.summary.turns.items():
            turns[status] = turns.get(status, 0) + count
    total = sum(turns.values())
    shares = ", ".join(f"{status} {count / total:.1%}" for status, count in sorted(turns.items(), key=lambda item: -item[1]))
    fallbacks = sum(one.summary.fallbacks for one in finished)
    say(f"agent-turns: {total:,} ({shares}); a fallback stood in for {fallbacks:,}")
    for reason, count in _reasons(finished)[:3]:
        say(f"  {count:,} times: {reason}", style="yellow")
    for reason in sorted({one.summary.invalid for one in finished if one.summary.invalid}):
        say(f"INVALID: {reason}", style="bold red")
    for line in (*cost_lines(finished), *forecast_lines(finished)):
        say(line)
    if len(finished) == 1 and len(scenario.headline) and finished[0].last is not None and len(finished[0].last.ended) < 2:
        say("one run is not a result: --replicates 20 gives intervals", style="dim")


def forecast_lines(finished: list[Finished]) -> list[str]:
    """What was forecast of these runs, beside what came."""
    lines: list[str] = []
    for name in ("calls", "prompt_tokens", "completion_tokens", "money"):
        told = [one.summary.forecast[name] for one in finished if name in one.summary.forecast]
        if told:
            scale, digits = (1e6, 4) if name == "money" else (1.0, 0)
            actual = sum(one["actual"] for one in told) / len(told) / scale
            bounds = f"{told[0]['low'] / scale:,.{digits}f} to {told[0]['high'] / scale:,.{digits}f}"
            inside = sum(one["inside"] for one in told)
            held = f"inside in {inside} of {len(told)} runs" if len(told) > 1 else ("inside" if inside else "outside")
            what = "US dollars" if name == "money" else name.replace("_", " ")
            lines.append(f"forecast: {told[0]['mean'] / scale:,.{digits}f} {what} ({bounds}); it took {actual:,.{digits}f}, {held}")
    return lines


def unanswered(finished: list[Finished]) -> str | None:
    """Why no question to a model was answered in these runs, or no agent-turn ended well; None where one was and did."""
    asked = any(one.summary.models.get("calls", 0) for one in finished)
    if not asked or any(one.summary.good_share > 0 and not _all_lost(one.summary.models) for one in finished):
        return None
    reasons = _reasons(finished)
    return reasons[0][0] if reasons else "no reason was given"


def _all_lost(models: Mapping[str, Any]) -> bool:
    """Whether every question ended without an answer. Agents that had nothing to ask have good turns all the same."""
    ends = {status for counts in models.get("outcomes", {}).values() for status in counts}
    return bool(ends) and ends <= {"failed", "timed_out"}


def _reasons(finished: list[Finished]) -> list[tuple[str, int]]:
    total: dict[str, int] = {}
    for one in finished:
        for reason, count in one.summary.reasons.items():
            total[reason] = total.get(reason, 0) + count
    return sorted(total.items(), key=lambda item: -item[1])


def cost_lines(finished: list[Finished]) -> list[str]:
    """What the models did and cost."""
    used = [one.summary.models for one in finished if one.summary.models]
    if not used:
        return []
    total = {key: sum(one.get(key, 0) for one in used) for key in COUNTED}
    inexact = sorted({name for one in used for name in one.get("inexact", [])})
    reused = total["cached_tokens"] / total["prompt_tokens"] if total["prompt_tokens"] else 0.0
    return [
        f"model: {total['calls']:,} calls ({total['shared']:,} more shared, {total['cached']:,} more from the record)"
        + (f"; {total['replayed']:,} replies of before were not asked again" if total["replayed"] else ""),
        f"tokens: {total['prompt_tokens']:,} read ({reused:.0%} of them reused), {total['completion_tokens']:,} generated"
        + (f" ({total['reasoning_tokens']:,} of them in thought)" if total["reasoning_tokens"] else "")
        + f"; cost ${total['money_microdollars'] / 1e6:.4f}",
        *([f"not exact: {', '.join(inexact)}; the same run anew may get other replies, its replay gets these"] if inexact else []),
    ]
