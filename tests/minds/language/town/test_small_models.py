"""What residents do with models too small to write: plans in lines, plans and utterances by choice, thoughts in plain text; and what
importance and thoughts after a talk cost when they are asked for together."""

import numpy as np
import pytest
from village import EMBEDDER, HAMLET, answering, played, village

from sociarium.environments.town.rules import TownRules
from sociarium.kernel.errors import UsageError
from sociarium.minds.agenda import Agenda
from sociarium.minds.language.reflect import lines_of, shape_of
from sociarium.minds.language.relationships import UNSAID
from sociarium.minds.language.retrieval import Kind
from sociarium.minds.language.town.days import PlanRules, items_in
from sociarium.minds.language.town.residents import BY_KIND, PARTS, ReflectionRules, Residents, components
from sociarium.minds.language.town.talk import TalkRules
from sociarium.models.backends.scripted import ScriptedBackend, open_scripted
from sociarium.models.request import Reply

NEVER = ReflectionRules(0)


def part(simulation, name):
    return simulation.minds.all[0].component(name)


@pytest.mark.parametrize(
    ("line", "item"),
    [
        ("8:00 having breakfast", (8, "having breakfast")),
        ("- 9 pm: read", (21, "read")),
        ("1) walk to the river at 3:30 p.m.", (15, "walk to the river")),
        ("12. 12 am - sleep", (0, "sleep")),
        ("* 12:15 pm, lunch", (12, "lunch")),
        ("10:00 - 11:30 am mend the bench", (10, "mend the bench")),
        ("**7.30** open the shop", (7, "open the shop")),
    ],
)
def test_a_line_of_a_written_plan_is_read(line, item):
    assert items_in(line) == [item]


def test_lines_without_an_hour_are_no_part_of_a_plan_and_the_first_of_an_hour_counts():
    assert items_in("I am a baker.\n9:00 bake\n9:30 rest\n7:00 wake\n11:00") == [(7, "wake"), (9, "bake")]
    assert len(items_in("\n".join(f"{hour}:00 work" for hour in range(24)))) == 8


def test_a_free_reply_is_read_by_the_shape_of_the_schema_it_stands_for():
    text, several = {"type": "string"}, {"type": "array", "items": {"type": "string"}}
    assert shape_of({"properties": {"a": text}}) == "string"
    assert shape_of({"properties": {"a": several}}) == "list"
    assert shape_of({"properties": {"a": text, "b": text}}) == shape_of({"properties": {"a": {"type": "integer"}}}) == ""
    assert lines_of('1. "What now?"\n\n- Who is that?\n') == ["What now?", "Who is that?"]


def test_a_plan_is_chosen_part_by_part_in_view_of_what_was_chosen_before():
    asked = []

    def choose(request, draw):
        if request.kind != "choose":
            return Reply(text="{}", value={})
        if "breakfast" in request.options:
            asked.append(" ".join(block.text for block in request.blocks))
        return Reply(probabilities=(1.0, *[0.0] * (len(request.options) - 1)))

    how = Residents(
        embedder=EMBEDDER, importance=BY_KIND, style="choose", reflection=NEVER, plan=PlanRules("choices", steps=False),
        options=lambda agent: ["breakfast", "work", "a walk"],
    )  # fmt: skip
    simulation = village(how, hours=0.1, start=7, size=1, backend=ScriptedBackend(choose))
    played(simulation)
    day = part(simulation, "dayplan").plans[0]
    assert day.items == [(4, "breakfast"), (22, "sleeping")]  # the first option each time: one thing all day
    assert len(asked) == 6
    assert "4:00 breakfast" not in asked[0]
    assert all("4:00 breakfast" in text for text in asked[1:])
    with pytest.raises(UsageError, match="a day of choices needs options"):
        components(Residents(plan=PlanRules("choices")))


def test_what_is_said_is_one_of_the_menu_and_the_talk_ends_with_the_line_that_is_enough():
    menu = lambda asking, lines, last: [f"{'bye' if last else 'line'} {len(lines)} {one}" for one in "ab"]  # noqa: E731
    how = Residents(
        embedder=EMBEDDER, importance=BY_KIND, style="choose", reflection=NEVER, plan=PlanRules("items", steps=False), menu=menu,
        talk=TalkRules(form="menu", enough=3, relation="kept"), without=frozenset({"aftertalk", "relationships"}),
    )  # fmt: skip
    records = played(village(how, hours=8, start=7, rules=TownRules(speed=6, acquainted=True)))
    said = [str(text) for r in records for e in r.events if e.kind == "chats.said" for text in e.data["text"]]
    assert said
    assert len(said) % 3 == 0
    assert {text[:6] for text in said} == {"line 0", "line 1", "bye 2 "}
    with pytest.raises(UsageError, match="talks by menu need one"):
        components(Residents(talk=TalkRules(form="menu")))


