"""R11 across kills: however often a run is killed amid its calls, the server never sees more of them than the limit allows.

The server stands outside what is killed and counts all that reach it, those that it fails among them. ``make crash N=500`` kills
more often.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sociarium.kernel.errors import BudgetSpent
from sociarium.models.backends.scripted import open_scripted
from sociarium.testing.faulty_server import FaultyServer

SOURCES = Path(__file__).parents[2] / "src"
KILLS_A_RUN = 10
DELAY = 0.01  # seconds of an answer on average, so that many calls are out when a run is killed
FAULTS = {"reset": 0.05, "server_error": 0.05, "truncated": 0.05}  # each is another call for the same question


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    """In a thread of its own, since the test waits for processes."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    served = FaultyServer(FAULTS, backend=open_scripted(f"scripted:schema?delay={DELAY}"), seed=4)
    asyncio.run_coroutine_threadsafe(served.start(), loop).result(10.0)
    yield served
    asyncio.run_coroutine_threadsafe(served.close(), loop).result(10.0)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def begin(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "sociarium", *arguments, "--json"]
    environment = {**os.environ, "PYTHONPATH": str(SOURCES)}
    return subprocess.Popen(command, env=environment, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def killed(child: subprocess.Popen[str], server: FaultyServer, after: int) -> bool:
    """Kill -9 once so many calls have come to the server. False when it had ended by itself."""
    while child.poll() is None and server.arrived < after:
        time.sleep(0.001)
    if ended := child.poll() is not None:
        assert child.returncode in (0, BudgetSpent.exit_code), child.communicate()[1]
    else:
        os.kill(child.pid, signal.SIGKILL)
    child.communicate()
    return not ended


def paid(folder: Path) -> tuple[int, int]:
    """Calls of the replies in the journal, and calls leased."""
    connection = sqlite3.connect(f"file:{folder / 'run.sqlite'}?mode=ro", uri=True)
    try:
        return tuple(int(connection.execute(f"SELECT total(calls) FROM {name}").fetchone()[0]) for name in ("journal", "leases"))  # type: ignore[return-value]
    finally:
        connection.close()


@pytest.mark.slow
def test_the_server_never_sees_more_calls_than_the_limit(server: FaultyServer, tmp_path: Path, kills: int) -> None:
    random = np.random.default_rng(11)
    lost = hits = 0
    for case in range(max(1, kills // (5 * KILLS_A_RUN))):
        folder, before = tmp_path / f"run-{case}", server.arrived
        limit = int(random.integers(120, 260))
        model = f"{server.url}#tiny?parallel=64&probe=no"
        small = ["--set", "generations=2", "--set", "rounds=6"]
        verb = ["run", "donor-game", "--model", model, *small, "--seed", "5", "--max-calls", str(limit), "--out", str(folder)]
        for _ in range(KILLS_A_RUN):
            if not killed(begin(*verb), server, server.arrived + int(random.integers(1, limit // 8))):
                break
            verb = ["resume", str(folder)]
            hits += 1
            assert server.arrived - before <= limit, f"case {case}: {server.arrived - before} calls of {limit}"
        last = begin("resume", str(folder))
        _, problem = last.communicate(timeout=240)
        assert last.returncode in (0, BudgetSpent.exit_code), problem
        seen = server.arrived - before
        journalled, leased = paid(folder)
        assert journalled <= seen <= leased <= limit, f"case {case}: {journalled} on the record, {seen} seen, {leased} leased of {limit}"
        lost += seen - journalled
    assert hits >= KILLS_A_RUN // 2, "hardly any run was hit"
    assert lost > 0, "no call was out when a run was killed: nothing was tested"
