"""A tiny simulation with everything a record must hold: calls, text, numbers, recipients, arrays that grow."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np

from sociarium.kernel.protocols import Address, JournalEntry, Usage
from sociarium.kernel.records import EventRows, OutcomeRows, Refusal, TickRecord

AGENTS = 4


class Village:
    """Each tick changes its numbers by what its oracle replies; the state is a function of seed and replies."""

    def __init__(self, seed: int = 1, rows: int = 50, call_every: int = 2, reply_of: Any = None) -> None:
        self.seed, self.call_every = seed, call_every
        self.static = np.arange(rows, dtype=np.float64)
        self.wealth = np.arange(AGENTS, dtype=np.float64)
        self.log = np.empty((0, 2), np.int64)
        self.names = np.array([f"name {row}" for row in range(AGENTS)], dtype=object)
        self.tick = 0
        self.live_calls = 0
        self.reply_of = reply_of or (lambda address: f"reply to {address}")

    def state(self) -> dict[str, Any]:
        population = {
            "tables": {"villager": {"ids": np.arange(AGENTS), "columns": {"wealth": self.wealth.copy(), "name": self.names.copy()}}}
        }
        return {
            "world": {"population": population},
            "static": self.static,
            "log": self.log.copy(),
            "tick": self.tick,
            "notes": ["é", None, 1.5],
        }

    def load(self, state: dict[str, Any]) -> None:
        columns = state["world"]["population"]["tables"]["villager"]["columns"]
        self.wealth, self.names = columns["wealth"], columns["name"]
        self.static, self.log, self.tick = state["static"], state["log"], state["tick"]

    async def ask(self, record: Any, agent: int) -> str:
        address = Address(self.tick, "talk", 0, 0, f"agent:{agent}", "act")
        key = f"{self.seed}-{self.tick}-{agent}"
        entry = record.journal.find(address)
        if entry is None:
            entry = record.journal.known(key)
            if entry is None:
                await record.journal.started(address, key)
                self.live_calls += 1
                reply = {"status": "ok", "text": self.reply_of(address), "vectors": [[0.5, 0.1], [1.0, 2.0]]}
                source = "live"
            else:
                reply, source = entry.reply, "cache"
            request = {"kind": "complete", "blocks": [{"text": "rules", "role": "system"}, {"text": f"agent {agent}", "role": "user"}]}
            entry = JournalEntry(address, key, request, reply, Usage(1, 10, 2, 5, 7, 0.25), ({"error": "429"},), source)
            await record.journal.append(entry)
        assert entry.key == key
        return str(entry.reply["text"])

    async def step(self, record: Any) -> None:
        called = self.tick % self.call_every == 0
        if called:
            replies = await asyncio.gather(*(self.ask(record, agent) for agent in range(AGENTS)))
            self.wealth += [sum(map(ord, reply)) % 17 for reply in replies]
        self.wealth *= 1.1
        self.log = np.concatenate([self.log, [[self.tick, self.seed]]])
        made = self.events()
        self.tick += 1
        await record.commit(made, self)

    def events(self) -> TickRecord:
        tick, count = self.tick, 3
        ids = np.arange(count) + tick * count
        data = {
            "amount": self.wealth[:count].copy(),
            "text": np.array([f"said é {tick}", "", "x"], dtype=object),
            "pair": np.ones((count, 2), np.float32),
        }
        zeros = np.zeros(count, np.int64)
        told = EventRows(
            "village.told",
            "talk",
            ids,
            zeros,
            zeros,
            np.arange(count),
            "some",
            [np.array([1, 2]), np.array([], np.int64), np.array([tick])],
            data,
        )
        outcome = OutcomeRows(
            "talk", 0, {"ok": 3, "failed": 1}, 1, np.array([3]), np.array([0]), np.array([6], np.uint8), np.array([True]), ["no answer"]
        )
        refusal = Refusal("talk", 0, 0, 1, "give", "too poor")
        measures = {"village.wealth": self.wealth.copy(), "village.mean": np.array([self.wealth.mean()])}
        counts, applied, called = {"village.moved": 9}, {"give": 2}, tick % self.call_every == 0
        ended = np.array([tick])
        return TickRecord(tick, tick * 60, tick * 60 + 60, [told], counts, [outcome], applied, [refusal], measures, ended, [], called)


async def play(record: Any, village: Village, ticks: int, finish: bool = True) -> str:
    """From where the village stands to ``ticks``."""
    while village.tick < ticks:
        await village.step(record)
    if finish:
        await record.finish(village)
    return record.digest()


async def resume(record: Any, ticks: int, **options: Any) -> tuple[str, Village]:
    """As the kernel does: the last snapshot, the committed ticks again, then live."""
    village = Village(**options)
    snapshot = record.latest_snapshot()
    if snapshot is not None:
        village.load(snapshot[1])
    return await play(record, village, ticks), village
