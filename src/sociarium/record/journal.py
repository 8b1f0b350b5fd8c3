"""The journal: each final reply from outside, durable under its address before anyone acts on it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np

from sociarium.kernel.errors import RecordError
from sociarium.kernel.identity import ByIdentity
from sociarium.kernel.protocols import Address, JournalEntry, Lease, Plain, Usage
from sociarium.record.connection import reading
from sociarium.record.digest import hash_bytes, hash_items, to_json
from sociarium.record.schema import seal
from sociarium.record.writer import Writer

ADDRESS = "tick = ? AND phase = ? AND lane = ? AND turn = ? AND asker = ? AND label = ? AND number = ? AND repair = ?"
BLOCK_LISTS = ("blocks", "neutral")  # entries of a request that are lists of blocks
KNOWN_BLOCKS = 1 << 17  # digests remembered as stored; past it they are offered to the database again
Row = tuple[Any, ...]  # the columns of ``journal`` between id and seal


class RunJournal:
    """Implements ``kernel.protocols.Journal`` over a run's database."""

    def __init__(self, folder: Path, reader: sqlite3.Connection, writer: Writer | None, live: bool) -> None:
        self.live = live
        self.touched = Replies()
        self._folder = folder
        self._reader = reader
        self._writer = writer
        self._pending: set[Address] = set()
        self._stored_blocks: set[str] = set()
        one = reader.execute("SELECT max(tick), max(id) FROM journal").fetchone()
        self._opened_at = -1 if one[0] is None else int(one[0])
        self.count = int(one[1] or 0)
        self._head = _head(reader, self.count)
        self._inherits = reader.execute("SELECT 1 FROM inherited LIMIT 1").fetchone() is not None
        self._spent = _spent(reader)
        self._keys = Keys(str(key) for (key,) in reader.execute("SELECT key FROM journal UNION ALL SELECT key FROM inherited"))
        self._leased = Lease(*map(int, reader.execute("SELECT total(calls), total(tokens), total(money) FROM leases").fetchone()))

    def find(self, address: Address) -> JournalEntry | None:
        """The entry at an address. The reply counts as used: the digest of its tick covers it."""
        if self._is_fresh(address) and address not in self.touched:
            return None
        row = self._reader.execute(f"SELECT * FROM journal WHERE {ADDRESS}", place_of(address)).fetchone()
        if row is None:
            return None
        entry = self._entry(row)
        self.touched.add(address, reply_digest(row[11], row[12]))
        return entry

    def known(self, key: str, at: Address | None = None) -> JournalEntry | None:
        """A reply under this key, this run's or an inherited one; ``at`` prefers the one at an equal address, then good ones."""
        if key not in self._keys:
            return None
        rows = self._reader.execute("SELECT * FROM journal WHERE key = ? ORDER BY id LIMIT 64", (key,)).fetchall()
        if self._inherits:
            rows += self._reader.execute("SELECT * FROM inherited WHERE key = ? ORDER BY id LIMIT 64", (key,)).fetchall()
        if not rows:
            return None
        place = None if at is None else place_of(at)
        with reading(self._folder):
            return self._entry(min(rows, key=lambda row: (tuple(row[1:9]) != place, not _good(row[11]))))

    async def append(self, entry: JournalEntry) -> None:
        """Durable when it returns. A second entry at one address is a RecordError."""
        writer = self._writing()
        address = entry.address
        if address in self._pending or (address in self.touched if self._is_fresh(address) else self._exists(address)):
            raise RecordError(f"The journal already holds a reply at {address}. An address is asked once; number parallel questions.")
        row, blocks = encode_entry(entry)
        self._pending.add(address)
        try:
            await writer.run(lambda connection: self._insert(connection, row, blocks))
        finally:
            self._pending.discard(address)
        self.touched.add(address, reply_digest(row[10], row[11]))
        self._keys.add(entry.key)
        if entry.source == "live":
            self._spent = self._spent + entry.usage

    async def lease(self, lease: Lease) -> None:
        """Durable when it returns."""
        fields = (int(lease.calls), int(lease.tokens), int(lease.money))
        statement = "INSERT INTO leases (calls, tokens, money, seal) VALUES (?,?,?,?)"
        await self._writing().run(lambda connection: connection.execute(statement, (*fields, seal(*fields))) and None)
        self._leased = self._leased + Lease(*fields)

    def leased(self) -> Lease:
        return self._leased

    def spent(self) -> Usage:
        return self._spent

    async def started(self, address: Address, key: str) -> None:
        """Note a call about to go out. It is written with the next group."""
        fields = (*place_of(address), key)
        self._writing().note(lambda connection: connection.execute(f"{_STARTED} VALUES (?,?,?,?,?,?,?,?,?,0)", fields) and None)

    def lost_calls(self) -> int:
        """Calls of earlier sessions that went out and whose replies were lost in a kill: they may have been billed."""
        return int(self._reader.execute("SELECT count(*) FROM started WHERE lost = 1").fetchone()[0])

    def addresses(self, tick: int) -> dict[Address, str]:
        """Addresses journalled under a tick, with the digest of each reply."""
        rows = self._reader.execute("SELECT * FROM journal WHERE tick = ?", (tick,))
        return {Address(*row[1:9]): reply_digest(row[11], row[12]) for row in rows}

    def entries(self) -> list[JournalEntry]:
        """All entries in order of address."""
        rows = self._reader.execute("SELECT * FROM journal").fetchall()
        return sorted((self._entry(row) for row in rows), key=lambda entry: entry.address)

    def _entry(self, row: Row) -> JournalEntry:
        with reading(self._folder):
            return decode_entry(row, partial(_block, self._reader))

    def _is_fresh(self, address: Address) -> bool:
        """Whether all that was ever journalled under its tick is in ``touched``: then the database need not be asked."""
        return address.tick > max(self._opened_at, self.touched.taken)

    def _exists(self, address: Address) -> bool:
        return self._reader.execute(f"SELECT 1 FROM journal WHERE {ADDRESS}", place_of(address)).fetchone() is not None

    def _writing(self) -> Writer:
        if self._writer is None:
            raise RecordError("This run is opened for reading: nothing can be asked or journalled. Resume it to go on.")
        return self._writer

    def _insert(self, connection: sqlite3.Connection, row: Row, blocks: Mapping[str, str]) -> None:
        """In the writer's thread: rows are sealed in the order in which they are written, each over the one before."""
        fresh = [(digest, content) for digest, content in blocks.items() if digest not in self._stored_blocks]
        if fresh:
            connection.executemany("INSERT OR IGNORE INTO blocks VALUES (?,?)", fresh)
            if len(self._stored_blocks) > KNOWN_BLOCKS:
                self._stored_blocks.clear()
            self._stored_blocks.update(digest for digest, _ in fresh)
        self._head = insert_sealed(connection, self._head, row)
        connection.execute(f"DELETE FROM started WHERE lost = 0 AND {ADDRESS}", row[:8])
        self.count += 1


