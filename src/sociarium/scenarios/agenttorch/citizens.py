"""The minds of citizens: heuristics, one model call a group of alike people (archetypes), one a person, or a distilled policy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sociarium.environments.epidemic.strategies import Habits, by_habit
from sociarium.kernel.mind import Mind
from sociarium.kernel.turn import Observations, Turn
from sociarium.minds.archetype import ArchetypeMind, Question
from sociarium.minds.behaviour import Behaviour, Behaviours, Chance, HeuristicMind, Level
from sociarium.minds.grouping import Grouping, Told
from sociarium.minds.language import prompts
from sociarium.minds.language.act import Act, ActRules
from sociarium.minds.language.mind import LanguageMind
from sociarium.minds.language.persona import Persona, Rules
from sociarium.minds.phased import PhasedMind
from sociarium.minds.rule import RuleMind
from sociarium.models.request import Sampling
from sociarium.scenarios.agenttorch.bulletin import TOLD, Bulletin
from sociarium.scenarios.agenttorch.city import ADULT, COUNTIES

if TYPE_CHECKING:
    from sociarium.scenarios.agenttorch.scenario import AgentTorch

HERE = Path(__file__).parent

PEOPLE = ("age", "gender", "county")  # variables that tell people apart
GENDERS = ("a woman", "a man")
AGES = {  # words by the class at which they begin
    "isolation": (
        (2, 4, 6, 7),
        ("under 20 years old", "20 to 39 years old", "40 to 59 years old", "60 to 69 years old", "over 69 years old"),
    ),
    "employment": ((4, 6, 7), ("20 to 39 years old", "40 to 59 years old", "60 to 69 years old", "over 69 years old")),
}
ANYBODY = {"age": "of any age", "gender": "a person", "county": "New York City"}
STAY = Behaviours([Chance("stay", "share who stay at home")], [Behaviour("epidemic.isolate", arguments={"on": "stay"})])
EARN = Behaviours(
    [Chance("work", "share who want to work"), Level("spend", 0.0, 1.0, "part of what they own that they spend")],
    [Behaviour("labour.decide", arguments={"work": "work", "consume": "spend"})],
)
PHASES = {"care": "epidemic", "day": "epidemic", "month": "labour"}  # and the environment that leads each


def citizens(scenario: AgentTorch, bulletin: Bulletin) -> Mind:
    """Who decides about isolation, and each month about work; tests and quarantine follow the published habits."""
    kind = scenario.decided_by()
    if kind == "heuristic":
        day, month = _heuristics(scenario)
    elif kind == "archetype":
        day = month = ArchetypeMind([question(scenario, bulletin, name) for name in ("isolation", "employment")], prompts(HERE / "prompts"))
    else:
        day = month = _language(scenario)
    care = RuleMind(by_habit(Habits(start=scenario.start, leave=scenario.leave, test=scenario.tested)))
    return PhasedMind({"care": care, "day": day, "month": month}, {"month": "adult"})


def variables(scenario: AgentTorch, bulletin: Bulletin, name: str) -> list[Grouping | Told]:
    """Of a question; those that the scenario leaves out say the same of everybody, or nothing."""
    edges, words = AGES[name]
    split = {
        "age": Grouping.binned("age", edges, words, "age_class"),
        "gender": Grouping.coded("gender", GENDERS),
        "county": Grouping.coded("county", COUNTIES),
    }
    people = [split[one] if one in scenario.variables else Grouping.binned(one, (), (ANYBODY[one],), "age_class") for one in PEOPLE]
    return [*people, *(_told(bulletin, one) for one in TOLD)]


def question(scenario: AgentTorch, bulletin: Bulletin, name: str) -> Question:
    """About isolation or employment."""
    stays = name == "isolation"
    return Question(
        name,
        STAY if stays else EARN,
        variables(scenario, bulletin, name),
        name,
        samples=scenario.samples,
        memory=scenario.memory,
        fallback={"stay": scenario.isolate} if stays else {"work": scenario.work, "spend": scenario.spend},
        sampling=Sampling(temperature=scenario.temperature, max_tokens=scenario.answer_tokens),
        phases=("day",) if stays else ("month",),
    )


def words_of(age_class: Any, gender: Any, county: Any) -> dict[str, Any]:
    """Columns of words for a person's prompt, from codes."""
    edges, labels = AGES["isolation"]
    return {
        "age_words": np.array(labels, object)[np.searchsorted(edges, age_class, side="right")],
        "gender_words": np.array(GENDERS, object)[gender],
        "county_words": np.array(COUNTIES, object)[county],
    }


def _told(bulletin: Bulletin, name: str) -> Told:
    return Told(name, of=lambda turn, seen: bulletin.sentence(name) or None)


def _heuristics(scenario: AgentTorch) -> tuple[Mind, Mind]:
    """The published fixed rules, and caution by the cases that are told; nobody can mind what is not told."""

    def stay(turn: Turn, seen: Observations) -> dict[str, Any]:
        kappa = scenario.caution if "cases" in scenario.variables else 0.0
        share = seen["epidemic"]["cases"][0] / max(int(seen["epidemic"]["size"][0]), 1)
        return {"stay": 1 - (1 - scenario.isolate) * np.exp(-kappa * share)}

    def earn(turn: Turn, seen: Observations) -> dict[str, Any]:
        return {"work": scenario.work, "spend": scenario.spend}

    return HeuristicMind(stay, STAY), HeuristicMind(earn, EARN)


def _language(scenario: AgentTorch) -> Mind:
    """One call for each person and decision."""
    sampling = Sampling(temperature=scenario.temperature, max_tokens=scenario.answer_tokens)
    stay = ActRules(
        prompt="today", actions=("epidemic.isolate",), phases=("day",), sampling=sampling,
        fallback={"epidemic.isolate": {"on": False}},
    )  # fmt: skip
    earn = ActRules(prompt="this_month", actions=("labour.decide",), phases=("month",), sampling=sampling)
    acts = [Act(stay, name="isolation"), Act(earn, name="employment")]
    return LanguageMind([Rules("rules"), Persona("citizen"), *acts], prompts(HERE / "prompts"), sampling=sampling)


def adults(age_class: Any) -> Any:
    """Who may work."""
    return np.asarray(age_class >= ADULT, np.bool_)
