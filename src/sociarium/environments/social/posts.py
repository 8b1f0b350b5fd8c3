"""All content of a platform, as columns: posts, reposts, quotes and comments are rows of one table, numbered in order of arrival."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.environments.social.chains import Chains, Ragged, grown
from sociarium.environments.social.texts import Texts

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Array = NDArray[Any]


class Kind(IntEnum):
    POST = 0
    REPOST = 1  # somebody else's post shown again as it is
    QUOTE = 2  # somebody else's post with words of one's own
    COMMENT = 3


COLUMNS: Mapping[str, Any] = {
    "author": np.int32,
    "time": np.int64,  # microseconds
    "kind": np.uint8,
    "original": np.int32,  # the post that a repost shows, that a quote quotes, or that a comment stands under; -1
    "parent": np.int32,  # the row it was made from: the repost that was reposted, the comment that was answered; -1
    "likes": np.int32,
    "dislikes": np.int32,
    "shares": np.int32,  # reposts and quotes of it
    "comments": np.int32,  # comments made from it
    "reports": np.int32,
    "label": np.int16,  # the number of a label put on it; 0 for none
    "removed": np.bool_,
    "factor": np.float32,  # what recommenders multiply its score by: 1, less where it was demoted
    "text": np.int32,  # the number of its text; a repost has its original's
    "topic": np.int32,  # what rule minds say it is about, or the row of a vector; -1
}


class Posts:
    """A table that only grows. ``posts.author``, ``posts.likes`` ... are columns, views of the rows there are: platforms write into
    them, others read. Numbers of rows are for ever; a row is never taken out, only marked ``removed``.
    """

    author: NDArray[np.int32]
    time: Ints
    kind: NDArray[np.uint8]
    original: NDArray[np.int32]
    parent: NDArray[np.int32]
    likes: NDArray[np.int32]
    dislikes: NDArray[np.int32]
    shares: NDArray[np.int32]
    comments: NDArray[np.int32]
    reports: NDArray[np.int32]
    label: NDArray[np.int16]
    removed: Bools
    factor: NDArray[np.float32]
    text: NDArray[np.int32]
    topic: NDArray[np.int32]

    def __init__(self) -> None:
        self.texts = Texts()
        self._size = 0
        self._arrays: dict[str, Array] = {name: np.zeros(16, dtype) for name, dtype in COLUMNS.items()}
        self._by_author, self._by_parent, self._comments = Chains(), Chains(), Chains()

    def __len__(self) -> int:
        return self._size

    def __getattr__(self, name: str) -> Array:
        if name in COLUMNS:
            return self._arrays[name][: self._size]
        raise AttributeError(f"posts have no {name!r}; there are {', '.join(COLUMNS)}")

    def append(
        self,
        author: ArrayLike,
        time: int,
        kind: Kind | ArrayLike,
        texts: Sequence[str] | None = None,
        *,
        original: ArrayLike = -1,
        parent: ArrayLike = -1,
        topic: ArrayLike = -1,
    ) -> Ints:
        """New rows, one an author; their numbers. Without ``texts`` they show the text of their original."""
        who = np.atleast_1d(np.asarray(author))
        first, size = self._size, len(who)
        for name, array in self._arrays.items():
            self._arrays[name] = grown(array, first + size, 0)
        self._size += size
        rows = np.arange(first, self._size)
        if not size:
            return rows
        values = {"author": who, "time": time, "kind": kind, "original": original, "parent": parent, "factor": 1, "topic": topic}
        for name, value in values.items():
            self._arrays[name][first : self._size] = value
        self._arrays["text"][first : self._size] = self.text[np.asarray(original)] if texts is None else self.texts.append(texts)
        return rows

    def since(self, time: int) -> Ints:
        """The rows made at or after a time: rows stand in order of time."""
        return np.arange(int(np.searchsorted(self.time, time)), self._size)

    def content(self, rows: ArrayLike) -> Ints:
        """What is liked, shared or commented on where this row is shown: a repost's original, else the row itself."""
        which = np.asarray(rows, np.int64)
        return np.where(self.kind[which] == Kind.REPOST, self.original[which], which)

    def words(self, rows: ArrayLike) -> Array:
        """The texts of rows, an object array of their shape; "" for -1."""
        which = np.asarray(rows, np.int64)
        return self.texts.of(np.where(which >= 0, self.text[np.maximum(which, 0)], -1) if self._size else np.full(which.shape, -1))

    def made_from(self, rows: ArrayLike, most: int | None = None) -> Ragged:
        """For each row those made from it (reposts, quotes and comments), the newest first: starts, rows."""
        self._by_parent.extend(self.parent[self._by_parent.size :])
        return self._by_parent.rows(np.atleast_1d(np.asarray(rows, np.int64)), most)

    def comments_on(self, rows: ArrayLike, most: int | None = None) -> Ragged:
        """The same of comments alone."""
        fresh = slice(self._comments.size, None)
        self._comments.extend(np.where(self.kind[fresh] == Kind.COMMENT, self.parent[fresh], np.int32(-1)))
        return self._comments.rows(np.atleast_1d(np.asarray(rows, np.int64)), most)

    def by(self, authors: ArrayLike, most: int | None = None) -> Ragged:
        """For each author their rows, the newest first: starts, rows."""
        self._by_author.extend(self.author[self._by_author.size :])
        return self._by_author.rows(np.atleast_1d(np.asarray(authors, np.int64)), most)

    def state(self) -> dict[str, Any]:
        return {"columns": {name: array[: self._size].copy() for name, array in self._arrays.items()}, "texts": self.texts.state()}

    def load(self, state: Mapping[str, Any]) -> None:
        self._arrays = {name: np.array(state["columns"][name], dtype) for name, dtype in COLUMNS.items()}
        self._size = len(self._arrays["author"])
        self.texts.load(state["texts"])
        self._by_author, self._by_parent, self._comments = Chains(), Chains(), Chains()