class Replies:
    """Digests of the replies used since the last commit, by address: order of arrival never shows."""

    def __init__(self) -> None:
        self._used: dict[Address, str] = {}
        self.taken = -1  # the last tick whose replies were taken

    def __contains__(self, address: Address) -> bool:
        return address in self._used

    def __bool__(self) -> bool:
        return bool(self._used)

    def add(self, address: Address, digest: str) -> None:
        self._used[address] = digest

    def upto(self, tick: int | None) -> dict[Address, str]:
        """The replies used for this tick or an earlier one (None: all), without those already taken."""
        return {address: self._used[address] for address in sorted(self._used) if tick is None or address.tick <= tick}

    def take(self, tick: int | None) -> str:
        """Their digest; they are forgotten."""
        used = self.upto(tick)
        self.taken = (1 << 62) if tick is None else max(self.taken, tick)
        for address in used:
            del self._used[address]
        return hash_items("replies", (item for address, digest in used.items() for item in (to_json(place_of(address)), digest)))


def encode_entry(entry: JournalEntry) -> tuple[Row, dict[str, str]]:
    """The row without id and seal, and the blocks it names, by digest."""
    blocks: dict[str, str] = {}
    request = dict(entry.request)
    for name in BLOCK_LISTS:
        if isinstance(request.get(name), list | tuple):
            request[name] = [_intern(block, blocks) for block in request[name]]
    if isinstance(request.get("schema"), Mapping):
        request["schema"] = _intern(request["schema"], blocks)
    reply, vectors = _split_vectors(entry.reply)
    usage = entry.usage
    spent = (usage.calls, usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens, usage.money)
    attempts = to_json([dict(attempt) for attempt in entry.attempts]) if entry.attempts else "[]"
    texts = (entry.key, to_json(request), to_json(reply, sort=True))
    return (*place_of(entry.address), *texts, vectors, *map(int, spent), float(usage.seconds), attempts, entry.source), blocks


def decode_entry(row: Row, block: Callable[[str], Any]) -> JournalEntry:
    """``row`` as the table holds it, id first; ``block`` gives a block's content by digest."""
    request = json.loads(row[10])
    for name in BLOCK_LISTS:
        if isinstance(request.get(name), list):
            request[name] = [block(digest) for digest in request[name]]
    if isinstance(request.get("schema"), str):
        request["schema"] = block(request["schema"])
    reply = json.loads(row[11])
    if row[12] is not None:
        dtype, shape = reply["vectors"]
        values = np.frombuffer(row[12], np.dtype(dtype)).reshape(shape)
        reply["vectors"] = values.astype(np.float64).tolist()
    attempts = tuple(json.loads(row[19]))
    usage = Usage(row[13], row[14], row[15], row[16], row[17], row[18], reasoning_tokens(attempts))
    return JournalEntry(Address(*row[1:9]), row[9], request, reply, usage, attempts, row[20])


