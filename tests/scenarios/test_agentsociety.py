"""Days of a city: by rule and in words, interventions, and the record of a run."""

import asyncio
import os

import numpy as np
import pytest

from sociarium.kernel.errors import UsageError
from sociarium.kernel.simulation import Intervention
from sociarium.kernel.units import HOUR, MINUTE
from sociarium.lab import running
from sociarium.lab.claims import ClaimContext, checks_of, match_checks
from sociarium.lab.running import Options
from sociarium.minds.needs import Need, NeedColumns
from sociarium.minds.plans import MOST_STEPS, Plans, Step, StepType
from sociarium.models.backends.scripted import ScriptedBackend, open_scripted
from sociarium.models.service import ModelService
from sociarium.scenarios import catalogue
from sociarium.scenarios.agentsociety import claims
from sociarium.scenarios.agentsociety.days import Days
from sociarium.scenarios.agentsociety.options import minutes_until_morning, options
from sociarium.scenarios.agentsociety.people import words
from sociarium.scenarios.agentsociety.scenario import AgentSociety
from sociarium.testing import seed_test, sharing_test, state_test
from sociarium.testing.digests import digest_of_state
from sociarium.testing.injection import injection_test
from sociarium.testing.memory_journal import MemoryJournal


def of(**settings):
    return AgentSociety.of({"citizens": 30, "days": 1, "step": 60, **settings})


def lived(seed=1, **settings):
    records = []
    finished = asyncio.run(running.in_memory(of(**settings), seed, Options(on_tick=[records.append])))
    return finished.simulation, records, finished


@pytest.mark.parametrize("settings", [{}, {"news": "inflammatory", "interceptor": "edge", "persuasion": "opposing", "storm": 1}])
def test_the_shipped_checks_hold_by_rule(settings):
    def build(seed=1):
        return of(citizens=12, **settings).build(seed)

    state_test(build, ticks=14)
    seed_test(build, ticks=10)


@pytest.mark.parametrize("settings", [{}, {"storm": 1, "news": "ordinary"}])
def test_a_run_in_words_is_replayed_to_the_same_digest(tmp_path, settings):
    scenario = of(citizens=6, model="scripted:schema", embedder="hashing", feel_hours=12, **settings)
    run = asyncio.run(running.start(scenario, 3, tmp_path / "run", Options(snapshot_every=6)))
    again = asyncio.run(running.replay(tmp_path / "run", lambda slug: AgentSociety))
    assert run.digest == again.digest
    assert run.summary.good_share > 0.95
    assert run.summary.applied["mobility.go"] > 0 and run.summary.applied["mobility.stay"] > 0


def test_people_eat_work_sleep_and_meet():
    _, records, _ = lived(days=2, citizens=60)
    done = {str(a) for r in records for rows in r.events if rows.kind == "mobility.stayed" for a in rows.data["activity"]}
    assert {"work", "sleep"} <= done
    assert any(word.startswith("eat") for word in done)
    outings = np.array([r.measures["mobility.outings"][0] for r in records]).reshape(2, 24)
    assert outings[:, :6].sum() < 0.1 * outings.sum()  # the night is quiet
    away = np.array([r.measures["mobility.away"][0] for r in records]).reshape(2, 24)
    assert away[:, 9:17].mean() > 2 * away[:, 0:6].mean()


def test_no_need_stays_unmet_for_long():
    simulation = of(days=3, citizens=60).build(1)
    simulation.run_sync(60)  # to noon of the third day
    needs = simulation.minds.all[0].days.needs
    levels = needs.at(np.arange(60), simulation.world.clock.time)
    assert (levels.mean(axis=0)[:2] > 0.2).all()  # food and rest; work and company come behind them


def test_news_of_the_first_morning_spreads_and_a_ban_of_senders_holds_it_back():
    reach = {}
    for interceptor in ("none", "node"):
        _, records, _ = lived(citizens=150, days=2, news="inflammatory", interceptor=interceptor, miss=0.0, ban_after=1, forward=0.05)
        reach[interceptor] = [float(r.measures["messages.reach"][0]) for r in records]
    assert reach["none"][-1] > 0.8
    assert reach["node"][-1] == pytest.approx(10 / 150)
    assert (np.diff(reach["none"]) >= 0).all()


