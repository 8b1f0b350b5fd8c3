"""The commons game that GovSim and its reproduction share: parameters, phases, population, minds. It composes; no rule is here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from sociarium.environments.commons.commons import Commons, CommonsRules
from sociarium.environments.commons.growth import LostBelow, Multiplying
from sociarium.environments.conversation.conversation import Conversation
from sociarium.environments.conversation.rules import TalkRules
from sociarium.environments.wording import number
from sociarium.kernel.errors import UsageError
from sociarium.kernel.mind import Mind
from sociarium.kernel.population import Column, Population, Visibility
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Intervention, Simulation
from sociarium.kernel.turn import Phase, TurnKind
from sociarium.kernel.units import MONTH
from sociarium.lab.scenario import Scenario
from sociarium.minds.language import prompts
from sociarium.minds.prompts import PromptPack
from sociarium.minds.scripted import ScriptedMind
from sociarium.scenarios.govsim import people
from sociarium.scenarios.govsim.policies import parse_policies, policies_of
from sociarium.scenarios.govsim.thinking import language_mind, manner
from sociarium.scenarios.govsim.words import Words

HERE = Path(__file__).parent
HARVESTER, MODERATOR = "harvester", "moderator"
NEWCOMER_TICK = 3  # round index 3: the fourth month
HORIZON, NEWCOMER_HORIZON = 12, 15


class CommonsGame(Scenario):
    """Each month: harvest in private and at once, then talk, then reflect; then the resource grows, or is lost."""

    progress: ClassVar[tuple[str, ...]] = (
        "commons.harvested", "conversation.said", "conversation.summarised", "conversation.agreed",
        "commons.collapsed", "commons.survived",
    )  # fmt: skip
    headline: ClassVar[tuple[str, ...]] = (
        "commons.months", "commons.gain", "commons.efficiency", "commons.equality", "commons.over_usage",
    )  # fmt: skip
    speakers: ClassVar[tuple[str, ...]] = (HARVESTER,)
    num_agents: int = Field(5, ge=1, le=1000, description="harvesters at one commons, the newcomer among them")
    max_rounds: int | None = Field(
        None, ge=1, le=100_000, description="months; none: 12, or 15 with a newcomer", json_schema_extra={"unit": "months"}
    )
    capacity: int = Field(100, ge=1, le=1_000_000, description="units the commons holds at most, and at the start")
    growth: float = Field(2, gt=1, description="what is left is multiplied by this each month, up to the capacity")
    collapse: float = Field(5, ge=0, description="the game ends when a month ends with fewer units")
    allocation: Literal["stochastic", "proportional"] = Field("stochastic", description="how too little is shared out")
    inject_universalization: bool = Field(
        False, description="tell everyone what happens if all take more than the equal share of what regrows"
    )
    language: Literal["unconstrained", "none", "none_and_no_obs"] = Field(
        "unconstrained", description="none: nobody talks; none_and_no_obs: nor does anyone learn what others caught"
    )
    max_conversation_steps: int | None = Field(
        None, ge=1, le=100, description="turns of a talk, the opening report among them; none: as the pace says (10)"
    )
    lakes: int = Field(1, ge=1, le=1_000_000, description="worlds side by side: groups of one run")
    personas: Literal["auto", "names", "traditional", "gss"] = Field(
        "auto", description="identities; auto: names, or traditional with a newcomer"
    )
    gss_path: Path | None = Field(None, description="file of survey agents, for personas=gss")
    newcomer: bool = Field(False, description="the last agent comes in the fourth month, and wants to grow at any price")
    policies: str = Field("sustainable", description="rules of agents without a model, such as sustainable*4,greedy")
    agreed_limit: int = Field(10, ge=0, description="what rule minds agree on in their talk, units an agent and month")
    temperature: float = Field(0.0, ge=0, le=2, description="of the language model's replies")
    top_p: float = Field(1.0, gt=0, le=1, description="of the language model's replies")

    framework_model: str | None = Field(None, description="model of summaries and agreed limits; none: the agents' model")
    pace: Literal["paper", "brief", "choices"] = Field(
        "paper",
        description="paper: all calls of the paper; brief: few and short ones; choices: from given sentences, for the smallest models",
    )
    answer: Literal["schema", "answer", "choose"] | None = Field(None, description="how a harvest is asked for; none: as the pace says")
    choose_step: int = Field(
        5, ge=1, description="with answer=choose: options are 0, this, twice this, ...", json_schema_extra={"unit": "units"}
    )
    choose_most: int = Field(30, ge=1, description="with answer=choose: the largest option", json_schema_extra={"unit": "units"})
    importance: Literal["model", "rule"] | None = Field(None, description="who scores memories; none: as the pace says")
    insights: bool | None = Field(None, description="whether agents draw insights each month; none: as the pace says")
    memory_days: float = Field(63, gt=0, description="how long thoughts and actions are remembered", json_schema_extra={"unit": "days"})
    recency: Literal["newest", "released"] = Field(
        "newest", description="rank memories from the newest, or from the oldest as the released code does"
    )
    embedder: Literal["wordllama", "hashing"] = Field("wordllama", description="what relevance of memories is measured by")

    @property
    def months(self) -> int:
        """The horizon."""
        return self.max_rounds or (NEWCOMER_HORIZON if self.newcomer else HORIZON)

    @property
    def speaks(self) -> bool:
        """Whether language models decide."""
        return self.model is not None

    @property
    def locale(self) -> str:
        """The language of words and prompts."""
        return "en"

    def wording_file(self) -> Path:
        """Where the words of this game are."""
        raise NotImplementedError(type(self).__name__)

    def prompt_pack(self) -> PromptPack:
        """The prompts of this game, in its language."""
        return prompts(HERE / "prompts", self.locale)

    def words(self) -> Words:
        return Words.read(self.wording_file())

    def rules(self) -> CommonsRules:
        return CommonsRules(
            growth=Multiplying(self.growth, self.capacity),
            collapse=LostBelow(self.collapse),
            capacity=self.capacity,
            initial=self.capacity,
            allocation=self.allocation,
            horizon=self.months,
            universalization=self.inject_universalization,
            public_reports=self.language != "none_and_no_obs",
            harvesters=(HARVESTER,),
        )

    def talk_rules(self, words: Words) -> TalkRules:
        how = manner(self)
        if how.speech == "menu":  # a sentence from a list names nobody and ends nothing
            return TalkRules("rotation", how.turns, "never", MODERATOR, words.opening, random_start=True, longest=how.characters)
        return TalkRules("named", how.turns, moderator=MODERATOR, opening=words.opening, longest=how.characters)

    def rule_values(self) -> dict[str, str | int | float]:
        """The numbers in the rules as the agents read them."""
        numbers = {
            "agents": self.num_agents,
            "capacity": self.capacity,
            "growth": self.growth,
            "collapse": self.collapse,
            "example_stock": 0.9 * self.capacity,
            "example_caught": 0.3 * self.capacity,
            "example_left": 0.6 * self.capacity,
            "example_next": min(self.capacity, 0.6 * self.capacity * self.growth),
        }
        return {name: number(value) for name, value in numbers.items()}

    def total_ticks(self) -> int:
        return self.months

    def build(self, seed: int) -> Simulation:
        return self.build_with(seed, self.mind(self.words()))

    def build_with(self, seed: int, mind: Mind) -> Simulation:
        """The same game with another mind for everyone, such as a table of wishes."""
        words = self.words()
        return Simulation(
            self.population(words, seed),
            [Commons(self.rules(), words.commons), Conversation(self.talk_rules(words), words.talk)],
            [mind],
            Rounds(self.phases(), self.months, length=MONTH),
            seed=seed,
            interventions=self.arrivals(words),
        )

    def phases(self) -> tuple[Phase, ...]:
        """Language minds alone reflect."""
        harvest = Phase("harvest", "commons", who=(HARVESTER,), offers=("commons.harvest",))
        talk = Phase("talk", "conversation", ("commons",), offers=("conversation.say", "conversation.minute"))
        reflect = Phase("reflect", who=(HARVESTER,), kind=TurnKind.INNER)
        spoken = (talk,) if self.language == "unconstrained" else ()
        return (harvest, *spoken, *((reflect,) if self.speaks else ()))

    def mind(self, words: Words) -> Mind:
        if not self.speaks:
            named = [*parse_policies(self.policies, self.num_agents - self.newcomer), *(["greedy"] if self.newcomer else [])]
            return ScriptedMind(policies_of(named, self.agreed_limit), language=self.locale, limit=self.agreed_limit)
        return language_mind(self, words)

    def population(self, words: Words, seed: int) -> Population:
        """Harvesters lake by lake, then one moderator a lake."""
        first = self.num_agents - self.newcomer
        if first < 1:
            raise UsageError("newcomer: at least one agent must be there before the newcomer comes; set num_agents to 2 or more")
        sort = self.personas if self.personas != "auto" else "traditional" if self.newcomer else "names"
        told = people.identities(sort, first, words, seed=seed, survey=self.gss_path)
        population = Population()
        population.declare(HARVESTER, _columns())
        population.declare(MODERATOR, [Column("name", str), Column("route", str, visibility=Visibility.HIDDEN)])
        each = {name: np.tile(np.array([one[name] for one in told], object), self.lakes) for name in told[0]}
        population.admit(
            HARVESTER,
            first * self.lakes,
            **each,
            group=np.repeat(np.arange(self.lakes), first),
            policy=np.tile(np.array(parse_policies(self.policies, first), object), self.lakes),
            route=np.tile(np.array([self.route_of(at) for at in range(first)], object), self.lakes),
        )
        population.admit(MODERATOR, self.lakes, name=words.moderator, group=np.arange(self.lakes))
        return population

    def route_of(self, place: int) -> str:
        """The model route of the agent at this place of its lake; empty: the default."""
        return ""

    def arrivals(self, words: Words) -> list[Intervention]:
        if not self.newcomer:
            return []
        who = {
            **people.newcomer(words), "kind": HARVESTER, "size": self.lakes, "group": list(range(self.lakes)),
            "policy": "greedy", "route": self.route_of(self.num_agents - 1),
        }  # fmt: skip
        return [Intervention(NEWCOMER_TICK, "population.admit", who)]

    def routes(self) -> dict[str, str]:
        routes = super().routes()
        own = self.framework_model or routes.get("framework") or routes.get("default")
        return {**routes, "framework": own} if own is not None else {}

    def told(self, kind: str, row: Mapping[str, Any]) -> str | None:
        from sociarium.scenarios.govsim.showing import told_line

        return told_line(self, kind, row)

    def plot(self, folder: Path, target: Path) -> Path | None:
        from sociarium.scenarios.govsim.showing import draw

        return draw(self, folder, target)


def _columns() -> list[Column]:
    return [
        *(Column(name, str) for name in people.FIELDS),
        Column("age", np.int64, unit="years"),
        Column("policy", str, visibility=Visibility.HIDDEN, doc="rule of an agent without a model"),
        Column("route", str, visibility=Visibility.HIDDEN, doc="model route; empty: the default"),
    ]
