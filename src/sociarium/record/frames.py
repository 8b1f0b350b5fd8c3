"""A run as Polars frames and SQL over them. Reading needs no lock and sees committed ticks only.

A run folder may come from a stranger: nothing in it is executed, files are opened only where they lie inside the folder, and
values have a bounded size.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, cast

import numpy as np

from sociarium.kernel.errors import RecordError, UsageError
from sociarium.kernel.outcomes import STATUS_NAMES
from sociarium.record.columns import columns_of
from sociarium.record.connection import connect_reader, reading
from sociarium.record.files import inside
from sociarium.record.journal import failed_attempts, reasoning_tokens
from sociarium.record.parts import FIXED, OWN
from sociarium.record.snapshots import load_state
from sociarium.record.ticks import load_measure

if TYPE_CHECKING:
    import polars as pl

TABLES = ("agents", "events", "calls", "measures", "outcomes", "outcome_rows", "refusals", "ticks")
FILE_FUNCTION = re.compile(r"\b(read|scan)_\w+\s*\(", re.IGNORECASE)


P = ParamSpec("P")
T = TypeVar("T")


def _reads(method: Callable[Concatenate[Frames, P], T]) -> Callable[Concatenate[Frames, P], T]:
    """What a damaged run leads to is one RecordError."""

    @wraps(method)
    def guarded(self: Frames, /, *args: P.args, **kwargs: P.kwargs) -> T:
        with reading(self.folder):
            return method(self, *args, **kwargs)

    return guarded


def frames(folder: Path) -> Frames:
    """The frames of a run. Raises RecordError where the folder holds none."""
    return Frames(folder)


class Frames:
    """Each method reads what it needs when it is called."""

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self._reader = connect_reader(self.folder)

    def close(self) -> None:
        self._reader.close()

    @_reads
    def kinds(self) -> list[str]:
        """Kinds of events that are kept whole."""
        return [str(kind) for (kind,) in self._reader.execute("SELECT DISTINCT kind FROM batches ORDER BY kind")]

    @_reads
    def ticks(self) -> pl.DataFrame:
        """One row a tick: tick, time and until (microseconds), called, digest."""
        rows = self._reader.execute("SELECT tick, time, until, called, digest FROM ticks ORDER BY tick").fetchall()
        return _frame(rows, {"tick": int, "time": int, "until": int, "called": bool, "digest": str})

    @_reads
    def events(self, kind: str | None = None) -> pl.LazyFrame:
        """One row an event. With a kind: its own columns, typed; without: they are JSON text in ``data``."""
        import polars as pl

        if kind is None:
            found = [self._with_json(name) for name in self.kinds()]
            return pl.concat(found).sort("tick", "id") if found else _frame([], _EVENT_SCHEMA).lazy()
        if kind not in self.kinds():
            raise UsageError(f"The run in {self.folder} keeps no events {kind!r}. It keeps: {', '.join(self.kinds()) or 'none'}.")
        return self._of_kind(kind).sort("tick", "id")

    @_reads
    def calls(self) -> pl.DataFrame:
        """One row a journalled reply: its address, key, source, status, text, tokens, money (millionths of a dollar), seconds."""
        query = (
            "SELECT tick, phase, lane, turn, asker, label, number, repair, key, source, reply, calls, prompt_tokens, cached_tokens,"
            " completion_tokens, money, seconds, attempts FROM journal ORDER BY tick, phase, lane, turn, asker, label, number, repair"
        )
        rows: list[tuple[Any, ...]] = []
        for row in self._reader.execute(query):
            reply = json.loads(row[10])
            words = (str(reply.get("status", "")), str(reply.get("text", "")), str(reply.get("error", "")))
            attempts = json.loads(row[17])
            rows.append((*row[:10], *words, *row[11:17], reasoning_tokens(attempts), failed_attempts(attempts)))
        address = {"tick": int, "phase": str, "lane": int, "turn": int, "asker": str, "label": str, "number": int, "repair": int}
        spent = {"calls": int, "prompt_tokens": int, "cached_tokens": int, "completion_tokens": int, "money": int, "seconds": float}
        words = {"key": str, "source": str, "status": str, "text": str, "error": str}
        return _frame(rows, {**address, **words, **spent, "reasoning_tokens": int, "attempts": int})

    @_reads
    def measures(self) -> pl.DataFrame:
        """One row a tick, measure and group: tick, name, group, value (text measures: in ``text``)."""
        import polars as pl

        found: list[pl.DataFrame] = []
        for tick, name, dtype, shape, data in self._reader.execute(
            "SELECT tick, name, dtype, shape, data FROM measures ORDER BY tick, place"
        ):
            values = load_measure(dtype, shape, data).ravel()
            text = dtype == "str"
            number = np.full(len(values), np.nan) if text else values.astype(np.float64)
            words = pl.Series(values.tolist() if text else [None] * len(values), dtype=pl.String)
            columns = {"tick": np.full(len(values), tick), "group": np.arange(len(values)), "value": number, "text": words}
            found.append(pl.DataFrame(columns).insert_column(1, pl.Series("name", [name] * len(values), dtype=pl.String)))
        return pl.concat(found) if found else _frame([], {"tick": int, "name": str, "group": int, "value": float, "text": str})

    @_reads
    def outcomes(self) -> pl.DataFrame:
        """One row a tick, phase, turn and status: how many agent-turns ended so."""
        rows: list[tuple[Any, ...]] = []
        for tick, phase, turn, counts in self._reader.execute("SELECT tick, phase, turn, counts FROM outcomes ORDER BY tick, batch"):
            rows += [(tick, phase, turn, str(name), int(count)) for name, count in json.loads(counts).items()]
        return _frame(rows, {"tick": int, "phase": str, "turn": int, "status": str, "count": int})

    @_reads
    def outcome_rows(self) -> pl.DataFrame:
        """One row an agent-turn that was kept: all that were not plainly ok, and those of recorded agents."""
        query = (
            "SELECT r.tick, o.phase, o.turn, r.agent, r.lane, r.status, r.fallback, r.reason FROM outcome_rows r"
            " JOIN outcomes o ON o.tick = r.tick AND o.batch = r.batch ORDER BY r.tick, r.batch, r.place"
        )
        found: list[tuple[Any, ...]] = self._reader.execute(query).fetchall()
        rows: list[tuple[Any, ...]] = [(*row[:5], STATUS_NAMES[int(row[5])], *row[6:]) for row in found]
        names = {"tick": int, "phase": str, "turn": int, "agent": int, "lane": int, "status": str, "fallback": bool, "reason": str}
        return _frame(rows, names)

    @_reads
    def refusals(self) -> pl.DataFrame:
        """One row an action that was not carried out, with what its agent was told."""
        rows = self._reader.execute("SELECT tick, phase, lane, turn, agent, action, reason FROM refusals ORDER BY tick, place").fetchall()
        return _frame(rows, {"tick": int, "phase": str, "lane": int, "turn": int, "agent": int, "action": str, "reason": str})

    @_reads
    def agents(self, tick: int | None = None, kind: str | None = None) -> pl.DataFrame:
        """One row an agent, from the last snapshot taken at or before ``tick`` ticks were done: kind, id and all columns."""
        import polars as pl

        limit = (1 << 62) if tick is None else tick
        row = self._reader.execute("SELECT * FROM snapshots WHERE ticks <= ? ORDER BY ticks DESC LIMIT 1", (limit,)).fetchone()
        if row is None:
            raise RecordError(f"The run in {self.folder} has no snapshot" + ("." if tick is None else f" at or before tick {tick}."))
        tables = _tables(load_state(self.folder, self._reader, row))
        found = [_agents(name, table) for name, table in tables.items() if kind in (None, name)]
        if not found:
            raise UsageError(f"The run in {self.folder} has no agents{'' if kind is None else f' of kind {kind!r}'}.")
        return pl.concat(found, how="diagonal_relaxed")

    @_reads
    def sql(self, query: str) -> pl.DataFrame:
        """SQL over the tables agents, events, calls, measures, outcomes, outcome_rows, refusals, ticks; events of one kind are
        a table under their kind, in double quotes. Files cannot be read."""
        import polars as pl

        if FILE_FUNCTION.search(query):
            raise UsageError("A query over a run reads its tables only, no files. They are: " + ", ".join(TABLES) + ".")
        context: Any = pl.SQLContext()
        for name in TABLES:
            if re.search(rf"\b{name}\b", query):
                context.register(name, getattr(self, name)())
        for kind in self.kinds():
            if f'"{kind}"' in query:
                context.register(kind, self.events(kind))
        try:
            return context.execute(query, eager=True)
        except pl.exceptions.PolarsError as error:
            raise UsageError(f"The query cannot be run: {error}. Tables: {', '.join(TABLES)}.") from error

    def _with_json(self, kind: str) -> pl.LazyFrame:
        import polars as pl

        frame = self._of_kind(kind)
        names = frame.collect_schema().names()
        own = [name for name in names if name not in _EVENT_SCHEMA]
        data = pl.struct(own).struct.json_encode() if own else pl.lit("{}")
        missing = [pl.lit(None, pl.List(pl.Int64)).alias("recipients")] if "recipients" not in names else []
        return frame.with_columns(data.alias("data"), *missing).select(list(_EVENT_SCHEMA))

    def _of_kind(self, kind: str) -> pl.LazyFrame:
        import polars as pl

        ticks = int(self._reader.execute("SELECT count(*) FROM ticks").fetchone()[0])
        found: list[pl.LazyFrame] = [self._rows_of(kind, columns) for columns in self._in_database(kind)]
        for (file,) in self._reader.execute("SELECT file FROM parts WHERE kind = ? ORDER BY id", (kind,)).fetchall():
            frame = pl.scan_parquet(inside(self.folder, str(file)), glob=False).filter(pl.col("tick") < ticks).drop("batch", "place")
            names = frame.collect_schema().names()
            renamed = {name: _own(name.removeprefix(OWN)) for name in names if name.startswith(OWN)}
            found.append(frame.rename(renamed).with_columns(pl.lit(kind).alias("kind")))
        return pl.concat(found, how="diagonal_relaxed")

    def _in_database(self, kind: str) -> list[str]:
        query = "SELECT DISTINCT columns FROM batches WHERE kind = ? AND part IS NULL"
        return [str(columns) for (columns,) in self._reader.execute(query, (kind,))]

    def _rows_of(self, kind: str, columns: str) -> pl.LazyFrame:
        import polars as pl

        query = (
            "SELECT e.tick, b.phase, b.kind, e.id, e.lane, e.turn, e.actor, e.recipients, e.data FROM events e JOIN batches b"
            " ON b.tick = e.tick AND b.batch = e.batch WHERE b.kind = ? AND b.columns = ? AND b.part IS NULL"
        )
        rows = self._reader.execute(query, (kind, columns)).fetchall()
        fixed = {"tick": int, "phase": str, "kind": str, "id": int, "lane": int, "turn": int, "actor": int}
        frame = _frame([row[:7] for row in rows], fixed)
        told = [None if row[7] is None else json.loads(row[7]) for row in rows]
        own = [pl.Series("recipients", told, dtype=pl.List(pl.Int64))]
        for name, values in columns_of([row[8] for row in rows], json.loads(columns)).items():
            own.append(_series(_own(name), values))
        return frame.with_columns(own).lazy()


_EVENT_SCHEMA: dict[str, type] = {
    "tick": int, "phase": str, "kind": str, "id": int, "lane": int, "turn": int, "actor": int, "recipients": list, "data": str,
}  # fmt: skip


def _own(name: str) -> str:
    """A kind's own column, renamed where it has the name of a column that every event has."""
    return f"own_{name}" if name in (*FIXED, "kind", "data") else name


