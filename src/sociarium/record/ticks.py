"""A tick as rows and back, and its digest part by part, so that a difference can be named."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.records import EventRows, OutcomeRows, Refusal, TickRecord
from sociarium.record.columns import clean_column, clean_text, columns_of, describe, rebuild, rows_of, tag
from sociarium.record.digest import array_digest, hash_items, plain_digest, to_json
from sociarium.record.schema import seal

LARGE_BATCH = 2_000  # rows of one kind in one commit past which they go straight into a Parquet part
LARGE_MEASURE = 4_096  # values of a measure past which they are kept as bytes
GENESIS = hash_items("chain", ())
Statement = tuple[str, list[tuple[Any, ...]]]


@dataclass(slots=True)
class EncodedTick:
    """Rows ready to write. ``events`` are the batches (place in the tick, rows), whose way of writing is chosen when they are; ``rows``
    counts all."""

    tick: int
    digest: str
    chain: str
    rows: int
    statements: list[Statement]
    events: list[tuple[int, EventRows]] = field(default_factory=list[tuple[int, EventRows]])
    fields: tuple[Any, ...] = ()


def cleaned(record: TickRecord) -> TickRecord:
    """The record in the types that are kept, in arrays of its own: what the simulation does later cannot touch it."""
    events = [_clean_events(rows) for rows in record.events]
    outcomes = [
        OutcomeRows(rows.phase, rows.turn, dict(rows.counts), int(rows.fallbacks), _ints(rows.agents), _ints(rows.lanes),
                    np.array(rows.status, np.uint8), np.array(rows.fallback, np.bool_), [clean_text(reason) for reason in rows.reasons])
        for rows in record.outcomes
    ]  # fmt: skip
    refusals = [
        Refusal(row.phase, int(row.lane), int(row.turn), int(row.agent), row.action, clean_text(row.reason)) for row in record.refusals
    ]
    measures = {name: np.array(clean_column(np.asarray(values), f"The measure {name}")) for name, values in record.measures.items()}
    interventions = json.loads(to_json([dict(given) for given in record.interventions]))
    counts = {name: int(count) for name, count in record.counts.items()}
    applied = {name: int(count) for name, count in record.applied.items()}
    return TickRecord(
        int(record.tick), int(record.time), int(record.until), events, counts, outcomes, applied, refusals, measures,
        _ints(record.ended), interventions, bool(record.called),
    )  # fmt: skip


def tick_parts(record: TickRecord, replies: str, state: str | None) -> dict[str, str]:
    """Digest of each part of a cleaned record, by a name a user can read. ``called`` is not part: a replay calls nothing."""
    parts = {"time": plain_digest([record.tick, record.time, record.until]), "replies": replies}
    for place, rows in enumerate(record.events):
        head = f"events {rows.kind} (phase {rows.phase}, batch {place}), "
        parts[head + "audience"] = plain_digest([rows.kind, rows.phase, rows.audience, len(rows)])
        for name, column in event_columns(rows).items():
            parts[head + name] = array_digest(column)
        parts[head + "recipients"] = plain_digest(None if rows.recipients is None else [some.tolist() for some in rows.recipients])
    for place, rows in enumerate(record.outcomes):
        head = f"outcomes (phase {rows.phase}, turn {rows.turn}, batch {place}), "
        parts[head + "counts"] = plain_digest([rows.phase, rows.turn, rows.counts, rows.fallbacks])
        for name in ("agents", "lanes", "status", "fallback"):
            parts[head + name] = array_digest(getattr(rows, name))
        parts[head + "reasons"] = plain_digest(rows.reasons)
    parts["refusals"] = plain_digest([_refusal(row) for row in record.refusals])
    for name, values in record.measures.items():
        parts[f"measure {name}"] = array_digest(values)
    parts["counts"] = plain_digest(record.counts)
    parts["actions applied"] = plain_digest(record.applied)
    parts["ended groups"] = array_digest(record.ended)
    parts["interventions"] = plain_digest(record.interventions)
    if state is not None:
        parts["state"] = state
    return parts


def event_columns(rows: EventRows) -> dict[str, NDArray[Any]]:
    """All columns of a batch of events under the names they are digested by."""
    own = {f"column {name}": rows.data[name] for name in sorted(rows.data)}
    return {"ids": rows.ids, "lanes": rows.lanes, "turns": rows.turns, "actors": rows.actors, **own}


def tick_digest(parts: Mapping[str, str]) -> str:
    return hash_items("tick", (item for pair in parts.items() for item in pair))


def link(chain: str, digest: str) -> str:
    """The chain over all ticks so far."""
    return hash_items("chain", (chain, digest))


def encode_tick(record: TickRecord, fields: tuple[Any, ...]) -> EncodedTick:
    """``fields``: replies, state, leaves, digest, chain; the journal's length and the seal are added when it is written."""
    tick = record.tick
    replies, state, leaves, digest, chain = fields
    row = (
        tick, record.time, record.until, to_json(record.counts), to_json(record.applied), to_json(record.ended.tolist()),
        to_json(record.interventions), int(record.called), replies, state, leaves, digest, chain,
    )  # fmt: skip
    encoded = EncodedTick(tick, digest, chain, 0, [], [], row)
    for place, rows in enumerate(record.events):
        encoded.events.append((place, rows))
        encoded.rows += len(rows)
    for place, rows in enumerate(record.outcomes):
        encoded.statements += _outcome_statements(tick, place, rows)
        encoded.rows += len(rows.agents)
    refusals = [(tick, place, *_refusal(row)) for place, row in enumerate(record.refusals)]
    measures = [_measure_row(tick, place, name, values) for place, (name, values) in enumerate(record.measures.items())]
    encoded.statements.append(("INSERT INTO refusals VALUES (?,?,?,?,?,?,?,?)", refusals))
    encoded.statements.append(("INSERT INTO measures VALUES (?,?,?,?,?,?)", measures))
    encoded.rows += len(refusals) + len(measures)
    return encoded


