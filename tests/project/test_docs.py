"""Every page does what it says: its Python blocks run, and its commands end well.

A page's ``python`` blocks run in order in one namespace and one empty folder, and so do the ``$ sociarium`` lines of its
``console`` blocks. ``no-run`` in the info string leaves a block out; ``model`` says that it needs the local weights. Scripts in
``examples/`` run too; one that names ``local:`` needs the weights.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(page for page in ROOT.glob("docs/**/*.md") if "_build" not in page.parts)])
FENCE = re.compile(r"^(?P<indent> *)```(?P<info>[^`\n]*)$")


@dataclass(frozen=True)
class Fenced:
    language: str
    flags: frozenset[str]
    line: int  # of the first line inside, from 1
    text: str

    @property
    def runs(self) -> bool:
        return "no-run" not in self.flags


def fenced(text: str) -> list[Fenced]:
    """The fenced blocks of a Markdown page, in order."""
    blocks: list[Fenced] = []
    info: str | None = None
    indent, start, lines = 0, 0, []
    for number, line in enumerate(text.splitlines(), start=1):
        match = FENCE.match(line)
        if match is None:
            lines.append(line[indent:])
        elif info is None:
            info, indent, start, lines = match["info"], len(match["indent"]), number + 1, []
        else:
            language, *flags = re.split(r"[\s,{}]+", info.strip("{} ")) or [""]
            blocks.append(Fenced(language, frozenset(flags), start, "\n".join(lines) + "\n"))
            info, indent = None, 0
    assert info is None, f"a fence opened at line {start - 1} is never closed"
    return blocks


def pages_with(language: str) -> list[Any]:
    found: list[Any] = []
    for page in PAGES:
        blocks = [block for block in fenced(page.read_text("utf-8")) if block.language == language and block.runs]
        if blocks:
            marks = [pytest.mark.model] if any("model" in block.flags for block in blocks) else []
            found.append(pytest.param(page, blocks, id=str(page.relative_to(ROOT)), marks=marks))
    return found


def need_weights(request: pytest.FixtureRequest, blocks: list[Fenced]) -> None:
    if any("model" in block.flags for block in blocks):
        request.getfixturevalue("weights")


@pytest.mark.parametrize(("page", "blocks"), pages_with("python"))
def test_python_blocks_run(
    page: Path, blocks: list[Fenced], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    need_weights(request, blocks)
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks:
        padded = "\n" * (block.line - 1) + block.text  # so that a traceback names the page's own line
        exec(compile(padded, str(page), "exec"), namespace)


@pytest.mark.parametrize(("page", "blocks"), pages_with("console"))
def test_commands_end_well(page: Path, blocks: list[Fenced], tmp_path: Path, request: pytest.FixtureRequest) -> None:
    need_weights(request, blocks)
    for block in blocks:
        for command in commands(block.text):
            done = run(command, tmp_path)
            assert done.returncode == 0, f"{page.name}:{block.line}: {command}\n{done.stdout}\n{done.stderr}"


def commands(text: str) -> list[str]:
    """The ``$ sociarium`` lines; a backslash at the end carries on."""
    joined = text.replace("\\\n", " ")
    return [line[2:] for line in joined.splitlines() if line.startswith("$ sociarium")]


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    words = shlex.split(command, comments=True)[1:]
    start = [sys.executable, "-c", "import sys; from sociarium.cli.main import main; sys.exit(main())"]
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    return subprocess.run([*start, *words], cwd=folder, env=env, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.parametrize("script", sorted(ROOT.glob("examples/*.py")), ids=lambda path: path.name)
def test_examples_run(script: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    if "local:" in script.read_text("utf-8"):
        request.getfixturevalue("weights")
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run([sys.executable, str(script)], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{script.name}\n{done.stdout}\n{done.stderr}"


def test_the_tutorial_builds_a_society_in_fewer_than_60_lines() -> None:
    blocks = [block for block in fenced((ROOT / "docs" / "tutorial.md").read_text("utf-8")) if block.language == "python"]
    assert 0 < sum(bool(line.strip()) for block in blocks for line in block.text.splitlines()) < 60


def test_the_reader_of_fences_keeps_order_flags_lines_and_indent() -> None:
    page = "a\n```python no-run\nx = 1\n```\n\n- item\n  ```console\n  $ sociarium run \\\n    govsim\n  ```\n"
    first, second = fenced(page)
    assert (first.language, first.runs, first.line, first.text) == ("python", False, 3, "x = 1\n")
    assert (second.language, second.runs, second.line) == ("console", True, 8)
    assert [shlex.split(command) for command in commands(second.text)] == [["sociarium", "run", "govsim"]]


def test_a_fence_left_open_is_an_error() -> None:
    with pytest.raises(AssertionError, match="never closed"):
        fenced("```python\nx = 1\n")


def test_links_between_pages_lead_somewhere() -> None:
    link = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)(?:#[^)]*)?\)")
    lost = [
        f"{page.relative_to(ROOT)} -> {target}"
        for page in PAGES
        for target in link.findall(page.read_text("utf-8"))
        if not (page.parent / target).exists()
    ]
    assert not lost, "\n".join(lost)
