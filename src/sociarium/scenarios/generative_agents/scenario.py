"""Generative Agents: twenty-five people live two days in a small town; two facts go round, and one of them is a party."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from sociarium.environments.conversation.chats import ChatRules, Chats
from sociarium.environments.conversation.grapevine import Grapevine
from sociarium.environments.town.rules import TownRules
from sociarium.environments.town.town import Town
from sociarium.kernel.errors import UsageError
from sociarium.kernel.mind import Mind
from sociarium.kernel.schedule import Calendar
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Phase, TurnKind
from sociarium.kernel.units import HOUR, SECOND, seconds
from sociarium.lab.scenario import Scenario
from sociarium.minds.diary import Diary
from sociarium.minds.gossip import Gossip
from sociarium.minds.habits import Appointment, Habits, Manner
from sociarium.minds.language.retrieval import ABLATIONS
from sociarium.minds.language.town.residents import Part
from sociarium.scenarios.generative_agents import areas, people
from sociarium.scenarios.generative_agents.attendance import Attendance
from sociarium.scenarios.generative_agents.questions import CLASSES, TownInterview, measured
from sociarium.scenarios.generative_agents.thinking import minded, planned_by
from sociarium.scenarios.generative_agents.ties import Ties, mutual

PARTY = (24 + 17, 24 + 19)  # hours since the midnight before 13 February: the 14th, from five to seven
STEPS_AN_HOUR = 360


class GenerativeAgents(Scenario):
    """A step is ten seconds, in which whoever is on the way walks a tile. Day 1 is 13 February."""

    slug: ClassVar[str] = "generative-agents"
    title: ClassVar[str] = "Generative agents in a town"
    first_day: ClassVar[date] = date(2023, 2, 13)
    progress: ClassVar[tuple[str, ...]] = ("town.met", "chats.said", "grapevine.learned")
    headline: ClassVar[tuple[str, ...]] = (
        "grapevine.party", "grapevine.candidacy", "ties.density", "town.talks", "town.asleep", "attendance.invited", "attendance.came",
    )  # fmt: skip

    hours: float = Field(48, gt=0, le=24 * 366, description="how long they are watched", json_schema_extra={"unit": "hours"})
    start: float = Field(0, ge=0, lt=24, description="the hour of 13 February at which it begins", json_schema_extra={"unit": "hours"})
    size: int = Field(25, ge=2, le=25, description="residents of a town: the first of those written for it")
    towns: int = Field(1, ge=1, le=10_000, description="towns side by side: groups of one run")
    residents: Literal["written", "gss"] = Field("written", description="gss: persons of a file of survey agents, with the written days")
    gss_path: Path | None = Field(None, description="file of survey agents, for residents=gss")
    sociability: float = Field(0.25, ge=0, le=1, description="without a model: the chance to speak to one who comes into sight")
    pass_chance: float = Field(0.5, ge=0, le=1, description="without a model: the chance that a known fact is passed on in a talk")
    come_chance: float = Field(0.7, ge=0, le=1, description="without a model: the chance that one who knows of the party and is free comes")
    vision: int = Field(8, ge=1, le=100, description="how far one sees", json_schema_extra={"unit": "tiles"})
    attention: int = Field(8, ge=1, le=100, description="events noticed in a step; the released code has 3")
    retention: int = Field(8, ge=1, le=100, description="events last noticed that are not noticed again; the released code has 5")
    cooldown: int = Field(800, ge=0, description="steps before the same two talk again")
    reflection: float = Field(150, gt=0, description="importance after which one reflects; the released residents have 250")
    interview_hours: float = Field(
        0, ge=0, description="hours between interviews, each a probe that changes nothing; 0: none", json_schema_extra={"unit": "hours"}
    )
    interview: Literal["probes", "areas"] = Field("probes", description="questions with known answers, or the paper's five areas")
    condition: Literal["full", "no reflection", "no reflection, no planning", "no memory", "each"] = Field(
        "full", description="what is remembered in interviews; the run itself is the same. each: all four, from the same memory"
    )
    lies: bool = Field(False, description="without a model: everybody says in interviews that they know the news")

    pace: Literal["paper", "released", "choices", "talks"] = Field(
        "paper", description="with a model: as the paper thinks, as its code does, in choices for small models; talks: the rest by habit"
    )
    without: list[Part] = Field(default_factory=list[Part], description="with a model: parts of the mind that are left out")
    rounds: int = Field(8, ge=1, le=100, description="with a model: utterances of each in one talk, at most (8 in the released code)")
    answer_tokens: int = Field(160, ge=8, le=32_768, description="with a model: longest utterance", json_schema_extra={"unit": "tokens"})
    thought_tokens: int = Field(
        700, ge=8, le=32_768, description="with a model: longest plan or other thought", json_schema_extra={"unit": "tokens"}
    )
    utterance: int = Field(400, ge=20, le=1000, description="longest utterance", json_schema_extra={"unit": "characters"})
    memories: int = Field(15, ge=0, le=1000, description="with a model: memories that come to mind for an utterance, at most")
    temperature: float = Field(0.7, ge=0, le=2, description="of the language model")
    retrieval: Literal["paper", "released"] = Field("paper", description="how memories are scored: as the paper says, or as its code does")
    embedder: Literal["wordllama", "hashing"] = Field("wordllama", description="what the relevance of memories is measured by")

    def total_ticks(self) -> int:
        return -(-seconds(self.hours * 3600) // (10 * SECOND))

    def cadence(self) -> int:
        return STEPS_AN_HOUR

    def build(self, seed: int) -> Simulation:
        self._checked()
        town, residents = people.town_map(), self.cast(seed)
        chats = Chats(ChatRules(rounds=self.rounds, longest=self.utterance))
        facts = people.facts_of(residents)
        first = {fact.name: people.first_told(fact.name, residents) for fact in facts}
        grapevine = Grapevine(facts, chats, first)
        place = Town(town, self.rules(), chats=chats)
        habits = self.habits(residents)
        mind: Mind = habits if self.model is None else minded(self, residents, habits)
        portraits = areas.portraits(residents) if self.interview == "areas" else ()
        environments = [
            chats, place, grapevine, Attendance(place, grapevine, 0, town.find("Lantern Café/café"), *(h * HOUR for h in PARTY)),
            TownInterview(place, grapevine, planned_by(mind, habits), portraits=portraits, conditions=self.conditions),
            Ties(place, mutual(residents)),
        ]  # fmt: skip
        schedule = Calendar(self.phases(), step=10 * SECOND, duration=seconds(self.hours * 3600), start=seconds(self.start * 3600))
        return Simulation(people.population(town, residents, self.towns), environments, [mind], schedule, seed=seed)

    @property
    def conditions(self) -> tuple[str, ...]:
        """Of memory, in interviews."""
        return tuple(ABLATIONS) if self.condition == "each" else (self.condition,)

    def summed_up(self) -> tuple[str, ...]:
        """With interviews also what came of the last one."""
        classes = areas.areas() if self.interview == "areas" else CLASSES
        return (*self.headline, *(measured(classes, self.conditions, people.facts()) if self.interview_hours else ()))

    def _checked(self) -> None:
        """Settings that would do nothing are refused, and not passed over."""
        asked = self.interview != "probes" or self.condition != "full" or self.lies
        if asked and not self.interview_hours:
            raise UsageError("interview, condition and lies are about interviews, of which there are none: give interview_hours too")
        if self.interview_hours and self._between() > self.total_ticks():
            between, hours = f"{self.interview_hours:g}", f"{self.hours:g}"
            raise UsageError(f"interview_hours is {between}, and the run ends after {hours}: there would be no interview")
        if self.model is None and (self.pace != "paper" or self.without):
            raise UsageError("pace and without say how a model thinks, and there is none: give a model, or leave them out")
        if self.model is not None and self.lies:
            raise UsageError("lies is for residents by rule; what a model says is the model's")
        if self.gss_path is not None and self.residents != "gss":
            raise UsageError("gss_path is a file of survey agents, who move in with residents=gss only")

    def _between(self) -> int:
        """Steps between interviews."""
        return max(1, round(self.interview_hours * STEPS_AN_HOUR))

    def cast(self, seed: int) -> list[people.Resident]:
        """Who lives here."""
        if self.residents == "written":
            return list(people.written()[: self.size])
        if self.gss_path is None:
            raise UsageError("residents=gss needs a file of survey agents: --set gss_path=FILE")
        return people.surveyed(self.gss_path, self.size, seed)

    def rules(self) -> TownRules:
        cooldown = 10 * self.cooldown  # seconds
        return TownRules(self.vision, self.attention, self.retention, cooldown=cooldown, wander=10, track=1, acquainted=self.thinks)

    @property
    def thinks(self) -> bool:
        """Whether a model does more than talk: then residents know the places of their town, and choose among them."""
        return self.model is not None and self.pace != "talks"

    def phases(self) -> tuple[Phase, ...]:
        live = Phase("live", "town", shows=("grapevine",))
        leave = () if self.model is None else ("chats.leave",)  # for one whose model says nothing
        talk = Phase("talk", "chats", shows=("town", "grapevine"), offers=("chats.say", *leave))
        if not self.interview_hours:
            return (live, talk)
        every = self._between()
        return (live, talk, Phase("interview", "interview", shows=("town",), every=every, first=every - 1, kind=TurnKind.PROBE))

    def habits(self, residents: list[people.Resident]) -> Habits:
        """Where residents go, and without a model what they say."""
        town = people.town_map()
        homes = people.beds(town, residents)
        days = [one.habits(town, bed) for one, bed in zip(residents, homes, strict=True)] * self.towns
        hosts = [at for at in range(len(days)) if "party" in residents[at % len(residents)].told]
        start, end = (60 * hour for hour in PARTY)
        party = Appointment(0, start, end, "celebrating at the party", town.find("Lantern Café/café"), self.come_chance)
        return Habits(
            days,
            Gossip(people.facts_of(residents), self.pass_chance, people.sayings()),
            Manner(self.sociability, self.lies),
            appointments=[party],
            hosts=hosts,
            diary=Diary(self.reflection),
        )

    def told(self, kind: str, row: Mapping[str, Any]) -> str | None:
        from sociarium.scenarios.generative_agents.showing import told_line

        return told_line(kind, row, self.start)

    def plot(self, folder: Path, target: Path) -> Path | None:
        from sociarium.scenarios.generative_agents.showing import draw

        return draw(self, folder, target)

    def replay(self, folder: Path, target: Path) -> Path | None:
        from sociarium.scenarios.generative_agents.replay import write

        return write(self, folder, target)
