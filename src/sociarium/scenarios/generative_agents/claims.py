"""What the paper and its system file claim, checked on the engine. One function a claim of the card."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from sociarium.lab import running
from sociarium.lab.claims import ClaimContext, Measured, claim
from sociarium.lab.experiment import Experiment
from sociarium.lab.statistics import mean_interval
from sociarium.minds.language.retrieval import ABLATIONS
from sociarium.scenarios.generative_agents.checks_mind import golden_retrieval, plan_repair, reflection_fires
from sociarium.scenarios.generative_agents.checks_news import (
    MORNING,
    news_reaches_the_reachable,
    no_knowledge_without_memory,
    party_closed_form,
    spread_equals_si,
)
from sociarium.scenarios.generative_agents.checks_steps import resume_equals_unbroken, time_and_space, whole_minds_keep_the_laws
from sociarium.scenarios.generative_agents.evaluating import evaluate
from sociarium.scenarios.generative_agents.questions import CLASSES
from sociarium.scenarios.generative_agents.scenario import GenerativeAgents


@claim("ablation-order")
async def ablation_order(context: ClaimContext) -> Measured:
    """Arms of one experiment with the same seeds: the runs are equal, what is remembered in the interview is not."""
    arms = ("full", "no reflection", "no reflection, no planning", "no memory")
    results = await Experiment(GenerativeAgents, {arm: {"condition": arm} for arm in arms}, context.seeds[:3], base=MORNING).run(at_once=1)
    elsewhere, drops = 0.0, True
    for (before, after), own in zip(pairwise(arms), ("inference", "plan", "observation"), strict=True):
        for name in ("inference", "plan", "observation"):
            change = results.difference(after, before, f"interview.{name}")
            if name == own:
                drops = drops and change.high < 0
            else:
                elsewhere += float(np.abs(results.values(after, f"interview.{name}") - results.values(before, f"interview.{name}")).sum())
    return Measured.exactly(elsewhere, holds=drops and elsewhere == 0)


@claim("one-memory-four-conditions")
async def one_memory_four_conditions(context: ClaimContext) -> Measured:
    """An interview under all conditions in one run, and one a condition in four runs with the same seed."""
    differing = 0.0
    base = {**MORNING, "hours": 1.0, "size": 8, "interview_hours": 1}
    each = await running.in_memory(GenerativeAgents.of({**base, "condition": "each"}), context.seeds[0])
    for condition in ABLATIONS:
        alone = await running.in_memory(GenerativeAgents.of({**base, "condition": condition}), context.seeds[0])
        for name in CLASSES:
            pair = [running.measure(each, f"interview.{name} ({condition})"), running.measure(alone, f"interview.{name}")]
            differing += float(np.nansum(np.abs(pair[0] - pair[1]))) + float((np.isnan(pair[0]) != np.isnan(pair[1])).sum())
    return Measured.exactly(differing, holds=differing == 0)


@claim("candidacy-spreads")
async def candidacy_spreads(context: ClaimContext) -> Measured:
    """The share that says so after two days and was told."""
    return await _told_by_model(context, "interview.known_candidacy")


@claim("party-spreads")
async def party_spreads(context: ClaimContext) -> Measured:
    """The share that says so after two days and was told."""
    return await _told_by_model(context, "interview.known_party")


@claim("full-is-most-believable")
async def full_is_most_believable(context: ClaimContext) -> Measured:
    """Two days, an interview in five areas under four conditions of the same memory, ranked by the model as a judge."""
    settings = {"model": context.model, "hours": 48, "interview_hours": 48, "interview": "areas", "condition": "each"}
    with TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        await running.start(GenerativeAgents.of(settings), context.seeds[0], run)
        found = await evaluate(run, {"judge": str(context.model)})
    assert found.by_judges is not None
    order = ", ".join(found.by_judges.skills)
    return Measured.exactly(order, holds=order == context.claim.published and found.by_judges.p < 0.001)


@claim("ties-form")
async def ties_form(context: ClaimContext) -> Measured:
    """Pairs that know each other, from the start or by having talked."""
    return await _told_by_model(context, "ties.density")


@claim("awareness-is-rarely-made-up")
async def awareness_is_rarely_made_up(context: ClaimContext) -> Measured:
    """Claims of knowledge that nothing supports, among those asked."""
    return await _told_by_model(context, "interview.hallucination")


async def _told_by_model(context: ClaimContext, name: str) -> Measured:
    values: list[float] = []
    scenario = GenerativeAgents.of({"model": context.model, "interview_hours": 48})
    for seed in context.seeds[:3]:
        finished = await running.in_memory(scenario, seed)
        values.append(float(running.measure(finished, name)[0]))
    return Measured.estimated(mean_interval(np.array(values)), holds=True)


__all__ = [
    "golden_retrieval",
    "news_reaches_the_reachable",
    "no_knowledge_without_memory",
    "party_closed_form",
    "plan_repair",
    "reflection_fires",
    "resume_equals_unbroken",
    "spread_equals_si",
    "time_and_space",
    "whole_minds_keep_the_laws",
]
