"""Damage is found: each bit of a closed run, each part and snapshot, and each row of one that was killed."""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
from pathlib import Path

import pytest

from sociarium.kernel.errors import SociariumError
from sociarium.kernel.protocols import Lease
from sociarium.record import RunRecord
from sociarium.record.doctor import doctor

from .worlds import Village, play, resume


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sound") / "run"
    asyncio.run(make(folder))
    return folder


async def make(folder: Path) -> None:
    with RunRecord.create(folder, {}, roll_rows=7, snapshot_every=2) as record:
        await record.journal.lease(Lease(9, 9, 9))
        await play(record, Village(rows=40_000), 8)


def test_a_sound_run_has_no_findings(sound: Path) -> None:
    assert doctor(sound) == []


@pytest.mark.parametrize("seed", range(40))
def test_a_flipped_bit_anywhere_is_found(sound: Path, tmp_path: Path, seed: int) -> None:
    draws = random.Random(seed)
    folder = Path(shutil.copytree(sound, tmp_path / "run"))
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "run.lock")
    assert {path.suffix for path in files} == {".sqlite", ".seal", ".parquet", ".pack"}
    path = draws.choice(files)
    data = bytearray(path.read_bytes())
    place = draws.randrange(len(data))
    data[place] ^= 1 << draws.randrange(8)
    path.write_bytes(data)
    assert [finding for finding in doctor(folder) if finding.severity == "error"], f"{path.name} at byte {place}"


@pytest.mark.parametrize("seed", range(30))
def test_a_flipped_bit_in_a_killed_run_is_found_or_changes_nothing(sound: Path, tmp_path: Path, seed: int) -> None:
    draws = random.Random(seed)
    folder = Path(shutil.copytree(sound, tmp_path / "run"))
    (folder / "run.seal").unlink()
    path = folder / "run.sqlite"
    before = content(path)
    data = bytearray(path.read_bytes())
    data[draws.randrange(len(data))] ^= 1 << draws.randrange(8)
    path.write_bytes(data)
    if not [finding for finding in doctor(folder) if finding.severity == "error"]:
        assert content(path) == before


def content(path: Path) -> list[str]:
    """All that the database says, but for what is derived or only counted."""
    connection = sqlite3.connect(path)
    try:
        return [line for line in connection.iterdump() if '"started"' not in line]
    finally:
        connection.close()


COLUMNS = [
    ("journal", "reply"), ("journal", "money"), ("journal", "key"), ("blocks", "content"), ("ticks", "until"), ("ticks", "chain"),
    ("ticks", "leaves"), ("batches", "audience"), ("events", "data"), ("events", "actor"), ("outcomes", "counts"),
    ("outcome_rows", "reason"),
    ("refusals", "reason"), ("measures", "data"), ("snapshots", "tree"), ("chunks", "start"), ("parts", "checksum"), ("meta", "value"),
    ("leases", "money"), ("held", "chunk"),
]  # fmt: skip


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_a_changed_value_in_any_table_is_found_and_placed(sound: Path, tmp_path: Path, table: str, column: str) -> None:
    folder = Path(shutil.copytree(sound, tmp_path / "run"))
    (folder / "run.seal").unlink()
    connection = sqlite3.connect(folder / "run.sqlite")
    kind = connection.execute(f"SELECT typeof({column}) FROM {table} WHERE {column} IS NOT NULL").fetchone()[0]
    new = f"{column} + 1" if kind == "integer" else f"{column} || ' '" if column != "tree" else "replace(tree, '6', '5')"
    where = f"{column} = (SELECT {column} FROM {table} WHERE {column} IS NOT NULL LIMIT 1)"
    connection.execute(f"UPDATE {table} SET {column} = {new} WHERE {where}")
    connection.commit()
    connection.close()
    errors = [finding for finding in doctor(folder) if finding.severity == "error"]
    if (table, column) in (("events", "data"), ("outcomes", "counts"), ("measures", "data")):
        assert not errors  # a blank after JSON says the same
    else:
        assert errors and all(finding.where and finding.mend for finding in errors)


@pytest.mark.parametrize(
    "table", ["journal", "blocks", "ticks", "batches", "events", "outcomes", "outcome_rows", "measures", "chunks", "parts", "meta"]
)
def test_a_lost_row_is_found(sound: Path, tmp_path: Path, table: str) -> None:
    folder = Path(shutil.copytree(sound, tmp_path / "run"))
    (folder / "run.seal").unlink()
    connection = sqlite3.connect(folder / "run.sqlite")
    order = {"ticks": "tick", "journal": "id"}.get(table, "1")
    connection.execute(f"CREATE TEMP TABLE kept AS SELECT * FROM {table} ORDER BY {order}")
    place = "max(rowid)" if table == "journal" else "(max(rowid) + 1) / 2"  # a journal cut at its end is the hard case
    connection.execute(f"DELETE FROM kept WHERE rowid = (SELECT {place} FROM kept)")
    assert connection.execute("SELECT changes()").fetchone()[0] == 1
    connection.execute(f"DELETE FROM {table}")
    connection.execute(f"INSERT INTO {table} SELECT * FROM kept")
    connection.commit()
    connection.close()
    assert [finding for finding in doctor(folder) if finding.severity == "error"]


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.7, 0.999])
def test_a_cut_database_is_found_and_never_crashes_a_reader(sound: Path, tmp_path: Path, share: float) -> None:
    folder = Path(shutil.copytree(sound, tmp_path / "run"))
    data = (folder / "run.sqlite").read_bytes()
    (folder / "run.sqlite").write_bytes(data[: int(len(data) * share)])
    assert [finding for finding in doctor(folder) if finding.severity == "error"]


async def test_a_damaged_snapshot_costs_time_but_not_truth(sound: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(sound, tmp_path / "run"))
    with RunRecord.open(folder, mode="read") as record:
        recorded = record.digest()
    for pack in (folder / "snapshots").glob("*.pack"):
        pack.write_bytes(b"\0" * pack.stat().st_size)
    with RunRecord.open(folder, mode="resume") as record:
        assert record.latest_snapshot() is None
        assert (await resume(record, 8, rows=40_000))[0] == recorded


def test_files_that_nothing_names_are_notes_and_go_at_the_next_resume(sound: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(sound, tmp_path / "run"))
    orphan = folder / "snapshots" / "000000099.pack.tmp"
    orphan.write_bytes(b"x")
    assert [(finding.severity, finding.where) for finding in doctor(folder)] == [("note", "snapshots/000000099.pack.tmp")]
    RunRecord.open(folder, mode="resume").close()
    assert not orphan.exists() and doctor(folder) == []


def test_a_hostile_folder_ends_in_findings_not_in_a_crash(tmp_path: Path) -> None:
    (tmp_path / "run.sqlite").write_bytes(b"SQLite format 3\0" + bytes(range(256)) * 40)
    assert doctor(tmp_path)
    with pytest.raises(SociariumError):
        RunRecord.open(tmp_path, mode="read")
