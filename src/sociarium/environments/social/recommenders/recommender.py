"""What every recommender is, and the simplest: at random, the newest, the newest of those one follows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.randomness import Stream

if TYPE_CHECKING:
    from sociarium.environments.social.site import Site

AgentIds = NDArray[np.int64]
Ints = NDArray[np.int64]


class Recommender:
    """The base of all recommenders. ``width``: posts in a feed.

    ``recommend`` is a function of the platform, the users and the draws: it changes nothing that its own later answers depend on. What it
    keeps to be fast (vectors, tables) it must be able to make again; what it must remember it gives in ``state``.
    """

    def __init__(self, width: int) -> None:
        if width < 0:
            raise UsageError(f"{type(self).__name__}: width is {width}; a feed has 0 posts or more")
        self.width = width

    def recommend(self, platform: Site, users: AgentIds, random: Stream) -> Ints:
        """(users, width) numbers of posts, the best first, each at most once a user, padded with -1 at the end. ``random`` is the stream
        of this turn: its rows must be users, posts or pairs of them."""
        raise NotImplementedError(type(self).__name__)

    def applied(self, platform: Site, users: AgentIds, feed: Ints) -> None:
        """These users have had these feeds, and their actions have been carried out. For what must be remembered."""

    def state(self) -> dict[str, Any]:
        return {}

    def load(self, state: Mapping[str, Any]) -> None:
        """The inverse of ``state``."""


class NoFeed(Recommender):
    """Nothing is shown."""

    def __init__(self) -> None:
        super().__init__(0)

    def recommend(self, platform: Site, users: AgentIds, random: Stream) -> Ints:
        return np.empty((len(users), 0), np.int64)


class RandomPosts(Recommender):
    """Any posts, with equal chances, drawn with replacement; of the same post twice the second place stays empty."""

    def recommend(self, platform: Site, users: AgentIds, random: Stream) -> Ints:
        candidates = recommendable(platform)
        feed = np.full((len(users), self.width), -1, np.int64)
        if len(candidates):
            at = random.integers(0, len(candidates) - 1, users[:, None], np.arange(self.width))
            feed[:] = candidates[at]
        return without_repeats(feed)


class RecentPosts(Recommender):
    """The newest posts, the same for everyone."""

    def recommend(self, platform: Site, users: AgentIds, random: Stream) -> Ints:
        newest = recommendable(platform)[-self.width :][::-1] if self.width else np.empty(0, np.int64)
        return np.broadcast_to(padded(newest[None, :], self.width), (len(users), self.width))


class FollowedPosts(Recommender):
    """In-network: the newest posts, shares included, of those whom one follows; of each author the newest ``deep`` are looked at."""

    def __init__(self, width: int, deep: int = 3) -> None:
        super().__init__(width)
        self.deep = deep

    def recommend(self, platform: Site, users: AgentIds, random: Stream) -> Ints:
        starts, authors = platform.follows.following(users)
        sizes, rows = platform.posts.by(authors, self.deep)
        rows_of = np.repeat(np.repeat(np.arange(len(users)), np.diff(starts)), np.diff(sizes))
        shown = platform.showable(rows)
        return newest_first(rows_of[shown], rows[shown], len(users), self.width)


def recommendable(platform: Site) -> Ints:
    """All rows that may stand in a feed, oldest first: posts, reposts and quotes that were not removed."""
    return np.flatnonzero(platform.showable(np.arange(len(platform.posts))))


def newest_first(owners: Ints, rows: Ints, users: int, width: int) -> Ints:
    """A feed from (place of the user, row) pairs: each user's rows, the newest first."""
    feed = np.full((users, width), -1, np.int64)
    order = np.lexsort((-rows, owners))
    owners, rows = owners[order], rows[order]
    starts = np.searchsorted(owners, np.arange(users))
    rank = np.arange(len(owners)) - starts[owners]
    kept = rank < width
    feed[owners[kept], rank[kept]] = rows[kept]
    return feed


def without_repeats(feed: Ints) -> Ints:
    """Each row of a feed without what stands in it already further left; what stays moves left."""
    keep = feed >= 0
    for at in range(1, feed.shape[1]):
        keep[:, at] &= (feed[:, :at] != feed[:, at : at + 1]).all(axis=1)
    return closed_up(feed, keep)


def closed_up(feed: Ints, keep: NDArray[np.bool_]) -> Ints:
    """What is kept moves left, in its order; -1 fills the rest."""
    if keep.all():
        return feed
    order = np.argsort(~keep, axis=1, kind="stable")
    return np.take_along_axis(np.where(keep, feed, -1), order, axis=1)


def padded(feed: Ints, width: int) -> Ints:
    """With -1 up to the width."""
    missing = width - feed.shape[1]
    return feed if missing <= 0 else np.concatenate([feed, np.full((len(feed), missing), -1, np.int64)], axis=1)


__all__ = ["FollowedPosts", "NoFeed", "RandomPosts", "RecentPosts", "Recommender", "recommendable", "without_repeats"]
