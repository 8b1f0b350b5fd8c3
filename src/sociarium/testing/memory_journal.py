"""A journal in memory with the order of everything that was asked of it, for tests of what uses a journal."""

from __future__ import annotations

import asyncio
import json

from sociarium.kernel.errors import RecordError
from sociarium.kernel.protocols import Address, JournalEntry, Lease, Usage


class MemoryJournal:
    """Keeps the contract of ``kernel.protocols.Journal`` except that it does not outlive the process.

    ``log`` holds ``("started" | "append" | "lease", what)`` in order; a write is noted when it is durable, ``delay`` seconds
    after it was asked for. ``text`` is everything a file of it would hold.
    """

    def __init__(self, *, live: bool = True, delay: float = 0.0) -> None:
        self.live = live
        self.delay = delay
        self.entries: dict[Address, JournalEntry] = {}
        self.log: list[tuple[str, object]] = []
        self._by_key: dict[str, JournalEntry] = {}
        self._leased = Lease()

    def find(self, address: Address) -> JournalEntry | None:
        return self.entries.get(address)

    def known(self, key: str, at: Address | None = None) -> JournalEntry | None:
        return self._by_key.get(key)

    async def append(self, entry: JournalEntry) -> None:
        await asyncio.sleep(self.delay)
        if entry.address in self.entries:
            raise RecordError(f"There is an entry already at: {entry.address}.")
        json.dumps([entry.request, entry.reply, list(entry.attempts)], allow_nan=False, ensure_ascii=False).encode()
        self.entries[entry.address] = entry
        if entry.reply["status"] not in ("timed_out", "failed"):
            self._by_key.setdefault(entry.key, entry)
        self.log.append(("append", entry.address))

    async def lease(self, lease: Lease) -> None:
        await asyncio.sleep(self.delay)
        self._leased = self._leased + lease
        self.log.append(("lease", lease))

    def leased(self) -> Lease:
        return self._leased

    def spent(self) -> Usage:
        return sum((entry.usage for entry in self.entries.values() if entry.source == "live"), Usage())

    async def started(self, address: Address, key: str) -> None:
        self.log.append(("started", address))

    def replay(self) -> MemoryJournal:
        """The same entries, read only: what a replay sees."""
        other = MemoryJournal(live=False)
        other.entries = dict(self.entries)
        return other

    @property
    def text(self) -> str:
        rows = [[str(entry.address), entry.key, entry.request, entry.reply, list(entry.attempts)] for entry in self.entries.values()]
        return json.dumps(rows, ensure_ascii=False)
