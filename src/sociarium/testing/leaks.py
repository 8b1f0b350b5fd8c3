"""Does anybody learn what only others may know? Canaries are planted in what is hidden, and looked for in all that agents are told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sociarium.kernel.actions import Actions, ActionSpec, ActionTable, Number, Text
from sociarium.kernel.environment import News
from sociarium.kernel.mind import Mind, Transitions
from sociarium.kernel.population import Visibility
from sociarium.kernel.protocols import Address
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Door, Observations, Turn
from sociarium.testing.errors import ConformanceError


@dataclass(frozen=True, slots=True)
class Leak:
    """``reader`` was told what only ``owner`` may know, or nobody. ``what`` is the column or argument, ``where`` the way it took."""

    what: str
    owner: int
    reader: int
    where: str

    def __str__(self) -> str:
        return f"agent {self.reader} learned {self.what} of agent {self.owner} from {self.where}"


@dataclass(slots=True)
class Secret:
    what: str
    owner: int
    hidden: bool  # not even its owner may be told


@dataclass(slots=True)
class LeakReport:
    """What was planted, how much was looked at, and what was found."""

    planted: dict[str, int] = field(default_factory=dict[str, int])  # column or argument -> canaries
    looked: int = 0  # texts and numbers that agents were told
    leaks: list[Leak] = field(default_factory=list[Leak])


def leak_audit(simulation: Simulation, *, ticks: int | None = None, keep: Sequence[str] = ()) -> LeakReport:
    """Run the simulation with canaries in every ``own`` and ``hidden`` text column and every private argument (text or number), and look
    at every observation, description, piece of news, refusal and request for them.

    ``keep`` names columns whose words steer the world (a role, say): they are left as they are, and not audited. The simulation is
    changed by the audit. Raises ConformanceError for the first leak, or where there was nothing to plant.
    """
    audit = _Audit(simulation, frozenset(keep))
    audit.plant_columns()
    simulation.minds.all[:] = [_Listener(mind, audit) for mind in simulation.minds.all]
    simulation.minds.settle()
    simulation.gates.insert(0, audit)
    if simulation.door is not None:
        simulation.door = _Eavesdropper(simulation.door, audit)
    simulation.run_sync(ticks)
    report = audit.report
    if not report.planted:
        raise ConformanceError("leak audit: there is nothing to audit, no own or hidden text column and no private argument")
    if report.leaks:
        raise ConformanceError(f"leak audit: {report.leaks[0]}" + (f", and {len(report.leaks) - 1} more" if len(report.leaks) > 1 else ""))
    return report


class _Audit:
    """Plants, and looks. As a gate it makes private arguments canaries, after minds have decided."""

    def __init__(self, simulation: Simulation, keep: frozenset[str]) -> None:
        self.simulation = simulation
        self.keep = keep
        self.report = LeakReport()
        self.words: dict[str, Secret] = {}
        self.numbers: dict[float, Secret] = {}

    def plant_columns(self) -> None:
        for table in self.simulation.world.population:
            for name, column in table.columns.items():
                if column.dtype is str and column.visibility != Visibility.PUBLIC and name not in self.keep and len(table):
                    hidden = column.visibility == Visibility.HIDDEN
                    table[name] = np.array([self.word(f"column {name}", agent, hidden) for agent in table.ids.tolist()], object)

    def word(self, what: str, owner: int, hidden: bool) -> str:
        canary = f"canary{len(self.words):06d}yranac"
        self.words[canary] = Secret(what, owner, hidden)
        self.report.planted[what] = self.report.planted.get(what, 0) + 1
        return canary

    def number(self, argument: Number, what: str, owner: int) -> float:
        place = (0.381966011250105 + len(self.numbers) * 0.0001618033988749) % 1.0
        canary = argument.low + place * (min(argument.high, argument.low + 1e6) - argument.low)
        self.numbers[canary] = Secret(what, owner, False)
        self.report.planted[what] = self.report.planted.get(what, 0) + 1
        return canary

    async def review(self, turn: Turn, seen: Observations, actions: Actions) -> Actions:
        for spec in turn.offers:
            if spec.full in actions.tables:
                actions.tables[spec.full] = self.planted(spec, actions.tables[spec.full])
        return actions

    def planted(self, spec: ActionSpec, table: ActionTable) -> ActionTable:
        """The table with canaries in its private arguments."""
        columns = dict(table.columns)
        for name in sorted(spec.private()):
            argument, what = spec.arguments[name], f"argument {name} of {spec.full}"
            owners = [int(agent) for agent in table.agents]
            if isinstance(argument, Text):
                columns[name] = np.array([self.word(what, owner, False) for owner in owners], object)
            elif isinstance(argument, Number):
                columns[name] = np.array([self.number(argument, what, owner) for owner in owners])
        return ActionTable(table.agents, columns)

    def observed(self, turn: Turn, seen: Observations) -> None:
        for row, agent in enumerate(turn.agents.tolist()):
            for name, columns in seen.parts.items():
                self.look(agent, f"{name}.observe, tick {turn.tick}, phase {turn.phase.name}", _row(columns, row))
                content = self.simulation.world[name].describe(seen, row)
                self.look(agent, f"{name}.describe, tick {turn.tick}, phase {turn.phase.name}", [block.text for block in content])

    def heard(self, news: News) -> None:
        for row, readers in enumerate(news.recipients or []):
            told = _row(news.data, row)
            for reader in readers.tolist():
                self.look(reader, f"news {news.kind}, tick {news.tick}, phase {news.phase}", told)

    def look(self, reader: int, where: str, told: Iterable[Any]) -> None:
        for value in told:
            self.report.looked += 1
            if isinstance(value, str):
                at = value.find("canary")
                while at >= 0:
                    self.found(self.words.get(value[at : at + 18]), reader, where)
                    at = value.find("canary", at + 1)
            elif isinstance(value, float):
                self.found(self.numbers.get(value), reader, where)

    def found(self, secret: Secret | None, reader: int, where: str) -> None:
        if secret is not None and (secret.hidden or secret.owner != reader):
            self.report.leaks.append(Leak(secret.what, secret.owner, reader, where))


class _Listener(Mind):
    """The mind itself, with an ear at what it sees and hears."""

    hears = True

    def __init__(self, mind: Mind, audit: _Audit) -> None:
        self.mind = mind
        self.audit = audit
        self.paced, self.keeps = mind.paced, mind.keeps

    def admit(self, agents: Any) -> None:
        self.mind.admit(agents)

    async def decide(self, turn: Turn, seen: Observations) -> Actions:
        self.audit.observed(turn, seen)
        return await self.mind.decide(turn, seen)

    def notice(self, events: Sequence[News]) -> None:
        for news in events:
            self.audit.heard(news)
        if self.mind.hears:
            self.mind.notice(events)

    def learn(self, steps: Transitions) -> None:
        self.mind.learn(steps)

    def state(self) -> dict[str, Any]:
        return self.mind.state()

    def load(self, state: Mapping[str, Any]) -> None:
        self.mind.load(state)


class _Eavesdropper:
    """The door, with an ear at what is asked on behalf of an agent."""

    def __init__(self, door: Door, audit: _Audit) -> None:
        self.door = door
        self.audit = audit

    async def ask(self, request: Any, address: Address, *, route: str = "default", drawn_at: Address | None = None) -> Any:
        self.look(request, address)
        return await self.door.ask(request, address, route=route, drawn_at=drawn_at)

    async def ask_all(
        self, requests: Sequence[Any], address: Address, *, route: str = "default", drawn_at: Address | None = None
    ) -> list[Any]:
        for request in requests:
            self.look(request, address)
        return await self.door.ask_all(requests, address, route=route, drawn_at=drawn_at)

    def look(self, request: Any, address: Address) -> None:
        asker, _, number = address.asker.partition(":")
        if asker == "agent":
            texts = [block.text for block in (*request.blocks, *(request.neutral or ()))]
            self.audit.look(int(number), f"the request at {address}", [*texts, *request.options, *request.texts])


def _row(columns: Mapping[str, Any], row: int) -> list[Any]:
    """The values of one row: texts and numbers, those of vectors one by one."""
    return [value for column in columns.values() for value in np.atleast_1d(np.asarray(column[row])).ravel().tolist()]
