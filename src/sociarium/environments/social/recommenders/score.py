"""A score: terms multiplied, or their weighted sum."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.social.recommenders.terms import PairTerm, PostTerm, Term
from sociarium.kernel.errors import UsageError

if TYPE_CHECKING:
    from sociarium.environments.social.site import Site

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Block = NDArray[np.float32]
Array = NDArray[Any]


class Score:
    """``weights`` None: the terms are multiplied. A post's ``factor`` (less than 1 where it was demoted) then lowers what comes out.

    Where all terms are those of posts there is one ranking for everybody, in double precision; else scores are in single precision.
    """

    def __init__(self, terms: Sequence[Term], weights: Sequence[float] | None = None) -> None:
        if not terms:
            raise UsageError("a score needs at least one term")
        if weights is not None and len(weights) != len(terms):
            raise UsageError(f"{len(weights)} weights for {len(terms)} terms: give one a term, or none to multiply them")
        self.terms, self.weights = tuple(terms), None if weights is None else tuple(weights)

    @property
    def personal(self) -> bool:
        """Whether readers have scores of their own."""
        return any(isinstance(term, PairTerm) for term in self.terms)

    def common(self, platform: Site, posts: Ints) -> Floats:
        """The part that is the same for every reader: the product, or the sum, of the post terms; (posts,)."""
        out = np.full(len(posts), 1.0 if self.weights is None else 0.0)
        for place, term in enumerate(self.terms):
            if isinstance(term, PostTerm):
                values = term.values(platform, posts)
                out = out * values if self.weights is None else out + self.weights[place] * values
        return out

    def alone(self, platform: Site, posts: Ints) -> Floats:
        """The scores, (posts,), where all terms are those of posts."""
        return lowered(self.common(platform, posts), platform.posts.factor[posts])

    def joined(self, common: Floats, personal: Callable[[PairTerm], Block], factor: Array) -> Block:
        """The scores from the common part and the values of the pair terms, (readers, posts) or one a pair."""
        shared = common.astype(np.float32)
        values = [
            personal(term) * np.float32(1.0 if self.weights is None else self.weights[place])
            for place, term in enumerate(self.terms)
            if isinstance(term, PairTerm)
        ]
        out = values[0]
        for more in values[1:]:
            out = out * more if self.weights is None else out + more
        return lowered(out * shared if self.weights is None else out + shared, factor)


def lowered(scores: Array, factor: Array) -> Array:
    """Scores of demoted posts: multiplied by the factor where positive, divided by it where negative; a factor of 0 bars them."""
    if (factor == 1).all():
        return scores
    with np.errstate(divide="ignore", invalid="ignore"):
        down = np.where(scores > 0, scores * factor, scores / factor)
    return np.where(factor > 0, down, -np.inf).astype(scores.dtype)
