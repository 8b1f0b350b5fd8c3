"""A user's mistake is one clear line on standard error, and a stable exit code."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest

from sociarium.record.run import RunRecord

from .conftest import Cli, begin


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        (["rnu", "pond"], ["no command 'rnu'", "did you mean 'run'"]),
        (["qqqq"], ["no command 'qqqq'", "list, describe, run"]),
        (["models", "pul"], ["pul"]),
        (["run"], ["slug"]),
        (["run", "pnd"], ["no scenario 'pnd'", "did you mean 'pond'"]),
        (["describe", "zzzzzz"], ["no scenario 'zzzzzz'", "pond"]),
        (["run", "../pond"], ["no scenario"]),
        (["run", "pond", "--set", "mnths=3"], ["no parameter 'mnths'", "did you mean 'months'"]),
        (["run", "pond", "--set", "months=3 days"], ["months", "'days'"]),
        (["run", "pond", "--set", "fishers=3 boats"], ["no unit", "'boats'"]),
        (["run", "pond", "--set", "months=99"], ["less than or equal to 60", "99"]),
        (["run", "pond", "--set", "months=few"], ["months", "integer", "few"]),
        (["run", "pond", "--set", "months=["], ["months", "not a readable value"]),
        (["run", "pond", "--set", "mood=angry"], ["mood", "calm"]),
        (["run", "pond", "--set", "months"], ["--set takes name=value", "months"]),
        (["run", "pond", "--set", "=3"], ["--set takes name=value"]),
        (["run", "pond", "--settings", "none.yaml"], ["no settings file none.yaml"]),
        (["run", "pond", "--settings", "broken.yaml"], ["broken.yaml", "not readable YAML"]),
        (["run", "pond", "--settings", "list.yaml"], ["list.yaml", "mapping"]),
        (["run", "pond", "--settings", "object.yaml"], ["object.yaml", "not readable YAML"]),
        (["run", "pond", "--settings", "bytes.yaml"], ["bytes.yaml"]),
        (["run", "pond", "--seed", "x"], ["--seed", "x"]),
        (["run", "pond", "--replicates", "0"], ["--replicates is 0"]),
        (["run", "pond", "--max-calls", "-1"], ["budget", "-1"]),
        (["run", "pond", "--model", "scripted:schema", "--call-timeout", "0"], ["--call-timeout is 0"]),
        (["run", "pond", "--model", "scripted:schema", "--call-timeout", "inf"], ["--call-timeout is inf"]),
        (["run", "pond", "--model", "scripted:schema", "--max-dollars", "nan"], ["--max-dollars is nan"]),
        (["run", "pond", "--model", "scripted:schema", "--max-dollars", "inf"], ["--max-dollars is inf"]),
        (["serve-model", "scripted:schema", "--port", "99999"], ["port", "65535"]),
        (["serve-model", "scripted:schema", "--delay", "nan"], ["delay", "nan"]),
        (["run", "pond", "--model", "scripted:schema", "--at-once", "0"], ["--at-once is 0"]),
        (["run", "pond", "--bogus"], ["--bogus"]),
        (["run", "pond", "--model", "local:nope"], ["'nope'", "smollm2"]),
        (["run", "pond", "--model", "openai:gpt"], ["OPENAI_API_KEY", "not set"]),
        (["run", "pond", "--model", "scripted:nope"], ["no script 'nope'"]),
        (["forecast", "pond"], ["calls no model", "--model"]),
        (["forecast", "pond", "--model", "scripted:schema", "--runs", "1"], ["at least 2"]),
        (["replicate", "pnd"], ["did you mean 'pond'"]),
        (["replicate", "pond", "--seeds", "0"], ["at least one seed"]),
        (["models", "pull", "nope"], ["'nope'", "smollm2"]),
        (["bench", "nope"], ["no bench 'nope'", "kernel"]),
    ],
)
def test_bad_input_is_one_line_and_code_2(cli: Cli, tmp_path: Path, tokens: list[str], words: list[str]) -> None:
    (tmp_path / "broken.yaml").write_text("{a: [")
    (tmp_path / "list.yaml").write_text("- a\n")
    (tmp_path / "object.yaml").write_text("months: !!python/object/apply:os.system ['true']\n")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    cli(*tokens).mistake(2, *words)
    assert not (tmp_path / "runs").exists(), "a mistake leaves no folder"


def test_unknown_kind_of_model_lists_the_forms(cli: Cli) -> None:
    said = cli("run", "pond", "--model", "bogus:x")
    assert said.code == 2
    assert said.err.startswith("error: There is no model 'bogus:x'.")
    assert "local:NAME" in said.err


def test_weights_that_were_not_pulled_say_how_to_get_them(cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SOCIARIUM_CACHE", str(tmp_path / "empty"))
    cli("run", "pond", "--model", "local:smollm2").mistake(4, "smollm2", "sociarium models pull smollm2")


def test_a_host_that_answers_nobody_is_a_model_error(cli: Cli) -> None:
    said = cli("run", "pond", "--set", "months=1", "--model", "http://127.0.0.1:9/v1#m", "--out", "dead")
    said.mistake(4, "No model server answers", "cannot connect", "Start it")
    said = cli("run", "pond", "--set", "months=1", "--model", "http://127.0.0.1:9/v1#m?probe=no", "--out", "dead")
    said.mistake(4, "no usable answer", "cannot connect")
    assert "failed 100.0%" in said.out
    assert "why     3 times: unavailable" in cli("show", "dead").out, "the record says it too"


@pytest.mark.parametrize("tokens", [["show"], ["resume"], ["replay"], ["doctor"], ["branch", "--at", "1"]])
def test_a_folder_that_holds_no_run(cli: Cli, tmp_path: Path, tokens: list[str]) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    for place in ("nowhere", "empty", "file"):
        cli(tokens[0], place, *tokens[1:]).mistake(3, place, "holds no run")
        assert not (tmp_path / "nowhere").exists()
        assert not list((tmp_path / "empty").iterdir()), "looking leaves nothing behind"


def _cut(database: Path) -> None:
    database.write_bytes(database.read_bytes()[: database.stat().st_size // 2])


def _foreign(database: Path) -> None:
    database.unlink()
    with sqlite3.connect(database) as other:
        other.execute("CREATE TABLE photos (id)")


def _empty(database: Path) -> None:
    database.write_bytes(b"")


def _future(database: Path) -> None:
    with sqlite3.connect(database) as own:
        own.execute("PRAGMA user_version = 99")


def _noise(database: Path) -> None:
    database.write_bytes(b"\x00\xffnoise" * 999)


@pytest.mark.parametrize("harm", [_cut, _foreign, _empty, _future, _noise])
@pytest.mark.parametrize("verb", ["show", "resume", "replay"])
def test_a_harmed_run_is_one_clear_line(cli: Cli, run: Path, verb: str, harm: object) -> None:
    with sqlite3.connect(run / "run.sqlite") as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    for rest in ("run.sqlite-wal", "run.sqlite-shm"):
        (run / rest).unlink(missing_ok=True)
    harm(run / "run.sqlite")
    cli(verb, run).mistake(3, "made")


def test_a_folder_that_holds_a_run_is_never_written_over(cli: Cli, run: Path) -> None:
    before = cli("show", run, "--json").data["digest"]
    cli("run", "pond", "--out", run).mistake(3, "holds a run already")
    cli("branch", run, "--at", 1, "--out", run).mistake(3)
    assert cli("show", run, "--json").data["digest"] == before


def test_folders_that_cannot_be_written(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    cli("run", "pond", "--out", "file/x").mistake(3, "file/x")
    cli("run", "pond", "--out", "/proc/x").mistake(3, "/proc/x")


def test_replay_of_an_unfinished_run_says_so(cli: Cli) -> None:
    assert cli("run", "pond", "--model", "scripted:schema", "--max-calls", 8, "--out", "cut").code == 5
    said = cli("replay", "cut")
    assert said.code in (3, 6)
    assert said.err.count("\n") == 1
    assert "cut" in said.err
    assert cli("show", "cut").out.count("sociarium resume cut") == 1


def test_branch_at_a_tick_that_is_not_there(cli: Cli, run: Path) -> None:
    cli("branch", run, "--at", 77).mistake(3, "77", "0 to 4")
    cli("branch", run, "--at", -1).mistake(3, "-1")


def test_show_of_what_the_run_does_not_hold(cli: Cli, run: Path) -> None:
    cli("show", run, "--events", "nope").mistake(2, "'nope'", "water.fished")
    cli("show", run, "--sql", "select * from nope").mistake(2, "nope")
    cli("show", run, "--sql", "select * from read_csv('/etc/passwd')").mistake(2, "no files")
    cli("show", run, "--rows", 0).mistake(2, "--rows")
    cli("show", run, "--plot", "x.txt").mistake(2, "x.txt", ".png")


def test_another_model_under_the_same_run_is_a_mismatch(cli: Cli) -> None:
    assert cli("run", "pond", "--model", "scripted:schema?seed=1", "--max-calls", 4, "--out", "cut").code == 5
    record = RunRecord.open(Path("cut"), mode="resume")
    manifest = record.manifest
    manifest["parameters"]["model"] = "scripted:schema?seed=2"
    record.set("manifest", manifest)
    record.close()
    said = cli("resume", "cut")
    said.mistake(6, "recorded with model", "branch the run")


def test_two_writers_and_the_second_is_told_who_the_first_is(cli: Cli, tmp_path: Path) -> None:
    assert cli("run", "pond", "--model", "scripted:schema", "--max-calls", 4, "--out", "held").code == 5
    holder = RunRecord.open(tmp_path / "held", mode="resume")
    try:
        process = begin("resume", "held", folder=tmp_path)
        out, err = process.communicate()
        assert process.returncode == 3, out
        assert err.startswith("error: ")
        assert str(os.getpid()) in err
        assert err.count("\n") == 1
    finally:
        holder.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_a_full_disk_is_one_clear_line_and_the_run_goes_on_after(cli: Cli, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(small)], check=False, capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        said = cli(
            "run", "pond", "--set", "months=60", "--set", "fishers=50", "--model", "scripted:schema", "--out", small / "run", "--quiet"
        )
        said.mistake(3, "small")
        whole = tmp_path / "moved"
        shutil.copytree(small / "run", whole)
    finally:
        subprocess.run(["umount", str(small)], check=True)
    assert cli("resume", whole, "--quiet").code == 0
    assert cli("replay", whole, "--quiet").code == 0


def test_a_disk_error_while_writing_is_one_clear_line(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*given: object, **named: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "made")

    monkeypatch.setattr(RunRecord, "commit", full)
    cli("run", "pond", "--quiet").mistake(3, "No space left on device")


def test_a_reader_that_has_seen_enough_is_no_error(run: Path, tmp_path: Path) -> None:
    process = begin("show", run, "--events", "water.fished", folder=tmp_path)
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait() == 0
    assert process.stderr is not None
    assert process.stderr.read() == ""
