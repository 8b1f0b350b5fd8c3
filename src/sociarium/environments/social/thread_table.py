"""The columns of threads: one row a thread, one column a position where a thread has several utterances. Rows are only ever added."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.social.casting import Cast
from sociarium.kernel.environment import Groups
from sociarium.kernel.errors import UsageError

Array = NDArray[Any]
Ints = NDArray[np.int64]

SHIFT = 32  # a thread's id: its group, then its number in the group


class Sort(IntEnum):
    """How a thread came about."""

    OPENED = 0
    WHAT_IF = 1
    MULTIVERSE = 2


# name -> (dtype, what it holds before anything has happened)
SINGLE: Mapping[str, tuple[Any, Any]] = {
    "ids": (np.int64, -1),  # group and number
    "version": (np.int32, 0),  # of the design
    "sort": (np.uint8, 0),
    "origin": (np.int64, -1),  # id of the thread it was copied from
    "root": (np.int64, -1),  # id of the thread whose draws it has
    "alternative": (np.int32, 0),
    "cut": (np.int16, 0),  # first position of its own
    "planned": (np.int16, 0),  # utterances it will have
    "done": (np.int16, 0),
    "broken": (np.bool_, False),
    "told": (np.bool_, False),
}
SEVERAL: Mapping[str, tuple[Any, Any]] = {
    "speaker": (np.int64, -1),
    "parent": (np.int16, -1),
    "breach": (np.int16, -1),
    "draw": (np.int64, 0),
    "post": (np.int64, -1),  # row of the content
}


class ThreadTable:
    """Every name of ``SINGLE`` and ``SEVERAL`` is an attribute: (threads,) or (threads, width)."""

    ids: Array
    version: Array
    sort: Array
    origin: Array
    root: Array
    alternative: Array
    cut: Array
    planned: Array
    done: Array
    broken: Array
    told: Array
    speaker: Array
    parent: Array
    breach: Array
    draw: Array
    post: Array

    def __init__(self, width: int) -> None:
        self.width = width
        self._room: dict[str, Array] = {}  # the same columns, with room for more rows
        self._set(self._empty(0))

    def __len__(self) -> int:
        return len(self.ids)

    def __deepcopy__(self, memo: dict[int, Any]) -> ThreadTable:
        """Columns are views of what has room for more; copied one by one, they would be no longer."""
        copied = ThreadTable(self.width)
        copied.load(self.state())
        return copied

    @property
    def groups(self) -> Ints:
        return self.ids >> SHIFT

    @property
    def open(self) -> NDArray[np.bool_]:
        """Which threads are to go on."""
        return (self.done < self.planned) & ~self.broken

    def next_ids(self, group: int, count: int) -> Ints:
        """Ids for the next threads of a group."""
        return (group << SHIFT) + int((self.groups == group).sum()) + np.arange(count, dtype=np.int64)

    def append(self, ids: Ints, version: int, cast: Cast) -> None:
        """New threads, opened in a version of the design."""
        rows = self._empty(len(ids))
        rows |= {"ids": ids, "root": ids, "version": np.full(len(ids), version), "planned": cast.lengths}
        self._add(rows | {name: getattr(cast, name) for name in ("speaker", "parent", "breach", "draw")})

    def copy(self, row: int, cut: int, sort: Sort, alternative: int, ids: Ints) -> int:
        """A copy of the utterances before ``cut``, with all that was drawn for those after it. Returns its row."""
        rows = {name: getattr(self, name)[row : row + 1].copy() for name in (*SINGLE, *SEVERAL)}
        rows |= {"origin": rows["ids"], "ids": ids}
        for name, value in (("sort", sort), ("alternative", alternative), ("cut", cut), ("done", cut), ("broken", False), ("told", False)):
            rows[name][:] = value
        rows["post"][:, cut:] = -1
        self._add(rows)
        return len(self) - 1

    def row(self, group: int, number: int) -> int:
        """The row of a thread by its number in its group."""
        found = np.flatnonzero(self.ids == (group << SHIFT) + number)
        if number < 0 or not len(found):
            count = int((self.groups == group).sum())
            raise UsageError(f"there is no thread {number}; there are {f'0 to {count - 1}' if count else 'none yet'}")
        return int(found[0])

    def rows(self, ids: Ints) -> Ints:
        """The rows of threads by their ids."""
        order = np.argsort(self.ids, kind="stable")
        return order[np.searchsorted(self.ids, ids, sorter=order)]

    def drop(self, groups: Groups) -> None:
        """Forget the threads of groups that begin anew."""
        keep = ~np.isin(self.groups, groups)
        if not keep.all():
            self._set({name: getattr(self, name)[keep] for name in (*SINGLE, *SEVERAL)})

    def state(self) -> dict[str, Array]:
        return {name: getattr(self, name).copy() for name in (*SINGLE, *SEVERAL)}

    def load(self, state: Mapping[str, Array]) -> None:
        self._set({name: np.array(state[name]) for name in (*SINGLE, *SEVERAL)})

    def _empty(self, count: int) -> dict[str, Array]:
        single = {name: np.full(count, fill, dtype) for name, (dtype, fill) in SINGLE.items()}
        return single | {name: np.full((count, self.width), fill, dtype) for name, (dtype, fill) in SEVERAL.items()}

    def _add(self, rows: Mapping[str, Array]) -> None:
        size = len(self)
        after = size + len(rows["ids"])
        for name, column in self._room.items():
            if after > len(column):
                self._room[name] = grown = np.empty((max(after, 2 * size, 64), *column.shape[1:]), column.dtype)
                grown[:size] = column[:size]
            self._room[name][size:after] = rows[name]
            setattr(self, name, self._room[name][:after])

    def _set(self, columns: Mapping[str, Array]) -> None:
        types = {**SINGLE, **SEVERAL}
        for name, column in columns.items():
            self._room[name] = kept = np.asarray(column, types[name][0])
            setattr(self, name, kept)


def numbers_of(ids: Ints) -> Ints:
    """Each thread's number in its group."""
    return np.asarray(ids) & ((1 << SHIFT) - 1)
