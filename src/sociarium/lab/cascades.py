"""Cascades: who passed something on from whom, and how far, deep and broad it went.

A cascade is a tree: its source, and below each one those who had it from there. Thousands of them (trials, topics) are held and measured
at once. Measures are those of Vosoughi, Roy and Aral (2018): scale, depth and maximal breadth over time; and structural virality (Goel et
al. 2016).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.errors import UsageError

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

Form = Literal["paper", "code"]


@dataclass(frozen=True, slots=True)
class Curves:
    """How cascades grew, (cascades, instants) each: users reached, the longest way from the source, the largest layer below it."""

    scale: Ints
    depth: Ints
    breadth: Ints

    def errors(self, recorded: Curves, form: Form = "paper") -> dict[str, Floats]:
        """The normalised error of each cascade's curves against one recorded, (cascades,) by name; see ``normalised_error``."""
        names = ("scale", "depth", "breadth")
        return {name: normalised_error(getattr(self, name), np.atleast_2d(getattr(recorded, name))[0], form) for name in names}


@dataclass(frozen=True, slots=True)
class Cascades:
    """Rows of all cascades: ``parent``, the row that each was had from, -1 for a source; ``time``, in any unit, never before the parent's;
    ``tree``, the number of its cascade (in order of their sources); ``depth``, steps from the source; ``user``. Make it by ``of`` or
    ``from_users``.
    """

    parent: Ints
    time: NDArray[Any]
    user: Ints
    tree: Ints
    depth: Ints

    @classmethod
    def of(cls, parent: ArrayLike, time: ArrayLike | None = None, user: ArrayLike | None = None) -> Cascades:
        """From the row that each row was had from, -1 for sources; rows in any order. ``time``: the depth, where none is given."""
        above = np.atleast_1d(np.asarray(parent, np.int64))
        rows = np.arange(len(above), dtype=np.int64)
        if len(above) and (above.min() < -1 or above.max() >= len(above)):
            raise UsageError(f"a row of a cascade names parent {int(above.min())} to {int(above.max())}; rows are 0 to {len(above) - 1}")
        depth, source = _depths(above)
        when: NDArray[Any] = depth if time is None else np.asarray(time)
        who = rows if user is None else np.asarray(user, np.int64)
        if not len(when) == len(who) == len(above):
            raise UsageError(f"{len(above)} rows of cascades have {len(when)} times and {len(who)} users; give one of each a row")
        below = above >= 0
        if (early := below & (when < when[above])).any():
            row = int(np.flatnonzero(early)[0])
            raise UsageError(f"row {row} of a cascade is at time {when[row]}, before that it was had from, at {when[above[row]]}")
        number = np.cumsum(~below) - 1
        return cls(above, when, who, number[source].astype(np.int64), depth)

    @classmethod
    def from_users(cls, users: ArrayLike, parents: ArrayLike, times: ArrayLike, cascades: ArrayLike | None = None) -> Cascades:
        """From a log: ``users`` had it from ``parents`` (users of the same cascade, -1 for its source) at ``times``. Of a user's several
        rows in a cascade the first counts. ``cascades`` names the cascade of each row; one for all where not given.

        Cascades are numbered in order of their names. Raises UsageError where a parent is not in the cascade, or it has not one source.
        """
        who, whence, when = np.asarray(users, np.int64), np.asarray(parents, np.int64), np.asarray(times)
        names = np.zeros(len(who), np.int64) if cascades is None else np.asarray(cascades)
        if not len(who) == len(whence) == len(when) == len(names):
            raise UsageError(f"a log of cascades has {len(who)} users, {len(whence)} parents, {len(when)} times and {len(names)} names")
        if len(who) and (who.min() < 0 or whence.min() < -1 or max(who.max(), whence.max()) >= 2**31):
            raise UsageError("users of a cascade are numbers from 0 to 2**31 - 1, and the parent of a source is -1")
        if not len(who):
            return cls.of(who)
        _, which = np.unique(names, return_inverse=True)
        which = which.astype(np.int64)
        order = np.lexsort((whence >= 0, when, which))  # by cascade and time, its source first among equal times
        who, whence, when, which = who[order], whence[order], when[order], which[order]
        codes, first = np.unique((which << 32) | who, return_index=True)
        kept = np.sort(first)
        place = np.empty(len(who), np.int64)
        place[kept] = np.arange(len(kept))
        wanted = (which[kept] << 32) | np.maximum(whence[kept], 0)
        at = np.minimum(np.searchsorted(codes, wanted), len(codes) - 1)
        below = whence[kept] >= 0
        if (lost := below & (codes[at] != wanted)).any():
            row = int(np.flatnonzero(lost)[0])
            raise UsageError(f"user {who[kept][row]} had it from {whence[kept][row]}, who is not in that cascade")
        sources = np.bincount(which[kept][~below], minlength=int(which.max()) + 1)
        if (sources != 1).any():
            bad = int(np.flatnonzero(sources != 1)[0])
            raise UsageError(f"cascade number {bad} has {int(sources[bad])} sources (rows with parent -1); it must have one")
        return cls.of(np.where(below, place[first[at]], -1), when[kept], who[kept])

    def __len__(self) -> int:
        """How many cascades."""
        return int((self.parent < 0).sum())

    def sizes(self) -> Ints:
        """Users of each cascade, its source too (scale at the end)."""
        return np.bincount(self.tree, minlength=len(self)).astype(np.int64)

    def depths(self) -> Ints:
        """The longest way from the source of each."""
        out = np.zeros(len(self), np.int64)
        np.maximum.at(out, self.tree, self.depth)
        return out

    def layers(self, most: int | None = None) -> Ints:
        """(cascades, layers): how many have each depth; layer 0 is the source. ``most``: so many layers, deeper ones left out."""
        deep = int(self.depth.max(initial=0)) + 1
        counts = np.bincount(self.tree * deep + self.depth, minlength=len(self) * deep).reshape(len(self), deep).astype(np.int64)
        if most is None:
            return counts
        return np.pad(counts, ((0, 0), (0, max(0, most - deep))))[:, :most]

    def breadths(self) -> Ints:
        """The largest layer below the source of each; 0 for a source alone."""
        below = self.layers()[:, 1:]
        return below.max(axis=1) if below.shape[1] else np.zeros(len(self), np.int64)

    def subtrees(self) -> Ints:
        """(rows,): how many had it through each row, itself too."""
        size = np.ones(len(self.parent), np.int64)
        order = np.argsort(self.depth, kind="stable")
        ends = np.searchsorted(self.depth[order], np.arange(int(self.depth.max(initial=0)) + 2))
        for layer in range(len(ends) - 2, 0, -1):
            rows = order[ends[layer] : ends[layer + 1]]
            np.add.at(size, self.parent[rows], size[rows])
        return size

    def virality(self) -> Floats:
        """Structural virality of each (Goel et al. 2016, eq. 1): the mean distance of two of its users; nan for a source alone.

        An edge with s users below it lies between s (n - s) pairs: linear time.
        """
        size, below = self.sizes(), self.parent >= 0
        beneath, whole = self.subtrees()[below], size[self.tree[below]]
        apart = np.bincount(self.tree[below], beneath * (whole - beneath).astype(np.float64), len(self))
        pairs = size * (size - 1.0) / 2
        return np.divide(apart, pairs, out=np.full(len(self), np.nan), where=pairs > 0)

    def curves(self, at: ArrayLike) -> Curves:
        """How each grew: its state at the instants ``at`` (ascending, in the unit of ``time``), counted from its own source's time."""
        instants = np.asarray(at)
        if instants.ndim != 1 or (np.diff(instants) < 0).any():
            raise UsageError("curves are measured at one row of instants, ascending")
        begun = self.time[self.parent < 0]
        age = self.time - begun[self.tree]
        order = np.lexsort((self.time, self.depth, self.tree))
        layer = (self.tree * (int(self.depth.max(initial=0)) + 1) + self.depth)[order]
        rank = np.empty(len(order), np.int64)  # its place within its layer, from 1, in order of time
        rank[order] = np.arange(len(order)) - np.searchsorted(layer, layer) + 1
        seen = np.searchsorted(instants, age, side="left")
        counted = seen < len(instants)
        place = (self.tree[counted], seen[counted])
        scale, depth, breadth = np.zeros((3, len(self), len(instants)), np.int64)
        np.add.at(scale, place, 1)
        np.maximum.at(depth, place, self.depth[counted])
        np.maximum.at(breadth, place, np.where(self.depth > 0, rank, 0)[counted])
        return Curves(np.cumsum(scale, axis=1), np.maximum.accumulate(depth, axis=1), np.maximum.accumulate(breadth, axis=1))


