"""Levels that move by Markov kernels, such as an emotion in three levels or an attitude in two: how they move, and how they are estimated.

As in S3 (arXiv 2307.14984): P(level' | level, what was read). Pure functions over columns, for any mind, with each row's own draw.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.randomness import Stream

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

EMOTIONS = ("calm", "moderate", "intense")
ATTITUDES = ("negative", "positive")


@dataclass(frozen=True, slots=True)
class MarkovKernel:
    """``matrix``: (levels, levels), rows sum to 1, or one such matrix a context, (contexts, levels, levels)."""

    matrix: Floats

    @classmethod
    def of(cls, rows: ArrayLike | Sequence[Sequence[float]]) -> MarkovKernel:
        """From rows of probabilities. Raises UsageError that names the row that is none."""
        given = np.array(rows, np.float64)
        matrix = given[None] if given.ndim == 2 else given
        if matrix.ndim != 3 or matrix.shape[1] != matrix.shape[2] or not matrix.size:
            raise UsageError(f"a Markov kernel is a square matrix, or one a context, not an array of shape {given.shape}")
        wrong = np.argwhere(~((matrix >= 0).all(axis=2) & (np.abs(matrix.sum(axis=2) - 1) < 1e-9)))
        if len(wrong):
            context, row = wrong[0].tolist()
            raise UsageError(f"row {row} of context {context} of a Markov kernel is {matrix[context, row].tolist()}; it must sum to 1")
        return cls(matrix)

    @property
    def levels(self) -> int:
        return self.matrix.shape[1]

    @property
    def contexts(self) -> int:
        return self.matrix.shape[0]

    def moved(self, levels: ArrayLike, random: Stream, rows: ArrayLike, context: ArrayLike = 0, *, index: int = 0) -> Ints:
        """The next level of each row, by its draw; ``context`` one for all or one a row."""
        now = np.asarray(levels, np.int64)
        where = np.broadcast_to(np.asarray(context, np.int64), now.shape)
        if now.size and not (0 <= now.min() <= now.max() < self.levels and 0 <= where.min() <= where.max() < self.contexts):
            raise UsageError(f"a level or a context lies outside this kernel of {self.contexts} contexts and {self.levels} levels")
        return random.choice(self.matrix[where, now], rows, index)

    def stationary(self, context: int = 0) -> Floats:
        """The shares of levels in the long run, of a kernel that has one such."""
        system = np.vstack([self.matrix[context].T - np.eye(self.levels), np.ones(self.levels)])
        return np.asarray(np.linalg.lstsq(system, np.append(np.zeros(self.levels), 1.0))[0], np.float64)


@dataclass(frozen=True, slots=True)
class Estimated:
    """Transitions counted: ``counts`` (contexts, levels, levels). A row without any has probabilities of nan."""

    counts: Ints

    @property
    def probabilities(self) -> Floats:
        """Maximum likelihood: the share of each row."""
        sizes = self.sizes
        return np.divide(self.counts, sizes, out=np.full(self.counts.shape, np.nan), where=sizes > 0)

    @property
    def sizes(self) -> Ints:
        """How often each level was left, (contexts, levels, 1)."""
        return self.counts.sum(axis=2, keepdims=True)

    def errors(self, kernel: MarkovKernel | None = None) -> Floats:
        """Standard error of each entry, by the kernel's own probabilities where it is given: sqrt(p (1 - p) / row count)."""
        share = self.probabilities if kernel is None else kernel.matrix
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.sqrt(share * (1 - share) / self.sizes)

    def kernel(self, pseudo: float = 0.0) -> MarkovKernel:
        """The kernel that minds can follow. ``pseudo``: added to every count; without it each row must have been seen."""
        counts = self.counts + pseudo
        sizes = counts.sum(axis=2, keepdims=True)
        if (sizes == 0).any():
            context, level, _ = np.argwhere(sizes == 0)[0].tolist()
            raise UsageError(f"level {level} in context {context} was never left, so its row is unknown; give pseudo counts, or more data")
        return MarkovKernel.of(counts / sizes)


def estimated(before: ArrayLike, after: ArrayLike, levels: int, context: ArrayLike = 0, *, contexts: int = 1) -> Estimated:
    """Transitions from logs: one row a transition, as ``before`` and ``after`` columns of events have them."""
    first, second = np.asarray(before, np.int64), np.asarray(after, np.int64)
    where = np.broadcast_to(np.asarray(context, np.int64), first.shape)
    for name, values, most in (("before", first, levels), ("after", second, levels), ("context", where, contexts)):
        if values.size and not 0 <= values.min() <= values.max() < most:
            raise UsageError(f"transitions: {name} has {int(values.min())} to {int(values.max())}, outside 0 to {most - 1}")
    flat = np.bincount((where * levels + first) * levels + second, minlength=contexts * levels * levels)
    return Estimated(flat.reshape(contexts, levels, levels).astype(np.int64))
