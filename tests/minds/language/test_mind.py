"""A language mind in a simulation: outcomes, routes, order of arrival, probes, memory."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from fakes import Circle, FakeDoor, HashEmbedder, Pond, Survey

from sociarium.kernel.content import Trust
from sociarium.kernel.errors import UsageError
from sociarium.kernel.outcomes import Status
from sociarium.kernel.population import Column, Population, Visibility
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Phase, TurnKind
from sociarium.minds.language import builtin, prompts
from sociarium.minds.language.act import Act, ActRules, grid
from sociarium.minds.language.component import Focus
from sociarium.minds.language.converse import Converse
from sociarium.minds.language.memory import Memory
from sociarium.minds.language.mind import LanguageMind
from sociarium.minds.language.persona import Persona, Rules
from sociarium.minds.language.plan import Plan
from sociarium.minds.language.reflect import Afterthoughts, Importance, Reflect
from sociarium.models.request import Reply

NEWS = {
    "pond.taken": [
        {"who": "actor", "kind": "action", "text": "I took {{caught}} tons.", "expires": "63d"},
        {"who": "others", "kind": "event", "text": "{{actor}} took {{caught}} tons.", "importance": 4, "expires": "tick"},
    ],
    "circle.said": {"kind": "chat", "text": "{{text}}", "expires": "63d"},
    "engine.refused": {"kind": "event", "text": "Refused: {{reason}}", "words": False},
}
PHASES = [Phase("fish", "pond"), Phase("talk", "circle"), Phase("home", "everyone", kind=TurnKind.INNER)]


def thoughtful(request, address, route):
    """A valid reply to anything, different for every asker and question."""
    if request.kind == "embed":
        return Reply(vectors=tuple(tuple(float(x) for x in row) for row in HashEmbedder().vectors(request.texts)))
    if request.kind == "choose":
        return Reply(probabilities=tuple([1 / len(request.options)] * len(request.options)))
    who = int(address.asker.split(":")[1])
    tag = f"{address.label} {who} {address.tick}"
    if request.schema is None:
        return Reply(text=f"Let me think. Answer: {who + address.tick} tons")
    values = {
        "quantity": who * 3 + address.tick, "text": tag, "end": False, "next": 0, "importance": 1 + (who + address.number) % 10,
        "insights": [f"{tag} a", f"{tag} b"], "thought": tag, "plan": tag, "summary": tag, "limit": 7, "action": "take", "reasoning": "so",
    }  # fmt: skip
    value = {name: values[name] for name in request.schema["properties"]}
    return Reply(text=json.dumps(value), value=value)


def components(style="schema", embedder=None, **rules):
    given = {"fallback": {"pond.take": {"quantity": 0}}, "actions": ("pond.take",), "focus": Focus(("fish",))} | rules
    return [
        Persona(),
        Plan("fishing"),
        Memory(NEWS, embedder=embedder, importance="model"),
        Importance(),
        Act(ActRules(style, **given)),
        Converse(action="circle.say", people=("circle", "participants")),
        Afterthoughts(),
        Reflect("harvesting"),
    ]


def built(door, parts=None, size=6, groups=2, rounds=2, phases=PHASES, routes=None, **columns):
    names = np.array([f"N{n}" for n in range(size)], object)
    population = Population.of("person", size, name=names, group=np.arange(size) * groups // size, **columns)
    mind = LanguageMind(parts if parts is not None else components(), builtin(), routes=routes)
    return Simulation(population, [Pond(), Circle(), Survey()], [mind], Rounds(phases, rounds), door=door)


def played(simulation):
    records = []
    simulation.on_tick.append(records.append)
    simulation.run_sync()
    return records


def plainly(state):
    if isinstance(state, dict):
        return {key: plainly(value) for key, value in state.items()}
    return state.tolist() if isinstance(state, np.ndarray) else state


def traces(records):
    events = [
        (e.kind, e.ids.tolist(), e.actors.tolist(), {k: np.asarray(v).tolist() for k, v in e.data.items()})
        for r in records
        for e in r.events
    ]
    outcomes = [(o.phase, o.turn, o.counts, o.fallbacks, o.agents.tolist(), o.reasons) for r in records for o in r.outcomes]
    return events, outcomes


@pytest.mark.parametrize("exact", [True, False])
def test_the_order_of_arrival_changes_neither_actions_nor_memory_nor_what_is_asked(exact):
    results = []
    for delay in (None, 1, 2, 3):
        door = FakeDoor(thoughtful, delay)
        simulation = built(door, components(embedder=HashEmbedder() if exact else None))
        records = played(simulation)
        asked = sorted((str(a), route, json.dumps(r.plain(), sort_keys=True)) for a, r, route in door.asked)
        results.append((traces(records), repr(plainly(simulation.minds.all[0].state())), asked))
        assert len({a for a, _, _ in asked}) == len(asked)
    assert all(result == results[0] for result in results[1:])
    assert len(results[0][2]) > 100


def test_state_and_load_are_inverse_and_the_run_goes_on_alike():
    door = FakeDoor(thoughtful)
    whole, half, rest = built(door), built(door), built(door)
    played(whole)
    half.run_sync(1)
    rest.load(half.state())
    assert repr(plainly(rest.state())) == repr(plainly(half.state()))
    rest.run_sync()
    assert repr(plainly(rest.minds.all[0].state())) == repr(plainly(whole.minds.all[0].state()))


FAILING = {
    "ok": (Reply(value={"quantity": 3}), Status.OK, 3),
    "repaired": (Reply(Status.REPAIRED, value={"quantity": 3}), Status.REPAIRED, 3),
    "declined": (Reply(Status.DECLINED, error="I must refuse"), Status.DECLINED, 0),
    "malformed": (Reply(Status.MALFORMED, error="no JSON"), Status.MALFORMED, 0),
    "wrong type": (Reply(value={"quantity": "many"}), Status.MALFORMED, 0),
    "missing": (Reply(value={}), Status.MALFORMED, 0),
    "not an object": (Reply(value=[1]), Status.MALFORMED, 0),
    "illegal": (Reply(value={"quantity": 51}), Status.ILLEGAL, 0),
    "huge": (Reply(value={"quantity": 10**40}), Status.ILLEGAL, 0),
    "negative": (Reply(value={"quantity": -1}), Status.ILLEGAL, 0),
    "timed out": (Reply(Status.TIMED_OUT, error="120 s"), Status.TIMED_OUT, 0),
    "failed": (Reply(Status.FAILED, error="HTTP 500: secret words"), Status.FAILED, 0),
}


@pytest.mark.parametrize("case", FAILING)
def test_every_outcome_is_marked_and_the_stated_fallback_stands_in(case):
    reply, status, caught = FAILING[case]
    parts = [Persona(), Memory(NEWS), Act(ActRules(limits={"quantity": ("pond", "stock")}, fallback={"take": {"quantity": 0}}))]
    simulation = built(FakeDoor(lambda *_: reply), parts, phases=[Phase("fish", "pond")], rounds=1)
    record = played(simulation)[0]
    rows = record.outcomes[0]
    assert set(rows.status.tolist()) == {status}
    assert rows.fallback.all() == (status not in (Status.OK, Status.REPAIRED))
    assert record.events[0].data["caught"].tolist() == [caught] * 6
    words = " ".join(str(text) for text in simulation.minds.all[0].component("memory").stream["text"])
    assert "secret" not in words
    assert "refuse" not in words
    if reply.error:
        assert set(rows.reasons) == {reply.error}


def test_an_error_text_is_never_said_and_nothing_is_said_without_a_fallback():
    parts = [Persona(), Memory(NEWS), Converse(action="circle.say", people=("circle", "participants"))]
    simulation = built(FakeDoor(lambda *_: Reply(Status.FAILED, error="HTTP 500")), parts, phases=[Phase("talk", "circle")], rounds=1)
    record = played(simulation)[0]
    assert record.events == []
    assert record.shares() == {"failed": 6}
    assert len(simulation.minds.all[0].component("memory").stream) == 0


def test_one_option_left_is_skipped_without_a_call():
    door = FakeDoor(thoughtful)
    act = Act(ActRules("choose", limits={"quantity": ("pond", "stock")}, options=grid("take", "quantity", (50, 60, 70))))
    record = played(built(door, [Persona(), act], phases=[Phase("fish", "pond")], rounds=1))[0]
    assert record.shares() == {"skipped": 6}
    assert door.asked == []
    assert record.events[0].data["caught"].tolist() == [50] * 6


@pytest.mark.parametrize(
    ("text", "status", "caught"),
    [
        ("I take a few. Answer: 9 tons", Status.OK, 9),
        ("nine", Status.MALFORMED, 0),
        ("Answer: 51", Status.ILLEGAL, 0),
        ("答え：９トン", Status.OK, 9),
    ],
)
def test_free_answers(text, status, caught):
    rules = ActRules("answer", fallback={"take": {"quantity": 0}}, limits={"quantity": ("pond", "stock")})
    record = played(built(FakeDoor(lambda *_: Reply(text=text)), [Persona(), Act(rules)], phases=[Phase("fish", "pond")], rounds=1))[0]
    assert set(record.outcomes[0].status.tolist()) == {status}
    assert record.events[0].data["caught"].tolist() == [caught] * 6


def test_an_unreadable_answer_is_asked_again_so_many_times_and_then_counts_as_repaired():
    def answer(request, address, route):
        return Reply(text="Answer: 5" if address.label == "act:2" else "no idea")

    for retries, status, caught in ((2, Status.REPAIRED, 5), (1, Status.MALFORMED, 0)):
        door = FakeDoor(answer)
        rules = ActRules("answer", fallback={"take": {"quantity": 0}}, retries=retries)
        record = played(built(door, [Persona(), Act(rules)], size=1, groups=1, phases=[Phase("fish", "pond")], rounds=1))[0]
        assert record.outcomes[0].status.tolist() == [status]
        assert record.events[0].data["caught"].tolist() == [caught]
        assert [a.label for a, _, _ in door.asked] == ["act", "act:1", "act:2"][: retries + 1]
        assert len({r.blocks for _, r, _ in door.asked}) == len(door.asked)


def test_choices_are_drawn_by_us_from_the_reported_probabilities():
    door = FakeDoor(lambda request, *_: Reply(probabilities=(0.0, 0.25, 0.75)))
    act = Act(ActRules("choose", options=grid("take", "quantity", (0, 5, 10), "I take {{value}} tons.")))
    simulation = built(door, [Rules("act_schema"), Persona(), act], size=400, groups=1, phases=[Phase("fish", "pond")], rounds=1)
    caught = np.asarray(played(simulation)[0].events[0].data["caught"])
    assert set(caught.tolist()) == {5, 10}
    assert 60 <= int((caught == 5).sum()) <= 140  # 100 +- 4.6 standard errors
    requests = [request for _, request, _ in door.asked]
    assert {r.options for r in requests} == {("I take 0 tons.", "I take 5 tons.", "I take 10 tons.")}
    assert len({r.neutral for r in requests}) == 1  # the prior is one for all, so it is computed once
    assert len({r.blocks for r in requests}) == 400
    assert "N7" not in " ".join(block.text for block in requests[7].neutral)


def test_each_persona_asks_its_own_model_and_the_framework_its_own():
    tags = np.array([f"model-{n}" for n in range(5)], object)
    door = FakeDoor(thoughtful)
    simulation = built(door, components(embedder=HashEmbedder()), size=5, groups=1, route=tags, routes={"model-4": "cheap"})
    played(simulation)
    assert len(door.asked) > 50
    for address, _, route in door.asked:
        who = int(address.asker.split(":")[1])
        assert route == ("cheap" if who == 4 else f"model-{who}")


def test_a_hidden_column_is_told_to_nobody():
    population = Population.of("person", 1, [Column("goals", str, "", Visibility.HIDDEN)], goals=np.array(["win"], object))
    mind = LanguageMind([Persona(), Act(ActRules())], builtin())
    with pytest.raises(UsageError, match="hidden"):
        Simulation(population, [Pond()], [mind], Rounds([Phase("fish", "pond")], 1), door=FakeDoor(thoughtful)).run_sync()


def test_only_set_fields_are_worded():
    door = FakeDoor(thoughtful)
    ages, goals = np.array([41, 0]), np.array(["", "fish"], object)
    played(built(door, [Persona(), Act(ActRules())], size=2, groups=1, phases=[Phase("fish", "pond")], rounds=1, age=ages, goals=goals))
    first, second = (r.blocks[0].text for _, r, _ in door.asked)
    assert first == "You are N0.\nYou are 41 years old."
    assert second == "You are N1.\nWhat you want: fish"


def test_prompts_are_laid_out_for_prefix_caches_and_words_of_others_are_marked():
    door = FakeDoor(thoughtful)
    played(built(door, [Rules("act_schema"), *components(embedder=HashEmbedder())], rounds=2))
    layers = {"shared": 0, "stable": 1, "moving": 2}
    firsts = set()
    for _, request, _ in door.asked:
        order = [layers[block.layer] for block in request.blocks]
        roles = [block.role for block in request.blocks]
        assert order == sorted(order)
        assert roles == sorted(roles)  # system, then user
        firsts.add(request.blocks[0].text)
        for block in request.blocks:
            if block.trust is not Trust.ENGINE:
                assert block.text.startswith(f"[[{block.origin}]]\n> ")
                assert block.role == "user"
    assert len(firsts) == 1
    assert any(block.trust is Trust.AGENT for _, request, _ in door.asked for block in request.blocks)


@pytest.mark.parametrize("exact", [True, False])
def test_a_probe_reads_memory_and_changes_nothing(exact):
    def run(probing):
        survey = Phase("survey", "survey", kind=TurnKind.PROBE)
        phases = [PHASES[0], *([survey] if probing else []), *PHASES[1:]]
        door = FakeDoor(thoughtful)
        parts = [*components(embedder=HashEmbedder() if exact else None), Act(ActRules(actions=("survey.answer",)), name="survey")]
        simulation = built(door, parts, phases=phases)
        simulation.run_sync()
        asked = {(str(a), json.dumps(r.plain())) for a, r, _ in door.asked if a.phase != "survey"}
        return door, asked, repr(plainly(simulation.minds.all[0].state()))

    _, asked, state = run(False)
    door, asked_beside, state_beside = run(True)
    answers = [" ".join(b.text for b in r.blocks) for a, r, _ in door.asked if a.phase == "survey" and r.kind == "complete"]
    assert len(answers) == 12
    assert all("What comes to your mind" in text and "I took" in text for text in answers)
    assert asked == asked_beside
    assert state == state_beside


def test_what_nobody_answers_is_a_clear_error():
    with pytest.raises(UsageError, match=r"no component .*circle\.say.*'talk'"):
        built(FakeDoor(thoughtful), [Persona(), Act(ActRules(actions=("take",)))], rounds=1).run_sync()


def test_two_components_of_one_name_are_refused():
    with pytest.raises(UsageError, match="two components"):
        LanguageMind([Persona(), Persona()], builtin())


def test_a_run_in_japanese_has_the_same_numbers():
    records = []
    for language in ("en", "ja"):
        population = Population.of("person", 4, name=np.array(["ひまり", "りん", "つむぎ", "ゆあ"], object), group=np.zeros(4, int))
        mind = LanguageMind(components("answer", embedder=HashEmbedder()), prompts(language=language))
        door = FakeDoor(thoughtful)
        records.append(played(Simulation(population, [Pond(), Circle()], [mind], Rounds(PHASES, 2), door=door)))
        text = " ".join(b.text for _, r, _ in door.asked for b in r.blocks if b.trust is Trust.ENGINE)
        assert ("思い出すこと" in text) == (language == "ja")
        assert ("What comes" in text) == (language == "en")
    assert traces(records[0]) == traces(records[1])
