"""What a score is made of. A post term gives one value a post; a pair term gives one for each reader and post.

A term of your own subclasses ``PostTerm`` or ``PairTerm``, or wraps a function in ``Custom``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.social.recommenders import scores
from sociarium.environments.social.recommenders.grid import Grid, Vectors, cosines, steps
from sociarium.environments.social.recommenders.vectors import Interests
from sociarium.kernel.errors import UsageError
from sociarium.kernel.units import HOUR, MINUTE, SECOND

if TYPE_CHECKING:
    from sociarium.environments.social.site import Site

Array = NDArray[Any]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Block = NDArray[np.float32]


class PostTerm:
    """One value a post, the same for every reader; nan: it is not recommended."""

    def values(self, platform: Site, posts: Ints) -> Floats:
        raise NotImplementedError(type(self).__name__)


class PairTerm:
    """One value for each reader and post. It must depend on these two only, never on who else is asked for."""

    def block(self, platform: Site, users: Ints, posts: Ints) -> Block:
        """(users, posts)."""
        raise NotImplementedError(type(self).__name__)

    def pairs(self, platform: Site, users: Ints, posts: Ints) -> Block:
        """One value a row: of its user and its post."""
        raise NotImplementedError(type(self).__name__)


Term = PostTerm | PairTerm


@dataclass(frozen=True, slots=True)
class Recency(PostTerm):
    """R of OASIS. ``ages`` False: as its code does, which computes R when a post is first ranked, and never again."""

    ages: bool = True

    def values(self, platform: Site, posts: Ints) -> Floats:
        age = (platform.world.clock.time - platform.posts.time[posts]) / MINUTE
        return scores.recency(age if self.ages else np.zeros(len(posts)))


@dataclass(frozen=True, slots=True)
class Fame(PostTerm):
    """F of OASIS, from how many follow the author."""

    def values(self, platform: Site, posts: Ints) -> Floats:
        return scores.fame(platform.follows.followers[platform.posts.author[posts]])


@dataclass(frozen=True, slots=True)
class Hot(PostTerm):
    """Reddit's hot score. ``epoch``: seconds from 1970 to time 0 of the run; ``digits``: rounded so, as OASIS's code does (7)."""

    epoch: float = 0.0
    digits: int | None = None

    def values(self, platform: Site, posts: Ints) -> Floats:
        table = platform.posts
        voted = table.content(posts)
        return scores.hot(table.likes[voted], table.dislikes[voted], self.epoch + table.time[posts] / SECOND, digits=self.digits)


@dataclass(frozen=True, slots=True)
class Likes(PostTerm):
    """How many like a post; of a repost, its original."""

    def values(self, platform: Site, posts: Ints) -> Floats:
        return platform.posts.likes[platform.posts.content(posts)].astype(np.float64)


@dataclass(frozen=True, slots=True)
class Newest(PostTerm):
    """The later a post was made, the higher."""

    def values(self, platform: Site, posts: Ints) -> Floats:
        return platform.posts.time[posts].astype(np.float64)


@dataclass(frozen=True, slots=True)
class Popularity(PostTerm):
    """P of POSIM, from likes, shares and comments; ``least`` 1 as in its code."""

    least: int = 0

    def values(self, platform: Site, posts: Ints) -> Floats:
        table = platform.posts
        shown = table.content(posts)
        return scores.engagement(table.likes[shown], table.shares[shown], table.comments[shown], least=self.least)


@dataclass(frozen=True, slots=True)
class Decay(PostTerm):
    """R of POSIM: e^(-age / scale)."""

    scale: float = 24.0  # hours

    def values(self, platform: Site, posts: Ints) -> Floats:
        return scores.decay((platform.world.clock.time - platform.posts.time[posts]) / HOUR, scale=self.scale)


@dataclass(frozen=True, slots=True)
class Custom(PostTerm):
    """A function of your own: (platform, posts) -> one value a post."""

    function: Callable[[Site, Ints], Floats]

    def values(self, platform: Site, posts: Ints) -> Floats:
        return self.function(platform, posts)


class Interest(PairTerm):
    """S: the cosine between what interests a reader and a post. ``missing`` where either has no vector (POSIM: 0.5); ``sign`` -1 puts
    the least similar first."""

    def __init__(self, interests: Interests, *, missing: float = 0.0, sign: int = 1) -> None:
        if sign not in (1, -1):
            raise UsageError(f"the sign of an interest is 1 (most similar first) or -1 (least similar first), not {sign}")
        self.interests, self.missing, self.sign = interests, missing, sign

    def block(self, platform: Site, users: Ints, posts: Ints) -> Block:
        readers, topics, row = self.interests.vectors(platform, users, posts)
        out = cosines(readers, topics)
        if self.sign < 0:
            np.negative(out, out=out)
        if self.missing:
            out[~readers.any(axis=1)] = self.missing
            out[:, ~topics.any(axis=1)] = self.missing
        return out if row is None else out[:, row]

    def pairs(self, platform: Site, users: Ints, posts: Ints) -> Block:
        readers, topics, row = self.interests.vectors(platform, users, posts)
        return self._each(readers, topics if row is None else topics[row])

    def _each(self, a: Grid, b: Grid) -> Block:
        out = np.einsum("nd,nd->n", a, b) * np.float32(self.sign / steps(a.shape[1]) ** 2)
        if self.missing:
            out[~a.any(axis=1) | ~b.any(axis=1)] = self.missing
        return out


class Kinship(PairTerm):
    """The cosine between a reader and the author of the original, each with a vector of their own: (users, length)."""

    def __init__(self, vectors: Array, *, sign: int = 1) -> None:
        self.people = Vectors(np.asarray(vectors).shape[1])
        self.people.grow(len(vectors))
        self.people.write(np.arange(len(vectors)), vectors)
        self.sign = sign

    def block(self, platform: Site, users: Ints, posts: Ints) -> Block:
        authors, row = np.unique(_writers(platform, posts), return_inverse=True)
        out = cosines(self.people.rows[users], self.people.rows[authors])
        return (out if self.sign > 0 else -out)[:, row]

    def pairs(self, platform: Site, users: Ints, posts: Ints) -> Block:
        a, b = self.people.rows[users], self.people.rows[_writers(platform, posts)]
        return np.einsum("nd,nd->n", a, b) * np.float32(self.sign / steps(a.shape[1]) ** 2)


class InNetwork(PairTerm):
    """1 where the reader follows who put up the post, else 0."""

    def block(self, platform: Site, users: Ints, posts: Ints) -> Block:
        authors, row = np.unique(platform.posts.author[posts], return_inverse=True)
        starts, followed = platform.follows.following(users)
        place = np.searchsorted(authors, followed)
        known = (place < len(authors)) & (authors[np.minimum(place, len(authors) - 1)] == followed) if len(authors) else place < 0
        out = np.zeros((len(users), len(authors)), np.float32)
        out[np.repeat(np.arange(len(users)), np.diff(starts))[known], place[known]] = 1.0
        return out[:, row]

    def pairs(self, platform: Site, users: Ints, posts: Ints) -> Block:
        return platform.follows.has(users, platform.posts.author[posts]).astype(np.float32)


def _writers(platform: Site, posts: Ints) -> Ints:
    """Who wrote what is shown: of a repost, the author of the original."""
    return platform.posts.author[platform.posts.content(posts)].astype(np.int64)
