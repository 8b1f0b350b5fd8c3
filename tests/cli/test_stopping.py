"""Ctrl-C and SIGTERM: no new call, a command to go on with, and the digest that the run would have had."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from .conftest import Cli, begin

SLOW = "scripted:schema?delay=0.04&spread=0"


def _going(folder: Path, delay: str) -> subprocess.Popen[str]:
    """A run that has said its first line: it is asking."""
    process = begin("run", "pond", "--set", "months=12", "--model", delay, "--out", "slow", folder=folder)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("Fisher"):
            return process
    raise AssertionError(process.communicate())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_goes_on_to_the_digest_it_would_have_had(cli: Cli, tmp_path: Path, number: signal.Signals) -> None:
    whole = cli("run", "pond", "--set", "months=12", "--model", "scripted:schema", "--out", "whole", "--json").data["runs"][0]
    process = _going(tmp_path, SLOW)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert re.search(r"go on with: sociarium resume slow$", out, re.M)
    assert re.match("error: [Ss]topped", err), err
    assert err.count("\n") == 1
    stopped = cli("show", "slow", "--json").data
    assert 0 < stopped["ticks"] < 12
    assert all(call["status"] == "ok" for call in cli("show", "slow", "--calls", "--json").data), "those in flight came home"
    on = begin("resume", "slow", "--json", folder=tmp_path)  # with the delays of its own manifest: another process, as a person would
    told, problem = on.communicate(timeout=60)
    assert on.returncode == 0, problem
    assert whole["digest"] in told
    shown = cli("show", "slow", "--json").data
    assert shown["digest"] == whole["digest"]
    assert shown["summary"]["models"]["calls"] == whole["models"]["calls"], "no reply was paid for twice"


def test_pressed_twice_it_does_not_wait_for_calls_in_flight(cli: Cli, tmp_path: Path) -> None:
    """A reply that takes a minute would hold a polite stop for ten seconds."""
    process = begin("run", "pond", "--model", "scripted:schema?delay=60&spread=0", "--out", "slow", folder=tmp_path)
    while not (tmp_path / "slow" / "run.sqlite").exists():
        time.sleep(0.02)
    time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=8)  # less than the ten seconds of a polite stop
    assert process.returncode == 130
    assert "sociarium resume slow" in out
    assert "Traceback" not in err
    assert cli("doctor", "slow").code == 0
