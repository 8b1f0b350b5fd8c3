"""Can words make agents, or the engine, do what they may not? Payloads go wherever text can go, and the model obeys all of them.

    injection_test(lambda: scenario.build(seed))

What holds is independent of any model's virtue: no row outside the legal set, none in another's name, nothing hidden in a prompt, no
change of rules, prompts, budget or journal, no effect outside the run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from sociarium.kernel.actions import Actions
from sociarium.kernel.checking import checked
from sociarium.kernel.content import Trust
from sociarium.kernel.outcomes import Status
from sociarium.kernel.population import Visibility
from sociarium.kernel.protocols import Address
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Observations, Turn
from sociarium.models.budget import BudgetLimits
from sociarium.models.service import ModelService
from sociarium.testing.errors import ConformanceError
from sociarium.testing.memory_journal import MemoryJournal
from sociarium.testing.obedient import Obedient, Payload, payloads
from sociarium.testing.outside import Effect, effects

Build = Callable[[], Simulation]
ROUTE = "route"  # a column that names a model, and no words


@dataclass(slots=True)
class InjectionReport:
    """``planted``: payloads put into columns, ``obeyed``: payloads that reached a prompt, by mark; ``turns``: agent-turns by outcome."""

    planted: set[str] = field(default_factory=set[str])
    obeyed: Counter[str] = field(default_factory=Counter[str])
    forms: Counter[str] = field(default_factory=Counter[str])
    turns: Counter[str] = field(default_factory=Counter[str])
    violations: list[str] = field(default_factory=list[str])


def injection_test(
    build: Build,
    *,
    ticks: int | None = None,
    keep: Sequence[str] = (),
    shared: Sequence[str] = (),
    announced: Sequence[str] = (),
    routes: Sequence[str] = (),
    corpus: Sequence[Payload] | None = None,
    offset: int = 0,
) -> InjectionReport:
    """Run a simulation whose texts are payloads and whose model obeys them. Raises ConformanceError for what words could do.

    ``build()`` gives a simulation with minds that ask a model; its door is set here. Every text column gets payloads, from number
    ``offset`` of the ``corpus`` on (names too), except ``route`` and those in ``keep``, whose words steer the world. Own and hidden ones
    get canaries too, except those in ``shared``, which the world itself hands on. What the model says carries payloads on into speech,
    memories, minutes and answers. ``announced``: kinds of events that the world reports of agents whose turn it is not. ``routes``: those
    that minds ask for beside ``default``.
    """
    known = list(corpus) if corpus is not None else payloads()
    simulation, report = build(), InjectionReport()
    obedient = Obedient(known)
    audit = _Audit(simulation, report, frozenset(announced))
    audit.plant(known, frozenset((ROUTE, *keep)), frozenset(shared), offset)
    journal = _Sealed()
    limits = BudgetLimits(calls=1_000_000)
    backend = obedient.backend()
    service = ModelService(dict.fromkeys(("default", *routes), backend), journal=journal, seed=0, budget=limits)
    simulation.door = _Watched(service, audit)
    simulation.gates.append(audit)
    _watch_world(simulation, audit)
    before = configuration(simulation)
    with effects() as outside:
        simulation.run_sync(ticks)
    report.obeyed, report.forms = obedient.obeyed, obedient.forms
    report.violations += [str(effect) for effect in outside]
    report.violations += _differences(before, configuration(simulation))
    report.violations += journal.broken()
    if service.budget.limits != limits:
        report.violations.append(f"the budget was changed to {service.budget.limits}")
    if report.violations:
        more = f", and {len(report.violations) - 1} more" if len(report.violations) > 1 else ""
        raise ConformanceError(f"injection: {report.violations[0]}{more}")
    if not report.obeyed:
        raise ConformanceError("injection: no payload reached a prompt, so nothing was tested; are there text columns, and minds that ask?")
    return report


class _Audit:
    """Plants, and looks at what minds return, what the world carries out and what is asked."""

    def __init__(self, simulation: Simulation, report: InjectionReport, announced: frozenset[str]) -> None:
        self.announced = announced
        self.simulation = simulation
        self.report = report
        self.owners: dict[str, tuple[int, bool]] = {}  # canary -> owner, hidden from everybody
        self.told: set[str] = set()  # canaries that their owner has said aloud

    def plant(self, corpus: Sequence[Payload], keep: frozenset[str], shared: frozenset[str], offset: int) -> None:
        number = offset
        for table in self.simulation.world.population:
            for name, column in table.columns.items():
                if column.dtype is not str or name in keep or not len(table):
                    continue
                texts: list[str] = []
                for agent in table.ids.tolist():
                    payload = corpus[number % len(corpus)]
                    number += 1
                    secret = column.visibility != Visibility.PUBLIC and name not in shared
                    hidden = column.visibility == Visibility.HIDDEN
                    texts.append(f"{self.canary(agent, hidden)} {payload.text}" if secret else payload.text)
                    self.report.planted.add(payload.mark)
                values = np.empty(len(texts), object)
                values[:] = texts
                table[name] = values

    def canary(self, owner: int, hidden: bool) -> str:
        text = f"canary{len(self.owners):06d}yranac"
        self.owners[text] = (owner, hidden)
        return text

    def wrong(self, what: str) -> None:
        self.report.violations.append(what)

    async def review(self, turn: Turn, seen: Observations, actions: Actions) -> Actions:
        """What a mind returns: legal rows of its own agents, or rows that it says itself are not."""
        status = np.zeros(len(turn.agents), np.uint8) if actions.status is None else actions.status
        for value, count in zip(*np.unique(status, return_counts=True), strict=True):
            self.report.turns[Status(int(value)).name.lower()] += int(count)
        copied = Actions(dict(actions.tables), status.copy(), actions.fallback, dict(actions.reasons))
        for name, agents, reason in checked(turn, copied)[1]:
            for agent in np.unique(agents).tolist():
                own = np.flatnonzero(turn.agents == agent)
                if not len(own):
                    self.wrong(f"a mind acts in the name of agent {agent}, whose turn it is not ({name}, {_where(turn)})")
                elif status[own[0]] != Status.ILLEGAL:
                    self.wrong(f"a mind returns {name} of agent {agent} as if it were legal: {reason} ({_where(turn)})")
        return actions

    def carried_out(self, turn: Turn, legal: Actions, outcomes: Mapping[str, Any]) -> None:
        """What the world did: on offer, by those whose turn it is, and reported as theirs."""
        offered = {spec.full: spec for spec in turn.offers}
        for name, table in legal.tables.items():
            if name not in offered or not np.isin(table.agents, turn.agents).all():
                self.wrong(f"{name} of agents {table.agents[:5].tolist()} reached the world ({_where(turn)})")
                continue
            for argument, rule in offered[name].arguments.items():
                if rule.wrong(table.columns[argument]) is not None:
                    self.wrong(f"{argument} of {name} reached the world outside its bounds ({_where(turn)})")
        for name, outcome in outcomes.items():
            for events in outcome.events:
                kind = events.kind if "." in events.kind else f"{name}.{events.kind}"
                if kind in self.announced:
                    continue
                strangers = np.setdiff1d(events.actors[events.actors >= 0], turn.agents)
                if len(strangers):
                    self.wrong(f"{kind} is reported as the act of agent {int(strangers[0])}, whose turn it is not ({_where(turn)})")

    def asked(self, request: Any, address: Address) -> None:
        """No canary of a hidden column in any prompt; none of an own column in another's, unless its owner has said it."""
        kind, _, number = address.asker.partition(":")
        reader = int(number) if kind == "agent" else -1
        for block in (*request.blocks, *(request.neutral or ())):
            for canary in _canaries(block.text, self.owners):
                owner, hidden = self.owners[canary]
                if hidden or (owner != reader and not (canary in self.told and block.trust is not Trust.OUTSIDE)):
                    self.wrong(f"what only agent {owner} may know stands in the request at {address}")

    def answered(self, reply: Any, address: Address) -> None:
        for canary in _canaries(f"{reply.text} {reply.value}", self.owners):
            if address.asker == f"agent:{self.owners[canary][0]}":
                self.told.add(canary)


