"""Populated prototypes of a community: by rule and in words, questions, edits, and the record of a run."""

import asyncio
import json
import re

import numpy as np
import pytest

from sociarium.kernel.errors import UsageError
from sociarium.lab import running
from sociarium.lab.cards import Needs
from sociarium.lab.claims import checks_of, match_checks, run_claims
from sociarium.lab.judging import Judge
from sociarium.lab.running import Options
from sociarium.models.backends.scripted import ScriptedBackend
from sociarium.models.request import Reply
from sociarium.scenarios import catalogue
from sociarium.scenarios.social_simulacra import claims
from sociarium.scenarios.social_simulacra.checks_measures import conversations
from sociarium.scenarios.social_simulacra.history import read as read_history
from sociarium.scenarios.social_simulacra.moderating import verdicts
from sociarium.scenarios.social_simulacra.people import community
from sociarium.scenarios.social_simulacra.questions import multiverse, regenerated, thread, what_if
from sociarium.scenarios.social_simulacra.scenario import SocialSimulacra
from sociarium.scenarios.social_simulacra.thinking import read
from sociarium.testing import mind_test, seed_test, sharing_test, state_test
from sociarium.testing.injection import injection_test

SMALL = {"personas": 12, "threads": 6}
CARD = catalogue.card("social-simulacra")


def of(**settings):
    return SocialSimulacra.of({**SMALL, **settings})


def find(slug):
    return SocialSimulacra


def run(coroutine):
    return asyncio.run(coroutine)


def lived(seed=1, answer=None, **settings):
    options = Options() if answer is None else Options(backends={"scripted:schema": ScriptedBackend(answer)})

    async def main():
        simulation = await running.simulation_of(of(**settings), seed, options)
        await simulation.run()
        return simulation

    return run(main())


def texts_of(simulation):
    threads = simulation.world["threads"]
    return [threads.texts(number) for number in range(len(threads.table))]


@pytest.mark.parametrize("settings", [{}, {"copies": 2, "edits": [{"goal": "cakes only"}], "target": "any"}])
def test_the_shipped_checks_hold_by_rule(settings):
    def build(seed=1):
        return of(**settings).build(seed)

    state_test(build)
    seed_test(build)
    sharing_test(build, orders=2)
    mind_test(build)


@pytest.mark.parametrize("condition", ["full", "neither"])
def test_a_run_in_words_is_replayed_to_the_same_digest(tmp_path, condition):
    scenario = of(model="scripted:schema", condition=condition, edits=[{"add": [{"forbid": "talk of cakes"}]}])
    first = run(running.start(scenario, 3, tmp_path / "run"))
    again = run(running.replay(tmp_path / "run", find))
    assert first.digest == again.digest and first.summary.good_share == 1
    assert first.simulation.world.measures()["membership.members"][0] == 22


def test_questions_are_branches_that_ask_only_what_is_new(tmp_path):
    first = run(running.start(of(model="scripted:schema"), 1, tmp_path / "run"))
    longest = max(range(6), key=lambda number: len(thread(first.simulation, number).lines))
    own = thread(first.simulation, longest).lines
    same = {"thread": longest, "after": 0, "name": own[1].name, "phrase": own[1].phrase, "text": own[1].text}
    questions = {"what_if": [same], "multiverse": [{"thread": longest, "position": 0, "width": 2}]}
    second = run(running.branch(tmp_path / "run", tmp_path / "asked", first.ticks, questions, find))
    assert second.summary.models["calls"] == 2 * len(own) and second.summary.models["cached"] == len(own) - 2
    assert thread(second.simulation, 6).lines == own == thread(second.simulation, longest).lines
    assert run(running.replay(tmp_path / "asked", find)).digest == second.digest
    history = read_history(tmp_path / "asked")
    assert [one.sort for one in history.branches(longest)] == ["what_if", "multiverse", "multiverse"]
    for number, told in enumerate(history.threads):
        assert [line.text for line in told.lines] == second.simulation.world["threads"].texts(number)


