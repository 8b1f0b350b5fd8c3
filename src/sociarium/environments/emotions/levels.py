"""Six emotions as numbers that fade, are stirred, and pass from one to another: pure functions over columns, for any mind.

Two presets: ``AGENTSOCIETY`` (arXiv 2502.08691), whole numbers from 0 to 10 beside a word, and ``POSIM`` (arXiv 2603.23884), shares from 0
to 1 that fade with each awakening, are raised by what is read, and lean to the authors of what was seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.errors import UsageError

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

WORDS = (
    "joy", "distress", "resentment", "pity", "hope", "fear", "satisfaction", "relief", "disappointment", "pride", "admiration", "shame",
    "reproach", "liking", "disliking", "gratitude", "anger", "gratification", "remorse", "love", "hate",
)  # fmt: skip
"""The twenty-one emotions of Ortony, Clore and Collins (1988), as AgentSociety names them."""


@dataclass(frozen=True, slots=True)
class EmotionRules:
    """``names`` of six emotions, each from ``low`` to ``high``, at first ``start``. ``fading``: the factor of one awakening.
    ``stimulus``: what share of a stirring is added. ``contagion``: how far one leans to others."""

    names: tuple[str, ...]
    low: float = 0.0
    high: float = 1.0
    start: float = 0.0
    fading: float = 1.0
    stimulus: float = 1.0
    contagion: float = 0.0
    whole: bool = False
    word: str = ""

    def __post_init__(self) -> None:
        if not self.low < self.high or not self.low <= self.start <= self.high:
            raise UsageError(f"EmotionRules: {self.low} to {self.high} with start {self.start} is no range with a start inside")
        for name in ("fading", "contagion"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"EmotionRules: {name} is {getattr(self, name)}; it must lie in [0, 1]")


AGENTSOCIETY = EmotionRules(("sadness", "joy", "fear", "disgust", "anger", "surprise"), 0, 10, 5, whole=True, word="relief")
POSIM = EmotionRules(("happiness", "sadness", "anger", "fear", "surprise", "disgust"), fading=0.95, stimulus=0.3, contagion=0.1)


def begun(agents: int, rules: EmotionRules) -> Floats:
    """(agents, emotions), as at the start."""
    return np.full((agents, len(rules.names)), float(rules.start))


def faded(levels: ArrayLike, rules: EmotionRules, times: ArrayLike = 1.0) -> Floats:
    """Towards ``low`` by the factor ``fading`` to the power of ``times``, one value an agent or one for all."""
    factor = np.power(rules.fading, np.asarray(times, np.float64))[..., None]
    return rules.low + (np.asarray(levels, np.float64) - rules.low) * factor


def faded_by(levels: ArrayLike, rate: float, hours: ArrayLike, rules: EmotionRules) -> Floats:
    """Towards ``low`` by exp(-rate hours), as POSIM's paper states it (its code takes a factor an awakening: ``faded``)."""
    return rules.low + (np.asarray(levels, np.float64) - rules.low) * np.exp(-rate * np.asarray(hours, np.float64))[..., None]


def stirred(levels: ArrayLike, stirring: ArrayLike, rules: EmotionRules) -> Floats:
    """``min(high, level + stimulus * stirring)``, and never under ``low``."""
    return np.clip(np.asarray(levels, np.float64) + rules.stimulus * np.asarray(stirring, np.float64), rules.low, rules.high)


def caught(levels: ArrayLike, readers: Ints, authors: Ints, rules: EmotionRules, *, of: ArrayLike | None = None) -> Floats:
    """Contagion: each reader leans by ``contagion`` to the mean of the authors of what it saw, a pair (reader, author) each post.

    ``levels`` is (agents, emotions); those of the authors are taken from it as it was, or from ``of``. Who saw nothing stays as it was.
    Sums go in the order of the pairs, so a result is the same wherever it is computed.
    """
    own = np.asarray(levels, np.float64)
    sources = own if of is None else np.asarray(of, np.float64)
    seen = np.bincount(readers, minlength=len(own)).astype(np.float64)
    sums = np.stack([np.bincount(readers, sources[authors, column], len(own)) for column in range(own.shape[1])], axis=1)
    mean = np.divide(sums, seen[:, None], out=own.copy(), where=seen[:, None] > 0)
    return (1 - rules.contagion) * own + rules.contagion * mean
