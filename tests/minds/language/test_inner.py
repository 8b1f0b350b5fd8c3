"""Needs, emotion, beliefs, relationships and look-ups as components of a language mind."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from fakes import Circle, FakeDoor, HashEmbedder, Pond, Survey
from test_mind import NEWS, played

from sociarium.environments.emotions.levels import AGENTSOCIETY, POSIM
from sociarium.kernel.actions import Integer, Text, query
from sociarium.kernel.content import Block, Trust
from sociarium.kernel.errors import UsageError
from sociarium.kernel.outcomes import Status
from sociarium.kernel.population import Population
from sociarium.kernel.schedule import Calendar, Rounds
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Phase, TurnKind
from sociarium.kernel.units import HOUR
from sociarium.minds.language import builtin
from sociarium.minds.language.act import ActRules
from sociarium.minds.language.asking import Asking
from sociarium.minds.language.beliefs import Beliefs
from sociarium.minds.language.component import Focus
from sociarium.minds.language.emotion import Emotion
from sociarium.minds.language.look_up import LookUp
from sociarium.minds.language.memory import Memory
from sociarium.minds.language.mind import LanguageMind
from sociarium.minds.language.needs import Needs
from sociarium.minds.language.persona import Persona
from sociarium.minds.language.relationships import Relationships
from sociarium.minds.language.retrieval import Kind
from sociarium.minds.language.stream import Memory as Remembered
from sociarium.minds.needs import Need
from sociarium.models.request import Reply
from sociarium.testing.digests import digest_of_state


class Library(Pond):
    """A pond with a book about it."""

    @query("Look into the book.", page=Integer(1, 9), word=Text(longest=20))
    def read(self, agent, page, word):
        return (Block(f"Page {page} on {word}: the fish are few.", origin="book", trust=Trust.OUTSIDE),)


def filled(schema, **given):
    """The least that a schema allows, but ``given``."""

    def one(name, part):
        if name in given:
            return given[name]
        if "enum" in part:
            return part["enum"][0]
        return {"string": "well", "integer": part.get("minimum", 0), "number": part.get("minimum", 0), "boolean": False}[part["type"]]

    return {name: one(name, part) for name, part in schema["properties"].items()}


def door_of(**given):
    def answer(request, address, route):
        value = filled(request.schema, **{k: v(request, address) if callable(v) else v for k, v in given.items()})
        return Reply(text=json.dumps(value), value=value)

    return FakeDoor(answer)


def run(parts, door, *, phases, ticks=1, size=2, step=None, environments=None, **columns):
    people = Population.of("person", size, name=np.array([f"N{n}" for n in range(size)], object), **columns)
    mind = LanguageMind(parts, builtin())
    schedule = Rounds(phases, ticks) if step is None else Calendar(phases, step=step, duration=ticks * step)
    return Simulation(people, environments or [Library(), Circle(), Survey()], [mind], schedule, door=door), mind


HOME = [Phase("home", "everyone", kind=TurnKind.INNER)]


def test_needs_rule_by_the_clock_in_a_language_mind_as_in_any_other():
    needs = Needs()
    simulation, mind = run([Persona(), needs], FakeDoor(None), phases=HOME, step=HOUR, ticks=10, works=np.array([True, False]))
    seen = []
    simulation.on_tick.append(lambda record: seen.append(needs.columns.pursued.tolist()))
    simulation.run_sync()
    named = [[Need(one) for one in row] for row in seen]
    assert [row[1] for row in named] == [Need.WHATEVER] * 3 + [Need.SOCIAL, Need.SAFE] + [Need.HUNGRY] * 5
    assert named[3][0] == Need.SOCIAL
    again = Needs()
    again.load(mind.state()["needs"])
    assert digest_of_state(again.state()) == digest_of_state(needs.state())


class Once(Persona):
    """Does something with the components in an inner turn."""

    def __init__(self, what):
        super().__init__(name="once")
        self.what = what

    async def context(self, asking, focus):
        return ()

    async def think(self, asking):
        await self.what(asking)


def test_how_well_a_need_is_met_is_asked_and_kept_and_an_instruction_is_shown_as_an_outsiders_words():
    async def ate(asking: Asking):
        needs = asking.mind.component("needs")
        needs.columns.instruct(asking.agent, "Stay at home.")
        assert await needs.settle(asking, Need.HUNGRY, "ate a loaf") == 0.75
        assert needs.pursue(asking) == (Need.INSTRUCTED, True)
        shown = await needs.context(asking, Focus())
        assert [block.text for block in shown if block.trust is Trust.OUTSIDE] == ["Stay at home."]
        assert "food 0.75" in shown[0].text
        needs.done(asking)
        assert needs.pursue(asking)[0] == Need.WHATEVER

    door = door_of(level=0.75)
    simulation, mind = run([Persona(), Needs(), Once(ate)], door, phases=HOME)
    played(simulation)
    assert len(door.asked) == 2
    assert all(block.trust is Trust.AGENT or "ate a loaf" not in block.text for _, request, _ in door.asked for block in request.blocks)
    refused = door_of(level=7)
    simulation, mind = run(
        [Persona(), Needs(), Once(lambda asking: mind.component("needs").settle(asking, Need.HUNGRY, "x"))], refused, phases=HOME
    )
    played(simulation)
    assert mind.component("needs").columns.levels[:, 0].tolist() == [0.9, 0.9]


def test_emotions_are_asked_when_something_new_is_remembered_and_only_then():
    for rules, given, expected in ((AGENTSOCIETY, {"joy": 9}, 9.0), (POSIM, {"happiness": 0.5}, 0.15)):
        emotion, door = Emotion(rules), door_of(**given)
        memory = Memory(NEWS)
        simulation, mind = run([Persona(), memory, emotion], door, phases=[Phase("fish", "pond", first=9), *HOME], ticks=4)
        mind.component("memory").stream.append(np.array([0]), Remembered(Kind.EVENT, "a fire", 3.0), time=0, tick=0)
        played(simulation)
        assert len(door.asked) == 1  # one agent remembers something, once
        name = next(iter(given))
        assert emotion.levels[0, rules.names.index(name)] == pytest.approx(expected)
        assert emotion.levels[1].tolist() == [rules.start] * 6
        assert emotion.words.get(0, "") == ("joy" if rules.word else "")
        again = Emotion(rules)
        again.load(mind.state()["emotion"])
        assert digest_of_state(again.state()) == digest_of_state(emotion.state())


def test_who_has_as_much_in_mind_as_fits_is_asked_for_its_feelings_about_what_is_new_all_the_same():
    emotion, door, memory = Emotion(AGENTSOCIETY), door_of(joy=7), Memory(NEWS, capacity=1)
    simulation, _ = run([Persona(), memory, emotion], door, phases=[Phase("fish", "pond", first=9), *HOME], ticks=4, size=1)

    def more(record):
        if record.tick < 2:
            memory.stream.append(np.array([0]), Remembered(Kind.EVENT, f"fire {record.tick}", 3.0), time=0, tick=record.tick)

    simulation.on_tick.append(more)
    played(simulation)
    assert len(door.asked) == 2  # one memory is in mind each time, and it is another


def test_beliefs_are_thought_over_once_a_day_from_what_is_remembered_of_a_topic():
    beliefs, door = Beliefs(("gun control", "the fair"), start="leaning"), door_of(attitude=8, opinion="Yes.", reason="So.")
    memory = Memory(NEWS, embedder=HashEmbedder())
    leaning = np.array([3.0, 7.0])
    simulation, mind = run([Persona(), memory, beliefs], door, phases=HOME, step=HOUR * 8, ticks=6, leaning=leaning)
    memory.stream.append(np.array([0]), Remembered(Kind.EVENT, "they talk of gun control", 3.0), time=0, tick=0)
    played(simulation)
    assert [address.label for address, _, _ in door.asked] == ["beliefs:0", "beliefs:1"] * 2  # on two days, of one agent
    assert beliefs.attitudes.tolist() == [[8, 8], [7, 7]]
    assert beliefs.words[0, 1] == ("Yes.", "So.")
    again = Beliefs(("gun control", "the fair"))
    again.load(mind.state()["beliefs"])
    assert digest_of_state(again.state()) == digest_of_state(beliefs.state())
    with pytest.raises(UsageError, match="each once"):
        Beliefs(("a", "a"))


def test_a_view_of_the_other_is_made_from_memories_of_its_name_kept_and_shown():
    async def update(asking):
        views = asking.mind.component("relationships")
        await views.update(asking, 1 - asking.agent)
        assert (views.shown(asking, 1 - asking.agent) == ()) == (asking.agent == 1)

    memory, views = Memory(NEWS, embedder=HashEmbedder()), Relationships()
    door = door_of(relationship="old friends", closeness=7)
    simulation, mind = run([Persona(), memory, views, Once(update)], door, phases=HOME)
    memory.stream.append(np.array([0]), Remembered(Kind.EVENT, "N1 came by", 3.0), time=0, tick=0)
    played(simulation)
    assert len(door.asked) == 1  # who remembers nothing of the other asks nothing
    assert views.views == {(0, 1): ("old friends", 7)}
    assert views.view(1, 0) == ("", 0)
    again = Relationships()
    again.load(mind.state()["relationships"])
    assert again.views == views.views


def looking(steps):
    """Looks up what ``steps`` say, then decides."""

    def answer(request, address, route):
        if address.label.startswith("act:look_up"):
            step = int(address.label.split(":")[-1])
            value = steps[step] if step < len(steps) else {"action": "decide"}
        else:
            value = {"quantity": 3}
        return Reply(text=json.dumps(value), value=value)

    return FakeDoor(answer)


READ = {"action": "read", "page": 2, "word": "fish"}


@pytest.mark.parametrize(
    ("steps", "asked", "answers"),
    [
        ([], 2, []),
        ([READ], 3, ["> Page 2 on fish: the fish are few."]),
        ([{"action": "read", "page": 99, "word": "fish"}, READ], 4, ["page of pond.read must be", "> Page 2 on fish"]),
        ([READ] * 9, 4, ["> Page 2 on fish"] * 3),
        ([{"action": "burn"}], 2, []),
    ],
)
def test_one_may_look_things_up_before_deciding_so_many_times_and_no_more(steps, asked, answers):
    door = looking(steps)
    act = LookUp(ActRules(actions=("pond.take",)), most=3)
    simulation, _ = run([Persona(), act], door, phases=[Phase("fish", "pond")], size=1)
    record = played(simulation)[0]
    assert record.events[0].data["caught"].tolist() == [3]
    assert [address.label for address, _, _ in door.asked] == [f"act:look_up:{n}" for n in range(asked - 1)] + ["act"]
    last = "\n".join(block.text for block in door.asked[-1][1].blocks)
    for answer in answers:
        assert answer in last
    assert last.count("You looked up") == len(answers)
    assert record.outcomes[0].status.tolist() == [Status.OK]


def test_nothing_to_look_up_asks_for_nothing_and_too_much_is_refused():
    door = looking([])
    simulation, _ = run(
        [Persona(), LookUp(ActRules(actions=("pond.take",)))], door, phases=[Phase("fish", "pond")], size=1, environments=[Pond(), Circle()]
    )
    played(simulation)
    assert [address.label for address, _, _ in door.asked] == ["act"]
    with pytest.raises(UsageError, match="1 to"):
        LookUp(ActRules(), most=0)
