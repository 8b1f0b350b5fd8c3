"""Recommenders that choose among what a reader may be shown: the part that all of them share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.social.recommenders.ranking import drawn
from sociarium.environments.social.recommenders.recommender import Recommender
from sociarium.kernel.errors import UsageError
from sociarium.kernel.randomness import Stream

if TYPE_CHECKING:
    from sociarium.environments.social.site import Site

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Array = NDArray[Any]

NONE = -1


class Choosing(Recommender):
    """What a reader gets does not depend on who else refreshes: whatever is kept here is a cache of the platform's tables.

    ``own``: whether readers are shown their own posts; ``again``: whether they are shown what they were shown before (False needs
    ``PlatformRules(exposures="pairs")``). Posts of those whom a reader mutes are never shown.
    """

    def __init__(self, width: int, *, own: bool = False, again: bool = True) -> None:
        super().__init__(width)
        self.own, self.again = own, again

    def recommend(self, platform: Site, users: Ints, random: Stream) -> Ints:
        return self.choose(platform, users, random, None)

    def choose(self, platform: Site, users: Ints, random: Stream, without: Ints | None) -> Ints:
        """(readers, width), -1 after the last. ``without``: (readers, any) posts that each has already."""
        raise NotImplementedError(type(self).__name__)

    def restricted(self, platform: Site, without: Ints | None, *, own: bool) -> bool:
        """Whether some posts are barred from some readers."""
        return not own or not self.again or without is not None or len(platform.muted) > 0

    def barred(self, platform: Site, users: Ints, posts: Ints, without: Ints | None) -> Bools:
        """Which posts, (readers, any) with -1 for none, a reader must not be shown."""
        bad = posts < 0
        if bad.all():
            return bad
        safe = np.where(bad, 0, posts)
        author = platform.posts.author[safe]
        if not self.own:
            bad |= author == users[:, None]
        if without is not None:
            for column in range(without.shape[1]):
                bad |= posts == without[:, column, None]
        if len(platform.muted) or not self.again:
            rows, columns = np.nonzero(~bad)
            bad[rows, columns] = self._unwanted(platform, users[rows], safe[rows, columns], author[rows, columns])
        return bad

    def _unwanted(self, platform: Site, users: Ints, posts: Ints, authors: Array) -> Bools:
        """Rows whose author the reader mutes, or that it was shown before."""
        bad = platform.muted.has(users, authors) if len(platform.muted) else np.zeros(len(users), np.bool_)
        if self.again:
            return bad
        if platform.rules.exposures != "pairs":
            raise UsageError('a recommender that shows nothing twice needs a platform with PlatformRules(exposures="pairs")')
        return bad | platform.shown.has(users, posts)


def packed(posts: Ints, keep: Bools, count: int) -> Ints:
    """The kept posts of each row moved to the left, at most ``count``; -1 after them: (rows, count)."""
    out = np.full((len(posts), count), NONE, np.int64)
    place = np.cumsum(keep, axis=1) - 1
    rows, columns = np.nonzero(keep & (place < count))
    out[rows, place[rows, columns]] = posts[rows, columns]
    return out


def taken(posts: Ints, count: int, random: Stream, users: Ints) -> Ints:
    """``count`` of each reader's posts, drawn without replacement, in the order drawn: (readers, count)."""
    place = drawn((posts >= 0).sum(axis=1), count, random, users)
    return np.where(place >= 0, np.take_along_axis(posts, np.maximum(place, 0), 1), NONE) if posts.shape[1] else place
