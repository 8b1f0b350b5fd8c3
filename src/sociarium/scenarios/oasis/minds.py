"""Users by rule: they pass posts on, vote, or argue. Each draw is that of a user and a post, so nobody else shifts it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.environments.social.platform import Platform
from sociarium.kernel.actions import Actions
from sociarium.kernel.mind import Mind
from sociarium.kernel.turn import Observations, Turn
from sociarium.kernel.world import World

AgentIds = NDArray[np.int64]
Array = NDArray[Any]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Reading(Mind):
    """The base: what stands in each feed, and what of it is seen for the first time (the platform must keep exposures as pairs)."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform

    def new(self, turn: Turn, feed: Ints) -> Bools:
        """(agents, width): posts that a user has not been shown before."""
        rows, columns = np.nonzero(feed >= 0)
        out = np.zeros(feed.shape, np.bool_)
        out[rows, columns] = ~self.platform.shown.has(turn.agents[rows], feed[rows, columns])
        return out


class Resharers(Reading):
    """One coin for each copy of a post on its first sight, until one has passed the post on: an independent cascade. ``chance``: one for
    all, or one a source post of the platform. ``once``: one coin a user and post, at the first copy, whatever comes later. ``likes``: the
    chance that a copy that is not passed on is liked."""

    def __init__(self, platform: Platform, chance: ArrayLike, *, once: bool = False, likes: float = 0.0) -> None:
        super().__init__(platform)
        self.chance, self.once, self.likes = np.asarray(chance, np.float64), once, likes

    async def decide(self, turn: Turn, seen: Observations) -> Actions:
        posts, feed = self.platform.posts, np.asarray(seen["platform"]["feed"])
        rows, columns = np.nonzero(self.new(turn, feed))
        who, copy = turn.agents[rows], feed[rows, columns]
        source = posts.content(copy)
        open_ = ~self.platform.shared.has(who, source) & (posts.author[source] != who)
        who, copy, source, columns = who[open_], copy[open_], source[open_], columns[open_]
        tossed = source if self.once else copy  # by the source, every later copy meets the same coin
        random = turn.random("repost") if not self.once else self.world.randomness.stream("oasis.once")
        heads = random.uniform(who, tossed) < self._chances(source)
        order = np.lexsort((columns[heads], source[heads], who[heads]))  # of several copies that win, the first of the feed
        winner, shown, about = who[heads][order], copy[heads][order], source[heads][order]
        first = np.ones(len(winner), np.bool_)
        first[1:] = (winner[1:] != winner[:-1]) | (about[1:] != about[:-1])
        actions = Actions.one(turn, "repost", winner[first], post=shown[first])
        if self.likes and turn.offered("like_post"):
            liking = ~heads & (random.at("like").uniform(who, copy) < self.likes) & ~self.platform.liked.has(who, source)
            pair = np.unique((who[liking] << 32) | source[liking])
            actions.add(turn, "like_post", pair >> 32, post=pair & 0xFFFFFFFF)
        return actions

    def begin(self, world: World) -> None:
        self.world = world

    def _chances(self, source: Ints) -> Floats:
        if not self.chance.ndim:
            return np.broadcast_to(self.chance, source.shape)
        return np.where(source < len(self.chance), self.chance[np.minimum(source, len(self.chance) - 1)], 0.0)


