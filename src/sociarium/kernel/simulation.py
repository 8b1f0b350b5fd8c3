"""The engine: a simulation, and the loop that moves it. Read ``tick`` and ``play``: they are the whole of it."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from sociarium.kernel.actions import among
from sociarium.kernel.checking import Gate, checked
from sociarium.kernel.delivery import Delivery
from sociarium.kernel.environment import Environment, News, Outcome
from sociarium.kernel.errors import Interrupted, UsageError
from sociarium.kernel.ledger import Ledger, Reported
from sociarium.kernel.mind import Mind, Minds, Transitions
from sociarium.kernel.population import Population
from sociarium.kernel.protocols import Address, JournalEntry, Recorder
from sociarium.kernel.records import TickRecord
from sociarium.kernel.schedule import Schedule, Tick
from sociarium.kernel.turn import Door, ForkedDoor, Lanes, Moment, Phase, TurnKind
from sociarium.kernel.world import World

State = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Intervention:
    """An operator's action at the start of a tick: ``commons.set_stock``, ``population.admit`` … with plain arguments."""

    tick: int
    operation: str
    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])


class Simulation:
    """Population, environments, minds, schedule and seed. ``await step()``, ``await run()``, or ``run_sync()``.

    ``door`` reaches models (``sociarium.models.ModelService``), ``record`` keeps the run (``sociarium.record.RunRecord``);
    both are optional. ``on_tick`` is called with each committed tick.
    """

    def __init__(
        self,
        population: Population,
        environments: Sequence[Environment],
        minds: Sequence[Mind],
        schedule: Schedule,
        *,
        seed: int = 0,
        gates: Sequence[Gate] = (),
        interventions: Sequence[Intervention] = (),
        door: Door | None = None,
        record: Recorder | None = None,
    ) -> None:
        self.world = World(population, environments, seed, start=schedule.start)
        self.schedule = schedule
        schedule.begin(self.world)
        self.minds = Minds(minds, self.world)
        self.gates = list(gates)
        self.interventions = list(interventions)
        self.door = door
        self.record = record
        self.delivery = Delivery(self.world, self.minds)
        self.on_tick: list[Callable[[TickRecord], None]] = []
        self.on_events: list[Callable[[Reported], None]] = []  # for those who watch: in order of arrival
        self.sharing: Callable[[Lanes], Iterable[Lanes]] = self._share
        self.stopping = False
        self._events = 0  # ids given so far
        self._forks = 0  # forks taken in this tick: with it they name their addresses
        self._pending: list[Intervention] = []

    async def run(self, ticks: int | None = None) -> int:
        """Run until the schedule ends, or for so many ticks. Returns the number of ticks done in all."""
        left = ticks if ticks is not None else -1
        while left != 0 and await self.step():
            left -= 1
        if left != 0 and self.record is not None:
            await self.record.finish(self)
        return self.world.clock.tick

    def run_sync(self, ticks: int | None = None) -> int:
        """``run`` for whoever is not in a coroutine: scripts, notebooks, checks of claims. Where an event loop is running, it waits."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(self.run(ticks))
        with ThreadPoolExecutor(1) as apart:
            return apart.submit(asyncio.run, self.run(ticks)).result()

    async def step(self) -> bool:
        """One tick. False when the schedule has ended."""
        if self.stopping:
            raise Interrupted(f"stopped before tick {self.world.clock.tick}")
        tick = self.schedule.next(self.world.clock.time)
        if tick is None:
            return False
        await self.tick(tick)
        return True

    async def tick(self, tick: Tick) -> None:
        """Everything that happens from one moment of the schedule to the next."""
        ledger = Ledger(self.world, TickRecord(tick.number, tick.time, tick.time), self._events)
        await self.intervene(tick, ledger)
        for phase in tick.phases:
            self.minds.settle()
            moment = self.moment(tick, phase)
            lanes = self.world[phase.lead].lanes(phase, self.awake(tick, phase), moment)
            await together(self.play(phase, some, ledger) for some in self.sharing(lanes))
            self.close(phase.name, ledger)
        until = ledger.record.until = self.schedule.until()
        for name, outcome in self.world.advance(until).items():
            self.watched(ledger.report(name, outcome, None))
        self.close("advance", ledger)
        await self.commit(ledger, until)

    async def play(self, phase: Phase, lanes: Lanes, ledger: Ledger) -> None:
        """Turns in these lanes, until the environment that leads the phase says they are done."""
        while (offered := self.world[phase.lead].turn(phase, lanes)) is not None:
            for turn in lanes.numbered(offered):
                seen = self.world.observe(turn)
                actions = await self.minds.decide(turn, seen)
                fresh = ledger.report("minds", Outcome(actions.notes), turn)
                for gate in self.gates:
                    actions = await gate.review(turn, seen, actions)
                legal, refused = checked(turn, actions)
                ledger.decided.append((turn, actions, self._kept(turn.agents)))
                outcomes = {} if turn.kind == TurnKind.INNER else self.world.apply(turn, seen, legal)
                declined = [(_full(name, action), who, why) for name, o in outcomes.items() for action, who, why in o.refusals]
                ledger.count(legal, declined)
                ledger.refuse(turn, refused := [*refused, *declined])
                fresh += [piece for name, outcome in outcomes.items() for piece in ledger.report(name, outcome, turn)]
                self.watched(fresh)
                if turn.kind != TurnKind.PROBE:  # to be asked changes nothing, not even by being heard
                    self.delivery.within(turn, lanes, fresh)
                    self.delivery.refused(turn, refused)

    def close(self, phase: str, ledger: Ledger) -> None:
        """Events get their ids; only now do other agents, environments and the schedule hear of them."""
        closed = [kind for kind in ledger.close(phase) if not kind.probe]
        news: list[News] = [kind.news for kind in closed]
        if news:
            for name, environment in self.world.environments.items():
                others = [told for told in news if not told.kind.startswith(name + ".")]
                if others:
                    environment.notice(others)
            self.schedule.notice(news)
            self.delivery.outside(closed)
        for agents, time in ledger.woken():
            self.schedule.wake(agents, time)

    def watched(self, fresh: Sequence[Reported]) -> None:
        """Show events to those who watch, as they happen."""
        for watch in self.on_events:
            for piece in fresh:
                watch(piece)

    async def commit(self, ledger: Ledger, until: int) -> None:
        """The end of a tick: learn, measure, and make it durable, all or nothing."""
        self._learn(ledger)
        ledger.finish()
        self.minds.settle()
        self.world.active[ledger.record.ended] = False
        ledger.record.measures = self.world.measures()
        self._events, self._forks = ledger.next_id, 0
        self.world.clock.tick, self.world.clock.time = ledger.record.tick + 1, until
        if self.record is not None:
            await self.record.commit(ledger.record, self)
        for call in self.on_tick:
            call(ledger.record)

    async def intervene(self, tick: Tick, ledger: Ledger) -> None:
        """The operator's actions due now: those planned, then those given while the run goes on (journalled, so replayed)."""
        due = [intervention for intervention in self.interventions if intervention.tick == tick.number]
        due += await self._given(tick)
        for intervention in due:
            outcome = self.world.operate(intervention.operation, intervention.arguments)
            ledger.record.interventions.append({"operation": intervention.operation, "arguments": dict(intervention.arguments)})
            self.watched(ledger.report(intervention.operation.partition(".")[0], outcome, None))
        self.minds.settle()
        self.close("intervention", ledger)

    def inject(self, operation: str, **arguments: Any) -> None:
        """Act from outside at the start of the next tick. It is journalled: a replay does it again at the same tick."""
        self._pending.append(Intervention(self.world.clock.tick, operation, arguments))

    def awake(self, tick: Tick, phase: Phase) -> Any:
        """Agents that take part in a phase of this tick."""
        everyone = self.world.awake(phase.who)
        if tick.awake is None:
            return everyone
        due = np.asarray(tick.awake, np.int64)
        if not (due[1:] > due[:-1]).all():
            due = np.unique(due)
        return due[among(due, everyone)]

    def moment(self, tick: Tick, phase: Phase) -> Moment:
        offers = self.world.offers(phase)
        return Moment(tick.number, tick.time, phase, self.world.randomness, offers, self.door, self.world.look_up)

    def fork(self) -> Simulation:
        """A copy in memory that goes its own way: what-if, planning, trees. It keeps no record. It shares the door, under addresses
        of its own and with the same draws: what is asked as it was here is not paid for again. Forks are told apart by their order
        within a tick, so a mind whose lanes go at their own pace must not fork inside a turn.
        """
        self._forks += 1
        memo: dict[int, Any] = {id(self.on_tick): [], id(self.on_events): []}
        if self.record is not None:
            memo[id(self.record)] = None
        if self.door is not None:
            memo[id(self.door)] = self.door
        copied = copy.deepcopy(self, memo)
        copied._forks = 0
        if self.door is not None:
            copied.door = ForkedDoor(self.door, f"fork-{self.world.clock.tick}-{self._forks}")
        return copied

    def state(self) -> State:
        """Everything that the next tick depends on: arrays and plain data."""
        minds = {str(number): mind.state() for number, mind in enumerate(self.minds.all)}
        return {
            "world": self.world.state(),
            "minds": minds,
            "schedule": self.schedule.state(),
            "events": self._events,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """The inverse of ``state``, into a simulation built the same way."""
        self.world.load(state["world"])
        self.schedule.load(state["schedule"])
        for number, mind in enumerate(self.minds.all):
            mind.load(state["minds"].get(str(number), {}))
        self.minds.loaded()
        self._events = int(state["events"])

    def _share(self, lanes: Lanes) -> Iterable[Lanes]:
        """Lanes with a mind that waits go each at its own pace; all others together, in one vectorised turn."""
        if not any(mind.paced for mind in self.minds.all):
            return [lanes] if len(lanes) else []
        paced = np.array([mind.paced for mind in self.minds.all])[self.minds.numbers(lanes.agents)]
        own_pace = np.logical_or.reduceat(paced, lanes.starts[:-1]) if len(lanes) else np.empty(0, np.bool_)
        alone = [lanes.only(np.arange(len(lanes)) == at) for at in np.flatnonzero(own_pace)]
        return alone if own_pace.all() else [lanes.only(~own_pace), *alone]

    def _kept(self, agents: Any) -> Any:
        keeps = np.array([mind.keeps for mind in self.minds.all])
        if not keeps.any():
            return np.broadcast_to(np.False_, len(agents))
        return keeps[self.minds.numbers(agents)]

    def _learn(self, ledger: Ledger) -> None:
        if not ledger.rewards or all(type(mind).learn is Mind.learn for mind in self.minds.all):
            return
        agents = np.concatenate([who for who, _ in ledger.rewards])
        values = np.concatenate([reward for _, reward in ledger.rewards])
        order = np.lexsort((values, agents))  # a fixed order of summation
        unique, first = np.unique(agents[order], return_index=True)
        self.minds.learn(Transitions(ledger.record.tick, unique, np.add.reduceat(values[order], first)))

    async def _given(self, tick: Tick) -> list[Intervention]:
        """Interventions from outside: from the journal where this tick was played before, else those that are waiting."""
        if self.record is None:
            given, self._pending = self._pending, []
            return given
        journal = self.record.journal
        given: list[Intervention] = []
        while (entry := journal.find(_operator(tick.number, len(given)))) is not None:
            given.append(Intervention(tick.number, entry.request["operation"], entry.request["arguments"]))
        for waiting in self._pending:
            request = {"kind": "intervention", **{k: v for k, v in asdict(waiting).items() if k != "tick"}}
            address = _operator(tick.number, len(given))
            await journal.append(JournalEntry(address, f"intervention:{address}", request, {"status": "ok"}))
            given.append(waiting)
        self._pending = []
        return given


def _full(environment: str, action: str) -> str:
    return action if "." in action else f"{environment}.{action}"


def _operator(tick: int, number: int) -> Address:
    return Address(tick, "intervention", 0, 0, "operator", "intervention", number)


async def together(plays: Iterable[Any]) -> None:
    """Run all to their end, then raise the first error: a reply that is paid for is never left behind."""
    waiting = list(plays)
    if len(waiting) == 1:
        await waiting[0]
        return
    for ended in await asyncio.gather(*waiting, return_exceptions=True):
        if isinstance(ended, BaseException):
            raise ended


__all__ = ["Intervention", "Simulation", "UsageError"]