def test_a_step_that_leads_to_where_one_is_takes_no_time():
    days = Days(NeedColumns())
    days.needs.admit(np.arange(2))
    days.admit(np.arange(2))
    steps = (Step("go home", StepType.MOBILITY, "home"), Step("read", StepType.OTHER, minutes=40))
    days.plans.begin(np.arange(2), np.zeros(2, int), [steps])
    simulation = of().build(1)
    from sociarium.kernel.actions import Actions
    from sociarium.kernel.turn import Lanes

    phase = simulation.schedule.phases[0]
    moment = simulation.moment(simulation.schedule.next(0), phase)
    turn = Lanes.by(moment, np.arange(2), np.zeros(2, np.int64)).turn()
    city = {"place": np.array([4, 5]), "home": np.array([4, 9]), "work": np.array([-1, -1]), "warning": np.array(["", ""], object)}
    actions = Actions()
    days.carry_out(turn, city, np.arange(2), actions)
    assert actions.tables["mobility.stay"].agents.tolist() == [0]
    assert actions.tables["mobility.go"].agents.tolist() == [1]


def test_plans_have_one_to_six_steps_and_end():
    plans = Plans()
    plans.admit(np.arange(3))
    assert not plans.active(np.arange(3)).any()
    steps = [Step(f"step {n}", StepType.OTHER, minutes=10 + n) for n in range(MOST_STEPS)]
    plans.begin(np.array([1]), np.array([0]), [steps])
    seen = []
    while plans.active(np.array([1]))[0]:
        seen.append(str(plans.now(np.array([1]), "intentions")[0]))
        plans.next(np.array([1]))
    assert seen == [step.intention for step in steps]
    with pytest.raises(UsageError, match="1 to 6 steps"):
        plans.begin(np.array([1]), np.array([0]), [[*steps, steps[0]]])


def test_there_is_something_to_do_about_every_need_at_every_hour():
    for need in range(1, 7):
        for hour in range(24):
            open_ = [option for option in options() if option.need == need and option.open_at(hour * HOUR)]
            assert open_, (need, hour)
            assert need == 3 or any(not option.works for option in open_)
    assert minutes_until_morning(0) == 420 and minutes_until_morning(7 * HOUR) == 1
    assert minutes_until_morning(23 * HOUR + 30 * MINUTE) == 450


@pytest.mark.parametrize(
    "wrong, words", [({"step": 7}, "not a whole number"), ({"places": {"home": 1}}, "no "), ({"most_friends": 40}, "friends")]
)
def test_impossible_settings_are_refused(wrong, words):
    with pytest.raises(UsageError, match=words):
        of(**wrong).build(1)


def test_each_claim_has_its_check():
    match_checks(catalogue.card("agentsociety"), checks_of(claims))


def test_sharing_lanes_changes_nothing():
    sharing_test(lambda: of(citizens=10, news="ordinary").build(2), ticks=8)


WORDS = {"citizens": 6, "model": "scripted:schema", "embedder": "hashing", "feel_hours": 6}


def spoken(seed=3, answer=None, ticks=None, **settings):
    options = Options() if answer is None else Options(backends={"scripted:schema": ScriptedBackend(answer)})

    async def main():
        simulation = await running.simulation_of(of(**{**WORDS, **settings}), seed, options)
        await simulation.run(ticks)
        return simulation

    return asyncio.run(main())


def test_citizens_in_words_remember_what_they_did_and_how_things_stand_with_them():
    simulation = spoken(news="ordinary")
    mind = simulation.minds.all[0]
    memory, status, emotion = (mind.component(name) for name in ("memory", "status", "emotion"))
    types = {str(text).partition(",")[0] for text in memory.stream["text"]}
    assert {"mobility", "social", "cognition", "other"} <= types <= {"mobility", "social", "economy", "cognition", "other"}
    for agent in range(6):
        rows, lines = memory.stream.of(agent), status.now(agent)
        assert {"feeling", "thought"} <= set(lines)
        for key, line in lines.items():
            if line.memory >= 0:
                told = str(memory.stream["text"][rows[line.memory]])
                assert key in status.of_memory(agent, line.memory) and memory.stream["time"][rows[line.memory]] == line.since
                assert key not in ("activity", "thought", "plan") or line.text in told
        assert (emotion.levels[agent] == np.rint(emotion.levels[agent])).all() and emotion.words[agent]
    assert np.abs(emotion.levels - 5).max() > 0