class Raters(Reading):
    """Votes on a post at its first sight: with chance ``copy`` the sign of the net votes shown (where there is one, and they are shown);
    else by the user's own taste, up with chance ``likes``, down with chance ``dislikes``."""

    def __init__(self, platform: Platform, *, copy: float, likes: float, dislikes: float, shown: bool) -> None:
        super().__init__(platform)
        self.copy, self.likes, self.dislikes, self.shown = copy, likes, dislikes, shown

    async def decide(self, turn: Turn, seen: Observations) -> Actions:
        posts, feed = self.platform.posts, np.asarray(seen["platform"]["feed"])
        rows, columns = np.nonzero(self.new(turn, feed))
        who, post = turn.agents[rows], posts.content(feed[rows, columns])
        net = np.sign(posts.likes[post].astype(np.int64) - posts.dislikes[post])
        random = turn.random("vote")
        taste = random.uniform(who, post)
        own = np.where(taste < self.likes, 1, np.where(taste >= 1 - self.dislikes, -1, 0))
        copies = (random.at("copy").uniform(who, post) < self.copy) & (net != 0) if self.shown else np.zeros(len(who), np.bool_)
        vote = np.where(copies, net, own)
        actions = Actions()
        for name, sign in (("like_post", 1), ("dislike_post", -1)):
            actions.add(turn, name, who[vote == sign], post=post[vote == sign])
        return actions


class Debaters(Mind):
    """Users with a leaning from -1 (safe) to 1 (risky) who read the comments under what they are shown, comment and vote.

    Persuasive arguments with biased assimilation: an argument of stance s moves a leaning x by ``persuasion`` s where it agrees with it in
    sign, and by a ``doubt`` of that where it does not. What is argued often on one's own side makes one more extreme.
    """

    def __init__(
        self, platform: Platform, stances: Sequence[str], leaning: Floats, *, persuasion: float, doubt: float = 0.25, talk: float = 0.3
    ) -> None:
        self.platform, self.stances = platform, tuple(stances)
        self.leaning: Floats = np.array(leaning, np.float64)
        self.persuasion, self.doubt, self.talk = persuasion, doubt, talk
        self._value = {text: place / (len(stances) // 2) - 1 for place, text in enumerate(stances)}

    async def decide(self, turn: Turn, seen: Observations) -> Actions:
        if turn.offered("answer"):
            return Actions.one(turn, "answer", text=self.words(self.leaning[turn.agents]))
        feed = np.asarray(seen["platform"]["feed"])
        actions, who = Actions(), turn.agents
        moved = np.zeros(len(who))
        for post in np.unique(feed[feed >= 0]):
            readers = np.flatnonzero((feed == post).any(axis=1))
            self._read(turn, int(self.platform.posts.content([post])[0]), readers, moved, actions)
        self.leaning[who] = np.clip(self.leaning[who] + moved, -1, 1)
        return actions

    def _read(self, turn: Turn, post: int, readers: Ints, moved: Floats, actions: Actions) -> None:
        """One post: its best comments move those who read it, and are voted on; some comment too."""
        who, random = turn.agents[readers], turn.random("debate")
        mine = self.leaning[who]
        comments = self.platform.best_comments(post)
        for comment, text in zip(comments.tolist(), self.platform.posts.words(comments).tolist(), strict=True):
            stance = self._value.get(str(text), 0.0)
            agrees = stance * mine > 0
            moved[readers] += self.persuasion * stance * np.where(agrees, 1.0, self.doubt) / max(1, len(comments))
            vote = random.at("vote").uniform(who, comment)
            votes = (("like_comment", agrees & (vote < self.talk)), ("dislike_comment", (stance * mine < 0) & (vote < self.talk / 3)))
            for name, cast in votes:
                actions.add(turn, name, who[cast], comment=np.full(int(cast.sum()), comment))
        speaks = random.at("talk").uniform(who, post) < self.talk
        actions.add(turn, "create_comment", who[speaks], post=np.full(int(speaks.sum()), post), text=self.words(mine[speaks]))

    def words(self, leaning: Floats) -> Array:
        """The nearest of the stances."""
        half = len(self.stances) // 2
        return np.array(self.stances, object)[np.rint(leaning * half).astype(np.int64) + half]

    def state(self) -> dict[str, Any]:
        return {"leaning": self.leaning.copy()}

    def load(self, state: Mapping[str, Any]) -> None:
        if state:
            self.leaning = np.array(state["leaning"])
