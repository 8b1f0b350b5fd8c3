"""Who passes a message on: rules for minds without words. Whoever has passed it on does not do so again.

The rules of the classic models, as minds: ``EachMessage`` is an independent cascade, ``ShareOfThoseHeard`` a linear threshold,
``OneCoin`` a percolation of users, ``Always`` a broadcast. What they must reach in the mean is worked out apart from them in
``sociarium.lab.diffusion``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.randomness import Stream
from sociarium.kernel.turn import Turn

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Read:
    """Messages as those who decide read them, one row a message and reader: by ``reader`` (its place among the turn's agents), in order of
    arrival. ``message``: a number that tells messages apart, also those of one author; ``level`` and ``side``: what it carries."""

    reader: Ints
    message: Ints
    author: Ints
    source: Ints  # minds.influence.Source
    relevance: Floats
    level: Ints
    side: Ints

    def __len__(self) -> int:
        return len(self.reader)

    def only(self, rows: NDArray[Any]) -> Read:
        return Read(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


class Reshare:
    """The base of all rules. ``passed``: who has passed it on, (users,)."""

    def __init__(self) -> None:
        self.passed: Bools = np.zeros(0, np.bool_)

    def admit(self, users: int) -> None:
        """Room for so many users in all."""
        if users > len(self.passed):
            self.passed = np.concatenate([self.passed, np.zeros(users - len(self.passed), np.bool_)])

    def begun(self, users: ArrayLike) -> None:
        """These have sent it already, as those have with whom it begins."""
        who = np.asarray(users, np.int64)
        self.admit(int(who.max(initial=-1)) + 1)
        self.passed[who] = True

    def decide(self, turn: Turn, read: Read, levels: Ints) -> Bools:
        """Which of the turn's agents pass it on now; ``levels`` are their emotions after reading."""
        reading = np.zeros(len(turn.agents), np.bool_)
        reading[read.reader] = True
        willing = self.willing(turn, read, levels) & reading & ~self.passed[turn.agents]
        self.passed[turn.agents[willing]] = True
        return willing

    def willing(self, turn: Turn, read: Read, levels: Ints) -> Bools:
        """The rule itself, one value an agent of the turn."""
        raise NotImplementedError(type(self).__name__)

    def state(self) -> dict[str, Any]:
        return {"passed": self.passed.copy()}

    def load(self, state: Mapping[str, Any]) -> None:
        if state:
            self.passed = np.array(state["passed"], np.bool_)


class Always(Reshare):
    """Whatever arrives is passed on."""

    def willing(self, turn: Turn, read: Read, levels: Ints) -> Bools:
        return np.ones(len(turn.agents), np.bool_)


class EachMessage(Reshare):
    """One coin for each message read: the more of those heard send it, the likelier. ``chance``: one for all, or one a level of emotion;
    ``factor``: what multiplies it, one a user."""

    def __init__(self, chance: ArrayLike, factor: ArrayLike | None = None) -> None:
        super().__init__()
        self.chance = np.atleast_1d(np.asarray(chance, np.float64))
        self.factor = None if factor is None else np.asarray(factor, np.float64)
        if not ((self.chance >= 0) & (self.chance <= 1)).all() or (self.factor is not None and not (self.factor >= 0).all()):
            raise UsageError("EachMessage: a chance lies from 0 to 1, and a factor is 0 or more")

    def willing(self, turn: Turn, read: Read, levels: Ints) -> Bools:
        who = turn.agents[read.reader]
        heads = self.coins(turn.random("reshare"), who, read.message) < self.chances(who, levels[read.reader])
        out = np.zeros(len(turn.agents), np.bool_)
        out[read.reader[heads]] = True
        return out

    def coins(self, random: Stream, who: Ints, messages: Ints) -> Floats:
        return random.uniform(who, messages)

    def chances(self, who: Ints, levels: Ints) -> Floats:
        chance = self.chance[levels if len(self.chance) > 1 else np.zeros(len(who), np.int64)]
        return chance if self.factor is None else np.minimum(chance * self.factor[who], 1.0)


class OneCoin(EachMessage):
    """One coin a user, when it first reads of it."""

    def __init__(self, chance: ArrayLike, factor: ArrayLike | None = None) -> None:
        super().__init__(chance, factor)
        self.asked: Bools = np.zeros(0, np.bool_)

    def admit(self, users: int) -> None:
        super().admit(users)
        if users > len(self.asked):
            self.asked = np.concatenate([self.asked, np.zeros(users - len(self.asked), np.bool_)])

    def willing(self, turn: Turn, read: Read, levels: Ints) -> Bools:
        who = turn.agents
        heads = (turn.random("reshare").uniform(who) < self.chances(who, levels)) & ~self.asked[who]
        self.asked[who[read.reader]] = True
        return heads

    def state(self) -> dict[str, Any]:
        return {**super().state(), "asked": self.asked.copy()}

    def load(self, state: Mapping[str, Any]) -> None:
        super().load(state)
        if state:
            self.asked = np.array(state["asked"], np.bool_)


class ShareOfThoseHeard(Reshare):
    """Passed on when the share of those heard who have sent it reaches the threshold. ``heard``: how many each user hears; ``threshold``:
    one for all, or one a user. Each of those heard sends it once."""

    def __init__(self, threshold: ArrayLike, heard: ArrayLike) -> None:
        super().__init__()
        self.heard = np.maximum(np.asarray(heard, np.int64), 1)
        self.threshold = np.broadcast_to(np.asarray(threshold, np.float64), self.heard.shape)
        self.told: Ints = np.zeros(len(self.heard), np.int64)

    def willing(self, turn: Turn, read: Read, levels: Ints) -> Bools:
        who = turn.agents
        self.told[who] += np.bincount(read.reader, minlength=len(who))
        return self.told[who] / self.heard[who] >= self.threshold[who]

    def state(self) -> dict[str, Any]:
        return {**super().state(), "told": self.told.copy()}

    def load(self, state: Mapping[str, Any]) -> None:
        super().load(state)
        if state:
            self.told = np.array(state["told"], np.int64)
