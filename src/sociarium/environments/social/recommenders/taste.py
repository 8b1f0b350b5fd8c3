"""OASIS's similarity that learns: a reader's description, moved towards what it liked and away from what it disliked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.social.pairs import Pairs
from sociarium.environments.social.recommenders.grid import Grid, cosines, on_grid, steps
from sociarium.environments.social.recommenders.terms import PairTerm
from sociarium.environments.social.recommenders.vectors import Interests

if TYPE_CHECKING:
    from sociarium.environments.social.site import Site

Ints = NDArray[np.int64]
Block = NDArray[np.float32]


class Taste(PairTerm):
    """cos(description, post) + (mean cosine with posts liked - mean cosine with posts disliked) x half the range of the first term over
    the posts that are ranked. Who has liked (disliked) nothing has 0 for that mean."""

    def __init__(self, interests: Interests) -> None:
        self.interests = interests

    def block(self, platform: Site, users: Ints, posts: Ints) -> Block:
        readers, topics, row = self.interests.vectors(platform, users, posts)
        base = cosines(readers, topics)
        base = base if row is None else base[:, row]
        if not base.shape[1]:
            return base
        towards = self._mean(platform, platform.liked, users, topics) - self._mean(platform, platform.disliked, users, topics)
        half = (base.max(axis=1, keepdims=True) - base.min(axis=1, keepdims=True)) / np.float32(2)
        return base + (towards if row is None else towards[:, row]) * half

    def _mean(self, platform: Site, votes: Pairs, users: Ints, topics: Grid) -> Block:
        """Mean cosine of each topic with what each reader voted for: the cosine with the sum of those vectors, times its length."""
        starts, voted = votes.of(users)
        counts = np.diff(starts)
        total = np.zeros((len(users), topics.shape[1]))
        if len(voted):
            _, vectors, row = self.interests.vectors(platform, users[:0], voted)
            each = vectors if row is None else vectors[row]
            filled = counts > 0
            total[filled] = np.add.reduceat(each.astype(np.float64), starts[:-1][filled], axis=0)  # whole numbers: any order
        length = np.sqrt((total * total).sum(axis=1)) / steps(topics.shape[1])
        share = np.divide(length, counts, out=np.zeros(len(users)), where=counts > 0).astype(np.float32)
        return cosines(on_grid(total), topics) * share[:, None]

    def pairs(self, platform: Site, users: Ints, posts: Ints) -> Block:
        raise NotImplementedError("Taste compares all posts that are ranked: it needs a pool, not the posts of those one follows")
