"""Where a scenario's files are looked for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from sociarium.scenarios import catalogue

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
SCRIPT = """
from sociarium import Scenario

class Mine(Scenario):
    slug = "mine"

print(Mine.home().resolve(), sorted(Mine.prompt_digests()))
"""


def test_a_scenario_of_a_package_has_the_folder_of_its_package() -> None:
    assert (catalogue.scenario("govsim").home() / "card.yaml").is_file()


def ran(arguments: list[str], folder: Path, typed: str | None = None) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], input=typed, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_a_scenario_in_a_script_has_the_folder_of_the_script(tmp_path: Path) -> None:
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "act.md").write_text("words", "utf-8")
    (tmp_path / "script.py").write_text(SCRIPT, "utf-8")
    assert ran([str(tmp_path / "script.py")], Path("/")) == f"{tmp_path} ['prompts/act.md']"


def test_a_scenario_typed_at_a_prompt_has_the_current_folder(tmp_path: Path) -> None:
    assert ran(["-"], tmp_path, SCRIPT) == f"{tmp_path} []"
