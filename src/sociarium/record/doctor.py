"""Is a run folder sound? Every row, part and snapshot is checked against its seal, and every tick against its digest."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, cast

from sociarium.kernel.errors import RecordError
from sociarium.record import connection, parts, schema, snapshots
from sociarium.record.connection import DATABASE, connect_reader
from sociarium.record.digest import hash_bytes
from sociarium.record.files import inside
from sociarium.record.journal import BLOCK_LISTS
from sociarium.record.lock import is_locked
from sociarium.record.ticks import GENESIS, link, load_tick, tick_digest, tick_parts
from sociarium.record.whole import file_digest, is_whole

Severity = Literal["error", "warning", "note"]
RESTORE = "Restore the folder from a copy; what lies before the damage can still be read and branched from."
DAMAGE = (*connection.DAMAGE, RecordError, OSError)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing worth knowing. ``error``: something recorded is damaged; ``warning``: it cost something; ``note``: harmless."""

    severity: Severity
    what: str
    where: str
    mend: str


def doctor(folder: Path) -> list[Finding]:
    """Check a run folder; changes nothing. An empty list: all is well."""
    folder = Path(folder)
    findings: list[Finding] = []
    if is_whole(folder) is False:
        what = "its bytes are not those that were written when the run was closed"
        findings.append(Finding("error", what, DATABASE, RESTORE))
    try:
        reader = connect_reader(folder)
    except RecordError as error:
        return [*findings, Finding("error", str(error), DATABASE, RESTORE)]
    try:
        reader.execute("BEGIN")  # one moment of a run that may be going on
        for check in _CHECKS:
            findings += _guarded(check, folder, reader)
    finally:
        reader.close()
    return findings


Check = Callable[[Path, sqlite3.Connection], Iterator[Finding]]


def _guarded(check: Check, folder: Path, reader: sqlite3.Connection) -> Iterator[Finding]:
    """Damage may break any check half-way: that is a finding too."""
    try:
        yield from check(folder, reader)
    except DAMAGE as error:
        where = check.__name__.strip("_").replace("_", " ")
        yield Finding("error", f"cannot be read: {type(error).__name__}: {error}", where, RESTORE)


def _database(_: Path, reader: sqlite3.Connection) -> Iterator[Finding]:
    for (line,) in reader.execute("PRAGMA integrity_check"):
        if line != "ok":
            yield Finding("error", f"SQLite's integrity check says: {line}", DATABASE, RESTORE)


def _facts(_: Path, reader: sqlite3.Connection) -> Iterator[Finding]:
    for key, value, sealed in reader.execute("SELECT * FROM meta"):
        if sealed != schema.seal(key, value):
            yield Finding("error", "the seal of a fact does not match", f"meta {key}", RESTORE)
    found = dict(reader.execute("SELECT key, value FROM meta").fetchall())
    needed = ["manifest", "cadence", "status", *(["digest"] if found.get("status") == "finished" else [])]
    for key in (key for key in needed if key not in found):
        yield Finding("error", "a fact that every run has is missing", f"meta {key}", RESTORE)


def _journal(_: Path, reader: sqlite3.Connection) -> Iterator[Finding]:
    named: set[str] = set()
    head, last = "", 0
    for row in reader.execute("SELECT * FROM journal ORDER BY id"):
        head = schema.seal(head, *row[1:21])
        last += 1
        if row[0] != last or row[21] != head:
            yield Finding("error", "the chain of seals breaks: a reply was changed, lost or added", f"journal row {row[0]}", RESTORE)
            return
        named |= _named_blocks(row[10])
    count = reader.execute("SELECT max(journal) FROM ticks").fetchone()[0] or 0
    if last < count:
        yield Finding("error", f"{count - last} replies at its end are missing", f"journal after row {last}", RESTORE)
    for row in reader.execute("SELECT * FROM inherited"):
        named |= _named_blocks(row[10])
        if row[21] != schema.seal(*row[1:21]):
            yield Finding("error", "the seal of an inherited reply does not match", f"inherited row {row[0]}", RESTORE)
    for digest, content in reader.execute("SELECT * FROM blocks"):
        named.discard(str(digest))
        if hash_bytes(content.encode()) != digest:
            yield Finding("error", "a prompt's block has another digest than its name", f"block {digest}", RESTORE)
    for digest in sorted(named):
        yield Finding("error", "a prompt's block is missing", f"block {digest}", RESTORE)


def _named_blocks(request: str) -> set[str]:
    data = json.loads(request)
    named = {str(digest) for name in BLOCK_LISTS for digest in data.get(name) or ()}
    return named | {data["schema"]} if isinstance(data.get("schema"), str) else named


def _budget(_: Path, reader: sqlite3.Connection) -> Iterator[Finding]:
    for row in reader.execute("SELECT * FROM leases"):
        if row[4] != schema.seal(*row[1:4]):
            yield Finding("error", "the seal of a lease does not match", f"lease {row[0]}", RESTORE)
    lost = int(reader.execute("SELECT count(*) FROM started WHERE lost = 1").fetchone()[0])
    if lost:
        what = f"{lost} calls were in flight when a session was killed: they may have been billed, and were asked again"
        yield Finding("warning", what, "journal", "Nothing to mend; compare with the provider's bill.")


def _parts(folder: Path, reader: sqlite3.Connection) -> Iterator[Finding]:
    for row in reader.execute("SELECT * FROM parts"):
        file = str(row[2])
        if row[7] != schema.seal(*row[:7]):
            yield Finding("error", "the seal of a part's entry does not match", file, RESTORE)
        elif (path := inside(folder, file)).stat().st_size != row[4] or file_digest(path) != row[5]:
            yield Finding("error", "its bytes are not those that were written", file, RESTORE)