def batch_row(tick: int, place: int, rows: EventRows, part: int | None = None, start: int | None = None) -> tuple[Any, ...]:
    columns = to_json(describe(rows.data))
    return (tick, place, rows.phase, rows.kind, rows.audience, int(rows.recipients is not None), len(rows), columns, part, start)


def write_events(connection: sqlite3.Connection, tick: int, place: int, rows: EventRows) -> None:
    """A small batch, row by row; inside the caller's transaction."""
    for statement, lines in _event_statements(tick, place, rows):
        connection.executemany(statement, lines)


def write_tick(connection: sqlite3.Connection, encoded: EncodedTick, journal: int) -> None:
    """All of a tick but its events; inside the caller's transaction."""
    for statement, rows in encoded.statements:
        if rows:
            connection.executemany(statement, rows)
    row = (*encoded.fields, journal)
    connection.execute("INSERT INTO ticks VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", (*row, seal(*row)))


def load_tick(connection: sqlite3.Connection, tick: int, read_part: Any) -> TickRecord:
    """The record as it was committed. ``read_part(part, start, batch row fields)`` gives rows that lie in a Parquet part."""
    row = connection.execute("SELECT * FROM ticks WHERE tick = ?", (tick,)).fetchone()
    record = TickRecord(row[0], row[1], row[2], counts=json.loads(row[3]), applied=json.loads(row[4]))
    record.ended = np.array(json.loads(row[5]), np.int64)
    record.interventions, record.called = json.loads(row[6]), bool(row[7])
    for batch in connection.execute("SELECT * FROM batches WHERE tick = ? ORDER BY batch", (tick,)).fetchall():
        record.events.append(read_part(batch) if batch[8] is not None else load_events(connection, batch))
    for head in connection.execute("SELECT * FROM outcomes WHERE tick = ? ORDER BY batch", (tick,)).fetchall():
        record.outcomes.append(_load_outcomes(connection, head))
    for row in connection.execute("SELECT * FROM refusals WHERE tick = ? ORDER BY place", (tick,)):
        record.refusals.append(Refusal(row[2], row[3], row[4], row[5], row[6], row[7]))
    for row in connection.execute("SELECT * FROM measures WHERE tick = ? ORDER BY place", (tick,)):
        record.measures[row[2]] = load_measure(row[3], row[4], row[5])
    return record


def load_measure(dtype: str, shape: str, data: str | bytes) -> NDArray[Any]:
    size = json.loads(shape)
    if isinstance(data, bytes):
        return np.frombuffer(bytearray(data), np.dtype(dtype)).reshape(size)
    return rebuild(json.loads(data), dtype, size)


def difference(expected: Mapping[str, str], found: Mapping[str, str]) -> str:
    """The first part that differs, in words."""
    for name, digest in expected.items():
        if name not in found:
            return f"{name}: recorded, but absent now"
        if found[name] != digest:
            return name
    for name in found:
        if name not in expected:
            return f"{name}: not in the record"
    return "the order of its parts"


