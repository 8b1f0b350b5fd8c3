"""A run read as frames: what was committed, whether it lies in the database or in parts, and nothing outside the folder."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from sociarium.kernel.errors import RecordError, UsageError
from sociarium.record import RunRecord
from sociarium.record.frames import frames
from sociarium.record.parts import FIXED

from .worlds import AGENTS, Village, play

TICKS = 5


async def make(folder: Path, **options: int) -> None:
    with RunRecord.create(folder, {}, **options) as record:
        await play(record, Village(), TICKS)


@pytest.mark.parametrize("roll_rows", [1, 7, 1000])
async def test_events_are_equal_in_the_database_and_in_parts(tmp_path: Path, roll_rows: int) -> None:
    await make(tmp_path / "run", roll_rows=roll_rows)
    assert bool(list((tmp_path / "run" / "parts").glob("*.parquet"))) == (roll_rows < 1000)
    found = frames(tmp_path / "run").events("village.told").collect()
    assert found["id"].to_list() == list(range(3 * TICKS))
    assert found["text"].to_list()[::3] == [f"said é {tick}" for tick in range(TICKS)]
    assert found["recipients"].to_list()[:3] == [[1, 2], [], [0]]
    assert found["amount"].dtype == pl.Float64 and not set(found.columns) & {"batch", "place"} and "place" in FIXED
    every = frames(tmp_path / "run").events().collect()
    assert every["kind"].unique().to_list() == ["village.told"] and every["data"].str.json_path_match("$.text")[0] == "said é 0"


async def test_all_tables_and_sql(tmp_path: Path) -> None:
    await make(tmp_path / "run")
    run = frames(tmp_path / "run")
    assert run.ticks()["until"].to_list() == [60 * (tick + 1) for tick in range(TICKS)]
    assert run.calls().height == 3 * AGENTS and run.calls()["text"][0] == "reply to tick 0, talk, lane 0, turn 0, agent:0, act#0"
    assert run.measures().filter(pl.col("name") == "village.wealth").height == AGENTS * TICKS
    assert run.outcomes().filter(pl.col("status") == "failed")["count"].sum() == TICKS
    assert run.outcome_rows()["reason"].unique().to_list() == ["no answer"]
    assert run.refusals()["reason"].unique().to_list() == ["too poor"]
    agents = run.agents()
    assert agents["kind"].to_list() == ["villager"] * AGENTS and agents["name"][2] == "name 2"
    last = run.measures().filter((pl.col("name") == "village.wealth") & (pl.col("tick") == TICKS - 1))
    assert np.array_equal(agents["wealth"].to_numpy(), last["value"].to_numpy())
    assert run.agents(tick=1)["wealth"][0] != agents["wealth"][0]
    total = run.sql('SELECT tick, SUM(amount) AS total FROM "village.told" GROUP BY tick ORDER BY tick')
    assert total.height == TICKS and total["total"][0] > 0
    assert run.sql("SELECT COUNT(*) AS n FROM calls WHERE source = 'live'")["n"][0] == 3 * AGENTS


@pytest.mark.parametrize(
    "query", ["SELECT * FROM read_csv('/etc/passwd')", "select * from Read_Parquet ('x')", "SELEC 1", "SELECT * FROM nothing"]
)
async def test_a_query_reads_tables_only(tmp_path: Path, query: str) -> None:
    await make(tmp_path / "run")
    with pytest.raises(UsageError, match="agents"):
        frames(tmp_path / "run").sql(query)


@pytest.mark.parametrize("file", ["../secret.parquet", "/etc/passwd", "parts/link.parquet", "parts/missing.parquet", "parts/\x00"])
async def test_a_hostile_part_is_not_opened(tmp_path: Path, file: str) -> None:
    await make(tmp_path / "run", roll_rows=1)
    pl.DataFrame({"tick": [1]}).write_parquet(tmp_path / "secret.parquet")
    (tmp_path / "run" / "parts" / "link.parquet").symlink_to(tmp_path / "secret.parquet")
    connection = sqlite3.connect(tmp_path / "run" / "run.sqlite")
    connection.execute("UPDATE parts SET file = ?", (file,))
    connection.commit()
    connection.close()
    with pytest.raises(RecordError, match=r"outside its folder|is missing"):
        frames(tmp_path / "run").events("village.told")


async def test_a_reader_sees_committed_ticks_only_while_the_run_goes_on(tmp_path: Path) -> None:
    with RunRecord.create(tmp_path / "run", {}, tick_group=10) as record:
        village = Village(call_every=3)
        await play(record, village, 3, finish=False)
        assert frames(tmp_path / "run").ticks().height == 1
        await play(record, village, 4, finish=False)
        assert frames(tmp_path / "run").ticks().height == 4
    with pytest.raises(UsageError, match=r"keeps no events 'x'. It keeps: village.told"):
        frames(tmp_path / "run").events("x")
