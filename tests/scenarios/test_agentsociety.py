"""Days of a city: by rule and in words, interventions, and the record of a run."""

import asyncio

import numpy as np
import pytest

from sociarium.kernel.errors import UsageError
from sociarium.kernel.units import HOUR, MINUTE
from sociarium.lab import running
from sociarium.lab.claims import checks_of, match_checks
from sociarium.lab.running import Options
from sociarium.minds.needs import NeedColumns
from sociarium.minds.plans import MOST_STEPS, Plans, Step, StepType
from sociarium.scenarios import catalogue
from sociarium.scenarios.agentsociety import claims
from sociarium.scenarios.agentsociety.days import Days
from sociarium.scenarios.agentsociety.options import minutes_until_morning, options
from sociarium.scenarios.agentsociety.scenario import AgentSociety
from sociarium.testing import seed_test, sharing_test, state_test


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
    scenario = of(citizens=6, model="scripted:schema", **settings)
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
