"""Benches end in rows of one form; what they measure is what they say."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

import pytest

from sociarium.cli import bench, benches
from sociarium.cli.benches import models, opinion, overhead, platform, population, weight

from .conftest import Cli

COLUMNS = {"case", "unit", "ours", "reference", "reference_name", "ratio", "goal", "limit"}


def test_every_bench_has_a_command_in_the_folder_of_benchmarks(project: Path) -> None:
    scripts = [path.read_text("utf-8") for path in (project / "benchmarks").glob("*.py")]
    for module in pkgutil.iter_modules(benches.__path__):
        assert callable(importlib.import_module(f"{benches.__name__}.{module.name}").run), module.name
        forms = (f"benches import {module.name}\n", f'"bench", "{module.name}"')
        assert any(form in script for script in scripts for form in forms), module.name


def test_the_weight_counts_the_core_and_no_extras() -> None:
    rows = weight.run(repeats=1)
    assert all(set(row) == COLUMNS for row in rows)
    assert [row["case"] for row in rows[:3]] == ["import sociarium", "sociarium --help", "sociarium list"]
    assert all(row["ours"] > 0 for row in rows)
    found = weight.closure("sociarium")
    assert {"numpy", "aiohttp", "polars", "pydantic", "pydantic-core", "multidict"} <= found
    assert not found & {"matplotlib", "scipy", "numba", "xllamacpp", "pytest", "sphinx"}


def test_a_bench_of_code_that_fails_is_an_error() -> None:
    with pytest.raises(Exception, match="exit status 3"):
        weight.cpu("raise SystemExit(3)")


def test_the_overhead_compares_the_same_calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SOCIARIUM_CACHE", str(tmp_path / "none"))
    rows = overhead.run(repeats=1, lakes=2)
    assert all(set(row) == COLUMNS for row in rows)
    assert rows[0]["ours"] > 0
    assert rows[0]["reference"] > 0
    assert rows[2]["ours"] is None, "no weights, no figure"
    assert "models pull" in rows[2]["limit"]


def test_turns_are_compared_with_raw_clients_of_the_same_server() -> None:
    rows = models.run(turns=60, flights=(4,), delay=0.001)
    assert all(set(row) == COLUMNS for row in rows)
    assert {row["reference_name"] for row in rows} == {"raw streams", "aiohttp", "rounds 2 to 4"}
    assert all(row["ours"] > 0 and row["reference"] > 0 for row in rows)
    assert rows[-1]["limit"].count(",") == models.ROUNDS - 1, "one figure a round"


def test_the_population_bench_times_the_same_epidemic_and_counts_its_memory() -> None:
    """Its smallest size, in processes of its own."""
    rows = population.run(sizes=(10_000,))
    assert all(set(row) == COLUMNS for row in rows)
    names = {row["reference_name"] for row in rows}
    assert {"NumPy bincount", "objects in Python"} <= names
    assert all(row["ours"] > 0 for row in rows if row["unit"] in ("ns per agent", "s"))
    peak = next(row for row in rows if row["case"].startswith("peak memory"))
    assert 20 < peak["ours"] < 2000


def test_the_median_is_of_rounds_in_which_everyone_takes_its_turn() -> None:
    calls: list[str] = []
    taken = population.timed({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=5, budget=60)
    assert calls == ["a", "b"] * 6, "one round to warm up"
    assert set(taken) == {"a", "b"}


def test_a_bench_is_shown_as_a_table_and_as_json(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    row: dict[str, object] = {
        "case": "a",
        "unit": "ms",
        "ours": 1.0,
        "reference": 2.0,
        "reference_name": "b",
        "ratio": float("nan"),
        "goal": None,
        "limit": None,
    }
    row["limit"] = None
    monkeypatch.setattr(weight, "run", lambda: [row])
    assert "ratio" in cli("bench", "weight").out
    data = cli("bench", "weight", "--json").data
    assert data["bench"] == "weight"
    assert data["rows"] == [{**row, "ratio": None}]
    assert bench.bench.__doc__


def test_the_opinion_bench_stands_beside_others_on_the_same_graph() -> None:
    rows = opinion.run(agents=2_000, repeats=1)
    assert all(set(row) == COLUMNS for row in rows)
    assert {row["reference_name"] for row in rows} == {"SciPy", "plain Numba", "NumPy"}
    assert len(rows) == 10, "two models, two orders, beside all that there are"


def test_the_platform_bench_counts_acts_memory_and_both_clocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process, at a size at which nothing is compiled."""
    measures = {"step": platform.step, "users": platform.users}

    def here(_: str, what: str, *numbers: float, **__: str) -> dict[str, float]:
        return measures[what](*numbers) if what in measures else {"ours": 1.0, "hand": 2.0}

    monkeypatch.setattr(platform, "child_of", here)
    monkeypatch.setattr(platform, "ROUNDS", 4)
    rows = platform.run(sizes=(200, 400), readers=10)
    assert all(set(row) == COLUMNS for row in rows)
    assert all(row["ours"] > 0 for row in rows if row["unit"] in ("ms", "us", "bytes"))
    assert {row["reference_name"] for row in rows} >= {"by hand, ids only", "not recorded", "wanted", "Numba, by hand"}
    assert [row["case"] for row in rows if row["unit"] == "exponent"] == [
        "growth of a step from 200 to 400 users, 100% active",
        "growth of a step from 200 to 400 users, 10% active",
    ]
    assert 100 < platform.step(400, 1.0)["acts"] < 240, "45 acts for 100 active users, less what they have done before"
