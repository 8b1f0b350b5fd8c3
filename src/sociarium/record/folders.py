"""The folder of a run: made, filled with its first facts, taken up by a session."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path

from sociarium.kernel.errors import RecordError
from sociarium.record import parts, schema, snapshots
from sociarium.record.connection import connect_writer, database
from sociarium.record.files import sync_folder
from sociarium.record.journal import note_lost
from sociarium.record.lock import RunLock
from sociarium.record.whole import unseal_file


def prepare(folder: Path) -> RunLock:
    """Make the folders of a new run, and lock it. Raises RecordError."""
    try:
        for place in (folder, folder / parts.FOLDER, folder / snapshots.FOLDER):
            place.mkdir(parents=True, exist_ok=True)
        sync_folder(folder.parent)
    except OSError as error:
        raise RecordError(f"The run folder {folder} cannot be made: {error.strerror}. Give a folder you can write to.") from error
    return RunLock(folder)


def install(folder: Path, facts: Mapping[str, str]) -> None:
    """Make the database, with these facts. Raises RecordError where there is one."""
    path = database(folder)
    connection = connect_writer(folder)
    try:
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            raise RecordError(f"{path} exists: this folder holds a run already. Resume it, or give another folder.")
        connection.execute("BEGIN IMMEDIATE")
        schema.install(connection)
        for key, value in facts.items():
            put(connection, key, value)
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise RecordError(f"A run cannot be made in {folder}: SQLite says {error}. Give an empty folder on a local disk.") from error
    finally:
        connection.close()
    sync_folder(folder)


def begin_session(folder: Path, connection: sqlite3.Connection) -> None:
    """What a session does first: break the seal, take note of calls that were lost, sweep away what no tick names."""
    unseal_file(folder)
    note_lost(connection)
    if (row := connection.execute("SELECT value FROM meta WHERE key = 'status'").fetchone()) and row[0] == "paused":
        put(connection, "status", "running")
    snapshots.sweep(folder, connection)


def put(connection: sqlite3.Connection, key: str, value: str) -> None:
    """Keep a fact, sealed."""
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?,?,?)", (key, value, schema.seal(key, value)))
