"""A branch: a new run that shares a parent's past, and pays only for what its one change changes."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sociarium.kernel.errors import RecordError
from sociarium.record.connection import connect_reader
from sociarium.record.files import inside, sync_file, sync_folder
from sociarium.record.journal import INHERIT, insert_sealed
from sociarium.record.run import Cadence, RunRecord
from sociarium.record.schema import seal
from sociarium.record.snapshots import fetch_chunk

PREFIX_TABLES = ("batches", "events", "outcomes", "outcome_rows", "refusals", "measures")
BATCH = 10_000  # rows copied at a time


def branch(
    source: Path, target: Path, at: int, changes: Mapping[str, Any] | None = None, *, manifest: Mapping[str, Any] | None = None
) -> RunRecord:
    """A new run in ``target``: ticks before ``at`` with their replies, the snapshot at or before it, ``changes`` in its
    parameters, and other entries of its ``manifest`` (models, interventions). Later replies of the parent are kept under their
    keys. The folder stands alone.

    Raises RecordError where the parent has fewer than ``at`` ticks, or where the target holds a run already.
    """
    parent = RunRecord.open(source, mode="read")
    try:
        if not 0 <= at <= parent.committed():
            raise RecordError(
                f"The run in {source} has {parent.committed()} ticks: a branch can start at 0 to {parent.committed()}, not {at}."
            )
        facts = {
            **parent.manifest,
            **(manifest or {}),
            "parent": {"name": Path(source).resolve().name, "digest": parent.digest(), "at": at},
        }
        facts["parameters"] = {**parent.manifest.get("parameters", {}), **(changes or {})}
        _create(target, facts, parent.cadence).close()
    finally:
        parent.close()
    _copy(source, target, at)
    return RunRecord.open(target, mode="resume")


def _create(target: Path, manifest: Mapping[str, Any], cadence: Cadence) -> RunRecord:
    return RunRecord.create(
        target,
        manifest,
        snapshot_every=cadence.snapshot,
        digest_every=cadence.digest,
        tick_group=cadence.group,
        keep_snapshots=cadence.keep,
        roll_rows=cadence.roll,
    )


def _copy(source: Path, target: Path, at: int) -> None:
    """In one transaction of the target, whose files are copied before it: a kill leaves a run with no ticks."""
    reader = connect_reader(source)
    reader.execute("BEGIN")  # one moment of the parent, which may be going on
    record = RunRecord.open(target, mode="resume")
    try:
        files = _files(reader, at)
        for file in files:
            _copy_file(inside(source, file), target / file)
        record.edit(lambda writer: _copy_rows(source, reader, writer, at))
    finally:
        record.close()
        reader.close()


def _files(reader: sqlite3.Connection, at: int) -> list[str]:
    parts = "SELECT file FROM parts WHERE id IN (SELECT part FROM batches WHERE tick < ?)"
    return [str(file) for (file,) in reader.execute(parts, (at,))]


def _copy_file(path: Path, target: Path) -> None:
    shutil.copyfile(path, target)
    sync_file(target)
    sync_folder(target.parent)


def _copy_rows(source: Path, reader: sqlite3.Connection, writer: sqlite3.Connection, at: int) -> None:
    for rows in _pages(reader, "SELECT * FROM blocks", ()):
        writer.executemany("INSERT INTO blocks VALUES (?,?)", rows)
    for name in PREFIX_TABLES:
        for rows in _pages(reader, f"SELECT * FROM {name} WHERE tick < ?", (at,)):
            writer.executemany(f"INSERT INTO {name} VALUES ({','.join('?' * len(rows[0]))})", rows)
    for rows in _pages(reader, "SELECT * FROM parts WHERE id IN (SELECT part FROM batches WHERE tick < ?)", (at,)):
        writer.executemany("INSERT INTO parts VALUES (?,?,?,?,?,?,?,?)", rows)
    head, count = "", 0
    for row in reader.execute("SELECT * FROM journal WHERE tick < ? ORDER BY id", (at,)):
        head = insert_sealed(writer, head, (*row[1:20], "cache"))  # paid by the parent
        count += 1
    for table in ("inherited", "journal"):
        where = "" if table == "inherited" else f" WHERE tick >= {int(at)}"
        for rows in _pages(reader, f"SELECT * FROM {table}{where} ORDER BY id", ()):
            writer.executemany(INHERIT, [(*row[1:20], "cache", seal(*row[1:20], "cache")) for row in rows])
    for row in reader.execute("SELECT * FROM ticks WHERE tick < ? ORDER BY tick", (at,)).fetchall():
        kept = (*row[:13], min(int(row[13]), count))
        writer.execute(f"INSERT INTO ticks VALUES ({','.join('?' * 15)})", (*kept, seal(*kept)))
    _copy_snapshot(source, reader, writer, at)


def _copy_snapshot(source: Path, reader: sqlite3.Connection, writer: sqlite3.Connection, at: int) -> None:
    """The last sound one. Its chunks go into the database, where they stay readable whatever happens to the parent."""
    for row in reader.execute("SELECT * FROM snapshots WHERE ticks <= ? ORDER BY ticks DESC", (at,)).fetchall():
        names = [str(name) for (name,) in reader.execute("SELECT chunk FROM held WHERE ticks = ?", (row[0],))]
        try:
            if row[3] != seal(*row[:3]):
                continue
            chunks = [(name, fetch_chunk(source, reader, name)) for name in names]
        except RecordError:
            continue
        writer.execute("INSERT INTO snapshots VALUES (?,?,?,?)", row)
        writer.executemany("INSERT INTO chunks VALUES (?,?,?,NULL,NULL)", [(name, len(data), data) for name, data in chunks])
        writer.executemany("INSERT INTO held VALUES (?,?)", [(row[0], name) for name in names])
        return


def _pages(reader: sqlite3.Connection, query: str, values: tuple[Any, ...]) -> Iterator[list[tuple[Any, ...]]]:
    cursor = reader.execute(query, values)
    while rows := cursor.fetchmany(BATCH):
        yield rows
