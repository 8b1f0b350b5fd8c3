"""The town of Generative Agents with residents by rule: habits, talks, news, interviews, and the record of a run."""

import asyncio
import os

import numpy as np
import pytest

from sociarium.environments.conversation.chats import Chats
from sociarium.environments.conversation.contacts import Contacts, expected_spread, reached, spread
from sociarium.environments.conversation.grapevine import Fact, Grapevine
from sociarium.environments.interview import Interview, Question
from sociarium.environments.town.paths import UNREACHED, distances
from sociarium.kernel.errors import Interrupted, UsageError
from sociarium.kernel.simulation import Intervention
from sociarium.kernel.units import HOUR
from sociarium.lab import running
from sociarium.lab.claims import checks_of, match_checks, run_claims
from sociarium.minds.diary import Diary
from sociarium.minds.habits import Habit, Habits
from sociarium.minds.language.retrieval import ABLATIONS, Kind
from sociarium.models.backends.scripted import open_scripted
from sociarium.models.service import ModelService
from sociarium.scenarios import catalogue
from sociarium.scenarios.generative_agents import areas, claims, evaluating, people, questions
from sociarium.scenarios.generative_agents.scenario import GenerativeAgents
from sociarium.scenarios.generative_agents.ties import mutual
from sociarium.testing import digest_of, fork_test, seed_test, sharing_test, state_test, ticks_of
from sociarium.testing.digests import digest_of_state
from sociarium.testing.memory_journal import MemoryJournal


def service_for(simulation):
    return ModelService({"default": open_scripted("scripted:schema")}, journal=MemoryJournal(), seed=1)


LONG = pytest.mark.skipif("SOCIARIUM_TEST_TOWN" not in os.environ, reason="takes minutes: set SOCIARIUM_TEST_TOWN=1")
SMALL = {"start": 7, "hours": 0.15, "size": 8, "sociability": 1.0, "pass_chance": 1.0}


def of(**settings):
    return GenerativeAgents.of({**SMALL, **settings})


def test_every_claim_of_the_card_has_its_check():
    match_checks(catalogue.card("generative-agents"), checks_of(claims))


QUICK = ("golden-retrieval", "reflection-fires", "party-closed-form", "plan-repair")  # a simulation that runs by itself among them


def test_claims_are_checked_where_a_replication_checks_them_inside_an_event_loop():
    card = catalogue.card("generative-agents")
    card = card.model_copy(update={"claims": [one for one in card.claims if one.id in QUICK]})
    checks = {name: check for name, check in checks_of(claims).items() if name in QUICK}
    assert [one.verdict for one in asyncio.run(run_claims(card, checks, seeds=(1, 2)))] == ["holds"] * 4


def test_the_town_has_the_size_it_should_and_every_place_can_be_reached_from_every_bed():
    town = people.town_map()
    assert (town.width, town.height) == (80, 55)
    beds = people.beds(town, people.written())
    assert len(set(beds)) == 25
    for place in range(len(town)):
        steps = distances(town, town.tiles(place), town.walkable)
        assert all((steps[town.tiles(bed)] != UNREACHED).all() for bed in beds), town.address(place)


def test_the_residents_are_twenty_five_with_whole_days_and_one_begins_with_each_fact():
    residents = people.written()
    assert len({one.name for one in residents}) == 25
    first_names = {one.name.split()[0] for one in residents}
    for one in residents:
        habits = one.habits(people.town_map(), 0)
        assert habits[0].minute == 0
        assert [h.minute for h in habits] == sorted({h.minute for h in habits})
        assert set(one.knows) <= first_names
    assert [[one.name for one in residents if fact.name in one.told] for fact in people.facts()] == [["Mara Lindqvist"], ["Otto Brandt"]]


@pytest.mark.parametrize("settings", [{}, {"towns": 2, "size": 4, "interview_hours": 0.05}])
def test_the_shipped_checks_hold(settings):
    state_test(lambda: of(**settings).build(3))
    sharing_test(lambda: of(**settings).build(3))
    fork_test(lambda: of(hours=0.05, **settings).build(3))
    seed_test(lambda seed: of(**settings).build(seed))


