"""Claims about who decides: what asking costs, what archetypes keep and lose, what information does, and the money."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.randomness import Randomness
from sociarium.kernel.records import TickRecord
from sociarium.lab.claims import ClaimContext, Measured, claim
from sociarium.lab.running import Finished, Options, in_memory
from sociarium.lab.statistics import mean_interval
from sociarium.minds.behaviour import bernoulli
from sociarium.models.backends.scripted import ScriptedBackend
from sociarium.scenarios.agenttorch.citizens import AGES
from sociarium.scenarios.agenttorch.mocks import by_age, cautious, mock
from sociarium.scenarios.agenttorch.scenario import AgentTorch
from sociarium.scenarios.agenttorch.studies import NOTHING_TOLD, cases_kept_quiet, compare_minds, payment

Floats = NDArray[np.float64]

MOCK = "scripted:schema"  # the name under which the mock is opened
CITY = 8_400_000
KAPPA = 30.0
SHARES = dict(zip(AGES["isolation"][1], (0.1, 0.3, 0.5, 0.7, 0.9), strict=True))


@claim("calls-of-archetypes")
async def calls_of_archetypes(context: ClaimContext) -> Measured:
    """Calls of a day with both questions and three answers averaged, at 1,000 and at a million people: (5 + 4) ages x 2 x 5 x 3."""
    found: list[int] = []
    for agents in (1_000, 1_000_000):
        backend = mock(by_age(SHARES))
        await _run(1, backend, agents=agents, days=1, samples=3, testing=False)
        found.append(backend.calls)
    return Measured.exactly(found[1], holds=found == [270, 270])


@claim("calls-for-the-city")
async def calls_at_scale(context: ClaimContext) -> Measured:
    """Calls that answer both questions for any number of people once: all archetypes of the scenario."""
    scenario = AgentTorch.of({"model": MOCK, "agents": CITY})
    from sociarium.minds.phased import PhasedMind

    small = scenario.changed({"agents": 1000}).build(1)
    mind: Any = small.minds.all[0]
    assert isinstance(mind, PhasedMind)
    calls = sum(question.calls for question in mind.minds["day"].questions)  # type: ignore[attr-defined]
    return Measured.exactly(calls, holds=calls <= 400)


@claim("shares-of-groups")
async def shares_of_groups(context: ClaimContext) -> Measured:
    """Largest distance of an age group's share at home from its archetype's answer, in binomial standard errors, over all seeds."""
    worst = 0.0
    for seed in context.seeds:
        finished, _ = await _run(seed, mock(by_age(SHARES)), agents=20_000, days=1, testing=False)
        world = finished.simulation.world
        ages = np.searchsorted(AGES["isolation"][0], world.population.get(world.population.ids(), "age_class"), side="right")
        home: Any = world["epidemic"]
        for group, share in enumerate(SHARES.values()):
            own = home.isolating[ages == group]
            if len(own) * share * (1 - share) >= 10:
                worst = max(worst, abs(float(own.mean()) - share) / math.sqrt(share * (1 - share) / len(own)))
    return Measured.exactly(worst, holds=0 < worst < 4)


@claim("heuristics-agree")
async def heuristics_agree(context: ClaimContext) -> Measured:
    """A model that answers as the heuristic does: days on which the two epidemics differ in any new case (common random numbers)."""
    differ = 0
    for seed in context.seeds:
        settings = {"agents": 3000, "days": 21, "rounding": 0.0, "caution": KAPPA, "variables": ["age", "cases"]}
        _, ours = await _run(seed, mock(cautious(KAPPA)), **settings)
        _, theirs = await _run(seed, None, **settings)
        differ += int((_series(ours, "epidemic.cases") != _series(theirs, "epidemic.cases")).sum())
    return Measured.exactly(differ, holds=differ == 0)


@claim("agents-agree")
async def agents_agree(context: ClaimContext) -> Measured:
    """A model that sees only what prompts tell: share at home with a call a person less that with archetypes, paired by seed."""
    base = {"model": MOCK, "agents": 100, "days": 6, "testing": False, "variables": ["age"]}
    options = Options(backends={MOCK: mock(by_age(SHARES))})
    results = await compare_minds(base, context.seeds, options, ("archetype", "agent"))
    interval = results.difference("agent", "archetype", "city.isolation_mean", level=0.999)
    return Measured.estimated(interval, holds=interval.holds(0.0) and abs(interval.estimate) < 0.04)


@claim("private-spread")
def private_spread(context: ClaimContext) -> Measured:
    """Chances that a private attribute splits: count's variance with archetypes less that with single agents, over sum n_g Var_g(p_i)."""
    single, grouped, extra = _private()
    ratio = ((grouped * (1 - grouped)).sum() - (single * (1 - single)).sum()) / extra
    return Measured.exactly(ratio, holds=abs(ratio - 1) < 1e-9)


