"""A closed run is sealed as a whole file: any flipped bit of its database is found, even where SQLite keeps nothing."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from sociarium.record.connection import DATABASE
from sociarium.record.files import write_file

NAME = "run.seal"


def seal_file(folder: Path) -> None:
    """Written when a run is closed in order; left out while a reader in another process keeps the log open."""
    if (folder / f"{DATABASE}-wal").exists():
        return
    write_file(folder / NAME, json.dumps({"bytes": (folder / DATABASE).stat().st_size, "digest": file_digest(folder / DATABASE)}).encode())


def unseal_file(folder: Path) -> None:
    """Before the first write of a session."""
    (folder / NAME).unlink(missing_ok=True)


def is_whole(folder: Path) -> bool | None:
    """Whether the database is byte for byte what was closed; None where it was not closed in order."""
    try:
        found = json.loads((folder / NAME).read_bytes()[:4096])
        return found == {"bytes": (folder / DATABASE).stat().st_size, "digest": file_digest(folder / DATABASE)}
    except FileNotFoundError:
        return None
    except (ValueError, UnicodeDecodeError):
        return False


def file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
