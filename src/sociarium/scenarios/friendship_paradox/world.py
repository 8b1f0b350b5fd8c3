"""The platform step by step: who to follow, what to do, doing it, answering comments."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.social.chains import grown
from sociarium.environments.social.platform import Platform
from sociarium.environments.social.posts import Kind
from sociarium.environments.social.recommenders.friends import Acquaintances, FriendsContent
from sociarium.environments.social.recommenders.grid import cosines
from sociarium.kernel.actions import Actions, ActionTable, Integer, Text, action, bounded
from sociarium.kernel.environment import Events, Groups, Outcome, State
from sociarium.kernel.network import Network
from sociarium.kernel.turn import Lanes, Observations, Phase, Turn
from sociarium.kernel.world import World
from sociarium.lab.paradox.gaps import Version, degree_gaps, random_follow_gap
from sociarium.scenarios.friendship_paradox.words import Showing

Array = NDArray[Any]
Ints = NDArray[np.int64]
AgentIds = NDArray[np.int64]

PUBLISH, NOTHING, SHARE, LIKE, DISLIKE, COMMENT = range(1, 7)
DOING = {PUBLISH: "create_post", SHARE: "repost", LIKE: "like_post", DISLIKE: "dislike_post", COMMENT: "create_comment"}
CHOICES = len(DOING) + 1
STEPS: Mapping[str, tuple[str, ...]] = {
    "introduce": ("introduce",),
    "follow": ("follow",),
    "choose": ("begin", "choose"),
    "act": tuple(DOING.values()),
}


@dataclass(frozen=True, slots=True)
class Habits:
    """``replies``: rounds of answers to comments within an iteration. ``behaviour``: whether a user is told how often it has done what.
    ``saturation``: cosine above which a post repeats an earlier one."""

    replies: int = 1
    behaviour: bool = True
    saturation: float = 0.8


class Society(Showing, Platform):
    """A platform whose users first choose whom to follow, then what to do, then do it. ``choose`` 3 to 6 needs something in the feed of
    those one follows; what is reacted to must have stood in that feed."""

    friends: Acquaintances
    feeds: FriendsContent

    def __init__(self, users: int, friends: Acquaintances, feeds: FriendsContent, habits: Habits, histories: Sequence[str] = ()) -> None:
        super().__init__(Network.from_edges(users, [], []), recommender=feeds)
        self.friends, self.feeds, self.habits = friends, feeds, habits
        self.histories = tuple(histories)
        self._queue: deque[tuple[AgentIds, str]] = deque()

    def reset(self, world: World, groups: Groups) -> None:
        super().reset(world, groups)
        users = len(world.population)
        self.choice = np.zeros(users, np.int8)  # of this iteration; 0: none yet
        self.done = np.zeros((users, CHOICES), np.int32)  # how often each user has carried out each choice
        self.offered = np.full((users, self.feeds.width), -1, np.int64)  # the feed that a choice was made on
        self.owed: Ints = np.empty(0, np.int64)  # comments of this iteration that nobody has answered
        self.repeats, self.compared = 0, 0  # posts like an earlier one, among so many rows looked at

    def admit(self, agents: AgentIds) -> None:
        super().admit(agents)
        self._widen(len(self.world.population))

    def _widen(self, users: int) -> None:
        self.choice, self.done, self.offered = grown(self.choice, users, 0), grown(self.done, users, 0), grown(self.offered, users, -1)

    def turn(self, phase: Phase, lanes: Lanes) -> Turn | None:
        """The next step that anybody takes part in."""
        if not lanes.played.any():
            self._queue = deque(self._plan(phase, lanes))
        while self._queue:
            agents, step = self._queue.popleft()
            if step == "reply":
                agents = np.intersect1d(lanes.agents, np.unique(self._askers(self.owed)))
            agents = agents[self._takes_part(step, agents)]
            if len(agents):
                return self._step(step, agents, lanes)
        return None

    def _plan(self, phase: Phase, lanes: Lanes) -> list[tuple[AgentIds, str]]:
        replies = ("reply",) * self.habits.replies
        steps = STEPS.get(phase.name, replies)
        if phase.name != "iterate":
            if phase.name == "choose":
                self._begin()
            return [(lanes.agents, step) for step in steps]
        self._begin()
        steps = (*(STEPS["follow"] if lanes.moment.tick else ()), *STEPS["choose"], *STEPS["act"], *replies)
        order = lanes.moment.randomness.stream("society.order", lanes.moment.tick).order(lanes.agents)
        return [(lanes.agents[at : at + 1], step) for at in order for step in steps]

    def _begin(self) -> None:
        self.choice[:] = 0
        self.owed = self.owed[:0]

    def _takes_part(self, step: str, agents: AgentIds) -> NDArray[np.bool_]:
        if step == "introduce":
            return np.equal(self.world.population.get(agents, "persona"), "").astype(np.bool_)
        if step == "follow":
            return self.friends.able(self, agents)
        if step in ("begin", "choose"):
            if step == "begin":
                self._refresh(agents)
            reads = np.asarray((self.offered[agents] >= 0).any(axis=1), np.bool_)
            return np.asarray(reads if step == "choose" else ~reads, np.bool_)
        if step == "reply":
            return np.ones(len(agents), np.bool_)
        return np.equal(self.choice[agents], next(choice for choice, name in DOING.items() if name == step))

    def _refresh(self, agents: AgentIds) -> None:
        """The feeds that choices are made on: nothing in the first iteration, nor for those who follow nobody."""
        self.offered[agents] = -1
        if self.world.clock.tick:
            some = agents[self.follows.followees[agents] > 0]
            stream = self.world.randomness.stream("society.feed", self.world.clock.tick)
            self.offered[some] = self.feeds.recommend(self, some, stream)

    def _step(self, step: str, agents: AgentIds, lanes: Lanes) -> Turn:
        names = {"follow": ("follow", "do_nothing"), "begin": ("choose",), "reply": ("create_comment", "do_nothing")}.get(step, (step,))
        offered = lanes.turn(agents, np.full(len(agents), lanes.ids[0]), offers=names)
        if step == "begin":
            return replace(offered, offers=tuple(bounded(spec, "choice", high=NOTHING) for spec in offered.offers))
        return offered

    def observe(self, turn: Turn) -> Mapping[str, Array]:
        """suggested: (rows, 5) users, with ``likeness`` and ``fame`` (followers). feed: (rows, width) contents, with ``closeness``.
        asked: the comment to be answered. counts: (rows, 6) how often the reader has done what."""
        agents = turn.agents
        if turn.phase.lead != self.name:
            return {"feed": self.feed(turn)}
        if turn.offered("follow"):
            suggested, likeness = self.friends.suggest(self, agents, turn.random("suggest"))
            fame = np.where(suggested >= 0, self.follows.followers[np.maximum(suggested, 0)], -1)
            return {"feed": self._no_feed(agents), "suggested": suggested, "likeness": likeness, "fame": fame}
        columns: dict[str, Array] = {"followees": self.follows.followees[agents], "counts": self.done[agents]}
        if turn.offered("do_nothing"):
            columns["asked"] = self._first_asked(agents)
        reads = "asked" not in columns and not turn.offered("introduce")
        feed = self.offered[agents] if reads else self._no_feed(agents)
        return {"feed": feed, "closeness": self._closeness(agents, feed), **columns}

    def _no_feed(self, agents: AgentIds) -> Ints:
        return np.full((len(agents), self.feeds.width), -1, np.int64)

    def _closeness(self, agents: AgentIds, feed: Ints) -> Array:
        """The cosine of the reader's interests with each content; nan where there is none."""
        out = np.full(feed.shape, np.nan)
        there = feed >= 0
        if there.any():
            rows = np.broadcast_to(agents[:, None], feed.shape)[there]
            out[there] = self.feeds.closeness(self, rows, feed[there])
        return out

    def apply(self, turn: Turn, seen: Observations, actions: Actions) -> Outcome:
        """Reactions to what was not in the feed, and answers to what was not asked, are refused."""
        part = seen.parts.get(self.name, {})
        outcome = Outcome()
        for name, table in actions.of(self.name).items():
            if "post" not in table.columns:
                continue
            shown = part["asked"][:, None] if "asked" in part else part["feed"]
            place = np.argsort(turn.agents, kind="stable")
            at = place[np.searchsorted(turn.agents, table.agents, sorter=place)]
            strange = (shown[at] != np.asarray(table["post"])[:, None]).all(axis=1)
            if strange.any():
                outcome.refuse(name, table.agents[strange], "that was not shown to you")
                actions.tables[f"{self.name}.{name}"] = table.where(~strange)
        outcome.add(super().apply(turn, seen, actions))
        if "asked" in part:
            self.owed = np.setdiff1d(self.owed, part["asked"])
        self._count(outcome)
        return outcome

    def _count(self, outcome: Outcome) -> None:
        kinds = {"posted": PUBLISH, "reposted": SHARE, "liked": LIKE, "disliked": DISLIKE, "commented": COMMENT}
        for events in outcome.events:
            if events.kind in kinds:
                np.add.at(self.done[:, kinds[events.kind] - 1], events.actors, 1)

    @action(
        "Choose what to do now.", choice=Integer(PUBLISH, COMMENT, doc="the number of a choice"), reason=Text(private=True, longest=500)
    )
    def choose(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        self.choice[table.agents] = table["choice"]
        idle = table.agents[table["choice"] == NOTHING]
        np.add.at(self.done[:, NOTHING - 1], idle, 1)
        return Outcome(
            [Events("chose", table.agents, {"choice": table["choice"], "reason": table["reason"]}, "own", private=frozenset({"reason"}))]
        )

    @action("Say who you are, in about 30 words addressed to yourself.", persona=Text(longest=600))
    def introduce(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        self.world.population.set(table.agents, "persona", table["persona"])
        return Outcome([Events("introduced", table.agents, {"persona": table["persona"]}, "own")])

    def create_comment(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        """What is said to somebody else may be answered in this iteration."""
        outcome = super().create_comment(turn, seen, table)
        for events in outcome.events:
            self.owed = np.concatenate([self.owed, events.data["comment"][events.data["author"] != events.actors]])
        return outcome

    def _askers(self, comments: Ints) -> Ints:
        """Who is asked by each comment: the author of what it stands under."""
        return self.posts.author[self.posts.parent[comments]].astype(np.int64) if len(comments) else comments

    def _first_asked(self, agents: AgentIds) -> Ints:
        """The first comment that each of these has not answered; -1 where there is none."""
        asked = self._askers(self.owed)
        out = np.full(len(agents), -1, np.int64)
        for at in range(len(self.owed) - 1, -1, -1):
            out[agents == asked[at]] = self.owed[at]
        return out

    def advance(self, to: int) -> Outcome | None:
        """Count the posts of this iteration that repeat an earlier one."""
        rows = np.arange(self.compared, len(self.posts))
        self.compared = len(self.posts)
        rows = rows[self.posts.kind[rows] == Kind.POST]
        if len(rows):
            every = np.flatnonzero(self.posts.kind == Kind.POST)
            _, vectors, place = self.feeds.interest.interests.vectors(self, np.empty(0, np.int64), every)
            each = vectors if place is None else vectors[place]
            likeness = cosines(each[np.searchsorted(every, rows)], each)
            self.repeats += int(((likeness > self.habits.saturation) & (every < rows[:, None])).any(axis=1).sum())
        return None

    def measures(self) -> Mapping[str, Array]:
        network = self.follows.network()
        gap = degree_gaps(network)[Version.FOLLOWEES_FOLLOWERS]
        counted = super().measures()
        saturation = self.repeats / max(1, int(counted["posts"][0]))
        ours = {"gap": gap, "random_gap": random_follow_gap(network.degrees()), "saturation": saturation}
        return {**counted, **{name: np.array([value]) for name, value in ours.items()}}

    def state(self, groups: Groups | None = None) -> State:
        own = {name: getattr(self, name).copy() for name in ("choice", "done", "offered", "owed")}
        return {**super().state(groups), "steps": own, "repeats": self.repeats, "compared": self.compared}

    def load(self, state: State, groups: Groups | None = None) -> None:
        super().load(state, groups)
        if state:
            for name, values in state["steps"].items():
                setattr(self, name, np.array(values))
            self.repeats, self.compared = int(state["repeats"]), int(state["compared"])
