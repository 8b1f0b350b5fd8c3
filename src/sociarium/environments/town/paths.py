"""Shortest ways on a map, for all walkers at once.

A target has a field: the number of steps to it from every tile. Walking is going to a neighbour whose number is one less; ties go
to the first of up, right, down, left. A field is one breadth-first search, kept while there is room and made again when a door changes.
"""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.town.map import TownMap

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Field = NDArray[np.uint16]

UNREACHED = 65_535  # steps; no way there
ROOM = 256 << 20  # bytes of fields that are kept


class Ways:
    """Fields of one map, by target. ``open_`` tiles can be walked on: doors that are shut are not among them."""

    def __init__(self, town: TownMap, room: int = ROOM) -> None:
        self.town = town
        self.most = max(16, room // (2 * len(town.walkable)))
        self._fields: OrderedDict[tuple[int, bytes], Field] = OrderedDict()

    def __deepcopy__(self, memo: dict[int, object]) -> Ways:
        """A fork shares what was computed: it never changes a result."""
        copied = Ways(self.town)
        copied.most, copied._fields = self.most, OrderedDict(self._fields)
        return copied

    def to_place(self, place: int, shut: Bools) -> Field:
        """Steps to a place. ``shut``: which doors are closed, one an entry of ``town.doors``."""
        key = (place, shut.tobytes())
        field = self._fields.get(key)
        if field is None:
            field = self._fields[key] = distances(self.town, self.town.tiles(place), self._open(shut))
            if len(self._fields) > self.most:
                self._fields.popitem(last=False)
        self._fields.move_to_end(key)
        return field

    def to_tile(self, tile: int, shut: Bools) -> Field:
        """Steps to one tile: a person, a spot between two. Not kept."""
        return distances(self.town, np.array([tile]), self._open(shut))

    def step(self, tiles: Ints, field: Field) -> Ints:
        """Where walkers stand one step later; those who have arrived, or have no way, stay."""
        here = field[tiles]
        options = field[tiles[:, None] + self.town.offsets]
        best = np.argmin(options, axis=1)
        nearer = options[np.arange(len(tiles)), best] < here
        return np.where(nearer, tiles + self.town.offsets[best], tiles)

    def _open(self, shut: Bools) -> Bools:
        open_ = self.town.walkable
        if shut.any():
            open_ = open_ & ~np.isin(self.town.thing, self.town.doors[shut])
        return open_


def distances(town: TownMap, goals: Ints, open_: Bools) -> Field:
    """Steps from every tile to the nearest goal, by breadth-first search over 4-neighbours; UNREACHED where there is no way."""
    field = np.full(len(open_), UNREACHED, np.uint16)
    front = goals[open_[goals]]
    field[front] = 0
    steps = 0
    while len(front) and steps < UNREACHED - 1:
        steps += 1
        around = (front[:, None] + town.offsets).ravel()
        around = around[open_[around] & (field[around] == UNREACHED)]
        field[around] = steps
        front = _once(around)
    return field


def _once(tiles: Ints) -> Ints:
    """Each tile once. A front is small beside the map, so sorting it is cheaper than a mask over all tiles."""
    if len(tiles) < 2:
        return tiles
    tiles = np.sort(tiles)
    keep = np.ones(len(tiles), np.bool_)
    keep[1:] = tiles[1:] != tiles[:-1]
    return tiles[keep]
