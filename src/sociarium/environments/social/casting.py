"""Who writes in a thread, in answer to what, and how long it goes on: drawn beforehand, by coordinates that a copy of it shares.

After each utterance another reply is added with probability ``reply``, and the thread ends for good at the first failure or at ``most``
replies: its length is truncated geometric. Everything is drawn by (thread, position), so that a thread that was copied up to a point
and goes on from there draws what the first one drew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.randomness import Randomness, Stream

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

MOST_REPLIES = 100


@dataclass(frozen=True, slots=True)
class ThreadRules:
    """``reply``: the chance of each further reply; ``most``: replies at most. ``target``: a reply answers the ``last`` utterance, or
    ``any`` of those before it, each as likely. ``breaking`` and ``breaking_replies``: shares of posts and of replies that are asked for
    in the rule-breaking form. ``setting``: how texts are made (condition, temperature), which is part of every text's key."""

    reply: float = 0.65
    most: int = 8
    target: Literal["last", "any"] = "last"
    breaking: float = 0.1
    breaking_replies: float = 0.0
    longest: int = 2000  # characters of one utterance
    setting: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.reply < 1:
            raise UsageError(f"the chance of a further reply is 0 or more and below 1, not {self.reply}")
        if not 0 <= self.most <= MOST_REPLIES or self.longest < 1:
            raise UsageError(f"a thread has 0 to {MOST_REPLIES} replies of 1 character or more, not {self.most} of {self.longest}")
        if not (0 <= self.breaking <= 1 and 0 <= self.breaking_replies <= 1):
            raise UsageError("the shares of rule-breaking posts and replies lie between 0 and 1")

    @property
    def width(self) -> int:
        """Utterances of the longest thread."""
        return self.most + 1

    def shares(self) -> Floats:
        """The probability of 0, 1, ... ``most`` replies."""
        lengths = self.reply ** np.arange(self.width, dtype=np.float64)
        return lengths * np.append(np.full(self.most, 1 - self.reply), 1.0)

    def mean(self) -> float:
        """Expected replies: p (1 - p^most) / (1 - p)."""
        return self.reply * (1 - self.reply**self.most) / (1 - self.reply)


@dataclass(frozen=True, slots=True)
class Cast:
    """What is drawn for some threads, (threads, width): ``breach`` is -1 for the ordinary form, ``draw`` addresses the text's own draw.
    ``lengths``: utterances that each will have."""

    speaker: Ints
    parent: Ints
    breach: Ints
    draw: Ints
    lengths: Ints


class Casting:
    """All draws of threads; ``roots`` are the numbers that tell threads apart (for a copy, that of the first one)."""

    def __init__(self, rules: ThreadRules, randomness: Randomness) -> None:
        self.rules = rules
        self.random = randomness
        self.positions = np.arange(rules.width, dtype=np.int64)

    def cast(self, roots: Ints, pool: Ints, breaches: int) -> Cast:
        """New threads among the members of ``pool`` (ids, ascending); ``breaches``: how many ways the design has to break its rules."""
        if not len(pool):
            raise UsageError("nobody is there to open a thread: the community has no members")
        if not breaches and (self.rules.breaking or self.rules.breaking_replies):
            raise UsageError(
                "rule-breaking texts are asked for, but the design forbids nothing and names no behaviours: give it some, or 0"
            )
        parent = self._parents(roots)
        speaker = np.full((len(roots), self.rules.width), -1, np.int64)
        self.recast(roots, speaker, parent, np.zeros(len(roots), np.int64), pool)
        share = np.where(self.positions == 0, self.rules.breaking, self.rules.breaking_replies)
        breaks = self._drawn("breaks", roots) < share
        which = self._stream("breach").integers(0, max(breaches - 1, 0), roots[:, None], self.positions)
        draw = (self._stream("draw").bits(roots[:, None], self.positions) >> np.uint64(1)).astype(np.int64)
        lengths = self.lengths(roots, np.zeros(len(roots), np.int64)) if len(pool) > 1 else np.ones(len(roots), np.int64)
        return Cast(speaker, parent, np.where(breaks, which, -1), draw, lengths)

    def lengths(self, roots: Ints, last: Ints) -> Ints:
        """How many utterances threads come to that have one at position ``last``: one more for each coin that falls well after it."""
        heads = self._drawn("coins", roots) < self.rules.reply
        heads |= self.positions <= last[:, None]
        return np.cumprod(heads, axis=1).sum(axis=1)

    def recast(self, roots: Ints, speaker: Ints, parent: Ints, first: Ints, pool: Ints) -> None:
        """Fill ``speaker`` from position ``first`` on, in place: each is uniform over the pool less who wrote what is answered. Who was
        cast already stays, unless that is who wrote it, or one who is not in the pool."""
        rows = np.arange(len(roots))
        drawn, other = self._drawn("speaker", roots), self._drawn("other", roots)
        for at in self.positions.tolist():
            answered = np.where(at > 0, speaker[rows, np.maximum(parent[:, at], 0)], -1)
            now = speaker[:, at]
            there = pool[np.searchsorted(pool, now).clip(max=len(pool) - 1)] == now
            fresh = pool[np.minimum((drawn[:, at] * len(pool)).astype(np.int64), len(pool) - 1)]
            wanted = np.where(there, now, fresh)
            if len(pool) > 1:
                place = np.searchsorted(pool, wanted)
                step = 1 + np.minimum((other[:, at] * (len(pool) - 1)).astype(np.int64), len(pool) - 2)
                wanted = np.where(wanted == answered, pool[(place + step) % len(pool)], wanted)
            speaker[:, at] = np.where(at >= first, wanted, now)

    def other_draws(self, draw: Ints, alternative: int) -> Ints:
        """The draws of the same texts in another universe."""
        return (self._stream("universe").at(alternative).bits(draw) >> np.uint64(1)).astype(np.int64)

    def _parents(self, roots: Ints) -> Ints:
        if self.rules.target == "last":
            return np.broadcast_to(self.positions - 1, (len(roots), self.rules.width)).copy()
        below = np.maximum(self.positions - 1, 0)
        return np.where(self.positions > 0, self._stream("parent").integers(0, below, roots[:, None], self.positions), -1)

    def _drawn(self, name: str, roots: Ints) -> Floats:
        return self._stream(name).uniform(roots[:, None], self.positions)

    def _stream(self, name: str) -> Stream:
        return self.random.stream(f"threads.{name}")
