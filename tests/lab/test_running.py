"""Runs from the outside: what is refused leaves nothing behind, and what a run came to is that of all its sessions."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from sociarium.cli.watch import cost_lines, unanswered
from sociarium.kernel.errors import BudgetSpent, UsageError
from sociarium.kernel.protocols import Usage
from sociarium.lab.experiment import Experiment
from sociarium.lab.running import Options, branch, resume, start
from sociarium.models.backends.scripted import ScriptedBackend, open_scripted
from sociarium.models.budget import BudgetLimits
from sociarium.models.forecast import Forecast, Interval
from sociarium.models.request import Reply, Request
from sociarium.scenarios import catalogue

GAME = {"model": "scripted:schema", "generations": 1, "rounds": 2, "agents": 6}


def game(**more: object):
    return catalogue.scenario("donor-game").of({**GAME, **more})


def budget(**limits: int) -> Options:
    return Options(budget=BudgetLimits(**limits))


def test_what_is_refused_leaves_no_folder_that_stands_in_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-a-key-0123456789")
    folder = tmp_path / "run"
    with pytest.raises(UsageError, match="prices"):
        asyncio.run(start(game(model="openai:nobody-knows"), 1, folder, budget(money=1_000_000)))
    with pytest.raises(UsageError, match="time limit"):
        asyncio.run(start(game(), 1, folder, Options(timeout=float("inf"))))
    with pytest.raises(UsageError, match="no model 'elit'"):
        mixed = "default=scripted:schema; elite=scripted:schema?seed=7"
        asyncio.run(start(game(model=mixed, routing={"elit": 0.5}), 1, folder))
    assert not folder.exists()
    assert asyncio.run(start(game(), 1, folder)).ticks > 0


@pytest.mark.parametrize("calls", [3, 6, 10, 13])
def test_a_run_in_sessions_says_what_all_of_them_used(calls: int, tmp_path: Path) -> None:
    """Stopped before its first tick was committed, between ticks and amid one: the summary and the forecast are those of one session."""
    made = Forecast(4, 5, 0.9, {"calls": Interval(30.0, 9.0, 90.0), "prompt_tokens": Interval(1e5, 10.0, 1e7)})
    whole = asyncio.run(start(game(), 1, tmp_path / "whole", Options(forecast=made)))
    options = Options(budget=BudgetLimits(calls=calls), forecast=made)
    with pytest.raises(BudgetSpent):
        asyncio.run(start(game(), 1, tmp_path / "parts", options))
    parts = asyncio.run(resume(tmp_path / "parts", catalogue.scenario, budget(calls=10_000)))
    assert parts.digest == whole.digest
    for name in ("calls", "cached", "shared", "prompt_tokens", "completion_tokens"):
        assert parts.summary.models[name] == whole.summary.models[name], name
    assert parts.summary.forecast == whole.summary.forecast
    assert parts.summary.forecast["calls"]["actual"] == whole.summary.models["calls"]


def test_runs_at_the_same_time_share_the_calls_that_a_model_is_asked_at_once(tmp_path: Path) -> None:
    """``--at-once 2`` with three replicates is two calls in flight, not six; and one that stops leaves the waits of the others alone."""
    backend = open_scripted("scripted:schema?delay=0.001")

    async def work() -> list[object]:
        limiters: dict[int, object] = {}
        runs = []
        for seed in range(3):
            options = Options(backends={"scripted:schema": backend}, concurrency=2, limiters=limiters)  # type: ignore[arg-type]
            options.budget = BudgetLimits(calls=4 if seed == 0 else None)
            runs.append(start(game(), seed, tmp_path / str(seed), options))
        return list(await asyncio.gather(*runs, return_exceptions=True))

    ended = asyncio.run(work())
    assert isinstance(ended[0], BudgetSpent)
    assert [type(one).__name__ for one in ended[1:]] == ["Finished", "Finished"]
    assert backend.most == 2


def test_a_branch_has_limits_of_its_own_and_no_forecast_of_another_run(tmp_path: Path) -> None:
    made = Forecast(4, 5, 0.9, {"calls": Interval(30.0, 9.0, 90.0)})
    parent = Options(budget=BudgetLimits(calls=40), forecast=made)
    asyncio.run(start(game(generations=2), 1, tmp_path / "parent", parent))
    changed = {"multiplier": 3.0}
    with pytest.raises(BudgetSpent, match="budget of 2 calls"):
        asyncio.run(branch(tmp_path / "parent", tmp_path / "other", 2, changed, catalogue.scenario, budget(calls=2)))
    with pytest.raises(BudgetSpent, match="budget of 2 calls"):
        asyncio.run(resume(tmp_path / "other", catalogue.scenario))
    finished = asyncio.run(resume(tmp_path / "other", catalogue.scenario, budget(calls=500)))
    assert finished.summary.forecast == {}


def test_what_a_model_thought_is_counted_over_all_sessions(tmp_path: Path) -> None:
    script = open_scripted("scripted:schema").script

    def thinking(request: Request, draw: int | None) -> Reply:
        made = script(request, draw)
        assert isinstance(made, Reply)
        return replace(made, usage=Usage(1, 20, 4, 9, reasoning_tokens=5))

    def options(calls: int) -> Options:
        return Options(budget=BudgetLimits(calls=calls), backends={"scripted:schema": ScriptedBackend(thinking, tag="schema")})

    with pytest.raises(BudgetSpent):
        asyncio.run(start(game(), 1, tmp_path / "run", options(10)))
    finished = asyncio.run(resume(tmp_path / "run", catalogue.scenario, options(1_000)))
    used = finished.summary.models
    assert used["calls"] > 10
    assert used["reasoning_tokens"] == 5 * used["calls"]
    assert f"({5 * used['calls']:,} of them in thought)" in " ".join(cost_lines([finished]))
    assert "(20% of them reused)" in " ".join(cost_lines([finished]))


def test_a_run_in_which_no_question_was_answered_is_no_good_run_though_some_had_nothing_to_ask(tmp_path: Path) -> None:
    lost = catalogue.scenario("govsim").of(
        {"model": "faulty:unauthorised=1:scripted:schema", "pace": "brief", "max_rounds": 1, "embedder": "hashing"}
    )
    finished = asyncio.run(start(lost, 1, tmp_path / "run"))
    assert finished.summary.good_share > 0
    assert "unauthorised" in (unanswered([finished]) or "")


async def test_the_cells_of_an_experiment_share_the_calls_at_once_too() -> None:
    backend = open_scripted("scripted:schema?delay=0.001")
    settings = {**GAME, "rounds": 2}
    experiment = Experiment(catalogue.scenario("donor-game"), {"plain": {}, "double": {"multiplier": 3.0}}, range(2), base=settings)
    await experiment.run(options=Options(backends={"scripted:schema": backend}, concurrency=2))
    assert backend.most == 2
