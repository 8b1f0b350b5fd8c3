"""How residents with a language model think: all of it, at one of several paces, or what they say only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from sociarium.environments.conversation.grapevine import Grapevine
from sociarium.kernel.mind import Mind
from sociarium.minds.agenda import Agenda
from sociarium.minds.habits import Habits
from sociarium.minds.language import town as town_minds
from sociarium.minds.language.asking import Asking
from sociarium.minds.language.memory import Memory
from sociarium.minds.language.mind import LanguageMind
from sociarium.minds.language.news import NewsRules
from sociarium.minds.language.persona import Rules
from sociarium.minds.language.retrieval import GENERATIVE_AGENTS, GENERATIVE_AGENTS_RELEASED
from sociarium.minds.language.town.dayplan import DayPlan
from sociarium.minds.language.town.days import PlanRules, Quirks
from sociarium.minds.language.town.identity import Identity
from sociarium.minds.language.town.interviewed import AnswerRules, Interviewed
from sociarium.minds.language.town.react import ReactRules
from sociarium.minds.language.town.residents import BY_KIND, ReflectionRules, Residents, components
from sociarium.minds.language.town.talk import Talk, TalkRules
from sociarium.minds.phased import PhasedMind
from sociarium.models.backends.embed import HashingEmbedder, WordLlamaEmbedder
from sociarium.models.request import Sampling
from sociarium.scenarios.generative_agents import people
from sociarium.scenarios.generative_agents.people import Resident

if TYPE_CHECKING:
    from sociarium.scenarios.generative_agents.scenario import GenerativeAgents

HERE = Path(__file__).parent

PACES: Mapping[str, Residents] = {
    "paper": Residents(together=10, at_once=True, closeness=False),
    "released": Residents(
        plan=PlanRules("each", quirks=Quirks("Mara Lindqvist", sleepless_retry=True, stale_daily=True)),
        react=ReactRules(separate=True, things=True), talk=TalkRules(relation="each"), closeness=False,
    ),
    "choices": Residents(
        importance=BY_KIND, style="choose", form="text", plan=PlanRules("choices", steps=False, top=8),
        talk=TalkRules(3, 2, 4, 200, "kept", "menu", 4), reflection=ReflectionRules(recent=12, questions=1, top=6, insights=2),
        answers=AnswerRules(3, 200, "text"), without=frozenset({"relationships", "aftertalk"}),
    ),
}  # fmt: skip
"""``paper``: as the paper says, with several memories scored and all thoughts after a talk had in one question. ``released``: one question
each, and the quirks of the released code. ``choices``: for models too small to write: plans, places, reactions and utterances are weighed
among a few, and the little that is written is plain text."""


def minded(scenario: GenerativeAgents, residents: Sequence[Resident], habits: Habits) -> Mind:
    """The mind of all residents. At the pace ``talks`` they walk by habit, and the model speaks for them only."""
    prompts = town_minds.prompts(HERE / "prompts")
    if scenario.pace != "talks":
        parts = components(manner(scenario, residents))
        return LanguageMind([Rules("town_rules"), *parts], prompts, sampling=Sampling(scenario.temperature, 1.0, scenario.thought_tokens))
    sampling = Sampling(scenario.temperature, 1.0, scenario.answer_tokens)
    talk = TalkRules(scenario.memories, longest=scenario.utterance)
    answers = AnswerRules(scenario.memories, scenario.utterance)
    memory = Memory(NewsRules.load(HERE / "news.yaml"), embedder=_embedder(scenario), importance=4.0, rule=_retrieval(scenario))
    mind = LanguageMind([Rules("town_rules"), Identity("resident"), memory, Talk(talk), Interviewed(answers)], prompts, sampling=sampling)
    return PhasedMind({"chats": mind, "interview": mind}, other=habits)


def manner(scenario: GenerativeAgents, residents: Sequence[Resident]) -> Residents:
    """The pace, with what the user set apart from it."""
    pace, days = PACES[scenario.pace], written_days(residents)

    def choices(agent: int) -> list[str]:
        return written_options(residents[agent % len(residents)])

    words: dict[str, Any] = {"longest": min(scenario.utterance, pace.talk.longest)}
    if pace.talk.form == "schema":
        words["top"] = scenario.memories
    return replace(
        pace,
        embedder=_embedder(scenario),
        retrieval=_retrieval(scenario),
        reflection=replace(pace.reflection, trigger=scenario.reflection),
        react=replace(pace.react, cooldown=10.0 * scenario.cooldown),
        plan=replace(pace.plan, first=scenario.first_day),
        talk=replace(pace.talk, **words),
        talk_sampling=Sampling(scenario.temperature, 1.0, scenario.answer_tokens),
        habits=days if "planning" in scenario.without else None,
        stand_in=days,
        identity="resident",
        options=choices,
        menu=said_in_town,
        without=pace.without | frozenset(scenario.without),
    )


def written_options(resident: Resident) -> list[str]:
    """What a resident does by day, each activity once."""
    found = [words.split(" @ ")[0].split(" ", 1)[1] for words in resident.day]
    return [activity for activity in dict.fromkeys(found) if activity != "sleeping"]


def said_in_town(asking: Asking, lines: Sequence[str], last: bool) -> list[str]:
    """What may be said where residents choose: what everybody says at this place of a talk, and the news that one knows."""
    sayings, knows = people.sayings(), asking.value("grapevine", "knows")
    told = " ".join(lines)
    grapevine = cast("Grapevine", asking.mind.world["grapevine"])
    news = [fact.text for at, fact in enumerate(grapevine.facts) if knows[at] and fact.text not in told]
    usual = sayings.hello if not lines else sayings.bye if last else sayings.small
    return [*(words for words in usual if words not in told), *news]


def written_days(residents: Sequence[Resident]) -> Callable[[int, int], Agenda]:
    """The days that were written for the residents, by agent."""
    town = people.town_map()
    beds = people.beds(town, residents)
    return lambda agent, _: residents[agent % len(residents)].agenda(town, beds[agent % len(residents)])


def planned_by(mind: Mind, habits: Habits) -> Callable[[int, int], list[tuple[str, str]]]:
    """What one means to do, as (clock, activity): by the plan of a mind that plans, else by habit."""
    plans = [part for part in mind.components if isinstance(part, DayPlan)] if isinstance(mind, LanguageMind) else []
    if not plans:
        return habits.planned

    def planned(agent: int, time: int) -> list[tuple[str, str]]:
        day = plans[0].today(agent, time)
        return [] if day is None else [(f"{hour:02d}:00", activity) for hour, activity in day.items]

    return planned


def _retrieval(scenario: GenerativeAgents) -> Any:
    rule = GENERATIVE_AGENTS if scenario.retrieval == "paper" and scenario.pace != "released" else GENERATIVE_AGENTS_RELEASED
    return rule if scenario.pace in ("paper", "released") else replace(rule, hidden=frozenset())


def _embedder(scenario: GenerativeAgents) -> HashingEmbedder | WordLlamaEmbedder:
    return HashingEmbedder() if scenario.embedder == "hashing" else WordLlamaEmbedder()
