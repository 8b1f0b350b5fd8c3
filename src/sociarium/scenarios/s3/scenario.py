"""S³: information, emotion and attitude spread over a network of followers, one hop a step (Gao et al., arXiv 2307.14984)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sociarium.environments.social.platform import Platform
from sociarium.environments.social.recommenders.delivered import Arrivals, Delivered
from sociarium.environments.social.stances import Stances
from sociarium.kernel.errors import UsageError
from sociarium.kernel.mind import Mind
from sociarium.kernel.network import Network
from sociarium.kernel.population import Population
from sociarium.kernel.randomness import Randomness
from sociarium.kernel.simulation import Intervention, Simulation
from sociarium.kernel.turn import Phase
from sociarium.lab.scenario import Scenario
from sociarium.minds.influence import InfluenceRules, MessagePool
from sociarium.minds.markov import MarkovKernel
from sociarium.minds.reactions import ReactionRules, Reactions
from sociarium.minds.resharing import Always, EachMessage, OneCoin, Reshare, ShareOfThoseHeard
from sociarium.models.backends.embed import open_embedder
from sociarium.populations.user_classes import NAMES
from sociarium.scenarios.s3.people import events, network, people, profiles, seeds
from sociarium.scenarios.s3.reading import Feed, Nearness

Event = Literal["eight-child-mother", "wastewater-release"]
FACTORS = {"influential": 2.0, "regular": 1.0, "low-impact": 0.5}


class SocialNetworkSimulation(Scenario):
    """See the card. Users who have something new read it, feel, judge, and pass on, post or stay silent; what they send arrives a step
    later."""

    slug: ClassVar[str] = "s3"
    title: ClassVar[str] = "Information, emotion and attitude on a network of followers"
    progress: ClassVar[tuple[str, ...]] = ("platform.posted",)
    headline: ClassVar[tuple[str, ...]] = ("stances.reach", "stances.emotion", "stances.positive", "stances.voiced", "platform.reposts")
    speakers: ClassVar[tuple[str, ...]] = ("user",)

    event: Event = Field("wastewater-release", description="what people write about")
    users: int = Field(1000, ge=2, le=2_000_000, description="users of the network")
    network: Literal["followers", "ba", "er", "blocks", "file"] = Field("followers", description="the graph of followers")
    links: float = Field(5.0, gt=0, le=1000, description="how many each follows, in the mean")
    mutual: float = Field(0.2, ge=0, le=1, description="share of follows that are returned (followers); 1 reads edges of a file both ways")
    edges: str | None = Field(None, description="a file with one edge a row, from follower to followed, for network=file")
    rewire: float = Field(0.0, ge=0, le=100, description="degree-preserving swaps per edge: a null model of the graph")
    steps: int = Field(20, ge=1, le=100_000, description="how long", json_schema_extra={"unit": "steps"})
    seeds: int = Field(4, ge=1, le=100_000, description="users who post at step 0, half official (most followed), half anybody")
    seed_emotion: int = Field(2, ge=0, le=2, description="what they feel: 0 calm, 1 moderate, 2 intense")
    positive: float | None = Field(None, ge=0, le=1, description="share with a positive attitude at the start; none: the event's")
    fading: float = Field(0.1, ge=0, le=1, description="chance a step that the emotion of one who reads nothing falls by a level")
    attended: int | None = Field(3, ge=1, description="messages that one reacts to in a step; none: all that arrive, without a memory")
    shown: int | None = Field(50, ge=1, description="messages of a step that reach one, the newest; none: however many there are")
    capacity: int = Field(20, ge=1, description="messages that one remembers, the weightiest")
    recency: float = Field(1 / 3, ge=0, description="weight of recency in a message's influence")
    relevance: float = Field(1 / 3, ge=0, description="weight of relevance")
    authenticity: float = Field(1 / 3, ge=0, description="weight of authenticity by source")
    forgetting: float = Field(0.1, ge=0, description="recency is exp(-forgetting * age in steps)")
    spread: Literal["each-message", "one-coin", "threshold", "always", "never"] = Field(
        "each-message", description="how users by rule pass on"
    )
    chance: list[float] | None = Field(
        None, description="of passing a message on, one for all or one a level of emotion; none: the event's"
    )
    threshold: float = Field(0.3, ge=0, le=1, description="share of those heard from which one passes on, for spread=threshold")
    posting: list[float] | None = Field(None, description="chance of writing a post where nothing is passed on; none: the event's")
    moving: bool = Field(True, description="whether emotion and attitude of users by rule move at all")
    factors: dict[str, float] = Field(default_factory=lambda: dict(FACTORS), description="what multiplies the chance, by class of user")
    block: int = Field(0, ge=0, description="this many of the most followed users, seeds apart, are blocked")
    block_step: int = Field(1, ge=0, description="when", json_schema_extra={"unit": "steps"})
    thinkers: int | None = Field(None, ge=0, description="with a model: how many users think in words, the most followed; none: all")
    temperature: float = Field(0.7, ge=0, le=2, description="of the language model")
    answer_tokens: int = Field(120, ge=8, le=4096, description="longest answer", json_schema_extra={"unit": "tokens"})
    observed: str | None = Field(None, description="a CSV file of real curves (step, and any of reach, voiced, positive) for the picture")

    def total_ticks(self) -> int:
        return self.steps

    def cadence(self) -> int:
        return 1 if self.users <= 5000 else max(1, self.steps // 4)

    def build(self, seed: int) -> Simulation:
        random = Randomness(seed).stream("s3")
        graph = network(self, random)
        population = people(self, graph, random)
        first = seeds(self, graph, random)
        platform = Platform(graph, recommender=Delivered(most=self.shown))
        stances = Stances(fading=self.fading, keep=self.users <= 100_000)
        minds = self.minds(population, graph, first, Feed(platform, stances, self.nearness(population), sources=self.weighs))
        phases = [Phase("read", "platform", shows=("stances",), offers=("platform.repost", "platform.create_post", "stances.hold"))]
        simulation = Simulation(population, [platform, stances], minds, Arrivals(phases, self.steps), seed=seed)
        simulation.interventions += self.planned(graph, first)
        return simulation

    def minds(self, population: Population, graph: Network, first: NDArray[np.int64], feed: Feed) -> list[Mind]:
        """By rule; with a model the most followed ``thinkers``, or all, in words."""
        reactions = self.reactions(population, graph)
        reactions.reshare.begun(first)
        rules = Reactions(feed, reactions)
        if self.model is None:
            return [rules]
        from sociarium.scenarios.s3.thinking import language_mind

        thinkers = graph.nodes if self.thinkers is None else min(self.thinkers, graph.nodes)
        order = np.argsort(-graph.in_degrees(), kind="stable")
        population["user"]["mind"][order[:thinkers]] = 1
        return [rules, language_mind(self, feed, self.pool())]

    def nearness(self, population: Population) -> Nearness | None:
        """How near messages are to readers, where anybody weighs that."""
        weighs = self.relevance > 0 and self.weighs
        return Nearness(profiles(population), open_embedder("hashing").vectors) if weighs else None

    @property
    def weighs(self) -> bool:
        """Whether anybody remembers messages and weighs them."""
        return self.attended is not None or self.model is not None

    def reactions(self, population: Population, graph: Network) -> ReactionRules:
        event = events()[self.event]
        return ReactionRules(
            emotion=MarkovKernel.of(event["emotion"]) if self.moving else None,
            attitude=MarkovKernel.of(event["attitude"]) if self.moving else None,
            reshare=self.reshare(population, graph),
            pool=None if self.attended is None else self.pool(),
            attended=self.attended,
            posting=tuple(event["posting"] if self.posting is None else self.posting),
            text=(str(event["text"][0]), str(event["text"][1])),
        )

    def reshare(self, population: Population, graph: Network) -> Reshare:
        if unknown := sorted(set(self.factors) - set(NAMES)):
            raise UsageError(f"factors names the class {unknown[0]!r}; there are {', '.join(NAMES)}")
        kinds = population["user"]["user_class"]
        factor: NDArray[Any] = np.array([self.factors.get(str(kind), 1.0) for kind in kinds], np.float64)
        chance = events()[self.event]["chance"] if self.chance is None else self.chance
        match self.spread:
            case "one-coin":
                return OneCoin(chance, factor)
            case "threshold":
                return ShareOfThoseHeard(self.threshold, graph.degrees())
            case "always":
                return Always()
            case "never":
                return EachMessage(0.0)
            case _:
                return EachMessage(chance, factor)

    def pool(self) -> MessagePool:
        return MessagePool(InfluenceRules(self.recency, self.relevance, self.authenticity, self.forgetting), capacity=self.capacity)

    def planned(self, graph: Network, first: NDArray[np.int64]) -> list[Intervention]:
        """The posts of step 0, and the accounts that are blocked later."""
        event = events()[self.event]
        official = (len(first) + 1) // 2
        texts = [event["official"]] * official + [event["personal"]] * (len(first) - official)
        found = [Intervention(0, "platform.publish", {"users": first.tolist(), "texts": texts})]
        if self.block:
            order = np.argsort(-graph.in_degrees(), kind="stable")
            banned = order[~np.isin(order, first)][: self.block]
            found.append(Intervention(self.block_step, "platform.ban", {"users": banned.tolist()}))
        return found

    def told(self, kind: str, row: Mapping[str, Any]) -> str | None:
        return f"step {row['tick']}: {row['name']} writes: {row['text']}"

    def plot(self, folder: Path, target: Path) -> Path | None:
        from sociarium.scenarios.s3.showing import draw

        return draw(self, folder, target)
