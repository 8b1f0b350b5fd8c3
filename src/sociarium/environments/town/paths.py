"""Shortest ways on a map, for all walkers at once.

A target has a field: the number of steps to it from every tile. Walking is going to a neighbour whose number is one less; ties go to the
first of up, right, down, left. A walker's next steps are found by one breadth-first search from its target that ends where the walker
stands, and kept; they are found anew when they are used up, or when a door or the target changes. So a field of the whole map, of which
there would be one a target, is never kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.town.map import TownMap
from sociarium.kernel.extras import Compiled, compiled

Array = NDArray[Any]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Field = NDArray[np.uint16]

UNREACHED = 65_535  # steps; no way there
AHEAD = 128  # steps that are kept of one way
STAY = -1


@dataclass(slots=True)
class _Doors:
    """One arrangement of shut doors: the tiles that can be walked on, the part of the map each lies in, and the parts of each place."""

    open_: Bools  # (tiles,)
    part: Ints  # (tiles,): the lowest tile of the part; of no part: the number of tiles
    reach: Ints  # place * tiles + part, ascending


class Ways:
    """Ways of one map. Walkers are told apart by their ids; what is kept of them never changes a result."""

    def __init__(self, town: TownMap) -> None:
        self.town = town
        self._numbers: dict[bytes, int] = {}
        self._doors: list[_Doors] = []
        self._tile: Ints = np.empty(0, np.int64)  # where each walker was last put, and what its way was found for
        self._place: Ints = np.empty(0, np.int64)
        self._shut: Ints = np.empty(0, np.int64)
        self._done: NDArray[np.int16] = np.empty(0, np.int16)
        self._way: NDArray[np.int8] = np.empty((0, AHEAD), np.int8)  # numbers of ``offsets``

    def __deepcopy__(self, memo: dict[int, object]) -> Ways:
        """A fork finds its ways anew."""
        return Ways(self.town)

    def doors(self, shut: Bools) -> Ints:
        """The number of each arrangement of closed doors, (rows,), of which there are few; ``shut`` is (rows, doors)."""
        kinds, of = np.unique(shut, axis=0, return_inverse=True)
        return np.array([self._number(kind) for kind in kinds], np.int64)[of.reshape(-1)]

    def there(self, tiles: Ints, places: Ints, doors: Ints) -> Bools:
        """Who stands where one stands to be at the place; not in a closed door."""

        def open_(kept: _Doors, at: Ints, to: Ints) -> Bools:
            return kept.open_[at]

        return self.town.stands(tiles, places) & self._of(doors, tiles, open_, places)

    def reached(self, tiles: Ints, places: Ints, doors: Ints) -> Bools:
        """From where there is a way to the place."""

        def asked(kept: _Doors, at: Ints, to: Ints) -> Bools:
            codes = to * len(kept.open_) + kept.part[at]
            found = np.searchsorted(kept.reach, codes)
            return kept.reach[np.minimum(found, len(kept.reach) - 1)] == codes if len(kept.reach) else np.zeros(len(at), np.bool_)

        return self._of(doors, tiles, asked, places)

    def step(self, walkers: Ints, tiles: Ints, places: Ints, doors: Ints) -> Ints:
        """Where walkers stand one step later; those who have arrived, or have no way, stay."""
        self._make_room(int(walkers.max(initial=-1)) + 1)
        known = (self._tile[walkers] == tiles) & (self._place[walkers] == places) & (self._shut[walkers] == doors)
        stale = np.flatnonzero(~known | (self._done[walkers] >= AHEAD))
        if len(stale):
            self._find(walkers[stale], tiles[stale], places[stale], doors[stale])
        turn = self._way[walkers, self._done[walkers]]
        after = np.where(turn == STAY, tiles, tiles + self.town.offsets[turn])
        self._done[walkers] += turn != STAY
        self._tile[walkers] = after
        return after

    def field(self, place: int, shut: Bools) -> Field:
        """Steps to a place from everywhere. ``shut``: which doors are closed, one an entry of ``town.doors``."""
        return distances(self.town, self.town.tiles(place), self._doors[self._number(shut)].open_)

    def _number(self, shut: Bools) -> int:
        key = shut.tobytes()
        if key not in self._numbers:
            open_ = self.town.walkable & ~np.isin(self.town.thing, self.town.doors[shut]) if shut.any() else self.town.walkable
            part = parts(self.town, open_)
            places, tiles = self.town.standing
            inside = open_[tiles]
            self._doors.append(_Doors(open_, part, np.unique(places[inside] * len(open_) + part[tiles[inside]])))
            self._numbers[key] = len(self._doors) - 1
        return self._numbers[key]

    def _of(self, doors: Ints, tiles: Ints, asked: Any, places: Ints) -> Bools:
        out = np.zeros(len(tiles), np.bool_)
        for number in np.unique(doors).tolist():
            mine = doors == number
            out[mine] = asked(self._doors[number], tiles[mine], places[mine])
        return out

    def _find(self, walkers: Ints, tiles: Ints, places: Ints, doors: Ints) -> None:
        self._tile[walkers], self._place[walkers], self._shut[walkers], self._done[walkers] = tiles, places, doors, 0
        for number in np.unique(doors).tolist():
            mine = np.flatnonzero(doors == number)
            mine = mine[np.argsort(places[mine], kind="stable")]
            open_ = self._doors[int(number)].open_
            self._way[walkers[mine]] = self._found(tiles[mine], places[mine], open_)

    def _found(self, tiles: Ints, places: Ints, open_: Bools) -> NDArray[np.int8]:
        """The next steps, (walkers, AHEAD), of walkers sorted by place."""
        way = np.full((len(tiles), AHEAD), STAY, np.int8)
        if Compiled.available():
            _search(open_, self.town.offsets, self.town.starts, self.town.standing[1], places, tiles, self._room, way)
            return way
        for place in np.unique(places).tolist():
            mine = np.flatnonzero(places == place)
            field, at = distances(self.town, self.town.tiles(place), open_), tiles[mine]
            for number in range(AHEAD):
                turn = _downhill(self.town, at, field)
                way[mine, number] = turn
                at = np.where(turn == STAY, at, at + self.town.offsets[turn])
        return way

    @cached_property
    def _room(self) -> NDArray[np.int32]:
        """What a search writes into: steps, walkers waiting on a tile, and the tiles in order of discovery."""
        room = np.zeros((3, len(self.town.walkable)), np.int32)
        room[0] = -1
        return room

    def _make_room(self, size: int) -> None:
        more = size - len(self._tile)
        if more > 0:
            more = max(more, size // 2)
            self._tile, self._place, self._shut = (np.append(a, np.full(more, -1)) for a in (self._tile, self._place, self._shut))
            self._done = np.append(self._done, np.zeros(more, np.int16))
            self._way = np.concatenate([self._way, np.full((more, AHEAD), STAY, np.int8)])


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


def parts(town: TownMap, open_: Bools) -> Ints:
    """Which tiles hang together: the lowest tile of each one's part; the number of tiles where one cannot stand."""
    lowest = np.where(open_, np.arange(len(open_)), len(open_))
    tiles = np.flatnonzero(open_)
    while True:
        before = lowest[tiles]
        after = before
        for offset in town.offsets.tolist():
            after = np.minimum(after, lowest[tiles + offset])
        lowest[tiles] = after
        lowest[tiles] = lowest[lowest[tiles]]  # a label is a tile of the same part, so its label is one too
        lowest[tiles] = lowest[lowest[tiles]]
        if np.array_equal(lowest[tiles], before):
            return lowest


