"""Snapshots of a simulation's state: only chunks that are new, copied at once, written aside, then named in the database.

A snapshot is a tree (see ``tree.py``) whose arrays are lists of chunk digests. A chunk is stored once, whatever the number of
snapshots that hold it: static columns and the rows of tables that only grow are written once. Small sets of new chunks go
into the database, large ones into a pack file. A snapshot that is lost costs time, never truth.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sociarium.kernel.errors import RecordError
from sociarium.record.connection import reading
from sociarium.record.digest import hash_bytes, to_json
from sociarium.record.files import inside, read_slice, write_file
from sociarium.record.schema import seal
from sociarium.record.tree import Survey, restore
from sociarium.record.writer import Writer, write_error

FOLDER = "snapshots"
INLINE_BYTES = 256 << 10  # up to this much new data goes into the database itself
Chunk = tuple[str, int, bytes | None, str | None, int | None]  # a row of ``chunks``


class Snapshots:
    """Takes snapshots and thins them out: at most ``keep`` stay, dense near the end and sparse before."""

    def __init__(self, folder: Path, reader: sqlite3.Connection, writer: Writer | None, keep: int) -> None:
        self._folder = folder
        self._reader = reader
        self._writer = writer
        self._keep = max(2, keep)
        self._known = {str(name) for (name,) in reader.execute("SELECT digest FROM chunks")}
        self._ticks = [int(ticks) for (ticks,) in reader.execute("SELECT ticks FROM snapshots ORDER BY ticks")]
        self._thread: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        """Whether the last one is still being written: then the next is better left out."""
        return self._thread is not None and self._thread.is_alive()

    def last(self) -> int:
        return self._ticks[-1] if self._ticks else 0

    def take(self, ticks: int, found: Survey) -> None:
        """Copy what is new and have it written; the caller has handed ticks before ``ticks`` to the writer already."""
        if self._writer is None or ticks in self._ticks:
            return
        self.settle()
        fresh = [(name, bytes(data)) for name, data in found.chunks.items() if name not in self._known]
        dropped = self._drop()
        row = (ticks, to_json(found.tree), found.digest)
        names = list(found.chunks)
        self._ticks.append(ticks)
        self._known.update(name for name, _ in fresh)
        if sum(len(data) for _, data in fresh) <= INLINE_BYTES:
            chunks: list[Chunk] = [(name, len(data), data, None, None) for name, data in fresh]
            self._name(row, chunks, names, dropped)
            return
        self._thread = threading.Thread(target=self._write, args=(row, fresh, names, dropped), name="sociarium-snapshot", daemon=True)
        self._thread.start()

    def settle(self) -> None:
        """Wait for the one being written."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def load(self, at_or_before: int | None, committed: int) -> tuple[int, dict[str, Any]] | None:
        """(ticks done, state) of the latest readable snapshot; a damaged one is passed over for the one before."""
        limit = committed if at_or_before is None else min(at_or_before, committed)
        rows = self._reader.execute("SELECT * FROM snapshots WHERE ticks <= ? ORDER BY ticks DESC", (limit,)).fetchall()
        for row in rows:
            try:
                return int(row[0]), load_state(self._folder, self._reader, row)
            except RecordError:
                continue  # it costs time, never truth: `doctor` names it
        return None

    def _drop(self) -> list[int]:
        """Which earlier snapshots to forget: those whose neighbours lie closest together, measured against their age."""
        dropped: list[int] = []
        while len(self._ticks) >= self._keep:
            ages = [self._ticks[-1] - ticks + 1 for ticks in self._ticks]
            gaps = [(self._ticks[place + 1] - self._ticks[place - 1]) / ages[place] for place in range(1, len(self._ticks) - 1)]
            place = 1 + gaps.index(min(gaps)) if gaps else 0
            dropped.append(self._ticks.pop(place))
        return dropped

    def _write(self, row: tuple[int, str, str], fresh: list[tuple[str, bytes]], names: list[str], dropped: list[int]) -> None:
        assert self._writer is not None
        file = f"{FOLDER}/{row[0]:09d}.pack"
        chunks: list[Chunk] = []
        start = 0
        for name, data in fresh:
            chunks.append((name, len(data), None, file, start))
            start += len(data)
        try:
            write_file(self._folder / file, [data for _, data in fresh])
            self._name(row, chunks, names, dropped)
        except OSError as error:
            self._writer.fail(write_error(self._folder, error))
        except RecordError as error:
            self._writer.fail(error)

    def _name(self, row: tuple[int, str, str], chunks: list[Chunk], names: list[str], dropped: list[int]) -> None:
        assert self._writer is not None

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT INTO snapshots VALUES (?,?,?,?)", (*row, seal(*row)))
            connection.executemany("INSERT OR IGNORE INTO chunks VALUES (?,?,?,?,?)", chunks)
            connection.executemany("INSERT INTO held VALUES (?,?)", [(row[0], name) for name in names])
            for ticks in dropped:
                forget(connection, ticks)

        self._writer.post(work)
        if dropped:
            self._writer.post(self._collect)

    def _collect(self, connection: sqlite3.Connection) -> None:
        """Drop chunks that no snapshot holds. Their pack files go once no chunk lies in them, at the next opening."""
        gone = [str(name) for (name,) in connection.execute(_UNHELD)]
        connection.executemany("DELETE FROM chunks WHERE digest = ?", [(name,) for name in gone])
        self._known.difference_update(gone)


_UNHELD = "SELECT digest FROM chunks WHERE NOT EXISTS (SELECT 1 FROM held WHERE held.chunk = chunks.digest)"


def forget(connection: sqlite3.Connection, ticks: int) -> None:
    connection.execute("DELETE FROM snapshots WHERE ticks = ?", (ticks,))
    connection.execute("DELETE FROM held WHERE ticks = ?", (ticks,))


def sweep(folder: Path, connection: sqlite3.Connection) -> None:
    """On opening to write: remove packs and parts that nothing names, left by a kill or by thinning out."""
    named = {str(file) for (file,) in connection.execute("SELECT DISTINCT file FROM chunks WHERE file IS NOT NULL")}
    named |= {str(file) for (file,) in connection.execute("SELECT file FROM parts")}
    for place in (FOLDER, "parts"):
        for path in sorted((folder / place).glob("*")):
            if f"{place}/{path.name}" not in named and path.suffix in (".pack", ".parquet", ".tmp"):
                path.unlink()


def load_state(folder: Path, reader: sqlite3.Connection, row: Sequence[Any]) -> dict[str, Any]:
    """The state of a row of ``snapshots``. Raises RecordError where the row or a chunk is not what its checksum says."""
    if row[3] != seal(*row[:3]):
        raise RecordError(f"The snapshot after {row[0]} ticks in {folder} is damaged: its seal does not match.")
    with reading(folder):
        return restore(json.loads(row[1]), lambda name: fetch_chunk(folder, reader, name))


def fetch_chunk(folder: Path, reader: sqlite3.Connection, name: str) -> bytes:
    row = reader.execute("SELECT bytes, data, file, start FROM chunks WHERE digest = ?", (name,)).fetchone()
    if row is None:
        raise RecordError(f"The chunk {name} of a snapshot in {folder} is missing.")
    data = row[1] if row[2] is None else read_slice(inside(folder, str(row[2])), int(row[3]), int(row[0]))
    if hash_bytes(data) != name:
        raise RecordError(f"The chunk {name} of a snapshot in {folder} is damaged: its bytes have another digest.")
    return data
