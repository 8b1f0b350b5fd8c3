"""POSIM: public opinion about an event on a microblog (Zhang et al., arXiv 2603.23884)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from sociarium.environments.emotions.emotions import Emotions
from sociarium.environments.emotions.levels import POSIM as FEELINGS
from sociarium.environments.emotions.levels import EmotionRules
from sociarium.environments.signals import Signals
from sociarium.environments.social.discourse import ACTS, EVENTS, Discourse
from sociarium.environments.social.recommenders.posim import FeedRules, PosimFeed
from sociarium.environments.social.recommenders.vectors import TextInterests
from sociarium.environments.social.rules import PlatformRules, PlatformWording
from sociarium.kernel.errors import UsageError
from sociarium.kernel.hawkes import Excitation, Hawkes, Sources, Uniform
from sociarium.kernel.mind import Mind
from sociarium.kernel.population import Population
from sociarium.kernel.randomness import Randomness, Stream
from sociarium.kernel.simulation import Intervention, Simulation
from sociarium.kernel.turn import Phase
from sociarium.kernel.units import HOUR, MINUTE, clock
from sociarium.lab.scenario import Scenario
from sociarium.minds.tendency import Phrases, Tendencies, TendencyRules
from sociarium.models.backends.embed import HashingEmbedder, WordLlamaEmbedder
from sociarium.scenarios.posim.people import ACCOUNTS, following, story, users

HERE = Path(__file__).parent
WORDING = PlatformWording(you="You are user $number here.")  # how many follow an account, all told, stands in its persona
WEIGHTS = dict(zip(EVENTS, (0.01, 1.0, 0.5, 0.1, 0.2, 0.2, 0.4), strict=True))
"""How much each act excites."""


class Happening(BaseModel):
    """An outside event: a broadcast to all, or a post of the first account of a kind (``author``)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    minute: int = Field(ge=0, description="after the beginning")
    text: str = Field(min_length=1, max_length=2000)
    influence: float = Field(1.0, ge=0, le=1)
    emotion: str = "neutral"
    intensity: float = Field(0.0, ge=0, le=1)
    hashtags: str = ""
    author: Literal["", "kol", "media", "government"] = ""


