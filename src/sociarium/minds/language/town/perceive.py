"""From what is newly in sight to memories, and from what is in sight to what one remembers of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.units import DAY
from sociarium.minds.language.asking import Asking
from sociarium.minds.language.keywords import Keywords
from sociarium.minds.language.reflect import Thinker
from sociarium.minds.language.retrieval import NEVER, Kind
from sociarium.minds.language.stream import Memory as Remembered
from sociarium.minds.language.town.atlas import Atlas

Ints = NDArray[np.int64]

IDLE = 1.0  # the importance of what needs no thought


@dataclass(frozen=True, slots=True)
class Sight:
    """Something newly noticed: a person (``other``) or a thing (``place``), and what it does or is like. -1: not of that kind."""

    name: str
    doing: str
    other: int = -1
    place: int = -1
    talking: bool = False


class Perceive(Thinker):
    """Stores what the town shows as new. ``idle``: words of activities that are of no account: importance 1, without a question; all else
    is scored by the memory's own rule. ``related``: the newest events, and as many thoughts, that are brought to bear on a sight."""

    def __init__(
        self, *, town: str = "town", idle: tuple[str, ...] = ("idle", "waiting"), related: int = 10, name: str = "perceive", **settings: Any
    ) -> None:
        super().__init__(name=name, **settings)
        self.town, self.idle, self.related = town, idle, related
        self.keywords = Keywords()

    def take(self, asking: Asking) -> list[Sight]:
        """What is newly in sight, stored; the nearest first, as the town gives them. A probe stores nothing."""
        own = str(asking.value(self.town, "activity"))
        sights = [sight for sight in self.sights(asking) if sight.other >= 0 or sight.doing != own]  # one's own doing is no news
        for sight in sights:
            self._store(asking, sight)
        return sights

    def sights(self, asking: Asking) -> list[Sight]:
        columns = {key: asking.value(self.town, key) for key in ("others", "others_activity", "others_talk", "things", "things_state")}
        found = [
            Sight(self.mind.name_of(int(other)), str(doing), other=int(other), talking=bool(talks))
            for other, doing, talks in zip(columns["others"], columns["others_activity"], columns["others_talk"], strict=True)
            if other >= 0
        ]
        atlas = Atlas(self.mind, self.town)
        things = zip(columns["things"], columns["things_state"], strict=True)
        return found + [Sight(atlas.name(int(place)), str(state), place=int(place)) for place, state in things if place >= 0 and state]

    def is_idle(self, sight: Sight) -> bool:
        return not sight.doing or any(word in sight.doing.casefold() for word in self.idle)

    def tag(self, agent: int, row: int, *words: str) -> None:
        """Let a memory be found by what it is about."""
        self.keywords.tag(agent, row, words)

    def about(self, asking: Asking, *words: str) -> Ints:
        """Live events and thoughts that share a word (a name) with what is perceived: the newest ``related`` of each, oldest first."""
        stream, rows = self.memory.stream, self.keywords.about(asking.agent, words)
        rows = rows[(stream["until_time"][rows] > asking.turn.time) & (stream["until_tick"][rows] >= asking.turn.tick)]
        kinds = stream["kind"][rows]
        thoughts = np.isin(kinds, [int(Kind.THOUGHT), int(Kind.PLAN)])
        newest = [rows[which][-self.related :] for which in (kinds == Kind.EVENT, thoughts)]
        return np.sort(np.concatenate(newest))

    def _store(self, asking: Asking, sight: Sight) -> None:
        prompt, importance = ("sees_person" if sight.other >= 0 else "sees_thing"), IDLE if self.is_idle(sight) else None
        doing = sight.doing or self.mind.prompts["nothing"].words()
        text = self.mind.prompts[prompt].words(name=sight.name, doing=doing)
        until = NEVER if self.days is None else asking.turn.time + round(self.days * DAY)
        author = sight.other if sight.other >= 0 else asking.agent
        row = self.memory.remember(asking, Remembered(Kind.EVENT, text, importance, until_time=until, author=author))
        if row >= 0:
            self.tag(asking.agent, row, sight.name)

    def state(self) -> dict[str, Any]:
        return self.keywords.state(self.memory.stream)

    def load(self, state: Mapping[str, Any]) -> None:
        self.keywords.load(state)
