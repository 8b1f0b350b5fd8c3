"""A platform on which people argue about what happens: acts carry how they are said, news comes from outside, topics get hot.

After POSIM (arXiv 2603.23884). Seven acts: like, repost, repost with words, short and long comment, short and long post; each says which
emotion it shows, where its author stands, in which style and by which kind of narrative. Outside events are an operator's: a broadcast to
all, or a post of a named account.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.social.bulletins import Bulletin, Bulletins
from sociarium.environments.social.expression import EMOTIONS, EXPRESSED, STANCES, WORDED, Voiced, VoicedSieve, codes
from sociarium.environments.social.hotlist import HotList, HotListRules
from sociarium.environments.social.platform import Platform
from sociarium.environments.social.posting import POST
from sociarium.environments.social.posts import Kind
from sociarium.environments.social.site import Sieve
from sociarium.kernel.actions import Actions, ActionTable, Text, action, operation
from sociarium.kernel.content import Block, Content, Trust
from sociarium.kernel.environment import Events, Groups, Outcome, State
from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network
from sociarium.kernel.turn import Observations, Turn, TurnKind
from sociarium.kernel.units import clock
from sociarium.kernel.world import World

Array = NDArray[Any]
Ints = NDArray[np.int64]

ACTS = ("like", "repost", "repost_comment", "short_comment", "long_comment", "short_post", "long_post")
EVENTS = ("liked", "reposted", "repost_commented", "short_commented", "long_commented", "short_posted", "long_posted")
"""The trace of each act, in the same order."""

NEGATIVE = np.isin(EMOTIONS, ("anger", "disgust", "sadness", "fear", "anxiety"))
VOICE: Mapping[str, Any] = {"emotion": np.int8, "strength": np.float32, "stance": np.int8}
SHORT_COMMENT, LONG_COMMENT, SHORT_POST = 140, 1000, 280  # characters


class Discourse(Platform):
    """``hot`` and ``news_shown`` set what is shown beside the feed; everything else is the platform's.

    Minds see, beside ``feed``, (rows, width) each: ``feed_post`` (of a repost its original, as it is worded), ``feed_author``,
    ``feed_emotion`` (a number in ``EMOTIONS``), ``feed_strength`` and ``feed_stance`` (-1, 0, 1, times how firm); and (rows, shown) each:
    ``news_fresh`` (new to this agent), ``news_emotion``, ``news_strength``.
    """

    def __init__(self, follows: Network, *, hot: HotListRules | None = None, news_shown: int = 5, **settings: Any) -> None:
        super().__init__(follows, **settings)
        self.hot_rules, self.news_shown = hot, news_shown

    def reset(self, world: World, groups: Groups) -> None:
        super().reset(world, groups)
        self.hot, self.bulletins = HotList(self.hot_rules), Bulletins(self.news_shown)
        self.voice: dict[str, Array] = {name: np.zeros(0, dtype) for name, dtype in VOICE.items()}  # of each row of content
        self.tags: dict[int, tuple[int, ...]] = {}  # of rows that have any
        self.heard = np.zeros(0, np.int32)  # how many bulletins each has heard of
        self.acted = np.zeros(len(EMOTIONS), np.int64)  # acts of all time by the emotion shown
        self.acted_now = np.zeros(len(EMOTIONS), np.int64)  # of this tick
        self._tick = -1
        self._met: list[tuple[Ints, Ints]] = []  # who saw whose posts in this tick

    def observe(self, turn: Turn) -> Mapping[str, Array]:
        seen = dict(super().observe(turn))
        feed = np.asarray(seen["feed"])
        there = np.maximum(feed, 0)
        content = self.posts.content(there) if len(self.posts) else there
        voices = {name: self._voice(name)[content] if len(self.posts) else np.zeros(feed.shape, VOICE[name]) for name in VOICE}
        authors = self.posts.author[there] if len(self.posts) else there
        emotions, strengths = self.bulletins.tones()
        rows = len(turn.agents)
        return seen | {
            "feed_post": np.where(feed >= 0, self.posts.content(there) if len(self.posts) else there, -1),
            "feed_author": np.where(feed >= 0, authors, -1),
            "feed_emotion": np.where(feed >= 0, voices["emotion"], 0),
            "feed_strength": np.where(feed >= 0, voices["strength"], 0.0),
            "feed_stance": np.where(feed >= 0, voices["stance"] / 100.0, 0.0),
            "news_fresh": self.bulletins.fresh(self._heard()[turn.agents]),
            "news_emotion": np.broadcast_to(emotions, (rows, len(emotions))),
            "news_strength": np.broadcast_to(strengths, (rows, len(strengths))),
        }

    def describe(self, seen: Observations, row: int) -> Content:
        """The feed, then the news from outside, then what is hot: hashtags are words of agents."""
        blocks = list(super().describe(seen, row))
        for one in self.bulletins.last():
            blocks.append(Block(f"{clock(one.time)}: {one.text}", origin="the news", trust=Trust.OUTSIDE))
        if hot := self.hot.listed(self.world.clock.time):
            blocks.append(Block("\n".join(f"#{tag}" for tag in hot), origin="hot topics", trust=Trust.AGENT))
        return tuple(blocks)

    def apply(self, turn: Turn, seen: Observations, actions: Actions) -> Outcome:
        if turn.kind != TurnKind.PROBE:
            self._begin_tick(turn.tick)
            authors = np.asarray(seen[self.name]["feed_author"])
            there = authors >= 0
            self._met.append((np.broadcast_to(turn.agents[:, None], authors.shape)[there], authors[there].astype(np.int64)))
            self.heard = self._heard()
            self.heard[turn.agents] = len(self.bulletins)
        return super().apply(turn, seen, actions)

    def exposures(self) -> tuple[Ints, Ints]:
        """Who saw whose posts in this tick, a pair each post shown: readers and authors."""
        if self._tick != self.world.clock.tick or not self._met:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        order = np.argsort(readers := np.concatenate([who for who, _ in self._met]), kind="stable")
        return readers[order], np.concatenate([whom for _, whom in self._met])[order]

    @action("Like a post.", post=POST, **EXPRESSED)
    def like(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        return self.like_post(turn, seen, self._voiced("like", table))

    @action("Repost a post as it is.", post=POST, **EXPRESSED)
    def repost(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        return super().repost(turn, seen, self._voiced("repost", table))

    @action("Repost a post with words of your own.", post=POST, text=Text(longest=SHORT_POST, doc="your words"), **WORDED, **EXPRESSED)
    def repost_comment(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        return self.quote_post(turn, seen, self._voiced("repost_comment", table))

    @action("Comment on a post in a few words.", post=POST, text=Text(longest=SHORT_COMMENT, doc="the comment"), **WORDED, **EXPRESSED)
    def short_comment(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        return self.create_comment(turn, seen, self._voiced("short_comment", table))

    @action("Comment on a post at length.", post=POST, text=Text(longest=LONG_COMMENT, doc="the comment"), **WORDED, **EXPRESSED)
    def long_comment(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        return self.create_comment(turn, seen, self._voiced("long_comment", table))

    @action("Write a short post.", text=Text(longest=SHORT_POST, doc="what it says"), **WORDED, **EXPRESSED)
    def short_post(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        return self.create_post(turn, seen, self._voiced("short_post", table))

    @action("Write a long post.", text=Text(doc="what it says"), **WORDED, **EXPRESSED)
    def long_post(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        return self.create_post(turn, seen, self._voiced("long_post", table))

    @operation("News from outside that everybody hears of; planned: the clock knew of it, so it wakes nobody a second time.")
    def broadcast(
        self, text: str, influence: float = 1.0, emotion: str = "neutral", intensity: float = 0.0, planned: bool = False
    ) -> Outcome:
        self.bulletins.add(Bulletin(self.world.clock.time, text, influence, emotion, intensity))
        told: dict[str, Any] = {"influence": np.array([influence]), "text": _one(text), "emotion": _one(emotion)}
        events = Events("announced" if planned else "broadcast", np.array([-1]), told, "nobody", groups=np.array([0]))
        return Outcome([events])

    @operation("A post that a named account puts up at this time. An account that was closed puts up nothing.")
    def node_post(self, author: int, text: str, hashtags: str = "", emotion: str = "neutral", intensity: float = 0.0) -> Outcome:
        if not self.exists(np.array([author]))[0]:
            raise UsageError(f"platform.node_post: there is no user {author}; there are 0 to {self.users - 1}")
        one = np.array([author])
        if self.banned[author]:
            return Outcome([Events("withheld", one, {"text": _one(text)}, "nobody")])
        rows = self.posts.append(one, self.world.clock.time, Kind.POST, [text], topic=self.topics_of(_one(text)))
        self.latest[one] = rows
        self._say(rows, np.array([EMOTIONS.index(Bulletin(0, text, 0, emotion, intensity).emotion)]), np.array([intensity]), np.zeros(1))
        self._tag(rows, _one(hashtags), self.world.clock.time)
        return Outcome([Events("node_posted", one, {"post": rows, "text": _one(text), "emotion": _one(emotion)}, "nobody")])

    def advance(self, to: int) -> Outcome | None:
        self.hot.update()
        return super().advance(to)

    def measures(self) -> Mapping[str, Array]:
        """Beside the platform's: acts of this tick, and of those the number that show each emotion; the share of negative ones so far."""
        now = self.acted_now if self._tick == self.world.clock.tick else np.zeros_like(self.acted_now)
        total = int(self.acted.sum())
        negative = float(self.acted[NEGATIVE].sum()) / total if total else float("nan")
        own = {"acts": np.array([now.sum()]), "negative": np.array([negative])}
        return {**super().measures(), **own, **{f"shows_{name}": now[[code]] for code, name in enumerate(EMOTIONS)}}

    def ranked(self, comments: Ints, reader: int | None = None) -> Ints:
        """In random order, another for each reader and tick."""
        return comments[self.world.randomness.stream("platform.comments", self.world.clock.tick, reader).order(comments)]

    def repost_network(self) -> Network:
        """Who reposted, with or without words, from whom: an edge each pair."""
        return self._drawn_from((Kind.REPOST, Kind.QUOTE))

    def comment_network(self) -> Network:
        """Who commented on whom: an edge each pair."""
        return self._drawn_from((Kind.COMMENT,))

    def enter(self, action: str, table: ActionTable) -> Sieve:
        return VoicedSieve(table, super().enter(table.action, table)) if isinstance(table, Voiced) else super().enter(action, table)

    def state(self, groups: Groups | None = None) -> State:
        rows = sorted(self.tags)
        named = [(row, tag) for row in rows for tag in self.tags[row]]
        voice = {name: self._voice(name).copy() for name in VOICE}
        return super().state(groups) | {
            "voice": voice,
            "tags": np.array(named, np.int64).reshape(-1, 2),
            "hot": self.hot.state(),
            "bulletins": self.bulletins.state(),
            "heard": self._heard().copy(),
            "acted": self.acted.copy(),
        }

    def load(self, state: State, groups: Groups | None = None) -> None:
        super().load(state, groups)
        if not state:
            return
        self.voice = {name: np.array(state["voice"][name], dtype) for name, dtype in VOICE.items()}
        self.tags = {}
        for row, tag in np.asarray(state["tags"]).tolist():
            self.tags[row] = (*self.tags.get(row, ()), tag)
        self.hot.load(state["hot"])
        self.bulletins.load(state["bulletins"])
        self.heard, self.acted = np.array(state["heard"], np.int32), np.array(state["acted"], np.int64)
        self._tick, self._met = -1, []

    def _voiced(self, action: str, table: ActionTable) -> Voiced:
        return Voiced(table.agents, table.columns, action, EVENTS[ACTS.index(action)], self._carried_out)

    def _carried_out(self, event: str, sieve: VoicedSieve, rows: Ints) -> None:
        """Count the acts that were carried out; keep how new content was said, and what it is about."""
        emotion, strength = codes(sieve.column("emotion"), EMOTIONS), sieve.column("emotion_intensity")
        counts = np.bincount(emotion, minlength=len(EMOTIONS))
        self.acted += counts
        self.acted_now += counts
        if event == "liked":
            self._count("likes", rows)
            return
        self._say(rows, emotion, strength, (codes(sieve.column("stance"), STANCES) - 1) * sieve.column("stance_intensity"))
        about = self.posts.original[rows].astype(np.int64)
        if "hashtags" in sieve.table.columns:
            self._tag(rows, sieve.column("hashtags"), self.world.clock.time)
        if event in ("reposted", "repost_commented"):
            self._count("reposts", about)
        elif event in ("short_commented", "long_commented"):
            self._count("comments", about)

    def _say(self, rows: Ints, emotion: Array, strength: Array, stance: Array) -> None:
        self.voice = {name: self._voice(name) for name in VOICE}
        self.voice["emotion"][rows], self.voice["strength"][rows] = emotion, strength
        self.voice["stance"][rows] = np.rint(100 * np.asarray(stance))

    def _tag(self, rows: Ints, hashtags: Array, time: int) -> None:
        for row, text in zip(rows.tolist(), hashtags, strict=True):
            if found := self.hot.read(str(text)):
                self.tags[row] = found
                self.hot.mention(found, time)

    def _count(self, what: str, rows: Ints) -> None:
        self.hot.count(what, [tag for row in rows.tolist() for tag in self.tags.get(row, ())])

    def _voice(self, name: str) -> Array:
        """The column, one value a row of content."""
        column = self.voice[name]
        missing = len(self.posts) - len(column)
        return np.concatenate([column, np.zeros(missing, column.dtype)]) if missing else column

    def _heard(self) -> NDArray[np.int32]:
        missing = len(self.world.population) - len(self.heard)
        return np.concatenate([self.heard, np.zeros(missing, np.int32)]) if missing else self.heard

    def _begin_tick(self, tick: int) -> None:
        if self._tick != tick:
            self._tick, self._met = tick, []
            self.acted_now = np.zeros_like(self.acted_now)

    def _drawn_from(self, kinds: tuple[Kind, ...]) -> Network:
        rows = np.flatnonzero(np.isin(self.posts.kind, [int(kind) for kind in kinds]))
        parents = self.posts.parent[rows]
        return Network.from_edges(self.users, self.posts.author[rows].astype(np.int64), self.posts.author[parents].astype(np.int64))


def _one(text: str) -> Array:
    out = np.empty(1, object)
    out[0] = text
    return out
