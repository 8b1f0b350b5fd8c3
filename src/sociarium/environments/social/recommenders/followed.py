"""In-network: the best posts of those whom a reader follows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.social.recommenders.base import NONE, Choosing
from sociarium.environments.social.recommenders.candidates import SHOWN, Eligible
from sociarium.environments.social.recommenders.score import Score
from sociarium.kernel.errors import UsageError
from sociarium.kernel.randomness import Stream

if TYPE_CHECKING:
    from sociarium.environments.social.site import Site

Ints = NDArray[np.int64]
Array = NDArray[Any]

PIECE = 1 << 21  # (reader, post) rows worked on at a time


class Followed(Choosing):
    """The ``width`` best by a score among the posts, reposts and quotes of all whom a reader follows.

    ``each``: the newest rows of every followed user that are looked at (comments count too); all where None.
    """

    def __init__(
        self,
        score: Score,
        width: int,
        *,
        eligible: Eligible | None = None,
        each: int | None = None,
        own: bool = False,
        again: bool = True,
    ) -> None:
        super().__init__(width, own=own, again=again)
        if each is not None and each < 1:
            raise UsageError(f"of each followed user {each} rows are looked at: at least 1, or None for all")
        self.score, self.eligible, self.each = score, eligible or Eligible(SHOWN), each

    def choose(self, platform: Site, users: Ints, random: Stream, without: Ints | None) -> Ints:
        starts, followed = platform.follows.following(users)
        inner, posts = platform.posts.by(followed, self.each)
        ends = inner[starts]
        cuts = np.unique(np.searchsorted(ends, np.arange(0, len(posts), PIECE), side="right") - 1) if len(posts) else [0]
        out = np.full((len(users), self.width), NONE, np.int64)
        for first, last in zip(cuts, [*cuts[1:], len(users)], strict=True):
            rows = np.repeat(np.arange(first, last), np.diff(ends[first : last + 1]))
            self._fill(platform, users, rows, posts[ends[first] : ends[last]], without, out)
        return out

    def _fill(self, platform: Site, users: Ints, rows: Ints, posts: Ints, without: Ints | None, out: Ints) -> None:
        """The best of some readers' posts into their rows."""
        fit = self.eligible.among(platform, posts)
        rows, posts = rows[fit], posts[fit]
        if self.restricted(platform, without, own=self.own) and len(posts):
            known = None if without is None else without[rows]
            fit = ~self.barred(platform, users[rows], posts[:, None], known)[:, 0]
            rows, posts = rows[fit], posts[fit]
        scores = self._scores(platform, users[rows], posts)
        usable = ~np.isnan(scores) & (scores > -np.inf)
        rows, posts, scores = rows[usable], posts[usable], scores[usable]
        order = np.lexsort((-posts, -scores, rows))
        rows, posts = rows[order], posts[order]
        place = np.arange(len(rows)) - np.searchsorted(rows, rows)
        fits = place < self.width
        out[rows[fits], place[fits]] = posts[fits]

    def _scores(self, platform: Site, users: Ints, posts: Ints) -> Array:
        """One score a row, of its reader and its post."""
        if not self.score.personal:
            return self.score.alone(platform, posts)
        common, factor = self.score.common(platform, posts), platform.posts.factor[posts]
        return self.score.joined(common, lambda term: term.pairs(platform, users, posts), factor)
