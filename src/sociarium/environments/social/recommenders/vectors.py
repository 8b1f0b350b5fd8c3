"""What interests whom, and what posts are about: vectors, computed once for each text and then kept.

Two sources. ``TopicInterests``: users have a vector, topics have one, and a post's ``topic`` says which. ``TextInterests``: an exact
embedder makes them of a user's description with its latest post, and of a post's text. Both are functions of the platform's tables
alone, so what is kept is a cache and no part of the state.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.environments.social.posts import Kind
from sociarium.environments.social.recommenders.grid import Grid, Vectors
from sociarium.kernel.errors import UsageError

if TYPE_CHECKING:
    from sociarium.environments.social.site import Site

Ints = NDArray[np.int64]
Array = NDArray[Any]
Embed = Callable[[Sequence[str]], Array]  # texts -> (texts, length): a text's vector depends on that text alone


class Interests(Protocol):
    """Where the vectors of readers and posts come from."""

    def vectors(self, platform: Site, users: Ints, posts: Ints) -> tuple[Grid, Grid, Ints | None]:
        """(users, length), (topics, length), and each post's row among the topics; None where they are the posts themselves."""
        ...


class TopicInterests:
    """``users``: (users, length); ``topics``: (topics, length). A post without a topic (-1) is like nothing."""

    def __init__(self, users: ArrayLike, topics: ArrayLike) -> None:
        readers, about = np.atleast_2d(np.asarray(users)), np.atleast_2d(np.asarray(topics))
        self.users, self.topics = Vectors(readers.shape[1]), Vectors(readers.shape[1])
        self.users.grow(len(readers))
        self.users.write(np.arange(len(readers)), readers)
        self.topics.grow(len(about) + 1)  # the last row stays zero: no topic
        self.topics.write(np.arange(len(about)), about)

    def vectors(self, platform: Site, users: Ints, posts: Ints) -> tuple[Grid, Grid, Ints | None]:
        topic = platform.posts.topic[platform.posts.content(posts)].astype(np.int64)
        if len(topic) and int(topic.max()) >= self.topics.size - 1:
            raise UsageError(f"a post has topic {int(topic.max())}, but there are vectors for {self.topics.size - 1} topics")
        if len(users) and int(users.max()) >= self.users.size:
            raise UsageError(f"user {int(users.max())} has no vector of interests: there are {self.users.size}")
        return self.users.rows[users], self.topics.rows, np.where(topic < 0, self.topics.size - 1, topic)


class TextInterests:
    """By an exact embedder. A user's text is its description with the text of its latest post (``latest``), as in OASIS. A text's vector
    is computed when a post with it is first a candidate; a user's anew when it refreshes after it has posted.
    """

    def __init__(self, embed: Embed, descriptions: Sequence[str], *, latest: bool = True) -> None:
        self.embed = embed
        self.descriptions = list(descriptions)
        self.latest = latest
        self._length = int(np.atleast_2d(np.asarray(embed([""]))).shape[1])
        self._forget(None)

    def vectors(self, platform: Site, users: Ints, posts: Ints) -> tuple[Grid, Grid, Ints | None]:
        if self._of is not platform.posts.texts.numbered:  # other texts have these numbers now: the run was loaded
            self._forget(platform.posts.texts.numbered)
        topics, row = self._topics(platform, posts)
        return self._readers(platform, users), topics, row

    def __deepcopy__(self, memo: dict[int, Any]) -> TextInterests:
        """A fork begins without a cache."""
        return TextInterests(self.embed, self.descriptions, latest=self.latest)

    def _forget(self, numbered: object) -> None:
        self._of = numbered
        self._users, self._posts = Vectors(self._length), Vectors(self._length)
        self._made: NDArray[np.bool_] = np.zeros(0, np.bool_)  # which texts have a vector
        self._since: Ints = np.zeros(0, np.int64)  # the number of the text that a user's vector was made with; -2: there is none

    def _topics(self, platform: Site, posts: Ints) -> tuple[Grid, Ints]:
        """One vector a text that these posts have, and each post's row among them; a repost has its original's text."""
        texts, row = np.unique(platform.posts.text[posts], return_inverse=True)
        if (size := len(platform.posts.texts)) > len(self._made):
            self._posts.grow(size)
            self._made = np.concatenate([self._made, np.zeros(self._posts.size - len(self._made), np.bool_)])
        fresh = texts[~self._made[texts]]
        if len(fresh):
            self._posts.write(fresh, self.embed([str(text) for text in platform.posts.texts.of(fresh)]))
            self._made[fresh] = True
        return self._posts.rows[texts], row

    def _readers(self, platform: Site, users: Ints) -> Grid:
        size = int(users.max(initial=-1)) + 1
        if size > len(self._since):
            self._users.grow(size)
            self._since = np.concatenate([self._since, np.full(self._users.size - len(self._since), -2, np.int64)])
        newest = latest_posts(platform, users) if self.latest else np.full(len(users), -1, np.int64)
        number = np.where(newest >= 0, platform.posts.text[np.maximum(newest, 0)], -1) if len(platform.posts) else newest
        stale = np.flatnonzero(self._since[users] != number)
        if len(stale):
            said = platform.posts.texts.of(number[stale])
            texts = [f"{self._described(user)} {words}".strip() for user, words in zip(users[stale].tolist(), said, strict=True)]
            self._users.write(users[stale], self.embed(texts))
            self._since[users[stale]] = number[stale]
        return self._users.rows[users]

    def _described(self, user: int) -> str:
        return self.descriptions[user] if user < len(self.descriptions) else ""


def latest_posts(platform: Site, users: Ints) -> Ints:
    """Each user's newest row that is no comment; -1 where there is none."""
    out = np.full(len(users), -1, np.int64)
    waiting, most = np.arange(len(users)), 4
    while len(waiting):
        starts, rows = platform.posts.by(users[waiting], most)
        counts = np.diff(starts)
        posted = platform.posts.kind[rows] != int(Kind.COMMENT)
        owner = np.repeat(waiting, counts)[posted]
        first, at = np.unique(owner, return_index=True)
        out[first] = rows[posted][at]
        waiting, most = waiting[(out[waiting] < 0) & (counts == most)], 4 * most
    return out