def normalised_error(simulated: ArrayLike, recorded: ArrayLike, form: Form = "paper") -> Floats:
    """Root mean square over instants of simulated (..., instants) less recorded (instants,), over the recorded curve's last value
    (``paper``: Yang et al. 2024) or over its largest (``code``: their release)."""
    ours, real = np.asarray(simulated, np.float64), np.asarray(recorded, np.float64)
    if real.ndim != 1 or not len(real) or ours.shape[-1:] != real.shape:
        raise UsageError(
            f"a curve of shape {ours.shape} cannot be set against one recorded of shape {real.shape}: cut both to the same instants"
        )
    scale = float(real[-1] if form == "paper" else real.max())
    if not scale > 0:
        raise UsageError("the recorded curve is 0 where it is normalised: its error has no unit")
    return np.sqrt(((ours - real) ** 2).mean(axis=-1)) / scale


def randomised_rank(recorded: ArrayLike, trials: ArrayLike, uniform: ArrayLike) -> Floats:
    """u = P(X < x) + U P(X = x) of recorded values x among trials X of the same shape and one more axis, the first; U in [0, 1).

    Uniform where both come from one process, also for small whole numbers, whose quantile bands hold far more than their nominal share.
    """
    real, ours = np.asarray(recorded), np.asarray(trials)
    if ours.shape[1:] != real.shape:
        raise UsageError(f"trials of shape {ours.shape} do not fit values of shape {real.shape}: the first axis counts trials")
    return (ours < real).mean(axis=0) + np.asarray(uniform, np.float64) * (ours == real).mean(axis=0)


def _depths(parent: Ints) -> tuple[Ints, Ints]:
    """Steps to the source and its row, by doubling: each looks where that it looked at looks."""
    rows = np.arange(len(parent), dtype=np.int64)
    depth = (parent >= 0).astype(np.int64)
    above = np.where(parent >= 0, parent, rows)
    for _ in range(len(parent).bit_length() + 1):
        further = above[above]
        if np.array_equal(further, above):
            break
        depth += depth[above]
        above = further
    if (parent[above] >= 0).any():
        raise UsageError("rows of a cascade were had from one another in a circle")
    return depth, above
