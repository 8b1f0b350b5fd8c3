"""Phases, lanes and turns: who moves when within one tick, and what a mind is given.

A lane is a set of agents that no other lane can touch within a phase: a conversation, a match, a table, a world of its own.
Whoever writes a simple environment never meets lanes: by default a group is a lane, and all who are awake move once, together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.actions import ActionSpec
from sociarium.kernel.content import Content
from sociarium.kernel.errors import UsageError
from sociarium.kernel.protocols import Address
from sociarium.kernel.randomness import Randomness, Stream

AgentIds = NDArray[np.int64]
Ints = NDArray[np.int64]
Array = NDArray[Any]

TURN_LIMIT = 100_000  # turns of one lane in one phase
MOST_LOOK_UPS = 64  # of one agent in one turn


class TurnKind(StrEnum):
    ACT = "act"
    INNER = "inner"  # nothing is offered: remember, reflect, plan
    PROBE = "probe"  # survey, interview: changes neither mind nor world, draws from its own streams


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of a tick. ``lead`` names the environment that orders the turns; ``shows`` names others that are seen and offered too.

    ``every`` and ``first``: in which ticks it comes. ``who``: kinds of agents that take part (all when empty). ``offers``: the
    actions on offer (``harvest`` or ``commons.harvest``); all of the lead and the shown when None.
    """

    name: str
    lead: str = "everyone"
    shows: tuple[str, ...] = ()
    every: int = 1
    first: int = 0
    who: tuple[str, ...] = ()
    offers: tuple[str, ...] | None = None
    kind: TurnKind = TurnKind.ACT

    def due(self, tick: int) -> bool:
        return tick >= self.first and (tick - self.first) % self.every == 0

    @property
    def environments(self) -> tuple[str, ...]:
        return (self.lead, *(name for name in self.shows if name != self.lead))


class Door(Protocol):
    """What reaches models, judges, people and tools: requests in, typed replies out, all of it journalled.

    ``drawn_at``: the address whose draw a sampled request takes, where it is not its own (a fork's origin).
    """

    async def ask(self, request: Any, address: Address, *, route: str = "default", drawn_at: Address | None = None) -> Any: ...

    async def ask_all(
        self, requests: Sequence[Any], address: Address, *, route: str = "default", drawn_at: Address | None = None
    ) -> list[Any]: ...


class ForkedDoor:
    """A fork's way to the door: its replies have addresses of their own, and the draws of the run it was forked from."""

    def __init__(self, door: Door, name: str) -> None:
        self.door, self.name = door, name

    async def ask(self, request: Any, address: Address, *, route: str = "default", drawn_at: Address | None = None) -> Any:
        return await self.door.ask(request, self._moved(address), route=route, drawn_at=drawn_at or address)

    async def ask_all(
        self, requests: Sequence[Any], address: Address, *, route: str = "default", drawn_at: Address | None = None
    ) -> list[Any]:
        return await self.door.ask_all(requests, self._moved(address), route=route, drawn_at=drawn_at or address)

    def _moved(self, address: Address) -> Address:
        return replace(address, phase=f"{self.name}/{address.phase}")


@dataclass(frozen=True, slots=True)
class Moment:
    """What all turns of one phase share."""

    tick: int
    time: int  # microseconds
    phase: Phase
    randomness: Randomness
    offers: tuple[ActionSpec, ...]
    door: Door | None = None
    answer: Callable[[Phase, int, str, Mapping[str, Any]], Content] | None = None  # queries, from the world as the turn began
    looked: dict[tuple[int, int], int] = field(default_factory=dict[tuple[int, int], int])  # (agent, turn) -> look-ups so far


