"""What users wrote and passed on, as vectors with times: summaries that look at the past of a moment and at nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.errors import UsageError

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class Histories:
    """``users``: how many there are. Events: whose (events,), when (events,), and the vector of the post (events, dimensions)."""

    def __init__(self, users: int, user: ArrayLike, time: ArrayLike, vectors: ArrayLike) -> None:
        who, when, rows = np.asarray(user, np.int64), np.asarray(time), np.asarray(vectors, np.float64)
        if rows.ndim != 2 or not len(who) == len(when) == len(rows):
            raise UsageError(f"histories of {len(who)} users at {len(when)} times have vectors of shape {rows.shape}; one a row is needed")
        if len(who) and not 0 <= who.min() <= who.max() < users:
            raise UsageError(f"a history is of user {int(who.min())} to {int(who.max())}; users are 0 to {users - 1}")
        order = np.lexsort((when, who))
        self.users, self.dimensions = users, rows.shape[1]
        self._instants: NDArray[Any] = np.unique(when)
        self._keys = who[order] * (len(self._instants) + 1) + np.searchsorted(self._instants, when[order])
        self._vectors = np.concatenate([rows[order], np.zeros((1, rows.shape[1]))])  # the last: where nothing is summed

    def counts(self, users: ArrayLike, times: ArrayLike) -> Ints:
        """How many events each of these users had strictly before the time beside it."""
        first, end = self._before(users, times)
        return end - first

    def summaries(self, users: ArrayLike, times: ArrayLike) -> Floats:
        """(rows, dimensions): the mean vector of each user's events strictly before the time; zeros where there were none.

        Each row is a sum over its own events in their order, so events of others and later ones do not change a single bit of it.
        """
        first, end = self._before(users, times)
        places, back = np.unique(np.stack([first, end], axis=1), axis=0, return_inverse=True)
        sums = np.add.reduceat(self._vectors, places.reshape(-1), axis=0)[::2] if len(places) else np.zeros((0, self.dimensions))
        count = places[:, 1] - places[:, 0]
        means = np.where(count[:, None] > 0, sums / np.maximum(count, 1)[:, None], 0.0)
        return means[back.reshape(-1)]

    def _before(self, users: ArrayLike, times: ArrayLike) -> tuple[Ints, Ints]:
        who, when = np.broadcast_arrays(np.asarray(users, np.int64), np.asarray(times))
        base = who * (len(self._instants) + 1)
        return (
            np.searchsorted(self._keys, base).astype(np.int64),
            np.searchsorted(self._keys, base + np.searchsorted(self._instants, when, side="left")).astype(np.int64),
        )
