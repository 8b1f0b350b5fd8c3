"""Scales of questionnaires: items with answers that are scored, some of them reversed, and the sum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.errors import UsageError

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scale:
    """``items``: what is asked, by name; ``answers`` from the lowest score (0) up; ``reversed``: numbers of items, from 1, whose lowest
    answer scores highest."""

    name: str
    items: tuple[str, ...]
    answers: tuple[str, ...]
    reversed: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        if not self.items or len(self.answers) < 2:
            raise UsageError(f"the scale {self.name!r} needs items, and two answers or more")
        if wrong := sorted(number for number in self.reversed if not 1 <= number <= len(self.items)):
            raise UsageError(f"the scale {self.name!r} reverses item {wrong[0]}, but has items 1 to {len(self.items)}")

    @property
    def highest(self) -> int:
        return len(self.items) * (len(self.answers) - 1)

    def score(self, given: ArrayLike) -> Floats:
        """Sums of whole respondents, (respondents,), from the numbers of their answers, (respondents, items), from 0; nan for who left an
        item open (-1). Raises UsageError for any other number."""
        answers = np.atleast_2d(np.asarray(given, np.int64))
        top = len(self.answers) - 1
        if answers.shape[1] != len(self.items) or answers.min(initial=0) < -1 or answers.max(initial=0) > top:
            raise UsageError(
                f"the scale {self.name!r} takes {len(self.items)} answers from 0 to {top} a person (-1: none), not {given!r:.60}"
            )
        turned = np.isin(np.arange(1, len(self.items) + 1), list(self.reversed))
        sums = np.where(turned, top - answers, answers).sum(axis=1).astype(np.float64)
        sums[(answers < 0).any(axis=1)] = np.nan
        return sums

    def read(self, words: Sequence[str]) -> NDArray[np.int64]:
        """Numbers of answers given in words, ignoring case; -1 for words that are none of the answers."""
        known = {answer.casefold(): number for number, answer in enumerate(self.answers)}
        return np.array([known.get(word.strip().casefold(), -1) for word in words], np.int64)


CES_D = Scale(
    "CES-D",
    (
        "bothered", "appetite", "blues", "as good as others", "mind on things", "depressed", "effort", "hopeful", "failure", "fearful",
        "sleep", "happy", "talked less", "lonely", "unfriendly", "enjoyed life", "crying", "sad", "disliked", "get going",
    ),
    ("rarely", "some", "occasionally", "most"),
    frozenset({4, 8, 12, 16}),
)  # fmt: skip
"""Depressed mood in the last week: twenty items by what they are about (Radloff 1977); 0 to 60, 16 and more is a usual cut."""
