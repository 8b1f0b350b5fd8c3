"""The best few of many, and draws without replacement: for a block of users at once.

Every function has one result, compiled or not, whatever the size of the block. Ties go to the higher column: callers put older posts
first, so that of equal posts the newer one wins.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.extras import Compiled, compiled
from sociarium.kernel.randomness import Stream

Array = NDArray[Any]
Ints = NDArray[np.int64]
Places = NDArray[np.int32]
Block = NDArray[np.float32]

NOBODY = -1


def best(block: Block, count: int, owners: Array | None = None, authors: Array | None = None) -> Places:
    """The columns of the ``count`` largest scores of each row, largest first, -1 where there are fewer: (rows, count).

    A score of nan or minus infinity is never chosen, nor a column whose author (``authors``, one a column) is the row's owner
    (``owners``, one a row): one's own post.
    """
    if count < 0:
        raise UsageError(f"the best {count} of a row cannot be chosen")
    out = np.full((len(block), count), NOBODY, np.int32)
    if not out.size or not block.shape[1]:
        return out
    mine = np.full(len(block), -2, np.int64) if owners is None else np.asarray(owners, np.int64)
    by = np.full(block.shape[1], NOBODY, np.int64) if authors is None else np.asarray(authors, np.int64)
    if Compiled.available():
        _best(block, mine, by, np.empty(count, np.float32), out)
        return out
    return best_plain(block, count, mine, by)


def best_plain(block: Block, count: int, owners: Ints, authors: Ints) -> Places:
    """The same in NumPy: score and column are packed into one whole number that sorts as they do."""
    if not count:
        return np.empty((len(block), 0), np.int32)
    scores = np.where((authors[None, :] == owners[:, None]) | np.isnan(block), -np.inf, block).astype(np.float32) + np.float32(0)
    bits = scores.view(np.int32)
    ordered = np.where(bits < 0, bits ^ 0x7FFFFFFF, bits).astype(np.int64)
    keys = (ordered << 32) | np.arange(block.shape[1], dtype=np.int64)
    taken = min(count, block.shape[1])
    if taken < block.shape[1]:
        keys = np.partition(keys, block.shape[1] - taken, axis=1)[:, -taken:]
    columns = (np.sort(keys, axis=1)[:, ::-1] & 0xFFFFFFFF).astype(np.int32)
    out = np.full((len(block), count), NOBODY, np.int32)
    out[:, :taken] = np.where(np.take_along_axis(scores, columns.astype(np.int64), 1) > -np.inf, columns, NOBODY)
    return out


def top(scores: NDArray[np.float64], count: int) -> Ints:
    """Positions of the ``count`` largest of one list of scores, largest first; ties to the higher position; nan is never chosen."""
    usable = np.flatnonzero(~np.isnan(scores) & (scores > -np.inf))
    if count < len(usable):
        values = scores[usable]
        usable = usable[values >= np.partition(values, len(values) - count)[len(values) - count]] if count else usable[:0]
    order = np.lexsort((usable, scores[usable]))[::-1]
    return usable[order][:count]


def drawn(sizes: Array | int, count: int, random: Stream, rows: Array) -> Ints:
    """For each row, ``count`` different places among its first ``sizes``, in random order, each order as likely; -1 beyond: (rows, count).

    The draws of a row depend on the row alone, never on which others are drawn for. This is the shuffle of Fisher and Yates, of which
    only the first ``count`` places are made and only what was swapped is remembered: rows x count**2, however long the lists.
    """
    limits = np.ascontiguousarray(np.broadcast_to(np.asarray(sizes, np.int64), (len(rows),)))
    where = np.asarray(rows, np.int64)
    uniform = np.empty((len(rows), count))
    for at in range(count):
        uniform[:, at] = random.uniform(where, at)
    out = np.empty((len(rows), count), np.int64)
    if Compiled.available():
        _shuffle(limits, uniform, np.empty((2, count), np.int64), out)
        return out
    return drawn_plain(limits, uniform)


def drawn_plain(limits: Ints, uniform: NDArray[np.float64]) -> Ints:
    """The same in NumPy, from the uniform numbers (rows, count)."""
    rows, count = uniform.shape
    swapped, held = np.full((rows, count), NOBODY, np.int64), np.empty((rows, count), np.int64)
    out = np.empty((rows, count), np.int64)
    for at in range(count):
        left = limits - at
        other = at + (uniform[:, at] * np.maximum(left, 0)).astype(np.int64)
        chosen, moved = other.copy(), np.full(rows, at, np.int64)
        for earlier in range(at):
            np.copyto(chosen, held[:, earlier], where=swapped[:, earlier] == other)
            np.copyto(moved, held[:, earlier], where=swapped[:, earlier] == at)
        out[:, at] = np.where(left > 0, chosen, NOBODY)
        swapped[:, at], held[:, at] = other, moved
    return out


@compiled(nogil=True, cache=True)
def _best(block: Block, owners: Ints, authors: Ints, kept: NDArray[np.float32], out: Places) -> None:
    """From the newest column to the oldest, so that a later equal score never displaces an earlier one."""
    count = out.shape[1]
    for row in range(block.shape[0]):
        found, least = 0, np.float32(-np.inf)
        for column in range(block.shape[1] - 1, -1, -1):
            score = block[row, column]
            if score > least and authors[column] != owners[row]:
                place = found if found < count else count - 1
                while place > 0 and kept[place - 1] < score:
                    kept[place], out[row, place] = kept[place - 1], out[row, place - 1]
                    place -= 1
                kept[place], out[row, place] = score, column
                found = min(found + 1, count)
                if found == count:
                    least = kept[count - 1]


@compiled(nogil=True, cache=True)
def _shuffle(limits: Ints, uniform: NDArray[np.float64], room: Ints, out: Ints) -> None:
    swapped, held = room[0], room[1]
    for row in range(out.shape[0]):
        for at in range(out.shape[1]):
            left = limits[row] - at
            if left <= 0:
                out[row, at] = -1
                continue
            other = at + np.int64(uniform[row, at] * left)
            chosen, moved = other, np.int64(at)
            for earlier in range(at):
                if swapped[earlier] == other:
                    chosen = held[earlier]
                if swapped[earlier] == at:
                    moved = held[earlier]
            out[row, at] = chosen
            swapped[at], held[at] = other, moved
