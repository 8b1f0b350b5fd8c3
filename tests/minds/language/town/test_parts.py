"""The parts of a resident's mind, each by itself: days, places, reactions, and the questions that are not asked."""

from __future__ import annotations

import json
from datetime import date
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from village import BY_KIND, EMBEDDER, HAMLET, answering, played, village

from sociarium.environments.town.building import homes, terraces
from sociarium.environments.town.rules import TownRules
from sociarium.kernel.environment import News
from sociarium.kernel.errors import UsageError
from sociarium.kernel.units import DAY, HOUR, MINUTE
from sociarium.minds.agenda import DAY as MINUTES
from sociarium.minds.agenda import Agenda
from sociarium.minds.language.mind import LanguageMind
from sociarium.minds.language.persona import Persona
from sociarium.minds.language.town import prompts
from sociarium.minds.language.town.atlas import Atlas
from sociarium.minds.language.town.days import Day, PlanRules, Quirks, agenda_of, dated, hours_from, minute_of, to_take_apart
from sociarium.minds.language.town.live import Live
from sociarium.minds.language.town.perceive import Sight
from sociarium.minds.language.town.react import ReactRules
from sociarium.minds.language.town.residents import ReflectionRules, Residents
from sociarium.minds.language.town.talk import TalkRules, spoken
from sociarium.models.backends.scripted import ScriptedBackend
from sociarium.models.request import Reply, Sampling

NEVER = ReflectionRules(0)
HOURS = ["sleeping"] * 7 + ["breakfast"] + ["working"] * 4 + ["lunch"] + ["working"] * 4 + ["reading"] * 5 + ["sleeping"] * 2


def test_items_fill_the_hours_from_waking_on():
    filled = hours_from([(12, "lunch"), (8, "baking")], 6, "sleeping", "nothing")
    assert filled == ["sleeping"] * 6 + ["nothing"] * 2 + ["baking"] * 4 + ["lunch"] * 12
    assert hours_from([], 0, "sleeping", "nothing") == ["nothing"] * 24


def test_what_is_sleep_is_told_by_its_words():
    agenda = agenda_of(["Sleeping in"] * 8 + ["walking"] * 16, ("sleep",))
    assert [(entry.asleep, entry.minutes) for entry in agenda.entries] == [(True, 480), (False, 960)]


def test_the_part_that_is_on_and_the_one_in_an_hour_are_taken_apart_once_if_long_and_no_sleep_and_before_eleven():
    agenda = agenda_of(HOURS, ("sleep",))
    assert to_take_apart(agenda, 6 * 60) == [1]  # asleep now; breakfast is an hour long
    assert to_take_apart(agenda, 7 * 60) == [1, 2]
    agenda.take_apart(1, [("toast", 20), ("tea", 40)])
    assert to_take_apart(agenda, 7 * 60) == [2]
    assert to_take_apart(agenda, 21 * 60 + 59) == [5]  # in an hour it is past 22:00, asleep
    late = Agenda.of([("working", 22 * 60), ("reading", 45), ("dancing", 75)])
    assert to_take_apart(late, 22 * 60) == []  # 45 minutes are short, and at 23:00 it is late
    assert to_take_apart(late, 23 * 60) == []
    talk = Agenda.hourly(HOURS)
    talk.insert(8 * 60 + 10, "talking", 15)
    assert 2 not in to_take_apart(talk, 9 * 60)  # in parts already


@given(st.lists(st.sampled_from(["a", "b", "sleeping"]), min_size=24, max_size=24), st.integers(0, 1439), st.integers(1, 90))
def test_a_day_is_saved_and_loaded_as_it_is(hours, minute, minutes):
    day = Day(3, agenda_of(hours, ("sleep",)), 6, [(8, "baking")])
    day.agenda.insert(minute, "talking", minutes)
    again = Day.of(json.loads(json.dumps(day.plain())))
    assert again.plain() == day.plain()
    assert sum(entry.minutes for entry in again.agenda.entries) == MINUTES


def test_days_have_dates():
    assert dated(DAY + HOUR, date(2023, 2, 13)) == "Tuesday 14 February 2023"
    assert dated(DAY + HOUR, None) == "day 2"
    assert minute_of(2 * DAY + HOUR + MINUTE) == 61


def planned(plan, script, *, start=0.0, hours=0.1, temperature=0.0, size=1, **how):
    """The run of a resident who has just made a plan."""
    simulation = village(
        Residents(embedder=EMBEDDER, importance=BY_KIND, reflection=NEVER, plan=plan, **how),
        hours=hours,
        start=start,
        size=size,
        backend=ScriptedBackend(script),
    )
    simulation.minds.all[0].sampling = Sampling(temperature)
    played(simulation)
    return simulation


