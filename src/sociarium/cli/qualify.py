"""qualify MODEL: is a model a fit sampler of people?"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from sociarium.cli import watch
from sociarium.cli.console import emit_json, say, show_table
from sociarium.cli.run import fresh
from sociarium.kernel.errors import BudgetSpent, Interrupted, SociariumError
from sociarium.lab.documents import finite
from sociarium.lab.qualification.qualify import REPORT, Qualification, qualify
from sociarium.models.budget import BudgetLimits
from sociarium.models.opening import ready


def qualify_model(
    model: str,
    *,
    out: Annotated[Path | None, Parameter(help="folder of journal, report and picture; one that was stopped is gone on with")] = None,
    quick: Annotated[bool, Parameter(negative=(), help="a third of the sampled answers: wider intervals, in minutes")] = False,
    seed: int = 1,
    budget: Annotated[watch.BudgetFlags | None, Parameter(name="*")] = None,
    json: Annotated[bool, Parameter(negative=(), help="machine-readable output")] = False,
) -> int:
    """Measure a model as a sampler of people. Ends with 0 where nothing that is judged fails, else with 1."""
    folder = out or fresh(Path("runs"), "qualify-" + re.sub(r"[^A-Za-z0-9.-]+", "-", model).strip("-"))
    limits = (budget or watch.BudgetFlags()).limits()
    try:
        done = asyncio.run(_qualified(model, folder, seed, quick, limits))
    except (Interrupted, BudgetSpent, KeyboardInterrupt) as stopped:
        if not json:
            say(f"paused; go on with the same command and --out {folder}", style="yellow")
        raise stopped if isinstance(stopped, SociariumError) else Interrupted("stopped") from None
    drawn = _drawn(done, folder)
    if json:
        emit_json(finite({**done.plain(), "folder": str(folder), "plot": None if drawn is None else str(drawn)}))
    else:
        _shown(done, drawn)
    return 0 if done.fit else 1


async def _qualified(model: str, folder: Path, seed: int, quick: bool, limits: BudgetLimits) -> Qualification:
    backend = await ready(model)
    try:
        return await qualify(backend, folder, seed=seed, quick=quick, budget=limits)
    finally:
        await backend.close()


def _drawn(done: Qualification, folder: Path) -> Path | None:
    from sociarium.lab.qualification.picture import draw

    try:
        return draw(done, folder / "qualification.png")
    except ModuleNotFoundError as missing:
        say(f"no plot: {missing.name} is not installed (pip install 'sociarium[plot]')", style="dim")
        return None


def _shown(done: Qualification, drawn: Path | None) -> None:
    rows = [
        (row.name, row.interval.estimate, f"{row.interval.low:.2f} to {row.interval.high:.2f}", row.rule, row.verdict, row.note)
        if row.interval.estimate == row.interval.estimate
        else (row.name, "–", "–", row.rule, row.verdict, row.note)
        for row in done.findings
    ]
    show_table(
        f"{done.model} as a sampler of people", ["finding", "estimate", "95 % interval", "wanted", "verdict", "about"], rows,
        numbers=[1], folds=[5],
    )  # fmt: skip
    speed = done.speed
    rate = speed["generated_tokens_a_second"]
    say(
        f"{speed['calls']} calls, {speed['prompt_tokens']:,} tokens read and {speed['completion_tokens']:,} generated"
        + (f" ({rate:.0f} a second of a call)" if rate else "")
        + f", ${speed['dollars']:.4f}; seconds a call: "
        + (", ".join(f"{name} {value:.2f}" for name, value in speed["latency_seconds"].items()) or "none asked now")
    )
    failing = [row.name for row in done.findings if row.verdict == "fails"]
    say("fit: nothing that is judged fails" if done.fit else f"not fit: {', '.join(failing)}", style="green" if done.fit else "red")
    say(f"report  {done.folder / REPORT}" + ("" if drawn is None else f"\nplot    {drawn}"))
