"""Run commands to their end, or kill them once so many ticks of a run are safe."""

from __future__ import annotations

import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HOME = Path(__file__).parents[2]
POLL = 0.02  # seconds between two looks at how far a run is


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(HOME / "src")}


def to_the_end(command: Sequence[str]) -> dict[str, Any]:
    """What the command says, with seconds and the peak of memory (MiB)."""
    began = time.monotonic()
    with tempfile.TemporaryFile() as errors:
        child = subprocess.Popen(command, env=environment(), cwd=HOME, stdout=subprocess.PIPE, stderr=errors)
        assert child.stdout is not None
        told = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        child.stdout.close()
        errors.seek(0)
        assert child.returncode == 0, errors.read().decode()[-3000:]
    return {**json.loads(told), "seconds": round(time.monotonic() - began, 1), "peak_mib": round(_mib(usage))}


def killed_after(ticks: int, folder: Path, command: Sequence[str]) -> int:
    """Run until so many ticks are committed, kill -9, and say how many there were; -1 where the run ended first."""
    with tempfile.TemporaryFile() as errors:
        child = subprocess.Popen(command, env=environment(), cwd=HOME, stdout=subprocess.DEVNULL, stderr=errors)
        while child.poll() is None:
            if committed(folder) >= ticks:
                os.kill(child.pid, signal.SIGKILL)
                child.wait()
                return committed(folder)
            time.sleep(POLL)
        errors.seek(0)
        assert child.returncode == 0, errors.read().decode()[-3000:]
    return -1


def committed(folder: Path) -> int:
    """Ticks of a run that are safe."""
    if not (folder / "run.sqlite").exists():
        return 0
    connection = sqlite3.connect(f"file:{folder / 'run.sqlite'}?mode=ro", uri=True)
    try:
        return int(connection.execute("SELECT count(*) FROM ticks").fetchone()[0])
    except sqlite3.OperationalError:  # not there yet, or written to right now
        return 0
    finally:
        connection.close()


def _mib(usage: resource.struct_rusage) -> float:
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 2**20
