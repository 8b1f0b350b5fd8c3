"""Residents with the whole mind in a hamlet: a day by scripted models, replayed, resumed, and with failing models."""

from __future__ import annotations

import numpy as np
import pytest
from village import BY_KIND, EMBEDDER, HAMLET, NAMES, answering, components, played, village

from sociarium.kernel.outcomes import Status
from sociarium.kernel.turn import Phase, TurnKind
from sociarium.kernel.units import DAY, MINUTE
from sociarium.minds.agenda import DAY as MINUTES
from sociarium.minds.agenda import Agenda
from sociarium.minds.language.beliefs import Beliefs
from sociarium.minds.language.emotion import Emotion
from sociarium.minds.language.forgetting import Retention
from sociarium.minds.language.knowledge import Fact, awareness, knowing
from sociarium.minds.language.needs import Needs
from sociarium.minds.language.retrieval import ABLATIONS, GENERATIVE_AGENTS, GENERATIVE_AGENTS_RELEASED, Kind
from sociarium.minds.language.town.days import PlanRules, Quirks
from sociarium.minds.language.town.react import ReactRules
from sociarium.minds.language.town.residents import ReflectionRules, Residents
from sociarium.minds.language.town.talk import TalkRules
from sociarium.models.backends.scripted import ScriptedBackend, open_scripted
from sociarium.models.request import Reply
from sociarium.testing import leak_audit, mind_test
from sociarium.testing.digests import digest_of, digest_of_state
from sociarium.testing.injection import injection_test

NEVER = ReflectionRules(0)


def mind_of(simulation):
    return simulation.minds.all[0]


def test_the_shipped_checks_hold_for_minds():
    mind_test(lambda: village(hours=0.5, start=7), ticks=20, rounds=9)


HOWS = {
    "as in the paper": Residents(embedder=EMBEDDER),
    "as released": Residents(
        embedder=EMBEDDER,
        retrieval=GENERATIVE_AGENTS_RELEASED,
        plan=PlanRules("each", quirks=Quirks("Ann Abel", sleepless_retry=True, stale_daily=True)),
        react=ReactRules(separate=True, things=True),
        talk=TalkRules(relation="each"),
    ),
    "for small models": Residents(
        importance=BY_KIND,
        embedder=EMBEDDER,
        style="choose",
        plan=PlanRules("items", steps=False),
        reflection=NEVER,
        after=("talk_summary",),
    ),
    "vectors through the door": Residents(importance=BY_KIND, reflection=ReflectionRules(20)),
}


@pytest.mark.parametrize("how", HOWS)
def test_a_run_that_is_replayed_or_saved_in_the_middle_is_the_same_to_the_byte(how):
    def built(journal=None):
        return village(HOWS[how], hours=1.5, start=23, size=3, journal=journal)

    whole = built()
    expected = digest_of(played(whole))
    replayed = built(whole.journal.replay())
    assert digest_of(played(replayed)) == expected
    assert digest_of_state(mind_of(replayed).state()) == digest_of_state(mind_of(whole).state())
    for cut in (7, 61, 75):  # in the evening, at midnight, in the first minutes of the new day
        half, rest = built(), built(whole.journal.replay())
        head = played(half, cut)
        rest.load(half.state())
        assert digest_of_state(mind_of(rest).state()) == digest_of_state(mind_of(half).state())
        assert digest_of([*head, *played(rest)]) == expected


def test_replies_in_another_order_make_the_same_day():
    quick = digest_of(played(village(hours=1.5, start=7)))
    assert digest_of(played(village(hours=1.5, start=7, backend=open_scripted("scripted:schema?delay=0.0005")))) == quick


