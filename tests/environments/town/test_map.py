"""Maps, ways and sight against plain searches."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest
from hamlets import HAMLET
from hypothesis import given, settings
from hypothesis import strategies as st

from sociarium.environments.town.map import Level, TownMap
from sociarium.environments.town.paths import UNREACHED, Ways
from sociarium.environments.town.perception import Points, in_sight
from sociarium.kernel.errors import UsageError
from sociarium.kernel.extras import Compiled

OPEN = np.zeros(len(HAMLET.doors), np.bool_)


def plain_distance(town: TownMap, start: int, goals: set[int], barred: set[int]) -> int:
    """Breadth-first search, a tile at a time."""
    seen, queue = {start: 0}, deque([start])
    while queue:
        tile = queue.popleft()
        if tile in goals:
            return seen[tile]
        for offset in town.offsets.tolist():
            onto = tile + offset
            if town.walkable[onto] and onto not in barred and onto not in seen:
                seen[onto] = seen[tile] + 1
                queue.append(onto)
    return UNREACHED


def test_addresses_name_places_and_find_them_again():
    for place in range(len(HAMLET)):
        assert HAMLET.find(HAMLET.address(place)) == place
    assert HAMLET.address(HAMLET.find("Inn/bar/table")) == "Inn: bar: table"


def test_an_object_that_cannot_be_stood_on_is_reached_from_beside():
    well = HAMLET.find("Green/grass/well")
    tiles = HAMLET.tiles(well)
    assert not HAMLET.walkable[HAMLET.thing == well].any()
    assert all(well in HAMLET.thing[tile + HAMLET.offsets] for tile in tiles.tolist())


@pytest.mark.parametrize("shut", [False, True])
@pytest.mark.parametrize("place", range(len(HAMLET)))
def test_fields_are_shortest_ways(place, shut):
    closed = np.full(len(HAMLET.doors), shut)
    barred = set(np.flatnonzero(np.isin(HAMLET.thing, HAMLET.doors)).tolist()) if shut else set()
    field = Ways(HAMLET).field(place, closed)
    goals = set(HAMLET.tiles(place).tolist()) - barred
    for tile in np.flatnonzero(HAMLET.walkable).tolist():
        if tile not in barred:
            assert field[tile] == plain_distance(HAMLET, tile, goals, barred)


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("shut", [False, True])
def test_walkers_go_down_the_field_by_the_first_of_the_best_neighbours(shut, compiled, monkeypatch):
    if not compiled:
        monkeypatch.setattr(Compiled, "available", staticmethod(lambda: False))
    ways, closed = Ways(HAMLET), np.full(len(HAMLET.doors), shut)
    tiles = np.flatnonzero(HAMLET.walkable)
    doors = ways.doors(closed[None])[np.zeros(len(tiles), np.int64)]
    for place in range(len(HAMLET)):
        field, at = ways.field(place, closed), tiles.copy()
        places = np.full(len(tiles), place)
        assert (ways.reached(at, places, doors) == (field[at] < UNREACHED)).all()
        for _ in range(200):
            assert (ways.there(at, places, doors) == (field[at] == 0)).all()
            options = field[at[:, None] + HAMLET.offsets]
            best = options.argmin(axis=1)
            expected = np.where(options.min(axis=1) < field[at], at + HAMLET.offsets[best], at)
            at = ways.step(np.arange(len(tiles)), at, places, doors)
            assert at.tolist() == expected.tolist()


def test_objects_in_sight_are_those_near_in_the_same_room():
    tiles = np.flatnonzero(HAMLET.walkable)
    rows, things = HAMLET.seen_from(tiles, 4)
    found = set(zip(rows.tolist(), things.tolist(), strict=True))
    for row, tile in enumerate(tiles.tolist()):
        for place, middle in zip(HAMLET.objects.tolist(), HAMLET.middle.tolist(), strict=True):
            (x, y), (u, v) = (divmod(at, HAMLET.stride)[::-1] for at in (tile, middle))
            near = max(abs(x - u), abs(y - v)) <= 4 and HAMLET.arena[tile] == HAMLET.parents[place]
            assert ((row, place) in found) == near


points = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(0, 2)), min_size=1, max_size=60)


@settings(max_examples=60)
@given(points, st.integers(1, 9), st.integers(1, 5))
def test_what_is_noticed_is_what_a_look_at_every_pair_finds(rows, vision, attention):
    x, y, room = np.array(rows, np.int64).T
    everyone = Points(x, y, room, np.arange(len(rows)))
    found = in_sight(everyone, everyone, vision, attention)
    for looker in range(len(rows)):
        far = {
            other: max(abs(x[looker] - x[other]), abs(y[looker] - y[other]))
            for other in range(len(rows))
            if other != looker and room[other] == room[looker]
        }
        near = sorted((distance, other) for other, distance in far.items() if distance <= vision)[:attention]
        wanted = [other for _, other in near] + [-1] * (attention - len(near))
        assert found[looker].tolist() == wanted


GOOD = {"name": "x", "ground": "aa\na#", "places": {"a": "house/room"}, "things": "b.\n..", "objects": {"b": "bed"}}


def test_a_map_from_plain_data():
    town = TownMap.of(GOOD)
    assert [town.address(place) for place in range(3)] == ["house", "house: room", "house: room: bed"]
    assert town.levels.tolist() == [Level.SECTOR, Level.ARENA, Level.OBJECT]
    assert town.walkable.sum() == 3


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ground": "aa\na"}, "line 2 of ground has 1 characters"),
        ({"things": "b."}, "differ in size"),
        ({"places": {"a": "house"}}, "sector/arena"),
        ({"places": {"c": "house/room"}}, "column 1 of line 1"),
        ({"objects": {}}, "which objects does not explain"),
        ({"objects": {"b": {"name": "bed", "colour": "red"}}}, "'colour'"),
        ({"things": "..\n.b"}, "stands in a wall"),
        ({"ground": "aa\na#", "things": "b.\n..", "objects": {"b": {"name": "x", "solid": True}}, "places": {"a": "h/r"}}, None),
        ({"ground": "a#\n#a", "things": "b.\n..", "objects": {"b": {"name": "x", "solid": True}}}, "nobody can get to"),
    ],
)
def test_a_bad_map_says_what_is_wrong_and_where(change, words):
    if words is None:
        TownMap.of({**GOOD, **change})
        return
    with pytest.raises(UsageError, match=words.replace("'", ".")):
        TownMap.of({**GOOD, **change})
