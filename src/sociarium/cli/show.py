"""show RUN: what a record holds, without running anything."""

from __future__ import annotations

import json as encoding
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from sociarium.cli.console import emit_json, number, one_run, say, show_table
from sociarium.kernel.errors import SociariumError, UsageError
from sociarium.lab import running
from sociarium.lab.documents import finite
from sociarium.lab.scenario import Scenario
from sociarium.scenarios import catalogue

Json = Annotated[bool, Parameter(negative=(), help="machine-readable output")]


def show(
    run: Path,
    *,
    events: Annotated[str | None, Parameter(help="rows of this event kind, or 'all' for the kinds there are")] = None,
    calls: Annotated[bool, Parameter(negative=(), help="the model calls, in order")] = False,
    sql: Annotated[str | None, Parameter(help="a query over ticks, events, calls, measures, outcomes, refusals")] = None,
    rows: Annotated[int, Parameter(help="how many rows at the most")] = 20,
    plot: Annotated[Path | None, Parameter(help="draw the run into this PNG file")] = None,
    replay: Annotated[Path | None, Parameter(help="write a page to step through the run into this HTML file")] = None,
    json: Json = False,
) -> int:
    """The manifest, outcome shares, measures by tick, and where asked events, calls or a query."""
    from sociarium.record.frames import frames

    if rows < 1:
        raise UsageError(f"--rows is {rows}; it must be at least 1")
    if plot is not None and plot.suffix not in (".png", ".svg", ".pdf"):
        raise UsageError(f"{plot} must end in .png, .svg or .pdf")
    if replay is not None and replay.suffix != ".html":
        raise UsageError(f"{replay} must end in .html")
    held = _held(one_run(run))
    tables = frames(run)
    try:
        if sql is not None:
            return _table("", tables.sql(sql), rows, json)
        if events == "all":
            return _table("event kinds", _kinds(tables), rows, json)
        if events is not None:
            if events not in tables.kinds():
                raise UsageError(f"the run holds no events {events!r}; it holds {', '.join(tables.kinds()) or 'none'}")
            return _table(events, tables.events(events).head(rows).collect(), rows, json)
        if calls:
            return _table("calls", tables.calls() if json else _calls(tables.calls()), rows, json)
        measures = tables.measures()
        if json:
            emit_json(finite({**held, "measures": measures.to_dicts()}))
            return 0
        _overview(run, held)
        columns, lines = _by_tick(measures, held["scenario"])
        show_table("measures by tick (mean over groups)", columns, _thinned(lines, rows), numbers=range(len(columns)))
        if len(lines) > rows:
            say(f"{rows} of {len(lines):,} ticks (--rows N shows more)", style="dim")
    finally:
        tables.close()
    if plot is not None:
        plot.parent.mkdir(parents=True, exist_ok=True)
        drawn = _scenario(held).plot(run, plot)
        say(f"plot    {drawn}" if drawn else "this scenario has no picture")
    if replay is not None:
        page = _scenario(held).replay(run, replay)
        say(f"replay  {page}" if page else "this scenario has no page to step through")
    return 0


def _held(run: Path) -> dict[str, Any]:
    from sociarium.record.run import RunRecord

    record = RunRecord.open(run, mode="read")
    try:
        summary = record.get("summary")
        return {
            "scenario": record.manifest.get("scenario"),
            "status": record.get("status"),
            "ticks": record.committed(),
            "digest": record.digest(),
            "manifest": record.manifest,
            "summary": encoding.loads(summary) if summary else None,
        }
    finally:
        record.close()