@claim("private-variance")
def private_variance(context: ClaimContext) -> Measured:
    """The same from 3,000 draws of each; and the means are equal."""
    single, grouped, extra = _private()
    people, runs = np.arange(len(single)), 3000
    counts = np.array([
        [bernoulli(shares, None, Randomness(seed).stream("private", of), people).sum() for of, shares in enumerate((single, grouped))]
        for seed in range(runs)
    ], np.float64)  # fmt: skip
    variances = counts.var(axis=0, ddof=1)
    away = abs(counts.mean(0) - single.sum()) / np.sqrt(variances / runs)
    spread = 4 * math.sqrt(2 / runs) * float(np.hypot(*variances)) / extra  # a variance of nearly normal counts has sd v sqrt(2 / runs)
    ratio = float(variances[1] - variances[0]) / extra
    return Measured.exactly(ratio, holds=bool((away < 4).all()) and abs(ratio - 1) < spread and ratio > 0.5)


@claim("told-feedback")
async def told_feedback(context: ClaimContext) -> Measured:
    """Peaks of new cases with a mock model whose caution is 0, 10, 30, 100, 300 times the cases told: each falls in every seed."""
    peaks: list[list[float]] = []
    for seed in context.seeds[:2]:
        rows: list[float] = []
        for kappa in (0.0, 10.0, 30.0, 100.0, 300.0):
            settings: dict[str, Any] = {"agents": 8000, "days": 45, "initial": 0.01, "rounding": 1.0, "testing": False}
            finished, _ = await _run(seed, mock(cautious(kappa, isolate=0.0)), variables=["cases"], memory=0, **settings)
            rows.append(_last(finished, "city.peak"))
        peaks.append(rows)
    falls = bool((np.diff(peaks, axis=1) < 0).all())
    return Measured.exactly(", ".join(f"{peak:.0f}" for peak in np.mean(peaks, axis=0)), holds=falls)


@claim("cases-not-told")
async def counterfactual(context: ClaimContext) -> Measured:
    """From day 14 on nobody is told the cases: further infections in four weeks, as a share of all people, paired by seed."""
    scenario = AgentTorch.of({"agents": 4000, "days": 42, "caution": 100.0})
    futures = await cases_kept_quiet(scenario, 14, context.seeds)
    interval = futures.difference("cases not told", "city.attack")
    before, after = (futures.values(arm, "epidemic.cases")[:, :14] for arm in ("as it was", "cases not told"))
    same = np.array_equal(before, after)
    return Measured.estimated(interval, holds=same and interval.low > 0)


@claim("payment")
async def stimulus(context: ClaimContext) -> Measured:
    """$1,200 for every adult on day 30: dollars more that an adult spends by the end of the second month, paired by seed (30 % of them)."""
    scenario = AgentTorch.of({"agents": 4000, "days": 60})
    futures = await payment(scenario, 30, 1200, context.seeds)
    adults = int(scenario.build(0).world.population["citizen"]["adult"].sum())
    interval = futures.difference("$1,200", "labour.spent")
    dollars = mean_interval((futures.values("$1,200", "labour.spent") - futures.values("no payment", "labour.spent"))[:, -1] / adults / 100)
    return Measured.estimated(dollars, holds=interval.low > 0 and abs(dollars.estimate - 360.0) < 0.01)


