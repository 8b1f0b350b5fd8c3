"""A part of the world: its state, the actions it offers, who moves when, what each agent sees, how it moves by itself.

A simple environment writes ``observe``, ``describe`` and one method an action. Everything else has a default.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.actions import Actions, ActionSpec, ActionTable, QuerySpec, declared
from sociarium.kernel.content import Content
from sociarium.kernel.turn import Lanes, Moment, Observations, Phase, Turn

if TYPE_CHECKING:
    from sociarium.kernel.world import World

AgentIds = NDArray[np.int64]
Groups = NDArray[np.int64]
Array = NDArray[Any]
State = dict[str, Any]


@dataclass(slots=True)
class Events:
    """Events of one kind, one row an event, as an environment reports them; ids come at the close of the phase.

    ``audience``: ``group`` (all in the group of the row), ``own`` (the actor), ``nobody``, or ``some`` with ``recipients``, one
    array of ids a row. ``actors`` is -1 for the world itself; such rows need ``groups``. ``kept`` False: counted, not stored whole.
    ``private`` names columns that are recorded but delivered to nobody.
    """

    kind: str
    actors: AgentIds
    data: dict[str, Array] = field(default_factory=dict[str, Array])
    audience: str = "group"
    recipients: list[AgentIds] | None = None
    groups: Groups | None = None
    lanes: NDArray[np.int64] | None = None
    kept: bool = True
    private: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self.actors)


@dataclass(slots=True)
class Outcome:
    """What came of a batch of actions: events, refused rows (with the reason their agents are told), rewards, ended groups, wake-ups."""

    events: list[Events] = field(default_factory=list[Events])
    refusals: list[tuple[str, AgentIds, str]] = field(default_factory=list[tuple[str, AgentIds, str]])  # action, agents, reason
    rewards: list[tuple[AgentIds, NDArray[np.float64]]] = field(default_factory=list[tuple[AgentIds, NDArray[np.float64]]])
    ended: Groups | None = None
    wakes: list[tuple[AgentIds, int]] = field(default_factory=list[tuple[AgentIds, int]])  # agents, time in microseconds

    def refuse(self, action: str, agents: ArrayLike, reason: str) -> Outcome:
        """These agents' rows of an action (``harvest`` or ``commons.harvest``) are not carried out."""
        self.refusals.append((action, np.atleast_1d(np.asarray(agents, np.int64)), reason))
        return self

    def add(self, other: Outcome | None) -> Outcome:
        if other is not None:
            self.events += other.events
            self.refusals += other.refusals
            self.rewards += other.rewards
            self.wakes += other.wakes
            if other.ended is not None:
                self.ended = other.ended if self.ended is None else np.union1d(self.ended, other.ended)
        return self


class Environment:
    """The base of all environments. ``name`` is how phases, actions and measures speak of it."""

    name: ClassVar[str] = "everyone"
    world: World

    def reset(self, world: World, groups: Groups) -> None:
        """Begin an episode in these groups. Called for all groups when the simulation is built."""
        self.world = world

    def admit(self, agents: AgentIds) -> None:
        """Newcomers, already in the population."""

    def lanes(self, phase: Phase, awake: AgentIds, moment: Moment) -> Lanes:
        """Sets of agents that cannot touch each other in this phase. By default a group is a lane."""
        if self.world.groups == 1:
            return Lanes.by(moment, awake, np.broadcast_to(np.int64(0), awake.shape))
        return Lanes.by(moment, awake, self.world.population.get(awake, "group"))

    def turn(self, phase: Phase, lanes: Lanes) -> Turn | None:
        """Who moves now; None when these lanes are done. By default all who are awake, once, together."""
        return None if lanes.played.all() else lanes.turn()

    def observe(self, turn: Turn) -> Mapping[str, Array]:
        """Columns, one row an agent. Pure: nothing changes by being looked at."""
        return {}

    def describe(self, seen: Observations, row: int) -> Content:
        """The same row in words, for a language mind."""
        return ()

    def apply(self, turn: Turn, seen: Observations, actions: Actions) -> Outcome:
        """Carry out the actions on offer here. By default each action's method is called with its whole table."""
        outcome = Outcome()
        for name, table in actions.of(self.name).items():
            outcome.add(getattr(self, name)(turn, seen, table))
        return outcome

    def advance(self, to: int) -> Outcome | None:
        """What moves by itself until ``to`` (microseconds): regrowth, decay, disease, arrivals, wake-ups."""
        return None

    def notice(self, events: Sequence[News]) -> None:
        """What happened in other environments."""

    def measures(self) -> Mapping[str, Array]:
        """One value a group."""
        return {}

    def state(self, groups: Groups | None = None) -> State:
        """Arrays and plain data, never code objects; of some groups where the environment keeps its state by group."""
        return {}

    def load(self, state: State, groups: Groups | None = None) -> None:
        """The inverse of ``state``."""

    def actions(self) -> tuple[ActionSpec, ...]:
        """All actions that this environment has."""
        return tuple(ActionSpec(self.name, n, doc, args) for n, (doc, args) in declared(type(self), "_action").items())

    def queries(self) -> tuple[QuerySpec, ...]:
        return tuple(QuerySpec(self.name, n, doc, args) for n, (doc, args) in declared(type(self), "_query").items())


@dataclass(slots=True)
class News:
    """Events as others hear of them: without private columns, and only for those who may know.

    ``recipients`` has one array of agent ids a row, or is None for environments and schedules, which hear everything.
    """

    kind: str  # "commons.harvested"
    tick: int
    time: int
    phase: str
    actors: AgentIds
    groups: Groups
    data: dict[str, Array]
    recipients: list[AgentIds] | None = None

    def __len__(self) -> int:
        return len(self.actors)


__all__ = ["ActionTable", "Environment", "Events", "News", "Outcome", "State"]
