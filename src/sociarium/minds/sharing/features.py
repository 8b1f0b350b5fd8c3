"""What a share classifier sees of a pair: the post, who shows it, and who is shown it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.network import Network
from sociarium.minds.sharing.histories import Histories

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

METADATA = ("source_followers", "source_followed", "target_followers", "target_followed", "source_written", "target_passed_on")
COSINES = ("post_source", "post_target", "source_target")


@dataclass(frozen=True, slots=True)
class FeatureRules:
    """Which parts there are: the ``post``'s vector; ``summaries`` of what the source wrote and of what the target passed on; ``metadata``
    of both, logarithms of one more than counts; ``cosines`` of the post with both summaries and of these. Trees split one feature at a
    time and cannot multiply: without cosines they miss most of what post and taste have in common."""

    post: bool = True
    summaries: bool = True
    metadata: bool = True
    cosines: bool = True

    @classmethod
    def without_text(cls) -> FeatureRules:
        """Nothing that depends on the post."""
        return cls(post=False, cosines=False)


class PairFeatures:
    """Rows of features. ``network``: an edge leads from a user to one who is shown what it passes on (its follower), as far as is known
    before the first pair. A pair at a time sees of both histories what was strictly before it."""

    def __init__(self, written: Histories, passed_on: Histories, network: Network, rules: FeatureRules | None = None) -> None:
        self.written, self.passed_on, self.network = written, passed_on, network
        self.rules = rules or FeatureRules()
        self._followers = np.log1p(network.degrees())
        self._followed = np.log1p(network.in_degrees())

    @property
    def names(self) -> tuple[str, ...]:
        dimensions = range(self.written.dimensions)
        parts = {
            "post": [f"post_{k}" for k in dimensions],
            "summaries": [f"{whose}_{k}" for whose in ("source", "target") for k in dimensions],
            "metadata": METADATA,
            "cosines": COSINES,
        }
        return tuple(name for part, names in parts.items() if getattr(self.rules, part) for name in names)

    def rows(self, sources: ArrayLike, targets: ArrayLike, posts: Floats, times: ArrayLike) -> Floats:
        """(rows, features). ``posts``: (rows, dimensions), the vector of what is shown; ``times``: one a row, or one for all."""
        source, target = np.asarray(sources, np.int64), np.asarray(targets, np.int64)
        when = np.broadcast_to(np.asarray(times), source.shape)
        theirs, own = self.written.summaries(source, when), self.passed_on.summaries(target, when)
        columns: list[Floats] = []
        if self.rules.post:
            columns.append(np.asarray(posts, np.float64))
        if self.rules.summaries:
            columns += [theirs, own]
        if self.rules.metadata:
            counts = np.log1p(self.written.counts(source, when)), np.log1p(self.passed_on.counts(target, when))
            degrees = (self._followers[source], self._followed[source], self._followers[target], self._followed[target])
            columns.append(np.stack([*degrees, *counts], axis=1))
        if self.rules.cosines:
            columns.append(np.stack([cosine(posts, theirs), cosine(posts, own), cosine(theirs, own)], axis=1))
        return np.concatenate(columns, axis=1)


def cosine(a: ArrayLike, b: ArrayLike) -> Floats:
    """Of each row with the row beside it; 0 where either is all zeros. A row's value does not depend on the others."""
    one, other = np.asarray(a, np.float64), np.asarray(b, np.float64)
    lengths = np.sqrt((one * one).sum(axis=1) * (other * other).sum(axis=1))
    return np.divide((one * other).sum(axis=1), lengths, out=np.zeros(len(one)), where=lengths > 0)
