"""Whatever stops a run, what was acknowledged is there, nothing is there twice, and it ends in the digest it would have had."""

from __future__ import annotations

import errno
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from sociarium.kernel.errors import RecordError
from sociarium.kernel.protocols import Address, JournalEntry
from sociarium.record import MemoryRecord, RunRecord, snapshots
from sociarium.record.connection import connect_reader, connect_writer
from sociarium.record.doctor import doctor
from sociarium.record.files import write_file
from sociarium.record.lock import disk_type, is_locked

from .worlds import AGENTS, Village, play, resume

TICKS = 24
CHILD = Path(__file__).with_name("kill_child.py")
SOURCE = str(Path(__file__).parents[2] / "src")


def spawn(folder: Path, acknowledged: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": SOURCE}
    return subprocess.Popen(
        [sys.executable, str(CHILD), str(folder), str(TICKS), str(acknowledged)], stdout=subprocess.PIPE, env=environment
    )


@pytest.mark.parametrize("seed", range(2 * int(os.environ.get("SOCIARIUM_TEST_SCALE", "1"))))
async def test_a_run_killed_at_random_instants_resumes_to_the_same_digest(tmp_path: Path, seed: int) -> None:
    draws = random.Random(seed)
    folder, acknowledged = tmp_path / "run", tmp_path / "acknowledged"
    expected = await play(MemoryRecord(), Village(rows=40_000), TICKS)
    kills = 0
    for _ in range(20):
        child = spawn(folder, acknowledged)
        assert child.stdout is not None
        assert child.stdout.readline() == b"started\n"
        timer = threading.Timer(draws.uniform(0.0, 0.04), child.send_signal, (signal.SIGKILL,))
        if kills < 3:
            timer.start()
        finished = child.stdout.readline() == b"finished\n"
        child.wait()
        timer.cancel()
        kills += child.returncode == -signal.SIGKILL
        with RunRecord.open(folder, mode="read") as record:
            durable = [str(entry.address) for entry in record.journal.entries()]
        told = acknowledged.read_text().splitlines() if acknowledged.exists() else []
        assert set(told) <= set(durable) and len(set(durable)) == len(durable) and len(set(told)) == len(told)
        if finished:
            break
    assert kills
    with RunRecord.open(folder, mode="replay") as record:
        assert record.digest() == expected
        village = Village(rows=40_000)
        assert await play(record, village, TICKS) == expected and village.live_calls == 0
        assert len(record.journal.entries()) == AGENTS * TICKS // 2
    assert {finding.severity for finding in doctor(folder)} <= {"warning"}


async def test_a_call_in_flight_at_a_kill_is_counted_as_lost(tmp_path: Path) -> None:
    with RunRecord.create(tmp_path / "run", {}) as record:
        lost, answered = Address(0, "talk", 0, 0, "agent:1", "act"), Address(0, "talk", 0, 0, "agent:2", "act")
        await record.journal.started(lost, "k1")
        await record.journal.started(answered, "k2")
        await record.journal.append(JournalEntry(answered, "k2", {}, {"status": "ok"}))
        assert record.journal.lost_calls() == 0
    for _ in range(2):
        with RunRecord.open(tmp_path / "run", mode="resume") as record:
            assert record.journal.lost_calls() == 1
            if record.journal.find(lost) is None:
                await record.journal.append(JournalEntry(lost, "k1", {}, {"status": "ok"}))
    assert [finding.what[:7] for finding in doctor(tmp_path / "run") if finding.severity == "warning"] == ["1 calls"]


async def test_replies_that_arrive_together_share_a_commit(tmp_path: Path) -> None:
    import asyncio

    with RunRecord.create(tmp_path / "run", {}) as record:
        assert record._writer is not None
        release = threading.Event()
        record._writer.post(lambda _: release.wait() and None)  # the disk is busy with something
        before = record._writer.groups
        entries = [JournalEntry(Address(0, "talk", 0, 0, f"agent:{n}", "act"), f"k{n}", {}, {"status": "ok"}) for n in range(200)]
        waiting = [asyncio.ensure_future(record.journal.append(entry)) for entry in entries]
        await asyncio.sleep(0)
        release.set()
        await asyncio.gather(*waiting)
        assert record._writer.groups - before <= 2
        assert len(record.journal.entries()) == 200


async def test_an_address_is_asked_once(tmp_path: Path) -> None:
    with RunRecord.create(tmp_path / "run", {}) as record:
        entry = JournalEntry(Address(0, "talk", 0, 0, "judge", "score"), "k", {}, {"status": "ok"})
        await record.journal.append(entry)
        with pytest.raises(RecordError, match=r"already holds a reply at tick 0, talk, lane 0, turn 0, judge, score#0"):
            await record.journal.append(entry)


class FullDisk(sqlite3.Connection):
    """Every commit fails once ``left`` of them have succeeded."""

    left = 1 << 30

    def execute(self, statement: str, *arguments: Any) -> sqlite3.Cursor:
        if statement == "COMMIT":
            if FullDisk.left <= 0:
                raise sqlite3.OperationalError("database or disk is full")
            FullDisk.left -= 1
        return super().execute(statement, *arguments)


def connect_full(folder: Path) -> sqlite3.Connection:
    connect_writer(folder).close()
    return sqlite3.connect(folder / "run.sqlite", isolation_level=None, check_same_thread=False, factory=FullDisk)


@pytest.mark.parametrize("commits", range(1, 9))
async def test_a_full_disk_pauses_the_run_which_then_resumes_the_same(tmp_path: Path, commits: int) -> None:
    ticks = 6
    RunRecord.create(tmp_path / "run", {}).close()
    FullDisk.left = commits
    from sociarium.record.lock import RunLock

    record = RunRecord(tmp_path / "run", "resume", RunLock(tmp_path / "run"), connect_full)
    with pytest.raises(RecordError, match=r"is paused: the disk is full. .* Free some space, then resume the run"):
        await play(record, Village(), ticks)
    with pytest.raises(RecordError, match="is paused"):
        await record.journal.append(JournalEntry(Address(99, "talk", 0, 0, "judge", "score"), "k", {}, {"status": "ok"}))
    record.close()
    assert not [finding for finding in doctor(tmp_path / "run") if finding.severity != "note"]
    with RunRecord.open(tmp_path / "run", mode="resume") as again:
        assert (await resume(again, ticks))[0] == await play(MemoryRecord(), Village(), ticks)


async def test_a_snapshot_that_cannot_be_written_pauses_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    record = RunRecord.create(tmp_path / "run", {})
    monkeypatch.setattr(snapshots, "write_file", full)
    with pytest.raises(RecordError, match="the disk is full"):
        await play(record, Village(rows=100_000), 6)
    record.close()
    monkeypatch.undo()
    with RunRecord.open(tmp_path / "run", mode="resume") as again:
        digest, _ = await resume(again, 6, rows=100_000)
    assert digest == await play(MemoryRecord(), Village(rows=100_000), 6)


def test_a_file_is_whole_or_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_file(tmp_path / "a", b"old")
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(errno.EIO, "Input/output error")))
    with pytest.raises(OSError, match="Input/output"):
        write_file(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"old"


async def test_a_second_writer_is_told_who_the_first_is_and_readers_are_let_in(tmp_path: Path) -> None:
    with RunRecord.create(tmp_path / "run", {}):
        with pytest.raises(RecordError, match=f"is being written by process {os.getpid()} on .* Stop that process first"):
            RunRecord.open(tmp_path / "run", mode="resume")
        assert is_locked(tmp_path / "run")
        RunRecord.open(tmp_path / "run", mode="read").close()
        assert any("being written now" in finding.what for finding in doctor(tmp_path / "run"))
    assert not is_locked(tmp_path / "run")
    RunRecord.open(tmp_path / "run", mode="resume").close()


def test_a_network_disk_is_recognised(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/sda / ext4 rw 0 0\nserver:/x {tmp_path} nfs4 rw 0 0\n")
    assert disk_type(tmp_path / "run", mounts) == "nfs4"
    assert disk_type(Path("/usr"), mounts) == "ext4"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("PRAGMA user_version = 99", "record format 99; this version reads up to 1. Install a newer sociarium"),
        ("PRAGMA application_id = 7", "is not a run of Sociarium"),
        ("CREATE VIEW extra AS SELECT 1", "does not have the tables of record format 1"),
        ("DROP TABLE measures", "does not have the tables of record format 1"),
    ],
)
async def test_a_foreign_or_future_run_gives_one_clear_error(tmp_path: Path, change: str, message: str) -> None:
    RunRecord.create(tmp_path / "run", {}).close()
    connection = sqlite3.connect(tmp_path / "run" / "run.sqlite")
    connection.execute(change)
    connection.commit()
    connection.close()
    for mode in ("resume", "replay", "read"):
        with pytest.raises(RecordError, match=message):
            RunRecord.open(tmp_path / "run", mode=mode)
    assert [finding for finding in doctor(tmp_path / "run") if message in finding.what]


def test_no_run_an_empty_one_and_a_link_give_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"holds no run: it has no run\.sqlite"):
        RunRecord.open(tmp_path, mode="resume")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "run.sqlite").touch()
    with pytest.raises(RecordError, match="its creation was cut short"):
        RunRecord.open(tmp_path, mode="resume")
    RunRecord.create(tmp_path, {}).close()  # a cut creation does not stand in the way
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "run.sqlite").symlink_to(tmp_path / "run.sqlite")
    with pytest.raises(RecordError, match="is a link"):
        connect_reader(tmp_path / "other")