class Posim(Scenario):
    """See the card. The acts of ``minds.tendency`` where no model is named; else belief, desire and intention in words."""

    slug: ClassVar[str] = "posim"
    title: ClassVar[str] = "Public opinion: how an online crowd takes an event, and what calms it"
    progress: ClassVar[tuple[str, ...]] = ("platform.announced", "platform.broadcast", *(f"platform.{kind}" for kind in EVENTS[2:]))
    headline: ClassVar[tuple[str, ...]] = ("platform.negative", "platform.acts", "clock.intensity", "emotions.anger", "platform.reposts")

    users: int = Field(200, ge=10, le=1_000_000, description="accounts")
    steps: int = Field(30, ge=1, le=100_000, description="ticks of the run")
    step: int = Field(10, ge=1, le=60, description="length of a tick", json_schema_extra={"unit": "minutes"})
    hour: int = Field(8, ge=0, le=23, description="hour of the day at which it begins")
    events: list[Happening] = Field(default_factory=lambda: [Happening(**one) for one in story()], description="what happens outside")
    response: Literal["actual", "apology", "transparency", "dialogue", "silence", "none"] = Field("actual", description="of the company")
    response_step: int = Field(5, ge=0, description="from which it answers", json_schema_extra={"unit": "ticks"})
    prime: Literal["none", "rational", "empathy", "regulation"] = Field("none", description="what some users are primed with")
    coverage: float = Field(0.6, ge=0, le=1, description="share of users that are primed")
    prime_step: int = Field(5, ge=0, description="when they are", json_schema_extra={"unit": "ticks"})
    banned: list[int] = Field(default_factory=list[int], description="accounts that are closed")
    ban_step: int = Field(5, ge=0, description="when they are", json_schema_extra={"unit": "ticks"})
    clock: Literal["hawkes", "uniform"] = Field("hawkes", description="what wakes users; uniform: the ablation without excitation")
    awakenings: float = Field(2000.0, ge=0, description="an hour, at intensity 1")
    background: float = Field(0.01, ge=0, description="mu")
    own_kick: float = Field(0.005, ge=0, description="of an act of weight 1")
    own_decay: float = Field(0.16, ge=0, json_schema_extra={"unit": "per minute"})
    outside_kick: float = Field(0.08, ge=0, description="of an outside event of influence 1")
    outside_decay: float = Field(0.005, ge=0, json_schema_extra={"unit": "per minute"})
    day: float = Field(0.3, ge=0, le=1, description="strength of the day's curve")
    feed: int = Field(10, ge=0, le=100, description="posts that one is shown at most")
    comments: int = Field(5, ge=0, le=100, description="comments shown under a post, to minds in words")
    interest: float = Field(0.3, ge=0, description="weight of interest in the feed's score")
    popularity: float = Field(0.3, ge=0, description="weight of engagement")
    recency: float = Field(0.2, ge=0, description="weight of newness")
    explore: float = Field(0.2, ge=0, le=1, description="share of the feed that is drawn at random")
    form: Literal["paper", "code"] = Field("paper", description="which form of the recommender and of memory, where they differ")
    contagion: float = Field(0.1, ge=0, le=1, description="how far one leans to the feelings of those one read")
    stimulus: float = Field(0.3, ge=0, le=1, description="share of a stirring that is felt")
    fading: float = Field(0.95, ge=0, le=1, description="factor of emotions at each awakening")
    calm: float = Field(0.3, ge=0, le=1, description="by how much primed users by rule show less anger")
    appraisal: float = Field(0.5, ge=0, le=1, description="how far posts stir users by rule")
    thinking: Literal["bdi", "single", "none"] = Field("bdi", description="of users in words: three questions, one, or no such steps")
    without: list[Literal["belief", "desire", "intention"]] = Field(default_factory=list[Any], description="steps that are left out")
    worded: float = Field(1.0, ge=0, le=1, description="share of accounts that think in words where there is a model; the rest go by rule")
    answers: Literal["auto", "lists", "flat"] = Field("auto", description="form of replies; auto: flat for local models, which are small")
    most: int = Field(10, ge=1, le=10, description="acts in one turn, of users in words")
    embedder: Literal["hashing", "wordllama"] = Field("hashing", description="what likeness of texts is measured by")
    temperature: float = Field(0.7, ge=0, le=2, description="of the language model")
    answer_tokens: int = Field(400, ge=16, le=8192, description="most tokens of an answer")

    def total_ticks(self) -> int:
        return self.steps

    def cadence(self) -> int:
        return 1 if self.users <= 2000 else 10

    def build(self, seed: int) -> Simulation:
        random = Randomness(seed).stream("posim")
        people = users(self, random)
        platform = self.platform(people, following(people, random))
        rules = replace(FEELINGS, contagion=self.contagion, stimulus=self.stimulus, fading=self.fading)
        phase = Phase("act", platform.name, shows=("emotions",), offers=(*(f"platform.{act}" for act in ACTS), "emotions.stir"))
        schedule = self.schedule(people, [phase])
        environments = [platform, Emotions(rules, exposures=platform.exposures), Signals(schedule)]
        planned = self.planned(people, seed)
        return Simulation(people, environments, self.minds(people, rules, random), schedule, seed=seed, interventions=planned)

    def platform(self, people: Population, network: Any) -> Discourse:
        embed = (HashingEmbedder() if self.embedder == "hashing" else WordLlamaEmbedder()).vectors
        weights: dict[str, Any] = {name: getattr(self, name) for name in ("interest", "popularity", "recency", "explore")}
        rules = FeedRules(self.feed, relations=self.form == "paper", form=self.form, **weights)
        feed = PosimFeed(TextInterests(embed, list(people["user"]["description"]), latest=False), rules, embed=embed)
        shown = PlatformRules(exposures="pairs", comments_shown=self.comments)
        return Discourse(network, recommender=feed, rules=shown, wording=WORDING)

    def schedule(self, people: Population, phases: list[Phase]) -> Hawkes | Uniform:
        """What wakes users: their own acts and what happens outside."""
        own = (self.background, self.own_kick, self.own_decay)
        excitation = Excitation(*own, self.outside_kick, self.outside_decay, self.awakenings, self.day)
        begin = self.hour * HOUR
        outside = [(begin + one.minute * MINUTE, one.influence) for one in self.happenings() if not one.author]
        told = Sources(
            {f"platform.{kind}": weight for kind, weight in WEIGHTS.items()}, _Followers(people), outside, frozenset({"platform.broadcast"})
        )
        kind = Hawkes if self.clock == "hawkes" else Uniform
        length = self.step * MINUTE
        settings: dict[str, Any] = {"step": length, "duration": self.steps * length, "start": begin, "sources": told}
        return kind(phases, excitation, activity=people["user"]["activity"], **settings)

    def minds(self, people: Population, feelings: EmotionRules, random: Stream) -> list[Mind]:
        """By rule, and in words where there is a model: both in one crowd where not all are ``worded``."""
        ruled = Tendencies(Phrases.read(HERE / "phrases.yaml"), TendencyRules(calm=self.calm, appraisal=self.appraisal), feelings)
        if self.model is None:
            return [ruled]
        from sociarium.scenarios.posim.thinking import language_mind

        people["user"]["mind"] = random.at("worded").uniform(np.arange(self.users)) >= self.worded
        return [language_mind(self, feelings), ruled] if self.worded < 1 else [language_mind(self, feelings)]

    def happenings(self) -> list[Happening]:
        """The story, and how the company answers to it."""
        begin = self.response_step * self.step
        answer = [] if self.response == "none" else story(self.response)
        return [*self.events, *(Happening(**{**one, "minute": one["minute"] + begin}) for one in answer)]

    def planned(self, people: Population, seed: int) -> list[Intervention]:
        """Events at the end of the step in which they happen; priming and bans."""
        found: list[Intervention] = []
        for one in sorted(self.happenings(), key=lambda one: one.minute):
            tick = -(-one.minute // self.step)
            told: dict[str, Any] = {"text": one.text, "emotion": one.emotion, "intensity": one.intensity}
            if one.author:
                first = int(np.flatnonzero(people["user"]["agent_type"] == one.author)[0])
                found.append(Intervention(tick, "platform.node_post", {"author": first, "hashtags": one.hashtags, **told}))
            else:
                found.append(Intervention(tick, "platform.broadcast", {"influence": one.influence, "planned": True, **told}))
        if self.prime != "none" and (primed := self.primed(seed)):
            found.append(Intervention(self.prime_step, "population.set", {"agents": primed, "column": "primed", "value": self.prime}))
        if self.banned:
            if max(self.banned) >= self.users or min(self.banned) < 0:
                raise UsageError(f"banned names account {max(self.banned)}; there are 0 to {self.users - 1}")
            found.append(Intervention(self.ban_step, "platform.ban", {"users": list(self.banned)}))
        return found

    def primed(self, seed: int) -> list[int]:
        """Who is primed: more coverage primes the same users and more."""
        order = Randomness(seed).stream("posim.primed").order(np.arange(self.users))
        return sorted(order[: round(self.coverage * self.users)].tolist())

    def told(self, kind: str, row: Mapping[str, Any]) -> str | None:
        at = clock(self.hour * HOUR + int(row["tick"]) * self.step * MINUTE)
        who = "news" if kind in ("platform.announced", "platform.broadcast") else f"{row['name']} ({row['emotion']})"
        return f"{at}: {who}: {row['text']}"

    def plot(self, folder: Path, target: Path) -> Path | None:
        from sociarium.scenarios.posim.showing import draw

        return draw(self, folder, target)


class _Followers:
    """How many follow each account, all told: what its acts are worth to the clock."""

    def __init__(self, people: Population) -> None:
        self.people = people

    def __call__(self, agents: Any) -> Any:
        return self.people.get(agents, ACCOUNTS)
