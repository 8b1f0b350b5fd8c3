"""What a user of the growing network is shown in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.social.posts import Kind
from sociarium.environments.social.reading import Reading
from sociarium.environments.wording import Wording
from sociarium.kernel.content import Block, Content, Trust, said
from sociarium.kernel.turn import Observations

if TYPE_CHECKING:
    from sociarium.scenarios.friendship_paradox.world import Habits

Array = NDArray[Any]
HERE = Path(__file__).parent
LAST_POSTS = 5  # own posts whose reactions are told


@dataclass(frozen=True, slots=True)
class ParadoxWording(Wording):
    """Templates of what the platform says; the words of users follow as blocks of their own."""

    PLACES: ClassVar[Mapping[str, frozenset[str]]] = {
        "you": frozenset({"name", "followers", "followees"}),
        "suggested": frozenset({"name", "number", "followers"}),
        "own": frozenset({"post", "virality", "feeling"}),
        "counts": frozenset({"published", "nothing", "shared", "liked", "disliked", "commented"}),
        "asked": frozenset({"name"}),
        "empty": frozenset(),
        "history": frozenset(),
        "begin": frozenset(),
        "choices": frozenset(),
        "doing": frozenset({"doing"}),
    }

    you: str
    suggested: str
    own: str
    counts: str
    asked: str
    empty: str
    history: str
    begin: str
    choices: str
    doing: str
    create_post: str  # what one has chosen to do, by the action
    repost: str
    like_post: str
    dislike_post: str
    create_comment: str


WORDING = ParadoxWording.read(HERE / "wording.yaml")


class Showing(Reading):
    """Who is suggested, how the own posts were taken, what the feed holds, which comment is to be answered."""

    habits: Habits
    histories: tuple[str, ...]

    def describe(self, seen: Observations, row: int) -> Content:
        part = seen.parts.get(self.name)
        if part is None:
            return ()
        turn, agent = seen.turn, int(seen.turn.agents[row])
        if turn.offered("introduce"):
            return self._told_history(agent)
        blocks = [self._words("you", name=self._name(agent), **self._ties(agent))]
        if "suggested" in part:
            return (*blocks, *self._told_users(part["suggested"][row]))
        if "asked" in part:
            return (*blocks, *self._told_comment(int(part["asked"][row])))
        if turn.offered("choose"):
            blocks += self._told_reactions(agent)
            if self.habits.behaviour:
                names = ("published", "nothing", "shared", "liked", "disliked", "commented")
                blocks.append(self._words("counts", **dict(zip(names, part["counts"][row].tolist(), strict=True))))
        feed = part["feed"][row]
        blocks += self.told(feed[feed >= 0], turn.time, agent) or (self._words("empty"),)
        if turn.offered("choose"):
            return (*blocks, self._words("choices" if (feed >= 0).any() else "begin"))
        doing = next((spec.name for spec in turn.offers if hasattr(WORDING, spec.name)), None)
        return (*blocks, self._words("doing", doing=WORDING.say(doing))) if doing else tuple(blocks)

    def _told_history(self, agent: int) -> Content:
        """Posts from outside of the run: data, never instructions."""
        posts = self.histories[agent].split("\n") if agent < len(self.histories) else []
        shown = [Block(text, origin=f"account:{agent}", trust=Trust.OUTSIDE) for text in posts if text]
        return (self._words("history"), *shown)

    def _told_users(self, users: Array) -> list[Block]:
        blocks: list[Block] = []
        for user in users[users >= 0].tolist():
            values = {"name": self._name(user), "number": user, "followers": int(self.follows.followers[user])}
            persona = str(self.world.population.get(np.array([user]), "persona")[0])
            blocks += [self._words("suggested", **values), *([said(persona, f"user:{user}")] if persona else [])]
        return blocks

    def _told_comment(self, comment: int) -> list[Block]:
        parent = int(self.posts.parent[comment])
        author = self._name(int(self.posts.author[comment]))
        return [self._said(parent), self._words("asked", name=author), self._said(comment)]

    def _told_reactions(self, agent: int) -> list[Block]:
        """How the newest own posts were taken; who has no followers hears nothing."""
        if not self.follows.followers[agent]:
            return []
        rows = self.posts.by([agent])[1]
        rows = rows[self.posts.kind[rows] == Kind.POST][:LAST_POSTS]
        blocks: list[Block] = []
        for row in rows.tolist():
            feeling = int(self.posts.likes[row]) - int(self.posts.dislikes[row])
            blocks += [self._words("own", post=row, virality=int(self.posts.shares[row]), feeling=feeling), self._said(row)]
        return blocks

    def _words(self, template: str, **values: Any) -> Block:
        return Block(WORDING.say(template, **values), origin=self.name)
