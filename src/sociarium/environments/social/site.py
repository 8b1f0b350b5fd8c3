"""What a platform is: its content, its graph, its sets of pairs, and the checks that all actions share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.environments.columnar import names_of
from sociarium.environments.social.chains import grown
from sociarium.environments.social.follows import Follows
from sociarium.environments.social.moderation import Moderation
from sociarium.environments.social.pairs import Pairs
from sociarium.environments.social.posts import Kind, Posts
from sociarium.environments.social.recommenders.recommender import Recommender, closed_up
from sociarium.environments.social.rules import PlatformRules, PlatformWording
from sociarium.environments.social.texts import Texts
from sociarium.kernel.actions import ActionTable
from sociarium.kernel.environment import AgentIds, Environment, Events, Groups, Outcome, State
from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network
from sociarium.kernel.turn import Turn
from sociarium.kernel.world import World

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Array = NDArray[Any]
Vectors = Callable[[Sequence[str]], ArrayLike]  # texts -> (texts, dimensions)

MOST = 2**31 - 1  # the highest number of a user or a post
PAIRS = ("liked", "disliked", "shared", "reported", "muted", "shown", "members", "joined")
USERS: Mapping[str, Any] = {"latest": np.int32, "profile": np.int32, "banned": np.bool_, "registered": np.bool_, "violations": np.int32}


class Site(Environment):
    """State and shared checks of a platform; ``Platform`` adds the actions."""

    name: ClassVar[str] = "platform"

    posts: Posts
    follows: Follows
    liked: Pairs  # (user, row)
    disliked: Pairs
    shared: Pairs  # (user, row reposted)
    reported: Pairs
    muted: Pairs  # (user, user)
    shown: Pairs  # (user, row): what feeds have shown, where the rules ask for it
    latest: NDArray[np.int32]  # the newest post or quote of each user, -1 where none
    profile: NDArray[np.int32]  # where the name given at signing up stands in ``profiles``, the biography after it; -1 where none
    banned: Bools
    registered: Bools
    violations: NDArray[np.int32]  # how often moderation has flagged each user
    members: Pairs  # (group, user)
    joined: Pairs  # (user, group)
    talk: Posts  # what is said in groups; the parent is the group
    sold: Ints  # units of each product

    def __init__(
        self,
        follows: Network,
        *,
        recommender: Recommender,
        rules: PlatformRules | None = None,
        wording: PlatformWording | None = None,
        products: Sequence[str] = (),
        vectors: Vectors | None = None,
        interests: ArrayLike | None = None,
        topics: Callable[[Sequence[str]], ArrayLike] | None = None,
        moderation: Moderation | None = None,
    ) -> None:
        self.network = Network(follows.starts, follows.targets)
        self.recommender = recommender
        self.rules = rules or PlatformRules()
        self.wording = wording or PlatformWording()
        self.products = tuple(products)
        self.vectors = vectors
        self.topics = topics
        self.moderation = moderation
        self.interests = None if interests is None else np.asarray(interests, np.float32)
        self._recommender_state = recommender.state()
        self._known = 0  # rows there were as the turn began: nobody can act on what is made in the same turn

    def reset(self, world: World, groups: Groups) -> None:
        super().reset(world, groups)
        if world.groups > 1:
            raise UsageError(
                f"a platform is one world, but the population has {world.groups} groups; give each its own run (an experiment does), "
                "or make them communities of one group: without edges between them and with an in-network feed they never meet"
            )
        users = len(world.population)
        if self.network.nodes > users:
            raise UsageError(f"the follow network has {self.network.nodes} nodes for {users} agents; its nodes are the ids of agents")
        self.posts, self.follows = Posts(), Follows(self.network)
        for pairs in PAIRS:
            setattr(self, pairs, Pairs())
        for column, dtype in USERS.items():
            setattr(self, column, np.empty(0, dtype))
        self.profiles, self.groups, self.talk = Texts(), Texts(), Posts()
        self.sold = np.zeros(len(self.products), np.int64)
        self.views = np.zeros(0, np.int32)
        self.labels = [""]
        self.recommender.load(self._recommender_state)
        self.users = 0
        self._grow(users)

    def admit(self, agents: AgentIds) -> None:
        self._grow(len(self.world.population))

    def _grow(self, users: int) -> None:
        before, self.users = self.users, users
        self.follows.grow(users)
        fills: dict[str, Any] = {"latest": -1, "profile": -1, "registered": not self.rules.sign_up}
        for column in USERS:
            setattr(self, column, grown(getattr(self, column), users, fills.get(column, 0)))
        if self.interests is not None and before:
            self.interests = grown(self.interests, users, 0)

    def exists(self, users: Ints) -> Bools:
        """Whether these are users of the platform, here now."""
        known = (users >= 0) & (users < self.users)
        inside = np.where(known, users, 0)
        return known & self.world.population.get(inside, "present") & self.registered[inside]

    def names(self, users: Ints) -> list[str]:
        """What users are called: by the name given at signing up, else as the population has it."""
        own = self.profile[users]
        known = names_of(self.world.population, users)
        return [known[at] if number < 0 else self.profiles[number] for at, number in enumerate(own.tolist())]

    def showable(self, rows: Ints) -> Bools:
        """Whether these rows may stand in a feed: no comments, nothing removed, no repost of what was removed."""
        if not len(self.posts):
            return np.zeros(len(rows), np.bool_)
        posts = self.posts
        return (posts.kind[rows] != Kind.COMMENT) & ~posts.removed[rows] & ~posts.removed[posts.content(rows)]

    def feed(self, turn: Turn) -> Ints:
        """(agents, width) rows, -1 where there are no more: what the recommender gives, without muted authors."""
        feed = np.asarray(self.recommender.recommend(self, turn.agents, turn.random("feed")), np.int64)
        if not len(self.muted) or not feed.size:
            return feed
        authors = self.posts.author[np.maximum(feed, 0)]
        muted = self.muted.has(np.repeat(turn.agents, feed.shape[1]), authors.reshape(-1)).reshape(feed.shape)
        return closed_up(feed, (feed >= 0) & ~muted)

    def expose(self, users: AgentIds, feed: Ints) -> None:
        """Keep what feeds have shown, as far as the rules ask for it."""
        if self.rules.exposures == "none" or not feed.size:
            return
        there = feed >= 0
        self.views = grown(self.views, len(self.posts), 0)
        np.add.at(self.views, feed[there], 1)
        if self.rules.exposures == "pairs":
            self.shown.add(np.broadcast_to(users[:, None], feed.shape)[there], feed[there])

    def state(self, groups: Groups | None = None) -> State:
        return {
            "posts": self.posts.state(),
            "follows": self.follows.state(),
            "pairs": {name: getattr(self, name).state() for name in PAIRS},
            "users": {name: getattr(self, name)[: self.users].copy() for name in USERS},
            "profiles": self.profiles.state(),
            "groups": self.groups.state(),
            "talk": self.talk.state(),
            "sold": self.sold.copy(),
            "views": grown(self.views, len(self.posts), 0)[: len(self.posts)].copy(),
            "labels": list(self.labels),
            "interests": None if self.interests is None else self.interests[: self.users].copy(),
            "recommender": self.recommender.state(),
        }

    def load(self, state: State, groups: Groups | None = None) -> None:
        if not state:
            return
        self.posts.load(state["posts"])
        self.follows.load(state["follows"])
        for name in PAIRS:
            getattr(self, name).load(state["pairs"][name])
        for name, dtype in USERS.items():
            setattr(self, name, np.array(state["users"][name], dtype))
        self.users = len(self.latest)
        self.profiles.load(state["profiles"])
        self.groups.load(state["groups"])
        self.talk.load(state["talk"])
        self.sold = np.array(state["sold"], np.int64)
        self.views = np.array(state["views"], np.int32)
        self.labels = [str(text) for text in state["labels"]]
        self.interests = None if state["interests"] is None else np.array(state["interests"], np.float32)
        self.recommender.load(state["recommender"])


class Sieve:
    """The rows of one action that are still to be carried out; those that are not, each with the first reason against it."""

    def __init__(self, action: str, table: ActionTable) -> None:
        self.action, self.table, self.outcome = action, table, Outcome()
        self.keep: Bools = np.ones(len(table), np.bool_)

    def drop(self, bad: Bools, reason: str) -> None:
        now = self.keep & bad
        if now.any():
            self.outcome.refuse(self.action, self.table.agents[now], reason)
            self.keep &= ~bad

    def drop_kept(self, bad: Bools, reason: str) -> None:
        """The same where ``bad`` has one value a row that is still kept."""
        wide = np.zeros(len(self.keep), np.bool_)
        wide[np.flatnonzero(self.keep)[bad]] = True
        self.drop(wide, reason)

    @property
    def agents(self) -> AgentIds:
        return self.table.agents if self.keep.all() else self.table.agents[self.keep]

    def column(self, name: str) -> Array:
        """An argument of the rows that are kept."""
        return self.table[name] if self.keep.all() else self.table[name][self.keep]

    def done(self, kind: str, agents: AgentIds, **data: Any) -> Outcome:
        """One event a row carried out, its trace; its actor hears of it."""
        self.outcome.events.append(Events(kind, agents, data, "own"))
        return self.outcome
