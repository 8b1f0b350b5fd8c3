"""The reproduction: its claims, the recorded logs, mixed models, and the Japanese pack."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from sociarium.kernel.errors import UsageError
from sociarium.lab import running
from sociarium.lab.claims import checks_of, run_claims
from sociarium.lab.running import Options
from sociarium.models.service import ModelService
from sociarium.scenarios import catalogue
from sociarium.scenarios.govsim.logs import largest_difference, runs_in
from sociarium.scenarios.govsim_repro import claims
from sociarium.scenarios.govsim_repro.scenario import GovSimRepro
from sociarium.testing.memory_journal import MemoryJournal

SCENARIOS = ("fishing", "sheep", "pollution", "trash")


async def test_every_claim_that_needs_no_model_holds() -> None:
    results = await run_claims(catalogue.card("govsim-repro"), checks_of(claims))
    assert {r.id: r.verdict for r in results if r.needs == "rules" and r.verdict != "holds"} == {}
    assert sum(r.needs == "rules" for r in results) == 8


@pytest.mark.data
async def test_the_recorded_runs_played_again_measure_the_same(shared_data: Path) -> None:
    logged = runs_in(shared_data)
    assert Counter(run.scenario for run in logged) == {"fishing": 30, "trash": 21, "fishing_japanese": 9}
    assert sum(run.zero_catch for run in logged) == 3
    for run in logged:
        assert await largest_difference(run, GovSimRepro.of({"scenario": run.scenario})) <= 1e-9
    sustained = [run for run in logged if (m := run.measures()).months == 12 and m.gains == [120] * 5 and m.efficiency == m.equality == 1]
    assert len(sustained) == 4, "four of the six perfect runs of the full release are among these sixty"


def test_every_prompt_and_wording_is_in_both_languages() -> None:
    assert claims.untranslated() == []


@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_japanese_runs_show_no_english_sentence(scenario: str) -> None:
    game = GovSimRepro.of({
        "scenario": scenario, "instructions": "ja", "model": "scripted:fixed?text=x", "embedder": "hashing", "max_rounds": 2,
        "pace": "choices",        "choose_most": 5, "inject_universalization": True,
    })  # fmt: skip
    journal = MemoryJournal()
    async with ModelService(await running.opened(game, Options()), journal=journal, seed=0) as service:
        simulation = game.build(0)
        simulation.door = service
        await simulation.run()
    texts = [block["text"] for entry in journal.entries.values() for block in entry.request["blocks"]]
    options = [option for entry in journal.entries.values() for option in entry.request.get("options", [])]
    assert len(texts) > 20
    english = [text for text in [*texts, *options] if re.search(r"[A-Za-z]+ [A-Za-z]+ [A-Za-z]+", text)]
    assert english == []


def test_models_are_one_an_agent_or_an_error() -> None:
    with pytest.raises(UsageError, match="2 models for 5 agents"):
        GovSimRepro.of({"models": ["scripted:echo", "scripted:schema"]}).routes()
    mixed = GovSimRepro.of({"models": ["scripted:schema"] * 4 + ["scripted:echo"], "framework_model": "scripted:schema?seed=9"})
    assert mixed.routes()["agent-4"] == "scripted:echo"
    assert mixed.routes()["framework"] == "scripted:schema?seed=9"


async def test_trash_with_a_model_replays(tmp_path: Path) -> None:
    game = GovSimRepro.of({"scenario": "trash", "model": "scripted:schema", "embedder": "hashing", "max_rounds": 2, "pace": "brief"})
    whole = await running.start(game, 1, tmp_path / "run", Options())
    assert (await running.replay(tmp_path / "run", catalogue.scenario)).digest == whole.digest
    assert "commons.waste" in (whole.last.measures if whole.last else {})
