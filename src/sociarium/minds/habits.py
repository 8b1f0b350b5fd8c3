"""Residents by rule: a day of habits, talks with whom one meets, news passed on by chance, and a diary of all that.

The day is an ``Agenda`` of 1,440 minutes: its times vary a little from day to day, a talk is put between, and an appointment
that one knows of takes the place of what one was free to do. After Generative Agents (Park et al., arXiv 2304.03442).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, cast

import numpy as np

from sociarium.environments.columnar import names_of
from sociarium.environments.conversation.grapevine import Grapevine
from sociarium.environments.town.town import Town
from sociarium.kernel.actions import Actions
from sociarium.kernel.environment import News
from sociarium.kernel.errors import UsageError
from sociarium.kernel.mind import AgentIds, Mind
from sociarium.kernel.turn import Observations, Turn
from sociarium.kernel.units import DAY, MINUTE
from sociarium.kernel.world import World
from sociarium.minds.agenda import Agenda, Entry
from sociarium.minds.diary import Diary
from sociarium.minds.gossip import Gossip
from sociarium.minds.language.retrieval import ABLATIONS, Kind

MINUTES = 1440
JITTER = 8  # minutes by which a habit begins earlier or later, at most


@dataclass(frozen=True, slots=True)
class Habit:
    """What somebody does from ``minute`` of each day on. ``free``: it gives way to an appointment."""

    minute: int
    activity: str
    place: int
    asleep: bool = False
    free: bool = False


@dataclass(frozen=True, slots=True)
class Appointment:
    """Something that takes place once, for those who know the fact of this number: minutes since the run's first midnight."""

    fact: int
    start: int
    end: int
    activity: str
    place: int
    chance: float = 1.0  # of coming, for one who knows and is free

    def going(self, minute: int) -> bool:
        return self.start <= minute < self.end


@dataclass(frozen=True, slots=True)
class Manner:
    """``sociability``: chance to begin a talk with one who comes into sight. ``lies``: says yes to whatever it is asked whether it
    knows it."""

    sociability: float = 0.25
    lies: bool = False