@dataclass(frozen=True, slots=True)
class Turn:
    """Agents that decide at once, on one observation. ``number`` counts the turns of a lane within its phase, from 0."""

    moment: Moment
    agents: AgentIds
    lanes: Ints  # the lane of each agent
    number: int
    offers: tuple[ActionSpec, ...]
    kind: TurnKind = TurnKind.ACT

    @property
    def tick(self) -> int:
        return self.moment.tick

    @property
    def time(self) -> int:
        return self.moment.time

    @property
    def phase(self) -> Phase:
        return self.moment.phase

    def random(self, name: str) -> Stream:
        """The stream of this name in this turn. Rows must tell lanes apart (an agent, a group or an edge does)."""
        return self.moment.randomness.stream(name, self.tick, self.phase.name, self.number)

    def offer(self, name: str) -> ActionSpec:
        for spec in self.offers:
            if name in (spec.full, spec.name):
                return spec
        offered = ", ".join(spec.full for spec in self.offers) or "nothing"
        raise UsageError(f"action {name!r} is not on offer in phase {self.phase.name!r}; on offer: {offered}")

    def offered(self, name: str) -> bool:
        return any(name in (spec.full, spec.name) for spec in self.offers)

    def part(self, mask: NDArray[np.bool_]) -> Turn:
        """The same turn for some of its agents."""
        return replace(self, agents=self.agents[mask], lanes=self.lanes[mask])

    def address(self, row: int, label: str, *, asker: str | None = None) -> Address:
        """The address of a question that the agent in this row asks."""
        who = f"agent:{int(self.agents[row])}" if asker is None else asker
        return Address(self.tick, self.phase.name, int(self.lanes[row]), self.number, who, label)

    async def ask(
        self, row: int, request: Any, label: str, *, route: str = "default", asker: str | None = None, drawn_at: Address | None = None
    ) -> Any:
        """Ask a model on behalf of the agent in this row. One label, one question a turn. ``drawn_at``: the address whose draw a sampled
        reply takes, where equal questions are to have one answer wherever they are asked (by default each is a draw of its own)."""
        return await self._door().ask(request, self.address(row, label, asker=asker), route=route, drawn_at=drawn_at)

    async def ask_all(
        self,
        row: int,
        requests: Sequence[Any],
        label: str,
        *,
        route: str = "default",
        asker: str | None = None,
        drawn_at: Address | None = None,
    ) -> list[Any]:
        """Several questions at once, numbered as one list."""
        return await self._door().ask_all(requests, self.address(row, label, asker=asker), route=route, drawn_at=drawn_at)

    def look_up(self, row: int, query: str, **arguments: Any) -> Content:
        """What the agent in this row looks up: ``search`` or ``platform.search``, with the query's arguments. Changes nothing.

        Raises UsageError for a query that no environment of the phase has, wrong arguments, or more than ``MOST_LOOK_UPS`` a turn.
        """
        agent = int(self.agents[row])
        count = self.moment.looked[agent, self.number] = self.moment.looked.get((agent, self.number), 0) + 1
        if count > MOST_LOOK_UPS:
            raise UsageError(f"agent {agent} looked up more than {MOST_LOOK_UPS} things in one turn; end its loop earlier")
        if self.moment.answer is None:
            raise UsageError("this turn was made outside a simulation: there is no world to look things up in")
        return self.moment.answer(self.phase, agent, query, arguments)

    def _door(self) -> Door:
        if self.moment.door is None:
            raise UsageError("this simulation has no model service: give Simulation(door=...), or --model on the command line")
        return self.moment.door