def _frame(rows: list[Any], names: Mapping[str, type]) -> pl.DataFrame:
    import polars as pl

    types: dict[type, Any] = {int: pl.Int64, str: pl.String, float: pl.Float64, bool: pl.Boolean, list: pl.List(pl.Int64)}
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    series = [_cast(name, values, types[kind]) for (name, kind), values in zip(names.items(), columns, strict=True)]
    return pl.DataFrame(series)


def _cast(name: str, values: Any, kind: Any) -> pl.Series:
    import polars as pl

    if kind == pl.Boolean:
        values = [bool(value) for value in values]
    return pl.Series(name, list(values), dtype=kind, strict=True)


def _series(name: str, values: Any) -> pl.Series:
    import polars as pl

    if values.ndim > 1:
        return pl.Series(name, values.reshape(len(values), -1).tolist())
    return pl.Series(name, values.tolist(), dtype=pl.String) if values.dtype.kind == "O" else pl.Series(name, values)


def _tables(state: Mapping[str, Any]) -> dict[str, Any]:
    """The tables of agents in a state: under ``population``, at the top or one level below it."""
    below = [cast("Mapping[str, Any]", value) for value in state.values() if isinstance(value, Mapping)]
    for place in (state, *below):
        population = place.get("population")
        if isinstance(population, Mapping) and isinstance(tables := cast("Mapping[str, Any]", population).get("tables"), Mapping):
            return dict(cast("Mapping[str, Any]", tables))
    return {}


def _agents(kind: str, table: Mapping[str, Any]) -> pl.DataFrame:
    import polars as pl

    count = len(table["ids"])
    series = [pl.Series("kind", [kind] * count, dtype=pl.String), pl.Series("id", table["ids"])]
    for name, values in table["columns"].items():
        series.append(_series("own_" + name if name in ("kind", "id") else name, values))
    return pl.DataFrame(series)