def test_in_plain_text_thoughts_are_kept_and_relationships_have_no_number():
    how = Residents(
        embedder=EMBEDDER, importance=BY_KIND, style="choose", form="text", plan=PlanRules("items", steps=False),
        reflection=ReflectionRules(9, questions=2), after=("talk_summary",), talk=TalkRules(form="text", enough=2, relation="kept"),
    )  # fmt: skip
    simulation = village(how, hours=5, start=7)
    played(simulation)
    views = part(simulation, "relationships").views
    assert views
    assert {closeness for _, closeness in views.values()} == {UNSAID}
    labels = simulation.journal.labels()
    assert labels["reflection"] == 2 * labels["reflection:questions"] or labels["reflection"] >= labels["reflection:questions"]
    stream = part(simulation, "memory").stream
    thoughts = [row for row in np.flatnonzero(stream["kind"] == Kind.THOUGHT).tolist() if len(stream.evidence(row))]
    assert thoughts
    assert all(max(stream.evidence(row)) < row for row in thoughts)


def test_a_day_that_was_no_use_is_the_written_one_and_the_turn_says_so():
    written = Agenda.of([("sleeping", 360), ("baking", 1080)], places={"baking": HAMLET.find("Alder House/room")})
    how = Residents(embedder=EMBEDDER, importance=BY_KIND, reflection=NEVER, stand_in=lambda agent, day: written)
    simulation = village(how, hours=0.1, start=7, size=1, backend=ScriptedBackend(lambda request, draw: Reply(text="{}", value={})))
    records = played(simulation)
    began = [str(text) for r in records for e in r.events if e.kind == "town.began" for text in e.data["activity"]]
    assert began == ["baking"]
    assert sum(record.shares().get("malformed", 0) for record in records) == 1
    assert sum(part.fallbacks for record in records for part in record.outcomes) == 1


def test_several_memories_are_scored_in_one_question_and_what_has_no_score_keeps_the_stand_in():
    def counted(together, **script):
        how = Residents(embedder=EMBEDDER, together=together, reflection=NEVER, plan=PlanRules("items", steps=False))
        backend = ScriptedBackend(script["scores"]) if script else None
        simulation = village(how, hours=6, start=7, backend=backend)
        played(simulation)
        stream = part(simulation, "memory").stream
        return simulation.journal.labels()["importance"], stream["importance"], stream["kind"] != Kind.CHAT

    def none(request, draw):
        reply = open_scripted("scripted:schema").script(request, draw)
        asks = request.schema is not None and "importances" in request.schema["properties"]
        return Reply(text="{}", value={"importances": [3]}) if asks else reply

    alone = counted(1)[0]
    together, several, kinds = counted(5)
    assert together < alone / 2
    assert len(set(several[kinds & ~np.isnan(several)].tolist())) > 4
    _, unread, kinds = counted(5, scores=none)
    assert set(unread[kinds & ~np.isnan(unread)].tolist()) == {1.0, 2.0, 5.0}  # by rule; and the stand-in


def test_thoughts_after_a_talk_can_be_one_question_and_what_to_plan_for_is_a_plan():
    script = answering(utterance="Good day.", end=True, talk_summary="We met.", planning="Bring bread.", interesting="It rained.")
    how = Residents(embedder=EMBEDDER, importance=BY_KIND, reflection=NEVER, plan=PlanRules("items", steps=False), at_once=True)
    simulation = village(how, hours=3, start=7, backend=ScriptedBackend(script))
    played(simulation)
    labels, stream = simulation.journal.labels(), part(simulation, "memory").stream
    assert labels["aftertalk"] > 0
    assert not any(label.startswith("aftertalk:") for label in labels)
    kinds = {text: {int(kind) for kind, own in zip(stream["kind"], stream["text"], strict=True) if own == text} for text in stream["text"]}
    assert kinds["Bring bread."] == {Kind.PLAN}
    assert kinds["We met."] == {Kind.EVENT}  # what was spoken of is observed
    assert kinds["It rained."] == {Kind.THOUGHT}


USED = {  # the questions that each part asks, by their labels
    "reaction": {"react"}, "steps": {"dayplan:steps"}, "relationships": {"relationships"},
    "aftertalk": {"aftertalk:talk_summary", "aftertalk:planning", "aftertalk:interesting"}, "importance": {"importance"},
    "reflection": {"reflection", "reflection:questions"}, "planning": {"dayplan:wake", "dayplan:daily", "dayplan:hours"},
    "places": {"whereabouts:sector", "whereabouts:arena", "whereabouts:object"}, "stock": {"dayplan:currently", "dayplan:requirement"},
}  # fmt: skip


def test_what_a_resident_is_without_is_asked_for_no_more_and_all_else_is():
    written = Agenda.of([("sleeping", 420), ("baking", 1020)], places={"baking": HAMLET.find("Alder House/room")})

    def labels(*without):
        how = Residents(
            embedder=EMBEDDER, reflection=ReflectionRules(10), habits=(lambda agent, day: written) if "planning" in without else None,
            without=frozenset(without),
        )  # fmt: skip
        simulation = village(how, hours=9, start=20, size=2, step=300, rules=TownRules(speed=30, acquainted=True))
        played(simulation)
        return set(simulation.journal.labels())

    whole = labels()
    assert set().union(*USED.values()) <= whole
    for name, asked in USED.items():
        assert not labels(name) & asked, name
    assert set(USED) | {"perception"} == set(PARTS)
    assert not labels("perception") & {"react", "relationships", "talk"}
    with pytest.raises(UsageError, match="no part 'thinking'"):
        Residents(without=frozenset({"thinking"}))
    with pytest.raises(UsageError, match="needs habits"):
        Residents(without=frozenset({"planning"}))
