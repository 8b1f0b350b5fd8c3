"""Archetypes: what they cost, that members follow them, what is lost, and that runs repeat whatever happens."""

from __future__ import annotations

import numpy as np
import pytest

from sociarium import testing
from sociarium.kernel.errors import UsageError
from sociarium.kernel.outcomes import Status
from sociarium.kernel.population import Column, Visibility
from sociarium.kernel.turn import Phase
from sociarium.minds.archetype import ArchetypeMind
from sociarium.minds.behaviour import Behaviour, Behaviours, Chance, HeuristicMind, Level, Mix
from sociarium.minds.grouping import Grouping, Told
from sociarium.models.request import Sampling
from sociarium.record.frames import frames
from sociarium.record.run import RunRecord
from sociarium.testing import digest_of, ticks_of
from sociarium.testing.memory_journal import MemoryJournal

from .towns import AGE, CASES, COUNTY, PACK, SEX, SHARES, STAY, by_age, by_cases, by_fives, failing, question, town

AGES_ONLY = {"variables": (AGE,), "prompt": "ages"}


def notes(ticks):
    return [rows for tick in ticks for rows in tick.events if rows.kind.startswith("minds.")]


def stayed(simulation):
    """How many stayed at home on each day."""
    return [len(agents) for agents in simulation.world["town"].days]


# -- what it costs: agenttorch, line 5


@pytest.mark.parametrize("agents", [1_000, 1_000_000])
@pytest.mark.parametrize("samples", [1, 3])
def test_calls_are_the_product_of_the_categories_and_samples_whatever_the_number_of_agents(agents, samples):
    ask = question(samples=samples)
    simulation = town(agents, ask=ask, ticks=2)
    simulation.run_sync()
    assert simulation.backend.calls == 2 * 3 * 2 * samples == 2 * ask.calls  # the cases change by step, so all are asked again


def test_all_combinations_are_asked_populated_or_not_unless_only_the_populated_are_wanted():
    one = town(1, ticks=1)
    one.run_sync()
    assert one.backend.calls == 6
    few = town(1, ask=question(complete=False), ticks=1)
    few.run_sync()
    assert few.backend.calls == 1


def test_nothing_is_asked_again_while_the_variables_stay_what_they_were():
    for reuse, calls in ((True, 3), (False, 9)):
        simulation = town(ask=question(**AGES_ONLY, reuse=reuse), reply=by_age)
        simulation.run_sync()
        assert simulation.backend.calls == calls
    still = town(moves=False)
    still.run_sync()
    assert still.backend.calls == 6
    coarse = town(ask=question(variables=(AGE, SEX, Told("cases", "town.cases", nearest=1000))))
    coarse.run_sync()
    assert coarse.backend.calls == 6  # 100 to 110 cases are all "0" to the nearest thousand


def test_the_asker_is_an_archetype_and_samples_are_numbered_draws_of_their_own():
    simulation = town(ask=question(**AGES_ONLY, samples=2), ticks=1)
    simulation.run_sync()
    addresses = sorted((entry.asker, entry.number) for entry in simulation.journal.entries)
    assert addresses == [(f"archetype:{k}", n) for k in range(3) for n in range(2)]
    assert len({entry.key for entry in simulation.journal.entries.values()}) == 6


# -- members follow the answers


@pytest.mark.parametrize("seed", range(5))
def test_the_share_that_acts_in_each_group_is_that_of_its_archetype(seed):
    simulation = town(60_000, ask=question(**AGES_ONLY), ticks=1, seed=seed)
    simulation.run_sync()
    population = simulation.world.population
    ages = AGE.codes(population["citizen"]["age"])
    acted = np.zeros(60_000, bool)
    acted[simulation.world["town"].days[0]] = True
    for code, share in enumerate(SHARES.values()):
        group = ages == code
        assert group.sum() * share * (1 - share) >= 10
        assert abs(acted[group].mean() - share) <= 4 * np.sqrt(share * (1 - share) / group.sum())


