"""A world whose truth is known: users in blocks with tastes, a follower network, and weeks of posts shared by a planted law."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.cascade.spread import out_edges
from sociarium.environments.wording import read_yaml
from sociarium.kernel.network import Network
from sociarium.kernel.randomness import Randomness, Stream
from sociarium.minds.sharing.classifier import expit
from sociarium.minds.sharing.features import cosine
from sociarium.minds.sharing.histories import Histories
from sociarium.minds.sharing.logs import ExposureLog
from sociarium.populations.networks.degrees import power_law_degrees

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

DIMENSIONS = 16
WEEKS = 20  # of history; the viral post comes at their end
TAIL = 2.5  # exponent of the numbers of followers


@dataclass(frozen=True, slots=True)
class WorldRules:
    """``within``: share of followers of one's own block. ``focus``: share of posts on the topic of one's own block; the others are on any.
    ``noise``: length of what sets a taste (or a post) apart from its topic, whose own length is 1.

    The law: log odds of sharing are ``intercept + taste * cosine(post, taste of who sees it) + fame * (log of one more than the followers
    of who shows it, less its mean)``."""

    users: int = 1000
    blocks: int = 4
    degree: float = 12.0
    within: float = 0.8
    focus: float = 0.6
    noise: float = 0.5
    posts: int = 2  # a user and week
    intercept: float = -5.5
    taste: float = 4.5
    fame: float = 0.3
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Planted:
    """The law by which users share. ``tastes``: (users, dimensions); ``fame``: what the shower's followers add to the log odds."""

    rules: WorldRules
    tastes: Floats
    fame: Floats

    @classmethod
    def of(cls, rules: WorldRules, tastes: Floats, network: Network) -> Planted:
        followers = np.log1p(network.degrees())
        return cls(rules, tastes, rules.fame * (followers - followers.mean()))

    def chance(self, sources: Ints, targets: Ints, posts: Floats) -> Floats:
        """P(target shares what source shows), one a row."""
        return expit(self.rules.intercept + self.rules.taste * cosine(posts, self.tastes[targets]) + self.fame[sources])


@dataclass(frozen=True, slots=True)
class World:
    """``block`` of each user; ``network``, from each user to its followers; ``log``, who was shown which post by its author, and shared it;
    ``posts``, their vectors; ``written`` and ``passed_on``, the same as histories; ``law``, what decided; ``words``, the embedder."""

    rules: WorldRules
    block: Ints
    network: Network
    posts: Floats
    log: ExposureLog
    written: Histories
    passed_on: Histories
    law: Planted
    words: WordVectors


class WordVectors:
    """An embedder with a table: a text is the sum of its words' vectors, scaled to length 1; words that are not in it carry nothing.

    The words of a topic have the topic's vector, and topics are orthogonal, so that what a comment does to a text can be told by hand.
    """

    def __init__(self, table: dict[str, Floats], dimensions: int = DIMENSIONS) -> None:
        self.table, self.dimensions = table, dimensions

    @classmethod
    def of(cls, random: Stream) -> WordVectors:
        return cls({word: row for topic, row in zip(topics(), directions(random), strict=False) for word in topic.words})

    def vectors(self, texts: Sequence[str]) -> Floats:
        """(texts, dimensions)."""
        rows = np.zeros((len(texts), self.dimensions))
        for row, text in zip(rows, texts, strict=True):
            for word in text.casefold().split():
                row += self.table.get(word.strip(".,:;!?"), 0.0)
        return unit(rows)


@dataclass(frozen=True, slots=True)
class Topic:
    """``words`` carry it; ``post`` may go viral; ``comments`` are what its people add when they pass something on."""

    name: str
    words: tuple[str, ...]
    post: str
    comments: tuple[str, ...]


@cache
def topics() -> tuple[Topic, ...]:
    """From the file beside this one, one a block."""
    listed: list[dict[str, Any]] = read_yaml(Path(__file__).with_name("topics.yaml"), "topics")
    return tuple(Topic(one["name"], tuple(one["words"]), one["post"], tuple(one["comments"])) for one in listed)


def directions(random: Stream) -> Floats:
    """A vector a topic, (dimensions, dimensions): orthogonal rows of length 1, in random directions."""
    drawn = random.normal(np.arange(DIMENSIONS**2)).reshape(DIMENSIONS, DIMENSIONS)
    rows: list[Floats] = []
    for row in drawn:  # Gram and Schmidt, in a fixed order of sums
        left = row
        for other in rows:
            left = left - (left * other).sum() * other
        rows.append(left / np.sqrt((left * left).sum()))
    return np.stack(rows)


def world(rules: WorldRules) -> World:
    """The world of these rules: the same every time, made once."""
    return _world(rules)


@lru_cache(maxsize=4)
def _world(rules: WorldRules) -> World:
    random = Randomness(rules.seed).stream("digital-clone")
    user = np.arange(rules.users)
    block = user * rules.blocks // rules.users
    topic = directions(random.at("topics"))
    network = follower_network(rules, block, random.at("network"))
    law = Planted.of(rules, scattered(topic[block], rules.noise, random.at("tastes")), network)
    author = np.tile(np.repeat(user, rules.posts), WEEKS)
    rows = np.arange(len(author))
    time = rows // (rules.users * rules.posts) + random.at("time").uniform(rows)
    own = random.at("focus").uniform(rows) < rules.focus
    about = np.where(own, block[author], random.at("about").integers(0, rules.blocks - 1, rows))
    posts = scattered(topic[about], rules.noise, random.at("posts"))
    post, edge = out_edges(network, author)
    source, target = author[post], network.targets[edge].astype(np.int64)
    shared = random.at("shares").uniform(np.arange(len(post))) < law.chance(source, target, posts[post])
    log = ExposureLog(time[post], source, target, post, shared)
    written = Histories(rules.users, author, time, posts)
    passed_on = Histories(rules.users, target[shared], time[post][shared], posts[post][shared])
    return World(rules, block, network, posts, log, written, passed_on, law, WordVectors.of(random.at("topics")))


def follower_network(rules: WorldRules, block: Ints, random: Stream) -> Network:
    """Numbers of followers have a heavy tail; followers come from one's own block with the chance ``within``, else from anywhere (a degree-
    corrected block model, Karrer and Newman 2011)."""
    users, edges = rules.users, np.arange(round(rules.users * rules.degree))
    fame: Floats = np.cumsum(power_law_degrees(users, TAIL, random.at("fame"), maximum=users // 4 + 1, even=False).astype(np.float64))
    source: Ints = np.minimum(np.searchsorted(fame, random.uniform(edges) * float(fame[-1]), side="right"), users - 1)
    begins = np.searchsorted(block, np.arange(rules.blocks))
    ends: Ints = np.append(begins[1:], users)
    own = random.at("own").uniform(edges) < rules.within
    first: Ints = np.where(own, begins[block[source]], 0)
    last: Ints = np.where(own, ends[block[source]], users) - 1
    return Network.from_edges(users, source, random.at("target").integers(first, last, edges))


def scattered(centres: Floats, noise: float, random: Stream) -> Floats:
    """Each row with a random vector of about this length added, scaled to length 1."""
    size, width = int(centres.shape[0]), int(centres.shape[1])
    drawn = random.normal(np.arange(size * width)).reshape(size, width)
    return unit(centres + noise * drawn / np.sqrt(width))


def unit(rows: Floats) -> Floats:
    """Each row scaled to length 1; a row of zeros stays."""
    lengths = np.sqrt((rows * rows).sum(axis=1, keepdims=True))
    return rows / np.where(lengths > 0, lengths, 1.0)