def _downhill(town: TownMap, tiles: Ints, field: Field) -> NDArray[np.int8]:
    options = field[tiles[:, None] + town.offsets]
    best = np.argmin(options, axis=1)
    nearer = options[np.arange(len(tiles)), best] < field[tiles]
    return np.where(nearer, best, STAY).astype(np.int8)


def _once(tiles: Ints) -> Ints:
    """Each tile once. A front is small beside the map, so sorting it is cheaper than a mask over all tiles."""
    if len(tiles) < 2:
        return tiles
    tiles = np.sort(tiles)
    keep = np.ones(len(tiles), np.bool_)
    keep[1:] = tiles[1:] != tiles[:-1]
    return tiles[keep]


@compiled(nogil=True)
def _search(open_: Array, offsets: Array, starts: Array, standing: Array, places: Array, tiles: Array, room: Array, way: Array) -> None:
    """For each run of walkers to one place: search outwards from it until all of them are met, then go down from each."""
    steps, waiting, queue = room[0], room[1], room[2]
    begin = 0
    while begin < len(places):
        end = begin
        left = 0
        while end < len(places) and places[end] == places[begin]:
            waiting[tiles[end]] += 1
            left += 1
            end += 1
        head, tail = 0, 0
        for at in range(starts[places[begin]], starts[places[begin] + 1]):
            goal = standing[at]
            if open_[goal] and steps[goal] < 0:
                steps[goal] = 0
                queue[tail] = goal
                tail += 1
                left -= waiting[goal]
        while head < tail and left > 0:  # one who stands in a closed door is never met: then all is searched
            tile = queue[head]
            head += 1
            for turn in range(4):
                onto = tile + offsets[turn]
                if open_[onto] and steps[onto] < 0:
                    steps[onto] = steps[tile] + 1
                    queue[tail] = onto
                    tail += 1
                    left -= waiting[onto]
        for row in range(begin, end):
            tile = tiles[row]
            waiting[tile] = 0
            for number in range(way.shape[1]):
                best, least = -1, steps[tile]
                for turn in range(4):
                    near = steps[tile + offsets[turn]]
                    if near >= 0 and (least < 0 or near < least):
                        best, least = turn, near
                if best < 0:
                    break
                way[row, number] = best
                tile += offsets[best]
        for at in range(tail):
            steps[queue[at]] = -1
        begin = end
