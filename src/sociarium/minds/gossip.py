"""Small talk by rule, in which what one knows is passed on by chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sociarium.environments.conversation.grapevine import Fact
from sociarium.kernel.actions import Actions
from sociarium.kernel.errors import UsageError
from sociarium.kernel.turn import Observations, Turn


@dataclass(frozen=True, slots=True)
class Sayings:
    """What people say: to begin, in between, and to end a talk. One of each is drawn."""

    hello: tuple[str, ...] = ("Hello!",)
    small: tuple[str, ...] = ("How are you?",)
    bye: tuple[str, ...] = ("See you!",)

    def __post_init__(self) -> None:
        if not (self.hello and self.small and self.bye):
            raise UsageError("sayings need at least one of each: hello, small, bye")

    @classmethod
    def of(cls, plain: Mapping[str, Sequence[str]]) -> Sayings:
        return cls(**{name: tuple(map(str, plain[name])) for name in ("hello", "small", "bye")})


class Gossip:
    """A rule for talks of two: each speaks once, and the first says goodbye. In its first line a speaker passes on each fact it knows
    with the same ``chance``, drawn for each talk and fact: over a log of talks this is susceptible-infected spreading."""

    def __init__(self, facts: Sequence[Fact], chance: float, sayings: Sayings | None = None, *, grapevine: str = "grapevine") -> None:
        if not 0 <= chance <= 1:
            raise UsageError(f"a fact is passed on with a chance from 0 to 1, not {chance}")
        self.facts, self.chance, self.sayings, self.grapevine = tuple(facts), chance, sayings or Sayings(), grapevine

    def __call__(self, turn: Turn, seen: Observations) -> Actions:
        lines, knows = seen["chats"]["lines"], seen[self.grapevine]["knows"]
        draw = turn.random("gossip")
        passed = np.stack([draw.at(f.name).uniform(turn.agents) < self.chance for f in self.facts], axis=1) & knows
        which = draw.at("words").uniform(turn.agents).tolist()
        texts: Any = np.empty(len(turn.agents), object)
        for row, line in enumerate(lines.tolist()):
            told = [f.text for at, f in enumerate(self.facts) if passed[row, at]] if line < 2 else []
            kind = self.sayings.bye if line >= 2 else self.sayings.hello if line == 0 else self.sayings.small
            texts[row] = " ".join([kind[int(which[row] * len(kind))], *told])
        return Actions().add(turn, "say", turn.agents, text=texts, end=lines >= 2)
