"""Sixty days of a city of millions with archetype minds: recorded, killed, resumed, and compared with a run that nobody disturbed.

    make big-epidemic                                  8.4 million people, the small local model
    AGENTS=100000 DAYS=60 KILLS=3 make big-epidemic

Prints one JSON line: seconds and peak memory of each part, calls, digests, and whether they are equal.
"""

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

SOURCES = Path(__file__).parents[2] / "src"
POLL = 0.02  # seconds between two looks at how far a run is


def settings(agents: int, days: int, model: str) -> list[str]:
    """Decisions once a week by 10 archetypes, and once a month by 8."""
    chosen = {"agents": agents, "days": days, "decided_every": 7, "variables": "[age, gender, month, cases]"}
    sets = [part for name, value in chosen.items() for part in ("--set", f"{name}={value}")]
    return ["agenttorch", "--model", model, "--seed", "7", *sets]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "sociarium", *arguments, "--json"]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(SOURCES)}


def to_the_end(*arguments: str) -> dict[str, Any]:
    """What the command says, with seconds and the peak of memory (MiB)."""
    began = time.monotonic()
    with tempfile.TemporaryFile() as errors:
        child = subprocess.Popen(command(*arguments), env=environment(), stdout=subprocess.PIPE, stderr=errors)
        assert child.stdout is not None
        told = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        child.stdout.close()
        errors.seek(0)
        assert child.returncode == 0, errors.read().decode()[-3000:]
    plain = json.loads(told)
    plain = plain.get("runs", [plain])[0]
    return {**plain, "seconds": round(time.monotonic() - began, 1), "peak_mib": round(_mib(usage))}


def killed_after(ticks: int, folder: Path, *arguments: str) -> int:
    """Run until so many ticks are committed, kill -9, and say how many there were; -1 where the run ended first."""
    with tempfile.TemporaryFile() as errors:
        child = subprocess.Popen(command(*arguments), env=environment(), stdout=subprocess.DEVNULL, stderr=errors)
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


def trial(folder: Path, agents: int, days: int, model: str, kills: Sequence[int]) -> dict[str, Any]:
    """One run undisturbed, and one killed after each of these numbers of ticks and resumed."""
    arguments = settings(agents, days, model)
    whole = to_the_end("run", *arguments, "--out", str(folder / "whole"))
    broken, began, hit = folder / "broken", time.monotonic(), list[int]()
    for number, ticks in enumerate(kills):
        verb = ["resume", str(broken)] if number else ["run", *arguments, "--out", str(broken)]
        hit.append(killed_after(ticks, broken, *verb))
    resumed = to_the_end("resume", str(broken))
    return {
        "agents": agents, "days": days, "model": model, "killed_after": hit, "whole": whole, "resumed": resumed,
        "broken_seconds": round(time.monotonic() - began, 1), "equal": whole["digest"] == resumed["digest"],
    }  # fmt: skip


def _mib(usage: resource.struct_rusage) -> float:
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 2**20


if __name__ == "__main__":
    people, length = int(os.environ.get("AGENTS", "8400000")), int(os.environ.get("DAYS", "60"))
    count, spec = int(os.environ.get("KILLS", "2")), os.environ.get("MODEL", "local:smollm2?exact=yes")
    home = os.environ.get("FOLDER")
    with tempfile.TemporaryDirectory() as scratch:
        places = [max(1, length * (number + 1) // (count + 1)) for number in range(count)]
        found = trial(Path(home or scratch), people, length, spec, places)
    print(json.dumps(found))
    sys.exit(0 if found["equal"] else 1)