def test_an_interview_changes_nothing_but_its_own_answers():
    def after(**settings):
        simulation = of(**settings).build(1)
        simulation.run_sync()
        mind = simulation.minds.all[0]
        return simulation.world["town"].tile, mind.diary.texts(0), simulation.world["grapevine"].knows

    for plain, asked in zip(after(), after(interview_hours=0.05), strict=True):
        assert np.array_equal(plain, asked)


def test_a_run_is_resumed_and_replayed_to_the_same_digest(tmp_path):
    scenario = of(interview_hours=0.1)
    whole = asyncio.run(running.start(scenario, 1, tmp_path / "run"))
    assert asyncio.run(running.replay(tmp_path / "run", lambda _: GenerativeAgents)).digest == whole.digest


@pytest.mark.parametrize("model", ["scripted:schema", pytest.param("local:smollm2", marks=[pytest.mark.model, LONG])])
def test_with_a_model_a_run_is_recorded_killed_resumed_and_replayed_to_the_same_digest(tmp_path, model):
    scenario = of(model=model, embedder="hashing", rounds=1, answer_tokens=24, utterance=80, size=3, hours=0.1, start=6.4)
    whole = asyncio.run(running.start(scenario, 1, tmp_path / "whole"))
    assert whole.summary.models["calls"] > 0
    simulations = []

    def stop(record):
        simulations[0].stopping = record.tick == 25

    options = running.Options(on_built=[lambda _, simulation: simulations.append(simulation)], on_tick=[stop], snapshot_every=10)
    with pytest.raises(Interrupted):
        asyncio.run(running.start(scenario, 1, tmp_path / "broken", options))
    resumed = asyncio.run(running.resume(tmp_path / "broken", lambda _: GenerativeAgents))
    replayed = asyncio.run(running.replay(tmp_path / "broken", lambda _: GenerativeAgents))
    assert whole.digest == resumed.digest == replayed.digest


