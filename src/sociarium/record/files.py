"""Files beside the database: written aside, synced, renamed, and found again only inside the run's folder."""

from __future__ import annotations

import os
from pathlib import Path

from sociarium.kernel.errors import RecordError


def write_file(path: Path, data: bytes | list[bytes]) -> None:
    """All or nothing: a kill leaves at most a ``.tmp`` file, which nothing names."""
    aside = path.with_name(path.name + ".tmp")
    with aside.open("wb") as file:
        file.writelines([data] if isinstance(data, bytes) else data)
        file.flush()
        os.fsync(file.fileno())
    publish(aside, path)


def publish(aside: Path, path: Path) -> None:
    """Rename a synced file to its name, and make the name durable."""
    aside.replace(path)
    sync_folder(path.parent)


def sync_file(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def inside(folder: Path, name: str) -> Path:
    """The path of a named file, refused where the name or a link leads out of the folder: the record may be a stranger's."""
    path = folder / name
    if "\x00" in name or Path(name).is_absolute() or not path.resolve().is_relative_to(folder.resolve()):
        raise RecordError(f"The record in {folder} names a file outside its folder ({name!r}): it is damaged or hostile. Nothing was read.")
    if not path.is_file():
        raise RecordError(f"{path} is missing, though the record names it. Restore it from a copy, or run `sociarium doctor {folder}`.")
    return path


def read_slice(path: Path, start: int, size: int) -> bytes:
    with path.open("rb") as file:
        file.seek(start)
        return file.read(size)
