"""What comes to a platform from outside: news that everybody hears of, each with its influence and the emotion that it carries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.social.expression import EMOTIONS
from sociarium.kernel.errors import UsageError

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Bulletin:
    """``time`` in microseconds. ``influence``, 0 to 1: how far it wakes people; ``intensity``, 0 to 1: how far it stirs ``emotion``."""

    time: int
    text: str
    influence: float = 1.0
    emotion: str = "neutral"
    intensity: float = 0.0

    def __post_init__(self) -> None:
        if self.emotion not in EMOTIONS:
            raise UsageError(f"a bulletin carries one of {', '.join(EMOTIONS)}, not {self.emotion!r}")
        if not (0 <= self.influence <= 1 and 0 <= self.intensity <= 1):
            raise UsageError(f"influence and intensity of a bulletin lie from 0 to 1, not {self.influence} and {self.intensity}")


class Bulletins:
    """All there were, in order. Of them the last ``shown`` are before people's eyes."""

    def __init__(self, shown: int = 5) -> None:
        self.shown = shown
        self.all: list[Bulletin] = []

    def __len__(self) -> int:
        return len(self.all)

    def add(self, bulletin: Bulletin) -> None:
        self.all.append(replace(bulletin))

    def last(self) -> list[Bulletin]:
        return self.all[-self.shown :] if self.shown else []

    def fresh(self, heard: Array) -> NDArray[np.bool_]:
        """(rows, shown): which of the last, the newest at the end, are new to one who has heard of so many."""
        numbers = np.arange(len(self.all) - self.shown, len(self.all))
        return (numbers >= 0) & (numbers >= np.asarray(heard)[:, None])

    def tones(self) -> tuple[Array, Array]:
        """The emotions (numbers) and intensities of the last, padded in front with neutral ones: (shown,) each."""
        last = self.last()
        emotions, strengths = np.zeros(self.shown, np.int8), np.zeros(self.shown)
        for place, one in enumerate(last, self.shown - len(last)):
            emotions[place], strengths[place] = EMOTIONS.index(one.emotion), one.intensity
        return emotions, strengths

    def state(self) -> list[dict[str, Any]]:
        return [{name: getattr(one, name) for name in Bulletin.__slots__} for one in self.all]

    def load(self, state: list[Mapping[str, Any]]) -> None:
        self.all = [Bulletin(**one) for one in state]