@claim("money")
async def money(context: ClaimContext) -> Measured:
    """Cents by which all money of people, firm and treasury changes in four months, with a payment in the second."""
    _, records = await _run(context.seeds[0], None, agents=5000, days=120, stimulus=1200)
    held = _series(records, "labour.money")
    taxed, spent = (_series(records, name).max() for name in ("labour.taxed", "labour.spent"))
    change = float(abs(held - held[0]).max())
    return Measured.exactly(change, holds=change == 0 and taxed > 0 and spent > 0)


@claim("unemployment-regression")
async def unemployment(context: ClaimContext) -> Measured:
    """Largest error of the slopes found again (.6 and .3) from twenty months of five counties."""
    from sociarium.lab.unemployment import fit_unemployment

    _, records = await _run(context.seeds[0], None, agents=20_000, days=40, month=2, work=1.0, testing=False)
    rows = [event.data for record in records for event in record.events if event.kind == "city.employment"]
    claims, force, wanted = (np.stack([row[name] for row in rows]).astype(np.float64) for name in ("jobless", "willing", "unemployment"))
    fit = fit_unemployment(claims, force, wanted)
    worst = max(abs(slope.estimate - planted) for slope, planted in zip(fit.slopes, (0.6, 0.3), strict=True))
    return Measured.exactly(worst, holds=worst < 1e-6)


@claim("information-matters")
async def information(context: ClaimContext) -> Measured:
    """Share at home in the second and third week when cases are told, less that when they are not, with the given model."""
    settings = {"model": context.model, "agents": 2000, "days": 21, "decided_every": 7, "initial": 0.1, "samples": 3}
    told = [await _isolation(seed, settings) for seed in context.seeds]
    quiet = [await _isolation(seed, {**settings, "variables": NOTHING_TOLD}) for seed in context.seeds]
    interval = mean_interval(np.array(told) - np.array(quiet))
    return Measured.estimated(interval, holds=interval.low > 0)


@claim("older-stay-home")
async def older(context: ClaimContext) -> Measured:
    """Share at home of those over 59 less that of those from 20 to 59, with the given model."""
    found: list[float] = []
    for seed in context.seeds:
        records: list[TickRecord] = []
        settings = {"model": context.model, "agents": 2000, "days": 8, "decided_every": 7, "initial": 0.1, "samples": 3}
        await in_memory(AgentTorch.of(settings), seed, Options(on_tick=[records.append]))
        (rows,) = [event.data for event in records[-1].events if event.kind == "city.counted"]
        share = [float(rows["home"][rows["age"] == age].sum() / rows["people"][rows["age"] == age].sum()) for age in range(3)]
        found.append(share[2] - share[1])
    interval = mean_interval(np.array(found))
    return Measured.estimated(interval, holds=interval.low > 0)


async def _isolation(seed: int, settings: Mapping[str, Any]) -> float:
    records: list[TickRecord] = []
    await in_memory(AgentTorch.of(settings), seed, Options(on_tick=[records.append]))
    return float(_series(records, "city.isolation")[7:].mean())


async def _run(seed: int, backend: ScriptedBackend | None, **settings: Any) -> tuple[Finished, list[TickRecord]]:
    """One run in memory; with a backend, its archetypes ask it."""
    records: list[TickRecord] = []
    options = Options(on_tick=[records.append], backends={} if backend is None else {MOCK: backend})
    model = {} if backend is None else {"model": MOCK}
    return await in_memory(AgentTorch.of({**model, **settings}), seed, options), records


def _series(records: list[TickRecord], name: str) -> Floats:
    return np.array([float(record.measures[name][0]) for record in records])


def _last(finished: Finished, name: str) -> float:
    assert finished.last is not None
    return float(finished.last.measures[name][0])


def _private() -> tuple[Floats, Floats, float]:
    """Chances of 400 people in three groups, the means of their groups, and what the count's variance gains by taking those."""
    stream, people = Randomness(3).stream("private"), np.arange(400)
    single, group = stream.uniform(people), stream.integers(0, 2, people, 1)
    means = np.array([single[group == one].mean() for one in range(3)])
    extra = sum(float((group == one).sum() * single[group == one].var()) for one in range(3))
    return single, means[group], extra
