"""Who decides: rules for every domain, and archetypes that a language model answers for in the epidemic."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sociarium.environments.epidemic.strategies import Habits, by_habit
from sociarium.kernel.actions import Actions
from sociarium.kernel.mind import Mind
from sociarium.kernel.turn import Observations, Turn
from sociarium.minds.archetype import ArchetypeMind, Question
from sociarium.minds.behaviour import Behaviour, Behaviours, Chance
from sociarium.minds.grouping import Grouping, Told
from sociarium.minds.phased import PhasedMind
from sociarium.minds.prompts import PromptPack, Value
from sociarium.minds.rule import Rule, RuleMind
from sociarium.models.request import Sampling

if TYPE_CHECKING:
    from sociarium.scenarios.large_population_models.scenario import LargePopulationModels

HERE = Path(__file__).parent
AGES = ((2, 7), ("under 20", "20 to 69", "over 69"))  # age classes of ten years each
STAY = Behaviours([Chance("stay", "share who stay at home")], [Behaviour("epidemic.isolate", arguments={"on": "stay"})])


def deciding(scenario: LargePopulationModels) -> Mind:
    """Another mind in each substep."""
    rules = {"day": staying(scenario), "work": working(scenario), "market": earning(scenario)}
    minds: dict[str, Mind] = {name: RuleMind(rule) for name, rule in rules.items()}
    if scenario.model is not None:
        minds["day"] = ArchetypeMind(question(scenario), PromptPack(HERE / "prompts"))
    return PhasedMind(minds)


def staying(scenario: LargePopulationModels) -> Rule:
    """Isolation by habit and by yesterday's cases."""
    return by_habit(Habits(isolate=scenario.isolate, caution=scenario.caution))


def working(scenario: LargePopulationModels) -> Rule:
    """Who has lost its job stays away from work with the chance ``coupling``; everyone else goes."""

    def rule(turn: Turn, seen: Observations) -> Actions:
        goes = np.ones(len(turn.agents), np.bool_)
        if "labour" in seen.parts:
            market = seen["labour"]
            jobless = ~market["employed"] & (market["month"] > 1)
            goes = ~(jobless & (turn.random("coupling.work").uniform(turn.agents) < scenario.coupling))
        return Actions.one(turn, "epidemic.work", on=goes)

    return rule


def earning(scenario: LargePopulationModels) -> Rule:
    """Everyone wants to work and spends its part; who is ill does not want to with the chance ``coupling``."""

    def rule(turn: Turn, seen: Observations) -> Actions:
        willing = np.ones(len(turn.agents), np.bool_)
        if "epidemic" in seen.parts:
            willing = ~(seen["epidemic"]["ill"] & (turn.random("coupling.ill").uniform(turn.agents) < scenario.coupling))
        return Actions.one(turn, "labour.decide", work=willing, consume=np.full(len(turn.agents), scenario.spend))

    return rule


def question(scenario: LargePopulationModels) -> Question:
    """One call an age group and answer; cases are told to whole tens in 100,000, so that small changes ask nothing anew."""

    def cases(turn: Turn, seen: Observations) -> Value:
        columns = seen["epidemic"]
        return int(10 * round(1e4 * float(columns["cases"][0]) / max(int(columns["size"][0]), 1)))

    told = (Told("cases", of=cases), Told("day", "epidemic.day"))
    sampling = Sampling(temperature=scenario.temperature, max_tokens=scenario.answer_tokens)
    return Question(
        "isolation", STAY, (Grouping.binned("age", *AGES, source="age_class"), *told), "isolation", samples=scenario.samples,
        sampling=sampling, fallback={"stay": scenario.isolate}, phases=("day",),
    )  # fmt: skip
