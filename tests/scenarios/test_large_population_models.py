"""Large populations: what is composed, how a model decides in it, and its pictures. Most of what must hold is a claim."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from sociarium.environments.labour.labour import Labour
from sociarium.environments.labour.money import tax
from sociarium.kernel.errors import UsageError
from sociarium.lab import running
from sociarium.lab.claims import ClaimContext, checks_of, match_checks
from sociarium.lab.running import Options
from sociarium.models.backends.scripted import ScriptedBackend
from sociarium.scenarios import catalogue
from sociarium.scenarios.large_population_models import claims
from sociarium.scenarios.large_population_models.scenario import LargePopulationModels
from sociarium.testing import fork_test, seed_test, state_test

SLUG = "large-population-models"
SMALL = {"agents": 200, "steps": 6, "degree": 6}
QUICK = (
    "fused-step tensor-is-loop edge-visits rounding counterfactual shares-uniform sums-exact lost-aggregator no-grass energy-books"
    " noise-spread noise-bias"
)


def of(**settings):
    return LargePopulationModels.of({**SMALL, **settings})


def test_every_claim_of_the_card_has_a_check():
    match_checks(catalogue.card(SLUG), checks_of(claims))


@pytest.mark.parametrize("identity", QUICK.split())
def test_a_claim_holds(identity):
    card = catalogue.card(SLUG)
    one = next(claim for claim in card.claims if claim.id == identity)

    async def check():
        return checks_of(claims)[identity](ClaimContext(one))

    assert asyncio.run(check()).holds, "also inside a loop of events, where replications are"


@pytest.mark.parametrize("domains", ["epidemic", "epidemic+labour+opinion", "predator-prey"])
def test_it_keeps_the_laws_of_runs(domains):
    def build(seed=3):
        return of(domains=domains, coupling=0.5).build(seed)

    seed_test(build)
    state_test(build)
    fork_test(build, after=3)


def test_the_labour_market_is_a_loop_over_its_members():
    """Line 2, a third domain beside the claim's and ecology's: 200 people, 10 periods, cent for cent."""
    simulation = of(domains="labour", steps=10).build(5)
    labour = simulation.world["labour"]
    assert isinstance(labour, Labour)
    wage, assets, firm, rate = labour.wage.tolist(), labour.assets.tolist(), 0, float(labour.unemployment[0, 0])
    claims_before = [0.0] * len(labour.rules.slopes)
    for period in range(10):
        stream = simulation.world.randomness.stream("labour", period)
        drawn, change = (stream.uniform(np.arange(200), index).tolist() for index in (0, 1))
        works = [number >= rate for number in drawn]
        gross = [wage[i] if works[i] else 0 for i in range(200)]
        taken = [int(tax([one], labour.rules.brackets)[0]) for one in gross]
        part, odd = divmod(sum(taken), 200)
        spent = 0
        for i in range(200):
            assets[i] += gross[i] - taken[i] + part + (i < odd)
            out = int(0.5 * max(assets[i], 0))
            assets[i] -= out
            spent += out
        firm += spent - sum(gross)
        claims_before = [float(200 - sum(works)), *claims_before[:-1]]
        rate = sum(slope * claim / 200 for slope, claim in zip(labour.rules.slopes, claims_before, strict=True)) + labour.rules.intercept
        imbalance = (spent - sum(gross)) / max(spent, sum(gross), 1)
        wage = [max(1, round(wage[i] * (1 + change[i] * labour.rules.adjustment * imbalance))) for i in range(200)]
        simulation.run_sync(1)
        assert (labour.wage.tolist(), labour.assets.tolist(), labour.firm.tolist()) == (wage, assets, [firm])
        assert labour.unemployment[0, 0] == pytest.approx(rate, rel=1e-12)
    assert len(set(labour.employed.tolist())) == 2


def test_archetypes_decide_about_isolation_one_call_an_age_group():
    asked = []

    def answer(request, draw):
        asked.append(" ".join(block.text for block in request.blocks))
        return '{"stay": 1.0}' if "over 69" in asked[-1] else '{"stay": 0.0}'

    scenario = of(model="scripted:schema", steps=1, domains="epidemic+labour")
    options = Options(backends={"scripted:schema": ScriptedBackend(answer)})
    finished = asyncio.run(running.in_memory(scenario, 1, options))
    assert len(asked) == 3 and all("day 0" in text for text in asked)
    assert (
        finished.last.measures["epidemic.isolating"][0] == (scenario.build(1).world.population.get(np.arange(200), "age_class") >= 7).sum()
    )


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"domains": "epidemic+predator-prey"}, "agents of its own"),
        ({"domains": "epidemic+epidemic"}, "named twice"),
        ({"domains": "labour", "model": "scripted:schema"}, "decides in the epidemic"),
        ({"domains": "flocking"}, "domains"),
    ],
)
def test_what_cannot_be_composed_is_refused(settings, words):
    with pytest.raises(UsageError, match=words):
        of(**settings).build(1)


@pytest.mark.parametrize("domains", ["epidemic+labour", "predator-prey"])
def test_a_run_is_drawn(tmp_path, domains):
    pytest.importorskip("matplotlib")
    scenario = of(domains=domains)
    for seed in (1, 2):
        asyncio.run(running.start(scenario, seed, tmp_path / f"seed-{seed}"))
    assert scenario.plot(tmp_path, tmp_path / "run.png").stat().st_size > 10_000


def test_what_data_tell_is_drawn(tmp_path):
    pytest.importorskip("torch", reason="needs the extra grad (PyTorch)")
    from sociarium.scenarios.large_population_models.showing import identifiability_picture

    assert identifiability_picture(tmp_path / "told.png").stat().st_size > 10_000
