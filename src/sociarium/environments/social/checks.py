"""What most actions ask first: may this user act, is there such a post, such a user?"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.social.posts import Kind
from sociarium.environments.social.site import Sieve, Site
from sociarium.kernel.actions import ActionTable

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NO_POST = "there is no such post"
NO_COMMENT = "there is no such comment"
NO_USER = "there is no such user"


class Checks(Site):
    """Refuses rows and says why."""

    def enter(self, action: str, table: ActionTable) -> Sieve:
        """A sieve over the rows of an action: users that are banned, or have not signed up, do nothing."""
        sieve = self.enter_unregistered(action, table)
        if self.rules.sign_up:
            sieve.drop(~self.registered[table.agents], "you have not signed up yet")
        return sieve

    def enter_unregistered(self, action: str, table: ActionTable) -> Sieve:
        """The same for those who have not signed up."""
        sieve = Sieve(action, table)
        if self.banned.any():
            sieve.drop(self.banned[table.agents], "your account was closed")
        return sieve

    def need_row(self, sieve: Sieve, argument: str, missing: str = NO_POST) -> Ints:
        """Keeps rows whose argument is the number of content that stood there as the turn began and was not removed."""
        ids = sieve.table[argument]
        sieve.drop(ids >= self._known, missing)
        rows = np.where(sieve.keep, ids, 0)
        if self._known:
            sieve.drop(self.posts.removed[rows] | self.posts.removed[self.posts.content(rows)], missing)
        return rows

    def need_post(self, sieve: Sieve, argument: str = "post") -> None:
        """The same where comments do not count."""
        rows = self.need_row(sieve, argument)
        if self._known:
            sieve.drop(self.posts.kind[rows] == Kind.COMMENT, NO_POST)

    def need_comment(self, sieve: Sieve, argument: str = "comment") -> None:
        """The same where only comments count."""
        rows = self.need_row(sieve, argument, NO_COMMENT)
        if self._known:
            sieve.drop(self.posts.kind[rows] != Kind.COMMENT, NO_COMMENT)

    def need_user(self, sieve: Sieve, argument: str = "user") -> None:
        """Keeps rows whose argument is a user who is here, and not the agent itself."""
        ids = sieve.table[argument]
        sieve.drop(ids == sieve.table.agents, "that is yourself")
        sieve.drop(~self.exists(ids), NO_USER)

    def authors(self, rows: Ints) -> Ints:
        return self.posts.author[rows].astype(np.int64)

    def topics_of(self, texts: NDArray[Any]) -> Any:
        return -1 if self.topics is None or not len(texts) else self.topics(texts.tolist())
