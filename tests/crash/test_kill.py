"""Kill a running simulation at random instants, resume it, and compare it with one that was never disturbed.

``make crash N=500`` kills more often. A failing case prints its seed: the same seed kills at the same fraction of the run.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

SOURCES = Path(__file__).parents[2] / "src"
KILLED_AGAIN = 0.2  # share of cases that are killed once more while they recover

RUNS = {  # two worlds whose replies decide what happens next, with random delays of the model
    "govsim": ["govsim", "--model", "scripted:schema?delay=0.01", "--set", "max_rounds=3", "--set", "pace=brief", "--seed", "5"],
    "donor-game": ["donor-game", "--model", "scripted:schema?delay=0.01", "--set", "generations=2", "--set", "rounds=4", "--seed", "5"],
}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "sociarium", *arguments, "--json"]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(SOURCES)}


def to_the_end(*arguments: str) -> dict[str, object]:
    done = subprocess.run(command(*arguments), env=environment(), capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    told: dict[str, object] = json.loads(done.stdout)
    return told


def killed(arguments: list[str], after: float) -> bool:
    """Run, and kill -9 after so many seconds. False when it had ended by itself."""
    child = subprocess.Popen(command(*arguments), env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        child.wait(after)
    except subprocess.TimeoutExpired:
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        return True
    finally:
        if child.stderr is not None:
            child.stderr.close()
    return False


ADDRESS = "tick, phase, lane, turn, asker, label, number, repair"


def rows(folder: Path, query: str) -> list[tuple[object, ...]]:
    if not (folder / "run.sqlite").exists():
        return []
    connection = sqlite3.connect(f"file:{folder / 'run.sqlite'}?mode=ro", uri=True)
    try:
        return connection.execute(query).fetchall()
    except sqlite3.OperationalError:  # killed before the tables were there
        return []
    finally:
        connection.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(RUNS))
def test_a_run_killed_anywhere_ends_in_the_digest_it_would_have_had(name: str, tmp_path: Path, kills: int) -> None:
    book = tmp_path / "asked"
    arguments = [part.replace("delay=0.01", f"delay=0.01&log={book}") for part in RUNS[name]]
    began = time.monotonic()
    whole = to_the_end("run", *arguments, "--out", str(tmp_path / "whole"))
    length = time.monotonic() - began
    wanted = whole["runs"][0]["digest"]  # type: ignore[index]
    random = np.random.default_rng(20_24)
    hit = 0
    for case in range(max(1, kills // len(RUNS))):
        folder = tmp_path / f"case-{case}"
        again = random.random() < KILLED_AGAIN
        paid: set[tuple[object, ...]] = set()
        book.write_text("")
        for attempt, fraction in enumerate(random.uniform(0.05, 1.0, 1 + again)):
            begun = (folder / "run.sqlite").exists()
            verb = ["resume", str(folder)] if begun and attempt else ["run", *arguments, "--out", str(folder)]
            if not killed(verb, fraction * length):
                break
            journalled = set(rows(folder, f"SELECT {ADDRESS}, key FROM journal"))
            assert paid <= journalled, f"case {case}: a reply that was acknowledged is gone"
            assert not {key for *_, key in paid} & set(book.read_text().split()), f"case {case}: a journalled reply was asked again"
            paid = journalled
            hit += 1
            book.write_text("")
        else:
            committed = rows(folder, "SELECT count(*) FROM ticks")
            if not committed:  # killed before there was a run: nothing to lose
                to_the_end("run", *arguments, "--out", str(folder / "fresh"))
                continue
            ended = to_the_end("resume", str(folder))
            assert ended["digest"] == wanted, f"case {case}: another digest"
            assert not {key for *_, key in paid} & set(book.read_text().split()), f"case {case}: a journalled reply was asked again"
            journal = rows(folder, f"SELECT {ADDRESS}, key FROM journal")
            assert paid <= set(journal), f"case {case}: a reply that was acknowledged is gone"
            assert len({row[:-1] for row in journal}) == len(journal)
    assert hit > 0, "no run was hit: nothing was tested"
    replayed = to_the_end("replay", str(tmp_path / "whole"))
    assert replayed["digest"] == wanted
