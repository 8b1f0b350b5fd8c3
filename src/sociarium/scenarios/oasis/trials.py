"""The herd experiment: posts that begin with a vote up, none, or a vote down, and how they end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.social.platform import Platform
from sociarium.environments.social.posts import Kind
from sociarium.kernel.actions import Actions
from sociarium.kernel.environment import Environment
from sociarium.kernel.mind import Mind
from sociarium.kernel.turn import Observations, Turn

Array = NDArray[Any]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

ARMS = {"up": 1, "control": 0, "down": -1}


def treatment(number: Ints, each: int) -> Ints:
    """The first vote that the poster's posts get, by their number: in turn, another one first in each step, so that place tells nothing."""
    return np.array(list(ARMS.values()))[(number + number // max(each, 1)) % 3]


class Trials(Environment):
    """``up``, ``control``, ``down``: the mean net votes of the posts of each arm, less the first vote; ``gap``: up less down."""

    name: ClassVar[str] = "herd"

    def __init__(self, platform: Platform, poster: int, each: int) -> None:
        self.platform, self.poster, self.each = platform, poster, each

    def outcomes(self) -> tuple[Ints, Ints]:
        """(posts,): the first vote of each, and the net votes it got from others."""
        posts = self.platform.posts
        rows = np.flatnonzero((posts.author == self.poster) & (posts.kind == Kind.POST))
        given = treatment(np.arange(len(rows)), self.each)
        return given, posts.likes[rows].astype(np.int64) - posts.dislikes[rows] - given

    def measures(self) -> Mapping[str, Array]:
        given, net = self.outcomes()
        means = {name: net[given == vote].mean() if (given == vote).any() else np.nan for name, vote in ARMS.items()}
        return {name: np.array([value]) for name, value in {**means, "gap": means["up"] - means["down"]}.items()}


class Staff(Mind):
    """In ``publish`` the poster posts so many texts, taken in turn; in ``rate`` the rater casts the first votes on them."""

    def __init__(self, platform: Platform, texts: tuple[str, ...], each: int) -> None:
        self.platform, self.texts, self.each = platform, texts, each

    async def decide(self, turn: Turn, seen: Observations) -> Actions:
        who = int(turn.agents[0])
        number = turn.tick * self.each + np.arange(self.each)
        if turn.phase.name == "publish":
            column = np.array([self.texts[one % len(self.texts)] for one in number.tolist()], object)
            return Actions.one(turn, "create_post", np.full(self.each, who), text=column)
        rows = self.platform.posts.since(turn.time)[-self.each :] if self.each else np.empty(0, np.int64)
        votes = treatment(number, self.each)
        actions = Actions()
        for name, vote in (("like_post", 1), ("dislike_post", -1)):
            cast = rows[votes == vote]
            actions.add(turn, name, np.full(len(cast), who), post=cast)
        return actions
