"""The one thread that writes a run's database. What arrives while it syncs goes into its next transaction, together."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from sociarium.kernel.errors import RecordError
from sociarium.record.connection import connect_writer

Work = Callable[[sqlite3.Connection], Any]
NOTE_DELAY = 0.05  # seconds that a note may wait for company before it is written
GROUP_LIMIT = 4096  # jobs in one transaction


@dataclass(slots=True)
class _Job:
    work: Work
    waiter: asyncio.Future[Any] | Future[Any] | None
    result: Any = None


class Writer:
    """``run`` is awaited from the event loop, ``wait`` blocks, ``note`` waits for nothing; all keep their order.

    After a failed transaction the writer is paused: every later call raises the same RecordError, nothing more is written,
    and what was committed before stays readable.
    """

    def __init__(self, folder: Path, connect: Callable[[Path], sqlite3.Connection] = connect_writer) -> None:
        self.failure: RecordError | None = None
        self.groups = 0  # transactions committed
        self._folder = folder
        self._connect = connect
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._notes: list[_Job] = []
        self._timer: asyncio.TimerHandle | None = None
        self._timed_by: asyncio.AbstractEventLoop | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._main, name="sociarium-writer", daemon=True)
        self._thread.start()

    async def run(self, work: Work) -> Any:
        """Durable when it returns."""
        return await self.begin(work)

    def begin(self, work: Work) -> asyncio.Future[Any]:
        """Take a place in the queue now; await the result for durability."""
        waiter = asyncio.get_running_loop().create_future()
        self._submit(_Job(work, waiter))
        return waiter

    def start(self, work: Work) -> Future[Any]:
        """The same for whoever may ask later, from any event loop or none."""
        waiter: Future[Any] = Future()
        self._submit(_Job(work, waiter))
        return waiter

    def wait(self, work: Work) -> Any:
        """The same for code outside the event loop."""
        return self.start(work).result()

    def post(self, work: Work) -> None:
        """In order with the rest, and nobody waits; a failure shows in the next call."""
        self._submit(_Job(work, None))

    def note(self, work: Work) -> None:
        """Need not be durable at once: it goes along with the next transaction, or alone after a short while."""
        self._check()
        self._notes.append(_Job(work, None))
        loop = asyncio.get_running_loop()
        if self._timer is None or self._timed_by is not loop:  # a loop that has ended takes its timer along
            self._timer, self._timed_by = loop.call_later(NOTE_DELAY, self._due), loop

    def fail(self, error: RecordError) -> None:
        """Pause: something written beside the database (a part, a snapshot) could not be."""
        self.failure = self.failure or error

    def close(self) -> None:
        """Write what is left and end the thread."""
        if self._closed:
            return
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._flush_notes()
        self._queue.put(None)
        self._thread.join()

    def _check(self) -> None:
        if self.failure is not None:
            raise self.failure
        if self._closed:
            raise RecordError(f"The run in {self._folder} is closed. Open it again to write to it.")

    def _submit(self, job: _Job) -> None:
        self._check()
        self._flush_notes()
        self._queue.put(job)

    def _due(self) -> None:
        self._timer = None
        self._flush_notes()

    def _flush_notes(self) -> None:
        """The timer is left standing: to stop and start one a call would be dear."""
        for job in self._notes:
            self._queue.put(job)
        self._notes.clear()

    def _main(self) -> None:
        connection: sqlite3.Connection | None = None
        group: list[_Job] = []
        open_ = True
        try:
            connection = self._try_connect()
            while open_:
                group, open_ = self._gather()
                self._commit(connection, group)
                _resolve(group, self.failure)
                group = []
        finally:
            if open_ and self.failure is None:
                self.failure = RecordError(f"The writer of {self._folder} stopped by a fault of its own. Resume the run from its folder.")
            _resolve([*group, *self._rest()], self.failure)
            if connection is not None:
                self._take_log_back(connection)
                connection.close()

    def _take_log_back(self, connection: sqlite3.Connection) -> None:
        """A closed run is one file, readable also from a read-only disk. Where others read on, the log just stays."""
        if self.failure is None:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("PRAGMA busy_timeout = 0")
                connection.execute("PRAGMA journal_mode = DELETE")

    def _try_connect(self) -> sqlite3.Connection | None:
        try:
            return self._connect(self._folder)
        except (sqlite3.Error, OSError, RecordError) as error:
            self.fail(write_error(self._folder, error))
            return None

    def _gather(self) -> tuple[list[_Job], bool]:
        group: list[_Job] = []
        job = self._queue.get()
        with contextlib.suppress(Empty):
            while job is not None and len(group) < GROUP_LIMIT:
                group.append(job)
                job = self._queue.get_nowait()
            if job is not None:
                group.append(job)
                return group, True
            return group, False
        return group, True

    def _commit(self, connection: sqlite3.Connection | None, group: list[_Job]) -> None:
        if self.failure is not None or connection is None or not group:
            return
        try:
            connection.execute("BEGIN IMMEDIATE")
            for job in group:
                job.result = job.work(connection)
            connection.execute("COMMIT")
            self.groups += 1
        except (sqlite3.Error, OSError, RecordError) as error:
            self.fail(write_error(self._folder, error))
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")

    def _rest(self) -> Iterable[_Job]:
        with contextlib.suppress(Empty):
            while True:
                job = self._queue.get_nowait()
                if job is not None:
                    yield job


def write_error(folder: Path, error: Exception) -> RecordError:
    """What a user is told when the disk refuses."""
    if isinstance(error, RecordError):
        return error
    text = str(error)
    if "full" in text or "No space" in text:
        cause, mend = "the disk is full", "Free some space"
    elif "readonly" in text or "Permission" in text:
        cause, mend = "the folder cannot be written", "Check its permissions"
    elif "locked" in text:
        cause, mend = "another process holds its database", "End that process"
    else:
        cause, mend = f"the disk failed ({text})", "Check the disk"
    return RecordError(
        f"The run in {folder} is paused: {cause}. What was committed before is safe and readable. {mend}, then resume the run."
    )


def _resolve(group: list[_Job], failure: RecordError | None) -> None:
    """Wake the waiters, with one call a loop."""
    loops: dict[asyncio.AbstractEventLoop, list[_Job]] = {}
    for job in group:
        waiter = job.waiter
        if isinstance(waiter, Future):
            _settle(job, failure)
        elif waiter is not None:
            loops.setdefault(waiter.get_loop(), []).append(job)
    for loop, jobs in loops.items():
        with contextlib.suppress(RuntimeError):  # the loop has ended, and its waiters with it
            loop.call_soon_threadsafe(_settle_all, jobs, failure)


def _settle_all(jobs: list[_Job], failure: RecordError | None) -> None:
    for job in jobs:
        _settle(job, failure)


def _settle(job: _Job, failure: RecordError | None) -> None:
    waiter = job.waiter
    if waiter is None or waiter.done():
        return
    if failure is not None:
        waiter.set_exception(RecordError(str(failure)))
    else:
        waiter.set_result(job.result)