def test_who_knows_of_the_party_and_is_free_goes_there_and_who_works_does_not():
    scenario = GenerativeAgents.of({"start": 16, "hours": 0.01, "come_chance": 1.0})
    mind = scenario.build(1).minds.all[0]
    assert isinstance(mind, Habits)
    at_party = (24 + 17) * HOUR + HOUR // 4
    names = [one.name for one in people.written()]
    knows = np.ones(2, np.bool_)
    ends = {name: mind._now(names.index(name), at_party, knows)[0].activity for name in ("Mara Lindqvist", "Otto Brandt", "Greta Brandt")}
    assert ends["Mara Lindqvist"] == ends["Otto Brandt"] == "celebrating at the party"
    assert ends["Greta Brandt"] == "advising customers"
    assert mind._now(names.index("Otto Brandt"), at_party, ~knows)[0].activity == "drinking a beer"
    before = mind._now(names.index("Otto Brandt"), at_party - HOUR // 2, knows)
    assert before[1] <= 15  # minutes: leaves in time


def test_a_resident_without_a_whole_day_is_refused():
    scenario = of()
    mind = scenario.build(1).minds.all[0]
    with pytest.raises(UsageError, match="must begin at 00:00"):
        Habits([[Habit(30, "sleeping", 0)]], mind.gossip)
    with pytest.raises(UsageError, match="minutes apart"):
        Habits([[Habit(0, "sleeping", 0), Habit(10, "eating", 0)]], mind.gossip)


def test_persons_of_a_survey_take_the_houses_and_days_of_the_town(tmp_path):
    rows = [f'{{"first_name": "Ada{n}", "last_name": "Smith", "age": {20 + n}, "sex": "Female"}}' for n in range(9)]
    file = tmp_path / "people.jsonl"
    file.write_text("\n".join(rows))
    scenario = of(residents="gss", gss_path=str(file))
    table = scenario.build(1).world.population["resident"]
    assert len(set(table["name"])) == 8
    assert all(text == "Sex: Female" for text in table["learned"])
    assert not any(one.name.split()[0] in str(table["currently"]) for one in people.written()[:8]), "nobody is told of another's life"
    grapevine = scenario.build(1).world["grapevine"]
    assert table["name"][0].split()[0] in grapevine.facts[0].text
    assert grapevine.facts[1].said_in(f"{table['name'][3]} for mayor!")
    with pytest.raises(UsageError, match="gss_path"):
        of(residents="gss").build(1)


def test_survey_agents_live_lives_that_speak_of_them_as_the_survey_does(shared_data):
    people_of = people.surveyed(shared_data / "gss_agents" / "agents.jsonl", 25, 3)
    assert len({one.name.split()[0] for one in people_of}) == 25
    for one, base in zip(people_of, people.written(), strict=True):
        words = set(f"{base.lifestyle} {base.requirement} {base.currently}".casefold().replace(".", " ").split())
        if {"she", "her"} & words and not {"he", "his", "him"} & words:
            assert "Sex: Female" in one.learned
        assert one.home == base.home
        assert base.name.split()[0] not in f"{one.currently} {one.lifestyle} {one.requirement}"


def test_a_diary_gives_back_what_fits_best_and_of_equals_the_newer():
    diary = Diary()
    for tick, text in enumerate(["I saw Ada, who was reading", "I saw Bob, who was singing", "I saw Ada, who was reading"]):
        diary.note(0, Kind.EVENT, text, 3.0, time=tick, tick=tick)
    diary.note(0, Kind.PLAN, "My plan for 07:00 is singing", 3.0, time=3, tick=3)
    assert diary.recall(0, "I saw whom, who was singing?", 9) == ["I saw Bob, who was singing"]
    assert diary.recall(0, "plan for 07:00", 9) == ["My plan for 07:00 is singing"]
    assert diary.recall(0, "plan for 07:00", 9, kinds=ABLATIONS["no reflection, no planning"]) != ["My plan for 07:00 is singing"]
    assert diary.recall(0, "plan", 9, kinds=ABLATIONS["no memory"]) == []
    assert diary.recall(1, "plan", 9) == []


def test_a_fact_must_be_said_by_its_own_text():
    with pytest.raises(UsageError, match="not said by its own text"):
        Fact("party", "Come on Friday!", (frozenset({"party"}),))
    fact = Fact("party", "A party!", (frozenset({"party"}),))
    assert fact.said_in("the PARTY is off")
    assert not fact.said_in("parties")


def test_a_grapevine_refuses_what_is_not_there():
    fact = Fact("party", "A party!", (frozenset({"party"}),))
    with pytest.raises(UsageError, match="no fact 'ball'"):
        Grapevine([fact], Chats(), {"ball": [0]})
    with pytest.raises(UsageError, match="name of its own"):
        Grapevine([fact, fact], Chats())


@pytest.mark.parametrize("log", [[(1, 0, 1), (0, 1, 2)], [(0, 0, 1), (0, 1, 2)]])
def test_a_log_of_contacts_that_cannot_be_is_refused(log):
    with pytest.raises(UsageError, match="a log of contacts"):
        Contacts(log, Chats())


def test_reachability_goes_forward_in_time_only():
    assert reached([(0, 1, 2), (1, 0, 1)], [0]) == {0, 1}
    assert reached([(0, 0, 1), (1, 1, 2), (1, 3, 4), (2, 2, 3)], [0]) == {0, 1, 2, 3}


def test_spreading_for_sure_is_reachability_and_by_chance_the_chain_of_births():
    random = np.random.Generator(np.random.PCG64(3))
    log = np.array([(tick, *random.permutation(12)[:2]) for tick in range(30)])
    assert set(spread(log, 12, [0], 1.0, 5, random).tolist()) == {len(reached(log, [0]))}
    means = [spread(np.array([(t, *random.permutation(9)[:2]) for t in range(20)]), 9, [0], 0.6, 1, random)[0] for _ in range(3000)]
    assert np.mean(means) == pytest.approx(expected_spread(9, 20, 0.6), abs=4 * np.std(means) / 3000**0.5)


def test_a_question_is_right_where_all_that_is_expected_is_said():
    question = Question("memory", "Who came?", ("Ada", "Bob"))
    assert question.right("bob came, and ADA")
    assert not question.right("Ada came")
    assert not Question("memory", "Who came?").right("Ada")


def test_a_question_may_be_answered_in_ones_own_words_where_it_says_so():
    question = Question("plans", "What at ten?", ("baking bread for the day",), least=0.5)
    assert question.right("I will bake the bread.")
    assert not question.right("I am for the day off.")
    assert not Question("plans", "What at ten?", (), least=0.5).right("Anything.")


def test_every_question_is_put_under_every_condition_and_counted_apart():
    interview = Interview([Question("memory", "Who?", ("Ada",)), Question("", "How?")], conditions=("full", "no memory"))
    put = interview.put(np.arange(2))[1]
    assert [(q.text, q.condition) for q in put] == [("Who?", "full"), ("How?", "full"), ("Who?", "no memory"), ("How?", "no memory")]
    assert interview.key("memory", "full") == "memory (full)"
    assert Interview([]).key("memory", "") == "memory"
    with pytest.raises(UsageError, match="each once"):
        Interview([], conditions=())


@pytest.mark.parametrize(
    ("answer", "claimed"),
    [
        ("Yes, I know.", True), ("Mara gives a party.", True), ("No.", False), ("No, I have not heard of a party.", False),
        ("I don\u2019t know who gives the party.", False), ("I never heard of any party.", False), ("A fine day.", False),
    ],
)  # fmt: skip
def test_whoever_denies_to_know_claims_nothing(answer, claimed):
    assert questions.claims(people.facts()[0], answer) is claimed


def test_the_five_areas_are_asked_out_of_ones_own_life_and_what_has_not_happened_is_left_out():
    assert areas.areas() == ["self-knowledge", "memory", "plans", "reactions", "reflections"]
    assert [sum(one.area == area for one in areas.templates()) for area in areas.areas()] == [5] * 5
    portrait = areas.portraits(people.written())[0]
    assert portrait == {"first": "Mara", "age": "34", "home": "Alder House", "relation": "husband", "relative": "Tobias"}
    new = areas.questions(portrait)
    assert {"{", "}"}.isdisjoint("".join(q.text for q in new))
    assert [q.expects for q in new if q.expects] == [("Mara", "34"), ("Alder House",), ("Tobias",)]
    assert next(one for one in areas.templates() if "{met}" in one.text).of({"met": "{home}"}).text.endswith("{home}?")


@pytest.mark.parametrize("model", [None, "scripted:schema"])
def test_the_areas_under_each_condition_come_from_the_same_memory_and_change_nothing(model):
    def after(**settings):
        simulation = of(model=model, size=6, hours=0.1, embedder="hashing", **settings).build(1)
        simulation.door = service_for(simulation) if model else simulation.door
        records = []
        simulation.on_tick.append(records.append)
        simulation.run_sync()
        return simulation, records

    plain, _ = after()
    asked, records = after(interview="areas", condition="each", interview_hours=0.1)
    assert digest_of_state(plain.minds.all[0].state()) == digest_of_state(asked.minds.all[0].state())
    assert np.array_equal(plain.world["town"].tile, asked.world["town"].tile)
    answered = [event for event in records[-1].events if event.kind == "interview.answered"]
    conditions = [str(one) for event in answered for one in event.data["condition"]]
    assert {conditions.count(condition) for condition in ABLATIONS} == {len(conditions) // 4}
    shares = {name: records[-1].measures[f"interview.self-knowledge ({name})"] for name in ABLATIONS}
    assert all((share >= 0).all() for share in shares.values())


def test_a_run_is_evaluated_by_rule_and_by_two_judges_and_what_they_said_is_kept(tmp_path):
    scenario = of(model="scripted:schema", size=4, hours=0.1, embedder="hashing", interview="areas", condition="each", interview_hours=0.1)
    asyncio.run(running.start(scenario, 1, tmp_path / "run"))
    judges = {"one": "scripted:schema", "two": "scripted:schema?seed=2"}
    found = asyncio.run(evaluating.evaluate(tmp_path / "run", judges, style="pairs", most=10))
    assert set(found.by_rule.shares) == set(ABLATIONS) == set(found.by_judges.skills)
    assert found.by_judges.rankings == {"one": 10, "two": 10}
    again = asyncio.run(evaluating.evaluate(tmp_path / "run", judges, style="pairs", most=10))
    assert again.plain() == found.plain()
    assert (tmp_path / "run" / "believability.json").exists()
    with pytest.raises(UsageError, match="interview=areas and condition=each"):
        asyncio.run(running.start(of(size=2, interview_hours=0.1), 1, tmp_path / "probes"))
        asyncio.run(evaluating.evaluate(tmp_path / "probes"))


def test_an_interview_without_known_answers_scores_nothing():
    interview = Interview([Question("plans", "What will you do tomorrow?")])
    assert interview.categories() == ["plans"]
    assert interview.questions(np.arange(3)) == [[Question("plans", "What will you do tomorrow?")]] * 3


def test_lying_changes_what_is_said_and_nothing_else():
    honest, lying = (of(interview_hours=0.15, lies=lies).build(2) for lies in (False, True))
    records = []
    for simulation in (honest, lying):
        simulation.on_tick.append(lambda record: records.append(record))
        simulation.run_sync()
    first, second = records[len(records) // 2 - 1].measures, records[-1].measures
    assert first["interview.hallucination"][0] == 0
    assert second["interview.hallucination"][0] == 1 - second["grapevine.party"][0] / 16 - second["grapevine.candidacy"][0] / 16
    assert first["grapevine.party"][0] == second["grapevine.party"][0]


def test_the_same_seed_is_the_same_day():
    assert digest_of(ticks_of(of().build(5))) == digest_of(ticks_of(of().build(5)))


def test_a_run_is_drawn_and_its_replay_holds_words_as_data_only(tmp_path):
    scenario = of(hours=0.1)
    asyncio.run(running.start(scenario, 1, tmp_path / "run"))
    assert scenario.plot(tmp_path / "run", tmp_path / "town.png").stat().st_size > 50_000
    page = scenario.replay(tmp_path / "run", tmp_path / "town.html").read_text("utf-8")
    assert "Mara Lindqvist" in page
    assert '"facts":["party","candidacy"],"first":[[0],[3]]' in page.replace(": ", ":").replace(", ", ",")
    assert "/*DATA*/null" not in page
    assert "http" not in page.replace("http-equiv", "")
    data = page[page.index("const data = ") : page.index("const byId")]
    assert not set("<>&") & set(data)


def visited(**settings):
    """A morning to which a visitor comes, who lives at Mara's, and in which one resident hears an inner voice."""
    simulation = of(size=4, hours=0.3, start=8, **settings).build(1)
    home = int(simulation.world.population["resident"]["home"][0])
    simulation.interventions += [
        Intervention(5, "population.admit", {"kind": "resident", "name": "Vera Gast", "home": home}),
        Intervention(7, "town.whisper", {"agent": 2, "text": "Otto Brandt is standing for mayor."}),
    ]
    return simulation


@pytest.mark.parametrize("interview", ["probes", "areas"])
def test_a_visitor_lives_in_the_town_and_what_an_inner_voice_says_is_known(interview):
    simulation = visited(interview=interview, interview_hours=0.3)
    simulation.run_sync()
    mind, grapevine = simulation.minds.all[0], simulation.world["grapevine"]
    assert any("Vera Gast" in text for agent in range(4) for text in mind.diary.texts(agent))
    assert any(text.startswith("My plan for") for text in mind.diary.texts(4))
    assert grapevine.knows[2].tolist() == [False, True] and grapevine.source[2, 1] == -1
    assert "An inner voice told me: Otto Brandt is standing for mayor." in mind.diary.texts(2)
    assert mind.days[4][0].place == simulation.world.population["resident"]["home"][0]  # it sleeps where it is at home


def test_a_town_with_a_visitor_is_saved_and_goes_on_as_it_would_have():
    whole, first, second = visited(), visited(), visited()
    whole.run_sync()
    first.run_sync(50)
    second.load(first.state())
    second.run_sync()
    assert digest_of_state(whole.state()) == digest_of_state(second.state())


def test_a_model_resident_remembers_its_inner_voice_as_a_thought_of_its_own():
    simulation = visited(model="scripted:schema", embedder="hashing", pace="choices")
    simulation.door = service_for(simulation)
    simulation.run_sync(10)
    stream = simulation.minds.all[0].component("memory").stream
    rows = stream.of(2)
    told = [row for row in rows.tolist() if stream["text"][row] == "Otto Brandt is standing for mayor."]
    assert [(Kind(stream["kind"][row]), int(stream["author"][row])) for row in told] == [(Kind.THOUGHT, 2)]
    assert all("standing for mayor" not in str(text) for agent in (0, 1) for text in stream["text"][stream.of(agent)])


def test_ties_are_those_of_the_start_and_those_who_have_talked_and_never_fewer():
    simulation = of(towns=2).build(1)
    pairs = mutual(people.written()[:8])
    assert (0, 1) in pairs and all(one < other for one, other in pairs)
    ties, town = simulation.world["ties"], simulation.world["town"]
    assert ties.measures()["density"].tolist() == [len(pairs) / 28] * 2
    simulation.run_sync()
    for group, density in enumerate(ties.measures()["density"].tolist()):
        talked = {(one % 8, other % 8) for one, other in town.meetings.talks if one // 8 == group}
        assert density == pytest.approx(len(talked | set(pairs)) / 28)
    assert town.meetings.talks
    assert len(mutual(people.written())) / 300 == pytest.approx(0.1433, abs=1e-4)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"interview": "areas"}, "give interview_hours too"),
        ({"condition": "no memory"}, "give interview_hours too"),
        ({"lies": True}, "give interview_hours too"),
        ({"interview_hours": 2}, "there would be no interview"),
        ({"pace": "choices"}, "give a model"),
        ({"without": ["steps"]}, "give a model"),
        ({"model": "scripted:schema", "lies": True, "interview_hours": 0.1}, "lies is for residents by rule"),
        ({"gss_path": "people.jsonl"}, "residents=gss only"),
    ],
)
def test_settings_that_would_do_nothing_are_refused(settings, words):
    with pytest.raises(UsageError, match=words):
        of(**settings).build(1)


def test_what_sums_a_run_up_has_the_interview_where_there_is_one():
    assert of().summed_up() == GenerativeAgents.headline
    probes = of(interview_hours=0.1)
    assert {"interview.plan", "interview.known_party", "interview.hallucination"} <= set(probes.summed_up())
    each = of(interview_hours=0.1, interview="areas", condition="each").summed_up()
    assert "interview.memory (no reflection, no planning)" in each
    for scenario in (probes, of(interview_hours=0.1, interview="areas", condition="each", size=2)):
        assert set(scenario.summed_up()) <= set(scenario.build(1).world.measures())


def test_a_line_says_when_it_was():
    scenario = GenerativeAgents.of({"start": 23.5})
    row = {"name": "Ada", "text": "Good\nnight", "tick": 360, "fact": "party"}
    assert scenario.told("chats.said", row) == "14 Feb 00:30  Ada: Good night"
    assert scenario.told("grapevine.learned", {**row, "tick": 0}) == "13 Feb 23:30  Ada has heard of the party"
    assert scenario.told("chats.said", {**row, "group": 1}) is None and scenario.told("town.met", row) is None
