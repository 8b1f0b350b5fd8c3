"""The bodies in a town: who is where and does what, how they walk, what they notice and come to know."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.columnar import Cells, ColumnarEnvironment, ranks
from sociarium.environments.conversation.chats import Chats
from sociarium.environments.town.map import Level, TownMap
from sociarium.environments.town.meeting import Meetings
from sociarium.environments.town.paths import Ways
from sociarium.environments.town.perception import Points, in_sight
from sociarium.environments.town.rules import TownRules, TownWording
from sociarium.kernel.environment import AgentIds, Events, Groups, Outcome, State
from sociarium.kernel.errors import UsageError
from sociarium.kernel.units import DAY, HOUR
from sociarium.kernel.world import World

Array = NDArray[Any]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NOBODY = -1
CODE = 1 << 24  # event codes: subject * CODE + the number of its state
THINGS = 1 << 36  # subjects from here are objects, below are agents


class Body(ColumnarEnvironment):
    """Where everybody is and what they are busy with: columns, walking, looking around."""

    name: ClassVar[str] = "town"

    tile: Ints  # where each agent stands, (agents,)
    target: Ints  # the place that it is at or on its way to; -1: none, (agents,)
    moving: Bools  # it is not there yet, or still wanders, (agents,)
    settle: Ints  # steps that it will still go on in a room, (agents,)
    spot: Ints  # the tile of the room that it then makes for, -1: none, (agents,)
    activity: Array  # what it does, (agents,) of str
    number: Ints  # counts its activities: a new one is news to those who see it, (agents,)
    until: Ints  # when its activity is over, microseconds, (agents,)
    asleep: Bools  # (agents,)
    busy: Bools  # in a talk that has ended and takes its time, (agents,)
    noticed: Ints  # codes of events last noticed, newest first, (agents, retention)
    fresh: Ints  # codes of what it has newly noticed, (agents, attention)
    seen_places: NDArray[np.uint8]  # places it has seen, a bit each: see ``known``, (agents, places / 8)
    told: Ints  # the tile that was last told of it, -1: none yet, (agents,)
    state_of: Array  # what each object is like, (groups, objects) of str
    changes: Ints  # how often that changed, (groups, objects)
    shut: Bools  # doors that are closed, (groups, doors)
    held: NDArray[np.int8]  # doors that an operator holds: 0 not, 1 open, 2 closed, (groups, doors)

    def __init__(
        self, town: TownMap, rules: TownRules | None = None, *, chats: Chats | None = None, wording: TownWording | None = None
    ) -> None:
        self.map = town
        self.rules = rules or TownRules()
        self.chats = chats
        self.wording = wording or TownWording()
        self.ways = Ways(town)
        self._stirred = True  # something may be new to somebody: no part of the state, as looking once too often finds nothing
        self.meetings = Meetings()
        objects, doors = len(town.objects), len(town.doors)
        self.group_cells = {
            "state_of": Cells(object, "", (objects,)),
            "changes": Cells(np.int64, 0, (objects,)),
            "shut": Cells(np.bool_, False, (doors,)),
            "held": Cells(np.int8, 0, (doors,)),
        }
        self.agent_cells = {
            "tile": Cells(np.int64, -1),
            "target": Cells(np.int64, -1),
            "moving": Cells(np.bool_, False),
            "settle": Cells(np.int64),
            "spot": Cells(np.int64, -1),
            "activity": Cells(object, ""),
            "number": Cells(np.int64),
            "until": Cells(np.int64),
            "asleep": Cells(np.bool_, False),
            "busy": Cells(np.bool_, False),
            "noticed": Cells(np.int64, NOBODY, (self.rules.retention,)),
            "fresh": Cells(np.int64, NOBODY, (self.rules.attention,)),
            "seen_places": Cells(np.uint8, 0, (-(-len(town) // 8),)),
            "told": Cells(np.int64, -1),
        }
        if unknown := set(self.rules.doors) - {town.places.names[door] for door in town.doors}:
            raise UsageError(f"the map {town.name!r} has no door {sorted(unknown)[0]!r}")

    def reset(self, world: World, groups: Groups) -> None:
        super().reset(world, groups)
        self.meetings.reset(self.agents_of(groups))
        self._place(self.agents_of(groups))
        self.shut[groups] = self._shut_now(groups)

    def admit(self, agents: AgentIds) -> None:
        super().admit(agents)
        self._place(agents)

    def _place(self, agents: AgentIds) -> None:
        """At home, with nothing to do."""
        self._stirred = True
        homes = self.homes_of(agents)
        wrong = homes[(homes < 0) | (homes >= len(self.map))]
        if len(wrong):
            raise UsageError(f"an agent's home is place {wrong[0]}; the map {self.map.name!r} has places 0 to {len(self.map) - 1}")
        starts, standing = self.map.starts, self.map.standing[1]
        self.tile[agents] = standing[starts[homes] + ranks(homes) % (starts[homes + 1] - starts[homes])]
        self.until[agents] = self.world.clock.time
        if self.rules.acquainted:
            self.seen_places[agents] = np.packbits(np.ones(len(self.map), np.bool_))
        self._learn(agents)

    def homes_of(self, agents: AgentIds) -> Ints:
        """The place at which each of these lives."""
        population = self.world.population
        homes = np.zeros(len(agents), np.int64)
        for kind, table in population.tables.items():
            mine = np.isin(agents, population.ids(kind))
            if "home" in table and mine.any():
                homes[mine] = population.get(agents[mine], "home")
        return homes

    def advance(self, to: int) -> Outcome | None:
        """One step: doors by the hour, walkers by their tiles, then everybody looks around."""
        groups = np.arange(self.world.groups)
        self.shut[groups] = self._shut_now(groups)
        agents = self.world.awake()
        self.fresh[agents] = NOBODY
        self.busy[agents] &= self.until[agents] > to
        for _ in range(self.rules.speed):
            self._walk(agents)
        self._look(agents)
        return self._tracked(agents) if self.rules.track and self.world.clock.tick % self.rules.track == 0 else None

    def _tracked(self, agents: AgentIds) -> Outcome | None:
        """Where those stand who have moved since that was last told: nobody hears of it, the record keeps it."""
        moved = agents[self.tile[agents] != self.told[agents]]
        if not len(moved):
            return None
        self.told[moved] = self.tile[moved]
        x, y = self.map.xy(self.tile[moved])
        return Outcome([Events("stood", moved, {"x": x, "y": y}, "nobody")])

    def state(self, groups: Groups | None = None) -> State:
        return {**super().state(groups), "meetings": self.meetings.state(None if groups is None else self.agents_of(groups))}

    def load(self, state: State, groups: Groups | None = None) -> None:
        super().load(state, groups)
        self._stirred = True
        if state:
            self.meetings.load(state["meetings"], None if groups is None else self.agents_of(groups))

    def standing(self, agents: AgentIds) -> Ints:
        """The deepest place that each agent stands in."""
        tiles = self.tile[agents]
        return np.where(self.map.thing[tiles] >= 0, self.map.thing[tiles], self.map.arena[tiles])

    def using(self, groups: Groups, place: int) -> AgentIds:
        """Who is at an object or on the way to it, in these groups."""
        agents = self.world.awake()
        return agents[(self.target[agents] == place) & np.isin(self.group_of(agents), groups)]

    def witnesses(self, groups: Groups, place: int) -> AgentIds:
        """Who is awake in sight of an object, in these groups."""
        agents = self.world.awake()
        agents = agents[np.isin(self.group_of(agents), groups) & ~self.asleep[agents]]
        rows, things = self.map.seen_from(self.tile[agents], self.rules.vision)
        return agents[np.unique(rows[things == place])]

    def _set(self, agents: AgentIds, activity: Array, until: Ints, *, asleep: bool) -> None:
        self._stirred = True
        self.number[agents] += self.activity[agents] != activity
        self.activity[agents], self.until[agents], self.asleep[agents] = activity, until, asleep

    def _changed(self, groups: Ints, places: Ints, states: Array, actors: AgentIds) -> Outcome:
        at = np.searchsorted(self.map.objects, places)
        different = self.state_of[groups, at] != states
        groups, at, states, actors = groups[different], at[different], states[different], actors[different]
        self.state_of[groups, at] = states
        self._stirred = True
        np.add.at(self.changes, (groups, at), 1)
        if not len(at):
            return Outcome()
        data = {"place": self.map.objects[at], "state": states}
        return Outcome([Events("changed", actors, data, "nobody", groups=groups)])

    def known(self, agents: AgentIds) -> Bools:
        """Which places each of these agents has seen, (agents, places)."""
        return places_of(self.seen_places[agents], len(self.map))

    def _unreached(self, agents: AgentIds, places: Ints) -> Bools:
        return ~self.ways.reached(self.tile[agents], places, self._doors_of(agents))

    def _doors_of(self, agents: AgentIds) -> Ints:
        """The number of the arrangement of closed doors that each agent meets."""
        return self.ways.doors(self.shut)[self.group_of(agents)]

    def _full(self, agents: AgentIds, places: Ints) -> Bools:
        """Objects with fewer free seats than there are newcomers in this batch: the first in the order of agents get them."""
        out = np.zeros(len(agents), np.bool_)
        rows = np.flatnonzero(self.map.levels[places] == Level.OBJECT)
        if not len(rows):
            return out
        wanted = self.group_of(agents[rows]) * len(self.map) + places[rows]
        everyone = self.world.awake()
        held = np.where(self.target[everyone] >= 0, self.group_of(everyone) * len(self.map) + self.target[everyone], -1)
        asked = np.full(len(self.world.population), -2)
        asked[agents[rows]] = wanted
        others = np.sort(held[held != asked[everyone]])  # who is there already needs no second seat
        taken = np.searchsorted(others, wanted, side="right") - np.searchsorted(others, wanted)
        out[rows] = ranks(wanted) >= self.map.seats[places[rows]] - taken
        return out

    def _walk(self, agents: AgentIds) -> None:
        """Who is on the way goes a tile; who is there and came to a room goes on into it."""
        going = agents[self.moving[agents] & ~self._talking(agents)]
        if not len(going):
            return
        before, places, doors = self.tile[going], self.target[going], self._doors_of(going)
        arrived = self.ways.there(before, places, doors)
        self.tile[going] = self.ways.step(going, before, places, doors)
        self._wander(going[arrived])
        moved = going[self.tile[going] != before]
        self._learn(moved)
        self._stirred |= len(moved) > 0

    def _wander(self, agents: AgentIds) -> None:
        """A step towards one's own spot in the room, where possible along the longer of the two ways; who cannot go on has arrived."""
        self.moving[agents] = (self.settle[agents] > 0) & (self.tile[agents] != self.spot[agents])
        agents = agents[self.moving[agents]]
        if not len(agents):
            return
        here, doors = self.tile[agents], self._doors_of(agents)
        (x, y), (to_x, to_y) = self.map.xy(here), self.map.xy(self.spot[agents])
        across, along = np.sign(to_x - x), np.sign(to_y - y) * self.map.stride
        wide = np.abs(to_x - x) >= np.abs(to_y - y)
        onto = here
        for step in (np.where(wide, along, across), np.where(wide, across, along)):  # the longer way comes last, and counts
            tile = here + step
            free = self.map.walkable[tile] & (self.map.arena[tile] == self.map.arena[here])
            onto = np.where((step != 0) & free & self.ways.there(tile, self.target[agents], doors), tile, onto)
        self.tile[agents] = onto
        self.settle[agents] = np.where(onto == here, 0, self.settle[agents] - 1)

    def _learn(self, agents: AgentIds) -> None:
        """The room one is in, what it is part of, and its objects in sight become known."""
        if not len(agents):
            return
        tiles = self.tile[agents]
        arenas = self.map.arena[tiles]
        rows, things = self.map.seen_from(tiles, self.rules.vision)
        who = np.concatenate([agents, agents, agents[rows]])
        places = np.concatenate([arenas, self.map.parents[arenas], things])
        np.bitwise_or.at(self.seen_places, (who, places >> 3), (128 >> (places & 7)).astype(np.uint8))

    def _look(self, agents: AgentIds) -> None:
        """What each one notices now and has not noticed among its last ``retention`` events is fresh."""
        lookers = agents[~self.asleep[agents]]
        if not len(lookers) or not self._stirred:
            return  # nothing has changed since a look at which nobody found anything new
        seen = in_sight(self._points(lookers), self._subjects(agents), self.rules.vision, self.rules.attention)
        codes = np.where(seen >= 0, seen * CODE + self._number_of(seen, lookers), NOBODY)
        new = (codes >= 0) & ~(codes[:, :, None] == self.noticed[lookers][:, None, :]).any(axis=2)
        stirred = new.any(axis=1)
        self._stirred = bool(stirred.any())
        if not self._stirred:
            return
        lookers, codes, new = lookers[stirred], codes[stirred], new[stirred]
        order = np.argsort(~new, axis=1, kind="stable")  # fresh ones first, nearest first
        fresh = np.where(np.take_along_axis(new, order, 1), np.take_along_axis(codes, order, 1), NOBODY)
        self.fresh[lookers] = fresh
        ring = np.concatenate([fresh, self.noticed[lookers]], axis=1)
        kept = np.argsort(ring < 0, axis=1, kind="stable")[:, : self.rules.retention]
        self.noticed[lookers] = np.take_along_axis(ring, kept, 1)

    def _points(self, agents: AgentIds) -> Points:
        x, y = self.map.xy(self.tile[agents])
        return Points(x, y, self.group_of(agents) * len(self.map) + self.map.arena[self.tile[agents]], agents)

    def _subjects(self, agents: AgentIds) -> Points:
        """People who do something, and objects that are like something."""
        people = self._points(agents[self.number[agents] > 0])
        groups, at = np.nonzero(self.changes)
        if not len(at):
            return people
        tiles = self.map.middle[at]
        x, y = self.map.xy(tiles)
        rooms = groups * len(self.map) + self.map.arena[tiles]
        parts = zip((people.x, people.y, people.room, people.codes), (x, y, rooms, THINGS + at), strict=True)
        return Points(*(np.concatenate(pair) for pair in parts))

    def _number_of(self, subjects: Ints, lookers: AgentIds) -> Ints:
        """The number of each subject's activity or state."""
        people = len(self.world.population)
        numbers = self.number[np.clip(subjects, 0, people - 1)]
        if not len(self.map.objects):
            return numbers
        things = np.clip(subjects - THINGS, 0, len(self.map.objects) - 1)
        return np.where(subjects >= THINGS, self.changes[self.group_of(lookers)[:, None], things], numbers)

    def _talking(self, agents: Ints) -> Bools:
        """Who is in a talk, or busy with one that has been played to its end; -1 is nobody."""
        talking = (agents >= 0) & self.busy[agents]
        if self.chats is not None and self.chats.of:
            talking |= np.isin(agents, np.fromiter(self.chats.of, np.int64))
        return talking

    def _shut_now(self, groups: Groups) -> Bools:
        hour = self.world.clock.time % DAY / HOUR
        shut = np.zeros((len(groups), len(self.map.doors)), np.bool_)
        for at, door in enumerate(self.map.doors.tolist()):
            hours = self.rules.doors.get(self.map.places.names[door])
            shut[:, at] = hours is not None and not hours[0] <= hour < hours[1]
        return np.where(self.held[groups] == 0, shut, self.held[groups] == 2)


def places_of(bits: NDArray[np.uint8], places: int) -> Bools:
    """Which places are seen, (..., places), from their bits."""
    return np.unpackbits(bits, axis=-1, count=places).view(np.bool_)
