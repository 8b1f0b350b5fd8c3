"""Any order of asking, committing, snapshots, closing, reopening and branching agrees with a plain model (R13)."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from sociarium.kernel.protocols import Address, JournalEntry, Lease
from sociarium.kernel.records import EventRows, TickRecord
from sociarium.record import MemoryRecord, RunRecord
from sociarium.record.branching import branch
from sociarium.record.doctor import doctor

SCALE = int(os.environ.get("SOCIARIUM_TEST_SCALE", "1"))  # nightly runs set it higher


class Counter:
    """A state of a growing table and a text."""

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.text = ""

    def state(self) -> dict[str, Any]:
        return {"rows": np.array(self.rows, np.int64), "text": np.array([self.text], dtype=object), "count": len(self.rows)}


def tick_of(tick: int, rows: list[int], text: str, called: bool) -> TickRecord:
    ids = np.arange(len(rows))
    data = {"value": np.array(rows, np.int64), "text": np.array([text] * len(rows), dtype=object)}
    event = EventRows("counter.grew", "count", ids, ids * 0, ids * 0, ids, "group", None, data)
    return TickRecord(tick, tick, tick + 1, [event], measures={"counter.sum": np.array([float(sum(rows))])}, called=called)


class RecordMachine(RuleBasedStateMachine):
    """The model: entries by address, ticks as they were given, and a record in memory with the same calls."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.base = Path(tempfile.mkdtemp())
        self.number = 0
        self.record: RunRecord | None = None
        self.entries: dict[Address, JournalEntry] = {}
        self.ticks: list[tuple[list[int], str, bool]] = []
        self.states: list[dict[str, Any]] = []
        self.leases = 0

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    @property
    def folder(self) -> Path:
        return self.base / f"run{self.number}"

    @initialize(
        snapshot=st.integers(1, 4), digest=st.integers(1, 3), group=st.integers(1, 4), keep=st.integers(2, 4), roll=st.integers(1, 12)
    )
    def create(self, snapshot: int, digest: int, group: int, keep: int, roll: int) -> None:
        self.digest_every = digest
        self.record = RunRecord.create(
            self.folder,
            {"parameters": {}},
            snapshot_every=snapshot,
            digest_every=digest,
            tick_group=group,
            keep_snapshots=keep,
            roll_rows=roll,
        )
        self.counter = Counter()

    @rule(asker=st.integers(0, 3), text=st.text(max_size=5), vector=st.none() | st.floats(width=32, allow_nan=False))
    def ask(self, asker: int, text: str, vector: float | None) -> None:
        address = Address(len(self.ticks), "count", 0, 0, f"agent:{asker}", "act")
        reply: dict[str, Any] = {"status": "ok", "text": text} | ({} if vector is None else {"vectors": [[vector, 0.1]]})
        entry = JournalEntry(address, f"key {text}", {"blocks": [{"text": text}]}, reply)
        found = self.record.journal.find(address)
        assert (found is not None) == (address in self.entries)
        if found is None:
            self.run(self.record.journal.append(entry))
            self.entries[address] = entry

    @rule(rows=st.lists(st.integers(-9, 9), max_size=6), text=st.text(max_size=4))
    def commit(self, rows: list[int], text: str) -> None:
        tick = len(self.ticks)
        called = any(address.tick == tick for address in self.entries)
        self.counter.rows += rows
        self.counter.text = text
        self.run(self.record.commit(tick_of(tick, rows, text, called), self.counter))
        self.ticks.append((rows, text, called))
        self.states.append(self.counter.state())

    @rule()
    def lease(self) -> None:
        self.run(self.record.journal.lease(Lease(1, 2, 3)))
        self.leases += 1

    @rule()
    def reopen(self) -> None:
        self.record.close()
        assert not [finding for finding in doctor(self.folder) if finding.severity == "error"]
        self.record = RunRecord.open(self.folder, mode="resume")
        assert self.record.committed() == len(self.ticks)
        for address in self.entries:
            if address.tick == len(self.ticks):
                assert self.record.journal.find(address) is not None  # the open tick goes on: its replies are used again

    @rule()
    def replay(self) -> None:
        self.reopen()
        expected = MemoryRecord(digest_every=self.digest_every)
        counter = Counter()
        for entry in self.entries.values():
            if entry.address.tick < len(self.ticks):
                self.run(expected.journal.append(entry))
        with RunRecord.open(self.folder, mode="replay") as record:
            for tick, (rows, text, called) in enumerate(self.ticks):
                for address in self.entries:
                    if address.tick == tick:
                        assert record.journal.find(address) is not None
                counter.rows += rows
                counter.text = text
                self.run(record.commit(tick_of(tick, rows, text, called), counter))
                self.run(expected.commit(tick_of(tick, rows, text, called), counter))
            assert record.digest() == expected.digest()

    @rule(data=st.data())
    def branch(self, data: st.DataObject) -> None:
        self.record.close()
        at = data.draw(st.integers(0, len(self.ticks)))
        source = self.folder
        self.number += 1
        self.record = branch(source, self.folder, at)
        shutil.rmtree(source)
        later = [entry for address, entry in self.entries.items() if address.tick >= at]
        for entry in later:
            known = self.record.journal.known(entry.key, entry.address)
            assert known is not None and known.reply == entry.reply
        self.entries = {address: entry for address, entry in self.entries.items() if address.tick < at}
        self.ticks, self.states, self.leases = self.ticks[:at], self.states[:at], 0
        self.counter = Counter()
        for rows, text, _ in self.ticks:
            self.counter.rows += rows
            self.counter.text = text

    @invariant()
    def entries_agree(self) -> None:
        if self.record is None:
            return
        found = {entry.address: entry for entry in self.record.journal.entries()}
        assert {address: (entry.key, entry.reply, entry.request) for address, entry in found.items()} == {
            address: (entry.key, entry.reply, entry.request) for address, entry in self.entries.items()
        }
        assert self.record.journal.leased() == Lease(self.leases, 2 * self.leases, 3 * self.leases)

    @invariant()
    def ticks_and_snapshots_agree(self) -> None:
        if self.record is None:
            return
        for tick in range(self.record.committed()):
            record = self.record.tick(tick)
            assert record.events[0].data["value"].tolist() == self.ticks[tick][0]
            assert record.events[0].data["text"].tolist() == [self.ticks[tick][1]] * len(self.ticks[tick][0])
        found = self.record.latest_snapshot()
        if found is not None:
            ticks, state = found
            assert 0 < ticks <= self.record.committed()
            assert state["rows"].tolist() == self.states[ticks - 1]["rows"].tolist()
            assert state["text"].tolist() == self.states[ticks - 1]["text"].tolist()

    def teardown(self) -> None:
        if self.record is not None:
            self.record.close()
        self.loop.close()
        shutil.rmtree(self.base)


RecordMachine.TestCase.settings = settings(
    max_examples=5 * SCALE, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True
)
TestRecordMachine = RecordMachine.TestCase
