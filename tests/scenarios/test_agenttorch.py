"""The city and its epidemic: who is asked, what is told, what arms share, and that runs repeat and are drawn."""

import asyncio

import numpy as np
import pytest

from sociarium.kernel.errors import UsageError
from sociarium.kernel.protocols import NoJournal
from sociarium.lab import running
from sociarium.lab.cards import Card
from sociarium.lab.claims import checks_of, match_checks
from sociarium.lab.running import Options
from sociarium.models.service import ModelService
from sociarium.scenarios import catalogue
from sociarium.scenarios.agenttorch import claims
from sociarium.scenarios.agenttorch.city import city
from sociarium.scenarios.agenttorch.mocks import by_age, cautious, mock
from sociarium.scenarios.agenttorch.scenario import AgentTorch
from sociarium.scenarios.agenttorch.showing import history
from sociarium.scenarios.agenttorch.studies import NOTHING_TOLD, compare_waves, payment
from sociarium.testing import purity_test, sharing_test, state_test, ticks_of

MOCK = "scripted:schema"
SMALL = {"agents": 400, "days": 8}


def of(**settings):
    return AgentTorch.of({**SMALL, **settings})


def asked(backend, seed=1, **settings):
    records = []
    options = Options(backends={MOCK: backend}, on_tick=[records.append])
    finished = asyncio.run(running.in_memory(of(model=MOCK, **settings), seed, options))
    return finished, records


def test_the_card_and_its_checks_agree():
    card = Card.read(AgentTorch.home() / "card.yaml")
    match_checks(card, checks_of(claims))
    assert catalogue.scenario("agenttorch") is AgentTorch


def test_the_city_has_the_figures_it_was_raked_to_and_the_same_seed_makes_it_again():
    people = city(20_000, 3)
    assert len(people) == 20_000
    assert np.bincount(people.county) / 20_000 == pytest.approx([0.1705, 0.3075, 0.194, 0.2713, 0.0567], abs=0.002)
    assert np.bincount(people.age_class) / 20_000 == pytest.approx(
        [0.122, 0.107, 0.156, 0.16, 0.129, 0.125, 0.102, 0.061, 0.038], abs=0.002
    )
    assert (people.school[people.age_class >= 2] == -1).all() and (people.workplace[people.age_class < 2] == -1).all()
    assert (np.diff(people.county.astype(int)) >= 0).all(), "counties one after another"
    city.cache_clear()
    again = city(20_000, 3)
    assert all(np.array_equal(people.networks[name].targets, again.networks[name].targets) for name in people.networks)
    assert not np.array_equal(city(20_000, 4).age_class, again.age_class)


def test_people_of_one_household_meet_at_home_and_nobody_else():
    people = city(3000, 0)
    home = people.networks["home"]
    sources = home.sources()
    assert (people.household[sources] == people.household[home.targets]).all()
    sizes = np.bincount(people.household)
    assert len(home) == (sizes * (sizes - 1)).sum()


def test_every_day_is_the_product_of_categories_and_only_adults_are_asked_about_work():
    backend = mock(by_age({"under 20": 0.1, "": 0.4}))
    finished, records = asked(backend, days=1, samples=2)
    assert backend.calls == (5 + 4) * 2 * 5 * 2
    labour, population = finished.simulation.world["labour"], finished.simulation.world.population
    adult = population.get(population.ids(), "adult")
    assert not labour.willing[~adult].any() and 0.8 < labour.willing[adult].mean() < 1
    asked_about = next(event for event in records[0].events if event.kind == "minds.employment")
    assert asked_about.data["members"].sum() == adult.sum()


def test_variables_that_are_left_out_split_nobody_and_are_not_said():
    seen = []

    def note(words):
        seen.append(words)
        return 0.2

    backend = mock(note)
    asked(backend, days=1, variables=["age", "cases"])
    assert backend.calls == 5 + 4
    assert all("New York City who is" in words and "Prices" not in words and "March" not in words for words in seen)
    backend = mock(note)
    asked(backend, days=2, variables=[])
    assert backend.calls == 2, "nothing that is told changes, so nobody is asked again"


def test_news_prices_and_the_month_are_told_in_their_month():
    seen = []

    def note(words):
        seen.append(words)
        return 0.2

    asked(mock(note), days=4, month=2, news=["Schools close.", "Shops open."], prices=[100, 104.5], stimulus=1200, stimulus_day=3, memory=0)
    first, last = seen[0], seen[-1]
    assert "March 2020" in first and "Schools close." in first and "100 %" in first and "$1200" not in first
    assert "April 2020" in last and "Shops open." in last and "104.5 %" in last and "every adult $1200" in last