def test_a_day_and_what_must_hold_in_each_of_its_steps():
    simulation = village(Residents(embedder=EMBEDDER, importance=BY_KIND, reflection=ReflectionRules(40)), hours=26, start=0, step=120)
    mind, town = mind_of(simulation), simulation.world["town"]
    past, before = {}, 0

    def check(record):
        nonlocal before
        memory, plans = mind.component("memory").stream, mind.component("dayplan").plans
        now = record.time // MINUTE % MINUTES
        for agent, day in plans.items():
            agenda = day.agenda
            assert sum(entry.minutes for entry in agenda.entries) == MINUTES
            number = agenda.at(now) if day.number == record.time // DAY else 0
            done = [(entry.activity, entry.minutes) for entry in agenda.entries[:number]]
            if past.get(agent, (day.number, []))[0] == day.number:
                assert done[: len(past.get(agent, (0, []))[1])] == past.get(agent, (0, []))[1]  # what has been stays as it was
            past[agent] = (day.number, done)
        assert len(memory) >= before
        before = len(memory)
        for event in record.events:
            if event.kind in ("chats.said", "town.met"):
                assert not town.asleep[event.actors].any()

    simulation.on_tick.append(check)
    records = played(simulation)
    stream = mind.component("memory").stream
    thoughts = np.flatnonzero(stream["kind"] == Kind.THOUGHT)
    assert any(len(stream.evidence(int(row))) for row in thoughts)
    for row in thoughts.tolist():
        assert (stream.evidence(row) < row).all()
        assert (stream["agent"][stream.evidence(row)] == stream["agent"][row]).all()
    days = {agent: [str(t) for t in stream["text"][stream.of(agent)] if str(t).startswith("This is the plan of")] for agent in range(4)}
    assert all([f"day {n}" in text for n, text in enumerate(texts, 1)] == [True, True] for texts in days.values())
    assert all(mind.component("persona").own[agent].keys() == {"currently", "requirement"} for agent in range(4))
    turns = sum(sum(record.shares().values()) for record in records)
    assert sum(record.shares().get("skipped", 0) for record in records) > turns / 2  # most turns ask nothing
    assert set().union(*(record.shares() for record in records)) <= {"ok", "skipped"}
    assert simulation.journal.labels()["dayplan:wake"] == 8


def test_an_hour_in_which_nothing_happens_asks_nothing():
    habits = lambda agent, day: Agenda.of([("sleeping", 420), ("reading", 1020)], places={"reading": HAMLET.find("Alder House/room")})  # noqa: E731
    how = Residents(embedder=EMBEDDER, importance=BY_KIND, habits=habits, plan=PlanRules(steps=False))
    simulation = village(how, hours=3, start=2, size=1)
    records = played(simulation)
    assert len(simulation.journal.entries) == 0
    assert [record.shares() for record in records if record.shares()] == [{"skipped": 1}]