def test_samples_are_averaged_and_the_record_says_what_the_model_said():
    def reply(request, draw):
        return f'{{"stay": {0.2 if draw % 2 else 0.4}}}'

    ticks = ticks_of(town(ask=question(**AGES_ONLY, samples=16), reply=reply, ticks=1))
    (rows,) = notes(ticks)
    assert rows.kind == "minds.isolation"
    assert rows.data["archetype"].tolist() == [0, 1, 2]
    assert rows.data["age"].tolist() == list(SHARES)
    assert rows.data["members"].sum() == 120
    assert rows.data["good"].tolist() == [16, 16, 16]
    for mean, spread in zip(rows.data["answer.stay"], rows.data["spread.stay"], strict=True):
        share = (mean - 0.2) / 0.2  # of the draws that said 0.4
        assert 0 < share < 1
        assert spread == pytest.approx(0.2 * np.sqrt(share * (1 - share)))


def test_a_heuristic_with_the_same_chances_makes_the_same_agents_act():
    chances = np.array(list(SHARES.values()))

    def rule(turn, seen):
        return {"stay": chances[AGE.codes(simulation.world.population.get(turn.agents, "age"))]}

    simulation = town(5_000, mind=HeuristicMind(rule, STAY))
    simulation.run_sync()
    archetypes = town(5_000)
    archetypes.run_sync()
    assert [day.tolist() for day in archetypes.world["town"].days] == [day.tolist() for day in simulation.world["town"].days]


def test_levels_chances_and_mixes_reach_their_arguments():
    asks = [
        question(
            name="money",
            variables=(AGE,),
            prompt="ages",
            behaviours=Behaviours([Chance("work"), Level("spend")], [Behaviour("earn", arguments={"work": "work", "spend": "spend"})]),
        ),
        question(
            name="way",
            variables=(COUNTY, CASES),
            prompt="counties",
            behaviours=Behaviours([Mix("where", ("park", "shop", "home"))], [Behaviour("go", arguments={"where": "where"})]),
        ),
    ]

    def reply(request, draw):
        return by_fives(request, draw) if "Where" in request.blocks[-1].text else '{"work": 0.25, "spend": 0.125}'

    simulation = town(40_000, ask=asks, reply=reply, ticks=1, phases=[Phase("day", "town", offers=("earn", "go"))])
    ticks = ticks_of(simulation)
    (_, work, spend), (_, where) = simulation.world["town"].days
    assert abs(work.mean() - 0.25) < 4 * np.sqrt(0.25 * 0.75 / 40_000)
    assert (spend == 0.125).all()
    assert set(where) == {"park", "shop"}
    assert abs((where == "shop").mean() - 0.75) < 4 * np.sqrt(0.25 * 0.75 / 40_000)
    way = next(rows for rows in notes(ticks) if rows.kind == "minds.way")
    assert way.data["answer.where.shop"].tolist() == [0.75, 0.75]


def test_options_can_be_chosen_and_lead_to_different_actions():
    from sociarium.models.request import Reply

    mix = Mix("plan", ("I stay.", "I go out."))
    behaviours = Behaviours([mix], [Behaviour("town.isolate", when="plan", option="I stay.")])
    ask = question(behaviours=behaviours, style="choose", variables=(AGE,), prompt="ages")

    def reply(request, draw):
        assert request.options == mix.options
        share = next(share for words, share in SHARES.items() if words in request.blocks[-1].text)
        return Reply(probabilities=(share, 1 - share))

    simulation = town(30_000, ask=ask, reply=reply, ticks=1)
    simulation.run_sync()
    expected = sum(
        share * n for share, n in zip(SHARES.values(), np.bincount(AGE.codes(simulation.world.population["citizen"]["age"])), strict=True)
    )
    assert abs(stayed(simulation)[0] - expected) < 4 * np.sqrt(30_000 * 0.25)


# -- what is lost: agenttorch, line 6