def test_memories_status_and_feelings_come_to_the_prompt_of_a_plan():
    asked = []
    invented = open_scripted("scripted:schema").script

    def answer(request, draw):
        asked.append("\n".join(block.text for block in request.blocks))
        return invented(request, draw)

    spoken(answer=answer, memories=3)
    plans = [text for text in asked if "What you could do now" in text]
    assert any("What comes to your mind" in text and "How things stand with you" in text and "What you feel" in text for text in plans)


def test_who_says_how_well_a_need_is_met_is_a_switch():
    for settle, calls in (("model", True), ("rule", False)):
        simulation = spoken(settle=settle)
        assert ("needs:settle" in simulation.door.summary()["outcomes"]) == calls


def test_an_answer_about_a_need_that_is_no_use_leaves_the_measure_of_the_option_and_is_marked():
    invented = open_scripted("scripted:schema").script

    def answer(request, draw):
        level = (request.schema or {}).get("properties", {}).keys() == {"level"}
        return "no" if level else invented(request, draw)

    records = []

    async def main():
        simulation = await running.simulation_of(of(**WORDS), 3, Options(backends={"scripted:schema": ScriptedBackend(answer)}))
        simulation.on_tick.append(records.append)
        await simulation.run()

    asyncio.run(main())
    assert sum(rows.fallbacks for record in records for rows in record.outcomes) > 0


def test_without_feelings_nothing_is_asked_about_them():
    outcomes = spoken(feel_hours=0, ticks=8).door.summary()["outcomes"]
    assert "emotion" not in outcomes and outcomes


def test_states_of_citizens_in_words_are_whole():
    def build():
        simulation = of(**WORDS).build(1)
        simulation.door = ModelService({"default": open_scripted("scripted:schema")}, journal=MemoryJournal(), seed=1)
        return simulation

    state_test(build, ticks=8)


@pytest.mark.parametrize("identity", ["resumed-in-words", "resumed-alike"])
def test_checkpoints_change_nothing_whatever_the_order_of_replies(identity):
    card = catalogue.card("agentsociety")
    one = next(each for each in card.claims if each.id == identity)
    found = checks_of(claims)[identity](ClaimContext(one, (0,)))
    assert (asyncio.run(found) if asyncio.iscoroutine(found) else found).holds


def test_persuaders_write_to_their_camp_and_citizens_in_words_say_where_they_stand():
    simulation = spoken(persuasion="like", citizens=8, feel_hours=0)
    mind, messages = simulation.minds.all[0], simulation.world["messages"]
    beliefs, memory = mind.component("beliefs"), mind.component("memory")
    assert messages.sent[8:].tolist() == [8, 8]
    for agent in range(8):
        told = [str(text) for text in memory.stream["text"][memory.stream.of(agent)]]
        assert any(words()["persuasion"]["against" if agent % 2 == 0 else "for"][0] in text for text in told)
        assert not any(words()["persuasion"]["for" if agent % 2 == 0 else "against"][0] in text for text in told)
    assert beliefs.attitudes.shape[1] == 1 and (beliefs.attitudes[:8, 0] != np.tile([3.0, 7.0], 4)).any()
    assert "opinion" not in simulation.world.environments


def test_news_in_words_is_seen_by_whom_it_has_reached_and_passed_on_by_choice():
    invented = open_scripted("scripted:schema").script

    def answer(request, draw):
        reply = invented(request, draw)
        passes = "pass_on" in (request.schema or {}).get("properties", {})
        if passes:
            assert any("has heard: The library" in block.text for block in request.blocks)
        text = reply if isinstance(reply, str) else reply.text
        return text.replace('"pass_on": false', '"pass_on": true') if passes else reply

    reach = spoken(answer=answer, news="ordinary", citizens=20, feel_hours=0, days=2).world.measures()["messages.reach"][0]
    assert 0.5 < reach <= 1


