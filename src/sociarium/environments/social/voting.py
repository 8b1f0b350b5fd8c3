"""Judging: likes, dislikes, reports, of posts and of comments."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.social.checks import Checks
from sociarium.environments.social.pairs import Pairs
from sociarium.environments.social.posting import COMMENT, POST
from sociarium.environments.social.site import Sieve
from sociarium.kernel.actions import ActionTable, Text, action
from sociarium.kernel.environment import Events, Outcome
from sociarium.kernel.turn import Observations, Turn

Ints = NDArray[np.int64]
Counts = NDArray[np.int32]


class Voting(Checks):
    """A vote for a repost goes to its original. Likes and dislikes are kept apart: one may have both."""

    @action("Like a post.", post=POST)
    def like_post(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        sieve = self.enter("like_post", table)
        self.need_post(sieve)
        return self._vote(sieve, "post", "liked", self.liked, self.posts.likes, "you like it already")

    @action("Take back your like of a post.", post=POST)
    def unlike_post(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        sieve = self.enter("unlike_post", table)
        self.need_post(sieve)
        return self._undo(sieve, "post", "unliked", self.liked, self.posts.likes, "you had not liked it")

    @action("Dislike a post.", post=POST)
    def dislike_post(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        sieve = self.enter("dislike_post", table)
        self.need_post(sieve)
        return self._vote(sieve, "post", "disliked", self.disliked, self.posts.dislikes, "you dislike it already")

    @action("Take back your dislike of a post.", post=POST)
    def undo_dislike_post(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        sieve = self.enter("undo_dislike_post", table)
        self.need_post(sieve)
        return self._undo(sieve, "post", "undisliked", self.disliked, self.posts.dislikes, "you had not disliked it")

    @action("Like a comment.", comment=COMMENT)
    def like_comment(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        sieve = self.enter("like_comment", table)
        self.need_comment(sieve)
        return self._vote(sieve, "comment", "comment_liked", self.liked, self.posts.likes, "you like it already")

    @action("Take back your like of a comment.", comment=COMMENT)
    def unlike_comment(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        sieve = self.enter("unlike_comment", table)
        self.need_comment(sieve)
        return self._undo(sieve, "comment", "comment_unliked", self.liked, self.posts.likes, "you had not liked it")

    @action("Dislike a comment.", comment=COMMENT)
    def dislike_comment(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        sieve = self.enter("dislike_comment", table)
        self.need_comment(sieve)
        return self._vote(sieve, "comment", "comment_disliked", self.disliked, self.posts.dislikes, "you dislike it already")

    @action("Take back your dislike of a comment.", comment=COMMENT)
    def undo_dislike_comment(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        sieve = self.enter("undo_dislike_comment", table)
        self.need_comment(sieve)
        return self._undo(sieve, "comment", "comment_undisliked", self.disliked, self.posts.dislikes, "you had not disliked it")

    @action("Report a post to those who run the platform.", post=POST, reason=Text(longest=500, doc="what is wrong with it", private=True))
    def report_post(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        sieve = self.enter("report_post", table)
        self.need_post(sieve)
        rows = self.posts.content(sieve.column("post"))
        sieve.drop_kept(~self.reported.add(sieve.agents, rows), "you have reported it already")
        rows = self.posts.content(sieve.column("post"))
        np.add.at(self.posts.reports, rows, 1)
        if self.rules.removal_threshold is not None:
            self.posts.removed[rows[self.posts.reports[rows] >= self.rules.removal_threshold]] = True
        told = {"post": rows, "author": self.authors(rows), "reason": sieve.column("reason")}
        events = Events("reported", sieve.agents, told, "own", private=frozenset({"reason"}))
        return sieve.outcome.add(Outcome([events]))

    def _vote(self, sieve: Sieve, argument: str, kind: str, votes: Pairs, counts: Counts, again: str) -> Outcome:
        rows = self.posts.content(sieve.column(argument))
        if not self.rules.self_votes:
            sieve.drop_kept(self.authors(rows) == sieve.agents, "nobody votes for themselves here")
            rows = self.posts.content(sieve.column(argument))
        new = votes.add(sieve.agents, rows)
        if not new.all():
            sieve.drop_kept(~new, again)
            rows = rows[new]
        np.add.at(counts, rows, 1)
        return sieve.done(kind, sieve.agents, **{argument: rows, "author": self.authors(rows)})

    def _undo(self, sieve: Sieve, argument: str, kind: str, votes: Pairs, counts: Counts, never: str) -> Outcome:
        rows = self.posts.content(sieve.column(argument))
        gone = votes.remove(sieve.agents, rows)
        sieve.drop_kept(~gone, never)
        rows = rows[gone]
        np.add.at(counts, rows, -1)
        return sieve.done(kind, sieve.agents, **{argument: rows, "author": self.authors(rows)})
