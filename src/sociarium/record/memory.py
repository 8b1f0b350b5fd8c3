"""A record in memory with the same digests as one on disk: for tests, what-if branches and planning."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sociarium.kernel.errors import RecordError, ReplayMismatch
from sociarium.kernel.protocols import Address, JournalEntry, Lease, Usage
from sociarium.kernel.records import TickRecord
from sociarium.record.digest import hash_items
from sociarium.record.journal import Replies, decode_entry, encode_entry, reply_digest
from sociarium.record.ticks import GENESIS, cleaned, difference, link, tick_digest, tick_parts
from sociarium.record.tree import survey


class MemoryJournal:
    """Implements ``kernel.protocols.Journal``. ``inherited`` are replies to take by key, as a branch does."""

    def __init__(self, entries: Sequence[JournalEntry] = (), inherited: Sequence[JournalEntry] = (), live: bool = True) -> None:
        self.live = live
        self.touched = Replies()
        self._entries = {entry.address: entry for entry in entries}
        self._keys: dict[str, list[JournalEntry]] = {}
        for entry in (*entries, *inherited):
            self._keys.setdefault(entry.key, []).append(entry)
        self._started: set[Address] = set()
        self._leased = Lease()
        self._spent = sum((entry.usage for entry in entries if entry.source == "live"), Usage())

    def find(self, address: Address) -> JournalEntry | None:
        entry = self._entries.get(address)
        if entry is not None:
            self._touch(entry)
        return entry

    def known(self, key: str, at: Address | None = None) -> JournalEntry | None:
        found = self._keys.get(key)
        if not found:
            return None
        return min(found, key=lambda entry: (entry.address != at, entry.reply.get("status", "ok") not in ("ok", "repaired")))

    async def append(self, entry: JournalEntry) -> None:
        if entry.address in self._entries:
            raise RecordError(f"The journal already holds a reply at {entry.address}. An address is asked once; number parallel questions.")
        row, blocks = encode_entry(entry)
        kept = decode_entry((0, *row), lambda digest: json.loads(blocks[digest]))  # what a record on disk would give back
        self._entries[entry.address] = kept
        self._keys.setdefault(entry.key, []).append(kept)
        self._started.discard(entry.address)
        self._touch(kept)
        if entry.source == "live":
            self._spent = self._spent + entry.usage

    async def lease(self, lease: Lease) -> None:
        self._leased = self._leased + lease

    def leased(self) -> Lease:
        return self._leased

    def spent(self) -> Usage:
        return self._spent

    async def started(self, address: Address, key: str) -> None:
        self._started.add(address)

    def lost_calls(self) -> int:
        return 0

    def entries(self) -> list[JournalEntry]:
        """All entries in order of address."""
        return [self._entries[address] for address in sorted(self._entries)]

    def _touch(self, entry: JournalEntry) -> None:
        row, _ = encode_entry(entry)
        self.touched.add(entry.address, reply_digest(row[10], row[11]))


@dataclass
class MemoryRecord:
    """Implements ``kernel.protocols.Recorder``. Ticks are kept as cleaned records, with their digests."""

    digest_every: int = 1
    journal: MemoryJournal = field(default_factory=MemoryJournal)
    ticks: list[TickRecord] = field(default_factory=list[TickRecord])
    digests: list[str] = field(default_factory=list[str])
    facts: dict[str, Any] = field(default_factory=dict[str, Any])
    manifest: dict[str, Any] = field(default_factory=dict[str, Any])
    keep_ticks: bool = True
    first: int = 0  # the tick this record starts at (a fork starts late)
    _chain: str = GENESIS
    _final: str | None = None
    _parts: dict[str, str] = field(default_factory=dict[str, str])

    def committed(self) -> int:
        return self.first + len(self.digests)

    def latest_snapshot(self, at_or_before: int | None = None) -> tuple[int, dict[str, Any]] | None:
        return None

    async def commit(self, record: TickRecord, simulation: Any) -> None:
        record = cleaned(record)
        state = survey(simulation.state()).digest if (record.tick + 1) % self.digest_every == 0 else None
        parts = tick_parts(record, self.journal.touched.take(record.tick), state)
        digest = tick_digest(parts)
        place = record.tick - self.first
        if 0 <= place < len(self.digests):
            if self.digests[place] != digest:
                old = self.ticks[place] if self.keep_ticks else None
                what = difference(tick_parts(old, parts["replies"], state), parts) if old else "its digest"
                raise ReplayMismatch(f"Tick {record.tick} does not repeat: {what}.")
            return
        if record.tick != self.committed():
            raise RecordError(f"Tick {record.tick} was committed after tick {self.committed() - 1}: ticks are committed in order.")
        self.digests.append(digest)
        self._chain = link(self._chain, digest)
        if self.keep_ticks:
            self.ticks.append(record)

    async def finish(self, simulation: Any) -> None:
        replies = self.journal.touched.take(None)
        self._final = hash_items("run", (self._chain, replies, survey(simulation.state()).digest))
        self.facts["status"] = "finished"

    def digest(self) -> str:
        return self._final or self._chain

    def tick(self, tick: int) -> TickRecord:
        return self.ticks[tick - self.first]

    def set(self, key: str, value: Any) -> None:
        self.facts[key] = value

    def get(self, key: str) -> Any:
        return self.facts.get(key)

    def close(self) -> None:
        """Nothing to let go of."""
