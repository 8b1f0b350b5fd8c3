"""The claims of the card, each with its check. Those that need rules only play on the engine; none repeats the engine's own code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sociarium.environments.commons.rationing import proportional
from sociarium.kernel.protocols import NoJournal
from sociarium.lab.claims import ClaimContext, Measured, claim
from sociarium.lab.experiment import Experiment
from sociarium.lab.reference import expected_unit_by_unit, most_units
from sociarium.lab.running import Options
from sociarium.minds.language.retrieval import NEVER, Kind, Memories, retrieve
from sociarium.models.service import ModelService
from sociarium.scenarios.govsim.calculator import calculator
from sociarium.scenarios.govsim.logs import largest_difference, runs_in
from sociarium.scenarios.govsim.playing import Played, play
from sociarium.scenarios.govsim.scenario import GovSim
from sociarium.scenarios.govsim.sub_skills import examine, problems

WISHES = (10, 20, 30, 40, 0)
LAKES = 20_000


@claim("sustainable-run")
async def sustainable_run(context: ClaimContext) -> Measured:
    played = await play(GovSim.of({"policies": "sustainable"}))
    same = (played.value("months"), played.value("efficiency"), played.value("equality"), played.value("over_usage")) == (12, 1, 1, 0)
    return Measured.exactly(played.value("gain"), holds=same)


@claim("collapse-in-month-one")
async def collapse_in_month_one(context: ClaimContext) -> Measured:
    played = await play(GovSim.of({"policies": "take:20"}))
    return Measured.exactly(100 * played.value("efficiency"), holds=played.value("months") == 1 and played.value("gain") == 20)


@claim("group-optimum")
async def group_optimum(context: ClaimContext) -> Measured:
    best, plan = most_units(100, 12, lambda left: min(100, 2 * left), lambda left: left < 5)
    played = await play(GovSim.of({}), wishes=[[total // 5] * 5 for total in plan])
    got = float(played.catches.sum())
    capped = played.value("efficiency") == 1 and all(total % 5 == 0 for total in plan)
    return Measured.exactly(got, holds=got == best and capped and played.value("gain") == 130)


@claim("stochastic-rationing")
async def stochastic_rationing(context: ClaimContext) -> Measured:
    caught = await _first_month("stochastic", 50)
    exact = expected_unit_by_unit(WISHES, 50)
    error = caught.std(axis=0, ddof=1) / np.sqrt(len(caught))
    distance = np.abs(caught.mean(axis=0) - exact)
    errors = float(np.divide(distance, error, out=np.where(distance > 0, np.inf, 0.0), where=error > 0).max())
    printed = np.allclose(exact, (9.6721, 13.4245, 13.4517, 13.4517, 0), atol=5e-5)
    fair = bool((caught.sum(axis=1) == 50).all() and (caught <= np.array(WISHES)).all())
    return Measured.exactly(errors, holds=errors < 4 and fair and printed)


@claim("proportional-rationing")
async def proportional_rationing(context: ClaimContext) -> Measured:
    exact = bool((await _first_month("proportional", 50) == np.array((5, 10, 15, 20, 0))).all())
    draws = np.random.Generator(np.random.PCG64(47)).random((LAKES, 5))
    caught = proportional(np.tile(np.array(WISHES), (LAKES, 1)), np.full(LAKES, 47), draws)
    distance = float(np.abs(caught - np.array((4.7, 9.4, 14.1, 18.8, 0))).max())
    return Measured.exactly(distance, holds=exact and distance < 1 and bool((caught.sum(axis=1) == 47).all()))


@claim("grim-trigger-threshold")
async def grim_trigger_threshold(context: ClaimContext) -> Measured:
    found = await _switch(400)
    return Measured.exactly(found, holds=True)


@claim("grim-trigger-finite-horizon")
async def grim_trigger_finite_horizon(context: ClaimContext) -> Measured:
    found = f"{await _switch(12):.4f} and {await _switch(15):.4f}"
    return Measured.exactly(found, holds=found == context.claim.published)


@claim("collapse-boundary")
async def collapse_boundary(context: ClaimContext) -> Measured:
    told: list[str] = []
    for left in (4, 5, 50, 51):
        played = await play(GovSim.of({"num_agents": 1, "max_rounds": 2}), wishes=[[100 - left]], months=1)
        lost = bool(played.measures["commons.collapsed"][0])
        told.append("lost" if lost else f"{played.value('stock'):g}")
    return Measured.exactly(", ".join(told), holds=", ".join(told) == context.claim.published)


@claim("metric-replay")
async def metric_replay(context: ClaimContext) -> Measured:
    assert context.data is not None, "a claim that needs data is checked with data only"
    logged = [run for run in runs_in(context.data) if run.scenario != "trash"]
    largest = max([await largest_difference(run, GovSim.of({})) for run in logged])
    return Measured.exactly(largest, holds=len(logged) > 0)


@claim("retrieval-brute-force")
def retrieval_brute_force(context: ClaimContext) -> Measured:
    random = np.random.Generator(np.random.PCG64(2404))
    wrong = sum(_retrieval_differs(random) for _ in range(1000))
    return Measured.exactly(float(wrong), holds=wrong == 0)


@claim("sub-skills-calculator")
async def sub_skills_calculator(context: ClaimContext) -> Measured:
    async with ModelService({"default": calculator()}, journal=NoJournal(), seed=0) as service:
        right = [sum((await examine(service, problems(skill)))[1]) for skill in ("dynamics", "threshold")]
    return Measured.exactly(float(min(right)), holds=True)


@claim("greedy-mixes")
async def greedy_mixes(context: ClaimContext) -> Measured:
    months = [await play(GovSim.of({"policies": _mix(greedy)})) for greedy in range(6)]
    told = ", ".join(f"{played.value('months'):g}" for played in months)
    return Measured.exactly(told, holds=told == context.claim.published)


@claim("survives-with-strong-model")
async def survives_with_strong_model(context: ClaimContext) -> Measured:
    arms = {wording: {"wording": wording} for wording in ("fishery", "pasture", "pollution")}
    results = await _experiment(context, arms)
    months = np.concatenate([results.values(arm, "commons.months") for arm in arms])
    from sociarium.lab.statistics import mean_interval

    return Measured.estimated(mean_interval(months), holds=True)


@claim("universalization-helps")
async def universalization_helps(context: ClaimContext) -> Measured:
    return await _effect(context, {"inject_universalization": True}, "commons.months", 1.0)


@claim("silence-harms")
async def silence_harms(context: ClaimContext) -> Measured:
    return await _effect(context, {"language": "none"}, "commons.over_usage", 100.0)


@claim("newcomer-harms")
async def newcomer_harms(context: ClaimContext) -> Measured:
    return await _effect(context, {"newcomer": True}, "commons.months", 1.0)


async def _effect(context: ClaimContext, settings: Mapping[str, Any], measure: str, scale: float) -> Measured:
    """Paired by seed; it holds where the interval lies on the published side of nothing."""
    results = await _experiment(context, {"base": {}, "treated": settings})
    found = results.difference("treated", "base", measure)
    published = context.claim.published
    side = isinstance(published, float) and (found.low > 0 if published > 0 else found.high < 0)
    return Measured(scale * found.estimate, scale * found.low, scale * found.high, side)


async def _experiment(context: ClaimContext, arms: Mapping[str, Mapping[str, Any]]) -> Any:
    options = Options()
    try:
        return await Experiment(GovSim, arms, context.seeds, base={"model": context.model}).run(options=options)
    finally:
        await options.close()


async def _first_month(allocation: str, stock: int) -> Any:
    """Catches of the first month in many lakes at once, (lakes, agents): five agents with ``WISHES``."""
    policies = ",".join(f"take:{wish}" for wish in WISHES)
    game = GovSim.of(
        {"policies": policies, "allocation": allocation, "capacity": stock, "lakes": LAKES, "max_rounds": 1, "language": "none"}
    )
    played: Played = await play(game)
    return played.catches[0].reshape(LAKES, len(WISHES))


def _mix(greedy: int) -> str:
    parts = [f"sustainable*{5 - greedy}"] * (greedy < 5) + [f"greedy*{greedy}"] * (greedy > 0)
    return ",".join(parts)


async def _switch(horizon: int) -> float:
    """The discount factor at which keeping the agreement begins to pay, from the payoffs of two games on the engine."""
    honest = await play(GovSim.of({"policies": "take:10", "max_rounds": horizon}))
    betrayal = await play(GovSim.of({"policies": "take:60,take:10*4", "max_rounds": horizon}))
    ours = [np.asarray(game.catches[:, 0], np.float64) for game in (honest, betrayal)]
    assert len(ours[0]) == horizon and ours[1].sum() == 60, "the honest game lasts, and who betrays gets the 60 units"
    low, high = 0.5, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        kept, broken = (float((units * middle ** np.arange(len(units))).sum()) for units in ours)
        low, high = (low, middle) if kept >= broken else (middle, high)
    return high


def _retrieval_differs(random: np.random.Generator) -> bool:
    """Whether one random case of retrieval differs from the formula written out."""
    count, now, top = int(random.integers(1, 40)), 1000, int(random.integers(1, 12))
    created = np.sort(random.integers(0, now, count))
    expires = np.where(random.random(count) < 0.3, random.integers(0, 2 * now, count), NEVER)
    kinds = random.integers(0, 4, count)
    importance, always = random.integers(1, 11, count).astype(float), random.random(count) < 0.1
    vectors, query = random.normal(size=(count, 4)), random.normal(size=4)
    memories = Memories(np.zeros(count, np.int64), created, created, expires, kinds, importance, always, vectors)
    found = retrieve(memories, np.zeros(1, np.int64), query[None, :], now, top).row(0).tolist()
    there = [at for at in range(count) if expires[at] > now and kinds[at] != Kind.CHAT]
    scores = {at: _score(rank, at, importance, vectors, query) for rank, at in enumerate(reversed(there))}
    best = max(scores.values(), default=0.0)
    scores = {at: best + 1 if always[at] else score for at, score in scores.items()}
    expected = sorted(sorted(there, key=lambda at: (-round(scores[at], 9), -at))[:top])
    return found != expected


def _score(rank: int, at: int, importance: Any, vectors: Any, query: Any) -> float:
    cosine = float(vectors[at] @ query / np.sqrt((vectors[at] ** 2).sum() * (query**2).sum()))
    return 0.5 * 0.99**rank + 3 * (float(importance[at]) - 1) / 9 + 2 * cosine