def few_then_many(request):
    """The hours of a day: all alike at first, then different ones."""
    few_then_many.asked += 1
    count = request.schema["properties"]["hours"]["minItems"]
    return ["idling"] * count if few_then_many.asked == 1 else [f"thing {number % 6}" for number in range(count)]


@pytest.mark.parametrize(
    ("temperature", "quirks", "asked", "sleeps"),
    [(0.0, Quirks(), 1, True), (0.7, Quirks(), 2, True), (0.7, Quirks(sleepless_retry=True), 2, False)],
)
def test_a_dull_day_is_asked_for_again_where_replies_are_drawn_and_the_quirk_forgets_sleep(temperature, quirks, asked, sleeps):
    few_then_many.asked = 0
    simulation = planned(
        PlanRules("list", steps=False, quirks=quirks), answering(hours=few_then_many, choice="6:00"), temperature=temperature
    )
    day = simulation.minds.all[0].component("dayplan").plans[0]
    assert few_then_many.asked == asked
    assert any(entry.asleep for entry in day.agenda.entries) == sleeps
    assert day.wake == 6


def test_an_hour_can_be_a_question_of_its_own():
    simulation = planned(PlanRules("each", steps=False), answering(choice="5:00", activity="baking"))
    assert simulation.journal.labels()["dayplan:hour"] == 19
    entries = simulation.minds.all[0].component("dayplan").plans[0].agenda.entries
    assert [(entry.activity, entry.minutes) for entry in entries] == [("sleeping", 300), ("baking", 1140)]


def test_a_new_day_takes_stock_and_the_quirks_name_one_for_all_and_keep_the_old_list():
    seen = []

    def script(request, draw):
        seen.append(" ".join(block.text for block in request.blocks))
        return answering(items=[{"hour": 8, "activity": f"plan {len(seen)}"}] * 4, currently="now a miller", requirement="mill")(
            request, draw
        )

    for quirks in (Quirks(), Quirks(one_identity="Somebody Else", stale_daily=True)):
        seen.clear()
        simulation = planned(PlanRules("items", steps=False, quirks=quirks), script, start=23.9, hours=0.3)
        mind = simulation.minds.all[0]
        assert mind.component("persona").own[0] == {"currently": "now a miller", "requirement": "mill"}
        assert simulation.journal.labels()["dayplan:daily"] == (1 if quirks.stale_daily else 2)
        assert any("How do things stand for Somebody Else now" in text for text in seen) == bool(quirks.one_identity)
        assert any("now a miller" in text for text in seen)  # as its own words, in what is asked after


@pytest.mark.parametrize("style", ["schema", "choose"])
def test_one_chooses_sector_arena_and_object_among_what_one_knows_and_goes_there_again_without_a_question(style):
    def script(request, draw):
        if request.kind == "choose":
            return Reply(probabilities=tuple([0.0] * (len(request.options) - 1) + [1.0]))
        return answering(items=[{"hour": hour, "activity": ("baking", "resting")[hour % 2]} for hour in range(9, 17)], choice=last)(
            request, draw
        )

    how = Residents(embedder=EMBEDDER, importance=BY_KIND, reflection=NEVER, style=style, plan=PlanRules("items", steps=False))
    rules = TownRules(speed=6, acquainted=True)
    simulation = village(how, hours=5, start=11, size=1, backend=ScriptedBackend(script), rules=rules)
    assert simulation.world["town"].known(np.array([0])).all()
    inn = HAMLET.find("Inn")
    records = played(simulation)
    where = simulation.minds.all[0].component("whereabouts")
    assert {what for _, what in where.kept} >= {"baking", "resting"}
    assert set(where.kept.values()) <= set(HAMLET.within(inn).tolist())  # the last of each level
    labels = simulation.journal.labels()
    asked = [labels.get(f"whereabouts:{level}", 0) for level in ("sector", "arena", "object")]
    assert asked == [len(where.kept), len(where.kept), 0]  # once an activity; the last room has one thing only
    began = [str(what) for record in records for event in record.events if event.kind == "town.began" for what in event.data["activity"]]
    assert began.count("baking") >= 2


def last(request):
    return request.schema["properties"]["choice"]["enum"][-1]


def test_of_more_places_than_can_be_named_ones_home_and_the_nearest_are():
    town = terraces(400).map()
    atlas = Atlas(SimpleNamespace(world={"town": SimpleNamespace(map=town)}))
    within = atlas.within(np.ones(len(town), np.bool_), -1)
    home = homes(town, 400)[-1]  # in the last house
    x, y = (int(one[0]) for one in town.xy(town.tiles(town.find("House 3"))))
    names = atlas.nearest(within, x, y, home, 5)
    assert names[:1] == ["House 100"]
    assert set(names[1:]) == {"outdoors", "House 2", "House 3", "House 18"}
    assert atlas.nearest(within, x, y, home, len(within)) == list(within)


