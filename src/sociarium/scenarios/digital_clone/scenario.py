"""A clone of a network in which a post spreads: who shares depends on words, and counter-measures can be tried on it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from sociarium.environments.cascade.cascade import Cascade
from sociarium.environments.cascade.rules import CascadeRules
from sociarium.kernel.mind import Mind
from sociarium.kernel.network import Network
from sociarium.kernel.population import Population
from sociarium.kernel.randomness import Randomness
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Intervention, Simulation
from sociarium.kernel.turn import Phase
from sociarium.kernel.units import HOUR
from sociarium.lab.scenario import Scenario
from sociarium.minds.sharing.classifier import Sharing
from sociarium.minds.sharing.mind import ShareMind
from sociarium.scenarios.digital_clone.clone import anybody, cloned, hubs, prominent
from sociarium.scenarios.digital_clone.thinking import language_mind
from sociarium.scenarios.digital_clone.world import WorldRules, topics, world

Ints = NDArray[np.int64]


class DigitalClone(Scenario):
    """A tick is a layer: those who have it show it to their followers, who share it or not. A trial is a group."""

    slug: ClassVar[str] = "digital-clone"
    title: ClassVar[str] = "Misinformation in a cloned network"
    progress: ClassVar[tuple[str, ...]] = ("cascade.quoted",)
    headline: ClassVar[tuple[str, ...]] = ("cascade.reach", "cascade.depth", "cascade.mutated", "cascade.exposures", "cascade.reach_0")

    users: int = Field(1000, ge=20, le=1_000_000, description="users (more than 10,000 as published)")
    blocks: int = Field(4, ge=1, le=6, description="blocks of users with a taste of their own")
    degree: float = Field(12, gt=0, le=1000, description="mean number of followers")
    within: float = Field(0.8, ge=0, le=1, description="share of followers from one's own block")
    noise: float = Field(0.5, ge=0, le=10, description="how far tastes and posts lie from their topic, in lengths of the topic's vector")
    taste: float = Field(4.5, ge=-20, le=20, description="planted law: what a post wholly to one's taste adds to the log odds of sharing")
    intercept: float = Field(-5.5, ge=-20, le=20, description="planted law: log odds of sharing what is not to one's taste at all")
    world_seed: int = Field(0, ge=0, description="which world is cloned: all runs of an experiment share it, whatever their seed")
    decides: Literal["classifier", "blind classifier", "planted"] = Field(
        "classifier", description="rule: what is fitted to the log, the same without any feature of posts, or the law itself"
    )
    network: Literal["clone", "world"] = Field("clone", description="clone: an edge where somebody has shared; world: all followers")
    negatives: float = Field(1, ge=0.01, le=1000, description="exposures that were not shared for each that was, in training")
    topic: int = Field(0, ge=0, le=5, description="block whose topic the post is on; its source is a prominent user of that block")
    post: str = Field("", max_length=500, description="text of the post; empty: that of the topic")
    trials: int = Field(200, ge=1, le=1_000_000, description="trials side by side (1,000 as published): groups of one run")
    retry: bool = Field(False, description="decide at every exposure rather than once, at the first")
    mutation: float = Field(0.1, ge=0, le=1, description="rule: the chance that who shares adds a comment")
    most_layers: int = Field(50, ge=1, le=10_000, description="layers below the source")
    against: Literal["nothing", "hubs", "anybody", "slow", "label"] = Field(
        "nothing", description="counter-measure: remove hubs, remove as many by lot, slow all sharing, or label the post"
    )
    removed: float = Field(0.02, ge=0, lt=1, description="share of users who are removed")
    factor: float = Field(0.5, ge=0, lt=1, description="what slowing or a label leaves of the chance to share")
    temperature: float = Field(0.7, ge=0, le=2, description="of the language model")
    answer_tokens: int = Field(96, ge=8, le=4_096, description="longest answer", json_schema_extra={"unit": "tokens"})

    @model_validator(mode="after")
    def _in_a_block(self) -> DigitalClone:
        if self.topic >= self.blocks:
            raise ValueError(f"topic {self.topic} is no block; with {self.blocks} blocks they are 0 to {self.blocks - 1}")
        return self

    def rules(self) -> WorldRules:
        return WorldRules(
            users=self.users, blocks=self.blocks, degree=self.degree, within=self.within, noise=self.noise, taste=self.taste,
            intercept=self.intercept, seed=self.world_seed,
        )  # fmt: skip

    def total_ticks(self) -> int:
        return self.most_layers

    def cadence(self) -> int:
        return 1 if self.users * self.trials < 1_000_000 else 10

    def build(self, seed: int) -> Simulation:
        truth, network = world(self.rules()), self.ties()
        source = prominent(truth.network, truth.block, self.topic)
        rules = CascadeRules(retry=self.retry, most_layers=self.most_layers)
        cascade = Cascade(network, source, self.words(), rules, community=truth.block)
        schedule = Rounds([Phase("share", Cascade.name)], self.most_layers, length=HOUR)
        return Simulation(
            self.population(), [cascade], [self.mind()], schedule, seed=seed, interventions=self.interventions(network, source)
        )

    def about(self) -> str:
        """What the post is about: its topic, or the post itself where it is one's own."""
        return f"‘{self.post}’" if self.post else topics()[self.topic].name

    def words(self) -> str:
        """The post."""
        return self.post or topics()[self.topic].post

    def ties(self) -> Network:
        """Whom each shows what it shares."""
        return world(self.rules()).network if self.network == "world" else cloned(self.rules()).network

    def sharing(self) -> Sharing:
        """What says how likely somebody shares."""
        if self.decides == "planted":
            return world(self.rules()).law
        return cloned(self.rules(), text=self.decides == "classifier", negatives=self.negatives).classifier

    def mind(self) -> Mind:
        if self.model is not None:
            return language_mind(self)
        return ShareMind(self.sharing(), world(self.rules()).words, mutation=self.mutation, commenting=self.commenting)

    def commenting(self, trials: Ints, users: Ints) -> list[str]:
        """What users add: words of their own block, each user always the same."""
        block = world(self.rules()).block
        said = [topics()[int(number)].comments for number in block[users]]
        return [comments[user % len(comments)] for user, comments in zip(users.tolist(), said, strict=True)]

    def population(self) -> Population:
        """The users of all trials. Only those who think in words have names and interests."""
        trial = np.repeat(np.arange(self.trials), self.users)
        if self.model is None:
            return Population.of("user", len(trial), group=trial)
        truth = world(self.rules())
        names = np.array([f"User {number}" for number in range(self.users)], object)
        interests = np.array([", ".join(topics()[int(number)].words) for number in truth.block], object)
        population = Population()
        population.declare("user")
        columns = {"name": names, "interests": interests, "followers": truth.network.degrees()}
        population.admit("user", len(trial), group=trial, **{name: np.tile(column, self.trials) for name, column in columns.items()})
        return population

    def interventions(self, network: Network, source: int) -> list[Intervention]:
        """The counter-measure, before anybody has seen the post."""
        if self.against in ("hubs", "anybody"):
            lot = Randomness(self.world_seed).stream("digital-clone.removed")
            gone = hubs(network, self.removed, source) if self.against == "hubs" else anybody(network, self.removed, source, lot)
            return [Intervention(0, "cascade.remove", {"users": gone.tolist()})]
        named = {"slow": "cascade.slow", "label": "cascade.label"}
        return [Intervention(0, named[self.against], {"factor": self.factor})] if self.against in named else []

    def told(self, kind: str, row: Mapping[str, Any]) -> str | None:
        if row.get("group", 0) != 0:
            return None
        who = row.get("name") or f"User {int(row['actor']) % self.users}"
        return f"layer {row['layer']}: {who} shares it from user {row['source']} and adds: {' '.join(str(row['comment']).split())}"

    def plot(self, folder: Path, target: Path) -> Path | None:
        from sociarium.scenarios.digital_clone.showing import draw

        return draw(self, folder, target)