def test_with_a_mock_that_sees_only_the_variables_archetypes_and_single_agents_have_one_distribution():
    """Per agent and per archetype the same chances: the counts of 200 runs each have equal mean and variance."""
    runs = 200
    counts = {"agent": [], "archetype": []}
    chances = np.array(list(SHARES.values()))
    ages = AGE.codes(town(600).world.population["citizen"]["age"])
    for seed in range(runs):
        minds = {
            "archetype": ArchetypeMind(question(**AGES_ONLY), PACK),
            "agent": HeuristicMind(lambda turn, seen: {"stay": chances[ages[turn.agents]]}, STAY),
        }
        for name, mind in minds.items():
            simulation = town(600, mind=mind, ticks=1, seed=seed + (1000 if name == "agent" else 0))
            simulation.run_sync()
            counts[name].append(stayed(simulation)[0])
    one, other = (np.array(counts[name]) for name in counts)
    assert abs(one.mean() - other.mean()) < 4 * np.sqrt(one.var(ddof=1) / runs + other.var(ddof=1) / runs)
    assert 0.56 < one.var(ddof=1) / other.var(ddof=1) < 1.78  # four standard deviations of the logarithm of F(199, 199)


def test_a_private_attribute_is_averaged_away_and_the_count_varies_more_by_exactly_its_spread():
    """Fixed chances p_i of the single agents against the group's mean: equal means, and a variance larger by sum n_g Var_g(p_i)."""
    agents, seeds = 400, 3_000
    drawn = np.random.default_rng(3)
    private = drawn.uniform(0.0, 1.0, agents)
    ages = drawn.integers(0, 3, agents)
    means = np.array([private[ages == code].mean() for code in range(3)])
    exact_single = (private * (1 - private)).sum()
    exact_group = (means[ages] * (1 - means[ages])).sum()
    extra = sum((ages == code).sum() * private[ages == code].var() for code in range(3))
    assert exact_group - exact_single == pytest.approx(extra, rel=1e-12)  # an identity of arithmetic

    single, grouped = np.empty(seeds), np.empty(seeds)
    for seed in range(seeds):
        turn = _turn(agents, seed)
        single[seed] = len(STAY.actions(turn, {"stay": private}).tables["town.isolate"])
        turn = _turn(agents, seed + seeds)
        grouped[seed] = len(STAY.actions(turn, {"stay": means}, ages).tables["town.isolate"])
    for counts, variance in ((single, exact_single), (grouped, exact_group)):
        assert abs(counts.mean() - private.sum()) < 4 * np.sqrt(variance / seeds)
        assert abs(counts.var(ddof=1) / variance - 1) < 4 * np.sqrt(2 / seeds)  # sd of a variance of nearly normal counts
    assert grouped.var(ddof=1) - single.var(ddof=1) > 0.5 * extra


def _turn(agents, seed):
    from sociarium.kernel.randomness import Randomness
    from sociarium.kernel.turn import Moment, Turn

    from .towns import Town

    offers = Town().actions()
    moment = Moment(0, 0, Phase("day", "town"), Randomness(seed), offers)
    return Turn(moment, np.arange(agents), np.broadcast_to(np.int64(0), agents), 0, offers)


# -- failures


def test_where_a_call_fails_the_last_answer_stands_in_and_every_member_says_so():
    def reply(request, draw):
        refused = "an adult" in request.blocks[-1].text and "cases: 100." not in request.blocks[-1].text
        return failing(lambda _: refused)(request, draw)

    simulation = town(3_000, reply=reply, ticks=2)
    first, second = ticks_of(simulation)
    adults = np.flatnonzero(AGE.codes(simulation.world.population["citizen"]["age"]) == 1)
    assert first.shares() == {"ok": 3_000}
    assert second.shares() == {"ok": 3_000 - len(adults), "declined": len(adults)}
    (rows,) = second.outcomes
    assert rows.fallbacks == len(adults)
    assert rows.agents.tolist() == adults.tolist()
    assert (rows.status == Status.DECLINED).all()
    acted = np.isin(adults, simulation.world["town"].days[1])
    assert abs(acted.mean() - 0.5) < 4 * np.sqrt(0.25 / len(adults))  # the last answer, not nobody
    told = notes([second])[0]
    failed = told.data["status"] == "declined"
    assert failed.sum() == 2
    assert np.isnan(told.data["answer.stay"][failed]).all()