def test_arms_differ_only_after_the_day_of_the_payment_and_money_is_kept():
    futures = asyncio.run(payment(of(days=12, month=6), 6, 500, range(3)))
    for measure in ("epidemic.cases", "labour.assets", "labour.spent"):
        plain, paid = (futures.values(arm, measure) for arm in ("no payment", "$500"))
        assert np.array_equal(plain[:, :6], paid[:, :6])
    assert futures.difference("$500", "labour.spent").low > 0
    assert np.ptp(futures.values("$500", "labour.money")) == 0


def test_heuristics_archetypes_and_persons_are_compared_on_the_same_waves(tmp_path):
    pytest.importorskip("matplotlib")
    options = Options(backends={MOCK: mock(cautious(30.0))})
    base = {"model": MOCK, "agents": 60, "days": 6, "initial": 0.2, "rounding": 0.0, "variables": ["age", "cases"], "caution": 30.0}
    futures = asyncio.run(compare_waves(base, range(2), options))
    heuristic, archetype = (futures.values(arm, "epidemic.cases") for arm in ("heuristic", "archetype"))
    assert np.array_equal(heuristic, archetype)
    assert futures.values("agent", "city.isolation").max() > 0
    assert futures.plot("epidemic.total", tmp_path / "arms.png").stat().st_size > 10_000


def test_who_is_told_nothing_of_cases_does_not_mind_them():
    told, quiet = (of(agents=3000, days=25, caution=100.0, variables=v).build(2) for v in (AgentTorch().variables, NOTHING_TOLD))
    cases = [[float(t.measures["city.isolation_mean"][0]) for t in ticks_of(s)][-1] for s in (told, quiet)]
    assert cases[0] > cases[1] + 0.05 and abs(cases[1] - 0.05) < 0.01


def test_who_lost_the_job_meets_nobody_at_work():
    simulation = of(agents=3000, days=4, month=2, intercept=0.5, testing=False).build(1)
    simulation.run_sync(3)
    world = simulation.world
    ids = world.population.ids()
    commutes, place = (world.population.get(ids, name) for name in ("commutes", "workplace"))
    assert (commutes == (world["labour"].employed & world["labour"].willing & (place >= 0))).all()
    assert 0.2 < commutes[place >= 0].mean() < 0.8


def test_minds_that_ask_need_a_model_and_single_persons_a_small_town():
    with pytest.raises(UsageError, match="minds=archetype ask a model"):
        of(minds="archetype").build(1)
    with pytest.raises(UsageError, match=r"at most 5,000\. Use archetype"):
        of(model=MOCK, minds="agent", agents=6000).build(1)
    with pytest.raises(UsageError, match="no variable 'weather'"):
        of(variables=["weather"])


@pytest.mark.parametrize("minds", ["heuristic", "archetype", "agent"])
def test_a_run_is_recorded_resumed_in_the_middle_and_replayed_to_the_same_digest(minds, tmp_path):
    settings = {"minds": minds, "agents": 60, "days": 4, "month": 2, **({} if minds == "heuristic" else {"model": MOCK})}
    scenario = AgentTorch.of(settings)
    find = {"agenttorch": AgentTorch}.__getitem__
    whole = asyncio.run(running.start(scenario, 5, tmp_path / "whole"))
    replayed = asyncio.run(running.replay(tmp_path / "whole", find))
    assert replayed.digest == whole.digest
    assert asyncio.run(running.in_memory(scenario, 5, Options())).last.measures["epidemic.total"] == whole.last.measures["epidemic.total"]


def test_pictures_are_drawn_of_one_run_and_of_replicates_beside_data(tmp_path):
    pytest.importorskip("matplotlib")
    data = tmp_path / "cases.csv"
    data.write_text("week,cases\n1,12\n2,20\n", encoding="utf-8")
    scenario = of(days=16, month=8, stimulus=100, stimulus_day=9, observed=str(data))
    for seed in (1, 2):
        asyncio.run(running.start(scenario, seed, tmp_path / "runs" / f"seed-{seed}"))
    one = history(tmp_path / "runs" / "seed-1")
    assert one.cases.shape == (16,) and one.home.shape == (16, 3) and one.unemployment.shape == (2, 5) and not one.calls.any()
    for folder in (tmp_path / "runs", tmp_path / "runs" / "seed-1"):
        assert scenario.plot(folder, tmp_path / "picture.png").stat().st_size > 20_000
    with pytest.raises(UsageError, match="columns week and cases"):
        of(observed=str(tmp_path / "none.csv")).plot(tmp_path / "runs", tmp_path / "x.png")


@pytest.mark.parametrize("minds", ["heuristic", "archetype"])
def test_its_environments_and_minds_keep_their_contracts(minds):
    def build(seed=3):
        scenario = of(agents=60, days=4, month=2, minds=minds, **({} if minds == "heuristic" else {"model": MOCK}))
        simulation = scenario.build(seed)
        simulation.door = ModelService({"default": mock(cautious(30.0))}, journal=NoJournal(), seed=seed)
        return simulation

    state_test(build)
    purity_test(build)
    sharing_test(build)
