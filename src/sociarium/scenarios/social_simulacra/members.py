"""Members without a model: they draw their words from vocabularies that the goal and the rules set, and answer hostility in kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.social.design import content_words
from sociarium.environments.social.threads import Slot, Threads
from sociarium.environments.wording import read_yaml
from sociarium.kernel.actions import Actions
from sociarium.kernel.mind import Mind
from sociarium.kernel.randomness import Stream, key_of
from sociarium.kernel.turn import Observations, Turn
from sociarium.kernel.world import World

HERE = Path(__file__).parent

Condition = Literal["full", "no description", "no personas", "neither"]
LEAST, MOST = 8, 16  # words of an utterance


@dataclass(frozen=True, slots=True)
class Manner:
    """``persona``: the share of a member's words that tell who it is. ``contagion``: the chance to answer a hostile utterance with
    another. ``condition``: without a description nobody knows goal or rules; without personas nobody is anybody."""

    persona: float = 0.2
    contagion: float = 0.5
    condition: Condition = "full"

    @property
    def described(self) -> bool:
        return self.condition in ("full", "no personas")

    @property
    def personal(self) -> bool:
        return self.condition in ("full", "no description")


@cache
def lists() -> Mapping[str, tuple[str, ...]]:
    """Names, phrases and words by heading."""
    plain = cast("Mapping[str, list[str]]", read_yaml(HERE / "members.yaml", "members"))
    return {name: tuple(words) for name, words in plain.items()}


def hostile(text: str) -> bool:
    """Whether a text has a word that is meant to hurt."""
    return not set(content_words(text)).isdisjoint(lists()["hostile"])


class Members(Mind):
    """Writes for members and proposes for designers. What is written is a function of its slot: the same slot, the same words."""

    def __init__(self, manner: Manner | None = None) -> None:
        self.manner = manner or Manner()

    def begin(self, world: World) -> None:
        self.world = world

    async def decide(self, turn: Turn, seen: Observations) -> Actions:
        if turn.offered("membership.propose"):
            return self._proposals(turn, seen)
        for verb in ("threads.post", "threads.reply"):
            if turn.offered(verb):
                threads = cast("Threads", self.world["threads"])
                return Actions.one(turn, verb, text=_texts(self.words(threads.slots(turn.lanes))))
        return Actions()

    def words(self, slots: Sequence[Slot]) -> list[str]:
        """What is written in each slot."""
        draws, numbers = np.array([slot.draw for slot in slots], np.int64), np.arange(2 * MOST + 2, dtype=np.int64)
        random = Stream(key_of("social-simulacra.words")).uniform(draws[:, None], numbers)
        return [self._words(slot, drawn) for slot, drawn in zip(slots, random, strict=True)]

    def _words(self, slot: Slot, drawn: NDArray[np.float64]) -> str:
        size = LEAST + int(drawn[0] * (MOST - LEAST + 1))
        topic = self._topic(slot, angry=bool(slot.path) and hostile(slot.path[-1][1]) and float(drawn[1]) < self.manner.contagion)
        own = content_words(slot.phrase) if self.manner.personal and slot.phrase else ()
        chosen: list[str] = []
        for which, at in drawn[2 : 2 + 2 * size].reshape(size, 2).tolist():
            words = own if own and which < self.manner.persona else topic
            chosen.append(words[int(at * len(words))])
        return " ".join(chosen).capitalize() + "."

    def _topic(self, slot: Slot, *, angry: bool) -> tuple[str, ...]:
        if angry:
            return lists()["hostile"]
        if slot.behaviour:
            return content_words(slot.behaviour)
        if not self.manner.described:
            return lists()["common"]
        return slot.design.vocabulary if slot.breach < 0 else slot.design.vocabulary_of(slot.breach)

    def _proposals(self, turn: Turn, seen: Observations) -> Actions:
        part, actions = seen["membership"], Actions()
        for row, (agent, lane) in enumerate(zip(turn.agents.tolist(), turn.lanes.tolist(), strict=True)):
            calls = int(part["calls"][row]) + np.arange(int(part["asked"][row]))
            random = turn.moment.randomness.stream("social-simulacra.personas", lane)
            names = _pairs(random, calls, 0, lists()["given"], lists()["family"])
            phrases = _pairs(random, calls, 2, lists()["kinds"], lists()["ways"])
            actions.add(turn, "membership.propose", np.full(len(calls), agent), name=names, phrase=phrases)
        return actions


def _pairs(random: Stream, rows: NDArray[np.int64], index: int, first: Sequence[str], second: Sequence[str]) -> NDArray[Any]:
    ones = random.integers(0, len(first) - 1, rows, index).tolist()
    others = random.integers(0, len(second) - 1, rows, index + 1).tolist()
    return _texts([f"{first[one]} {second[other]}" for one, other in zip(ones, others, strict=True)])


def _texts(words: list[str]) -> NDArray[Any]:
    out = np.empty(len(words), object)
    out[:] = words
    return out
