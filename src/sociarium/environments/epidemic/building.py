"""Compressed rows from lists of contacts, by a sort in two steps that stays in cache (extra ``fast``). See ``graphs.py``."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from sociarium.environments.epidemic.kernels import uniform

_compiled = numba.njit(cache=True, nogil=True, boundscheck=False)


@_compiled
def pairs(nodes: int, key: Any, first: int, last: int, one: Any, other: Any) -> None:
    """Both ends of contacts ``first`` to ``last``, drawn evenly."""
    for row in range(first, last):
        one[row] = np.int64(uniform(key, row, 0) * nodes)
        other[row] = np.int64(uniform(key, row, 1) * nodes)


@_compiled
def count_buckets(one: Any, other: Any, mutual: bool, shift: int, counts: Any) -> None:
    """Contacts by the bucket of their source (a bucket is 2^shift nodes)."""
    for row in range(len(one)):
        apart = np.int64(one[row] != other[row])
        counts[one[row] >> shift] += apart
        if mutual:
            counts[other[row] >> shift] += apart


@_compiled
def fill_buckets(one: Any, other: Any, mutual: bool, shift: int, cursor: Any, sources: Any, targets: Any) -> None:
    """Put each contact into its bucket; ``cursor``: where each bucket begins, moved on. ``sources`` within the bucket."""
    low = np.int64((1 << shift) - 1)
    for row in range(len(one)):
        a, b = one[row], other[row]
        if a == b:
            continue
        at = cursor[a >> shift]
        sources[at], targets[at] = a & low, b
        cursor[a >> shift] = at + 1
        if mutual:
            at = cursor[b >> shift]
            sources[at], targets[at] = b & low, a
            cursor[b >> shift] = at + 1


@_compiled
def sort_buckets(bounds: Any, first: int, last: int, shift: int, sources: Any, targets: Any, degrees: Any) -> None:
    """Each bucket's targets by source, ascending and without repeats, from where the bucket begins. ``degrees``: one a node."""
    width = 1 << shift
    counts = np.empty(width + 1, np.int64)
    most = np.int64(0)
    for bucket in range(first, last):
        most = max(most, bounds[bucket + 1] - bounds[bucket])
    room = np.empty(most, np.int32)
    for bucket in range(first, last):
        start, end = bounds[bucket], bounds[bucket + 1]
        counts[:] = 0
        for at in range(start, end):
            counts[sources[at] + 1] += 1
        for node in range(width):
            counts[node + 1] += counts[node]
        for at in range(start, end):
            node = sources[at]
            room[counts[node]] = targets[at]
            counts[node] += 1
        begin, kept = np.int64(0), start
        nodes = min(width, len(degrees) - (bucket << shift))
        for node in range(nodes):
            finish = counts[node]
            row = room[begin:finish]
            if len(row) < 64:
                for place in range(1, len(row)):
                    value, back = row[place], place - 1
                    while back >= 0 and row[back] > value:
                        row[back + 1] = row[back]
                        back -= 1
                    row[back + 1] = value
            else:
                row.sort()
            before, begun = np.int32(-1), kept
            for place in range(len(row)):
                if row[place] != before:
                    before = row[place]
                    targets[kept] = before
                    kept += 1
            degrees[(bucket << shift) + node] = kept - begun
            begin = finish


@_compiled
def close_gaps(bounds: Any, starts: Any, shift: int, targets: Any) -> None:
    """Move buckets left over the room that repeats have left."""
    for bucket in range(len(bounds) - 1):
        source, target = bounds[bucket], starts[bucket << shift]
        length = starts[min((bucket + 1) << shift, len(starts) - 1)] - target
        if source != target:
            for at in range(length):
                targets[target + at] = targets[source + at]
