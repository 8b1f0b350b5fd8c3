"""A run is created, written, closed, resumed, replayed; it is the same run each time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sociarium.kernel.errors import RecordError, ReplayMismatch
from sociarium.kernel.protocols import Address, JournalEntry, Lease, Usage
from sociarium.record import MemoryRecord, RunRecord

from .worlds import AGENTS, Village, play, resume

TICKS = 7


async def reference(ticks: int = TICKS) -> str:
    return await play(MemoryRecord(), Village(), ticks)


async def test_disk_memory_replay_and_resume_end_in_one_digest(tmp_path: Path) -> None:
    with RunRecord.create(tmp_path / "run", {"seed": 1}) as record:
        written = await play(record, Village(), TICKS)
    assert written == await reference()
    with RunRecord.open(tmp_path / "run", mode="replay") as record:
        village = Village()
        assert await play(record, village, TICKS) == written
        assert village.live_calls == 0 and record.manifest == {"seed": 1}
    with RunRecord.open(tmp_path / "run", mode="resume") as record:
        assert (await resume(record, TICKS))[0] == written
        assert record.get("status") == "finished"


@pytest.mark.parametrize("stop", range(TICKS))
async def test_a_stopped_run_resumes_to_the_digest_it_would_have_had(tmp_path: Path, stop: int) -> None:
    with RunRecord.create(tmp_path / "run", {}, snapshot_every=2, digest_every=3) as record:
        await play(record, Village(), stop, finish=False)
    with RunRecord.open(tmp_path / "run", mode="resume") as record:
        assert record.committed() == stop  # closing writes what waits
        digest, village = await resume(record, TICKS)
    assert digest == await play(MemoryRecord(digest_every=3), Village(), TICKS)
    assert village.live_calls == AGENTS * len([tick for tick in range(stop, TICKS) if tick % 2 == 0])


async def test_ticks_without_calls_share_a_commit_and_ticks_with_calls_do_not_wait(tmp_path: Path) -> None:
    with RunRecord.create(tmp_path / "run", {}, tick_group=4) as record:
        village = Village(call_every=100)
        await play(record, village, 1, finish=False)
        assert record.committed() == 1
        await play(record, village, 4, finish=False)
        assert record.committed() == 1
        await play(record, village, 5, finish=False)
        assert record.committed() == 5


async def test_a_tick_reads_back_as_it_was_committed(tmp_path: Path) -> None:
    with RunRecord.create(tmp_path / "run", {}) as record:
        village = Village()
        wealth = None
        while village.tick < 3:
            await village.step(record)
            wealth = village.wealth.copy()
        tick = record.tick(2)
        assert wealth is not None and np.array_equal(tick.measures["village.wealth"], wealth)
        assert tick.events[0].data["text"].tolist() == ["said é 2", "", "x"]
        assert [some.tolist() for some in tick.events[0].recipients or []] == [[1, 2], [], [2]]
        assert tick.events[0].data["pair"].dtype == np.float32 and tick.events[0].data["pair"].shape == (3, 2)
        assert tick.outcomes[0].reasons == ["no answer"] and tick.refusals[0].reason == "too poor"
        assert tick.counts == {"village.moved": 9} and tick.applied == {"give": 2} and tick.ended.tolist() == [2]
        with pytest.raises(RecordError, match="there is no tick 3"):
            record.tick(3)


@pytest.mark.parametrize(
    ("column", "named"), [("static", "state .*/static"), ("wealth", r"column amount \(row 1: "), ("log", "state .*/log")]
)
async def test_a_difference_is_named(tmp_path: Path, column: str, named: str) -> None:
    with RunRecord.create(tmp_path / "run", {}) as record:
        await play(record, Village(call_every=100), 3)
    with RunRecord.open(tmp_path / "run", mode="replay") as record:
        village = Village(call_every=100)
        await village.step(record)
        getattr(village, column)[..., -3:] += 1
        with pytest.raises(ReplayMismatch, match=f"Tick 1 .*{named}"):
            await village.step(record)


async def test_a_reply_that_is_no_longer_asked_for_is_named(tmp_path: Path) -> None:
    with RunRecord.create(tmp_path / "run", {}) as record:
        await play(record, Village(), 2)
    with RunRecord.open(tmp_path / "run", mode="replay") as record:
        village = Village()
        for agent in range(AGENTS - 1):
            await village.ask(record, agent)
        made = village.events()
        with pytest.raises(ReplayMismatch, match=r"replies .*agent:3, act#0 was asked then, not now"):
            await record.commit(made, village)


async def test_replay_neither_writes_nor_goes_past_the_end(tmp_path: Path) -> None:
    with RunRecord.create(tmp_path / "run", {}) as record:
        await play(record, Village(), 2, finish=False)
    before = (tmp_path / "run" / "run.sqlite").read_bytes()
    with RunRecord.open(tmp_path / "run", mode="replay") as record:
        village = Village(call_every=2)
        await play(record, village, 2, finish=False)
        entry = JournalEntry(Address(9, "talk", 0, 0, "judge", "score"), "k", {}, {"status": "ok"})
        with pytest.raises(RecordError, match="opened for reading"):
            await record.journal.append(entry)
        village.call_every = 100
        with pytest.raises(ReplayMismatch, match="has 2 ticks, but the replay goes on"):
            await village.step(record)
        with pytest.raises(RecordError, match="nothing can be set"):
            record.set("status", "finished")
    assert (tmp_path / "run" / "run.sqlite").read_bytes() == before


async def test_facts_leases_and_spending_survive(tmp_path: Path) -> None:
    with RunRecord.create(tmp_path / "run", {}) as record:
        await play(record, Village(), 1, finish=False)
        await record.journal.lease(Lease(5, 100, 7))
        await record.journal.lease(Lease(1, 1, 1))
        record.set("summary", {"mean": 0.5})
    with RunRecord.open(tmp_path / "run", mode="read") as record:
        assert record.journal.leased() == Lease(6, 101, 8)
        assert record.journal.spent() == Usage(4, 40, 8, 20, 28, 1.0)
        assert record.get("summary") == '{"mean":0.5}'
        assert record.get("status") == "paused"


async def test_ticks_come_in_order(tmp_path: Path) -> None:
    with RunRecord.create(tmp_path / "run", {}) as record:
        village = Village(call_every=100)
        village.tick = 3
        with pytest.raises(RecordError, match="committed in order"):
            await village.step(record)


async def test_creating_over_a_run_is_refused_and_the_run_is_untouched(tmp_path: Path) -> None:
    with RunRecord.create(tmp_path / "run", {"seed": 4}):
        pass
    with pytest.raises(RecordError, match="holds a run already"):
        RunRecord.create(tmp_path / "run", {})
    with RunRecord.open(tmp_path / "run", mode="read") as record:
        assert record.manifest == {"seed": 4}