def first_row(expected: NDArray[Any], found: NDArray[Any]) -> str:
    """Where two arrays part."""
    if expected.shape != found.shape or expected.dtype != found.dtype:
        return f"{expected.dtype} {list(expected.shape)} recorded, {found.dtype} {list(found.shape)} now"
    flat, other = expected.ravel(), found.ravel()
    differs = flat != other
    if flat.dtype.kind == "f":
        differs &= ~(np.isnan(flat) & np.isnan(other))
    places = np.flatnonzero(differs)
    if not len(places):
        return "bits of equal values"
    place = int(places[0])
    return f"row {place}: {flat[place]!r} recorded, {other[place]!r} now"


def _clean_events(rows: EventRows) -> EventRows:
    where = f"The column {{}} of events {rows.kind}"
    data = {name: clean_column(np.asarray(column), where.format(name)) for name, column in rows.data.items()}
    recipients = None if rows.recipients is None else [_ints(some) for some in rows.recipients]
    ids, lanes, turns, actors = (_ints(column) for column in (rows.ids, rows.lanes, rows.turns, rows.actors))
    return EventRows(rows.kind, rows.phase, ids, lanes, turns, actors, rows.audience, recipients, data)


def _ints(values: Any) -> NDArray[np.int64]:
    return np.array(values, np.int64)


def _refusal(row: Refusal) -> tuple[Any, ...]:
    return (row.phase, row.lane, row.turn, row.agent, row.action, row.reason)


def _event_statements(tick: int, place: int, rows: EventRows) -> Iterable[Statement]:
    count = len(rows)
    recipients = [None] * count if rows.recipients is None else [to_json(some.tolist()) for some in rows.recipients]
    fixed = (column.tolist() for column in (rows.ids, rows.lanes, rows.turns, rows.actors))
    data = rows_of(rows.data, count)
    lines = [(tick, place, *line) for line in zip(range(count), *fixed, recipients, data, strict=True)]
    yield "INSERT INTO batches VALUES (?,?,?,?,?,?,?,?,?,?)", [batch_row(tick, place, rows)]
    yield "INSERT INTO events VALUES (?,?,?,?,?,?,?,?,?)", lines


def _outcome_statements(tick: int, place: int, rows: OutcomeRows) -> Iterable[Statement]:
    yield "INSERT INTO outcomes VALUES (?,?,?,?,?,?)", [(tick, place, rows.phase, rows.turn, to_json(rows.counts), rows.fallbacks)]
    columns = (rows.agents.tolist(), rows.lanes.tolist(), rows.status.tolist(), [int(flag) for flag in rows.fallback], rows.reasons)
    lines = [(tick, place, *line) for line in zip(range(len(rows.agents)), *columns, strict=True)]
    yield "INSERT INTO outcome_rows VALUES (?,?,?,?,?,?,?,?)", lines


def _measure_row(tick: int, place: int, name: str, values: NDArray[Any]) -> tuple[Any, ...]:
    kind, shape = tag(values), to_json(list(values.shape))
    if kind != "str" and values.size > LARGE_MEASURE:
        return (tick, place, name, kind, shape, values.tobytes())
    return (tick, place, name, kind, shape, to_json(values.tolist()))


def load_events(connection: sqlite3.Connection, batch: tuple[Any, ...]) -> EventRows:
    tick, place, phase, kind, audience, with_recipients, _, columns = batch[:8]
    rows = connection.execute(
        "SELECT id, lane, turn, actor, recipients, data FROM events WHERE tick = ? AND batch = ? ORDER BY place", (tick, place)
    ).fetchall()
    ids, lanes, turns, actors = (np.array([row[field] for row in rows], np.int64) for field in range(4))
    recipients = [np.array(json.loads(row[4]), np.int64) for row in rows] if with_recipients else None
    data = columns_of([row[5] for row in rows], json.loads(columns))
    return EventRows(kind, phase, ids, lanes, turns, actors, audience, recipients, data)


def _load_outcomes(connection: sqlite3.Connection, head: tuple[Any, ...]) -> OutcomeRows:
    tick, place, phase, turn, counts, fallbacks = head
    rows = connection.execute(
        "SELECT agent, lane, status, fallback, reason FROM outcome_rows WHERE tick = ? AND batch = ? ORDER BY place", (tick, place)
    ).fetchall()
    agents, lanes = (np.array([row[field] for row in rows], np.int64) for field in range(2))
    status = np.array([row[2] for row in rows], np.uint8)
    fallback = np.array([row[3] for row in rows], np.bool_)
    return OutcomeRows(phase, turn, json.loads(counts), fallbacks, agents, lanes, status, fallback, [row[4] for row in rows])