def _overview(run: Path, held: dict[str, Any]) -> None:
    manifest = held["manifest"]
    say(f"{held['scenario']}, seed {manifest.get('seed')}: {held['status']} after {held['ticks']} ticks", style="bold")
    models = {route: f"{m['spec']} ({str(m['facts']['digest'])[:12]})" for route, m in manifest.get("models", {}).items()}
    say(f"models  {', '.join(f'{route}: {name}' for route, name in models.items()) or 'none: rule minds'}")
    say(f"digest  {held['digest']}")
    say(f"record  {run}")
    changed = {k: v for k, v in manifest.get("parameters", {}).items() if v != _default(held["scenario"], k)}
    say(f"set     {', '.join(f'{k}={v}' for k, v in changed.items()) or 'nothing: all parameters at their defaults'}")
    if (summary := held["summary"]) is not None:
        total = sum(summary["agent_turns"].values())
        shares = ", ".join(f"{status} {count / total:.1%}" for status, count in summary["agent_turns"].items()) if total else "none"
        say(f"turns   {total:,} ({shares}); a fallback stood in for {summary['fallbacks']:,}")
        if summary.get("invalid"):
            say(f"INVALID {summary['invalid']}", style="bold red")
        if used := summary["models"]:
            reused = used["cached_tokens"] / used["prompt_tokens"] if used["prompt_tokens"] else 0.0
            told = f"{used['prompt_tokens']:,} prompt tokens ({reused:.0%} of them reused), {used['completion_tokens']:,} generated"
            say(f"calls   {used['calls']:,}; {told}; cost ${used['money_microdollars'] / 1e6:.4f}")
        for reason, count in list(summary.get("reasons", {}).items())[:3]:
            say(f"why     {count:,} times: {reason}", style="yellow")
    elif held["status"] != "finished":
        say(f"go on with: sociarium resume {run}", style="yellow")


def _scenario(held: dict[str, Any]) -> Scenario:
    return running.of_manifest(held["manifest"], catalogue.scenario)[0]


def _default(slug: str, name: str) -> Any:
    try:
        field = catalogue.scenario(slug).model_fields.get(name)
    except SociariumError:
        return None
    return None if field is None else field.get_default(call_default_factory=True)


def _by_tick(measures: Any, slug: str) -> tuple[list[str], list[list[object]]]:
    """Columns and rows: the headline measures, one row a tick."""
    try:
        wanted = list(catalogue.scenario(slug).headline)
    except SociariumError:
        wanted = []
    table: dict[int, dict[str, list[float]]] = {}
    for row in measures.iter_rows(named=True):
        if row["value"] is not None and row["value"] == row["value"]:
            table.setdefault(int(row["tick"]), {}).setdefault(str(row["name"]), []).append(float(row["value"]))
    names = wanted or sorted({name for columns in table.values() for name in columns})[:8]
    rows: list[list[object]] = [[tick, *(number(_mean(columns.get(name))) for name in names)] for tick, columns in sorted(table.items())]
    return ["tick", *_short(names)], rows


def _short(names: list[str]) -> list[str]:
    """Measures without the name of their environment, where that leaves them apart."""
    ends = [name.rpartition(".")[2] for name in names]
    return ends if len(set(ends)) == len(ends) else names


def _thinned(rows: list[list[object]], most: int) -> list[list[object]]:
    """At most so many rows, evenly spread, with the first and the last."""
    if len(rows) <= most or most < 2:
        return rows[:most]
    return [rows[round(at * (len(rows) - 1) / (most - 1))] for at in range(most)]


def _mean(values: list[float] | None) -> float | None:
    return sum(values) / len(values) if values else None


def _calls(frame: Any) -> Any:
    """What a person looks for in a call; ``--json`` has all of it."""
    import polars as pl

    tokens = pl.format("{}+{}", "prompt_tokens", "completion_tokens").alias("tokens")
    reply = pl.when(pl.col("error") != "").then(pl.col("error")).otherwise(pl.col("text")).alias("reply")
    return frame.select("tick", "asker", "label", "status", "source", tokens, reply)


def _kinds(tables: Any) -> Any:
    import polars as pl

    kinds = tables.kinds()
    return pl.DataFrame({"kind": kinds, "rows": [tables.events(kind).select(pl.len()).collect().item() for kind in kinds]})


def _table(title: str, frame: Any, rows: int, json: bool) -> int:
    if json:
        emit_json(finite(frame.to_dicts()))
        return 0
    texts = [at for at, kind in enumerate(frame.dtypes) if str(kind) == "String"]
    numbers = [at for at, kind in enumerate(frame.dtypes) if kind.is_numeric()]
    show_table(title, frame.columns, frame.head(rows).iter_rows(), numbers=numbers, folds=texts[-1:])
    if frame.height > rows:
        say(f"{frame.height - rows:,} more rows (--rows N shows more)", style="dim")
    return 0
