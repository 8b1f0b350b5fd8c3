"""Which topics are hot: hashtags counted by what happens under them, with counts that fade.

Heat = (mentions + 0.5 likes + 2 reposts + 1.5 comments) e^(-hours since the last mention / 12), from counts that lose a twentieth with each
update (POSIM, arXiv 2603.23884).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.units import HOUR

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

COUNTED = ("mentions", "likes", "reposts", "comments")
MOST_TAGS = 5  # of one text
LONGEST_TAG = 40

_BETWEEN = re.compile(r"[\s,;#＃]+")


@dataclass(frozen=True, slots=True)
class HotListRules:
    """``weights`` of mentions, likes, reposts, comments. ``hours``: in which heat falls to 1/e; ``fading``: the factor of counts at each
    update. ``least`` mentions, all told, are needed to be listed; ``shown``: the length of the list."""

    weights: tuple[float, float, float, float] = (1.0, 0.5, 2.0, 1.5)
    hours: float = 12.0
    fading: float = 0.95
    least: int = 10
    shown: int = 5

    def __post_init__(self) -> None:
        if min(self.weights) < 0 or self.hours <= 0 or not 0 <= self.fading <= 1 or self.least < 0 or self.shown < 0:
            raise UsageError("HotListRules: weights of 0 or more, hours above 0, fading from 0 to 1, least and shown 0 or more")


class HotList:
    """Tags are numbered in the order in which they came."""

    def __init__(self, rules: HotListRules | None = None) -> None:
        self.rules = rules or HotListRules()
        self.tags: list[str] = []
        self._number: dict[str, int] = {}
        self.counts: Floats = np.zeros((0, len(COUNTED)))  # (tags, counted), fading
        self.mentioned: Ints = np.zeros(0, np.int64)  # all told
        self.last: Ints = np.zeros(0, np.int64)  # when last mentioned, microseconds

    def read(self, text: str) -> tuple[int, ...]:
        """The tags that a text of hashtags names, each once, new ones numbered."""
        words = dict.fromkeys(word.casefold()[:LONGEST_TAG] for word in _BETWEEN.split(text) if word)
        return tuple(self._of(word) for word in list(words)[:MOST_TAGS])

    def mention(self, tags: Sequence[int], time: int) -> None:
        """These tags were named, one entry a mention."""
        self.count("mentions", tags)
        given = np.asarray(tags, np.int64)
        self.mentioned += np.bincount(given, minlength=len(self.tags))
        self.last[given] = time

    def count(self, what: str, tags: Sequence[int]) -> None:
        """Something was liked, reposted or commented on under these tags, one entry each time."""
        self.counts[:, COUNTED.index(what)] += np.bincount(np.asarray(tags, np.int64), minlength=len(self.tags))

    def heat(self, now: int) -> Floats:
        """One value a tag."""
        return self.counts @ np.array(self.rules.weights) * np.exp(-(now - self.last) / HOUR / self.rules.hours)

    def listed(self, now: int) -> list[str]:
        """The hottest tags, of equals the older first."""
        heat = self.heat(now)
        able = np.flatnonzero(self.mentioned >= self.rules.least)
        order = able[np.argsort(-heat[able], kind="stable")]
        return [self.tags[tag] for tag in order[: self.rules.shown].tolist()]

    def update(self) -> None:
        """The end of a step: what was counted fades."""
        self.counts *= self.rules.fading

    def state(self) -> dict[str, Any]:
        return {"tags": list(self.tags), "counts": self.counts.copy(), "mentioned": self.mentioned.copy(), "last": self.last.copy()}

    def load(self, state: Mapping[str, Any]) -> None:
        self.tags = [str(tag) for tag in state["tags"]]
        self._number = {tag: number for number, tag in enumerate(self.tags)}
        self.counts = np.array(state["counts"], np.float64).reshape(-1, len(COUNTED))
        self.mentioned, self.last = np.array(state["mentioned"], np.int64), np.array(state["last"], np.int64)

    def _of(self, word: str) -> int:
        number = self._number.setdefault(word, len(self.tags))
        if number == len(self.tags):
            self.tags.append(word)
            self.counts = np.concatenate([self.counts, np.zeros((1, len(COUNTED)))])
            self.mentioned, self.last = np.append(self.mentioned, 0), np.append(self.last, 0)
        return number
