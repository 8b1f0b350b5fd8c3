"""How a feed becomes messages: who sent each, from what kind of source, how near it is to the reader, and what its author held."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.environments.social.platform import Platform
from sociarium.environments.social.stances import Stances
from sociarium.kernel.turn import Observations, Turn
from sociarium.minds.influence import Source
from sociarium.minds.resharing import Read

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Nearness:
    """The cosine of each reader's profile and each text. Texts are embedded once; nothing here is state."""

    def __init__(self, profiles: Sequence[str], vectors: Callable[[Sequence[str]], ArrayLike]) -> None:
        distinct, which = np.unique(np.array(profiles, object).astype(str), return_inverse=True)
        self.profiles = np.asarray(vectors(distinct.tolist()), np.float64)
        self.which, self.vectors = which, vectors
        self.texts: Floats = np.empty((0, self.profiles.shape[1]))

    def of(self, readers: Ints, platform: Platform, messages: Ints) -> Floats:
        """From 0 to 1; what points away counts as 0."""
        numbers = platform.posts.text[messages]
        known = len(self.texts)
        if len(numbers) and int(numbers.max()) >= known:
            fresh = platform.posts.texts.of(np.arange(known, int(numbers.max()) + 1))
            self.texts = np.concatenate([self.texts, np.asarray(self.vectors(fresh.tolist()), np.float64)])
        size = max(len(self.texts), 1)
        pairs, back = np.unique(
            self.which[readers] * size + numbers, return_inverse=True
        )  # many users share a profile, many messages a text
        return np.clip(np.einsum("md,md->m", self.profiles[pairs // size], self.texts[pairs % size]), 0.0, 1.0)[back]


class Feed:
    """Called with a turn and what is seen in it, gives the messages of all its agents, by reader, in order of arrival. ``sources``: whether
    it is looked up from what kind of source each comes; else all come from a followee."""

    def __init__(self, platform: Platform, stances: Stances, nearness: Nearness | None = None, *, sources: bool = True) -> None:
        self.platform, self.stances, self.nearness = platform, stances, nearness
        self.looks_up = sources

    def __call__(self, turn: Turn, seen: Observations) -> Read:
        feed = np.asarray(seen[self.platform.name]["feed"], np.int64)
        reader, column = np.nonzero(feed >= 0)
        message = feed[reader, column]
        author = self.platform.posts.author[message].astype(np.int64)
        agents = turn.agents[reader]
        relevance = np.zeros(len(message)) if self.nearness is None else self.nearness.of(agents, self.platform, message)
        level, side = (np.maximum(said[author], 0).astype(np.int64) for said in (self.stances.said_emotion, self.stances.said_attitude))
        return Read(reader, message, author, self.sources(agents, author), relevance, level, side)

    def sources(self, readers: Ints, authors: Ints) -> Ints:
        """Mutual where the author follows back, followee where only the reader follows, else recommended."""
        if not self.looks_up:
            return np.full(len(readers), Source.FOLLOWEE, np.int64)
        follows = self.platform.follows
        followed, back = follows.has(readers, authors), follows.has(authors, readers)
        return np.where(followed, np.where(back, Source.MUTUAL, Source.FOLLOWEE), Source.RECOMMENDED)

    def words(self, message: int) -> str:
        """The text of a message."""
        found: Any = self.platform.posts.words(np.array([message]))
        return str(found[0])
