"""POSIM's feed: between none and ``count`` posts, some at random, half of the rest originals and half reposts, by interest, fame and age.

Zhang et al. 2026, arXiv 2603.23884. Where paper and code differ, ``form`` says which; what neither states is said here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.social.chains import grown
from sociarium.environments.social.posts import Kind
from sociarium.environments.social.recommenders.base import NONE, Choosing
from sociarium.environments.social.recommenders.candidates import SHOWN, Eligible, Pool
from sociarium.environments.social.recommenders.ranking import best
from sociarium.environments.social.recommenders.score import Score
from sociarium.environments.social.recommenders.terms import Decay, InNetwork, Interest, Popularity
from sociarium.environments.social.recommenders.vectors import Interests
from sociarium.kernel.errors import UsageError
from sociarium.kernel.randomness import Stream

if TYPE_CHECKING:
    from sociarium.environments.social.site import Site

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Embed = Callable[[Sequence[str]], Any]  # texts -> (texts, length): a text's vector depends on that text alone

Block = NDArray[np.float32]

BLOCK = 1 << 20  # scores held at a time
BUCKETS = ((Kind.POST,), (Kind.REPOST, Kind.QUOTE))


@dataclass(frozen=True, slots=True)
class FeedRules:
    """``count``: the longest feed; with ``even`` its length is drawn from 0 to that for each reader and turn. ``interest``, ``popularity``,
    ``recency``: the weights of the score. ``explore``: the share of slots drawn from all posts, at least one slot. The rest are halves,
    originals and reposts: ``breadth`` times as many of the best are looked at, and of those drawn; 1 takes the best. ``relations``: half
    of each half is of accounts that the reader follows, as far as there are any (the paper's recall channel; the code loads relations and
    never uses them). ``scored``: so many posts of each half, drawn anew each turn, are scored at all. ``hours``: after which a post is
    shown no more. ``alike``: an original whose text has a higher cosine than this with one of the ``compared`` last is never shown.
    ``form`` "code": engagement counts as at least 1.
    """

    count: int = 10
    even: bool = True
    interest: float = 0.3
    popularity: float = 0.3
    recency: float = 0.2
    explore: float = 0.2
    breadth: int = 2
    scored: int | None = 50
    relations: bool = True
    hours: float = 72.0
    alike: float = 0.92
    compared: int = 200
    shuffled: bool = True
    form: Literal["paper", "code"] = "paper"

    def __post_init__(self) -> None:
        weights = (self.interest, self.popularity, self.recency)
        if min(weights) < 0 or not sum(weights) > 0:
            raise UsageError(f"FeedRules: weights {weights} of interest, popularity and recency must not be negative, and not all 0")
        if not 0 <= self.explore <= 1 or self.count < 0 or self.breadth < 1 or self.compared < 0 or self.hours <= 0:
            raise UsageError("FeedRules: explore is a share; count, compared 0 or more; breadth 1 or more; hours above 0")
        if self.form not in ("paper", "code"):
            raise UsageError(f"FeedRules: form is {self.form!r}; it is 'paper' or 'code'")

    def exploring(self, slots: int) -> int:
        """How many of so many slots are drawn from all posts: max(1, floor(explore slots)), a fixed number and no coin a slot."""
        return min(slots, max(1, int(self.explore * slots + 1e-9))) if self.explore > 0 else 0


@dataclass(slots=True)
class Repeats:
    """Originals that say what one of the last has said. ``embed`` None: none is found."""

    rules: FeedRules
    embed: Embed | None
    dropped: Bools = field(default_factory=lambda: np.zeros(0, np.bool_))
    looked: int = 0  # rows of content seen so far
    recent: Ints = field(default_factory=lambda: np.empty(0, np.int64))  # the last originals that are no repeats
    vectors: Floats | None = None  # theirs: a cache, made again where it is not there

    def look(self, platform: Site) -> None:
        """At what is new, in its order."""
        size = len(platform.posts)
        self.dropped = grown(self.dropped, size, False)
        fresh = np.arange(self.looked, size)
        self.looked = size
        fresh = fresh[platform.posts.kind[fresh] == Kind.POST]
        if not len(fresh) or self.embed is None or not self.rules.compared:
            return
        if self.vectors is None:
            self.vectors = self._embedded(platform, self.recent)
        new = self._embedded(platform, fresh)
        known = np.concatenate([self.recent, fresh])
        vectors = np.concatenate([self.vectors, new]) if len(self.recent) else new
        kept = list(range(len(self.recent)))
        for place in range(len(self.recent), len(known)):
            last = kept[-self.rules.compared :]
            if last and float(np.einsum("md,d->m", vectors[last], vectors[place]).max()) > self.rules.alike:
                self.dropped[known[place]] = True
            else:
                kept.append(place)
        kept = kept[-self.rules.compared :]
        self.recent, self.vectors = known[kept], vectors[kept]

    def _embedded(self, platform: Site, rows: Ints) -> Floats:
        """(rows, length), each of length 1."""
        if self.embed is None or not len(rows):
            return np.zeros((len(rows), 0))
        return _unit(np.asarray(self.embed([str(text) for text in platform.posts.words(rows)]), np.float64))

    def of(self, posts: Ints) -> Bools:
        """Which of these are repeats; what was not looked at yet is none."""
        known = posts < len(self.dropped)
        return known & self.dropped[np.where(known, posts, 0)] if len(self.dropped) else known


@dataclass(frozen=True, slots=True)
class Fresh(Eligible):
    """Posts of some kinds, young enough, that are no repeats."""

    repeats: Repeats | None = None

    def among(self, platform: Site, posts: Ints) -> Bools:
        fit = Eligible.among(self, platform, posts)
        return fit if self.repeats is None else fit & ~self.repeats.of(posts)


class PosimFeed(Choosing):
    """``interests``: where the cosine H comes from (0.5 where either side has no vector). ``embed``: to find repeats; None leaves them in.

    Nobody is shown own posts, comments, or the same post twice: the platform needs ``PlatformRules(exposures="pairs")``.
    """

    def __init__(self, interests: Interests, rules: FeedRules | None = None, *, embed: Embed | None = None) -> None:
        self.rules = rules or FeedRules()
        super().__init__(self.rules.count, again=False)
        weights = np.array([self.rules.interest, self.rules.popularity, self.rules.recency])
        terms = (Interest(interests, missing=0.5), Popularity(1 if self.rules.form == "code" else 0), Decay())
        self.score = Score(terms, tuple((weights / weights.sum()).tolist()))
        self.repeats = Repeats(self.rules, embed)

    def choose(self, platform: Site, users: Ints, random: Stream, without: Ints | None) -> Ints:
        return self.composed(platform, users, random, without)[0]

    def composed(self, platform: Site, users: Ints, random: Stream, without: Ints | None = None) -> tuple[Ints, Bools]:
        """The feeds, (readers, count), and which of their posts are there to explore."""
        feed, explored = np.full((len(users), self.width), NONE, np.int64), np.zeros((len(users), self.width), np.bool_)
        pool = Pool(self._fresh(SHOWN)).posts(platform, random.at("pool"))
        if not len(pool) or not self.width:
            return feed, explored
        scored = [self._scored(platform, pool, kinds, random.at("scored", place)) for place, kinds in enumerate(BUCKETS)]
        size = max(1, BLOCK // len(pool))
        for start in range(0, len(users), size):
            part = slice(start, start + size)
            known = None if without is None else without[part]
            feed[part], explored[part] = self._block(platform, users[part], pool, scored, random, known)
        return feed, explored

    def slots(self, users: Ints, random: Stream) -> Ints:
        """How long each reader's feed is in this turn."""
        if not self.rules.even:
            return np.full(len(users), self.rules.count, np.int64)
        return random.at("length").integers(0, self.rules.count, users)

    def scores(self, platform: Site, users: Ints, posts: Ints) -> Block:
        """(readers, posts): (a H + b P + c R) / (a + b + c)."""
        common, factor = self.score.common(platform, posts), platform.posts.factor[posts]
        return self.score.joined(common, lambda term: term.block(platform, users, posts), factor)

    def applied(self, platform: Site, users: Ints, feed: Ints) -> None:
        self.repeats.look(platform)

    def state(self) -> dict[str, Any]:
        repeats = self.repeats
        return {"dropped": repeats.dropped[: repeats.looked].copy(), "looked": repeats.looked, "recent": repeats.recent.copy()}

    def load(self, state: Mapping[str, Any]) -> None:
        self.repeats.dropped, self.repeats.looked = np.array(state["dropped"], np.bool_), int(state["looked"])
        self.repeats.recent, self.repeats.vectors = np.array(state["recent"], np.int64), None

    def _block(
        self, platform: Site, users: Ints, pool: Ints, scored: Sequence[Bools], random: Stream, without: Ints | None
    ) -> tuple[Ints, Bools]:
        """Feeds of some readers: both halves, what is explored, then, where a half had too few, the best of all."""
        rules, score = self.rules, self.scores(platform, users, pool)
        free = self._free(platform, users, pool, without) & (score > -np.inf)
        slots = self.slots(users, random)
        exploring = np.array([rules.exploring(number) for number in range(rules.count + 1)])[slots]
        rest = slots - exploring
        followed = InNetwork().block(platform, users, pool) > 0 if rules.relations else None
        chosen = np.zeros(score.shape, np.bool_)
        for place, wanted in enumerate((rest - rest // 2, rest // 2)):
            bucket = np.isin(platform.posts.kind[pool], [int(kind) for kind in BUCKETS[place]])
            if followed is not None:
                chosen |= _first(score, free & bucket & followed, (wanted + 1) // 2)
            wanted = wanted - (chosen & bucket).sum(axis=1)
            listed = _first(score, free & scored[place] & ~chosen, rules.breadth * wanted)
            chosen |= _first(_drawn(random.at("half", place), users, pool, listed), listed, wanted)
        explored = _first(_drawn(random.at("explore"), users, pool, free & ~chosen), free & ~chosen, exploring)
        shown = chosen | explored
        shown |= _first(score, free & ~shown, slots - shown.sum(axis=1))
        order = _drawn(random.at("order"), users, pool, shown) if rules.shuffled else np.where(explored, score - 1e6, score)
        columns = best(np.where(shown, order, -np.inf).astype(np.float32), self.width)
        found = columns >= 0
        at = np.where(found, columns, 0)
        return np.where(found, pool[at], NONE), found & np.take_along_axis(explored, at.astype(np.int64), 1)

    def _free(self, platform: Site, users: Ints, pool: Ints, without: Ints | None) -> Bools:
        """(readers, posts): what each may be shown."""
        authors, content = platform.posts.author[pool], platform.posts.author[platform.posts.content(pool)]
        free = (authors[None, :] != users[:, None]) & (content[None, :] != users[:, None])
        starts, shown = platform.shown.of(users)
        _strike(free, pool, np.repeat(np.arange(len(users)), np.diff(starts)), shown)
        if without is not None:
            rows, columns = np.nonzero(without >= 0)
            _strike(free, pool, rows, without[rows, columns])
        if len(platform.muted):
            rows, columns = np.nonzero(free)
            free[rows, columns] = ~platform.muted.has(users[rows], authors[columns])
        return free

    def _scored(self, platform: Site, pool: Ints, kinds: tuple[Kind, ...], random: Stream) -> Bools:
        """Which posts of the pool are of these kinds and scored in this turn."""
        return np.isin(pool, Pool(self._fresh(kinds), self.rules.scored).posts(platform, random))

    def _fresh(self, kinds: tuple[Kind, ...]) -> Fresh:
        return Fresh(kinds, 60 * self.rules.hours, self.repeats)


def _first(values: Block, among: Bools, counts: Ints) -> Bools:
    """As many of the highest of each row as ``counts`` says, among those that may be taken."""
    out = np.zeros(values.shape, np.bool_)
    most = int(counts.max(initial=0))
    if most > 0:
        columns = best(np.where(among, values, -np.inf).astype(np.float32), most)
        rows, places = np.nonzero((columns >= 0) & (np.arange(most) < counts[:, None]))
        out[rows, columns[rows, places]] = True
    return out


def _drawn(random: Stream, users: Ints, pool: Ints, among: Bools) -> Block:
    """A random key for each pair in question, which depends on that pair alone."""
    out = np.full(among.shape, -np.inf, np.float32)
    rows, columns = np.nonzero(among)
    out[rows, columns] = random.uniform(users[rows], pool[columns])
    return out


def _strike(free: Bools, pool: Ints, rows: Ints, posts: Ints) -> None:
    place = np.minimum(np.searchsorted(pool, posts), len(pool) - 1)
    there = pool[place] == posts
    free[rows[there], place[there]] = False


def _unit(vectors: Floats) -> Floats:
    lengths = np.sqrt(np.einsum("md,md->m", vectors, vectors))[:, None]
    return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
