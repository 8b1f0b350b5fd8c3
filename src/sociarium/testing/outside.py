"""What a piece of code does outside its process: files written, programs started, connections made. Heard by Python's audit hook."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

WATCHED = frozenset(
    {
        "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "os.remove", "os.rename", "os.rmdir", "os.mkdir",
        "os.link", "os.symlink", "os.truncate", "os.chmod", "os.chown", "os.putenv", "os.unsetenv", "os.kill", "subprocess.Popen",
        "pty.spawn", "shutil.rmtree", "shutil.move", "shutil.copyfile", "socket.connect", "socket.bind", "socket.sendto", "ctypes.dlopen",
        "sqlite3.connect",
    }
)  # fmt: skip
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


@dataclass(frozen=True, slots=True)
class Effect:
    """``event`` as Python names it, with its first argument."""

    event: str
    what: str

    def __str__(self) -> str:
        return f"an effect outside the run: {self.event} {self.what}"


_heard: list[list[Effect]] = []
_installed: list[bool] = []


@contextmanager
def effects() -> Generator[list[Effect]]:
    """The effects while the block runs. Compiled code that imports and loops keep (``__pycache__``) is none."""
    if not _installed:  # a hook stays for the life of the process: one is enough
        sys.addaudithook(_hear)
        _installed.append(True)
    found: list[Effect] = []
    _heard.append(found)
    try:
        yield found
    finally:
        _heard.remove(found)


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if not _heard:
        return
    if event == "open":
        path, _, flags = arguments
        if not isinstance(flags, int) or not flags & WRITING or ".pyc" in str(path) or str(path) == os.devnull:
            return
    elif event not in WATCHED:
        return
    first = str(arguments[0])[:200] if arguments else ""
    if "__pycache__" in first:
        return
    for found in _heard:
        found.append(Effect(event, first))
