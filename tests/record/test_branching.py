"""A branch shares its parent's past at the same addresses, and pays only for what its change changes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sociarium.kernel.errors import RecordError
from sociarium.record import RunRecord
from sociarium.record.branching import branch
from sociarium.record.doctor import doctor

from .worlds import AGENTS, Village, play, resume

TICKS = 7


async def parent(folder: Path, **options: int) -> str:
    with RunRecord.create(folder, {"parameters": {"tax": 1, "size": 4}}, **options) as record:
        return await play(record, Village(), TICKS)


@pytest.mark.parametrize("at", [0, 1, 4, TICKS])
async def test_a_branch_without_a_change_is_the_same_run_and_costs_nothing(tmp_path: Path, at: int) -> None:
    digest = await parent(tmp_path / "parent", snapshot_every=3, roll_rows=5)
    made = branch(tmp_path / "parent", tmp_path / "child", at, {"tax": 2})
    shutil.rmtree(tmp_path / "parent")  # it stands alone
    with made as record:
        assert record.committed() == at
        assert record.manifest["parameters"] == {"tax": 2, "size": 4}
        assert record.manifest["parent"] == {"name": "parent", "digest": digest, "at": at}
        found, village = await resume(record, TICKS)
        assert found == digest and village.live_calls == 0 and record.journal.spent().calls == 0
    assert doctor(tmp_path / "child") == []


async def test_a_change_shows_from_its_tick_on_and_pays_only_for_itself(tmp_path: Path) -> None:
    await parent(tmp_path / "parent")
    with branch(tmp_path / "parent", tmp_path / "child", 3) as record:
        village = Village()
        snapshot = record.latest_snapshot()
        assert snapshot is not None and snapshot[0] == 3
        village.load(snapshot[1])
        village.wealth += 100
        digest = await play(record, village, TICKS)
        assert village.live_calls == 0  # the same questions, though answered to richer agents
    with RunRecord.open(tmp_path / "parent", mode="read") as old, RunRecord.open(tmp_path / "child", mode="read") as new:
        assert old.digest() != digest
        chains = [[row[0] for row in run._reader.execute("SELECT chain FROM ticks ORDER BY tick")] for run in (old, new)]
        assert chains[0][:3] == chains[1][:3] and chains[0][3] != chains[1][3]


async def test_other_questions_are_asked_live(tmp_path: Path) -> None:
    await parent(tmp_path / "parent")
    with branch(tmp_path / "parent", tmp_path / "child", 3) as record:
        village = Village(seed=2)
        village.tick = 4
        assert await village.ask(record, 0)
        assert village.live_calls == 1 < AGENTS


async def test_a_branch_from_a_branch_keeps_all_replies(tmp_path: Path) -> None:
    digest = await parent(tmp_path / "parent")
    branch(tmp_path / "parent", tmp_path / "child", 2).close()
    with branch(tmp_path / "child", tmp_path / "grandchild", 1) as record:
        found, village = await resume(record, TICKS)
    assert found == digest and village.live_calls == 0


async def test_a_branch_beyond_the_end_or_over_a_run_is_refused(tmp_path: Path) -> None:
    await parent(tmp_path / "parent")
    with pytest.raises(RecordError, match="has 7 ticks: a branch can start at 0 to 7, not 8"):
        branch(tmp_path / "parent", tmp_path / "child", 8)
    with pytest.raises(RecordError, match="holds a run already"):
        branch(tmp_path / "parent", tmp_path / "parent", 2)