def reasoning_tokens(attempts: Sequence[Plain]) -> int:
    """Tokens of reasoning, which stand in the notes of the attempts: the tables keep their columns, and old records stay readable."""
    return sum(int(note.get("reasoning_tokens", 0)) for note in attempts)


def failed_attempts(attempts: Sequence[Plain]) -> int:
    """How many of the noted attempts failed."""
    return sum(note.get("kind") != "answered" for note in attempts)


def place_of(address: Address) -> tuple[int, str, int, int, str, str, int, int]:
    """The address as columns."""
    return (
        address.tick, address.phase, address.lane, address.turn, address.asker, address.label, address.number, address.repair,
    )  # fmt: skip


def reply_digest(reply: str, vectors: bytes | None) -> str:
    return hash_items("reply", (reply, vectors or b""))


def insert_sealed(connection: sqlite3.Connection, head: str, row: Row) -> str:
    """Write a row, sealed over itself and the seal before it. Returns its seal, the new head of the chain."""
    head = seal(head, *row)
    connection.execute(_INSERT, (*row, head))
    return head


def note_lost(connection: sqlite3.Connection) -> None:
    """On opening to write: calls that were in flight when the last session ended are lost, and counted for ever."""
    connection.execute("UPDATE started SET lost = 1 WHERE lost = 0")


_COLUMNS = (
    "tick, phase, lane, turn, asker, label, number, repair, key, request, reply, vectors, calls, prompt_tokens, cached_tokens,"
    " completion_tokens, money, seconds, attempts, source, seal"
)
_INSERT = f"INSERT INTO journal ({_COLUMNS}) VALUES ({','.join('?' * 21)})"
INHERIT = f"INSERT INTO inherited ({_COLUMNS}) VALUES ({','.join('?' * 21)})"
_STARTED = "INSERT INTO started (tick, phase, lane, turn, asker, label, number, repair, key, lost)"


def _intern(block: Any, blocks: dict[str, str]) -> str:
    digest, text = _encoded(block)
    blocks[digest] = text
    return digest


def _digested(block: Any) -> tuple[str, str]:
    text = to_json(block)
    return hash_bytes(text.encode()), text


_encoded: ByIdentity[Any, tuple[str, str]] = ByIdentity(_digested, 16_384)  # rules and personas come back as the same objects


class Keys:
    """Which keys may be in the journal: a Bloom filter of one hash, 1 MiB. Most questions are new, and then nothing is looked up."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._bits = bytearray(1 << 20)
        for key in keys:
            self.add(key)

    def add(self, key: str) -> None:
        place = hash(key) & 0x7FFFFF
        self._bits[place >> 3] |= 1 << (place & 7)

    def __contains__(self, key: str) -> bool:
        place = hash(key) & 0x7FFFFF
        return bool(self._bits[place >> 3] & 1 << (place & 7))


def _block(reader: sqlite3.Connection, digest: str) -> Any:
    row = reader.execute("SELECT content FROM blocks WHERE digest = ?", (digest,)).fetchone()
    if row is None:
        raise RecordError(f"The journal names the block {digest}, which is missing: the record is damaged. Run `sociarium doctor` on it.")
    return json.loads(row[0])


def _split_vectors(reply: Mapping[str, Any]) -> tuple[dict[str, Any], bytes | None]:
    """Vectors as bytes beside the reply: 4 bytes a number where that is exact, else 8."""
    plain = dict(reply)
    vectors = plain.get("vectors")
    if not isinstance(vectors, list | tuple) or not vectors:
        return plain, None
    rows = list(cast("list[Any]", vectors))
    if len({len(row) for row in rows}) != 1 or not all(type(value) is float for row in rows for value in row):
        return plain, None
    exact = np.array(rows, dtype="<f8")
    short = exact.astype("<f4")
    kept = short if np.array_equal(short.astype("<f8"), exact) else exact
    plain["vectors"] = [kept.dtype.str, list(kept.shape)]
    return plain, kept.tobytes()


def _good(reply: str) -> bool:
    return json.loads(reply).get("status", "ok") in ("ok", "repaired")


def _head(reader: sqlite3.Connection, last: int) -> str:
    row = reader.execute("SELECT seal FROM journal WHERE id = ?", (last,)).fetchone()
    return "" if row is None else str(row[0])


def _spent(reader: sqlite3.Connection) -> Usage:
    names = ("calls", "prompt_tokens", "cached_tokens", "completion_tokens", "money")
    sums = ", ".join(f"coalesce(sum({name}), 0)" for name in names)
    row = reader.execute(f"SELECT {sums}, total(seconds) FROM journal WHERE source = 'live'").fetchone()
    return Usage(int(row[0]), int(row[1]), int(row[2]), int(row[3]), int(row[4]), float(row[5]))