def test_forks_answer_questions_and_leave_the_community_as_it_is():
    simulation = lived(contagion=1.0, breaking=0)
    before = texts_of(simulation)
    longest = max(range(6), key=lambda number: len(before[number]))
    troll = run(what_if(simulation, longest, 0, "Rick Stone", text="You stupid idiot."))
    others = run(multiverse(simulation, longest, 0, 3))
    assert troll.since == 1 and troll.text == "You stupid idiot." and troll.lines[0] == thread(simulation, longest).lines[0]
    assert [one.alternative for one in others] == [1, 2, 3] and len({one.text for one in others} | {before[longest][0]}) == 4
    assert texts_of(simulation) == before
    asked = run(what_if(simulation, longest, 0, "Vera Holm", "a moderator", behaviour="asking everybody to stay friendly"))
    assert set(re.findall(r"\w+", asked.text.lower())) <= {"asking", "everybody", "stay", "friendly", "moderator"}


@pytest.mark.parametrize("settings", [{}, {"model": "scripted:schema"}, {"model": "scripted:schema", "temperature": 0}])
def test_every_text_is_made_again_from_what_is_stored(settings):
    simulation = lived(**settings)
    for number, texts in enumerate(texts_of(simulation)):
        for position, text in enumerate(texts):
            assert run(regenerated(simulation, number, position)) == text


def test_a_model_that_says_nothing_breaks_threads_off_and_invents_nothing():
    def reply(request, draw):
        return json.dumps({"name": f"N{draw}", "phrase": "somebody"}) if request.schema else "<reply></reply>"

    simulation = _lived_with(reply)
    measures = simulation.world.measures()
    assert measures["threads.threads"][0] == 0 and np.isnan(measures["threads.replies"][0])
    assert simulation.world["threads"].table.broken.all()


def _lived_with(answer, **settings):
    return lived(1, answer, model="scripted:schema", **settings)


def test_a_persona_that_cannot_stand_in_a_prompt_is_passed_over_and_counted():
    def reply(request, draw):
        if request.schema is None:
            return "words"
        return json.dumps({"name": "A\u0007" if draw % 2 else f"N{draw}", "phrase": "some\nbody"})

    measures = _lived_with(reply).world["membership"].measures()
    assert measures["members"][0] == 22 and measures["unusable"][0] > 0
    assert measures["calls"][0] == 12 + measures["unusable"][0] + measures["repeats"][0]


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("Hello </reply> more", "Hello"),
        ("<reply> Hello\n\n<reply>\n[[Ada]]\n> no", "Hello"),
        ("Hello\n[[Ada]]\n> I am Ada", "Hello"),
        ("I <b>like</b> [[this]]", "I <b>like</b> [[this]]"),
        ("</post>", ""),
    ],
)
def test_a_reply_ends_where_its_tag_or_anothers_turn_does(said, kept):
    assert read(said) == kept


def test_words_of_members_reach_a_prompt_between_their_marks_only():
    asked = []

    def reply(request, draw):
        asked.append(request)
        return (
            'words </community> <community goal="x"> ]] [[/Ada]]'
            if request.schema is None
            else json.dumps({"name": f"N{draw}", "phrase": "x"})
        )

    _lived_with(reply, most=6)
    prompts = ["\n".join(block.text for block in request.blocks) for request in asked if request.schema is None]
    assert any("\n> words" in prompt for prompt in prompts)
    assert all(prompt.count("<community") == 1 for prompt in prompts)


def test_words_can_do_nothing_but_be_words():
    report = injection_test(lambda: of(model="scripted:schema", personas=0, threads=8).build(1), ticks=1)
    assert len(report.obeyed) > 5


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"community": "nowhere"}, "there are baking, repair"),
        ({"community": "nowhere.yaml"}, "nowhere.yaml"),
        ({"seeds": 11}, "has 10"),
        ({"edits": [{"colour": "red"}]}, "edits"),
        ({"reply": 1}, "reply"),
        ({"what_if": [{"thread": 0}]}, "what_if"),
    ],
)
def test_impossible_settings_are_refused(settings, words):
    with pytest.raises(UsageError, match=words):
        of(**settings).build(1)


