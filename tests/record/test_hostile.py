"""A run folder from a stranger: whatever its rows hold, the answer is a value or one RecordError."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sociarium.kernel.errors import SociariumError
from sociarium.record import RunRecord
from sociarium.record.connection import connect_reader
from sociarium.record.doctor import doctor
from sociarium.record.frames import TABLES, frames
from sociarium.record.schema import TABLES as STORED

from .worlds import Village, play

SCALE = int(os.environ.get("SOCIARIUM_TEST_SCALE", "1"))  # nightly runs set it higher
HOSTILE: list[Any] = [
    -1, 1 << 62, 0.5, None, "", "{", "[]", "null", "NaN", '{"vectors":["O",[1]]}', '["../../etc/passwd"]', "../../../etc/passwd",
    '{"$array":["<f8",[99999999999],[]]}', '{"$array":["O",[1],["00"]]}', '[["x","|O",[]]]', "[" * 5000, b"\x80\x04N.", "\x00",
]  # fmt: skip


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sound") / "run"

    async def make() -> None:
        with RunRecord.create(folder, {}, roll_rows=7) as record:
            await play(record, Village(), 8)

    asyncio.run(make())
    return folder


def columns() -> list[tuple[str, str]]:
    connection = sqlite3.connect(":memory:")
    for statement in STORED.values():
        connection.execute(statement)
    return [(table, row[1]) for table in STORED for row in connection.execute(f"PRAGMA table_info({table})")]


@settings(max_examples=40 * SCALE, deadline=None, suppress_health_check=list(HealthCheck))
@given(where=st.sampled_from(columns()), value=st.sampled_from(HOSTILE))
def test_a_hostile_value_anywhere_gives_a_value_or_one_clear_error(sound: Path, tmp_path: Path, where: tuple[str, str], value: Any) -> None:
    shutil.rmtree(tmp_path / "run", ignore_errors=True)
    folder = Path(shutil.copytree(sound, tmp_path / "run"))
    table, column = where
    connection = sqlite3.connect(folder / "run.sqlite")
    try:
        connection.execute(f"UPDATE OR REPLACE {table} SET {column} = ?", (value,))
        connection.commit()
    except sqlite3.Error:
        return  # the schema itself does not take it
    finally:
        connection.close()
    before = sorted(path.name for path in tmp_path.rglob("*"))
    doctor(folder)
    for name in TABLES:
        try:
            found = getattr(frames(folder), name)()
            found.collect() if name == "events" else None
        except SociariumError as error:
            assert len(str(error)) > 20
    try:
        with RunRecord.open(folder, mode="read") as record:
            for tick in range(record.committed()):
                record.tick(tick)
            record.latest_snapshot()
            record.journal.entries()
    except SociariumError as error:
        assert len(str(error)) > 20
    assert sorted(path.name for path in tmp_path.rglob("*")) == before
    connect_reader(sound).close()
