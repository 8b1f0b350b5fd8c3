"""The tables of a run. What they do not name does not exist."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sociarium.kernel.errors import RecordError
from sociarium.record.digest import hash_bytes

FORMAT = 1
APPLICATION = 0x50C1A217  # SQLite's application id: a foreign database is told apart from a damaged one
MAX_VALUE_BYTES = 256 << 20  # no single stored value of a run is larger

TABLES = {
    "meta": "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL, seal TEXT NOT NULL) WITHOUT ROWID",
    "blocks": "CREATE TABLE blocks (digest TEXT PRIMARY KEY, content TEXT NOT NULL) WITHOUT ROWID",
    "journal": """CREATE TABLE journal (id INTEGER PRIMARY KEY, tick INTEGER NOT NULL, phase TEXT NOT NULL, lane INTEGER NOT NULL,
 turn INTEGER NOT NULL, asker TEXT NOT NULL, label TEXT NOT NULL, number INTEGER NOT NULL, repair INTEGER NOT NULL,
 key TEXT NOT NULL, request TEXT NOT NULL, reply TEXT NOT NULL, vectors BLOB, calls INTEGER NOT NULL,
 prompt_tokens INTEGER NOT NULL, cached_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, money INTEGER NOT NULL,
 seconds REAL NOT NULL, attempts TEXT NOT NULL, source TEXT NOT NULL, seal TEXT NOT NULL,
 UNIQUE (tick, phase, lane, turn, asker, label, number, repair))""",
    "inherited": """CREATE TABLE inherited (id INTEGER PRIMARY KEY, tick INTEGER NOT NULL, phase TEXT NOT NULL, lane INTEGER NOT NULL,
 turn INTEGER NOT NULL, asker TEXT NOT NULL, label TEXT NOT NULL, number INTEGER NOT NULL, repair INTEGER NOT NULL,
 key TEXT NOT NULL, request TEXT NOT NULL, reply TEXT NOT NULL, vectors BLOB, calls INTEGER NOT NULL,
 prompt_tokens INTEGER NOT NULL, cached_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, money INTEGER NOT NULL,
 seconds REAL NOT NULL, attempts TEXT NOT NULL, source TEXT NOT NULL, seal TEXT NOT NULL)""",
    "started": """CREATE TABLE started (id INTEGER PRIMARY KEY, tick INTEGER NOT NULL, phase TEXT NOT NULL, lane INTEGER NOT NULL,
 turn INTEGER NOT NULL, asker TEXT NOT NULL, label TEXT NOT NULL, number INTEGER NOT NULL, repair INTEGER NOT NULL,
 key TEXT NOT NULL, lost INTEGER NOT NULL)""",
    "leases": """CREATE TABLE leases (id INTEGER PRIMARY KEY, calls INTEGER NOT NULL, tokens INTEGER NOT NULL, money INTEGER NOT NULL,
 seal TEXT NOT NULL)""",
    "ticks": """CREATE TABLE ticks (tick INTEGER PRIMARY KEY, time INTEGER NOT NULL, until INTEGER NOT NULL, counts TEXT NOT NULL,
 applied TEXT NOT NULL, ended TEXT NOT NULL, interventions TEXT NOT NULL, called INTEGER NOT NULL, replies TEXT NOT NULL,
 state TEXT, leaves TEXT, digest TEXT NOT NULL, chain TEXT NOT NULL, journal INTEGER NOT NULL, seal TEXT NOT NULL)""",
    "batches": """CREATE TABLE batches (tick INTEGER NOT NULL, batch INTEGER NOT NULL, phase TEXT NOT NULL, kind TEXT NOT NULL,
 audience TEXT NOT NULL, recipients INTEGER NOT NULL, count INTEGER NOT NULL, columns TEXT NOT NULL, part INTEGER,
 start INTEGER, PRIMARY KEY (tick, batch)) WITHOUT ROWID""",
    "events": """CREATE TABLE events (tick INTEGER NOT NULL, batch INTEGER NOT NULL, place INTEGER NOT NULL, id INTEGER NOT NULL,
 lane INTEGER NOT NULL, turn INTEGER NOT NULL, actor INTEGER NOT NULL, recipients TEXT, data TEXT NOT NULL,
 PRIMARY KEY (tick, batch, place)) WITHOUT ROWID""",
    "outcomes": """CREATE TABLE outcomes (tick INTEGER NOT NULL, batch INTEGER NOT NULL, phase TEXT NOT NULL, turn INTEGER NOT NULL,
 counts TEXT NOT NULL, fallbacks INTEGER NOT NULL, PRIMARY KEY (tick, batch)) WITHOUT ROWID""",
    "outcome_rows": """CREATE TABLE outcome_rows (tick INTEGER NOT NULL, batch INTEGER NOT NULL, place INTEGER NOT NULL,
 agent INTEGER NOT NULL, lane INTEGER NOT NULL, status INTEGER NOT NULL, fallback INTEGER NOT NULL, reason TEXT NOT NULL,
 PRIMARY KEY (tick, batch, place)) WITHOUT ROWID""",
    "refusals": """CREATE TABLE refusals (tick INTEGER NOT NULL, place INTEGER NOT NULL, phase TEXT NOT NULL, lane INTEGER NOT NULL,
 turn INTEGER NOT NULL, agent INTEGER NOT NULL, action TEXT NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (tick, place)) WITHOUT ROWID""",
    "measures": """CREATE TABLE measures (tick INTEGER NOT NULL, place INTEGER NOT NULL, name TEXT NOT NULL, dtype TEXT NOT NULL,
 shape TEXT NOT NULL, data NOT NULL, PRIMARY KEY (tick, place)) WITHOUT ROWID""",
    "parts": """CREATE TABLE parts (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, file TEXT NOT NULL, rows INTEGER NOT NULL,
 bytes INTEGER NOT NULL, checksum TEXT NOT NULL, columns TEXT NOT NULL, seal TEXT NOT NULL)""",
    "snapshots": """CREATE TABLE snapshots (ticks INTEGER PRIMARY KEY, tree TEXT NOT NULL, digest TEXT NOT NULL, seal TEXT NOT NULL)""",
    "chunks": """CREATE TABLE chunks (digest TEXT PRIMARY KEY, bytes INTEGER NOT NULL, data BLOB, file TEXT, start INTEGER)
 WITHOUT ROWID""",
    "held": """CREATE TABLE held (ticks INTEGER NOT NULL, chunk TEXT NOT NULL, PRIMARY KEY (ticks, chunk)) WITHOUT ROWID""",
}
INDEXES = {
    "journal_key": "CREATE INDEX journal_key ON journal (key)",
    "inherited_key": "CREATE INDEX inherited_key ON inherited (key)",
    "started_address": "CREATE INDEX started_address ON started (tick, asker)",
    "batches_kind": "CREATE INDEX batches_kind ON batches (kind, part)",
    "held_chunk": "CREATE INDEX held_chunk ON held (chunk)",
}


def seal(*fields: object) -> str:
    """Checksum over a row's fields, kept in the row. The fields are those SQLite gives back: int, float, str, bytes, None,
    whose ``repr`` is exact and unambiguous."""
    return hash_bytes(repr(fields).encode("utf-8", "surrogatepass"))


def install(connection: sqlite3.Connection) -> None:
    """Make the tables. Call it inside a transaction, so that a cut creation leaves an empty database."""
    for statement in (*TABLES.values(), *INDEXES.values()):
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION}")
    connection.execute(f"PRAGMA user_version = {FORMAT}")


def check(connection: sqlite3.Connection, folder: Path) -> None:
    """One clear RecordError for a database that is cut, foreign, damaged or from the future."""
    try:
        application = int(connection.execute("PRAGMA application_id").fetchone()[0])
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        found = {str(name): str(sql) for name, sql in connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")}
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        raise RecordError(f"{folder} is damaged: SQLite says {error}. Take a copy and run `sociarium doctor {folder}` on it.") from error
    if not found and application == 0:
        raise RecordError(f"{folder} holds no run: its creation was cut short. Nothing was recorded; delete the folder and start again.")
    if application != APPLICATION:
        raise RecordError(f"{folder}/run.sqlite is not a run of Sociarium but some other database. Give the folder of a run.")
    if version > FORMAT:
        raise RecordError(f"{folder} has record format {version}; this version reads up to {FORMAT}. Install a newer sociarium.")
    if version < FORMAT or found != {**TABLES, **INDEXES}:
        raise RecordError(f"{folder} does not have the tables of record format {FORMAT}: it is damaged or was changed by hand.")
