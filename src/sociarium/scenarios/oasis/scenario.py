"""OASIS: what spreads, polarises and herds on a social platform (Yang et al. 2024, arXiv 2411.11581)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from sociarium.environments.social.cascades import Cascades
from sociarium.kernel.environment import Environment
from sociarium.kernel.mind import Mind
from sociarium.kernel.schedule import Activity
from sociarium.kernel.simulation import Intervention, Simulation
from sociarium.kernel.turn import Phase, TurnKind
from sociarium.kernel.units import HOUR, MINUTE, clock
from sociarium.lab.scenario import Scenario
from sociarium.scenarios.oasis.composing import minds_of, platform_of
from sociarium.scenarios.oasis.data import Topic
from sociarium.scenarios.oasis.panel import Panel
from sociarium.scenarios.oasis.people import activity_of, populated, society, words
from sociarium.scenarios.oasis.timing import Timing
from sociarium.scenarios.oasis.trials import Trials

USER = ("user",)
ACTIONS = {  # on offer in each experiment
    "spreading": ("like_post", "repost", "follow", "do_nothing"),
    "misinformation": ("like_post", "repost", "follow", "do_nothing"),
    "polarisation": (
        "do_nothing", "repost", "like_post", "dislike_post", "follow", "create_comment", "like_comment", "dislike_comment",
    ),
    "herd": (
        "like_post", "dislike_post", "like_comment", "dislike_comment", "search_user", "search_posts", "trend", "refresh", "do_nothing",
        "create_comment",
    ),
}  # fmt: skip
STEPS = {"spreading": 50, "misinformation": 60, "polarisation": 30, "herd": 40}
USERS = {"spreading": 1000, "misinformation": 2000, "polarisation": 196, "herd": 100}
CASE = Timing(share=0.9225, activity=0.2210, concentration=4.225)  # fitted to 150 minutes of the recorded cascade: see timing.py


class Oasis(Scenario):
    """See the card. One step is ``step`` minutes; who is awake in it refreshes a feed and acts."""

    slug: ClassVar[str] = "oasis"
    title: ClassVar[str] = "Spreading, polarisation and herding on a social platform"
    progress: ClassVar[tuple[str, ...]] = ("platform.reposted", "platform.commented", "interview.answered")
    headline: ClassVar[tuple[str, ...]] = (
        "cascade.scale", "cascade.depth", "cascade.breadth", "interview.extremeness", "interview.more_extreme", "herd.gap",
    )  # fmt: skip
    speakers: ClassVar[tuple[str, ...]] = USER

    experiment: Literal["spreading", "misinformation", "polarisation", "herd"] = Field("spreading", description="what is studied")
    users: int | None = Field(None, ge=6, le=10_000_000, description="none: 1000, 2000, 196, 100 by experiment, or those of the data")
    steps: int | None = Field(None, ge=1, le=100_000, description="steps; none: 50, 60, 30, 40 by experiment")
    step: int = Field(3, ge=1, le=60, description="length of a step", json_schema_extra={"unit": "minutes"})
    start_hour: int = Field(0, ge=0, le=23, description="hour of the day at the beginning")
    data: str | None = Field(None, description="folder with the release's data: its recorded cascade is what spreads; nothing is shipped")
    topic: str | None = Field(None, description="a row of that folder's table of cascades, such as False_Business_1: its size and text")
    network: Literal["core", "preferential"] = Field("core", description="core: ordinary users follow core users of their topics")
    core_share: float | None = Field(None, gt=0, le=1, description="share of core users; none: 2 %, and at most 200 of them")
    follow_probability: float = Field(0.1, ge=0, le=1, description="of following a core user of a topic of one's own; the code says 0.2")
    links: int = Field(5, ge=1, le=1000, description="ties of a newcomer in a preferential network")
    copies: int = Field(1, ge=1, le=100_000, description="networks side by side, each with its own source: replicates in one run")
    recommender: Literal["x", "x-code", "reddit", "reddit-code", "random", "similar", "none"] | None = Field(
        None, description="x (spreading, polarisation), reddit (herd); -code: as released; none: the posts of those followed only"
    )
    embedder: Literal["topics", "hash", "wordllama"] = Field("topics", description="what interest is measured by: topics, or texts")
    refresh_rec_post_count: int | None = Field(None, ge=1, description="posts sampled at a refresh; none: 2 (x), 5 (reddit)")
    max_rec_post_len: int | None = Field(None, ge=1, description="posts that a recommender keeps; none: 2 (x), 100 (reddit)")
    recommend_reposts: bool | None = Field(None, description="x: whether reposts are recommended too; none: not for the recorded cascade")
    following_post_count: int = Field(3, ge=0, description="in-network posts in a feed")
    activity: float | None = Field(None, ge=0, le=1, description="mean chance of being awake in a step; none: 0.1, or fitted to the data")
    core_activity: float | None = Field(None, ge=0, le=1, description="chance of core users, where it is another (published: 0.1 to 0.01)")
    hours: list[float] = Field(default_factory=list[float], description="24 factors of that chance, one an hour of the day; none: 1")
    concentration: float | None = Field(None, gt=0, description="how alike users are in it (a + b of a Beta law); none: all the same")
    share: float | None = Field(None, ge=0, le=1, description="rule minds: chance to repost a copy; none: 0.1, or fitted to the data")
    once: bool | None = Field(None, description="rule minds: one coin a user and post, not one a copy; none: for the recorded cascade")
    appeal: float = Field(1.5, ge=0, description="rule minds: how much likelier a rumour is passed on than a truth")
    persuasion: float = Field(0.25, ge=0, le=1, description="rule minds: how far an argument moves a leaning")
    copy_vote: float = Field(0.3, ge=0, le=1, description="rule minds: chance to vote as the net votes shown")
    likes: float = Field(0.2, ge=0, le=1, description="rule minds: chance to like a post by one's own taste")
    dislikes: float = Field(0.1, ge=0, le=1, description="rule minds: chance to dislike one")
    round_post_num: int = Field(30, ge=1, le=10_000, description="herd: new posts in each step, each with a first vote up, none or down")
    posts: Literal["ordinary", "counterfactual"] = Field("counterfactual", description="herd: what they say")
    show_score: bool = Field(True, description="herd: whether net votes are shown")
    allow_self_rating: bool = Field(False, description="whether one may vote for one's own")
    interview_every: int | None = Field(None, ge=0, description="steps between interviews; none: 10 in polarisation, else 0: never")
    interviewed: int = Field(10, ge=1, description="the first so many users are asked (the code: 10; the paper: all)")
    most_actions: int = Field(3, ge=1, le=20, description="acts in one reply of a model")
    reply: Literal["list", "fields"] = Field(
        "list", description="list of acts, or fields: acts chosen among all legal ones, for small models"
    )
    remembered: int = Field(5, ge=0, le=100, description="own earlier turns that a model is reminded of")
    temperature: float = Field(0.7, ge=0, le=2, description="of the language model")
    answer_tokens: int = Field(300, ge=16, le=4096, description="most tokens of an answer")

    @property
    def is_x(self) -> bool:
        """Whether it is played on the X form of the platform."""
        return self.experiment != "herd"

    def size(self, topic: Topic | None = None) -> int:
        return self.users or (topic.users if topic else USERS[self.experiment])

    def total_ticks(self) -> int:
        return self.steps or STEPS[self.experiment]

    def cadence(self) -> int:
        return 1 if self.size() * self.copies <= 10_000 else 10

    def interviews(self) -> int:
        """Steps between interviews; 0: never."""
        return self.interview_every if self.interview_every is not None else 10 if self.experiment == "polarisation" else 0

    @property
    def recorded(self) -> bool:
        """Whether what spreads is the recorded cascade."""
        return self.data is not None and self.topic is None and self.experiment == "spreading"

    def timing(self) -> Timing:
        """How rule minds come to what they pass on: fitted to the recorded cascade where that is what spreads."""
        default = CASE if self.recorded else Timing(0.1, 0.1)
        own = self.activity is not None or self.concentration is not None
        return Timing(
            default.share if self.share is None else self.share,
            default.activity if self.activity is None else self.activity,
            self.concentration if own else default.concentration,
        )

    def build(self, seed: int) -> Simulation:
        people = society(self, seed)
        population = populated(self, people)
        platform = platform_of(self, people)
        environments: list[Environment] = [platform]
        phases = [Phase("act", "platform", who=USER, offers=ACTIONS[self.experiment])]
        if people.sources:
            environments.append(Cascades(platform, len(people.sources), people.classes))
        if self.experiment == "herd":
            environments.append(Trials(platform, people.users, self.round_post_num))
            publish = Phase("publish", "platform", who=("poster",), offers=("create_post",))
            phases = [publish, Phase("rate", "platform", who=("rater",), offers=("like_post", "dislike_post")), *phases]
        if every := self.interviews():
            environments.append(Panel(str(words()["question"]), min(self.interviewed, people.users), words()["stances"]))
            phases = [Phase("interview", "interview", who=USER, every=every, kind=TurnKind.PROBE), *phases]
        profile = np.ones((len(population), 24))
        profile[: people.users] = activity_of(self, people, seed)
        length, start = self.step * MINUTE, self.start_hour * HOUR
        schedule = Activity(phases, profile, step=length, duration=self.total_ticks() * length, start=start)
        minds: list[Mind] = minds_of(self, people, platform, seed)
        first = Intervention(0, "platform.publish", {"users": list(people.sources), "texts": list(people.texts)})
        planned = [first] if people.sources else []
        return Simulation(population, environments, minds, schedule, seed=seed, interventions=planned)

    def told(self, kind: str, row: Mapping[str, Any]) -> str | None:
        at = clock(self.start_hour * HOUR + int(row["tick"]) * self.step * MINUTE)
        if kind == "platform.reposted":
            return f"{at}: {row['name']} shares post {row['original']}"
        return f"{at}: {row['name']} {'answers' if kind == 'interview.answered' else 'comments'}: {row['text']}"

    def plot(self, folder: Path, target: Path) -> Path | None:
        from sociarium.scenarios.oasis.showing import draw

        return draw(self, folder, target)
