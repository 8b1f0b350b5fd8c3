"""Towns from plans."""

from __future__ import annotations

import numpy as np
import pytest

from sociarium.environments.town.building import Building, Room, Thing, TownPlan, homes, terraces
from sociarium.environments.town.paths import UNREACHED, Ways
from sociarium.kernel.errors import UsageError

SHED = Building("Shed", [Room("floor", 2, 2, 3, 3, [Thing("bench", 0, 0), Thing("oven", 2, 2, solid=True)])], [(3, 5, "shed door")])


def plan(*buildings, **settings):
    return TownPlan("Place", 12, 9, buildings, **settings)


def test_rooms_are_inside_walls_and_doors_lead_in():
    town = plan(SHED).map()
    assert [town.address(place) for place in range(len(town))] == [
        "outdoors",
        "outdoors: streets",
        "Shed",
        "Shed: floor",
        "Shed: floor: shed door",
        "Shed: floor: bench",
        "Shed: floor: oven",
    ]
    walls = {(x, y) for x in range(1, 6) for y in range(1, 6) if x in (1, 5) or y in (1, 5)} - {(3, 5)}
    assert {(x, y) for x in range(12) for y in range(9) if not town.walkable[town.tile(x, y)]} == walls | {(4, 4)}
    open_, shut = np.array([False]), np.array([True])
    assert Ways(town).field(town.find("Shed/floor"), open_)[town.tile(0, 0)] < UNREACHED
    assert Ways(town).field(town.find("Shed/floor/bench"), shut)[town.tile(0, 0)] == UNREACHED


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda: plan(SHED, SHED).map(), "'Shed' and 'Shed' overlap"),
        (lambda: plan(Building("Far", [Room("r", 10, 2, 3, 3)])).map(), "beyond the map"),
        (lambda: plan(Building("Odd", [Room("r", 2, 2, 3, 3)], [(9, 7, "")])).map(), "not in a wall"),
        (lambda: plan(Building("Full", [Room("r", 2, 2, 2, 2, [Thing("x", 3, 0)])], [(2, 4, "")])).map(), "'x' lies outside"),
        (lambda: plan(Building("None", [])).map(), "no rooms"),
        (lambda: TownPlan.of({"name": "x", "size": [5, 5], "buildings": [], "things": {"t": {"at": [0, 0], "hue": 1}}}), "'hue'"),
        (lambda: homes(plan(SHED).map(), 1), "0 beds for 1"),
        (lambda: terraces(0), "1 resident or more"),
    ],
)
def test_a_bad_plan_says_what_is_wrong(act, words):
    with pytest.raises(UsageError, match=words):
        act()


def test_a_plan_is_read_from_a_file(tmp_path):
    (tmp_path / "plan.yaml").write_text(
        "name: Place\nsize: [12, 9]\noutside: common/green\nthings: {fountain: {at: [9, 7], seats: 3, solid: true}}\n"
        "buildings:\n- name: Shed\n  rooms: [{name: floor, at: [2, 2, 3, 3], things: {bench: [0, 0]}}]\n  doors: [[3, 5, door], [1, 3]]\n",
        "utf-8",
    )
    town = TownPlan.read(tmp_path / "plan.yaml").map()
    assert town.find("common/green/fountain") >= 0
    assert town.find("Shed/floor/door") in town.doors
    (tmp_path / "bad.yaml").write_text("name: Place\n", "utf-8")
    with pytest.raises(UsageError, match="not a town plan"):
        TownPlan.read(tmp_path / "bad.yaml")


def test_a_town_for_many_has_a_bed_for_each_and_a_way_to_it():
    town = terraces(100).map()
    beds = homes(town, 100)
    shop = Ways(town).field(town.find("Shop 1/shop/counter"), np.zeros(0, np.bool_))
    assert len(set(beds)) == 100
    assert (shop[[town.tiles(bed)[0] for bed in beds]] < UNREACHED).all()
