"""The command line as a user has it: in this process for speed, or as a process of its own where signals count."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sociarium.cli.main import _run
from sociarium.scenarios import catalogue

PLUGIN = Path(__file__).parent / "plugin"  # a third party's package with the scenario "pond"
SOURCE = Path(__file__).resolve().parents[2] / "src"
SCRIPT = "from sociarium.cli.main import main; main()"


@dataclass
class Said:
    """What a command ended in."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        assert self.out.isascii(), "machine-readable output is escaped"
        assert self.out.count("\n") == 1, "one line of JSON, and nothing beside it"
        return json.loads(self.out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))

    def mistake(self, code: int, *words: str) -> None:
        """One clear line, nothing else."""
        assert self.code == code, (self.code, self.err)
        assert self.err.startswith("error: ")
        assert self.err.endswith("\n")
        assert self.err.count("\n") == 1, self.err
        assert "Traceback" not in self.out + self.err
        for word in words:
            assert word in self.err, (word, self.err)


Cli = Callable[..., Said]


@pytest.fixture(autouse=True)
def _plugin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.syspath_prepend(str(PLUGIN))
    monkeypatch.chdir(tmp_path)
    catalogue._offered.cache_clear()
    yield
    catalogue._offered.cache_clear()


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    def go(*tokens: object) -> Said:
        capsys.readouterr()
        code = _run([str(token) for token in tokens])
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    return go


@pytest.fixture
def run(cli: Cli, tmp_path: Path) -> Path:
    """A finished run of twelve scripted calls."""
    folder = tmp_path / "made"
    assert cli("run", "pond", "--model", "scripted:schema", "--out", folder, "--quiet").code == 0
    return folder


def begin(*tokens: object, folder: Path, **environment: str) -> subprocess.Popen[str]:
    """The command line in a process of its own."""
    own = {**os.environ, "PYTHONPATH": f"{SOURCE}{os.pathsep}{PLUGIN}", **environment}
    command = [sys.executable, "-c", SCRIPT, *map(str, tokens)]
    return subprocess.Popen(command, cwd=folder, env=own, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
