"""Public opinion: by rule and in words, forks, priming, bans, and the record of a run."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from sociarium.kernel.errors import UsageError
from sociarium.kernel.hawkes import Uniform
from sociarium.lab import running
from sociarium.lab.claims import checks_of, match_checks, run_claims
from sociarium.lab.counterfactual import Arm, Counterfactual
from sociarium.lab.histories import histories
from sociarium.lab.running import Options
from sociarium.scenarios import catalogue
from sociarium.scenarios.posim import claims
from sociarium.scenarios.posim.people import activity, words
from sociarium.scenarios.posim.scenario import Posim
from sociarium.testing import seed_test, sharing_test, state_test

SMALL = {"users": 20, "steps": 5, "awakenings": 300, "prime": "empathy", "prime_step": 2, "banned": [3], "ban_step": 3}


def of(**settings):
    return Posim.of({"users": 30, "steps": 6, **settings})


def test_the_shipped_checks_hold_by_rule():
    def build(seed=1):
        return of(users=24, prime="rational", prime_step=2).build(seed)

    state_test(build, ticks=6)
    seed_test(build, ticks=4)
    sharing_test(build, ticks=4)


@pytest.mark.parametrize(
    "settings",
    [
        {"form": "code"},
        {"answers": "flat"},
        {"thinking": "single"},
        {"thinking": "none"},
        {"without": ["belief"]},
        {"without": ["desire", "intention"], "worded": 0.5},
    ],
)
def test_a_run_in_words_is_replayed_to_the_same_digest(tmp_path, settings):
    scenario = Posim.of({**SMALL, "model": "scripted:schema", **settings})
    run = asyncio.run(running.start(scenario, 3, tmp_path / "run", Options(snapshot_every=2)))
    again = asyncio.run(running.replay(tmp_path / "run", lambda slug: Posim))
    assert run.digest == again.digest
    assert run.summary.good_share > 0.95
    assert sum(run.summary.applied.get(f"platform.{act}", 0) for act in ("like", "repost", "short_post", "long_post")) > 0
    stirred = run.simulation.world["emotions"].levels.any()
    assert stirred == (settings.get("thinking") != "none" and "belief" not in settings.get("without", ()))


def test_users_in_words_know_their_role_their_prime_the_news_and_what_they_did():
    asked = []

    def watch(scenario, simulation):
        door_ask = simulation.minds.all[0].decide

        async def decide(turn, seen):
            asked.append((turn.tick, [simulation.world["platform"].describe(seen, row) for row in range(len(turn.agents))]))
            return await door_ask(turn, seen)

        simulation.minds.all[0].decide = decide

    scenario = Posim.of({**SMALL, "model": "scripted:schema", "coverage": 1.0})
    run = asyncio.run(running.in_memory(scenario, 3, Options(on_built=[watch])))
    mind = run.simulation.minds.all[0]
    memory = mind.component("memory").stream
    assert len(memory) > 5 and all(str(text).startswith("I ") for text in memory["text"])
    assert any("solvent" in block.text for tick, rows in asked if tick > 0 for block in rows[0])
    assert set(run.simulation.world.population["user"]["primed"]) == {"empathy"}
    assert mind.component("belief_layers").opinions


def test_a_crowd_may_be_mixed_of_rules_and_words():
    scenario = Posim.of({**SMALL, "model": "scripted:schema", "worded": 0.4, "users": 60})
    run = asyncio.run(running.in_memory(scenario, 3))
    minds = run.simulation.world.population["user"]["mind"]
    assert 0.2 < (minds == 0).mean() < 0.6
    texts = run.simulation.world["platform"].posts.words(np.arange(len(run.simulation.world["platform"].posts)))
    ruled = {line for lines in run.simulation.minds.all[1].phrases.lines.values() for line in lines}
    assert any(any(line in text for line in ruled) for text in texts) and not all(any(line in text for line in ruled) for text in texts)


def test_accounts_are_as_their_kinds_say():
    people = of(users=500).build(4).world.population["user"]
    kinds, counts = np.unique(people["agent_type"], return_counts=True)
    assert dict(zip(kinds.tolist(), counts.tolist(), strict=True)) == {"citizen": 450, "government": 5, "kol": 30, "media": 15}
    assert len(set(people["name"])) == 500
    medians = {kind: float(np.median(people["followers_count"][people["agent_type"] == kind])) for kind in ("citizen", "kol", "media")}
    assert 100 < medians["citizen"] < 300 and medians["citizen"] < medians["kol"] < medians["media"]
    assert activity([1000, 500, 5000], [100_000, 0, 10**7]).tolist() == [1, 0.3, 1]
    assert list(words()["kinds"])[-1] == "citizen"  # the others are counted first, one of each at least
    follows = of(users=500).build(4).world["platform"].follows
    top = np.argsort(-people["followers_count"])[:25]
    assert follows.followers[top].sum() > 0.25 * follows.followers.sum()


def test_answers_part_from_one_checkpoint_and_differ_only_afterwards():
    arms = {name: Arm({"response": name}) for name in ("actual", "apology", "silence")}
    futures = Counterfactual(of(steps=9, response_step=4), at=4, arms=arms, seeds=[1, 2]).run_sync(("platform.acts", "clock.expected"))
    acts = {name: futures.values(name, "platform.acts") for name in arms}
    assert np.array_equal(acts["actual"][:, :4], acts["apology"][:, :4]) and np.array_equal(acts["actual"][:, :4], acts["silence"][:, :4])
    assert not np.array_equal(acts["actual"], acts["apology"])
    expected = {name: futures.values(name, "clock.expected") for name in arms}
    assert (expected["apology"][:, 5] > expected["silence"][:, 5]).all()  # what the company says wakes people


def test_the_clock_without_excitation_is_another_schedule():
    assert isinstance(of(clock="uniform").build(1).schedule, Uniform)
    finished = asyncio.run(running.in_memory(of(clock="uniform"), 1))
    assert np.isnan(finished.last.measures["clock.intensity"][0])


def test_a_picture_is_drawn_of_a_run_and_of_its_measures(tmp_path):
    pytest.importorskip("matplotlib")
    scenario = of(steps=4)
    asyncio.run(running.start(scenario, 1, tmp_path / "run"))
    assert scenario.plot(tmp_path / "run", tmp_path / "p.png").stat().st_size > 10_000
    found = histories(tmp_path / "run", ["platform.acts", "emotions.anger"])
    assert len(found["platform.acts"]) == 4 and found["emotions.anger"][-1] > 0
    with pytest.raises(UsageError, match="no measure"):
        histories(tmp_path / "run", ["platform.joy"])


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"banned": [99]}, "names account 99"), ({"prime": "fear"}, "prime"), ({"events": [{"minute": -1, "text": "x"}]}, "events")],
)
def test_impossible_settings_are_refused(wrong, said):
    with pytest.raises(UsageError, match=said):
        of(**wrong).build(1)


def test_lines_for_who_watches():
    row = {"name": "Lena 3", "tick": 6, "text": "No.", "emotion": "anger"}
    assert of().told("platform.short_posted", row) == "day 1, 09:00: Lena 3 (anger): No."
    assert of().told("platform.broadcast", row).startswith("day 1, 09:00: news: ")


def test_the_claims_hold():
    """At two seeds; ``sociarium replicate posim`` takes twenty."""
    card = catalogue.card("posim")
    match_checks(card, checks_of(claims))
    results = asyncio.run(run_claims(card, checks_of(claims), seeds=range(2)))
    assert {result.verdict for result in results if result.needs == "rules"} == {"holds"}


@pytest.mark.model
def test_a_small_model_fills_the_flat_form(tmp_path: Path):
    settings = {"model": "local:smollm2?fields=yes", "users": 10, "steps": 1, "background": 0.3, "awakenings": 25, "feed": 2, "comments": 0}
    run = asyncio.run(running.start(Posim.of(settings), 8, tmp_path / "run", Options(timeout=600.0)))  # with this seed one user wakes
    assert run.summary.turns == {"ok": 1}
    assert run.summary.applied["emotions.stir"] == 1
    assert asyncio.run(running.replay(tmp_path / "run", lambda slug: Posim)).digest == run.digest
