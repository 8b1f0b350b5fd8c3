"""What those who run the platform can do, planned as interventions or given while a run goes on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.environments.social.moderated import Moderated
from sociarium.environments.social.posts import Kind
from sociarium.kernel.actions import operation
from sociarium.kernel.environment import Events, Outcome
from sociarium.kernel.errors import UsageError

Ints = NDArray[np.int64]


class Operating(Moderated):
    """Each says what it did in events of the world (or of the users in whose name it was done)."""

    @operation("Close the accounts of users: they see, but do nothing.")
    def ban(self, users: ArrayLike) -> Outcome:
        who = self._users(users)
        self.banned[who] = True
        return Outcome([Events("banned", who, {}, "own")])

    @operation("Open closed accounts again.")
    def unban(self, users: ArrayLike) -> Outcome:
        who = self._users(users)
        self.banned[who] = False
        return Outcome([Events("unbanned", who, {}, "own")])

    @operation("Take posts or comments down: nobody is shown them, nothing more happens to them.")
    def delete(self, posts: ArrayLike) -> Outcome:
        rows = self._rows_of(posts)
        self.posts.removed[rows] = True
        return Outcome([Events("deleted", self.authors(rows), {"post": rows}, "own")])

    @operation("Put back what was taken down.")
    def restore(self, posts: ArrayLike) -> Outcome:
        rows = self._rows_of(posts)
        self.posts.removed[rows] = False
        return Outcome([Events("restored", self.authors(rows), {"post": rows}, "own")])

    @operation('Put a notice on posts, shown to whoever reads them; "" takes it away.')
    def label(self, posts: ArrayLike, text: str) -> Outcome:
        rows = self._rows_of(posts)
        self.posts.label[rows] = self.label_number(text)
        return Outcome([Events("labelled", self.authors(rows), {"post": rows, "label": _same(text, len(rows))}, "nobody")])

    @operation("Multiply the score of posts in recommenders by a factor from 0 to 1.")
    def demote(self, posts: ArrayLike, factor: float) -> Outcome:
        rows = self._rows_of(posts)
        if not 0 <= factor <= 1:
            raise UsageError(f"platform.demote: factor is {factor}; it lies from 0 to 1")
        self.posts.factor[rows] = factor
        return Outcome([Events("demoted", self.authors(rows), {"post": rows, "factor": np.full(len(rows), factor)}, "nobody")])

    @operation("Publish posts in the name of users: news, seeds of a cascade.")
    def publish(self, users: ArrayLike, texts: str | Sequence[str]) -> Outcome:
        who = self._users(users)
        words = [texts] * len(who) if isinstance(texts, str) else list(texts)
        if len(words) != len(who):
            raise UsageError(f"platform.publish: {len(words)} texts for {len(who)} users; give one a user, or one for all")
        column = np.empty(len(words), object)
        column[:] = words
        rows = self.posts.append(who, self.world.clock.time, Kind.POST, words, topic=self.topics_of(column))
        self.latest[who] = rows
        return Outcome([Events("posted", who, {"post": rows, "text": column}, "own")])

    @operation("Cast votes in the name of a user: 1 a like, -1 a dislike, 0 nothing; votes that stand already are passed over.")
    def rate(self, user: int, posts: ArrayLike, votes: ArrayLike) -> Outcome:
        rows = self.posts.content(self._rows_of(posts))
        signs = np.broadcast_to(np.asarray(votes, np.int64), rows.shape)
        who, outcome = np.broadcast_to(self._users(user), rows.shape), Outcome()
        comments = self.posts.kind[rows] == Kind.COMMENT
        for sign, pairs, counts, kind in ((1, self.liked, self.posts.likes, "liked"), (-1, self.disliked, self.posts.dislikes, "disliked")):
            cast = np.flatnonzero(signs == sign)
            cast = cast[pairs.add(who[cast], rows[cast])]
            np.add.at(counts, rows[cast], 1)
            for mine, argument, prefix in ((~comments[cast], "post", ""), (comments[cast], "comment", "comment_")):
                done = rows[cast[mine]]
                told: dict[str, Any] = {argument: done, "author": self.authors(done)}
                outcome.events.append(Events(prefix + kind, np.array(who[cast[mine]]), told, "own"))
        return outcome

    @operation("Have users follow others, pair by pair; what stands already is passed over.")
    def connect(self, users: ArrayLike, others: ArrayLike) -> Outcome:
        a, b = self._pairs(users, others)
        new = self.follows.follow(a, b)
        return Outcome([Events("followed", a[new], {"user": b[new]}, "own")])

    @operation("Have users no longer follow others, pair by pair.")
    def disconnect(self, users: ArrayLike, others: ArrayLike) -> Outcome:
        a, b = self._pairs(users, others)
        gone = self.follows.unfollow(a, b)
        return Outcome([Events("unfollowed", a[gone], {"user": b[gone]}, "own")])

    def _users(self, users: ArrayLike) -> Ints:
        who = np.atleast_1d(np.asarray(users, np.int64))
        if len(strangers := who[(who < 0) | (who >= self.users)]):
            raise UsageError(f"there is no user {int(strangers[0])}; there are {self.users}, numbered from 0")
        return who

    def _rows_of(self, posts: ArrayLike) -> Ints:
        rows = np.atleast_1d(np.asarray(posts, np.int64))
        if len(strangers := rows[(rows < 0) | (rows >= len(self.posts))]):
            raise UsageError(f"there is no post {int(strangers[0])}; there are {len(self.posts)}, numbered from 0")
        return rows

    def _pairs(self, users: ArrayLike, others: ArrayLike) -> tuple[Ints, Ints]:
        a, b = np.broadcast_arrays(self._users(users), self._users(others))
        return np.array(a), np.array(b)


def _same(text: str, size: int) -> NDArray[Any]:
    return np.full(size, text, object)
