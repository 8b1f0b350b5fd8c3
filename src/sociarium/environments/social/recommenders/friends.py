"""For those who grow a network: what friends have put up, and whom one might follow."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.social.posts import Kind
from sociarium.environments.social.recommenders.grid import steps
from sociarium.environments.social.recommenders.recommender import Recommender
from sociarium.environments.social.recommenders.terms import Interest
from sociarium.environments.social.recommenders.vectors import Interests
from sociarium.kernel.errors import UsageError
from sociarium.kernel.randomness import Stream

if TYPE_CHECKING:
    from sociarium.environments.social.site import Site

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Array = NDArray[Any]
Order = Literal["nearest", "farthest", "random"]
Remembered = Callable[["Site"], Bools]

USERS_AT_ONCE = 512
DENSE = 32  # cells of a table that cost as much as one row by itself
ABSENT = np.uint64(2**64 - 1)


class FriendsContent(Recommender):
    """What those whom a reader follows have written or shared, each content once and under its own number, nothing that the reader wrote
    itself, whoever shared it; ranked by its cosine with the reader's interests.

    ``order``: ``nearest`` first, ``farthest`` first (as the code of the friendship-paradox study sorts), or ``random`` as a control.
    ``reacted``: whether to show what the reader has liked, disliked or shared already.
    """

    def __init__(self, interests: Interests, width: int = 10, *, order: Order = "nearest", reacted: bool = False) -> None:
        super().__init__(width)
        if order not in ("nearest", "farthest", "random"):
            raise UsageError(f"friends' content is ordered nearest, farthest or random, not {order!r}")
        self.order: Order = order
        self.reacted = reacted
        self.interest = Interest(interests)

    def recommend(self, platform: Site, users: Ints, random: Stream) -> Ints:
        starts, friends = platform.follows.following(users)
        inner, posts = platform.posts.by(friends)
        feed = np.full((len(users), self.width), -1, np.int64)
        readers = np.repeat(np.arange(len(users)), np.diff(inner[starts]))
        fit = platform.showable(posts)
        readers, posts = readers[fit], platform.posts.content(posts[fit])
        if not len(posts):
            return feed
        readers, posts = _once(readers, posts)
        keep = self._new_to(platform, users[readers], posts)
        readers, posts = readers[keep], posts[keep]
        rank = self._keys(platform, users[readers], posts, random)
        order = np.lexsort((-posts, rank, readers))
        readers, posts = readers[order], posts[order]
        place = np.arange(len(readers)) - np.searchsorted(readers, readers)
        shown = place < self.width
        feed[readers[shown], place[shown]] = posts[shown]
        return feed

    def _new_to(self, platform: Site, users: Ints, posts: Ints) -> Bools:
        """Not the reader's own, nor a muted author's, nor reacted to."""
        author = platform.posts.author[posts]
        keep = author != users
        if len(platform.muted):
            keep &= ~platform.muted.has(users, author)
        if not self.reacted:
            for votes in (platform.liked, platform.disliked, platform.shared):
                if len(votes):
                    keep &= ~votes.has(users, posts)
        return keep

    def _keys(self, platform: Site, users: Ints, posts: Ints, random: Stream) -> Array:
        """Ascending: what comes first."""
        if self.order == "random":
            return random.bits(users, posts)
        cosine = self.closeness(platform, users, posts)
        return -cosine if self.order == "nearest" else cosine

    def closeness(self, platform: Site, users: Ints, posts: Ints) -> Array:
        """The cosine of a user's interests with a content, one a row. Exact, so a table of all readers and contents, where that is not much
        larger than the rows asked for, gives the same."""
        readers, row = np.unique(users, return_inverse=True)
        contents, column = np.unique(posts, return_inverse=True)
        if len(readers) * len(contents) > DENSE * len(users):
            return self.interest.pairs(platform, users, posts)
        return self.interest.block(platform, readers, contents)[row, column]


class Acquaintances:
    """Whom a user might follow: others who are here, have put something up, and are not followed or muted yet.

    ``order``: ``similar``, those with the highest mean cosine between what they put up and the user's own posts, or the user's interests
    where it has none; or ``random``. ``remembered``: which rows count for those who put them up; all where None.
    """

    def __init__(
        self, interests: Interests, count: int = 5, *, order: Literal["similar", "random"] = "similar", remembered: Remembered | None = None
    ) -> None:
        if count < 1 or order not in ("similar", "random"):
            raise UsageError(f"acquaintances: {count} by {order!r}; suggest at least 1, by 'similar' or 'random'")
        self.interests, self.count, self.order, self.remembered = interests, count, order, remembered

    def able(self, platform: Site, users: Ints) -> Bools:
        """Which users have anybody to be suggested."""
        posters = self._posters(platform)
        starts, friends = platform.follows.following(users)
        known = np.concatenate([[0], np.cumsum(posters[friends])])
        left = posters.sum() - posters[users] - (known[starts[1:]] - known[starts[:-1]])
        return left > 0

    def suggest(self, platform: Site, users: Ints, random: Stream) -> tuple[Ints, Floats]:
        """(users, count) ids, the best first, -1 after the last; and how similar each is to the user (-1 to 1, nan where there is none)."""
        ids, likeness = np.full((len(users), self.count), -1, np.int64), np.full((len(users), self.count), np.nan)
        others = np.flatnonzero(self._posters(platform))
        if not len(others):
            return ids, likeness
        totals, held = self._remembered(platform)
        totals, held = totals[others], np.maximum(held[others], 1)
        for first in range(0, len(users), USERS_AT_ONCE):
            place = slice(first, first + USERS_AT_ONCE)
            some = users[place]
            own, written = self._own(platform, some)
            cosine = own @ totals.T / (written[:, None] * held * float(steps(totals.shape[1]) ** 2))
            barred = self._barred(platform, some, others)
            keys = random.bits(some[:, None], others) if self.order == "random" else -cosine
            keys = np.where(barred, ABSENT if self.order == "random" else np.inf, keys)
            best = np.argsort(keys, axis=1, kind="stable")[:, : self.count]
            there = ~np.take_along_axis(barred, best, axis=1)
            width = best.shape[1]
            ids[place, :width] = np.where(there, others[best], -1)
            likeness[place, :width] = np.where(there, np.take_along_axis(cosine, best, axis=1), np.nan)
        return ids, likeness

    def _posters(self, platform: Site) -> Bools:
        posts, out = platform.posts, np.zeros(platform.users, np.bool_)
        out[posts.author[(posts.kind != Kind.COMMENT) & ~posts.removed]] = True
        return out & platform.exists(np.arange(platform.users)) & ~platform.banned

    def _barred(self, platform: Site, users: Ints, others: Ints) -> Bools:
        a, b = np.repeat(users, len(others)), np.tile(others, len(users))
        bad = (a == b) | platform.follows.has(a, b)
        if len(platform.muted):
            bad |= platform.muted.has(a, b)
        return bad.reshape(len(users), len(others))

    def _remembered(self, platform: Site) -> tuple[Floats, Ints]:
        """The sum of the vectors of what each user put up and is remembered, (users, length), and of how many."""
        posts = platform.posts
        counts = (posts.kind != Kind.COMMENT) & ~posts.removed
        if self.remembered is not None:
            counts = counts & self.remembered(platform)
        return self._totals(platform, np.flatnonzero(counts))

    def _own(self, platform: Site, users: Ints) -> tuple[Floats, Ints]:
        """The same of each user's own posts; its interests, as one, where it has written none."""
        posts = platform.posts
        totals, written = self._totals(platform, np.flatnonzero(np.isin(posts.kind, (Kind.POST, Kind.QUOTE))))
        readers = self.interests.vectors(platform, users, np.empty(0, np.int64))[0].astype(np.float64)
        counts = written[users]
        return np.where(counts[:, None] > 0, totals[users], readers), np.maximum(counts, 1)

    def _totals(self, platform: Site, rows: Ints) -> tuple[Floats, Ints]:
        """Vectors on the grid added up by author: sums of whole numbers, and their products, are exact in any order."""
        _, vectors, place = self.interests.vectors(platform, np.empty(0, np.int64), rows)
        each = vectors if place is None else vectors[place]
        authors = platform.posts.author[rows].astype(np.int64)
        counts = np.bincount(authors, minlength=platform.users)
        total = np.zeros((platform.users, each.shape[1]))
        there = np.flatnonzero(counts)
        if len(there):
            starts = np.concatenate([[0], np.cumsum(counts[there])[:-1]])
            order = np.argsort(authors, kind="stable")
            total[there] = np.add.reduceat(each[order].astype(np.float64), starts, axis=0)
        return total, counts


def _once(readers: Ints, posts: Ints) -> tuple[Ints, Ints]:
    """Each (reader, post) once."""
    codes = np.unique((readers.astype(np.int64) << 32) | posts)
    return codes >> 32, codes & 0xFFFFFFFF
