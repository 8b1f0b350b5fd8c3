"""The 60 released runs that are here: every law of the world, and the measures against the engine's own kernels.

The release has 112 runs; of its claims, those that can be checked on this part are: 4 of the 6 perfect runs, 3 of the 6 without any
catch, and 5 broken-off logs.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from sociarium.environments.commons.growth import Adding, Multiplying, per_agent_threshold
from sociarium.environments.commons.measures import sustainability
from sociarium.kernel.errors import UsageError
from sociarium.lab.govsim_logs import LoggedRun, read_runs
from sociarium.lab.reference import PlainMeasures

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def runs(shared_data: Path) -> list[LoggedRun]:
    return read_runs(shared_data / "govsim_logs" / "logs.parquet")


def test_what_is_in_the_file(runs: list[LoggedRun]) -> None:
    assert len(runs) == 60 and len({run.run for run in runs}) == 60
    assert Counter(run.scenario for run in runs) == {"fishing": 30, "fishing_japanese": 9, "trash": 21}
    assert sum(run.months for run in runs) == 462
    assert sum(len(run.utterances) for run in runs) == 3_700


def test_every_month_obeys_the_rules_of_its_world(runs: list[LoggedRun]) -> None:
    for run in runs:
        trash = run.scenario == "trash"
        assert run.before[0] == 100
        for left, following in zip(run.after[:-1], run.before[1:], strict=True):
            assert following == min(100, left + 50 if trash else 2 * left)
            assert not (left > 95 if trash else left < 5)
        for stock, wanted, catches in zip(run.before, run.wanted, run.catches, strict=True):
            assert all(0 <= catch <= wish for catch, wish in zip(catches, wanted, strict=True))
            assert sum(catches) == min(sum(wanted), stock)


def test_engine_kernels_equal_the_independent_recomputation(runs: list[LoggedRun]) -> None:
    for run in runs:
        law = Adding() if run.scenario == "trash" else Multiplying()
        thresholds = per_agent_threshold(law.group_threshold(np.array([run.before])), 5)
        ours = sustainability(np.array([run.catches]), np.array([run.months]), thresholds, horizon=12, first_threshold=50)
        plain: PlainMeasures = run.measures()
        assert int(ours.months[0]) == plain.months
        assert np.abs(ours.gain[0] - plain.gains).max() < 1e-9
        assert abs(float(ours.efficiency[0]) - plain.efficiency) < 1e-9
        assert abs(float(ours.over_usage[0]) - plain.over_usage) < 1e-9
        if plain.equality is None:
            assert np.isnan(ours.equality[0]) and run.zero_catch
        else:
            assert abs(float(ours.equality[0]) - plain.equality) < 1e-9


def test_all_runs_at_once_give_what_each_gives_alone(runs: list[LoggedRun]) -> None:
    catches, thresholds = np.zeros((60, 12, 5), np.int64), np.zeros((60, 12), np.int64)
    for place, run in enumerate(runs):
        catches[place, : run.months], thresholds[place, : run.months] = run.catches, run.thresholds()
    months = np.array([run.months for run in runs])
    together = sustainability(catches, months, thresholds, horizon=12, first_threshold=50)
    for place, run in enumerate(runs):
        plain = run.measures()
        assert abs(together.efficiency[place] - plain.efficiency) < 1e-9 and abs(together.over_usage[place] - plain.over_usage) < 1e-9


def test_four_of_the_six_perfect_runs_are_here(runs: list[LoggedRun]) -> None:
    perfect = {
        run.run
        for run in runs
        if run.scenario != "trash" and run.months == 12 and run.measures().gains == [120.0] * 5 and run.measures().equality == 1.0
    }
    assert perfect == {"brisk-pine-11", "comic-frost-24", "exalted-smoke-22", "pretty-field-13"}
    assert all(run.measures().efficiency == 1.0 for run in runs if run.run in perfect)


def test_three_runs_catch_nothing_and_five_are_broken_off(runs: list[LoggedRun]) -> None:
    assert {run.run: run.months for run in runs if run.zero_catch} == {
        "silver-resonance-1": 2,
        "vivid-galaxy-17": 12,
        "jumping-shape-164": 1,
    }
    assert {run.run: run.months for run in runs if run.broken_off} == {
        "silver-resonance-1": 2,
        "vocal-wave-21": 6,
        "pleasant-smoke-11": 1,
        "ruby-dragon-33": 10,
        "vibrant-sky-86": 1,
    }
    survived = next(run for run in runs if run.run == "vivid-galaxy-17").measures()  # survival without gain
    assert survived.months == 12 and sum(survived.gains) == 0 and survived.equality is None and survived.efficiency == 0


def test_trash_runs_mostly_remove_everything(runs: list[LoggedRun]) -> None:
    trash = [run for run in runs if run.scenario == "trash" and not run.broken_off]
    assert sum(sum(run.measures().gains) == 650 for run in trash) == 15 and len(trash) == 18


def test_a_small_model_fishery_that_ends_in_month_one_has_the_published_gain_and_efficiency(runs: list[LoggedRun]) -> None:
    llama = [run for run in runs if run.model == "Llama-2-13B" and run.scenario == "fishing"]
    assert len(llama) == 4
    for run in llama:
        measures = run.measures()
        assert measures.months == 1 and sum(measures.gains) / 5 == 20 and round(100 * measures.efficiency, 1) == 16.7


def test_contradictions_are_found(shared_data: Path, tmp_path: Path) -> None:
    frame = pl.read_parquet(shared_data / "govsim_logs" / "logs.parquet").filter(pl.col("run") == "brisk-pine-11")
    for column, changed, told in (
        ("resource_collected", pl.lit(11.0), "do not leave"),
        ("wanted_resource", pl.lit(0.5), "not a whole number"),
        ("round", pl.col("round") + 1, "without gaps"),
        ("agent_id", pl.lit("persona_0"), "one harvest of each"),
    ):
        frame.with_columns(changed.alias(column)).write_parquet(tmp_path / "logs.parquet")
        with pytest.raises(UsageError, match=told):
            read_runs(tmp_path / "logs.parquet")
    frame.drop("round").write_parquet(tmp_path / "logs.parquet")
    with pytest.raises(UsageError, match="'round' is missing"):
        read_runs(tmp_path / "logs.parquet")
    (tmp_path / "text.parquet").write_text("not Parquet")
    with pytest.raises(UsageError, match="cannot be read as Parquet"):
        read_runs(tmp_path / "text.parquet")
