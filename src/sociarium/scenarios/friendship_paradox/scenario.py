"""A hundred accounts that begin without ties: whom do they come to follow, and what does the graph they grow look like?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from sociarium.environments.social.recommenders.friends import Acquaintances, FriendsContent, Order
from sociarium.environments.social.recommenders.vectors import TextInterests
from sociarium.environments.social.remembered import Remembered
from sociarium.kernel.mind import Mind
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Phase
from sociarium.lab.scenario import Scenario
from sociarium.minds.language.forgetting import Forgetting
from sociarium.models.backends.embed import open_embedder
from sociarium.scenarios.friendship_paradox.minds import Manners, Taste, Users
from sociarium.scenarios.friendship_paradox.people import People, descriptions, from_histories, made_up
from sociarium.scenarios.friendship_paradox.world import Habits, Society

ONCE = 1_000_000  # iterations between two introductions: a run has fewer


class FriendshipParadox(Scenario):
    """Every iteration each user may follow one of five suggested users, then publishes, reacts to what its followees put up, or rests."""

    slug: ClassVar[str] = "friendship-paradox"
    title: ClassVar[str] = "Does a network of language agents show the friendship paradox?"
    progress: ClassVar[tuple[str, ...]] = ("platform.followed", "platform.posted", "platform.commented")
    headline: ClassVar[tuple[str, ...]] = (
        "platform.gap",
        "platform.random_gap",
        "platform.follows",
        "platform.posts",
        "platform.saturation",
    )

    agents: int = Field(100, ge=2, le=1_000_000, description="users; published: 100")
    iterations: int = Field(25, ge=1, le=100_000, description="each user acts once in each; published: 25")
    histories: str | None = Field(
        None,
        description='accounts to make personas from, one JSON object a line: {"account": "name", "posts": ["..."]}; none: made-up users',
    )
    history: int = Field(
        30, ge=1, le=200, description="posts of an account that its persona is made from", json_schema_extra={"unit": "posts"}
    )
    suggested: int = Field(5, ge=1, le=50, description="users suggested to be followed", json_schema_extra={"unit": "users"})
    suggest: Literal["similar", "random"] = Field("similar", description="how they are chosen: by their remembered posts, or by lot")
    feed: int = Field(10, ge=1, le=100, description="items in a feed", json_schema_extra={"unit": "items"})
    recommend: Order = Field(
        "nearest", description="what comes first in a feed; the study's released code has farthest; random is a control"
    )
    follow: Taste = Field("similar", description="whom rule minds follow of those suggested")
    follow_rate: float = Field(1.0, ge=0, le=1, description="how often rule minds follow anybody")
    activity: float | None = Field(
        None, ge=0, le=1, description="chance that a user with nothing to read publishes; none: spread evenly over the users"
    )
    weights: tuple[float, float, float, float, float, float] = Field(
        (1.0, 0.5, 0.4, 1.0, 0.2, 0.4),
        description="how rule minds choose: publish (times activity), nothing, share, like, dislike, comment",
    )
    order: Literal["together", "shuffled"] = Field("together", description="all users step by step together, or one after another")
    replies: int = Field(1, ge=0, le=20, description="rounds of answers to comments in an iteration")
    behaviour: bool = Field(True, description="tell language minds how often they have done what")
    saturation: float = Field(0.8, gt=0, le=1, description="cosine above which a post counts as a repeat of an earlier one")
    beta: float = Field(4.0, ge=0, description="exponent of forgetting")
    delta: float = Field(1.0, ge=0, description="least factor of forgetting")
    gone: float = Field(0.9, gt=0, le=1, description="forgetting at which a post leaves the short-term store")
    embedder: str = Field("hashing?dimensions=256", description="texts to vectors: hashing (words), or wordllama (meaning)")
    attempts: int = Field(3, ge=1, le=10, description="how often a language mind is asked before it counts as inactive")
    temperature: float = Field(0.8, ge=0, le=2, description="of the language model's answers")
    answer_tokens: int = Field(160, ge=16, le=32_768, description="longest answer", json_schema_extra={"unit": "tokens"})

    def total_ticks(self) -> int:
        return self.iterations

    def build(self, seed: int) -> Simulation:
        people = self.people(seed)
        interests = TextInterests(open_embedder(self.embedder).vectors, descriptions(people), latest=False)
        memory = Remembered(Forgetting(beta=self.beta, delta=self.delta, gone=self.gone))
        friends = Acquaintances(interests, self.suggested, order=self.suggest, remembered=memory.held)
        habits = Habits(self.replies, self.behaviour, self.saturation)
        society = Society(self.agents, friends, FriendsContent(interests, self.feed, order=self.recommend), habits, people.histories)
        return Simulation(people.population, [society, memory], [self.mind(people)], Rounds(self.phases(), self.iterations), seed=seed)

    def people(self, seed: int) -> People:
        if self.histories is None:
            return made_up(self.agents, seed, self.activity)
        return from_histories(Path(self.histories), self.agents, self.history, seed, self.activity)

    def mind(self, people: People) -> Mind:
        if self.model is None:
            return Users(Manners(self.follow, self.follow_rate, self.weights), people.vocabulary, people.interests)
        from sociarium.scenarios.friendship_paradox.thinking import language_mind

        return language_mind(self)

    def phases(self) -> tuple[Phase, ...]:
        introduced = (Phase("introduce", "platform", every=ONCE),) if self.model is not None and self.histories is not None else ()
        if self.order == "shuffled":
            return (*introduced, Phase("iterate", "platform"))
        replies = (Phase("reply", "platform", first=1),) if self.replies else ()
        return (*introduced, Phase("follow", "platform", first=1), Phase("choose", "platform"), Phase("act", "platform"), *replies)

    def told(self, kind: str, row: Mapping[str, Any]) -> str | None:
        at = f"iteration {int(row['tick']) + 1}: {row['name']}" if "tick" in row else str(row["name"])
        if kind == "platform.followed":
            return f"{at} follows user {row['user']}"
        words = " ".join(str(row["text"]).split())
        return f"{at} {'posts' if kind == 'platform.posted' else 'comments'}: {words}"

    def plot(self, folder: Path, target: Path) -> Path | None:
        from sociarium.scenarios.friendship_paradox.showing import draw

        return draw(self, folder, target)