def test_words_can_do_nothing_but_be_words():
    report = injection_test(lambda: of(**{**WORDS, "step": 120}, persuasion="like", news="ordinary").build(1), ticks=4)
    assert len(report.obeyed) > 5


@pytest.mark.parametrize("model", [None, "scripted:schema"])
def test_an_instruction_outranks_all_needs_and_is_carried_out_once(model):
    given = Intervention(9, "mobility.instruct", {"agents": [3, 4], "text": "vote for mayor", "where": "leisure", "minutes": 50})
    options = Options(backends={} if model is None else {model: ScriptedBackend(told_off)})

    async def main():
        simulation = await running.simulation_of(of(citizens=6, model=model, embedder="hashing", settle="rule", feel_hours=0), 3, options)
        simulation.interventions.append(given)
        needs = simulation.minds.all[0].days.needs if model is None else simulation.minds.all[0].component("needs").columns
        simulation.on_tick.append(lambda record: records.append((record, needs.pursued.copy(), dict(needs.instructions))))
        await simulation.run(18)
        return simulation

    records = []
    simulation = asyncio.run(main())
    voted = [
        (int(agent), int(minutes))
        for record, _, _ in records
        for rows in record.events
        if rows.kind == "mobility.stayed"
        for agent, activity, minutes in zip(rows.actors, rows.data["activity"], rows.data["minutes"], strict=True)
        if activity == "vote for mayor"
    ]
    assert sorted(voted) == [(3, 50), (4, 50)]
    assert any(pursued[3] == Need.INSTRUCTED for _, pursued, _ in records) and not records[-1][2]
    assert records[-1][1][3] != Need.INSTRUCTED
    days = simulation.minds.all[0].days if model is None else simulation.minds.all[0].component("planner").days
    assert not days.orders
    for wrong in ({"agents": []}, {"agents": [6]}, {"where": "moon"}, {"minutes": 0}, {"text": " "}):
        with pytest.raises(UsageError, match="instruct"):
            simulation.world.operate("mobility.instruct", {**given.arguments, **wrong})


def told_off(request, draw):
    """No plan from the model: the operator's own steps stand in."""
    return "no" if "steps" in (request.schema or {}).get("properties", {}) else open_scripted("scripted:schema").script(request, draw)


def test_an_instruction_under_way_is_saved_and_loaded():
    whole, first, second = (of(citizens=6).build(2) for _ in range(3))
    for simulation in (whole, first, second):
        simulation.interventions.append(Intervention(3, "mobility.instruct", {"agents": [1], "text": "wait for news", "minutes": 300}))
    whole.run_sync(12)
    first.run_sync(5)
    assert first.minds.all[0].days.orders == {1: ("wait for news", "", 300)}
    second.load(first.state())
    second.run_sync(7)
    assert digest_of_state(whole.state()) == digest_of_state(second.state())


def test_an_operator_makes_an_agent_write():
    simulation = of(citizens=6).build(1)
    simulation.inject("messages.write", sender=2, to=[0, 5], text="Hello")
    simulation.run_sync(1)
    assert simulation.world["messages"].sent[2] == 2
    for wrong in ({"sender": 9, "to": [0]}, {"sender": 0, "to": [9]}, {"sender": 0, "to": [1], "text": " "}):
        simulation.inject("messages.write", **{"text": "x", **wrong})
        with pytest.raises(UsageError, match="write"):
            simulation.run_sync(1)


@pytest.mark.model
@pytest.mark.skipif("SOCIARIUM_TEST_CITY" not in os.environ, reason="takes minutes: set SOCIARIUM_TEST_CITY=1")
def test_a_short_day_on_a_small_model_is_replayed(tmp_path, weights):
    scenario = of(citizens=6, model="local:smollm2", step=720, feel_hours=24, answer_tokens=120, least_friends=1, most_friends=1)
    first = asyncio.run(running.start(scenario, 1, tmp_path / "run"))
    assert asyncio.run(running.replay(tmp_path / "run", lambda slug: AgentSociety)).digest == first.digest
