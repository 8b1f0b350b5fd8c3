"""Every verb does what it says, and its ``--json`` is JSON."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from sociarium.cli.main import VERBS

from .conftest import SOURCE, Cli, begin


def test_list_shows_scenarios_of_other_packages(cli: Cli) -> None:
    assert "Fishers on one pond" in cli("list").out
    assert {"slug": "pond", "title": "Fishers on one pond", "claims": 3} in cli("list", "--json").data


def test_describe_gives_units_bounds_and_claims(cli: Cli) -> None:
    told = cli("describe", "pond")
    for word in ("months", "≥ 1, ≤ 60", "calm | wild", "stock-stays", "Nobody (2024)"):
        assert word in told.out
    data = cli("describe", "pond", "--json").data
    assert data["parameters"]["properties"]["months"]["unit"] == "months"
    assert len(data["card"]["claims"]) == 3


def test_run_records_and_sums_up(cli: Cli, tmp_path: Path) -> None:
    said = cli("run", "pond", "--seed", 5)
    assert said.code == 0
    for word in (
        "minds: rule minds; seed 5; record: runs/pond-seed5",
        "Fisher 0",
        "water.stock",
        "agent-turns: 12 (ok 100.0%)",
        "plot.png",
    ):
        assert word in said.out
    assert (tmp_path / "runs/pond-seed5/plot.png").stat().st_size > 1000
    assert "runs/pond-seed5-2" in cli("run", "pond", "--seed", 5).out, "a second run has a folder of its own"


def test_run_json_tells_each_replicate_and_nothing_else(cli: Cli) -> None:
    data = cli("run", "pond", "--replicates", 3, "--set", "months=2", "--json").data
    assert [one["seed"] for one in data["runs"]] == [1, 2, 3]
    assert len({one["digest"] for one in data["runs"]}) == 3
    assert all(one["agent_turns"] == {"ok": 6} and one["events"] == {"water.fished": 6} for one in data["runs"])


def test_quiet_run_shows_only_the_result(cli: Cli) -> None:
    said = cli("run", "pond", "--quiet")
    assert "Fisher" not in said.out
    assert "what came of it" in said.out


def test_settings_come_from_a_file_and_the_command_line_wins(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("months: 3\nfishers: 2\n")
    data = cli("run", "pond", "--settings", "mine.yaml", "--set", "fishers=4", "--json").data
    assert data["runs"][0]["agent_turns"] == {"ok": 12}


def test_show_has_manifest_shares_and_measures(cli: Cli, run: Path) -> None:
    said = cli("show", run)
    for word in ("pond, seed 1: finished after 4 ticks", "scripted:schema", "model=scripted:schema", "12 (ok 100.0%)", "stock"):
        assert word in said.out
    data = cli("show", run, "--json").data
    assert data["status"] == "finished"
    assert data["summary"]["models"]["calls"] == 12
    assert len(data["measures"]) == 4


def test_show_events_calls_and_queries(cli: Cli, run: Path) -> None:
    assert cli("show", run, "--events", "all", "--json").data == [{"kind": "water.fished", "rows": 12}]
    assert len(cli("show", run, "--events", "water.fished", "--json", "--rows", 5).data) == 5
    calls = cli("show", run, "--calls", "--json").data
    assert len(calls) == 12
    assert "quantity" in cli("show", run, "--calls").out
    assert cli("show", run, "--sql", "select count(*) as calls from calls", "--json").data == [{"calls": 12}]
    assert "10 more rows" in cli("show", run, "--calls", "--rows", 2).out


def test_show_thins_long_runs_and_keeps_first_and_last(cli: Cli) -> None:
    cli("run", "pond", "--set", "months=50", "--out", "long", "--quiet")
    lines = [line for line in cli("show", "long").out.splitlines() if line.startswith("│")]
    assert len(lines) == 20
    assert lines[0].split()[1] == "0"
    assert lines[-1].split()[1] == "49"


def test_show_draws(cli: Cli, run: Path, tmp_path: Path) -> None:
    assert cli("show", run, "--plot", "new/own.png").code == 0
    assert (tmp_path / "new/own.png").read_bytes().startswith(b"\x89PNG")


def test_replay_gives_the_same_digest_without_a_call(cli: Cli, run: Path) -> None:
    first = cli("show", run, "--json").data
    again = cli("replay", run, "--json").data
    assert again["digest"] == first["digest"]
    assert again["models"]["calls"] == 0
    assert "replayed to the same digest" in cli("replay", run).out


def test_resume_of_a_finished_run_changes_nothing(cli: Cli, run: Path) -> None:
    first = cli("show", run, "--json").data
    said = cli("resume", run)
    assert said.code == 0
    assert "is finished" in said.out
    after = cli("show", run, "--json").data
    assert after["digest"] == first["digest"]
    for name in ("agent_turns", "events", "measures", "ticks"):
        assert after["summary"][name] == first["summary"][name]
    assert after["summary"]["models"]["calls"] == 12


def test_a_resumed_run_is_summed_up_whole(cli: Cli, run: Path) -> None:
    """Its session has played the last ticks only; the shares are those of all of them."""
    whole = cli("show", run, "--json").data
    common = ("--model", "scripted:schema", "--out", "cut", "--max-calls", 8)
    assert cli("run", "pond", *common).code == 5
    assert cli("resume", "cut", "--max-calls", 100).code == 0
    resumed = cli("show", "cut", "--json").data
    assert resumed["digest"] == whole["digest"]
    for name in ("agent_turns", "fallbacks", "applied", "events", "measures", "ticks"):
        assert resumed["summary"][name] == whole["summary"][name], name
    for name in ("calls", "prompt_tokens", "completion_tokens"):
        assert resumed["summary"]["models"][name] == whole["summary"]["models"][name]


def test_a_pause_says_which_limit_to_raise_and_a_raised_one_is_remembered(cli: Cli) -> None:
    model = ("--model", "scripted:schema?price=1000000", "--quiet")
    said = cli("run", "pond", *model, "--out", "cut", "--max-dollars", 80)
    assert said.code == 5
    assert "sociarium resume cut --max-dollars MORE" in said.out
    assert "the budget of $80.00 is spent: $" in said.err
    assert "sociarium resume cut --max-calls MORE" in cli("resume", "cut", "--max-dollars", 1e6, "--max-calls", 7, "--quiet").out
    assert "7 calls" in cli("resume", "cut", "--quiet").err
    last = cli("resume", "cut", "--max-calls", 100, "--quiet")
    assert last.code == 0, "the raised limit of money holds, though it was not given again"
    assert "model: 12 calls" in last.out
    assert "replies of before were not asked again" in last.out


def test_the_questions_of_a_forecast_count_as_spent(cli: Cli) -> None:
    said = cli("run", "pond", "--model", "scripted:schema", "--out", "whole", "--forecast", "--max-calls", 12, "--quiet")
    assert said.code == 5
    assert "12 used" in said.err
    assert cli("show", "whole", "--sql", "select count(*) as n from calls", "--json").data == [{"n": 11}]
    assert cli("run", "pond", "--model", "scripted:schema", "--out", "none", "--forecast", "--max-calls", 0).code == 5
    assert cli("resume", "whole", "--max-calls", 13, "--quiet").code == 0


def test_branch_pays_only_for_what_is_new(cli: Cli, run: Path) -> None:
    data = cli("branch", run, "--at", 2, "--set", "stock=50", "--out", "other", "--json").data
    assert data["models"]["calls"] == 0, "the questions are the same, so the replies are inherited"
    assert data["measures"]["water.stock"] == [50.0]
    assert cli("replay", "other", "--json").data["digest"] == data["digest"]
    assert cli("branch", "other", "--at", 3, "--set", "stock=20", "--out", "third").code == 0
    assert cli("branch", "third", "--at", 1, "--set", "stock=70", "--out", "fourth").code == 0
    for name in ("third", "fourth"):
        assert cli("replay", name).code == 0, "branches of branches too"
    assert [row["value"] for row in cli("show", "third", "--json").data["measures"]] == [100.0, 100.0, 50.0, 20.0]
    assert [row["value"] for row in cli("show", "fourth", "--json").data["measures"]] == [100.0, 70.0, 70.0, 70.0]
    assert cli("show", run, "--json").data["digest"] != data["digest"]


def test_replicate_tells_each_verdict_and_fails_where_a_claim_fails(cli: Cli) -> None:
    said = cli("replicate", "pond", "--seeds", 2)
    assert said.code == 1
    for word in ("holds", "fails", "needs model", "of 3 claims 1 hold, 1 fail, 1 not checked"):
        assert word in said.out
    claims = cli("replicate", "pond", "--seeds", 2, "--json").data["claims"]
    assert [one["verdict"] for one in claims] == ["holds", "fails", "needs model"]


def test_forecast_counts_calls_before_they_are_made(cli: Cli) -> None:
    data = cli("forecast", "pond", "--model", "scripted:schema?price=3", "--json").data
    assert data["totals"]["calls"] == {"mean": 12.0, "low": 12.0, "high": 12.0}
    tokens = data["totals"]["prompt_tokens"]["mean"]
    assert data["totals"]["money"]["mean"] == pytest.approx(3 * tokens), "three dollars a million are three millionths a token"
    assert "calls" in cli("forecast", "pond", "--model", "scripted:schema").out


def test_doctor_finds_the_run_whole_then_damaged(cli: Cli, run: Path) -> None:
    assert cli("doctor", run).code == 0
    assert cli("doctor", run, "--json").data == []
    with sqlite3.connect(run / "run.sqlite") as database:
        database.execute("UPDATE journal SET reply = replace(reply, 'ok', 'OK') WHERE id = 1")
    said = cli("doctor", run)
    assert said.code == 1
    assert "error" in said.out
    assert any(found["severity"] == "error" for found in cli("doctor", run, "--json").data)


def test_models_are_listed_with_licence_and_size(cli: Cli) -> None:
    assert {row["name"] for row in cli("models", "list", "--json").data} >= {"smollm2"}
    assert "Apache-2.0" in cli("models", "list").out


@pytest.mark.parametrize("columns", [80, 200])
def test_output_keeps_to_the_terminal(columns: int, run: Path, tmp_path: Path) -> None:
    for tokens in (["show", run], ["show", run, "--calls"], ["show", run, "--events", "water.fished"], ["list"], ["describe", "pond"]):
        said, _ = begin(*tokens, folder=tmp_path, COLUMNS=str(columns)).communicate()
        table = [line for line in said.splitlines() if line[:1] in "┏┃┡│└"]
        assert all(len(line) <= columns for line in table)
        words = [cell for line in table for cell in line.strip("┃│").split("│")]
        assert not words or max(map(len, words)) > 6, "no column of single letters"


@pytest.mark.parametrize("verb", [(), *[(verb,) for verb in VERBS], ("models",), ("models", "pull")])
def test_help_of_every_verb(cli: Cli, verb: tuple[str, ...]) -> None:
    said = cli(*verb, "--help")
    assert said.code == 0
    assert "Usage: sociarium" in said.out


def test_help_and_version_import_nothing_heavy() -> None:
    code = "import sys\nfrom sociarium.cli.main import _run\n_run(['--help']); _run(['rnu'])\nprint(*sorted(sys.modules))"
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": str(SOURCE)}
    )
    loaded = set(said.stdout.splitlines()[-1].split())
    assert not loaded & {"polars", "aiohttp", "matplotlib", "scipy", "numba", "xllamacpp", "pydantic"}
