"""Writing: posts, reposts, quotes, comments."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.social.moderated import Moderated
from sociarium.environments.social.posts import Kind
from sociarium.environments.social.site import MOST
from sociarium.kernel.actions import ActionTable, Integer, Text, action
from sociarium.kernel.environment import Outcome
from sociarium.kernel.turn import Observations, Turn

Ints = NDArray[np.int64]

LONGEST = 2000  # characters of a post
POST = Integer(0, MOST, doc="the number of a post")
COMMENT = Integer(0, MOST, doc="the number of a comment")


class Posting(Moderated):
    """What adds rows to the content."""

    @action("Write a post.", text=Text(longest=LONGEST, doc="what it says"))
    def create_post(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        sieve = self.enter("create_post", table)
        flagged = self.moderate(turn, sieve)
        who, texts = sieve.agents, sieve.column("text")
        rows = self.posts.append(who, turn.time, Kind.POST, texts.tolist(), topic=self.topics_of(texts))
        self.latest[who] = rows
        self.mark(flagged, rows)
        return sieve.done("posted", who, post=rows, text=texts)

    @action("Share a post as it is with those who follow you.", post=POST)
    def repost(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        sieve = self.enter("repost", table)
        self.need_post(sieve)
        parent = sieve.column("post")
        original = self.posts.content(parent)
        sieve.drop_kept(~self.shared.add(sieve.agents, original), "you have shared it already")
        parent = sieve.column("post")
        original = self.posts.content(parent)
        rows = self.posts.append(sieve.agents, turn.time, Kind.REPOST, original=original, parent=parent, topic=self.posts.topic[original])
        np.add.at(self.posts.shares, original, 1)
        return sieve.done("reposted", sieve.agents, post=rows, original=original, parent=parent, author=self.authors(original))

    @action("Share a post with words of your own.", post=POST, text=Text(longest=LONGEST, doc="your words"))
    def quote_post(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        sieve = self.enter("quote_post", table)
        self.need_post(sieve)
        flagged = self.moderate(turn, sieve)
        who, texts, parent = sieve.agents, sieve.column("text"), sieve.column("post")
        original = self.posts.content(parent)
        topics = self.topics_of(texts)
        rows = self.posts.append(who, turn.time, Kind.QUOTE, texts.tolist(), original=original, parent=parent, topic=topics)
        self.latest[who] = rows
        np.add.at(self.posts.shares, original, 1)
        told: dict[str, Any] = {"post": rows, "original": original, "parent": parent, "author": self.authors(original), "text": texts}
        self.mark(flagged, rows)
        return sieve.done("quoted", who, **told)

    @action("Comment on a post, or answer a comment.", post=POST, text=Text(longest=LONGEST, doc="what you say"))
    def create_comment(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        sieve = self.enter("create_comment", table)
        self.need_row(sieve, "post")
        flagged = self.moderate(turn, sieve)
        who, texts = sieve.agents, sieve.column("text")
        parent = self.posts.content(sieve.column("post"))
        under = np.where(self.posts.kind[parent] == Kind.COMMENT, self.posts.original[parent], parent)
        rows = self.posts.append(who, turn.time, Kind.COMMENT, texts.tolist(), original=under, parent=parent, topic=self.posts.topic[under])
        np.add.at(self.posts.comments, parent, 1)
        told: dict[str, Any] = {"comment": rows, "post": under, "parent": parent, "author": self.authors(parent), "text": texts}
        self.mark(flagged, rows)
        return sieve.done("commented", who, **told)
