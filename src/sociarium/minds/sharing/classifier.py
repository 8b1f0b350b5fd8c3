"""Will A pass on what B shows? Gradient-boosted trees on features of post and pair, their odds corrected for how pairs were sampled."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.randomness import Stream
from sociarium.minds.sharing.features import PairFeatures
from sociarium.minds.sharing.logs import ExposureLog
from sociarium.minds.sharing.trees import BoostedTrees, TreeRules

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class Sharing(Protocol):
    """P(target passes on what source shows), one a row. ``posts``: (rows, dimensions), the vectors of what is shown. Anything with this
    method can stand where a classifier does: a planted law, a constant, a model of one's own."""

    def chance(self, sources: Ints, targets: Ints, posts: Floats) -> Floats: ...


@dataclass(frozen=True, slots=True)
class TrainingRules:
    """``negatives``: exposures that were not shared for each that was; None: all there are. ``trees``: see ``TreeRules``."""

    negatives: float | None = 1.0
    trees: TreeRules = field(default_factory=TreeRules)

    def __post_init__(self) -> None:
        if self.negatives is not None and not self.negatives > 0:
            raise UsageError(f"negatives is {self.negatives}; it is a number above 0 for each positive, or None for all")


class ShareClassifier:
    """``at``: the moment at which pairs are looked at where no time is given, such as the day of a viral post."""

    def __init__(self, features: PairFeatures, trees: BoostedTrees, offset: float, at: float) -> None:
        self.features, self.trees, self.offset, self.at = features, trees, offset, at

    @classmethod
    def fit(
        cls, features: PairFeatures, log: ExposureLog, posts: Floats, random: Stream, rules: TrainingRules | None = None, *, at: float
    ) -> ShareClassifier:
        """To the rows of a log; ``posts``: (posts, dimensions). All that was shared is used, and as many of the others as asked for, by
        lot. The odds are then corrected to the share in the whole log (King and Zeng 2001, eq. 7)."""
        how = rules or TrainingRules()
        chosen, offset = sampled(log, random, how.negatives)
        rows = features.rows(chosen.source, chosen.target, posts[chosen.post], chosen.time)
        return cls(features, BoostedTrees.fit(rows, chosen.shared, how.trees), offset, at)

    def chance(self, sources: Ints, targets: Ints, posts: Floats, times: ArrayLike | None = None) -> Floats:
        """P(target passes on what source shows), one a row; ``times`` one a row or for all, the classifier's own where not given."""
        rows = self.features.rows(sources, targets, posts, self.at if times is None else times)
        return expit(self.trees.log_odds(rows) + self.offset)

    def of(self, log: ExposureLog, posts: Floats) -> Floats:
        """The same for the rows of a log, each at its own time."""
        return self.chance(log.source, log.target, posts[log.post], log.time)

    def state(self) -> dict[str, Any]:
        """What was learned, without the histories that it looks at."""
        return {"trees": self.trees.state(), "offset": self.offset, "at": self.at}

    def load(self, state: Mapping[str, Any]) -> None:
        self.trees = BoostedTrees.load(state["trees"])
        self.offset, self.at = float(state["offset"]), float(state["at"])


def sampled(log: ExposureLog, random: Stream, negatives: float | None) -> tuple[ExposureLog, float]:
    """Rows of a log with so many that were not shared for each that was, in their order; and what log odds fitted to them lack."""
    shared, other = np.flatnonzero(log.shared), np.flatnonzero(~log.shared)
    if not len(shared) or not len(other):
        raise UsageError(f"of {len(log)} exposures {len(shared)} were shared; a classifier needs some that were and some that were not")
    if negatives is None or negatives * len(shared) >= len(other):
        return log, 0.0
    count = max(1, round(negatives * len(shared)))
    kept = other[np.sort(random.order(other)[:count])]
    return log.only(np.sort(np.concatenate([shared, kept]))), math.log(count / len(other))


def expit(log_odds: Floats) -> Floats:
    """1 / (1 + exp(-x)), without overflow."""
    small = np.exp(-np.abs(log_odds))
    return np.where(log_odds >= 0, 1 / (1 + small), small / (1 + small))
