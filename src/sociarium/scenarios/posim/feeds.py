"""Feeds with planted posts: is the order that of the formula, are the numbers those stated, is nobody shown what it must not be?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.social.discourse import Discourse
from sociarium.environments.social.posts import Kind
from sociarium.environments.social.recommenders.posim import FeedRules, PosimFeed
from sociarium.environments.social.recommenders.vectors import TopicInterests
from sociarium.environments.social.rules import PlatformRules
from sociarium.kernel.network import Network
from sociarium.kernel.population import Population
from sociarium.kernel.randomness import Randomness
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Phase
from sociarium.kernel.units import HOUR
from sociarium.minds.rule import RuleMind, nothing
from sociarium.scenarios.posim.scenario import Posim

Array = NDArray[Any]

POSTS, READER = 40, 0
PLAIN: dict[str, Any] = {"count": POSTS, "even": False, "explore": 0.0, "breadth": 1, "relations": False, "scored": None, "shuffled": False}


def by_formula(seed: int) -> int:
    """Places of a feed at which another post stands than (0.3 H + 0.3 P + 0.2 R) / 0.8, worked out here, puts there."""
    random = Randomness(seed).stream("posim.planted")
    rows = np.arange(POSTS)
    liking, engaged, hours = random.uniform(rows), random.integers(0, 5000, rows, 1), 60 * random.uniform(rows, 2)
    wanted = (0.3 * liking + 0.3 * np.minimum(1, np.log10(engaged + 1) / 5) + 0.2 * np.exp(-hours / 24)) / 0.8
    order = np.argsort(-hours, kind="stable")  # older posts come first, as on a platform
    feed = _feed(liking[order], engaged[order], hours[order], FeedRules(**PLAIN))
    shown = wanted[order][feed]
    return int((np.diff(shown) > 1e-3).sum()) + (len(np.unique(feed)) != POSTS)  # vectors are exact to about a thousandth


def by_popularity(seed: int) -> int:
    """Places at which a post with less engagement stands before one with more, where popularity alone counts; of 99,999 and more all
    are alike, and the newer comes first."""
    random = Randomness(seed).stream("posim.popular")
    engaged = np.rint(10 ** (6 * random.uniform(np.arange(POSTS)))).astype(np.int64)
    feed = _feed(np.full(POSTS, 0.5), engaged, np.arange(POSTS, 0, -1.0), FeedRules(interest=0, popularity=1, recency=0, **PLAIN))
    capped = np.minimum(engaged, 99_999)[feed]
    ties = (capped[1:] == capped[:-1]) & (feed[1:] > feed[:-1])
    return int((np.diff(capped) > 0).sum() + ties.sum())


def explored_slots(lengths: Iterable[int]) -> list[int]:
    """How many posts of feeds of these lengths are there to explore: the same number for every one of 50 readers, or it is -1."""
    found: list[int] = []
    for length in lengths:
        platform, feed = _planted(
            np.full(200, 0.5), np.zeros(200, np.int64), np.linspace(60, 1, 200), FeedRules(length, even=False), readers=50
        )
        readers = np.arange(50)
        posts, explored = feed.composed(platform, readers, Randomness(length).stream("feed"))
        numbers = np.unique(explored.sum(axis=1))
        found.append(int(numbers[0]) if len(numbers) == 1 and (posts >= 0).all() else -1)
    return found


async def offences(seed: int) -> int:
    """In a run: posts shown that are the reader's own, that it was shown before, or that are comments."""
    simulation = Posim.of({"steps": 24, "users": 100}).build(seed)
    platform = cast("Discourse", simulation.world["platform"])
    before, count = set[tuple[int, int]](), 0
    observe = platform.observe

    def watched(turn: Any) -> Any:
        nonlocal count
        seen = observe(turn)
        for agent, row in zip(turn.agents.tolist(), seen["feed"].tolist(), strict=True):
            for post in [post for post in row if post >= 0]:
                own = int(platform.posts.author[post]) == agent or int(platform.posts.author[platform.posts.content([post])[0]]) == agent
                count += own + ((agent, post) in before) + (platform.posts.kind[post] == Kind.COMMENT)
                before.add((agent, post))
        return seen

    platform.observe = watched
    await simulation.run()
    return count if len(before) > 500 else -1


def _feed(liking: Array, engaged: Array, hours: Array, rules: FeedRules) -> Array:
    platform, feed = _planted(liking, engaged, hours, rules)
    return feed.recommend(platform, np.array([READER]), Randomness(1).stream("feed"))[0]


def _planted(liking: Array, engaged: Array, hours: Array, rules: FeedRules, readers: int = 1) -> tuple[Discourse, PosimFeed]:
    """A platform on which the last user has written posts: each of a topic as near to every reader as ``liking`` says (a cosine), liked
    ``engaged`` times, ``hours`` ago, the oldest first."""
    topics = np.stack([liking, np.sqrt(1 - liking**2)], axis=1)
    feed = PosimFeed(TopicInterests(np.tile([1.0, 0.0], (readers + 1, 1)), topics), rules)
    platform = Discourse(Network.from_edges(readers + 1, [], []), recommender=feed, rules=PlatformRules(exposures="pairs"))
    simulation = Simulation(Population.of("user", readers + 1), [platform], [RuleMind(nothing)], Rounds([Phase("act", "platform")], 1))
    now = 100 * HOUR
    for at, age in enumerate(hours.tolist()):
        platform.posts.append([readers], now - round(age * HOUR), Kind.POST, [f"post {at}"], topic=[at])
    platform.posts.likes[:] = engaged
    simulation.world.clock.time = now
    return platform, feed