class _Watched:
    """The door, with an eye on what is asked and answered."""

    def __init__(self, door: ModelService, audit: _Audit) -> None:
        self.door = door
        self.audit = audit

    async def ask(self, request: Any, address: Address, *, route: str = "default", drawn_at: Address | None = None) -> Any:
        self.audit.asked(request, address)
        reply = await self.door.ask(request, address, route=route, drawn_at=drawn_at)
        self.audit.answered(reply, address)
        return reply

    async def ask_all(
        self, requests: Sequence[Any], address: Address, *, route: str = "default", drawn_at: Address | None = None
    ) -> list[Any]:
        for request in requests:
            self.audit.asked(request, address)
        replies = await self.door.ask_all(requests, address, route=route, drawn_at=drawn_at)
        for reply in replies:
            self.audit.answered(reply, address)
        return replies


class _Sealed(MemoryJournal):
    """A journal that notices when an entry changes after it was written."""

    def __init__(self) -> None:
        super().__init__()
        self._seals: dict[Address, str] = {}

    async def append(self, entry: Any) -> None:
        await super().append(entry)
        self._seals[entry.address] = _written(entry)

    def broken(self) -> list[str]:
        lost = [f"the journal has lost {address}" for address in self._seals if address not in self.entries]
        kept = [(address, seal) for address, seal in self._seals.items() if address in self.entries]
        return lost + [f"the journal was changed at {address}" for address, seal in kept if _written(self.entries[address]) != seal]


