"""``qualify`` shows a table, writes report and picture, ends in the verdict's code, and goes on after a budget."""

from __future__ import annotations

import json

import pytest

from sociarium.cli.main import main


def ended(*tokens):
    with pytest.raises(SystemExit) as stopped:
        main(list(tokens))
    return stopped.value.code


def test_a_model_that_answers_at_random_is_shown_to_be_unfit(tmp_path, capsys):
    folder = tmp_path / "q"
    assert ended("qualify", "scripted:schema", "--quick", "--out", str(folder)) == 1
    shown = capsys.readouterr().out
    for words in ("persona moves it", "at least 0.75", "not fit: ", "calls", "qualification.png"):
        assert words in shown
    assert (folder / "qualification.png").exists()
    assert ended("qualify", "scripted:schema", "--quick", "--out", str(folder), "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert found["fit"] is False
    assert found["speed"]["calls_now"] == 0  # all of it was in the journal
    assert {finding["verdict"] for finding in found["findings"]} <= {"holds", "fails", "shown", "not measured"}


def test_a_budget_pauses_it_and_it_says_how_to_go_on(tmp_path, capsys):
    folder = tmp_path / "q"
    assert ended("qualify", "scripted:schema", "--quick", "--out", str(folder), "--max-calls", "20") == 5
    assert f"go on with the same command and --out {folder}" in capsys.readouterr().out.replace("\n", "")
    assert ended("qualify", "scripted:schema", "--quick", "--out", str(folder)) == 1


def test_what_is_no_model_is_a_clear_error(tmp_path, capsys):
    assert ended("qualify", "nonsense", "--out", str(tmp_path / "q")) == 2
    assert "There is no model 'nonsense'" in capsys.readouterr().err
    assert not (tmp_path / "q").exists()