def test_a_place_that_was_refused_is_not_tried_again_at_once():
    simulation = planned(PlanRules("items", steps=False), answering(choice="6:00"), start=7)
    where = simulation.minds.all[0].component("whereabouts")
    where.kept[0, "baking"], where.tried[0] = 5, 5
    columns = {"action": np.array(["town.do"], object), "reason": np.array(["taken"], object)}
    where.hear([News("engine.refused", 1, 7 * HOUR, "live", np.array([0]), np.array([0]), columns, [np.array([0])])])
    assert where.avoided == {(0, 5): 7 * HOUR}
    assert (0, "baking") not in where.kept


def test_what_may_be_done_about_a_sight():
    simulation = planned(PlanRules("items", steps=False), answering(choice="6:00"), start=7, size=2)
    react = simulation.minds.all[0].component("react")

    class At:
        agent = 0

        def __init__(self, hour):
            self.turn = type("T", (), {"time": hour * HOUR})()

    person = Sight("Bob", "baking", other=1)
    assert react.choices(At(9), person) == ["talk", "wait", "on"]
    assert react.choices(At(23), person) == ["on"]
    assert react.choices(At(9), Sight("Bob", "baking", other=1, talking=True)) == ["on"]
    assert react.choices(At(9), Sight("Bob", "sleeping", other=1)) == ["on"]
    react.last[0, 1] = 9 * HOUR
    assert react.choices(At(10), person) == ["on"]
    assert react.choices(At(12), person) == ["talk", "wait", "on"]
    assert react.choices(At(9), Sight("stove", "on fire", place=3)) == ["wait", "on"]


def test_nobody_is_heeded_by_the_heedless_and_all_by_the_heedful():
    counts = {}
    for heed in (0.0, 1.0):
        how = Residents(
            embedder=EMBEDDER,
            importance=BY_KIND,
            reflection=NEVER,
            plan=PlanRules("items", steps=False),
            react=ReactRules(heed=heed),
        )
        simulation = village(how, hours=3, start=7)
        played(simulation)
        counts[heed] = simulation.journal.labels().get("react", 0)
    assert counts[0.0] == 0 < counts[1.0]


def test_the_sentence_on_the_other_is_asked_for_as_often_as_the_rules_say():
    script = answering(utterance="Good day to you.", end=False)
    asked = {}
    for relation in ("each", "once", "kept"):
        how = Residents(
            embedder=EMBEDDER, importance=BY_KIND, reflection=NEVER, closeness=False, after=(), talk=TalkRules(relation=relation),
            plan=PlanRules("items", steps=False),
        )  # fmt: skip
        simulation = village(how, hours=3, start=7, backend=ScriptedBackend(script), rounds=3)
        played(simulation)
        labels = simulation.journal.labels()
        asked[relation] = labels.get("relationships", 0), labels["talk"]
    assert asked["kept"] == (0, asked["kept"][1])
    assert asked["each"][0] == asked["each"][1]
    assert asked["once"][0] * 3 == asked["once"][1]


def test_a_mind_that_lacks_what_it_needs_says_so():
    simulation = village(hours=0.1, start=7, size=1)
    mind = LanguageMind([Persona("identity"), Live()], prompts())
    simulation.minds.all[0].components = mind.components
    for component in mind.components:
        component.begin(simulation.minds.all[0])
    with pytest.raises(UsageError, match="DayPlan"):
        simulation.run_sync(1)


def test_a_model_too_small_for_a_schema_says_a_paragraph_and_the_talk_ends_by_the_number_of_lines():
    def script(request, draw):
        return answering()(request, draw) if request.schema else '\n"Good morning to you."\nShe smiles.'

    how = Residents(
        embedder=EMBEDDER,
        importance=BY_KIND,
        reflection=NEVER,
        plan=PlanRules("items", steps=False),
        talk=TalkRules(form="text", enough=3),
    )
    records = played(village(how, hours=3, start=7, backend=ScriptedBackend(script)))
    said = [event for record in records for event in record.events if event.kind == "chats.said"]
    assert {str(text) for event in said for text in event.data["text"]} == {"Good morning to you."}
    ended = [event for record in records for event in record.events if event.kind == "chats.ended"]
    assert {int(lines) for event in ended for lines in event.data["lines"]} == {3}
    assert spoken("Ann: hello", "Ann") == "hello"
