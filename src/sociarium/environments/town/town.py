"""A town: people who walk between places, do things at them, notice one another, and meet to talk.

As in Generative Agents (Park et al., arXiv 2304.03442). One tick is a step of ten seconds, in which everybody on the way walks a tile.
Only those are asked what to do whose activity is over or who notice something new; everybody else goes on, so a day of 8,640 steps
costs little. All is columns: ten thousand residents walk, look and notice in a few array operations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.columnar import first_rows
from sociarium.environments.town.body import CODE, NOBODY, THINGS, Body
from sociarium.environments.town.map import Level
from sociarium.environments.town.words import described
from sociarium.kernel.actions import Actions, ActionSpec, ActionTable, Integer, Text, action, bounded, operation
from sociarium.kernel.content import Content
from sociarium.kernel.environment import AgentIds, Events, News, Outcome
from sociarium.kernel.errors import UsageError
from sociarium.kernel.turn import Lanes, Observations, Phase, Turn, TurnKind
from sociarium.kernel.units import DAY, HOUR, MINUTE, SECOND

Array = NDArray[Any]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

LONGEST = 300  # characters of an activity


class Town(Body):
    """One map, and as many towns on it as there are groups. The population's ``home`` column (a place's number) says where one begins.

    ``chats``: where talks take place; give it to the simulation too, and a phase that it leads after the town's own.
    """

    name: ClassVar[str] = "town"

    @cached_property
    def _specs(self) -> tuple[ActionSpec, ...]:
        places = {"do", "sleep"}
        return tuple(bounded(s, "place", high=len(self.map) - 1) if s.name in places else s for s in super().actions())

    def actions(self) -> tuple[ActionSpec, ...]:
        return self._specs

    def turn(self, phase: Phase, lanes: Lanes) -> Turn | None:
        """Those whose activity is over, and those who are awake and notice something new, once a tick. In an inner phase everybody: so
        feelings, needs or beliefs can be added to residents, every so often."""
        if lanes.played.any():
            return None
        agents, of = lanes.agents, lanes.lane_of()
        if phase.kind == TurnKind.INNER:
            return lanes.turn(agents, of) if len(agents) else None
        due = self._due(agents)
        return lanes.turn(agents[due], of[due]) if due.any() else None

    def _due(self, agents: AgentIds) -> Bools:
        over = self.until[agents] <= self.world.clock.time
        stirred = ~self.asleep[agents] & (self.fresh[agents, 0] != NOBODY)
        return (over | stirred) & ~self._talking(agents)

    def observe(self, turn: Turn) -> Mapping[str, Array]:
        """x, y, place (the deepest it stands in), target, over (its activity is), minutes_left, asleep, activity; known: the places it has
        seen, a bit each (``body.places_of``); others, others_activity and others_talk: whom it newly notices, (rows, attention), -1 where
        nobody; things and things_state the same of objects."""
        agents = turn.agents
        x, y = self.map.xy(self.tile[agents])
        fresh = self.fresh[agents]
        subject = np.where(fresh >= 0, fresh // CODE, NOBODY)
        people = subject < THINGS
        others = np.where((fresh >= 0) & people, subject, NOBODY)
        things = np.where((fresh >= 0) & ~people, subject - THINGS, NOBODY)
        groups = self.group_of(agents)
        return {
            "x": x,
            "y": y,
            "place": self.standing(agents),
            "target": self.target[agents],
            "over": self.until[agents] <= turn.time,
            "minutes_left": np.maximum(0, self.until[agents] - turn.time) // MINUTE,
            "asleep": self.asleep[agents],
            "activity": self.activity[agents],
            "others": others,
            "others_activity": np.where(others >= 0, self.activity[others], ""),
            "others_talk": self._talking(others),
            "things": np.where(things >= 0, self.map.objects[things], NOBODY) if len(self.map.objects) else things,
            "things_state": np.where(things >= 0, self.state_of[groups[:, None], things], "")
            if len(self.map.objects)
            else things.astype(str),
            "known": self.seen_places[agents],
        }

    def apply(self, turn: Turn, seen: Observations, actions: Actions) -> Outcome:
        """Who lies down in a step is asleep before anybody can speak to them: talks begin last, in whatever order minds put the tables."""
        outcome, tables = Outcome(), actions.of(self.name)
        for name in sorted(tables, key=lambda name: name == "talk"):
            outcome.add(getattr(self, name)(turn, seen, tables[name]))
        return outcome

    def describe(self, seen: Observations, row: int) -> Content:
        return described(self.wording, self.map, self.world.population, seen, row, self.name)

    @action(
        "Go to a place and do something there.",
        place=Integer(0, doc="the number of the place"),
        activity=Text(longest=LONGEST, doc="what you do, in a few words"),
        minutes=Integer(1, 1440, unit="minutes", doc="for how long"),
        state=Text(longest=LONGEST, doc="what an object there is then like; empty where it stays as it is"),
    )
    def do(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        return self._begin("do", turn, table, asleep=False)

    @action(
        "Sleep at a place.", place=Integer(0, doc="the number of the place"), minutes=Integer(1, 1440, unit="minutes", doc="for how long")
    )
    def sleep(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        words = {"activity": np.full(len(table), "sleeping", object), "state": np.full(len(table), "", object)}
        return self._begin("sleep", turn, ActionTable(table.agents, {**table.columns, **words}), asleep=True)

    @action("Go on with what you are doing.")
    def carry_on(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        """What is over goes on for a minute."""
        over = table.agents[self.until[table.agents] <= turn.time]
        self.until[over] = turn.time + MINUTE
        return Outcome()

    @action("Wait where you are.", minutes=Integer(1, 1440, unit="minutes", doc="for how long"))
    def wait(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        table = table.where(first_rows(table.agents))
        self.moving[table.agents] = False
        self._set(table.agents, np.full(len(table), "waiting", object), turn.time + table["minutes"] * MINUTE, asleep=False)
        return Outcome([Events("waited", table.agents, {"minutes": table["minutes"]}, "own")])

    @action(
        "Begin to talk with someone you see.", to=Integer(0, doc="the number of the person"), about=Text(longest=LONGEST, doc="about what")
    )
    def talk(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        """First come in the order of agents: whoever is addressed already does not begin another talk."""
        outcome = Outcome()
        if self.chats is None:
            return outcome.refuse(f"{self.name}.talk", table.agents, "there is no talking in this town")
        met: list[tuple[int, int]] = []
        for agent, to, about in zip(table.agents.tolist(), table["to"].tolist(), table["about"].tolist(), strict=True):
            reason = self._hindrance(agent, to, turn.time)
            if reason:
                outcome.refuse(f"{self.name}.talk", agent, reason)
                continue
            if to in self.chats.of:
                if not self.chats.join(agent, to):
                    outcome.refuse(f"{self.name}.talk", agent, "they are talking already, and there is no room in that talk")
                    continue
            else:
                self.chats.open([agent, to], about)
            met.append((agent, to))
        if met:
            who, whom = np.array(met, np.int64).T
            groups = self.group_of(who)
            outcome.events.append(Events("met", who, {"other": whom}, "some", [np.sort(pair) for pair in np.array(met)], groups, groups))
        return outcome

    @operation("Set what an object is like, in one town or in all; where that is an alarm, those in sight of it break off their talks.")
    def set_state(self, place: str, state: str, group: int | None = None, alarm: bool = False) -> Outcome:
        row = self.map.find(place)
        if self.map.levels[row] != Level.OBJECT:
            raise UsageError(f"{place!r} is no object, so it has no state")
        groups = np.arange(self.world.groups) if group is None else np.array([group])
        if alarm and self.chats is not None:
            self.chats.interrupt(self.witnesses(groups, row).tolist())
        return self._changed(groups, np.full(len(groups), row), np.full(len(groups), state, object), np.full(len(groups), -1))

    @operation("Let somebody hear an inner voice, which nobody else hears and which is remembered as a thought.")
    def whisper(self, agent: int, text: str) -> Outcome:
        if agent not in self.world.awake():
            raise UsageError(f"whisper: there is no agent {agent} in this town")
        if not text.strip() or len(text) > LONGEST:
            raise UsageError(f"whisper: an inner voice says 1 to {LONGEST} characters")
        return Outcome([Events("whispered", np.array([agent]), {"text": np.array([text], object)}, "own")])

    @operation("Hold a door open or shut, or let it follow its hours again.")
    def set_door(self, place: str, to: str, group: int | None = None) -> Outcome:
        row, ways = self.map.find(place), ("free", "open", "shut")
        if row not in self.map.doors or to not in ways:
            raise UsageError(f"set_door takes a door and one of {', '.join(ways)}, not {place!r} and {to!r}")
        groups = np.arange(self.world.groups) if group is None else np.array([group])
        self.held[groups, np.searchsorted(self.map.doors, row)] = ways.index(to)
        self.shut[groups] = self._shut_now(groups)
        return Outcome()

    def notice(self, events: Sequence[News]) -> None:
        """A talk has ended: both know one another, and are busy for as long as it took."""
        for news in events:
            if self.chats is None or news.kind != f"{self.chats.name}.ended":
                continue
            self.meetings.met(news.actors, news.data["other"], news.time)
            self.until[news.actors] = news.time + news.data["minutes"] * MINUTE
            self.busy[news.actors] = True

    def measures(self) -> Mapping[str, Array]:
        """asleep, walking: shares of those present; density: share of pairs that have talked; talks: how many talks there were."""
        agents = self.world.awake()
        groups = self.group_of(agents)
        size = np.bincount(groups, minlength=self.world.groups)
        shares = {"asleep": self.asleep[agents], "walking": self.moving[agents]}
        with np.errstate(invalid="ignore", divide="ignore"):
            found = {name: np.bincount(groups, flags, self.world.groups) / size for name, flags in shares.items()}
            pairs, talks = self.meetings.counts(self.group_of, self.world.groups)
            return {**found, "density": 2.0 * pairs / (size * (size - 1.0)), "talks": talks.astype(np.float64)}

    def _begin(self, name: str, turn: Turn, table: ActionTable, *, asleep: bool) -> Outcome:
        outcome = Outcome()
        first = first_rows(table.agents)
        if not first.all():
            outcome.refuse(f"{self.name}.{name}", table.agents[~first], "one thing at a time")
            table = table.where(first)
        unreached = self._unreached(table.agents, table["place"])
        if unreached.any():
            outcome.refuse(f"{self.name}.{name}", table.agents[unreached], "there is no way there now")
            table = table.where(~unreached)
        full = self._full(table.agents, table["place"])
        if full.any():
            outcome.refuse(f"{self.name}.{name}", table.agents[full], "it is in use by as many as it is for")
            table = table.where(~full)
        if not len(table):
            return outcome
        agents, until = table.agents, turn.time + table["minutes"] * MINUTE
        changed = (self.target[agents] != table["place"]) | (self.activity[agents] != table["activity"])
        self.target[agents] = table["place"]
        rooms = self.map.levels[table["place"]] != Level.OBJECT
        starts, tiles = self.map.spots
        drawn = turn.random("spot").integers(starts[table["place"]], starts[table["place"] + 1] - 1, agents)
        self.settle[agents[changed]] = np.where(rooms, self.rules.wander, 0)[changed]
        self.spot[agents[changed]] = tiles[drawn[changed]]
        self.moving[agents] |= changed
        self._set(agents, table["activity"], until, asleep=asleep)
        data = {"place": table["place"], "activity": table["activity"], "minutes": table["minutes"]}
        outcome.events.append(Events("began", agents, data, "own"))
        said = (table["state"] != "") & ~rooms
        if said.any():
            outcome.add(self._changed(self.group_of(agents[said]), table["place"][said], table["state"][said], agents[said]))
        return outcome

    def _hindrance(self, agent: int, to: int, time: int) -> str:
        """Why two cannot begin to talk; empty where they can."""
        population = self.world.population
        if agent == to or not 0 <= to < len(population) or to not in self.world.awake():
            return "there is nobody of that number to talk with"
        if self.group_of(np.array([agent]))[0] != self.group_of(np.array([to]))[0] or not self._sees(agent, to):
            return "they are not in sight"
        if self.asleep[to] or self.asleep[agent]:
            return "they are asleep" if self.asleep[to] else "you are asleep"
        if self.chats is not None and agent in self.chats.of:
            return "you are in a talk already"
        if self.busy[to]:
            return "they are busy with a talk that has just ended"
        if int(time % DAY // HOUR) in self.rules.quiet:
            return "it is too late for a talk"
        if self.meetings.since(agent, to, time) < self.rules.cooldown * SECOND:
            return "you have talked with them only lately"
        return ""

    def _sees(self, agent: int, to: int) -> bool:
        tiles = self.tile[np.array([agent, to])]
        x, y = self.map.xy(tiles)
        near = max(abs(int(x[0] - x[1])), abs(int(y[0] - y[1]))) <= self.rules.vision
        return near and self.map.arena[tiles[0]] == self.map.arena[tiles[1]]