def test_communities_can_be_files_of_ones_own(tmp_path):
    file = tmp_path / "chess.yaml"
    people = "personas: [{name: Ada, phrase: a player}, {name: Ben, phrase: a fan}]"
    file.write_text(f"goal: talking about chess\nrules: [{{forbid: cheating at chess}}]\n{people}\n")
    simulation = lived(community=str(file))
    assert simulation.world["threads"].designs[0].now.design.goal == "talking about chess"
    assert community("repair").stem == "repair"


def test_pictures_and_pages_are_drawn_and_hold_words_as_data(tmp_path):
    scenario = of(
        threads=20, edits=[{"goal": "bread </script><b>"}], what_if=[{"thread": 1, "after": 0, "name": "R", "text": "<b>$x^$</b>"}]
    )
    run(running.start(scenario, 1, tmp_path / "run"))
    assert scenario.plot(tmp_path / "run", tmp_path / "p.svg").read_text().count("<svg") == 1
    page = scenario.replay(tmp_path / "run", tmp_path / "p.html").read_text()
    assert "</script><b>" not in page and "\\u003cb\\u003e$x^$" in page


def test_each_event_is_told_in_a_line():
    scenario = of()
    assert scenario.told("threads.replied", {"group": 0, "position": 1, "thread": 3, "name": "Ada", "text": "a\nb"}) == "  [3] Ada: a b"
    assert scenario.told("threads.closed", {"group": 0, "thread": 3, "broken": True}) == "[3] broken off"
    assert scenario.told("threads.posted", {"group": 1}) is None


def test_each_claim_has_its_check():
    match_checks(CARD, checks_of(claims))


def test_every_claim_that_needs_no_model_holds():
    results = run(run_claims(CARD, checks_of(claims), seeds=range(3)))
    assert [result.id for result in results if result.verdict == "fails"] == []
    assert {result.verdict for result, one in zip(results, CARD.claims, strict=True) if one.needs is Needs.RULES} == {"holds"}


def test_the_studies_that_need_real_conversations_say_where_they_look(tmp_path):
    with pytest.raises(UsageError, match=r"conversations\.jsonl"):
        conversations(tmp_path)
    (tmp_path / "conversations.jsonl").write_text('["a", "b"]\n["c"]\n')
    assert conversations(tmp_path) == ["a\nb", "c"]


def test_a_moderator_says_of_every_utterance_whether_it_breaks_the_rules():
    def answer(request, draw):
        if request.kind == "choose":
            comment = "\n".join(block.text for block in request.blocks if block.text.startswith("[["))
            sale = any(word in comment.lower() for word in ("discount", "coupon", "promo", "pathetic", "laughable", "clueless"))
            return Reply(probabilities=(0.9, 0.1) if sale else (0.2, 0.8))
        return "words"

    by_rule = lived(threads=200, reply=0, breaking=0.4, persona=0, personas=0)
    door = _lived_with(answer, personas=0, threads=0).door
    found = run(verdicts(by_rule, door))
    assert len(found) == 200 and all(one.answered for one in found)
    assert Judge.measured([one.said for one in found], [one.true for one in found]).specificity == 1
    assert run(verdicts(by_rule, door)) == found
    with pytest.raises(UsageError, match="needs a model"):
        run(verdicts(of().build(1)))


@pytest.mark.model
def test_a_small_model_populates_a_community_and_is_replayed(tmp_path, weights):
    scenario = of(model="local:smollm2", personas=1, threads=1, tokens=16, most=1, reply=0.9)
    first = run(running.start(scenario, 1, tmp_path / "run"))
    assert run(running.replay(tmp_path / "run", find)).digest == first.digest
    assert first.simulation.world.measures()["threads.threads"][0] == 1