@dataclass(slots=True)
class Lanes:
    """The lanes of a phase: agents sorted by lane, then id. ``played`` counts the turns of each lane so far."""

    moment: Moment
    ids: Ints  # (lanes,)
    starts: Ints  # (lanes + 1,): agents[starts[i]:starts[i + 1]] are in lane ids[i]
    agents: AgentIds
    played: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    each: Ints | None = None  # the lane of each agent, where it is known already

    @classmethod
    def by(cls, moment: Moment, agents: AgentIds, lane_of: Ints) -> Lanes:
        """Lanes from one lane number an agent."""
        if len(agents) == 0:
            empty = np.empty(0, np.int64)
            return cls(moment, empty, np.zeros(1, np.int64), empty, empty)
        if lane_of.strides == (0,):  # one lane, broadcast
            ends = np.array([0, len(agents)], np.int64)
            return cls(moment, np.array(lane_of[:1], np.int64), ends, agents, np.zeros(1, np.int64))
        edges = np.flatnonzero(lane_of[1:] != lane_of[:-1]) + 1
        if (lane_of[edges] < lane_of[edges - 1]).any():
            order = np.argsort(lane_of, kind="stable")
            agents, lane_of = agents[order], lane_of[order]
            edges = np.flatnonzero(lane_of[1:] != lane_of[:-1]) + 1
        starts = np.concatenate([[0], edges, [len(agents)]])
        return cls(moment, np.asarray(lane_of[starts[:-1]], np.int64), starts, agents, np.zeros(len(starts) - 1, np.int64), lane_of)

    def __len__(self) -> int:
        return len(self.ids)

    def only(self, keep: NDArray[np.bool_]) -> Lanes:
        """Some of the lanes, as lanes of their own."""
        if keep.all():
            return self
        sizes = np.diff(self.starts)[keep]
        agents = self.agents[np.repeat(keep, np.diff(self.starts))]
        return Lanes(self.moment, self.ids[keep], np.concatenate([[0], np.cumsum(sizes)]), agents, self.played[keep])

    def lane_of(self) -> Ints:
        """The lane of each agent."""
        if len(self.ids) == 1:
            return np.broadcast_to(self.ids[0], self.agents.shape)
        if self.each is not None:
            return self.each
        return np.repeat(self.ids, np.diff(self.starts))

    def members(self, lane: int) -> AgentIds:
        """The agents of one lane; none where it is not among these."""
        at = int(np.searchsorted(self.ids, lane))
        if at == len(self.ids) or self.ids[at] != lane:
            return self.agents[:0]
        return self.agents[self.starts[at] : self.starts[at + 1]]

    def turn(
        self,
        agents: AgentIds | None = None,
        lanes: Ints | None = None,
        *,
        offers: Sequence[str] | None = None,
        kind: TurnKind | None = None,
    ) -> Turn:
        """A turn for everyone here, or for ``agents`` (sorted by lane) with the lane of each."""
        specs = self.moment.offers
        if offers is not None:
            specs = tuple(spec for spec in specs if spec.name in offers or spec.full in offers)
        kind = kind or self.moment.phase.kind
        if kind == TurnKind.INNER:
            specs = ()
        who = self.agents if agents is None else np.asarray(agents, np.int64)
        where = self.lane_of() if lanes is None else np.asarray(lanes, np.int64)
        if len(who) != len(where):
            raise UsageError(f"phase {self.moment.phase.name!r}: a turn of {len(who)} agents has {len(where)} lanes; give one an agent")
        if lanes is not None and (where[1:] < where[:-1]).any():
            order = np.argsort(where, kind="stable")
            who, where = who[order], where[order]
        return Turn(self.moment, who, where, 0, specs, kind)

    def numbered(self, turn: Turn) -> Iterator[Turn]:
        """The turn, split where its lanes have played different numbers of turns; counts it as played."""
        if len(self.ids) and turn.agents is self.agents and self.played.min() == self.played.max() < TURN_LIMIT:
            self.played += 1
            yield replace(turn, number=int(self.played[0]) - 1)
            return
        if len(turn.agents) == 0:
            raise UsageError(f"phase {turn.phase.name!r}: {turn.phase.lead} offered a turn to nobody; return None when lanes are done")
        at = np.searchsorted(self.ids, turn.lanes).clip(max=len(self.ids) - 1)
        if not np.array_equal(self.ids[at], turn.lanes):
            raise UsageError(f"phase {turn.phase.name!r}: {turn.phase.lead} offered a turn in a lane that it was not asked for")
        numbers = self.played[at]
        self.played[np.unique(at)] += 1
        if numbers.max() >= TURN_LIMIT:
            raise UsageError(f"phase {turn.phase.name!r}: over {TURN_LIMIT} turns in one lane; {turn.phase.lead} is never done")
        if numbers.min() == numbers.max():
            yield replace(turn, number=int(numbers[0]))
            return
        for number in np.unique(numbers):
            yield replace(turn.part(numbers == number), number=int(number))


@dataclass(slots=True)
class Observations:
    """What a turn's agents see: columns by environment, one row an agent (a column may be a broadcast scalar)."""

    turn: Turn
    parts: dict[str, Mapping[str, Array]]

    def __getitem__(self, environment: str) -> Mapping[str, Array]:
        return self.parts[environment]

    def part(self, mask: NDArray[np.bool_], turn: Turn) -> Observations:
        columns: dict[str, Mapping[str, Array]] = {}
        for name, part in self.parts.items():
            columns[name] = {key: values[mask] for key, values in part.items()}
        return Observations(turn, columns)
