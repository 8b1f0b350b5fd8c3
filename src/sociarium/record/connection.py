"""Connections to a run's database: one that writes, any number that read, none that run code out of the file."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Generator
from pathlib import Path
from urllib.parse import quote

from sociarium.kernel.errors import RecordError
from sociarium.record import schema

DATABASE = "run.sqlite"
# what rows that hold anything at all lead to
DAMAGE = (sqlite3.Error, ValueError, TypeError, KeyError, IndexError, OverflowError, AttributeError, RecursionError)


@contextlib.contextmanager
def reading(folder: Path) -> Generator[None]:
    """Rows of a damaged or hostile run may hold anything: whatever that breaks is one RecordError."""
    try:
        yield
    except DAMAGE as error:
        what = f"{type(error).__name__}: {error}"
        raise RecordError(f"{folder} is damaged: a row cannot be read ({what}). Run `sociarium doctor {folder}` to find where.") from error


def database(folder: Path) -> Path:
    """The path of the database; refused where it is a link out of the folder."""
    path = folder / DATABASE
    if path.is_symlink():
        raise RecordError(f"{path} is a link. A run folder holds its own data: copy the database into it.")
    return path


def connect_writer(folder: Path) -> sqlite3.Connection:
    """Write-ahead log, every commit synced to the disk."""
    connection = sqlite3.connect(database(folder), isolation_level=None, check_same_thread=False, timeout=10.0)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA wal_autocheckpoint = 4000")
    _guard(connection)
    return connection


def connect_reader(folder: Path) -> sqlite3.Connection:
    """Sees committed ticks only, and never writes. Raises RecordError where there is no readable run."""
    path = database(folder)
    if not path.is_file():
        raise RecordError(f"{folder} holds no run: it has no {DATABASE}. Give the folder of a run, or create one.")
    location = f"file:{quote(str(path.resolve()))}"
    try:
        connection = _open(f"{location}?mode=ro")
    except sqlite3.OperationalError as error:
        if path.with_name(f"{DATABASE}-wal").exists():
            raise RecordError(f"{path} cannot be opened: {error}. Check the folder's permissions.") from error
        connection = _open(f"{location}?mode=ro&immutable=1")  # a finished run on a read-only disk
    except sqlite3.DatabaseError as error:
        raise RecordError(f"{path} is damaged: SQLite says {error}. Restore it from a copy.") from error
    schema.check(connection, folder)
    return connection


def _open(location: str) -> sqlite3.Connection:
    connection = sqlite3.connect(location, uri=True, isolation_level=None, check_same_thread=False, timeout=10.0)
    _guard(connection)
    connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return connection


def _guard(connection: sqlite3.Connection) -> None:
    """A database from a stranger may lie: no trusted functions in its schema, no oversized values, cells checked as read."""
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    connection.execute("PRAGMA mmap_size = 0")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, schema.MAX_VALUE_BYTES)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