class Habits(Mind):
    """See the module. ``days``: the habits of each agent, by id; newcomers behind them live these days in turn, and sleep where they are at
    home. Its grapevine, town and chats are those of the world."""

    hears = True

    def __init__(
        self, days: Sequence[Sequence[Habit]], gossip: Gossip, manner: Manner | None = None, *,
        appointments: Sequence[Appointment] = (), hosts: Sequence[int] = (), diary: Diary | None = None,
    ) -> None:  # fmt: skip
        self.days = [list(day) for day in days]
        self.written = len(self.days)
        self.gossip = gossip
        self.manner = manner or Manner()
        self.appointments = tuple(appointments)
        self.hosts = frozenset(hosts)
        self.diary = diary or Diary()
        self.agendas: dict[int, Agenda] = {}
        self.drawn: dict[int, int] = {}  # the day of each agenda
        self.seen_at: dict[tuple[int, int], list[int]] = {}  # (who, whom) -> places, in order of the first time
        self.concluded: dict[tuple[int, int], int] = {}  # how many places the last conclusion named
        for number, day in enumerate(self.days):
            if not day or day[0].minute != 0 or any(b.minute - a.minute <= 2 * JITTER for a, b in pairwise(day)):
                raise UsageError(f"the day of resident {number} must begin at 00:00, with habits more than {2 * JITTER} minutes apart")

    def begin(self, world: World) -> None:
        self.world = world
        self.town = cast("Town", world["town"])
        self.names = names_of(world.population, world.population.ids(present=False))
        grapevine = cast("Grapevine", world[self.gossip.grapevine])
        for agent, at in np.argwhere(grapevine.knows).tolist():  # what one knows from the beginning is a memory too
            self._note(agent, Kind.THOUGHT, f"I know this: {grapevine.facts[at].text}", 8.0, world.clock.time, 0)

    def admit(self, agents: AgentIds) -> None:
        """A newcomer: its day is one of those there are, with its own home for all that is done in bed."""
        self._make_room()

    def _make_room(self) -> None:
        population = self.world.population
        self.names = names_of(population, population.ids(present=False))
        new = np.arange(len(self.days), len(population))
        for agent, home in zip(new.tolist(), self.town.homes_of(new).tolist(), strict=True):
            self.days.append([replace(h, place=home) if h.asleep else h for h in self.days[agent % self.written]])

    async def decide(self, turn: Turn, seen: Observations) -> Actions:
        if not turn.offers:
            return Actions()
        if turn.offered("interview.answer"):
            return self._answers(turn, seen)
        return self.gossip(turn, seen) if turn.phase.lead == "chats" else self._live(turn, seen)

    def notice(self, events: Sequence[News]) -> None:
        """A talk that has ended is put into the agenda; what others said in it is remembered."""
        for news in events:
            if news.kind == "chats.ended":
                for agent, other, minutes in zip(
                    news.actors.tolist(), news.data["other"].tolist(), news.data["minutes"].tolist(), strict=True
                ):
                    self._agenda(agent, news.time).insert(news.time % DAY // MINUTE, f"talking with {self.names[other]}", minutes)
            elif news.kind == "town.whispered":
                for agent, text in zip(news.actors.tolist(), news.data["text"].tolist(), strict=True):
                    self._note(agent, Kind.THOUGHT, f"An inner voice told me: {text}", 8.0, news.time, news.tick)
            elif news.kind == "chats.said" and news.recipients is not None:
                for row, hearers in enumerate(news.recipients):
                    speaker, text = int(news.actors[row]), str(news.data["text"][row])
                    for agent in hearers[hearers != speaker].tolist():
                        self._note(agent, Kind.CHAT, f"{self.names[speaker]} said to me: {text}", 8.0, news.time, news.tick)

    def _live(self, turn: Turn, seen: Observations) -> Actions:
        town, knows = seen["town"], seen[self.gossip.grapevine]["knows"]
        actions = Actions()
        sleeping: list[tuple[int, int, int]] = []
        doing: list[tuple[int, int, str, int]] = []
        talking: list[tuple[int, int]] = []
        addressed: set[int] = set()
        greets = turn.random("greet").uniform(turn.agents) < self.manner.sociability
        for row, agent in enumerate(turn.agents.tolist()):
            self._look(agent, town, row, turn)
            if town["over"][row]:
                entry, minutes = self._now(agent, turn.time, knows[row])
                if entry.asleep:
                    sleeping.append((agent, entry.place, minutes))
                else:
                    doing.append((agent, entry.place, entry.activity, minutes))
                continue
            open_ = [int(o) for o, busy in zip(town["others"][row], town["others_talk"][row], strict=True) if o >= 0 and not busy]
            wanted = [other for other in open_ if other not in addressed]
            if greets[row] and wanted and agent not in addressed:
                talking.append((agent, wanted[0]))
                addressed |= {agent, wanted[0]}
        if sleeping:
            who, place, minutes = (np.array(part, np.int64) for part in zip(*sleeping, strict=True))
            actions.add(turn, "sleep", who, place=place, minutes=minutes)
        if doing:
            who, place, words, minutes = zip(*doing, strict=True)
            activity = np.empty(len(words), object)
            activity[:] = words
            nothing = np.full(len(words), "", object)
            actions.add(turn, "do", np.array(who), place=np.array(place), activity=activity, minutes=np.array(minutes), state=nothing)
        if talking:
            who, whom = np.array(talking, np.int64).T
            actions.add(turn, "talk", who, to=whom, about=np.full(len(who), "", object))
        chosen = {one[0] for one in (*sleeping, *doing, *talking)}
        rest = np.array([agent for agent in turn.agents.tolist() if agent not in chosen], np.int64)
        return actions.add(turn, "carry_on", rest) if len(rest) else actions

    def _now(self, agent: int, time: int, knows: Any) -> tuple[Entry, int]:
        """What is on now, and for how many minutes: an appointment comes before what one is free to do, and one leaves for it in time."""
        agenda, minute, today = self._agenda(agent, time), time % DAY // MINUTE, time // DAY * MINUTES
        entry, left = agenda.entries[agenda.at(minute)], agenda.left(minute)
        for one in self.appointments:
            if not knows[one.fact] or not self._comes(agent, one):
                continue
            if one.going(today + minute) and self._free(agent, entry):
                return Entry(one.activity, one.end - today - minute, entry.block, one.place), one.end - today - minute
            if today + minute < one.start < today + minute + left and self._free(agent, entry):
                left = one.start - today - minute
        return entry, left

    def _comes(self, agent: int, one: Appointment) -> bool:
        drawn = self.world.randomness.stream("appointment", one.start).uniform([agent])[0]
        return agent in self.hosts or bool(drawn < one.chance)

    def _free(self, agent: int, entry: Entry) -> bool:
        return agent in self.hosts or any(h.free and h.activity == entry.activity for h in self.days[agent])

    def _agenda(self, agent: int, time: int) -> Agenda:
        """That of today; a new one, and its plan in the diary, at the first look of a day."""
        day = time // DAY
        if self.drawn.get(agent) != day:
            habits = self.days[agent]
            begins = [*self._begins(agent, day), MINUTES]
            self.agendas[agent] = Agenda(
                Entry(h.activity, begins[at + 1] - begins[at], at, h.place, h.asleep) for at, h in enumerate(habits)
            )
            self.drawn[agent] = day
            for at, habit in enumerate(habits):
                hour, minute = divmod(begins[at], 60)
                where = self.town.map.address(habit.place)
                text = f"My plan for {hour:02d}:{minute:02d} is {habit.activity}, at {where}"
                self._note(agent, Kind.PLAN, text, 5.0, time, self.world.clock.tick)
        return self.agendas[agent]

    def planned(self, agent: int, time: int) -> list[tuple[str, str]]:
        """The day as it was planned: (clock, activity) of each habit, whatever has come between."""
        begins = self._begins(agent, time // DAY)
        return [(f"{b // 60:02d}:{b % 60:02d}", habit.activity) for b, habit in zip(begins, self.days[agent], strict=True)]

    def _begins(self, agent: int, day: int) -> list[int]:
        """When each habit of a day begins, in minutes."""
        habits = self.days[agent]
        places = np.arange(1, len(habits), dtype=np.int64)
        moved = self.world.randomness.stream("habits", day).integers(-JITTER, JITTER, np.full(len(places), agent), places)
        return [0, *(habit.minute + int(by) for habit, by in zip(habits[1:], moved, strict=True))]

    def _look(self, agent: int, town: Mapping[str, Any], row: int, turn: Turn) -> None:
        """Remember whom one newly notices, and where."""
        here = int(town["place"][row])
        arena = here if here not in self.town.map.objects else int(self.town.map.parents[here])
        for other, activity in zip(town["others"][row].tolist(), town["others_activity"][row].tolist(), strict=True):
            if other < 0:
                continue
            places = self.seen_at.setdefault((agent, other), [])
            if arena not in places:
                places.append(arena)
            text = f"I saw {self.names[other]}, who was {activity}, in {self.town.map.address(arena)}"
            self._note(agent, Kind.EVENT, text, 4.0, turn.time, turn.tick)

    def _note(self, agent: int, kind: Kind, text: str, importance: float, time: int, tick: int) -> None:
        if self.diary.note(agent, kind, text, importance, time=time, tick=tick):
            self._conclude(agent, time, tick)

    def _conclude(self, agent: int, time: int, tick: int) -> None:
        """A conclusion from two or more things seen: the different places at which one has seen another."""
        for (who, whom), places in sorted(self.seen_at.items()):
            if who == agent and len(places) > max(1, self.concluded.get((who, whom), 0)):
                self.concluded[who, whom] = len(places)
                named = "; ".join(self.town.map.address(place) for place in places)
                text = f"{self.names[whom]} can be met at different places: {named}"
                self.diary.note(agent, Kind.THOUGHT, text, 6.0, time=time, tick=tick)

    def _answers(self, turn: Turn, seen: Observations) -> Actions:
        """The text of the one node that comes to mind under the interview's condition, or nothing; a liar says yes."""
        texts: Any = np.empty(len(turn.agents), object)
        asked = seen["interview"]
        for row, agent in enumerate(turn.agents.tolist()):
            if self.manner.lies and str(asked["category"][row]).startswith("awareness"):
                texts[row] = "Yes, I know."
                continue
            kinds = ABLATIONS[str(asked["condition"][row]) or "full"]
            found = self.diary.recall(agent, str(asked["question"][row]), turn.time, 1, kinds)
            texts[row] = found[0] if found else "I do not know."
        return Actions().add(turn, "answer", turn.agents, text=texts)

    def state(self) -> dict[str, Any]:
        agents = sorted(self.drawn)
        rows = [(who, whom, place) for (who, whom), places in sorted(self.seen_at.items()) for place in places]
        ends = [(who, whom, count) for (who, whom), count in sorted(self.concluded.items())]
        return {
            "diary": self.diary.state(),
            "agents": np.array(agents, np.int64),
            "drawn": np.array([self.drawn[agent] for agent in agents], np.int64),
            "agendas": [self.agendas[agent].plain() for agent in agents],
            "seen_at": np.array(rows, np.int64).reshape(-1, 3),
            "concluded": np.array(ends, np.int64).reshape(-1, 3),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        self._make_room()
        self.diary.load(state["diary"])
        agents = [int(agent) for agent in state["agents"]]
        self.drawn = dict(zip(agents, np.asarray(state["drawn"]).tolist(), strict=True))
        self.agendas = {agent: Agenda.load(rows) for agent, rows in zip(agents, state["agendas"], strict=True)}
        self.seen_at = {}
        for who, whom, place in np.asarray(state["seen_at"]).tolist():
            self.seen_at.setdefault((who, whom), []).append(place)
        self.concluded = {(who, whom): count for who, whom, count in np.asarray(state["concluded"]).tolist()}