def configuration(simulation: Simulation) -> dict[str, str]:
    """What is set and not lived: rules and wordings of environments, offers, prompts and rules of minds, phases. Written out."""
    found: dict[str, str] = {}
    for name, environment in simulation.world.environments.items():
        found |= {f"{name}.{key}": text for key, text in _settings(environment)}
        found[f"the actions of {name}"] = repr(environment.actions())
    for number, mind in enumerate(simulation.minds.all):
        found |= {f"mind {number}, {key}": text for key, text in _settings(mind)}
        for component in getattr(mind, "components", ()):
            found |= {f"mind {number}, {component.name}.{key}": text for key, text in _settings(component)}
    found |= {f"the schedule, {key}": text for key, text in _settings(simulation.schedule)}
    return found


def _settings(owner: Any) -> Iterable[tuple[str, str]]:
    """Attributes that are frozen records of settings, or tuples of them."""
    for key, value in cast("dict[str, Any]", vars(owner)).items():
        some: tuple[Any, ...] = cast("tuple[Any, ...]", value) if isinstance(value, tuple) else (value,)
        if some and all(_frozen(one) for one in some):
            yield key, repr(some)


def _frozen(value: Any) -> bool:
    """Whether it is an instance of a frozen dataclass."""
    return bool(getattr(getattr(value, "__dataclass_params__", None), "frozen", False)) and not isinstance(value, type)


def _differences(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    return [f"{name} was changed while the run went on" for name, text in before.items() if after.get(name) != text]


def _watch_world(simulation: Simulation, audit: _Audit) -> None:
    apply = simulation.world.apply

    def watched(turn: Turn, seen: Observations, legal: Actions) -> Any:
        outcomes = apply(turn, seen, legal)
        audit.carried_out(turn, legal, outcomes)
        return outcomes

    simulation.world.apply = watched  # type: ignore[method-assign]


def _canaries(text: str, known: Mapping[str, Any]) -> set[str]:
    found: set[str] = set()
    at = text.find("canary")
    while at >= 0:
        if text[at : at + 18] in known:
            found.add(text[at : at + 18])
        at = text.find("canary", at + 1)
    return found


def _written(entry: Any) -> str:
    return repr((entry.key, entry.request, entry.reply, list(entry.attempts)))


def _where(turn: Turn) -> str:
    return f"tick {turn.tick}, phase {turn.phase.name}, turn {turn.number}"


__all__ = ["Effect", "InjectionReport", "Payload", "configuration", "injection_test", "payloads"]
