"""Rules by which users behave where no model and no data say better: vectorised functions for ``RuleMind``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.social.site import Site
from sociarium.kernel.actions import Actions
from sociarium.kernel.errors import UsageError
from sociarium.kernel.turn import Observations, Turn

Rule = Callable[[Turn, Observations], Actions]
Ints = NDArray[np.int64]
Array = NDArray[Any]
Words = Callable[[Turn, Ints, str], Array]  # turn, agents, action -> what each writes, an object array


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """The chance of each act in a turn, one act of a kind at most. All but ``post`` go to a post drawn from one's feed: its number, or for
    ``follow`` its author."""

    post: float = 0.1
    like: float = 0.2
    repost: float = 0.05
    follow: float = 0.05
    comment: float = 0.0
    dislike: float = 0.0
    quote: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            if not 0 <= getattr(self, field.name) <= 1:
                raise UsageError(f"Habits: {field.name} is {getattr(self, field.name)}; it is a probability")


def by_habit(platform: Site, habits: Habits | None = None, words: Words | None = None) -> Rule:
    """Everyone has the same habits and draws of their own. Nobody tries twice what they did before: like, share or follow the same."""
    given, says = habits or Habits(), words or plain_words

    def rule(turn: Turn, seen: Observations) -> Actions:
        actions, feed = Actions(), np.asarray(seen[platform.name]["feed"])

        def doing(act: str) -> Ints:
            """Rows of the turn that do this."""
            share = getattr(given, act)
            return np.flatnonzero(turn.random(f"habit.{act}").uniform(turn.agents) < share) if share else np.empty(0, np.int64)

        def chosen(act: str) -> tuple[Ints, Ints]:
            """Those who do this, and a post of each one's feed to which they have not done it yet."""
            rows = doing(act)
            who, shown = turn.agents[rows], feed[rows]
            open_to = shown >= 0
            if (again := _done(platform, act, who, shown)) is not None:
                open_to &= ~again
            sizes = open_to.sum(axis=1)
            place = (turn.random(f"habit.{act}.which").uniform(who) * sizes).astype(np.int64)
            column = (np.cumsum(open_to, axis=1) <= place[:, None]).sum(axis=1)
            some = sizes > 0
            return who[some], shown[some, column[some]]

        if len(rows := doing("post")):
            who = turn.agents[rows]
            actions.add(turn, f"{platform.name}.create_post", who, text=says(turn, who, "post"))
        for act, name in _ACTS.items():
            who, posts = chosen(act)
            if not len(who):
                continue
            if act == "follow":
                actions.add(turn, f"{platform.name}.{name}", who, user=platform.posts.author[posts])
            elif act in ("comment", "quote"):
                actions.add(turn, f"{platform.name}.{name}", who, post=posts, text=says(turn, who, act))
            else:
                actions.add(turn, f"{platform.name}.{name}", who, post=posts)
        return actions

    return rule


_ACTS = {
    "like": "like_post",
    "dislike": "dislike_post",
    "repost": "repost",
    "comment": "create_comment",
    "quote": "quote_post",
    "follow": "follow",
}


def _done(platform: Site, act: str, who: Ints, shown: Ints) -> NDArray[np.bool_] | None:
    """Whether each did this to each of the posts before; None where it can be done again and again."""
    if act in ("comment", "quote") or not shown.size or not len(platform.posts):
        return None
    wide, rows = np.repeat(who, shown.shape[1]), np.maximum(shown, 0).reshape(-1)
    if act == "follow":
        authors = platform.posts.author[rows].astype(np.int64)
        return (platform.follows.has(wide, authors) | (authors == wide)).reshape(shown.shape)
    pairs = {"like": platform.liked, "dislike": platform.disliked, "repost": platform.shared}[act]
    return pairs.has(wide, platform.posts.content(rows)).reshape(shown.shape)


def plain_words(turn: Turn, agents: Ints, act: str) -> Array:
    """Something to read that tells texts apart."""
    out = np.empty(len(agents), object)
    out[:] = [f"User {agent} has this to say as a {act}, in step {turn.tick} of it all." for agent in agents.tolist()]
    return out
