"""The platform in words: a feed as blocks, what users wrote apart from what the platform says about it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.social.checks import Checks
from sociarium.environments.social.posts import Kind
from sociarium.kernel.content import Block, Content, said
from sociarium.kernel.turn import Observations
from sociarium.kernel.units import MINUTE

Ints = NDArray[np.int64]


class Reading(Checks):
    """Pure: nothing here changes the platform."""

    def describe(self, seen: Observations, row: int) -> Content:
        if self.name not in seen.parts:
            return ()
        agent, feed = int(seen.turn.agents[row]), seen[self.name]["feed"][row]
        blocks = [self._engine("you", name=self.names(np.array([agent]))[0], number=agent, **self._ties(agent))]
        shown = self.told(feed[feed >= 0], seen.turn.time, agent)
        blocks += shown or (self._engine("empty"),)
        blocks += self._of_groups(agent)
        if self.products:
            listed = "; ".join(self.wording.say("product", number=at, product=name) for at, name in enumerate(self.products))
            blocks.append(self._engine("products", products=listed))
        return tuple(blocks)

    def told(self, rows: Ints, time: int, reader: int) -> Content:
        """Posts in words, each with its counts, warnings and best comments."""
        blocks: list[Block] = []
        for row in rows.tolist():
            blocks += self._post(row, time, reader)
        return tuple(blocks)

    def introduced(self, users: Ints) -> Content:
        """Users in words."""
        ties = self.follows.followers[users].tolist()
        told = zip(users.tolist(), self.names(users), ties, strict=True)
        return tuple(self._engine("user", name=name, number=user, followers=followers) for user, name, followers in told)

    def _post(self, row: int, time: int, reader: int) -> list[Block]:
        posts, shown = self.posts, int(self.posts.content(row))
        author = int(posts.author[shown])
        values = {
            "post": shown,
            "author": self._name(author),
            "number": author,
            "votes": self._votes(shown),
            "shares": int(posts.shares[shown]),
            "comments": int(posts.comments[shown]),
            "age": max(0, (time - int(posts.time[shown])) // MINUTE),
        }
        kind, quoted = "post", -1
        if posts.kind[row] == Kind.REPOST:
            sharer = int(posts.author[row])
            kind, values = "repost", values | {"sharer": self._name(sharer), "sharer_number": sharer}
        elif posts.kind[shown] == Kind.QUOTE and not posts.removed[posts.original[shown]]:
            quoted = int(posts.original[shown])
            kind, values = "quote", values | {"quoted": quoted}
        blocks = [self._engine(kind, **values), *self._notices(shown), self._said(shown)]
        if quoted >= 0:
            whose = int(posts.author[quoted])
            known = {"post": quoted, "author": self._name(whose), "number": whose, "votes": self._votes(quoted)}
            counts = {"shares": int(posts.shares[quoted]), "comments": int(posts.comments[quoted])}
            age = max(0, (time - int(posts.time[quoted])) // MINUTE)
            blocks += [self._engine("post", **known, **counts, age=age), *self._notices(quoted), self._said(quoted)]
        return blocks + self._comments(shown, reader)

    def best_comments(self, post: int, reader: int | None = None) -> Ints:
        """The comments shown under a post: the first by ``ranked``, without those of users the reader mutes."""
        if not self.rules.comments_shown or not self.posts.comments[post]:
            return np.empty(0, np.int64)
        posts = self.posts
        rows = posts.comments_on([post])[1]
        rows = rows[~posts.removed[rows]]
        if reader is not None and len(rows):
            rows = rows[~self.muted.has(np.full(len(rows), reader), posts.author[rows])]
        return self.ranked(rows, reader)[: self.rules.comments_shown]

    def ranked(self, comments: Ints, reader: int | None = None) -> Ints:
        """Those with the best score first, of equals the newest."""
        score = self.posts.likes[comments].astype(np.int64) - self.posts.dislikes[comments]
        return comments[np.lexsort((-comments, -score))]

    def _comments(self, post: int, reader: int) -> list[Block]:
        blocks: list[Block] = []
        for row in self.best_comments(post, reader).tolist():
            author = int(self.posts.author[row])
            known = {"comment": row, "post": post, "author": self._name(author), "number": author}
            blocks += [self._engine("comment", votes=self._votes(row), **known), self._said(row)]
        return blocks

    def _notices(self, row: int) -> list[Block]:
        """What the platform says about a post: that it was reported, and its label."""
        blocks: list[Block] = []
        if (reports := int(self.posts.reports[row])) >= self.rules.report_threshold:
            blocks.append(self._engine("warning", post=row, reports=reports))
        if label := self.labels[int(self.posts.label[row])]:
            blocks.append(self._engine("label", post=row, label=label))
        return blocks

    def _of_groups(self, agent: int) -> list[Block]:
        """The groups that one is in, and what was said there last."""
        blocks: list[Block] = []
        for group in np.sort(self.joined.of([agent])[1]).tolist():
            blocks += [self._engine("group", group=group), said(self.groups[group], "group")]
            for row in self.talk.made_from([group], self.rules.groups_shown)[1][::-1].tolist():
                author = int(self.talk.author[row])
                blocks.append(self._engine("group_message", group=group, author=self._name(author), number=author))
                blocks.append(said(str(self.talk.words(np.array([row]))[0]), f"user:{author}"))
        return blocks

    def _votes(self, row: int) -> str:
        likes, dislikes = int(self.posts.likes[row]), int(self.posts.dislikes[row])
        if self.rules.show_score:
            return self.wording.say("score", score=likes - dislikes)
        return self.wording.say("votes", likes=likes, dislikes=dislikes)

    def _ties(self, user: int) -> dict[str, int]:
        return {"followers": int(self.follows.followers[user]), "followees": int(self.follows.followees[user])}

    def _said(self, row: int) -> Block:
        return said(str(self.posts.words(np.array([row]))[0]), f"user:{int(self.posts.author[row])}")

    def _name(self, user: int) -> str:
        return self.names(np.array([user]))[0]

    def _engine(self, template: str, **values: object) -> Block:
        return Block(self.wording.say(template, **values), origin=self.name)
