"""The package as a user meets it: light to import, complete in the wheel, with scenarios that say where they come from."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

import sociarium

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "sociarium"
HEAVY = {"numpy", "pydantic", "polars", "aiohttp", "rich", "cyclopts"}
HEAVY |= {"torch", "optuna", "scipy", "statsmodels", "matplotlib", "numba", "networkx", "xllamacpp", "wordllama", "ctranslate2", "gguf"}
SCENARIOS = sorted(path for path in (PACKAGE / "scenarios").iterdir() if (path / "scenario.py").is_file())
PROMPTS = sorted(PACKAGE.rglob("prompts/*.md"))
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def loaded_by(statement: str) -> set[str]:
    """Top-level modules in a fresh interpreter after a statement."""
    code = f"import json, sys\n{statement}\njson.dump(sorted({{n.partition('.')[0] for n in sys.modules}}), sys.stderr)"
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60, check=True)
    return set(json.loads(done.stderr))


def test_importing_sociarium_loads_nothing_heavy() -> None:
    assert loaded_by("import sociarium").isdisjoint(HEAVY)


@pytest.mark.skipif(importlib.util.find_spec("sociarium.cli.main") is None, reason="no command line yet")
def test_help_loads_no_frames_models_or_statistics() -> None:
    asked = "sys.argv[1:] = ['--help']\nfrom sociarium.cli.main import main\ntry: main()\nexcept SystemExit: pass"
    assert loaded_by(asked).isdisjoint(HEAVY - {"rich", "cyclopts", "pydantic", "numpy"})


def test_every_public_name_is_there() -> None:
    for name in sociarium.__all__:
        assert getattr(sociarium, name) is not None
        assert name in dir(sociarium)


def test_public_names_are_few_and_sorted() -> None:
    assert len(sociarium.__all__) <= 40
    assert list(sociarium.__all__) == sorted(sociarium.__all__)


def test_editors_and_type_checkers_see_the_names_that_python_sees() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text("utf-8"))
    typed = {
        alias.name: f.module for f in ast.walk(tree) if isinstance(f, ast.ImportFrom) for alias in f.names if "sociarium" in str(f.module)
    }
    assert typed == sociarium._HOME
    assert {*sociarium.__all__} == {*sociarium._HOME, "__version__"}


def test_an_unknown_name_is_an_attribute_error_that_lists_the_known() -> None:
    with pytest.raises(AttributeError, match="Status"):
        _ = sociarium.Statsu  # type: ignore[attr-defined]


def test_one_version() -> None:
    assert PROJECT["project"]["version"] == sociarium.__version__
    assert f"## [{sociarium.__version__}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_the_core_is_light() -> None:
    assert len(PROJECT["project"]["dependencies"]) <= 10


def test_the_door_of_the_command_line_exists() -> None:
    module, _, function = PROJECT["project"]["scripts"]["sociarium"].partition(":")
    if importlib.util.find_spec(module) is None:
        pytest.skip("no command line yet")
    assert callable(getattr(importlib.import_module(module), function))


def front_matter(path: Path) -> dict[str, Any]:
    """The YAML between the first two ``---`` lines."""
    opening, _, rest = path.read_text("utf-8").partition("---\n")
    head, closing, _ = rest.partition("\n---\n")
    assert opening == "", f"{path.relative_to(ROOT)}: front matter must open the file with ---"
    assert closing, f"{path.relative_to(ROOT)}: front matter is not closed by ---"
    return dict(YAML(typ="safe").load(head) or {})


@pytest.mark.parametrize("prompt", PROMPTS, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_prompt_says_what_it_is_and_where_it_comes_from(prompt: Path) -> None:
    assert {"id", "version", "variables", "source"} <= set(front_matter(prompt))


@pytest.mark.parametrize("prompt", PROMPTS, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_prompt_uses_the_variables_that_it_declares(prompt: Path) -> None:
    body = prompt.read_text("utf-8").split("\n---\n", 1)[1]
    assert set(re.findall(r"\{(\w+)\}", body)) == set(front_matter(prompt)["variables"] or ())


def test_prompt_ids_are_unique() -> None:
    ids = [front_matter(prompt)["id"] for prompt in PROMPTS]
    assert sorted(ids) == sorted(set(ids))


@pytest.mark.parametrize("folder", SCENARIOS, ids=lambda path: path.name)
def test_a_scenario_has_a_card_and_a_page(folder: Path) -> None:
    card = YAML(typ="safe").load((folder / "card.yaml").read_text("utf-8"))
    assert card["claims"], f"{folder.name}/card.yaml names no claim"
    assert (folder / "README.md").read_text("utf-8").startswith("# ")


@pytest.mark.parametrize("folder", SCENARIOS, ids=lambda path: path.name)
def test_a_scenario_holds_no_engine_code(folder: Path) -> None:
    assert len((folder / "scenario.py").read_text("utf-8").splitlines()) <= 200
