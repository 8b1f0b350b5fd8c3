"""Which tick comes next, its phases, and who is awake."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.environment import News
from sociarium.kernel.errors import UsageError
from sociarium.kernel.turn import Phase
from sociarium.kernel.units import DAY, HOUR, Microseconds

if TYPE_CHECKING:
    from sociarium.kernel.world import World

AgentIds = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Tick:
    """One step of the run. ``awake`` are the agents that may act in it; a phase may narrow them to some kinds."""

    number: int
    time: Microseconds
    phases: tuple[Phase, ...]
    awake: AgentIds | None = None  # None: everyone who is present


class Schedule:
    """The base of all schedules."""

    world: World
    start: Microseconds = 0  # the time at which the run begins

    def begin(self, world: World) -> None:
        """Called once, when the simulation is built."""
        self.world = world

    def next(self, now: Microseconds) -> Tick | None:
        """The tick that comes next; None ends the run."""
        raise NotImplementedError(type(self).__name__)

    def until(self) -> Microseconds:
        """When the current tick ends."""
        raise NotImplementedError(type(self).__name__)

    def notice(self, events: Sequence[News]) -> None:
        """Wake-ups; what excites a Hawkes process. Heard at the close of each phase, in order."""

    def wake(self, agents: AgentIds, time: Microseconds) -> None:
        """These agents want to be awake at that time."""

    def state(self) -> dict[str, Any]:
        return {}

    def load(self, state: Mapping[str, Any]) -> None:
        """The inverse of ``state``."""


class Rounds(Schedule):
    """A fixed number of ticks of equal length; everyone is awake. A phase comes when it is due (``every``, ``first``)."""

    def __init__(self, phases: Sequence[Phase], rounds: int, *, length: Microseconds = DAY) -> None:
        if rounds < 0:
            raise UsageError(f"rounds is {rounds}; it must be 0 or more")
        self.phases = tuple(phases)
        self.rounds = rounds
        self.length = length

    def next(self, now: Microseconds) -> Tick | None:
        number = self.world.clock.tick
        if number >= self.rounds or not self.world.active.any():
            return None
        return Tick(number, now, tuple(phase for phase in self.phases if phase.due(number)), self.awake(number, now))

    def until(self) -> Microseconds:
        return self.world.clock.time + self.length

    def awake(self, number: int, now: Microseconds) -> AgentIds | None:
        """Who may act in this tick: everyone. Subclasses narrow it."""
        return None


class Calendar(Rounds):
    """Ticks of a fixed length in calendar time, from ``start`` (microseconds after midnight of day 1) for ``duration``."""

    def __init__(self, phases: Sequence[Phase], *, step: Microseconds, duration: Microseconds, start: Microseconds = 0) -> None:
        super().__init__(phases, -(-duration // step), length=step)
        self.start = start

    def hour(self, now: Microseconds) -> int:
        """The hour of the day, 0 to 23."""
        return int(now % DAY // HOUR)


class Activity(Calendar):
    """Calendar time in which each agent is awake by chance: ``profile`` is (24,) or (agents, 24), the probability of
    being awake in a tick that begins in that hour."""

    def __init__(self, phases: Sequence[Phase], profile: ArrayLike, *, step: Microseconds, duration: Microseconds, start: int = 0) -> None:
        super().__init__(phases, step=step, duration=duration, start=start)
        self.profile = np.asarray(profile, np.float64)
        if self.profile.shape[-1:] != (24,) or self.profile.ndim > 2 or not ((self.profile >= 0) & (self.profile <= 1)).all():
            raise UsageError("an activity profile has 24 probabilities, one an hour, each from 0 to 1")

    def awake(self, number: int, now: Microseconds) -> AgentIds:
        everyone = self.world.awake()
        chance = self.profile[..., self.hour(now)]
        if chance.ndim and len(everyone) and int(everyone.max()) >= len(chance):
            raise UsageError(
                f"the activity profile is for {len(chance)} agents, but agent {int(everyone.max())} is here; give it a row too"
            )
        drawn = self.world.randomness.stream("activity", number).uniform(everyone)
        return everyone[drawn < (chance if chance.ndim == 0 else chance[everyone])]


class WakeUps(Schedule):
    """Event time: the next tick is when the next agent wants to be awake; the run ends when nobody does, or at ``horizon``."""

    def __init__(self, phases: Sequence[Phase], *, horizon: Microseconds, first: Mapping[int, Microseconds] | None = None) -> None:
        self.phases = tuple(phases)
        self.horizon = horizon
        self.queue: list[tuple[Microseconds, int]] = sorted((time, agent) for agent, time in (first or {}).items())

    def next(self, now: Microseconds) -> Tick | None:
        if not self.queue or self.queue[0][0] > self.horizon or not self.world.active.any():
            return None
        time = max(self.queue[0][0], now)
        due: set[int] = set()
        while self.queue and self.queue[0][0] <= time:
            due.add(heapq.heappop(self.queue)[1])
        agents = np.array(sorted(due), np.int64)
        number = self.world.clock.tick
        self.world.clock.time = time
        return Tick(number, time, tuple(p for p in self.phases if p.due(number)), np.intersect1d(agents, self.world.awake()))

    def until(self) -> Microseconds:
        now = self.world.clock.time
        return max(now, min(self.queue[0][0], self.horizon)) if self.queue else now

    def wake(self, agents: AgentIds, time: Microseconds) -> None:
        for agent in agents:
            heapq.heappush(self.queue, (int(time), int(agent)))

    def state(self) -> dict[str, Any]:
        queue = sorted(self.queue)
        return {"times": np.array([t for t, _ in queue], np.int64), "agents": np.array([a for _, a in queue], np.int64)}

    def load(self, state: Mapping[str, Any]) -> None:
        self.queue = [(int(t), int(a)) for t, a in zip(state["times"], state["agents"], strict=True)]
