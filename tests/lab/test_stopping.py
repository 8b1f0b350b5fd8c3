"""How runs end: one Ctrl-C for all of a process, limits that stay on resume, and a folder that is let go whatever went wrong."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from sociarium.kernel.errors import BudgetSpent, Interrupted, ReplayMismatch
from sociarium.lab import running
from sociarium.lab.running import Options
from sociarium.lab.stopping import Signals
from sociarium.models.backends.scripted import ScriptedBackend
from sociarium.models.budget import BudgetLimits
from sociarium.record.run import RunRecord
from sociarium.scenarios import catalogue

SPEC = "scripted:schema"


def game(model: str = SPEC):
    return catalogue.scenario("donor-game").of({"agents": 6, "generations": 1, "rounds": 4, "model": model})


async def test_one_ctrl_c_stops_all_replicates(tmp_path: Path) -> None:
    asked = asyncio.Event()

    def script(request: object, drawn: int | None) -> str:
        asked.set()
        return "Answer: 1"

    backend = ScriptedBackend(script, delay=lambda request, drawn: 0.01)
    runs = [
        asyncio.ensure_future(running.start(game(), seed, tmp_path / str(seed), Options(backends={SPEC: backend}, handle_signals=True)))
        for seed in (1, 2, 3)
    ]
    await asked.wait()
    while len(Signals.listening) < len(runs):
        await asyncio.sleep(0)
    os.kill(os.getpid(), signal.SIGINT)
    ended = await asyncio.gather(*runs, return_exceptions=True)
    assert all(isinstance(one, Interrupted) for one in ended), ended
    assert not Signals.listening


async def test_a_limit_that_is_raised_on_resume_lifts_no_other(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with pytest.raises(BudgetSpent, match="20 calls"):
        await running.start(game(), 1, folder, Options(budget=BudgetLimits(calls=20, tokens=10**7)))
    with pytest.raises(BudgetSpent, match="20 calls"):
        await running.resume(folder, catalogue.scenario, Options(budget=BudgetLimits(tokens=10**8)))
    with pytest.raises(BudgetSpent, match="21 calls"):
        await running.resume(folder, catalogue.scenario, Options(budget=BudgetLimits(calls=21)))


async def test_a_resume_that_is_refused_lets_the_folder_go(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with pytest.raises(BudgetSpent):
        await running.start(game(), 1, folder, Options(budget=BudgetLimits(calls=20)))
    other = ScriptedBackend(lambda request, drawn: "Answer: 1", tag="another")
    for _ in range(2):  # the second is refused for the same reason, not because the first still holds the folder
        with pytest.raises(ReplayMismatch):
            await running.resume(folder, catalogue.scenario, Options(backends={SPEC: other}))
    with RunRecord.open(folder, mode="read") as record:
        assert record.get("status") == "paused"


async def test_models_that_nobody_else_can_close_are_closed_with_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[str] = []

    class Closing(ScriptedBackend):
        async def close(self) -> None:
            closed.append(self.facts.name)

    monkeypatch.setattr(running, "open_backend", lambda spec: Closing(lambda request, drawn: "Answer: 1"))
    await running.start(game(), 1, tmp_path / "run")
    assert len(closed) == 1
    options = Options()
    await running.start(game(), 1, tmp_path / "again", options)
    assert len(closed) == 1, "it may be shared with the next run"
    await options.close()
    assert len(closed) == 2
