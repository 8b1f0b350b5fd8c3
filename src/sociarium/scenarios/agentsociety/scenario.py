"""AgentSociety: days of a city whose people have needs, make plans, travel, and write to one another (Piao et al., arXiv 2502.08691)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from sociarium.environments.messages.interceptor import Interceptor, InterceptorRules
from sociarium.environments.messages.messages import Messages
from sociarium.environments.mobility.gravity import GravityRules
from sociarium.environments.mobility.mobility import Mobility, MobilityRules
from sociarium.environments.opinion.opinion import Model, Opinion, OpinionRules
from sociarium.kernel.errors import UsageError
from sociarium.kernel.mind import Mind
from sociarium.kernel.schedule import Calendar
from sociarium.kernel.simulation import Intervention, Simulation
from sociarium.kernel.turn import Phase, TurnKind
from sociarium.kernel.units import DAY, MINUTE, clock
from sociarium.lab.scenario import Scenario
from sociarium.minds.needs import NeedColumns
from sociarium.minds.rule import RuleMind, nothing
from sociarium.scenarios.agentsociety.days import Caution, Days, RuleDays
from sociarium.scenarios.agentsociety.people import PERSUADERS, citizens, city, friends, listeners, persuasion, randomness, words

SCALE = 10.0  # attitudes go from 0 to 10; the environment of opinions from 0 to 1
CITY = {"home": 400, "work": 80, "shop": 40, "restaurant": 60, "leisure": 40}


class AgentSociety(Scenario):
    """See the card. ``storm``: the first day of a hurricane, of which everybody is warned."""

    slug: ClassVar[str] = "agentsociety"
    title: ClassVar[str] = "Days of a city: needs, plans, trips and messages"
    progress: ClassVar[tuple[str, ...]] = ("mobility.left", "messages.sent")
    headline: ClassVar[tuple[str, ...]] = (
        "mobility.outings",
        "mobility.away",
        "messages.messages",
        "messages.reach",
        "opinion.polarisation",
    )
    speakers: ClassVar[tuple[str, ...]] = ("citizen",)

    citizens: int = Field(200, ge=6, le=1_000_000, description="people who live in the city")
    days: int = Field(2, ge=1, le=3650, description="how long", json_schema_extra={"unit": "days"})
    step: int = Field(30, ge=1, le=720, description="length of a tick", json_schema_extra={"unit": "minutes"})
    employed: float = Field(0.6, ge=0, le=1, description="share of citizens who go to work")
    places: dict[str, int] = Field(default_factory=lambda: dict(CITY), description="how many places of each category there are")
    radius: float = Field(6.0, gt=0, le=100, description="of the city", json_schema_extra={"unit": "km"})
    candidates: int = Field(50, ge=1, le=10_000, description="places that come to mind in a choice by gravity")
    least_friends: int = Field(2, ge=0, le=50, description="fewest acquaintances of a citizen")
    most_friends: int = Field(5, ge=0, le=50, description="most acquaintances of a citizen")
    storm: int | None = Field(None, ge=1, description="the day on which a hurricane comes; none: it does not")
    storm_days: int = Field(1, ge=1, le=365, description="how long it stays", json_schema_extra={"unit": "days"})
    cancel: float = Field(0.7, ge=0, le=1, description="chance that a citizen by rule does not take a way out while the warning holds")
    workers_cancel: bool = Field(True, description="whether that holds for the way to work too")
    news: Literal["none", "ordinary", "inflammatory"] = Field("none", description="what ten citizens hear on the first day and pass on")
    forward: float = Field(0.02, ge=0, le=1, description="chance a tick that one by rule passes ordinary news on to a friend")
    arousal: float = Field(3.0, ge=0, description="how much likelier inflammatory news is passed on")
    interceptor: Literal["none", "node", "edge"] = Field("none", description="what is banned after ``ban_after`` flagged messages")
    ban_after: int = Field(2, ge=1, description="flagged messages before a ban")
    miss: float = Field(0.1, ge=0, le=1, description="share of inflammatory messages that are not flagged")
    false_alarm: float = Field(0.0, ge=0, le=1, description="share of other messages that are")
    block: bool = Field(True, description="whether a flagged message is kept back")
    persuasion: Literal["none", "control", "like", "opposing"] = Field("none", description="who speaks to the two camps about a topic")
    friends_talk: bool = Field(True, description="whether friends talk about it")
    bound: float = Field(3.0, ge=0, le=10, description="largest distance of attitudes at which one still listens")
    temperature: float = Field(0.7, ge=0, le=2, description="of the language model")
    memories: int = Field(8, ge=0, le=100, description="with a model: memories that come to mind for a plan or a message, at most")
    settle: Literal["model", "rule"] = Field("model", description="with a model: who says how well a need is met after its plan")
    feel_hours: float = Field(
        6, ge=0, le=24 * 365, description="with a model: hours between feelings; 0: none", json_schema_extra={"unit": "hours"}
    )
    embedder: Literal["wordllama", "hashing"] = Field("wordllama", description="what the relevance of memories is measured by")
    answer_tokens: int = Field(220, ge=16, le=4096, description="most tokens of an answer")

    def total_ticks(self) -> int:
        return self.days * self.day

    @property
    def day(self) -> int:
        """Ticks of a day."""
        return DAY // (self.step * MINUTE)

    def cadence(self) -> int:
        return 1 if self.citizens <= 1000 else self.day

    def build(self, seed: int) -> Simulation:
        self._checked()
        random = randomness(seed)
        places = city(self, random)
        population, network = citizens(self, places, random), friends(self, random)
        mobility = Mobility(places, MobilityRules(gravity=GravityRules(candidates=self.candidates)))
        messages = Messages(network, followed=() if self.news == "none" else (words()[self.news],))
        opinions = OpinionRules(Model.BOUNDED_CONFIDENCE, confidence=self.bound / SCALE)
        topic = [] if self.persuasion == "none" or self.model is not None else [Opinion(listeners(self, network), opinions)]
        if self.persuasion in PERSUADERS:
            population["persuader"]["mind"] = 1
        minds = [self.mind(messages), *([RuleMind(nothing)] if self.persuasion in PERSUADERS else [])]
        who = ("citizen",)
        phases = [Phase("live", "mobility", who=who), Phase("write", "messages", who=who)]
        if self.model is not None:
            phases += self.inner(who)
        schedule = Calendar(phases, step=self.step * MINUTE, duration=self.days * DAY)
        gates = [] if self.interceptor == "none" else [Interceptor(messages, _is_inflammatory, self._interception())]
        simulation = Simulation(population, [mobility, messages, *topic], minds, schedule, seed=seed, gates=gates)
        simulation.interventions += self.planned()
        return simulation

    def inner(self, who: tuple[str, ...]) -> list[Phase]:
        """What citizens in words do with what happened: keep it, and from time to time feel something about it."""
        found = [Phase("remember", "messages", who=who, kind=TurnKind.INNER)]
        if self.feel_hours:
            every = max(1, round(60 * self.feel_hours / self.step))
            found.append(Phase("feel", "messages", who=who, every=every, first=every - 1, kind=TurnKind.INNER))
        return found

    def mind(self, messages: Messages) -> Mind:
        """The mind of all citizens: by rule, or by language where there is a model."""
        if self.model is None:
            chance = {"none": (), "ordinary": (self.forward,), "inflammatory": (min(1.0, self.forward * self.arousal),)}[self.news]
            return RuleDays(Days(NeedColumns(), self.caution()), messages, np.array(words()["sentences"], object), chance)
        from sociarium.minds.language.needs import Needs
        from sociarium.scenarios.agentsociety.thinking import language_mind

        needs = Needs(pursues=False)
        return language_mind(self, Days(needs.columns), needs)

    def caution(self) -> Caution:
        return Caution(self.cancel, self.workers_cancel)

    def planned(self) -> list[Intervention]:
        """The news of the first morning, and the warning while the storm lasts."""
        found = [] if self.model is None else persuasion(self)
        if self.news != "none":
            found.append(Intervention(0, "messages.tell", {"agents": list(range(min(10, self.citizens))), "text": words()[self.news]}))
        if self.storm is not None:
            begin = (self.storm - 1) * self.day
            found.append(Intervention(begin, "mobility.warn", {"text": "a hurricane is here; stay at home if you can"}))
            found.append(Intervention(begin + self.storm_days * self.day, "mobility.warn", {"text": ""}))
        return found

    def told(self, kind: str, row: Mapping[str, Any]) -> str | None:
        at = clock(int(row["tick"]) * self.step * MINUTE)
        if kind == "messages.sent":
            return f"{at}: {row['name']} writes: {row['text']}"
        return f"{at}: {row['name']} goes to place {row['to']}, {row['minutes']} minutes away"

    def plot(self, folder: Path, target: Path) -> Path | None:
        from sociarium.scenarios.agentsociety.showing import draw

        return draw(self, folder, target)

    def _interception(self) -> InterceptorRules:
        ban = {f"{self.interceptor}_ban": self.ban_after}
        return InterceptorRules(self.miss, self.false_alarm, self.block, **ban)

    def _checked(self) -> None:
        if missing := {"home", "work", "shop", "restaurant", "leisure"} - {kind for kind, count in self.places.items() if count > 0}:
            raise UsageError(f"places has no {sorted(missing)[0]}; a city needs homes, work, shops, restaurants and leisure")
        if DAY % (self.step * MINUTE):
            raise UsageError(f"step is {self.step} minutes, of which a day is not a whole number")
        if not self.least_friends <= self.most_friends < self.citizens:
            raise UsageError(f"{self.citizens} citizens cannot have {self.least_friends} to {self.most_friends} friends each")


def _is_inflammatory(text: str) -> bool:
    return words()["inflammatory"] in text