@pytest.mark.parametrize(("fallback", "share"), [({"stay": 1.0}, 1.0), (None, 0.0)])
def test_without_a_last_answer_the_stated_one_stands_in_or_nobody_acts(fallback, share):
    simulation = town(
        600, ask=question(**AGES_ONLY, fallback=fallback), reply=failing(lambda request: "an adult" in request.blocks[-1].text), ticks=1
    )
    (tick,) = ticks_of(simulation)
    adults = np.flatnonzero(AGE.codes(simulation.world.population["citizen"]["age"]) == 1)
    assert np.isin(adults, simulation.world["town"].days[0]).mean() == share
    assert tick.shares()["declined"] == len(adults)
    assert tick.outcomes[0].fallbacks == (len(adults) if fallback else 0)


def test_some_good_answers_are_enough_and_those_that_failed_are_counted():
    from sociarium.models.request import Reply

    def reply(request, draw):
        return Reply(finish="refusal", text="no") if draw % 2 else '{"stay": 0.5}'

    ticks = ticks_of(town(ask=question(**AGES_ONLY, samples=8), reply=reply, ticks=1))
    (rows,) = notes(ticks)
    assert ticks[0].shares() == {"ok": 120}
    assert (rows.data["good"] < 8).all()
    assert (rows.data["answer.stay"] == 0.5).all()


def test_shares_that_are_all_zero_are_malformed():
    behaviours = Behaviours([Mix("where", ("park", "shop", "home"))], [Behaviour("go", arguments={"where": "where"})])
    ask = question(behaviours=behaviours, variables=(AGE,), prompt="ages")
    simulation = town(
        ask=ask, reply=lambda r, d: '{"where": {"park": 0, "shop": 0, "home": 0}}', ticks=1, phases=[Phase("d", "town", offers=("go",))]
    )
    (tick,) = ticks_of(simulation)
    assert tick.shares() == {"malformed": 120}
    assert len(simulation.world["town"].days[0][0]) == 0


def test_shares_whose_sum_is_beyond_a_float_are_shares_all_the_same():
    mix = Mix("where", ("park", "shop", "home"))
    assert mix.read({"park": 1e308, "shop": 1e308, "home": 0}).tolist() == [0.5, 0.5, 0.0]
    assert mix.read({"park": 1, "shop": 3, "home": 0}).tolist() == [0.25, 0.75, 0.0]


# -- memory, lanes, replay


def test_the_last_exchanges_are_shown_again_to_each_sample_its_own():
    seen = []

    def reply(request, draw):
        answer = f'{{"stay": {draw % 1000 / 1000}}}'
        seen.append(([(b.role, b.text) for b in request.blocks if b.role == "assistant"], answer, request.blocks[-1].text))
        return answer

    town(10, ask=question(variables=(CASES,), prompt="cases", samples=2, memory=2), reply=reply, ticks=5).run_sync()
    assert len(seen) == 10
    assert [len(shown) for shown, _, _ in seen] == [0, 0, 1, 1, 2, 2, 2, 2, 2, 2]
    own = {answer: [] for _, answer, _ in seen[:2]}
    assert len(own) == 2
    shown_third = {shown[0][1].replace(" ", "") for shown, _, _ in seen[2:4]}
    assert shown_third == {answer.replace(" ", "") for answer in own}


def test_lanes_do_not_share_answers_and_each_is_what_it_is_alone():
    together = town(90, 3, reply=by_cases)
    ticks = ticks_of(together)
    assert together.backend.calls == 3 * 3 * 6
    (first, *_) = notes(ticks)
    assert first.lanes.tolist() == sorted(first.lanes.tolist())
    one_by_one = town(90, 3, reply=by_cases)
    one_by_one.sharing = lambda lanes: [lanes]  # all lanes in one turn, instead of each at its own pace
    assert digest_of(ticks_of(one_by_one)) == digest_of(ticks)