FAILURES = {
    "declined": Reply(Status.DECLINED, error="I must refuse"),
    "wrong": Reply(text="[1, 2]", value=[1, 2]),
    "empty": Reply(text="{}", value={}),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_model_that_is_no_use_leaves_a_plain_day_that_says_so_and_no_words(failure):
    backend = ScriptedBackend(lambda request, draw: FAILURES[failure])
    simulation = village(Residents(embedder=EMBEDDER), hours=1.2, start=22.8, backend=backend)
    records = played(simulation)
    texts = " ".join(str(text) for text in mind_of(simulation).component("memory").stream["text"])
    assert "refuse" not in texts
    kinds = {event.kind for record in records for event in record.events}
    assert "town.began" in kinds
    assert "chats.said" not in kinds
    shares = set().union(*(record.shares() for record in records))
    assert shares & {"declined", "malformed"}
    assert shares <= {"declined", "malformed", "skipped", "ok"}


FACT = Fact(("party", "inn"))


def gossip(request):
    """Says what its prompt knows of the party; else nothing of it."""
    text = " ".join(block.text for block in request.blocks)
    return "There is a party at the inn." if "party at the inn" in text else "Fine weather."


def test_news_goes_from_mouth_to_memory_and_a_liar_changes_neither_what_is_known_nor_what_counts():
    script = answering(utterance=gossip, choice=lambda request: request.schema["properties"]["choice"]["enum"][0], end=False, thought="hm")
    how = Residents(embedder=EMBEDDER, importance=BY_KIND, reflection=NEVER, plan=PlanRules("items", steps=False))
    simulation = village(how, hours=6, start=7, backend=ScriptedBackend(script))
    stream = mind_of(simulation).component("memory").stream
    people = simulation.world.population["resident"]
    people["currently"][0] = "giving a party at the inn"
    records = played(simulation)
    said = [event for record in records for event in record.events if event.kind == "chats.said"]
    reached = {0}
    for event in said:  # breadth first over what was said, in its order
        for actor, text in zip(event.actors.tolist(), event.data["text"], strict=True):
            if FACT.said_in(str(text)):
                assert actor in reached, "nobody speaks of what it cannot know"
                reached |= {member for member in range(4) if any(str(text) == str(t) for t in stream["text"][stream.of(member)])}
    known = knowing(stream, range(4), FACT)
    assert 1 < len(reached) < 4
    assert set(np.flatnonzero(known).tolist()) == reached
    lying = awareness(stream, range(4), [True] * 4, FACT)
    assert lying.claims - lying.grounded == 4 - len(reached)
    assert lying.hallucinated == (4 - len(reached)) / 4
    assert lying.diffusion == len(reached) / 4


def test_a_refused_talk_is_remembered_and_the_same_person_is_not_asked_again_at_once():
    how = Residents(
        embedder=EMBEDDER,
        importance=BY_KIND,
        reflection=NEVER,
        react=ReactRules(cooldown=1e9),
        plan=PlanRules("items", steps=False),
    )
    simulation = village(how, hours=3, start=7, backend=ScriptedBackend(answering(utterance="Good day.", end=True)))
    records = played(simulation)
    met = [
        (int(a), int(o)) for r in records for e in r.events if e.kind == "town.met" for a, o in zip(e.actors, e.data["other"], strict=True)
    ]
    assert met
    assert len({frozenset(pair) for pair in met}) == len(met)
    react = mind_of(simulation).component("react")
    assert set(react.last) >= set(met)


def test_a_talk_takes_its_time_from_the_day_and_leaves_thoughts_and_a_view_of_the_other():
    script = answering(utterance="x" * 390, end=False, summary="We spoke of the fair.", thought="Bring bread.", relationship="old friends")
    how = Residents(embedder=EMBEDDER, importance=BY_KIND, reflection=NEVER, plan=PlanRules("items", steps=False))
    simulation = village(how, hours=3, start=7, backend=ScriptedBackend(script))
    records = played(simulation)
    ended = next(e for r in records for e in r.events if e.kind == "chats.ended")
    agent, other = int(ended.actors[0]), int(ended.data["other"][0])
    mind = mind_of(simulation)
    agenda = mind.component("dayplan").plans[agent].agenda
    words = f"talking with {NAMES[other]}"
    assert (
        next(entry.minutes for entry in agenda.entries if entry.activity == words) == int(ended.data["minutes"][0]) == 26
    )  # 16 lines of 390 characters, 8 a word, 30 words a minute
    memory = mind.component("memory").stream
    rows = memory.of(agent)
    thoughts = [str(memory["text"][row]) for row in rows[memory["kind"][rows] == Kind.THOUGHT]]
    assert "We spoke of the fair." not in thoughts
    assert "Bring bread." in thoughts
    assert mind.component("relationships").view(agent, other) == ("old friends", 0)
    summary = next(int(row) for row in rows if str(memory["text"][row]) == "We spoke of the fair.")
    assert len(memory.evidence(summary)) == 16
    assert memory["kind"][summary] == Kind.EVENT  # what was spoken of is no reflection: an interview without any still has it
    assert Kind.EVENT in ABLATIONS["no reflection, no planning"] - GENERATIVE_AGENTS.hidden
    assert summary in mind.component("perceive").keywords.about(agent, [NAMES[other]])


def test_words_make_no_resident_do_what_it_may_not_and_nobody_is_told_what_is_not_theirs():
    def built():
        return village(Residents(embedder=EMBEDDER), hours=0.7, start=7, size=3)

    report = injection_test(built, ticks=30, announced=("chats.ended",), routes=("embedder",))
    assert report.obeyed
    assert not report.violations
    assert not leak_audit(village(hours=0.5, start=7, size=3)).leaks


def test_feelings_needs_beliefs_and_forgetting_can_be_added_to_residents():
    extra = [Needs(), Emotion(phases=("feel",)), Beliefs(("the fair",), phases=("feel",)), Retention(phases=("feel",))]
    feel = Phase("feel", lead="town", kind=TurnKind.INNER, every=30, first=29)
    how = Residents(embedder=EMBEDDER, importance=BY_KIND, reflection=NEVER)
    simulation = village(how, hours=1.5, start=7, parts=[*components(how), *extra], phases=[feel])
    played(simulation)
    mind, labels = mind_of(simulation), simulation.journal.labels()
    assert set(mind.component("emotion").words) == {0, 1, 2, 3}
    assert 4 <= labels["emotion"] <= 12 and 1 <= labels["beliefs"] <= 4  # where something new is remembered; once a day
    assert (mind.component("needs").columns.at(np.arange(4), simulation.world.clock.time)[:, 0] < 0.9).all()
    assert mind.component("retention").state()["age"].max() >= 2
