"""The map of a town: a grid of tiles, and a tree of named places over it (world, sector, arena, object).

As in Generative Agents (Park et al., arXiv 2304.03442), section 5: every tile lies in at most one arena and under at most one object; an
address is the path of names from the world down. A map never changes; what can change (doors, the state of objects) is the
environment's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.wording import read_yaml
from sociarium.kernel.errors import UsageError

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

LARGEST = 4_000_000  # tiles of one map
WALL = "#"
EMPTY = ". "  # of the layer of things


class Level(IntEnum):
    """How deep a place lies in the tree; the world itself has no row."""

    SECTOR = 1
    ARENA = 2
    OBJECT = 3


@dataclass(slots=True)
class Places:
    """The places of a map, a row each: parents come before their children. ``seats``: how many may use an object at once."""

    names: list[str] = field(default_factory=list[str])
    levels: list[Level] = field(default_factory=list[Level])
    parents: list[int] = field(default_factory=list[int])
    seats: list[int] = field(default_factory=list[int])
    doors: list[bool] = field(default_factory=list[bool])

    def add(self, name: str, level: Level, parent: int, *, seats: int = 0, door: bool = False) -> int:
        self.names.append(name)
        self.levels.append(level)
        self.parents.append(parent)
        self.seats.append(seats)
        self.doors.append(door)
        return len(self.names) - 1

    def __len__(self) -> int:
        return len(self.names)


class TownMap:
    """Tiles are numbered row by row inside a border of walls: tile = (y + 1) * (width + 2) + x + 1."""

    def __init__(self, name: str, places: Places, walkable: Bools, arena: Ints, thing: Ints) -> None:
        """``walkable``, ``arena`` and ``thing`` are (height, width): whether one can stand there, and the rows of the places (-1: none)."""
        height, width = walkable.shape
        if height * width > LARGEST:
            raise UsageError(f"the map {name!r} has {height * width:,} tiles; at most {LARGEST:,} are allowed")
        self.name, self.places = name, places
        self.height, self.width = height, width
        self.stride = width + 2
        self.walkable: Bools = np.pad(walkable, 1).reshape(-1)
        self.arena: Ints = np.pad(arena.astype(np.int64), 1, constant_values=-1).reshape(-1)
        self.thing: Ints = np.pad(thing.astype(np.int64), 1, constant_values=-1).reshape(-1)
        self.levels = np.array(places.levels, np.int64)
        self.parents = np.array(places.parents, np.int64)
        self.seats = np.array(places.seats, np.int64)
        self.doors = np.flatnonzero(np.array(places.doors, np.bool_))
        self.objects = np.flatnonzero(self.levels == Level.OBJECT)
        self.offsets: Ints = np.array([-self.stride, 1, self.stride, -1])  # to the neighbours of a tile: up, right, down, left
        self.standing = self._stand()  # pairs (place, tile), by place and tile: where one stands to be there
        self.starts = np.searchsorted(self.standing[0], np.arange(len(self) + 1))
        self._codes = self.standing[0] * len(self.walkable) + self.standing[1]
        self.spots = self._spots()  # starts, (places + 1,), and tiles: where one stays who came to a place
        self._in_sight: dict[int, tuple[Ints, Ints]] = {}

    def __len__(self) -> int:
        """The number of places."""
        return len(self.places)

    def tile(self, x: int, y: int) -> int:
        return (y + 1) * self.stride + x + 1

    def xy(self, tiles: Ints) -> tuple[Ints, Ints]:
        """Columns and rows, from 0."""
        return tiles % self.stride - 1, tiles // self.stride - 1

    def address(self, place: int) -> str:
        """The path of a place: ``Rowan House: kitchen: stove``."""
        names: list[str] = []
        while place >= 0:
            names.append(self.places.names[place])
            place = self.places.parents[place]
        return ": ".join(reversed(names))

    def find(self, address: str) -> int:
        """The row of an address (as ``address`` writes it, or with slashes). Raises UsageError."""
        row = -1
        for name in [part.strip() for part in address.replace("/", ":").split(":")]:
            children = [at for at, parent in enumerate(self.places.parents) if parent == row and self.places.names[at] == name]
            if not children:
                known = sorted(n for n, parent in zip(self.places.names, self.places.parents, strict=True) if parent == row)
                raise UsageError(f"the map {self.name!r} has no place {address!r}: {name!r} is none of {', '.join(known)}")
            row = children[0]
        return row

    def within(self, place: int) -> Ints:
        """The place and all places below it."""
        inside = np.arange(len(self)) == place
        for _ in Level:  # the tree is no deeper
            inside |= (self.parents >= 0) & inside[self.parents]
        return np.flatnonzero(inside)

    def tiles(self, place: int) -> Ints:
        """Where one stands to be at a place: walkable tiles of it, or, for an object that cannot be stood on, those beside it."""
        return self.standing[1][self.starts[place] : self.starts[place + 1]]

    def stands(self, tiles: Ints, places: Ints) -> Bools:
        """Whether each tile is one where one stands to be at the place beside it."""
        codes = places * len(self.walkable) + tiles
        return self._codes[np.minimum(np.searchsorted(self._codes, codes), len(self._codes) - 1)] == codes

    def seen_from(self, tiles: Ints, vision: int) -> tuple[Ints, Ints]:
        """Pairs (row of ``tiles``, place): the objects within ``vision`` tiles of each, in the same arena."""
        if vision not in self._in_sight:
            self._in_sight[vision] = self._sights(vision)
        starts, things = self._in_sight[vision]
        counts = starts[tiles + 1] - starts[tiles]
        rows = np.repeat(np.arange(len(tiles)), counts)
        before = np.repeat(starts[tiles] - (np.cumsum(counts) - counts), counts)
        return rows, things[np.arange(len(rows)) + before]

    def _sights(self, vision: int) -> tuple[Ints, Ints]:
        """For every tile, the objects in sight from it: starts, (tiles + 1,), and places."""
        found: list[tuple[Ints, Ints]] = []
        for place, middle in zip(self.objects.tolist(), self.middle.tolist(), strict=True):
            x, y = middle % self.stride, middle // self.stride
            columns: Ints = np.arange(max(1, x - vision), min(self.width, x + vision) + 1, dtype=np.int64)
            lines: Ints = np.arange(max(1, y - vision), min(self.height, y + vision) + 1, dtype=np.int64)
            around: Ints = np.add.outer(lines * self.stride, columns).reshape(-1)
            around = around[self.arena[around] == self.parents[place]]
            found.append((around, np.full(len(around), place)))
        if not found:
            return np.zeros(len(self.walkable) + 1, np.int64), np.empty(0, np.int64)
        at, things = (np.concatenate(part) for part in zip(*found, strict=True))
        order = np.argsort(at, kind="stable")
        return np.concatenate([[0], np.cumsum(np.bincount(at, minlength=len(self.walkable)))]), things[order]

    def _stand(self) -> tuple[Ints, Ints]:
        """All pairs of a place and a tile where one stands to be there; sets ``middle``, a tile of each object."""
        own = np.flatnonzero(self.arena >= 0)
        under = np.flatnonzero(self.thing >= 0)
        rooms = self.arena[own]
        places = np.concatenate([self.parents[rooms], rooms, self.thing[under]])
        tiles = np.concatenate([own, own, under])
        order = np.lexsort((tiles, places))
        places, tiles = places[order], tiles[order]
        starts = np.searchsorted(places, np.arange(len(self) + 1))
        if (bare := np.flatnonzero(np.diff(starts) == 0)).size:
            raise UsageError(f"nobody can get to {self.address(int(bare[0]))!r} on the map {self.name!r}: it has no walkable tile")
        self.middle: Ints = tiles[(starts[:-1] + np.diff(starts) // 2)[self.objects]]
        free = self.walkable[tiles]
        beside = [self._beside(place, tiles[starts[place] : starts[place + 1]]) for place in self._blocked(places[free])]
        places = np.concatenate([places[free], *[np.full(len(found), place) for place, found in beside]])
        tiles = np.concatenate([tiles[free], *[found for _, found in beside]])
        order = np.lexsort((tiles, places))
        return places[order], tiles[order]

    def _spots(self) -> tuple[Ints, Ints]:
        """Of the tiles where one stands to be at a place those that are no doorway (walls on two sides that face each other); all of them
        where there are only such."""
        places, tiles = self.standing
        wall = self.arena < 0
        up, right, down, left = (wall[tiles + offset] for offset in self.offsets.tolist())
        narrow = (up & down) | (left & right)
        roomy = np.bincount(places[~narrow], minlength=len(self)) > 0
        kept = ~narrow | ~roomy[places]
        return np.searchsorted(places[kept], np.arange(len(self) + 1)), tiles[kept]

    def _blocked(self, free: Ints) -> list[int]:
        """Places without a walkable tile of their own."""
        return np.setdiff1d(np.arange(len(self)), free).tolist()

    def _beside(self, place: int, mine: Ints) -> tuple[int, Ints]:
        beside = np.unique((mine[:, None] + self.offsets).ravel())
        standing = beside[self.walkable[beside] & (self.arena[beside] == self.arena[mine[0]])]
        if not len(standing):
            raise UsageError(f"nobody can get to {self.address(place)!r} on the map {self.name!r}: it has no walkable tile")
        return place, standing

    @classmethod
    def read(cls, path: Path) -> TownMap:
        """From a YAML file, see ``of``. Raises UsageError that names the file."""
        values = read_yaml(path, "map")
        if not isinstance(values, dict):
            raise UsageError(f"{path}: a map has the entries name, ground, places, things and objects")
        try:
            return cls.of(cast("dict[str, Any]", values))
        except UsageError as error:
            raise UsageError(f"{path}: {error}") from None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> TownMap:
        """From plain data: ``name``; ``ground``, lines of one character a tile (``#`` is a wall); ``places``, what each character stands
        for (``sector/arena``); ``things``, a second layer of the same size (``.`` is nothing); and ``objects``, what its characters stand
        for: a name, or {name, seats, solid, door}. Equal characters within one arena are one object."""
        wanted = {"name", "ground", "places", "things", "objects"}
        if set(values) != wanted:
            wrong = sorted(set(values) ^ wanted)[0]
            raise UsageError(
                f"a map has the entries {', '.join(sorted(wanted))}; {wrong!r} {'is missing' if wrong in wanted else 'is none'}"
            )
        ground, things = _layer(values["ground"], "ground"), _layer(values["things"], "things")
        if ground.shape != things.shape:
            raise UsageError(f"the layers of a map differ in size: ground is {ground.shape}, things {things.shape} (lines, characters)")
        places = Places()
        arenas = _arenas(ground, values["places"], places)
        thing, solid = _things(things, arenas, values["objects"], places)
        return cls(str(values["name"]), places, (arenas >= 0) & ~solid, arenas, thing)


def _layer(text: Any, name: str) -> NDArray[np.str_]:
    lines = str(text).strip("\n").split("\n")
    if len({len(line) for line in lines}) != 1:
        lengths = [len(line) for line in lines]
        odd = next(at for at, length in enumerate(lengths) if length != lengths[0])
        raise UsageError(f"line {odd + 1} of {name} has {lengths[odd]} characters, the first has {lengths[0]}; a map is a rectangle")
    return np.array([list(line) for line in lines])


def _arenas(ground: NDArray[np.str_], legend: Mapping[str, str], places: Places) -> Ints:
    rows: dict[str, int] = {}
    sectors: dict[str, int] = {}
    parsed: dict[str, tuple[str, str]] = {}
    for mark, address in legend.items():
        sector, slash, arena = str(address).partition("/")
        if not slash or not sector.strip() or not arena.strip():
            raise UsageError(f"place {mark!r} is {address!r}; write it as sector/arena")
        parsed[mark] = (sector.strip(), arena.strip())
    for sector, _ in parsed.values():
        if sector not in sectors:
            sectors[sector] = places.add(sector, Level.SECTOR, -1)
    for mark, (sector, arena) in parsed.items():
        rows[mark] = places.add(arena, Level.ARENA, sectors[sector])
    arenas = np.full(ground.shape, -1, np.int64)
    for mark in np.unique(ground).tolist():
        if mark == WALL:
            continue
        if mark not in rows:
            y, x = (int(at[0]) for at in np.nonzero(ground == mark))
            raise UsageError(f"the ground has {mark!r} at column {x + 1} of line {y + 1}, which places does not explain")
        arenas[ground == mark] = rows[mark]
    return arenas


def _things(things: NDArray[np.str_], arenas: Ints, legend: Mapping[str, Any], places: Places) -> tuple[Ints, Bools]:
    thing, solid = np.full(things.shape, -1, np.int64), np.zeros(things.shape, np.bool_)
    for mark in np.unique(things).tolist():
        if mark in EMPTY:
            continue
        if mark not in legend:
            y, x = (int(at[0]) for at in np.nonzero(things == mark))
            raise UsageError(f"the things have {mark!r} at column {x + 1} of line {y + 1}, which objects does not explain")
        given: Any = legend[mark]
        facts = cast("dict[str, Any]", given) if isinstance(given, dict) else {"name": given}
        if unknown := set(facts) - {"name", "seats", "solid", "door"}:
            raise UsageError(f"object {mark!r} has {sorted(unknown)[0]!r}; an object has name, seats, solid and door")
        here = things == mark
        if (arenas[here] < 0).any():
            y, x = (int(at[0]) for at in np.nonzero(here & (arenas < 0)))
            raise UsageError(f"object {mark!r} stands in a wall, at column {x + 1} of line {y + 1}")
        for arena in np.unique(arenas[here]).tolist():
            where = here & (arenas == arena)
            seats = int(facts.get("seats", 0)) or int(where.sum())
            row = places.add(str(facts["name"]), Level.OBJECT, int(arena), seats=seats, door=bool(facts.get("door", False)))
            thing[where] = row
            solid |= where & bool(facts.get("solid", False))
    return thing, solid
