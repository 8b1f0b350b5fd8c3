"""One writer a run. The second is told who the first is; a killed one leaves nothing that blocks."""

from __future__ import annotations

import json
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sociarium.kernel.errors import RecordError

NAME = "run.lock"
NETWORK_DISKS = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "afs", "ceph", "fuse.glusterfs", "lustre"}
IDENTITY_BYTES = 4096


class RunLock:
    """Held from construction to ``release``, by the operating system: it ends with the process, however that ends."""

    def __init__(self, folder: Path) -> None:
        _refuse_network(folder)
        self._path = folder / NAME
        if self._path.is_symlink():
            raise RecordError(f"{self._path} is a link. A run folder holds its own lock: delete the link.")
        try:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise RecordError(f"{self._path} cannot be opened for writing ({error.strerror}). Check the folder's permissions.") from error
        if not _acquire(self._descriptor):
            holder = holder_of(folder)
            os.close(self._descriptor)
            raise RecordError(f"The run in {folder} is being written by {holder}. Stop that process first, or read the run instead.")
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, json.dumps(identity()).encode(), 0)

    def release(self) -> None:
        if self._descriptor >= 0:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)  # closing lets go of the lock
            self._descriptor = -1


def identity() -> dict[str, Any]:
    """Who is writing."""
    started = datetime.now(UTC).isoformat(timespec="seconds")
    return {"pid": os.getpid(), "host": platform.node(), "started": started, "command": " ".join(sys.argv)[:1000]}


def holder_of(folder: Path) -> str:
    """The identity in the lock file, in words."""
    try:
        with (folder / NAME).open("rb") as file:
            found = json.loads(file.read(IDENTITY_BYTES))
        return f"process {int(found['pid'])} on {found['host']} (started {found['started']}: {found['command']})"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def is_locked(folder: Path) -> bool:
    """Whether somebody is writing now."""
    try:
        descriptor = os.open(folder / NAME, os.O_RDWR)
    except OSError:
        return False
    try:
        return not _acquire(descriptor)
    finally:
        os.close(descriptor)


if sys.platform == "win32":
    import msvcrt

    def _acquire(descriptor: int) -> bool:
        os.lseek(descriptor, IDENTITY_BYTES, os.SEEK_SET)  # beyond the identity, which others must be able to read
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _acquire(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True


def disk_type(folder: Path, mounts: Path = Path("/proc/self/mounts")) -> str:
    """The file system a folder lies on, empty where the system does not say."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    best, found = -1, ""
    for line in lines:
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        place = Path(fields[1].replace("\\040", " "))
        if folder.resolve().is_relative_to(place) and len(place.parts) >= best:
            best, found = len(place.parts), fields[2]
    return found


def _refuse_network(folder: Path) -> None:
    found = disk_type(folder)
    if found in NETWORK_DISKS:
        raise RecordError(f"{folder} lies on a network disk ({found}), where locks and syncs cannot be trusted. Use a local folder.")
