"""Snapshots: only what is new is written, old ones are thinned out, and a state comes back whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sociarium.record import RunRecord
from sociarium.record.connection import connect_reader
from sociarium.record.manifest import build_manifest, differences

from .worlds import Village, play


async def test_static_columns_are_written_once(tmp_path: Path) -> None:
    rows = 200_000
    with RunRecord.create(tmp_path / "run", {}, tick_group=1) as record:
        await play(record, Village(rows=rows, call_every=100), 6)
    reader = connect_reader(tmp_path / "run")
    assert reader.execute("SELECT sum(bytes) FROM chunks").fetchone()[0] < rows * 8 + 20_000
    assert reader.execute("SELECT count(*) FROM snapshots").fetchone()[0] >= 2
    assert len(list((tmp_path / "run" / "snapshots").glob("*.pack"))) == 1


async def test_snapshots_are_thinned_dense_at_the_end_and_their_chunks_go(tmp_path: Path) -> None:
    with RunRecord.create(tmp_path / "run", {}, tick_group=1, keep_snapshots=4) as record:
        await play(record, Village(call_every=100), 40)
    reader = connect_reader(tmp_path / "run")
    ticks = [ticks for (ticks,) in reader.execute("SELECT ticks FROM snapshots ORDER BY ticks")]
    assert len(ticks) == 4 and ticks[-1] == 40 and ticks[-2] >= 36 and ticks[0] < 30
    unheld = "SELECT count(*) FROM chunks WHERE digest NOT IN (SELECT chunk FROM held)"
    assert reader.execute(unheld).fetchone()[0] == 0


async def test_the_state_at_or_before_a_tick_comes_back(tmp_path: Path) -> None:
    village = Village(call_every=100)
    with RunRecord.create(tmp_path / "run", {}, tick_group=1, snapshot_every=2) as record:
        kept = {}
        while village.tick < 6:
            await village.step(record)
            kept[village.tick] = village.state()
        for limit, ticks in ((6, 6), (5, 4), (2, 2), (None, 6)):
            found = record.latest_snapshot(limit)
            assert found is not None and found[0] == ticks
            columns = found[1]["world"]["population"]["tables"]["villager"]["columns"]
            expected = kept[ticks]["world"]["population"]["tables"]["villager"]["columns"]
            assert np.array_equal(columns["wealth"], expected["wealth"]) and columns["name"].tolist() == expected["name"].tolist()
            assert found[1]["notes"] == ["é", None, 1.5] and found[1]["log"].flags.writeable
        assert record.latest_snapshot(1) is None


def test_a_manifest_says_what_a_replay_needs_and_names_what_changed() -> None:
    made = build_manifest("commons", {"size": 5}, 7, models={"mind": {"digest": "ab"}}, prompts={"act": "cd"})
    assert made["parameters"] == {"size": 5} and made["seed"] == 7 and made["software"]["packages"]["numpy"] == np.__version__
    assert made["machine"]["cores"] >= 1 and made["format"] == 1
    other = {**made, "seed": 8, "models": {"mind": {"digest": "xy"}}, "created": "later"}
    assert differences(made, other) == ["models.mind.digest: 'ab' then, 'xy' now", "seed: 7 then, 8 now"]
