"""The best posts by a score, for everyone who refreshes: in blocks, so that no table of readers x posts ever stands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.social.recommenders.base import NONE, Choosing, packed, taken
from sociarium.environments.social.recommenders.candidates import Pool
from sociarium.environments.social.recommenders.ranking import best, drawn, top
from sociarium.environments.social.recommenders.score import Score
from sociarium.kernel.errors import UsageError
from sociarium.kernel.randomness import Stream

if TYPE_CHECKING:
    from sociarium.environments.social.site import Site

Ints = NDArray[np.int64]
Array = NDArray[Any]
Ranking = Callable[[Ints, int], Ints]  # (which readers, how many) -> the first posts of their rankings

BLOCK = 1 << 20  # scores held at a time: 4 MB, which stays in cache
SPARE = 4  # further posts looked at, in case some are barred


class Ranked(Choosing):
    """The ``kept`` best posts of a pool for each reader, of which ``shown`` are drawn at random (all, the best first, where None).

    ``swap``: the share of what is kept that random posts of the pool replace.
    """

    def __init__(
        self,
        score: Score,
        kept: int,
        shown: int | None = None,
        *,
        pool: Pool | None = None,
        own: bool = False,
        again: bool = True,
        swap: float = 0.0,
    ) -> None:
        super().__init__(kept if shown is None else shown, own=own, again=again)
        if kept < 0 or not 0 <= swap <= 1:
            raise UsageError(f"a recommender keeps {kept} posts and swaps a share of {swap}: a number from 0, and a share from 0 to 1")
        self.score, self.kept, self.shown, self.pool, self.swap = score, kept, shown, pool or Pool(), swap

    def choose(self, platform: Site, users: Ints, random: Stream, without: Ints | None) -> Ints:
        pool = self.pool.posts(platform, random.at("pool"))
        if not (self.score.personal or self.swap or self.restricted(platform, without, own=self.own)):
            return self._shared(platform, users, pool, random)
        found = self._kept(platform, users, pool, without)
        self._swap(platform, found, pool, users, random)
        return found if self.shown is None else taken(found, self.shown, random.at("shown"), users)

    def _shared(self, platform: Site, users: Ints, pool: Ints, random: Stream) -> Ints:
        """Everyone has the same list; only what is drawn from it differs."""
        order = pool[top(self.score.alone(platform, pool), self.kept)]
        size = len(order)
        order = np.append(order, NONE)  # for places that are not filled
        if self.shown is not None:
            return order[drawn(size, self.shown, random.at("shown"), users)]
        return np.repeat(order[None, np.minimum(np.arange(self.kept), size)], len(users), axis=0)

    def _kept(self, platform: Site, users: Ints, pool: Ints, without: Ints | None) -> Ints:
        if self.score.personal:
            return self._personal(platform, users, pool, without)
        order = pool[top(self.score.alone(platform, pool), len(pool))]

        def ranked(rows: Ints, width: int) -> Ints:
            return np.broadcast_to(order[:width], (len(rows), min(width, len(order))))

        return self._filled(platform, users, len(order), without, ranked, own=self.own)

    def _personal(self, platform: Site, users: Ints, pool: Ints, without: Ints | None) -> Ints:
        """Block by block of readers, each with a ranking of its own."""
        out = np.full((len(users), self.kept), NONE, np.int64)
        if not len(pool):
            return out
        common = self.score.common(platform, pool)
        authors, factor = platform.posts.author[pool], platform.posts.factor[pool]
        size = max(1, BLOCK // len(pool))
        for start in range(0, len(users), size):
            who = users[start : start + size]
            block = self.score.joined(common, lambda term, who=who: term.block(platform, who, pool), factor)

            def ranked(rows: Ints, width: int, block: Array = block, who: Ints = who) -> Ints:
                part = block if len(rows) == len(block) else block[rows]
                columns = best(part, width, None if self.own else who[rows], authors)
                return np.where(columns >= 0, pool[columns], NONE)

            excluded = None if without is None else without[start : start + size]
            out[start : start + size] = self._filled(platform, who, len(pool), excluded, ranked, own=True)  # ``best`` passed over own posts
        return out

    def _filled(self, platform: Site, users: Ints, most: int, without: Ints | None, ranked: Ranking, *, own: bool) -> Ints:
        """The first posts of each ranking that its reader may be shown; more are looked at where too many are barred."""
        out = np.full((len(users), self.kept), NONE, np.int64)
        rows = np.arange(len(users))
        restricted = self.restricted(platform, without, own=own)
        width = self.kept + (SPARE + (0 if without is None else without.shape[1]) if restricted else 0)
        while len(rows) and most:
            width = min(width, most)
            posts = ranked(rows, width)
            keep = posts >= 0
            if restricted:
                keep = ~self.barred(platform, users[rows], posts, None if without is None else without[rows])
            out[rows] = packed(posts, keep, self.kept)
            if width == most or not restricted:
                break
            rows, width = rows[keep.sum(axis=1) < self.kept], 4 * width
        return out

    def _swap(self, platform: Site, found: Ints, pool: Ints, users: Ints, random: Stream) -> None:
        """Put random posts of the pool in the places of some, in place; one that stands there already is not put in twice."""
        count = int(self.kept * self.swap)
        if not count or not len(pool):
            return
        place = drawn((found >= 0).sum(axis=1), count, random.at("swapped"), users)
        fresh = drawn(len(pool), count, random.at("swap"), users)
        for column in range(count):
            rows = np.flatnonzero((place[:, column] >= 0) & (fresh[:, column] >= 0))
            post = pool[fresh[rows, column]]
            new = ~(found[rows] == post[:, None]).any(axis=1)
            new &= ~self.barred(platform, users[rows], post[:, None], None)[:, 0]
            found[rows[new], place[rows[new], column]] = post[new]


class Drawn(Choosing):
    """Posts of a pool, each as likely as any other."""

    def __init__(self, width: int, *, pool: Pool | None = None, own: bool = False, again: bool = True) -> None:
        super().__init__(width, own=own, again=again)
        self.pool = pool or Pool()

    def choose(self, platform: Site, users: Ints, random: Stream, without: Ints | None) -> Ints:
        pool = self.pool.posts(platform, random.at("pool"))
        out = np.full((len(users), self.width), NONE, np.int64)
        rows = np.arange(len(users))
        restricted = self.restricted(platform, without, own=self.own)
        width = self.width + (SPARE + (0 if without is None else without.shape[1]) if restricted else 0)
        while len(rows) and len(pool):
            width = min(width, len(pool))
            place = drawn(len(pool), width, random, users[rows])
            posts = np.where(place >= 0, pool[place], NONE)
            keep = posts >= 0
            if restricted:
                keep = ~self.barred(platform, users[rows], posts, None if without is None else without[rows])
            out[rows] = packed(posts, keep, self.width)
            if width == len(pool) or not restricted:
                break
            rows, width = rows[keep.sum(axis=1) < self.width], 4 * width
        return out


class Mixed(Choosing):
    """One recommender's posts, then the next's, none twice. ``shuffled``: in random order."""

    def __init__(self, parts: Sequence[Choosing], *, shuffled: bool = False) -> None:
        super().__init__(sum(part.width for part in parts))
        self.parts, self.shuffled = tuple(parts), shuffled

    def choose(self, platform: Site, users: Ints, random: Stream, without: Ints | None) -> Ints:
        found = np.empty((len(users), 0), np.int64)
        for place, part in enumerate(self.parts):
            known = found if without is None else np.concatenate([without, found], axis=1)
            more = part.choose(platform, users, random.at(place), known if known.shape[1] else None)
            found = np.concatenate([found, more], axis=1)
        out = packed(found, found >= 0, self.width)
        return taken(out, self.width, random.at("mixed"), users) if self.shuffled else out
