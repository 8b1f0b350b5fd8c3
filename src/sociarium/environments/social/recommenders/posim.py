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
from sociarium.environments.social.recommenders.base import NONE, Choosing, packed, taken
from sociarium.environments.social.recommenders.candidates import SHOWN, Eligible, Pool
from sociarium.environments.social.recommenders.followed import Followed
from sociarium.environments.social.recommenders.ranked import Drawn, Mixed, Ranked
from sociarium.environments.social.recommenders.score import Score
from sociarium.environments.social.recommenders.terms import Decay, Interest, Popularity
from sociarium.environments.social.recommenders.vectors import Interests
from sociarium.kernel.errors import UsageError
from sociarium.kernel.randomness import Stream

if TYPE_CHECKING:
    from sociarium.environments.social.site import Site

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Embed = Callable[[Sequence[str]], Any]  # texts -> (texts, length): a text's vector depends on that text alone

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

    def look(self, platform: Site) -> None:
        """At what is new, in its order."""
        size = len(platform.posts)
        self.dropped = grown(self.dropped, size, False)
        fresh = np.arange(self.looked, size)
        self.looked = size
        fresh = fresh[platform.posts.kind[fresh] == Kind.POST]
        if not len(fresh) or self.embed is None or not self.rules.compared:
            return
        known = np.concatenate([self.recent, fresh])
        vectors = _unit(np.asarray(self.embed([str(text) for text in platform.posts.words(known)]), np.float64))
        kept = list(range(len(self.recent)))
        for place in range(len(self.recent), len(known)):
            last = kept[-self.rules.compared :]
            if last and float(np.einsum("md,d->m", vectors[last], vectors[place]).max()) > self.rules.alike:
                self.dropped[known[place]] = True
            else:
                kept.append(place)
        self.recent = known[kept[-self.rules.compared :]]

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
        self._of = {slots: self._composed(slots) for slots in range(1, self.rules.count + 1)}

    def choose(self, platform: Site, users: Ints, random: Stream, without: Ints | None) -> Ints:
        out = np.full((len(users), self.width), NONE, np.int64)
        slots = self.slots(users, random)
        for length, parts in self._of.items():
            rows = np.flatnonzero(slots == length)
            if not len(rows):
                continue
            known = None if without is None else without[rows]
            found = parts.choose(platform, users[rows], random.at("feed"), known)
            found = packed(found, found >= 0, length)  # the last part fills what is left
            out[rows, :length] = taken(found, length, random.at("order"), users[rows]) if self.rules.shuffled else found
        return out

    def slots(self, users: Ints, random: Stream) -> Ints:
        """How long each reader's feed is in this turn."""
        if not self.rules.even:
            return np.full(len(users), self.rules.count, np.int64)
        return random.at("length").integers(0, self.rules.count, users)

    def applied(self, platform: Site, users: Ints, feed: Ints) -> None:
        self.repeats.look(platform)

    def state(self) -> dict[str, Any]:
        repeats = self.repeats
        return {"dropped": repeats.dropped[: repeats.looked].copy(), "looked": repeats.looked, "recent": repeats.recent.copy()}

    def load(self, state: Mapping[str, Any]) -> None:
        self.repeats.dropped, self.repeats.looked = np.array(state["dropped"], np.bool_), int(state["looked"])
        self.repeats.recent = np.array(state["recent"], np.int64)

    def _composed(self, slots: int) -> Mixed:
        """Originals, reposts, what is explored; then, where a half has too few, the best of all."""
        rules, exploring = self.rules, self.rules.exploring(slots)
        rest = slots - exploring
        parts: list[Choosing] = []
        for kinds, share in zip(BUCKETS, (rest - rest // 2, rest // 2), strict=True):
            known = (share + 1) // 2 if rules.relations else 0
            if known:
                parts.append(Followed(self.score, known, eligible=self._fresh(kinds), again=False))
            if share > known:
                parts.append(self._best(kinds, share - known))
        if exploring:
            parts.append(Drawn(exploring, pool=Pool(self._fresh(SHOWN)), again=False))
        if rest:
            parts.append(self._best(SHOWN, rest))
        return Mixed(parts)

    def _best(self, kinds: tuple[Kind, ...], count: int) -> Ranked:
        kept, shown = self.rules.breadth * count, None if self.rules.breadth == 1 else count
        return Ranked(self.score, kept, shown, pool=Pool(self._fresh(kinds), self.rules.scored), again=False)

    def _fresh(self, kinds: tuple[Kind, ...]) -> Fresh:
        return Fresh(kinds, 60 * self.rules.hours, self.repeats)


def _unit(vectors: Floats) -> Floats:
    lengths = np.sqrt(np.einsum("md,md->m", vectors, vectors))[:, None]
    return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
