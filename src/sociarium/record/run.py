"""The durable record of one simulation, in a folder of its own."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol

from sociarium.kernel.errors import RecordError, ReplayMismatch
from sociarium.kernel.records import TickRecord
from sociarium.record import folders, parts, snapshots
from sociarium.record.compare import explain
from sociarium.record.connection import connect_reader, connect_writer, reading
from sociarium.record.digest import hash_items, to_json
from sociarium.record.journal import RunJournal
from sociarium.record.lock import RunLock
from sociarium.record.ticks import (
    GENESIS,
    EncodedTick,
    cleaned,
    encode_tick,
    link,
    load_tick,
    tick_digest,
    tick_parts,
    write_events,
    write_tick,
)
from sociarium.record.tree import Survey, survey
from sociarium.record.whole import seal_file
from sociarium.record.writer import Work, Writer

Mode = Literal["resume", "replay", "read"]
ROLL_ROWS = 50_000  # rows of one kind of event in the database past which they roll into a part
BUFFER_ROWS = 50_000  # rows of ticks without calls that may wait for a shared commit


class Stateful(Protocol):
    """What a record needs of a simulation."""

    def state(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Cadence:
    """How often, in ticks. Stored with the run: the digest depends on ``digest``."""

    snapshot: int = 1  # at least so many ticks between snapshots
    digest: int = 1  # every so many ticks the digest covers the whole state
    group: int = 64  # so many ticks without calls may share a commit
    keep: int = 16  # snapshots kept
    roll: int = ROLL_ROWS


class RunRecord:
    """Implements ``kernel.protocols.Recorder``. Make one with ``create`` or ``open``; ``close`` it in the end."""

    def __init__(self, folder: Path, mode: Mode, lock: RunLock | None, connect: Any = connect_writer) -> None:
        self.folder = folder
        self.mode: Mode = mode
        self._lock = lock
        self._writer: Writer | None = None
        self._reader = connect_reader(folder)
        try:
            if mode == "resume":
                self._writer = Writer(folder, connect)
                self._writer.wait(partial(folders.begin_session, folder))
            with reading(folder):
                self._load()
        except BaseException:
            self._reader.close()
            if self._writer is not None:
                self._writer.close()
            raise
        self._written = self._durable  # ticks handed to the writer or waiting in the buffer
        self._rerun = self._durable  # ticks below this are compared, not written
        self._leaves: dict[str, str] | None = None
        self._waiting: list[EncodedTick] = []
        self._final: str | None = None
        self._flight: tuple[int, Future[Any]] | None = None  # ticks done, and the commit on its way to the disk

    def _load(self) -> None:
        self.manifest: dict[str, Any] = dict(json.loads(self.get("manifest") or "{}"))
        self.cadence = Cadence(**json.loads(self.get("cadence") or "{}"))
        self.journal = RunJournal(self.folder, self._reader, self._writer, live=self.mode == "resume")
        self._snapshots = snapshots.Snapshots(self.folder, self._reader, self._writer, self.cadence.keep)
        self._durable = int(self._reader.execute("SELECT count(*) FROM ticks").fetchone()[0])
        self._chain = self._chain_after(self._durable)
        self._loose = {str(kind): int(count) for kind, count in self._reader.execute(_LOOSE)}  # kind -> rows in the database

    @classmethod
    def create(
        cls,
        folder: Path,
        manifest: Mapping[str, Any],
        *,
        snapshot_every: int = 1,
        digest_every: int = 1,
        tick_group: int = 64,
        keep_snapshots: int = 16,
        roll_rows: int = ROLL_ROWS,
    ) -> RunRecord:
        """A new run. Raises RecordError where the folder holds one already. All cadences are in ticks, at least 1."""
        cadence = {"snapshot": snapshot_every, "digest": digest_every, "group": tick_group, "keep": keep_snapshots, "roll": roll_rows}
        for name, value in cadence.items():
            if value < 1:
                raise RecordError(f"The cadence {name} of a run is {value}; it must be at least 1.")
        lock = folders.prepare(folder)
        try:
            facts = {"manifest": to_json(dict(manifest)), "cadence": to_json(cadence), "status": "running"}
            folders.install(folder, facts)
            return cls(folder, "resume", lock)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def open(cls, folder: Path, *, mode: Mode) -> RunRecord:
        """``resume`` writes on (one process at a time), ``replay`` checks without a call or a write, ``read`` looks."""
        connect_reader(folder).close()  # a clear error before the lock makes a file in somebody's folder
        lock = RunLock(folder) if mode == "resume" else None
        try:
            return cls(folder, mode, lock)
        except BaseException:
            if lock is not None:
                lock.release()
            raise

    def committed(self) -> int:
        """How many ticks are durable."""
        self._arrived()
        return self._durable

    def latest_snapshot(self, at_or_before: int | None = None) -> tuple[int, dict[str, Any]] | None:
        """(ticks done, state) of the last snapshot at or before a number of ticks; None where there is none."""
        self._snapshots.settle()
        if self._writer is not None:
            self._writer.wait(lambda _: None)
        self._arrived()
        return self._snapshots.load(at_or_before, self._durable)

    async def commit(self, record: TickRecord, simulation: Stateful) -> None:
        """All or nothing. A tick in which something was asked is durable when this returns; others may share a commit, and the run goes on
        while one commit is being written. A tick that is durable already is compared instead: ReplayMismatch names what differs first."""
        if record.tick < self._rerun:
            self._compare(record, simulation)
            return
        if self.mode != "resume":
            raise ReplayMismatch(f"The run in {self.folder} has {self._rerun} ticks, but the replay goes on to tick {record.tick}.")
        if record.tick != self._written:
            raise RecordError(f"Tick {record.tick} was committed after tick {self._written - 1}: ticks are committed in order.")
        due = self._digest_due(record.tick)
        found = survey(simulation.state()) if due else None
        if self._written == self._rerun and self.get("status") == "finished":
            self.set("status", "running")  # a finished run goes on
        record.called = record.called or bool(self.journal.touched)
        encoded = self._encode(cleaned(record), found)
        self._waiting.append(encoded)
        self._written += 1
        rows = sum(tick.rows for tick in self._waiting)
        full = len(self._waiting) >= self.cadence.group or rows > BUFFER_ROWS
        if record.called or full or self._snapshot_due():
            await self._flush(simulation, found, at_once=record.called or self.cadence.group == 1)

    async def finish(self, simulation: Stateful) -> None:
        """Seal the run with the digest of its final state. A finished run that is run again is compared instead."""
        found = survey(simulation.state())
        replies = self.journal.touched.take(None)
        final = hash_items("run", (self._chain, replies, found.digest))
        recorded = self.get("digest")
        if recorded is not None and self._written == self._rerun and self.get("status") == "finished":
            if recorded != final:
                raise ReplayMismatch(f"The run in {self.folder} ended in digest {recorded}, but now in {final}: its final state differs.")
        elif self.mode == "resume":
            await self._flush(simulation, found, last=True)
            self.set("digest", final)
            self.set("status", "finished")
        self._final = final

    def digest(self) -> str:
        """The digest of the finished run, else of the ticks so far."""
        if self._final is not None:
            return self._final
        return (self.get("digest") if self.get("status") == "finished" else None) or self._chain

    def set(self, key: str, value: Any) -> None:
        """Keep a small fact (status, summary of results) as JSON-able data."""
        if self._writer is None:
            raise RecordError(f"The run in {self.folder} is opened to {self.mode}: nothing can be set. Resume it to write.")
        text = value if isinstance(value, str) else to_json(value)
        self._writer.wait(lambda connection: folders.put(connection, key, text))

    def edit(self, work: Work) -> None:
        """One transaction of the record's own tools (branching). Open the run again afterwards."""
        if self._writer is None:
            raise RecordError(f"The run in {self.folder} is opened to {self.mode}: nothing can be written.")
        self._writer.wait(work)

    def get(self, key: str) -> str | None:
        """A fact as it was set: a string, or JSON text."""
        row = self._reader.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def tick(self, tick: int) -> TickRecord:
        """A committed tick, read back."""
        self._arrived()
        if not 0 <= tick < self._durable:
            raise RecordError(f"The run in {self.folder} has {self._durable} ticks; there is no tick {tick}.")
        with reading(self.folder):
            return load_tick(self._reader, tick, partial(parts.read_batch, self.folder, self._reader))

    def close(self) -> None:
        """Write what waits, mark an unfinished run as paused, and let go of the lock. Closing twice is harmless."""
        writer, self._writer = self._writer, None
        try:
            if writer is not None:
                self._close_writer(writer)
        finally:
            self._reader.close()
            if writer is not None:
                writer.close()  # the last connection to close takes the log back into the database
            if self._lock is not None:
                if writer is not None and writer.failure is None:
                    seal_file(self.folder)
                self._lock.release()
                self._lock = None

    def __enter__(self) -> RunRecord:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _close_writer(self, writer: Writer) -> None:
        self._snapshots.settle()
        self._flight = None  # what it carries lies in the writer's queue before all that follows
        if writer.failure is None:
            waiting, self._waiting = self._waiting, []
            writer.wait(self._writing(waiting))
            if self.get("status") == "running":
                writer.wait(lambda connection: folders.put(connection, "status", "paused"))

    def _snapshot_due(self) -> bool:
        """Whether a snapshot is wanted now, where they are rarer than ticks: ticks of large worlds do not wait for company then."""
        return self.cadence.snapshot > 1 and self._written - self._snapshots.last() >= self.cadence.snapshot

    def _digest_due(self, tick: int) -> bool:
        return (tick + 1) % self.cadence.digest == 0

    def _encode(self, record: TickRecord, found: Survey | None) -> EncodedTick:
        replies = self.journal.touched.take(record.tick)
        state = None if found is None else found.digest
        digest = tick_digest(tick_parts(record, replies, state))
        self._chain = link(self._chain, digest)
        return encode_tick(record, (replies, state, self._leaf_changes(found), digest, self._chain))

    def _leaf_changes(self, found: Survey | None) -> str | None:
        """Digests of the state's leaves that changed since the last time, so that a difference can be named."""
        if found is None:
            return None
        before, self._leaves = self._leaves, found.leaves
        if before is None:
            return to_json({"all": found.leaves})
        changed = {path: name for path, name in found.leaves.items() if before.get(path) != name}
        return to_json({"changed": changed, "gone": [path for path in before if path not in found.leaves]})

    async def _flush(self, simulation: Stateful, found: Survey | None, last: bool = False, at_once: bool = True) -> None:
        """Commit the ticks that wait, and take a snapshot after them if one is due. One commit may be on its way meanwhile."""
        assert self._writer is not None
        await self._landed()
        waiting, self._waiting = self._waiting, []
        done = self._written
        due = done - self._snapshots.last() >= self.cadence.snapshot and not self._snapshots.busy
        self._flight = done, self._writer.start(self._writing(waiting))
        if due or last:  # behind the ticks in the writer's queue
            self._snapshots.take(done, found or survey(simulation.state()))
        if at_once or last:
            await self._landed()

    async def _landed(self) -> None:
        """Wait for the commit on its way, if there is one."""
        if self._flight is not None:
            written = asyncio.wrap_future(self._flight[1])
            await asyncio.wait([written])  # who is cancelled here leaves the commit on its way
            written.exception()  # taken note of; the next line raises it
            self._arrived()
            await self._roll()

    def _arrived(self) -> None:
        """Take note of the commit on its way, once it is durable; the writer thread needs nobody for that."""
        if self._flight is not None:
            (done, written), self._flight = self._flight, None
            written.result()
            self._durable = done

    def _writing(self, waiting: list[EncodedTick]) -> Work:
        large, small = parts.divided(waiting)
        for _, _, rows in small:
            self._loose[rows.kind] = self._loose.get(rows.kind, 0) + len(rows)

        def work(connection: sqlite3.Connection) -> None:
            for batches in large:
                parts.write_large(self.folder, connection, batches)
            for tick, place, rows in small:
                write_events(connection, tick, place, rows)
            for encoded in waiting:
                write_tick(connection, encoded, self.journal.count)

        return work

    async def _roll(self) -> None:
        """Move kinds of events that have grown past the limit out of the database."""
        assert self._writer is not None
        for kind in sorted(kind for kind, count in self._loose.items() if count > self.cadence.roll):
            self._loose[kind] = 0
            await self._writer.run(partial(_roll_kind, self.folder, kind))

    def _compare(self, record: TickRecord, simulation: Stateful) -> None:
        found = survey(simulation.state()) if self._digest_due(record.tick) else None
        used = self.journal.touched.upto(record.tick)
        replies = self.journal.touched.take(record.tick)
        record = cleaned(record)
        now = tick_parts(record, replies, None if found is None else found.digest)
        row = self._reader.execute("SELECT digest FROM ticks WHERE tick = ?", (record.tick,)).fetchone()
        if row[0] != tick_digest(now):
            raise ReplayMismatch(explain(self, self._reader, record, now, found, used))

    def _chain_after(self, ticks: int) -> str:
        row = self._reader.execute("SELECT chain FROM ticks WHERE tick = ?", (ticks - 1,)).fetchone()
        return GENESIS if row is None else str(row[0])


_LOOSE = "SELECT kind, sum(count) FROM batches WHERE part IS NULL GROUP BY kind"


def _roll_kind(folder: Path, kind: str, connection: sqlite3.Connection) -> None:
    parts.roll(folder, connection, kind)
