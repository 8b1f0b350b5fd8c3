"""GovSim: its claims, its arms, and that a run with models stops, goes on and replays to the same digest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sociarium.kernel.errors import BudgetSpent, UsageError
from sociarium.kernel.protocols import NoJournal
from sociarium.kernel.records import TickRecord
from sociarium.lab import running
from sociarium.lab.claims import checks_of, run_claims
from sociarium.lab.running import Options
from sociarium.models.backends.scripted import ScriptedBackend
from sociarium.models.budget import BudgetLimits
from sociarium.models.request import Reply, Request
from sociarium.models.service import ModelService
from sociarium.scenarios import catalogue
from sociarium.scenarios.govsim import claims, dialogue
from sociarium.scenarios.govsim.calculator import calculator
from sociarium.scenarios.govsim.playing import play
from sociarium.scenarios.govsim.policies import parse_policies
from sociarium.scenarios.govsim.scenario import GovSim
from sociarium.scenarios.govsim.sub_skills import SKILLS, Problem, examine, problems, question
from sociarium.testing.memory_journal import MemoryJournal

SPOKEN = {"model": "scripted:schema", "embedder": "hashing", "max_rounds": 3, "choose_most": 10}


async def test_every_claim_that_needs_no_model_holds() -> None:
    results = await run_claims(catalogue.card("govsim"), checks_of(claims))
    by_need = {need: [r for r in results if r.needs == need] for need in ("rules", "data", "strong model")}
    assert {r.id: r.verdict for r in by_need["rules"]} == dict.fromkeys((r.id for r in by_need["rules"]), "holds")
    assert {r.verdict for r in by_need["strong model"]} == {"needs model"}
    assert len(by_need["rules"]) == 11


@pytest.mark.parametrize("pace", ["paper", "brief", "choices"])
async def test_a_run_with_a_model_replays_and_resumes_to_the_same_digest(tmp_path: Path, pace: str) -> None:
    game = GovSim.of({**SPOKEN, "pace": pace})
    whole = await running.start(game, 3, tmp_path / "whole", Options())
    assert (await running.replay(tmp_path / "whole", catalogue.scenario)).digest == whole.digest
    with pytest.raises(BudgetSpent):
        await running.start(game, 3, tmp_path / "cut", Options(budget=BudgetLimits(calls=7)))
    resumed = await running.resume(tmp_path / "cut", catalogue.scenario, Options(budget=BudgetLimits(calls=10_000)))
    assert resumed.digest == whole.digest
    assert whole.summary.fallbacks == 0, "a valid reply is never replaced"


async def test_an_unreadable_answer_takes_nothing_and_is_marked() -> None:
    records = await _records(
        GovSim.of({**SPOKEN, "model": "scripted:fixed?text=hm", "answer": "answer", "language": "none", "max_rounds": 1})
    )
    harvests = next(rows for rows in records[0].events if rows.kind == "commons.harvested")
    assert harvests.data["wanted"].tolist() == [0] * 5
    rows = next(rows for rows in records[0].outcomes if rows.phase == "harvest")
    assert rows.counts == {"malformed": 5}
    assert rows.fallbacks == 5


@pytest.mark.parametrize(("language", "kinds"), [
    ("unconstrained", {"conversation.said", "commons.reported"}), ("none", {"commons.reported"}), ("none_and_no_obs", set[str]()),
])  # fmt: skip
async def test_the_arms_of_communication(language: str, kinds: set[str]) -> None:
    records = await _records(GovSim.of({"language": language, "max_rounds": 2}))
    found = {rows.kind for record in records for rows in record.events}
    assert found & {"conversation.said", "commons.reported"} == kinds


@pytest.mark.parametrize("wording", ["fishery", "pasture", "pollution"])
async def test_universalization_tells_everyone_the_share_and_nobody_without_it(wording: str) -> None:
    for on in (False, True):
        game = GovSim.of({**SPOKEN, "pace": "choices", "max_rounds": 1, "wording": wording, "inject_universalization": on})
        asked = await _asked(game)
        acts = [text for address, text in asked if address.label == "harvest"]
        assert len(acts) == 5
        assert all(("more than 10 " in text) == on for text in acts)


async def test_rules_lead_every_prompt_and_words_of_others_are_marked() -> None:
    asked = await _asked(GovSim.of({**SPOKEN, "pace": "brief"}))
    spoken = [text for address, text in asked if address.label == "converse"]
    rules = {text.partition("\n")[0] for address, text in asked if address.asker != "agent:5"}
    assert len(rules) == 1, "the shared rules come first, so that prefix caches hit"
    assert any("[[John]]" in text or "[[Kate]]" in text for text in spoken)


async def test_the_newcomer_comes_in_the_fourth_month_with_its_own_goal() -> None:
    records = await _records(game := GovSim.of({"newcomer": True, "policies": "sustainable"}))
    takers = [len(rows.actors) for record in records for rows in record.events if rows.kind == "commons.harvested"]
    assert takers[:5] == [4, 4, 4, 5, 5]
    assert game.months == 15
    gains = records[-1].measures["commons.gain"][0] * 5
    assert records[-1].measures["commons.efficiency"][0] == pytest.approx(gains / 750)
    asked = await _asked(GovSim.of({**SPOKEN, "newcomer": True, "max_rounds": 4, "pace": "choices", "choose_most": 5}))
    new = [text for address, text in asked if address.asker == "agent:5" and address.label == "harvest"]
    assert len(new) == 1
    assert "largest of all" in new[0]


async def test_lakes_side_by_side_are_the_lakes_alone() -> None:
    together = await play(GovSim.of({"lakes": 7, "policies": "sustainable*4,greedy", "language": "none"}), seed=5)
    alone = await play(GovSim.of({"policies": "sustainable*4,greedy", "language": "none"}), seed=5)
    assert (together.measures["commons.months"] == alone.measures["commons.months"][0]).all()
    assert together.catches.shape == (4, 35)


def test_what_a_person_reads() -> None:
    game = GovSim()
    row: dict[str, Any] = {"name": "John", "actor": 0, "group": 0, "tick": 2, "wanted": 20, "caught": 20}
    assert game.told("commons.harvested", row) == "month 3: John wanted 20, got 20 tons"
    assert game.told("conversation.said", {"name": "Kate", "actor": 1, "group": 0, "tick": 2, "text": "Ten\neach."}) == "  Kate: Ten each."


def test_mixes_of_policies_are_read_or_refused() -> None:
    assert parse_policies("sustainable*2, take:7, greedy*2", 5) == ["sustainable", "sustainable", "take:7", "greedy", "greedy"]
    assert parse_policies("greedy*1,sustainable", 3) == ["greedy", "sustainable", "sustainable"]
    for wrong in ("kind", "take", "greedy:3", "greedy*6", "greedy*2,sustainable*2", "greedy*9,sustainable"):
        with pytest.raises(UsageError, match="policies"):
            parse_policies(wrong, 5)


@pytest.mark.data
def test_people_of_the_survey(shared_data: Path) -> None:
    game = GovSim(personas="gss", gss_path=shared_data / "gss_agents" / "agents.jsonl")
    first, again, other = (list(game.build(seed).world.population["harvester"]["name"]) for seed in (1, 1, 2))
    assert first == again != other
    assert len(set(first)) == 5


def test_a_survey_needs_its_file() -> None:
    with pytest.raises(UsageError, match="gss_path"):
        GovSim(personas="gss").build(0)


async def test_a_picture_is_drawn_of_one_run_and_of_many_lakes(tmp_path: Path) -> None:
    for lakes in (1, 6):
        game = GovSim.of({"policies": "sustainable*4,greedy", "lakes": lakes, "language": "none"})
        folder = tmp_path / str(lakes)
        await running.start(game, 1, folder, Options())
        drawn = game.plot(folder, tmp_path / f"{lakes}.png")
        assert drawn is not None
        assert drawn.stat().st_size > 20_000


async def test_sub_skills_tell_a_calculator_from_a_guess() -> None:
    guess = ScriptedBackend(lambda request, draw: '{"reasoning": "", "answer": 7, "others": 0}', tag="guess")
    for skill in SKILLS:
        asked = problems(skill)
        assert len(set(asked)) == 150
        async with ModelService({"default": calculator()}, journal=NoJournal(), seed=0) as service:
            assert (await examine(service, asked))[0].estimate == 1.0
        async with ModelService({"default": guess}, journal=NoJournal(), seed=0) as service:
            assert (await examine(service, asked))[0].estimate < 0.5


def test_an_answer_is_right_only_if_it_is() -> None:
    assert Problem("dynamics", 90, 5, 6).right({"answer": 100})
    assert not Problem("dynamics", 90, 5, 6).right({"answer": 120})
    assert Problem("threshold", 51, 5, 0).right({"answer": 5})
    assert Problem("action", 51, 5, 0).right({"answer": 0})
    assert not Problem("action", 51, 5, 0).right({"answer": 6})
    assert Problem("belief", 100, 5, 0).right({"others": 20, "answer": 0})
    assert not Problem("belief", 100, 5, 0).right({"others": 10, "answer": 11})
    assert not Problem("threshold", 51, 5, 0).right({"answer": True})
    assert "fishers" in question(Problem("threshold", 51, 5, 0)).blocks[-1].text


async def test_dialogue_is_sorted_by_the_framework_model() -> None:
    keywords = {"propose": "solution proposing", "caught": "information sharing", "sorry": "excusing"}

    def sort(request: Request, draw: int | None) -> Reply:
        label = next(label for word, label in keywords.items() if word in request.blocks[-2].text or word in request.blocks[-1].text)
        weights = np.array([float(option == label) for option in request.options])
        return Reply(probabilities=tuple(weights / weights.sum()))

    framework = ScriptedBackend(sort, tag="keywords")
    said = [("John", "I propose ten each"), ("Kate", "I caught 9"), ("Jack", "sorry for that"), ("Emma", "then I propose 8")]
    async with ModelService({"default": calculator(), "framework": framework}, journal=NoJournal(), seed=0) as service:
        labels = await dialogue.classify(service, said)
    assert labels == ["solution proposing", "information sharing", "excusing", "solution proposing"]
    assert dialogue.shares(labels) == {"information": 0.25, "negotiation": 0.5, "relational": 0.25}
    assert len(dialogue.LABELS) == 8


async def test_utterances_of_a_recorded_run(tmp_path: Path) -> None:
    await running.start(GovSim(max_rounds=2), 1, tmp_path / "run", Options())
    said = dialogue.utterances(tmp_path / "run")
    assert {speaker for speaker, _ in said} <= {"John", "Kate", "Jack", "Emma", "Luke"}
    assert len(said) >= 2


async def _records(game: GovSim) -> list[TickRecord]:
    options = Options()
    records: list[TickRecord] = []
    options.on_tick = [records.append]
    await running.in_memory(game, 0, options)
    return records


async def _asked(game: GovSim) -> list[tuple[Any, str]]:
    """Every request of a run: its address, and its prompt as one text."""
    journal = MemoryJournal()
    async with ModelService(await running.opened(game, Options()), journal=journal, seed=0) as service:
        simulation = game.build(0)
        simulation.door = service
        await simulation.run()
    return [(address, "\n".join(block["text"] for block in entry.request["blocks"])) for address, entry in journal.entries.items()]