def _ticks(folder: Path, reader: sqlite3.Connection) -> Iterator[Finding]:
    chain = GENESIS
    numbers = [int(tick) for (tick,) in reader.execute("SELECT tick FROM ticks ORDER BY tick")]
    for place, tick in enumerate(numbers):
        row = reader.execute("SELECT * FROM ticks WHERE tick = ?", (tick,)).fetchone()
        if tick != place:
            yield Finding("error", f"tick {place} is missing", "ticks", RESTORE)
            return
        problem = ""
        try:
            problem = _tick_problem(folder, reader, row, chain)
        except DAMAGE as error:
            problem = f"its rows cannot be read: {type(error).__name__}: {error}"
        if problem:
            yield Finding("error", problem, f"tick {tick}", f"{RESTORE} Branch at tick {tick} at the latest.")
        chain = str(row[12])
    for name in ("events", "outcome_rows"):
        query = f"SELECT tick FROM {name} GROUP BY tick, batch HAVING max(place) != count(*) - 1 OR min(place) != 0"
        for (tick,) in reader.execute(query):
            yield Finding("error", f"rows of {name} are missing or out of place", f"tick {tick}", RESTORE)
    for name in ("batches", "outcomes", "refusals", "measures", "events", "outcome_rows"):
        for (tick,) in reader.execute(f"SELECT DISTINCT tick FROM {name} WHERE tick NOT IN (SELECT tick FROM ticks)"):
            yield Finding("error", f"{name} hold rows of a tick that was never committed", f"tick {tick}", RESTORE)


def _tick_problem(folder: Path, reader: sqlite3.Connection, row: tuple[Any, ...], chain: str) -> str:
    tick, replies, state, digest = row[0], row[8], row[9], row[11]
    if row[14] != schema.seal(*row[:14]):
        return "the seal of its row does not match"
    if row[12] != link(chain, digest):
        return "it does not follow on the tick before it: the chain of digests breaks"
    record = load_tick(reader, tick, partial(parts.read_batch, folder, reader))
    if tick_digest(tick_parts(record, replies, state)) != digest:
        return "its events, outcomes or measures do not have the digest that was committed"
    counts = [int(count) for (count,) in reader.execute("SELECT count FROM batches WHERE tick = ? ORDER BY batch", (tick,))]
    return "" if counts == [len(rows) for rows in record.events] else "its counts of events are not those of its rows"


def _snapshots(folder: Path, reader: sqlite3.Connection) -> Iterator[Finding]:
    mend = "Nothing is lost: resume takes the snapshot before it and repeats some ticks."
    sound: set[str] = set()
    for (name,) in reader.execute("SELECT digest FROM chunks").fetchall():
        try:
            snapshots.fetch_chunk(folder, reader, str(name))
            sound.add(str(name))
        except DAMAGE as error:
            yield Finding("error", str(error), f"chunk {name}", mend)
    for row in reader.execute("SELECT * FROM snapshots").fetchall():
        where = f"snapshot after {row[0]} ticks"
        if row[3] != schema.seal(*row[:3]):
            yield Finding("error", "its seal does not match", where, mend)
            continue
        needed = set(_chunks(json.loads(row[1])))
        held = {str(name) for (name,) in reader.execute("SELECT chunk FROM held WHERE ticks = ?", (row[0],))}
        if needed - sound or needed != held:
            yield Finding("error", f"{len(needed - sound) or 'some'} of its chunks are missing or damaged", where, mend)


def _chunks(tree: Any) -> Iterator[str]:
    if isinstance(tree, list):
        for value in cast("list[Any]", tree):
            yield from _chunks(value)
    elif isinstance(tree, dict):
        node = cast("dict[str, Any]", tree)
        if "$array" in node:
            yield from node["$array"][2]
        elif "$json" in node:
            yield node["$json"]
        else:
            yield from _chunks(list(node.values()))


def _files(folder: Path, reader: sqlite3.Connection) -> Iterator[Finding]:
    named = {str(file) for (file,) in reader.execute("SELECT file FROM parts UNION SELECT file FROM chunks WHERE file IS NOT NULL")}
    for place in (parts.FOLDER, snapshots.FOLDER):
        for path in sorted((folder / place).glob("*")):
            if f"{place}/{path.name}" not in named:
                mend = "Harmless; it is removed when the run is resumed."
                yield Finding("note", "a file that the record does not name (a write that a kill cut short)", f"{place}/{path.name}", mend)


def _state(folder: Path, reader: sqlite3.Connection) -> Iterator[Finding]:
    status = reader.execute("SELECT value FROM meta WHERE key = 'status'").fetchone()
    ticks = int(reader.execute("SELECT count(*) FROM ticks").fetchone()[0])
    open_ = int(reader.execute("SELECT count(*) FROM journal WHERE tick >= ?", (ticks,)).fetchone()[0])
    if is_locked(folder):
        yield Finding("note", "the run is being written now", "run.lock", "Nothing to mend.")
    elif status is not None and status[0] == "running":
        yield Finding("note", f"the last session ended without closing, after {ticks} ticks", "run", "Resume it.")
    if open_ and status is not None and status[0] != "finished":
        yield Finding("note", f"tick {ticks} is open, with {open_} replies already paid", "journal", "Resume the run: they are used again.")


_CHECKS: tuple[Check, ...] = (_database, _facts, _journal, _budget, _parts, _ticks, _snapshots, _files, _state)