@pytest.mark.parametrize("groups", [1, 3])
def test_it_keeps_the_contract_of_minds(groups):
    testing.mind_test(
        lambda: town(60, groups, reply=by_cases, ask=question(samples=2, memory=2), ticks=3, journal=MemoryJournal()), rounds=2
    )


def test_a_heuristic_keeps_the_contract_of_minds():
    testing.mind_test(lambda: town(60, 3, mind=HeuristicMind(lambda turn, seen: {"stay": 0.3}, STAY)))


def test_a_replay_makes_no_call_and_ends_in_the_same_ticks():
    first = town(reply=by_cases, ask=question(samples=2, memory=1))
    ticks = ticks_of(first)
    again = town(reply=by_cases, ask=question(samples=2, memory=1), journal=first.journal.replay())
    assert digest_of(ticks_of(again)) == digest_of(ticks)
    assert again.backend.calls == 0


def test_a_fork_has_the_future_of_its_origin_and_pays_for_nothing_that_is_known():
    from sociarium.testing import fork_test

    fork_test(lambda: town(reply=by_cases, ask=question(memory=1)), after=1, ticks=2)


def test_a_run_on_disk_shows_what_was_said(tmp_path):
    with RunRecord.create(tmp_path / "run", {}) as record:
        town(300, journal=record.journal, record=record).run_sync()
    table = frames(tmp_path / "run").events("minds.isolation").collect()
    assert table.height == 3 * 6
    assert table["answer.stay"].n_unique() == 3


# -- mistakes


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: question(samples=3, sampling=Sampling()), "averages 3 answers that are all the same"),
        (lambda: question(style="choose"), "must have one answer, a Mix"),
        (lambda: question(fallback={"go": 1.0}), r"must give 1 number\(s\) for 'stay'"),
        (lambda: question(samples=0), "needs one or more samples"),
        (lambda: ArchetypeMind(question(variables=(AGE,)), PACK), "must be in both"),
        (lambda: ArchetypeMind([question(), question()], PACK), "two questions of an archetype mind are called 'isolation'"),
        (lambda: Behaviours([Chance("stay")], [Behaviour("town.isolate", when="leave")]), "'leave', which is no answer"),
        (lambda: Behaviours([Level("spend")], [Behaviour("town.isolate", when="spend")]), "when must be a chance"),
        (lambda: Mix("one", ("a",)), "two or more different options"),
        (lambda: Grouping.binned("age", (3, 1), ("a", "b", "c")), "rising edges"),
        (lambda: Grouping.coded("sex", ("a", "a")), "different labels"),
        (
            lambda: question(variables=[Grouping.coded(f"v{n}", [str(c) for c in range(100)]) for n in range(3)]).archetypes,
            "1,000,000 archetypes",
        ),
    ],
)
def test_a_mistake_is_said_when_it_is_made(make, says):
    with pytest.raises(UsageError, match=says):
        make()


@pytest.mark.parametrize(
    ("variables", "prompt", "says"),
    [
        ((Grouping.coded("age", ("young", "old")),), "ages", "no category for the value"),
        ((Grouping.named("county", ("Kings",)), CASES), "counties", "no category for the value 'Queens'"),
        ((Grouping.coded("age", ("young", "old"), "town.years"),), "ages", "does not show; it shows town.cases"),
        ((Told("age"),), "ages", "differs among them; make it a Grouping"),
    ],
)
def test_a_mistake_in_a_variable_is_said_when_it_is_met(variables, prompt, says):
    with pytest.raises(UsageError, match=says):
        town(ask=question(variables=variables, prompt=prompt)).run_sync()


def test_nobody_is_told_a_hidden_column():
    simulation = town(ask=question(variables=(Grouping.binned("age", (1,), ("a child", "an adult"), "secret"),), prompt="ages"))
    simulation.world.population["citizen"].add_column(Column("secret", np.float64, 0.0, Visibility.HIDDEN))
    with pytest.raises(UsageError, match="hidden; nobody may be told it"):
        simulation.run_sync()
