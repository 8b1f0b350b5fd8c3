"""A run in the midst of faults: killed and resumed, replayed, branched. The same fates, the same digest."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sociarium.lab import running
from sociarium.lab.running import Options
from sociarium.models.retry import RetryPolicy
from sociarium.scenarios import catalogue

SOURCES = Path(__file__).parents[2] / "src"
FAULTY = "faulty:illegal=0.1,wrong_schema=0.15,context_too_long=0.1,seed=3:scripted:schema"
SOON = RetryPolicy(attempts=2, turned_away=3, first_wait=0.001, longest_wait=0.002, longest_wish=0.002)


def begin(*arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(SOURCES)}
    command = [sys.executable, "-m", "sociarium", *arguments, "--json"]
    return subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def journalled(folder: Path) -> int:
    file = folder / "run.sqlite"
    if not file.exists():
        return 0
    connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    try:
        return int(connection.execute("SELECT count(*) FROM journal").fetchone()[0])
    except sqlite3.OperationalError:
        return 0
    finally:
        connection.close()


@pytest.mark.slow
def test_a_run_that_is_killed_amid_faults_ends_in_the_digest_it_would_have_had(tmp_path: Path) -> None:
    run = ["run", "donor-game", "--model", f"{FAULTY}?delay=0.02", "--set", "generations=2", "--set", "rounds=4", "--seed", "5", "--out"]
    out, err = begin(*run, str(tmp_path / "whole")).communicate()
    wanted = json.loads(out)["runs"][0]["digest"] if out else err
    killed = begin(*run, str(tmp_path / "killed"))
    while killed.poll() is None and journalled(tmp_path / "killed") < 40:
        time.sleep(0.01)
    assert killed.poll() is None, "it had ended by itself: nothing was tested"
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    out, err = begin("resume", str(tmp_path / "killed")).communicate()
    assert json.loads(out)["digest"] == wanted, err


async def test_a_branch_of_a_faulty_run_that_changes_nothing_is_that_run(tmp_path: Path) -> None:
    scenario = catalogue.scenario("donor-game").of(
        {"agents": 12, "generations": 2, "rounds": 2, "model": "faulty:0.4,seed=3:scripted:schema"}
    )
    whole = await running.start(scenario, 2, tmp_path / "whole", Options(retry=SOON))
    assert sum(whole.summary.turns.get(name, 0) for name in ("failed", "malformed", "timed_out")) > 0
    branched = await running.branch(tmp_path / "whole", tmp_path / "branch", 3, {}, catalogue.scenario, Options(retry=SOON))
    replayed = await running.replay(tmp_path / "branch", catalogue.scenario)
    assert branched.summary.turns == replayed.summary.turns == whole.summary.turns
    assert branched.digest == replayed.digest
    assert branched.simulation.state()["world"].keys() == whole.simulation.state()["world"].keys()
