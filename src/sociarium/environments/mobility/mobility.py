"""People who go between the places of a city, and stay at them for a while. Trips take time; where one goes falls with distance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.columnar import Cells, ColumnarEnvironment, first_rows, names_of
from sociarium.environments.mobility.city import City, durations, names
from sociarium.environments.mobility.gravity import GravityRules, destinations
from sociarium.environments.wording import Wording
from sociarium.kernel.actions import ActionSpec, ActionTable, Choice, Integer, Text, action, bounded, operation
from sociarium.kernel.content import Block, Content
from sociarium.kernel.environment import AgentIds, Events, Groups, Outcome
from sociarium.kernel.errors import UsageError
from sociarium.kernel.turn import Lanes, Observations, Phase, Turn
from sociarium.kernel.units import MINUTE, clock
from sociarium.kernel.world import World

Array = NDArray[Any]
Ints = NDArray[np.int64]


ORDER = ("told", "order", "order_where", "order_minutes")


@dataclass(frozen=True, slots=True)
class MobilityRules:
    """``speed``: km/h; ``detour``: how much longer ways are than the straight line; ``gravity``: how a place is chosen."""

    speed: float = 25.0
    detour: float = 1.3
    gravity: GravityRules = field(default_factory=GravityRules)

    def __post_init__(self) -> None:
        if not self.speed > 0 or not self.detour >= 1:
            raise UsageError(f"MobilityRules: speed is {self.speed} and detour {self.detour}; above 0 km/h, and 1 or more")


@dataclass(frozen=True, slots=True)
class MobilityWording(Wording):
    """How the city is shown to one who decides."""

    PLACES: ClassVar[Mapping[str, frozenset[str]]] = {
        "here": frozenset({"name", "clock", "place", "kind"}),
        "doing": frozenset({"name", "activity", "left"}),
        "warning": frozenset({"warning"}),
    }

    here: str = "It is $clock. $name is at $kind (place $place)."
    doing: str = "$name is busy: $activity, for another $left minutes."
    warning: str = "Everybody has been told: $warning"


class Mobility(ColumnarEnvironment):
    """One city, and as many populations in it as there are groups. The columns ``home`` and ``work`` of the population number places
    (work may be -1); one begins at home."""

    name: ClassVar[str] = "mobility"

    place: Ints  # where each is, or is on the way to, (agents,)
    arrives: Ints  # microseconds; in the past for who is there, (agents,)
    until: Ints  # when what it does is over, microseconds, (agents,)
    activity: Array  # (agents,) of str
    told: Ints  # how often an operator has told each what to do, (agents,)
    order: Array  # the last of it: what, where and for how long, (agents,) of str, str and minutes
    order_where: Array
    order_minutes: Ints
    trips: Ints  # trips begun in this tick, (groups,)
    outings: Ints  # of these, to anywhere but home, (groups,)
    counted: Ints  # both of the last tick that ended, (groups, 2)
    warning: Array  # what everybody has been told, (groups,) of str

    def __init__(self, city: City, rules: MobilityRules | None = None, wording: MobilityWording | None = None) -> None:
        self.city = city
        self.rules = rules or MobilityRules()
        self.wording = wording or MobilityWording()
        self.group_cells = {
            "trips": Cells(np.int64),
            "outings": Cells(np.int64),
            "counted": Cells(np.int64, 0, (2,)),
            "warning": Cells(object, ""),
        }
        self.agent_cells = {
            "place": Cells(np.int64, -1),
            "arrives": Cells(np.int64),
            "until": Cells(np.int64),
            "activity": Cells(object, ""),
            "told": Cells(np.int64),
            "order": Cells(object, ""),
            "order_where": Cells(object, ""),
            "order_minutes": Cells(np.int64),
        }

    def reset(self, world: World, groups: Groups) -> None:
        super().reset(world, groups)
        self._place(self.agents_of(groups))

    def admit(self, agents: AgentIds) -> None:
        super().admit(agents)
        self._place(agents)

    @cached_property
    def _specs(self) -> tuple[ActionSpec, ...]:
        specs = super().actions()
        specs = tuple(bounded(s, "place", high=len(self.city) - 1) if s.name == "go" else s for s in specs)
        return tuple(bounded(s, "kind", options=self.city.kinds) if s.name == "visit" else s for s in specs)

    def actions(self) -> tuple[ActionSpec, ...]:
        return self._specs

    def turn(self, phase: Phase, lanes: Lanes) -> Turn | None:
        """Everyone who is not on the way, once a tick: also who is busy, for something may come between."""
        if lanes.played.any():
            return None
        agents, of = lanes.agents, lanes.lane_of()
        there = self.arrives[agents] <= self.world.clock.time
        return lanes.turn(agents[there], of[there]) if there.any() else None

    def observe(self, turn: Turn) -> Mapping[str, Array]:
        """place, kind (its category), home and work (place numbers), activity, left (minutes that it still takes), travelling, warning;
        told, order, order_where and order_minutes: how often an operator has told each what to do, and the last of it."""
        agents = turn.agents
        return {
            "place": self.place[agents],
            "kind": names(self.city.kinds, self.city.kind[self.place[agents]]),
            "home": self.column(agents, "home"),
            "work": self.column(agents, "work"),
            "activity": self.activity[agents],
            "left": -((np.minimum(0, turn.time - self.until[agents])) // MINUTE),
            "travelling": self.arrives[agents] > turn.time,
            "warning": self.warning[self.group_of(agents)],
            **{name: getattr(self, name)[agents] for name in ORDER},
        }

    def describe(self, seen: Observations, row: int) -> Content:
        columns = seen[self.name]
        name = names_of(self.world.population, seen.turn.agents[row : row + 1])[0]
        words = [self.wording.say("here", name=name, clock=clock(seen.turn.time), place=columns["place"][row], kind=columns["kind"][row])]
        if columns["activity"][row] and columns["left"][row] > 0:
            words.append(self.wording.say("doing", name=name, activity=columns["activity"][row], left=columns["left"][row]))
        if columns["warning"][row]:
            words.append(self.wording.say("warning", warning=columns["warning"][row]))
        return tuple(Block(text, origin=self.name) for text in words if text)

    @action("Go to a place.", place=Integer(0, doc="the number of the place"))
    def go(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        """Who is there already goes on from there, without a trip."""
        table = table.where(first_rows(table.agents))
        return self._leave(table.agents, table["place"], turn.time)

    @action("Go to a place of some category, mostly a near one.", kind=Choice(doc="the category", options=("any",)))
    def visit(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        """Which of them is chosen by gravity, never the place where one is."""
        table = table.where(first_rows(table.agents))
        outcome = Outcome()
        for kind in sorted(set(table["kind"].tolist())):
            agents, places = table.agents[table["kind"] == kind], self.city.of(kind)
            here = self.place[agents]
            barred = np.where(self.city.kind[here] == self.city.kinds.index(kind), np.searchsorted(places, here), -1)
            random = turn.random("gravity").at(kind)
            found = destinations(self.city.at[here], self.city.at[places], random, agents, self.rules.gravity, barred=barred)
            if (found < 0).any():
                outcome.refuse(f"{self.name}.visit", agents[found < 0], f"there is no other place of category {kind} in reach")
            outcome.add(self._leave(agents[found >= 0], places[found[found >= 0]], turn.time))
        return outcome

    @action("Stay where you are and do something.", activity=Text(longest=200, doc="what"), minutes=Integer(1, 1440, unit="minutes"))
    def stay(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        table = table.where(first_rows(table.agents))
        self.activity[table.agents] = table["activity"]
        self.until[table.agents] = turn.time + table["minutes"] * MINUTE
        return Outcome([Events("stayed", table.agents, {"place": self.place[table.agents], **table.columns}, "own")])

    @operation("Tell everybody something, such as a warning of bad weather; an empty text takes it back.")
    def warn(self, text: str, group: int | None = None) -> Outcome:
        self.warning[slice(None) if group is None else group] = text
        return Outcome()

    @operation("Tell some agents what to do: where to go (home, work, a category of places; empty: nowhere), what to do there, how long.")
    def instruct(self, agents: Sequence[int], text: str, where: str = "", minutes: int = 60) -> Outcome:
        """What they make of it is their minds' business: where needs rule (``minds.needs``), an instruction outranks them all."""
        told, known = np.asarray(agents, np.int64), ("", "home", "work", *self.city.kinds)
        if not len(told) or told.min() < 0 or told.max() >= len(self.world.population):
            raise UsageError(f"instruct: give one agent or more, numbered 0 to {len(self.world.population) - 1}")
        if where not in known or not 1 <= minutes <= 1440 or not 1 <= len(text.strip()) <= 200:
            raise UsageError(f"instruct: where is one of {', '.join(known[1:])} or empty, minutes 1 to 1440, text 1 to 200 characters")
        told = np.unique(told)
        self.told[told] += 1
        self.order[told], self.order_where[told], self.order_minutes[told] = text.strip(), where, minutes
        data = {"text": self.order[told], "where": self.order_where[told], "minutes": self.order_minutes[told]}
        return Outcome([Events("instructed", told, data, "own")])

    def advance(self, to: int) -> Outcome | None:
        """Trips are counted anew; those on the way arrive by their time."""
        self.counted[:] = np.stack([self.trips, self.outings], axis=1)
        self.trips[:] = 0
        self.outings[:] = 0
        return None

    def measures(self) -> Mapping[str, Array]:
        """trips and outings (to anywhere but home): how many began in the tick; travelling and away from home: shares of those present."""
        agents = self.world.awake()
        groups, size = self.group_of(agents), self.world.groups
        count = np.bincount(groups, minlength=size)
        now = self.world.clock.time
        flags = {"travelling": self.arrives[agents] > now, "away": self.place[agents] != self.column(agents, "home")}
        with np.errstate(invalid="ignore", divide="ignore"):
            shares = {name: np.bincount(groups, values, size) / count for name, values in flags.items()}
        return {"trips": self.counted[:, 0], "outings": self.counted[:, 1], **shares}

    def column(self, agents: AgentIds, name: str) -> Ints:
        """A place each, by the population's column of this name; -1 for kinds without it."""
        population = self.world.population
        if len(population.tables) == 1 and name in (table := next(iter(population))):
            return table[name][agents]
        out = np.full(len(agents), -1, np.int64)
        for kind, table in population.tables.items():
            mine = np.isin(agents, population.ids(kind, present=False)) if name in table else np.zeros(len(agents), np.bool_)
            if mine.any():
                out[mine] = population.get(agents[mine], name)
        return out

    def _place(self, agents: AgentIds) -> None:
        homes = self.column(agents, "home")
        wrong = homes[(homes < -1) | (homes >= len(self.city))]
        if len(wrong):
            raise UsageError(f"an agent's home is place {wrong[0]}; the city has places 0 to {len(self.city) - 1}")
        self.place[agents] = np.maximum(homes, 0)
        self.arrives[agents] = self.until[agents] = self.world.clock.time

    def _leave(self, agents: AgentIds, places: Ints, time: int) -> Outcome:
        going = self.place[agents] != places
        agents, places = agents[going], places[going]
        here = self.place[agents]
        minutes = durations(self.city.at[here], self.city.at[places], speed=self.rules.speed, detour=self.rules.detour)
        self.place[agents], self.activity[agents] = places, ""
        self.arrives[agents] = self.until[agents] = time + minutes * MINUTE
        outward = places != self.column(agents, "home")
        groups = self.group_of(agents)
        self.trips += np.bincount(groups, minlength=self.world.groups)
        self.outings += np.bincount(groups[outward], minlength=self.world.groups)
        return Outcome([Events("left", agents, {"from": here, "to": places, "minutes": minutes, "outward": outward}, "own")])
