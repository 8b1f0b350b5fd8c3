"""Towns from a plan of buildings: rectangles with rooms, doors and things; and towns of any size for many residents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np

from sociarium.environments.town.map import Level, Places, TownMap
from sociarium.environments.wording import read_yaml
from sociarium.kernel.errors import UsageError


@dataclass(frozen=True, slots=True)
class Thing:
    """An object at (x, y) of its room, counted from the room's corner. ``seats``: how many may use it at once. ``solid``: one stands
    beside it."""

    name: str
    x: int
    y: int
    seats: int = 1
    solid: bool = False


@dataclass(frozen=True, slots=True)
class Room:
    """A rectangle of floor: its corner (x, y) on the map, its width and height. Walls are what is left between rooms."""

    name: str
    x: int
    y: int
    width: int
    height: int
    things: Sequence[Thing] = ()


@dataclass(frozen=True, slots=True)
class Building:
    """A sector: rooms, and ``doors``, tiles of wall that are opened. A door that has a name can be shut."""

    name: str
    rooms: Sequence[Room]
    doors: Sequence[tuple[int, int, str]] = ()


@dataclass(frozen=True, slots=True)
class TownPlan:
    """A town of ``width`` x ``height`` tiles. What no building takes is ``outside`` (sector, room); a building takes the rectangle around
    its rooms, with a wall of one tile."""

    name: str
    width: int
    height: int
    buildings: Sequence[Building]
    outside: tuple[str, str] = ("outdoors", "streets")
    things: Sequence[Thing] = field(default_factory=tuple[Thing, ...])

    def map(self) -> TownMap:
        """The map. Raises UsageError for what overlaps or lies outside."""
        return _Draft(self).finished()

    @classmethod
    def read(cls, path: Path) -> TownPlan:
        """From a YAML file: name, size [width, height], outside, things, and buildings with rooms {name, at: [x, y, width, height], things:
        {name: [x, y]} or {name: {at: [x, y], seats, solid}}} and doors [[x, y]] or [[x, y, name]]."""
        values = read_yaml(path, "town plan")
        try:
            return cls.of(values)
        except UsageError as error:
            raise UsageError(f"{path}: {error}") from None
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise UsageError(f"{path}: not a town plan ({type(error).__name__}: {error}); see TownPlan.read for its entries") from None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> TownPlan:
        """From plain data, see ``read``."""
        buildings = [
            Building(
                str(one["name"]),
                [Room(str(r["name"]), *map(int, r["at"]), things=_things(r.get("things", {}))) for r in one["rooms"]],
                [(int(d[0]), int(d[1]), str(d[2]) if len(d) > 2 else "") for d in one.get("doors", [])],
            )
            for one in cast("list[dict[str, Any]]", values["buildings"])
        ]
        sector, _, room = str(values.get("outside", "outdoors/streets")).partition("/")
        width, height = map(int, values["size"])
        return cls(str(values["name"]), width, height, buildings, (sector, room or "streets"), _things(values.get("things", {})))


def _things(given: Mapping[str, Any]) -> list[Thing]:
    found: list[Thing] = []
    for name, value in given.items():
        facts = cast("dict[str, Any]", value) if isinstance(value, dict) else {"at": value}
        if unknown := set(facts) - {"at", "seats", "solid"}:
            raise UsageError(f"the thing {name!r} has {sorted(unknown)[0]!r}; a thing has at, seats and solid")
        x, y = map(int, facts["at"])
        found.append(Thing(str(name), x, y, int(facts.get("seats", 1)), bool(facts.get("solid", False))))
    return found


class _Draft:
    """A map while it is drawn."""

    def __init__(self, plan: TownPlan) -> None:
        self.plan = plan
        self.places = Places()
        shape = (plan.height, plan.width)
        self.arena = np.full(shape, -1, np.int64)
        self.thing = np.full(shape, -1, np.int64)
        self.solid = np.zeros(shape, np.bool_)
        self.taken = np.full(shape, -1, np.int64)

    def finished(self) -> TownMap:
        plan = self.plan
        sector = self.places.add(plan.outside[0], Level.SECTOR, -1)
        street = self.places.add(plan.outside[1], Level.ARENA, sector)
        for number, building in enumerate(plan.buildings):
            self._build(building, number)
        self.arena[self.taken < 0] = street
        for thing in plan.things:
            self._put(thing, street, 0, 0, "outside")
        return TownMap(plan.name, self.places, (self.arena >= 0) & ~self.solid, self.arena, self.thing)

    def _build(self, building: Building, number: int) -> None:
        if not building.rooms:
            raise UsageError(f"the building {building.name!r} has no rooms")
        left, top = min(room.x for room in building.rooms) - 1, min(room.y for room in building.rooms) - 1
        right, bottom = max(room.x + room.width for room in building.rooms), max(room.y + room.height for room in building.rooms)
        if left < 0 or top < 0 or right >= self.plan.width or bottom >= self.plan.height:
            size = f"{self.plan.width} x {self.plan.height}"
            raise UsageError(f"the building {building.name!r} reaches beyond the map of {size} tiles (it needs a wall around its rooms)")
        if (others := self.taken[top : bottom + 1, left : right + 1]).max() >= 0:
            raise UsageError(f"the buildings {building.name!r} and {self.plan.buildings[int(others.max())].name!r} overlap")
        self.taken[top : bottom + 1, left : right + 1] = number
        sector = self.places.add(building.name, Level.SECTOR, -1)
        rows: list[int] = []
        for room in building.rooms:
            floor = (slice(room.y, room.y + room.height), slice(room.x, room.x + room.width))
            if room.width < 1 or room.height < 1 or self.arena[floor].max() >= 0:
                raise UsageError(f"the room {room.name!r} of {building.name!r} is empty, or overlaps another")
            rows.append(self.places.add(room.name, Level.ARENA, sector))
            self.arena[floor] = rows[-1]
        for x, y, name in building.doors:
            self._open(building, x, y, name, rows)
        for room, row in zip(building.rooms, rows, strict=True):
            for thing in room.things:
                self._put(thing, row, room.x, room.y, f"{building.name}: {room.name}")

    def _open(self, building: Building, x: int, y: int, name: str, rows: Sequence[int]) -> None:
        """A door belongs to the room that it lies beside, the first of them."""
        beside = [self.arena[y + dy, x + dx] for dx, dy in ((0, -1), (1, 0), (0, 1), (-1, 0)) if 0 <= y + dy < self.plan.height]
        mine = [row for row in rows if row in beside]
        if self.arena[y, x] >= 0 or not mine:
            raise UsageError(f"the door of {building.name!r} at ({x}, {y}) is not in a wall beside one of its rooms")
        self.arena[y, x] = mine[0]
        if name:
            self.thing[y, x] = self.places.add(name, Level.OBJECT, mine[0], seats=1, door=True)

    def _put(self, thing: Thing, arena: int, x: int, y: int, where: str) -> None:
        x, y = x + thing.x, y + thing.y
        if not (0 <= x < self.plan.width and 0 <= y < self.plan.height) or self.arena[y, x] != arena or self.thing[y, x] >= 0:
            raise UsageError(f"the thing {thing.name!r} lies outside {where}, or on another thing")
        self.thing[y, x] = self.places.add(thing.name, Level.OBJECT, arena, seats=thing.seats)
        self.solid[y, x] = thing.solid


def terraces(residents: int, *, beds: int = 4, a_row: int = 16, shops: int | None = None) -> TownPlan:
    """A town for many: rows of houses with ``beds`` each, ``a_row`` in a row, streets between, and a shop for about every twelve houses.

    The first houses' beds are enough for ``residents``: the n-th bed of the map is the home of the n-th resident (see ``homes``).
    """
    if residents < 1 or not 1 <= beds <= 6 or a_row < 1:
        raise UsageError("terraces need 1 resident or more, 1 to 6 beds a house, and 1 house or more in a row")
    houses = -(-residents // beds)
    trade = max(1, houses // 12) if shops is None else shops
    buildings: list[Building] = []
    for number in range(houses + trade):
        line, column = divmod(number, a_row)
        x, y = 3 + 10 * column, 3 + 9 * line
        if number < houses:
            asleep = [Thing(f"bed {bed + 1}", bed, 0) for bed in range(beds)]
            rooms = [Room("bedroom", x, y, 6, 2, asleep), Room("kitchen", x, y + 3, 6, 2, [Thing("stove", 0, 0), Thing("table", 4, 1, 4)])]
            buildings.append(Building(f"House {number + 1}", rooms, [(x + 2, y + 2, ""), (x + 3, y + 5, "")]))
        else:
            counter = [Thing("counter", 0, 0, 12), Thing("shelf", 4, 3, 12)]
            buildings.append(Building(f"Shop {number - houses + 1}", [Room("shop", x, y, 6, 5, counter)], [(x + 3, y + 5, "")]))
    lines = -(-len(buildings) // a_row)
    return TownPlan("Terraces", 10 * min(a_row, len(buildings)) + 4, 9 * lines + 4, buildings)


def homes(town: TownMap, residents: int, bed: str = "bed") -> Sequence[int]:
    """The first ``residents`` objects whose name begins with ``bed``, in the order of the map."""
    beds = [place for place in town.objects.tolist() if town.places.names[place].startswith(bed)]
    if len(beds) < residents:
        raise UsageError(f"the map {town.name!r} has {len(beds)} beds for {residents} residents")
    return beds[:residents]
