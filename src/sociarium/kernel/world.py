"""Population, environments, clock and random streams: everything there is apart from minds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.actions import Actions, ActionSpec, declared
from sociarium.kernel.content import Content
from sociarium.kernel.environment import Environment, Outcome
from sociarium.kernel.errors import UsageError
from sociarium.kernel.population import Population
from sociarium.kernel.randomness import Randomness
from sociarium.kernel.turn import Observations, Phase, Turn, TurnKind

AgentIds = NDArray[np.int64]


@dataclass(slots=True)
class Clock:
    """Ticks done, and simulated time in whole microseconds."""

    tick: int = 0
    time: int = 0


class World:
    """One or many worlds side by side: agents with the same ``group`` share one, and groups never touch."""

    def __init__(self, population: Population, environments: Sequence[Environment], seed: int, *, start: int = 0) -> None:
        self.population = population
        self.clock = Clock(time=start)
        self.randomness = Randomness(seed)
        self.environments: dict[str, Environment] = {"everyone": Environment()}
        for environment in environments:
            if environment.name in self.environments:
                raise UsageError(f"two environments are called {environment.name!r}; give one of them another name")
            self.environments[environment.name] = environment
        self.groups = max(1, _groups(table["group"] for table in population))  # one, still empty, where all come later
        self.active: NDArray[np.bool_] = np.ones(self.groups, np.bool_)
        self.reset(np.arange(self.groups, dtype=np.int64))

    def __getitem__(self, name: str) -> Environment:
        try:
            return self.environments[name]
        except KeyError:
            raise UsageError(f"there is no environment {name!r}; there are {', '.join(self.environments)}") from None

    def reset(self, groups: NDArray[np.int64]) -> None:
        """Begin (again) in these groups."""
        self.active[groups] = True
        for environment in self.environments.values():
            environment.reset(self, groups)

    def awake(self, who: Sequence[str] = ()) -> AgentIds:
        """All agents that are present in groups that go on, of some kinds or of all, in order of id."""
        parts = [self.population.ids(kind) for kind in who or self.population.tables]
        ids = parts[0] if len(parts) == 1 else np.sort(np.concatenate(parts))
        return ids if self.active.all() else ids[self.active[self.population.get(ids, "group")]]

    def admit(self, kind: str, size: int, **values: Any) -> AgentIds:
        """Newcomers: rows in the population, then told to every environment. New groups are begun first.

        Call it from ``advance``, or from a phase with a single lane: ids go by the order of calls.
        """
        groups = _groups([np.asarray(values.get("group", 0), np.int64)])
        ids = self.population.admit(kind, size, **values)
        self._grow(groups)
        for environment in self.environments.values():
            environment.admit(ids)
        return ids

    def _grow(self, groups: int) -> None:
        if groups > self.groups:
            new = np.arange(self.groups, groups, dtype=np.int64)
            self.active = np.concatenate([self.active, np.ones(len(new), np.bool_)])
            self.groups = groups
            self.reset(new)

    def offers(self, phase: Phase) -> tuple[ActionSpec, ...]:
        """The actions on offer in a phase."""
        if phase.kind == TurnKind.INNER:
            return ()
        specs = [spec for name in self._acting(phase, phase.kind) for spec in self[name].actions()]
        if phase.offers is None:
            return tuple(specs)
        for wanted in phase.offers:
            if not any(wanted in (spec.name, spec.full) for spec in specs):
                raise UsageError(f"phase {phase.name!r} offers {wanted!r}, which none of its environments has")
        return tuple(spec for spec in specs if spec.name in phase.offers or spec.full in phase.offers)

    def _acting(self, phase: Phase, kind: TurnKind) -> tuple[str, ...]:
        """Environments in which one acts: in a probe the leader alone, which keeps the answers."""
        return (phase.lead,) if kind == TurnKind.PROBE else phase.environments

    def observe(self, turn: Turn) -> Observations:
        return Observations(turn, {name: self[name].observe(turn) for name in turn.phase.environments})

    def apply(self, turn: Turn, seen: Observations, actions: Actions) -> dict[str, Outcome]:
        """What came of it, by environment."""
        return {name: self[name].apply(turn, seen, actions) for name in self._acting(turn.phase, turn.kind)}

    def look_up(self, phase: Phase, agent: int, name: str, arguments: Mapping[str, Any]) -> Content:
        """The answer to a query of one of the phase's environments; see ``Turn.look_up``."""
        specs = [spec for environment in phase.environments for spec in self[environment].queries()]
        found = [spec for spec in specs if name in (spec.name, spec.full)]
        if len(found) != 1:
            known = ", ".join(spec.full for spec in specs) or "none"
            raise UsageError(f"phase {phase.name!r} has no query {name!r}; it has {known}" if not found else f"say which {name!r}: {known}")
        spec = found[0]
        if set(arguments) != set(spec.arguments):
            raise UsageError(f"query {spec.full} takes {', '.join(spec.arguments) or 'no arguments'}, not {', '.join(arguments) or 'none'}")
        for key, declared_as in spec.arguments.items():
            value = np.empty(1, object)
            value[0] = arguments[key]
            if declared_as.wrong(value if declared_as.dtype.kind == "O" else np.asarray([arguments[key]])) is not None:
                raise UsageError(f"query {spec.full}: {key} must be {declared_as.legal()}, not {arguments[key]!r}")
        return getattr(self[spec.environment], spec.name)(agent, **arguments)

    def advance(self, to: int) -> dict[str, Outcome]:
        """Everything that moves by itself, to the next moment anyone is due."""
        moved = {name: environment.advance(to) for name, environment in self.environments.items()}
        return {name: outcome for name, outcome in moved.items() if outcome is not None}

    def measures(self) -> dict[str, NDArray[Any]]:
        """``commons.stock`` and so on, one value a group."""
        return {f"{n}.{key}": np.array(v) for n, e in self.environments.items() for key, v in e.measures().items()}

    def operate(self, name: str, arguments: Mapping[str, Any]) -> Outcome:
        """An operator's action: ``commons.set_stock``, ``population.admit``, ``population.set``, ``population.leave``."""
        owner, _, method = name.partition(".")
        if owner == "population":
            return self._operate_population(method, dict(arguments))
        environment = self[owner]
        if method not in (known := declared(type(environment), "_operation")):
            raise UsageError(f"there is no operation {name!r}; {owner} has {', '.join(known) or 'none'}")
        return getattr(environment, method)(**arguments) or Outcome()

    def _operate_population(self, method: str, arguments: dict[str, Any]) -> Outcome:
        if method == "admit":
            self.admit(arguments.pop("kind"), arguments.pop("size", 1), **arguments)
        elif method == "leave":
            self.population.leave(np.asarray(arguments["agents"], np.int64))
        elif method == "set":
            moved = _groups([np.asarray(arguments["value"])]) if arguments["column"] == "group" else 0
            self.population.set(np.asarray(arguments["agents"], np.int64), arguments["column"], arguments["value"])
            self._grow(moved)
        else:
            raise UsageError(f"there is no operation 'population.{method}'; there are admit, leave and set")
        return Outcome()

    def state(self) -> dict[str, Any]:
        return {
            "clock": {"tick": self.clock.tick, "time": self.clock.time},
            "active": self.active.copy(),
            "population": self.population.state(),
            "environments": {name: environment.state() for name, environment in self.environments.items()},
        }

    def load(self, state: Mapping[str, Any]) -> None:
        self.clock.tick, self.clock.time = int(state["clock"]["tick"]), int(state["clock"]["time"])
        self.active = np.array(state["active"], np.bool_)
        self.groups = len(self.active)
        self.population.load(state["population"])
        for name, environment in self.environments.items():
            environment.load(state["environments"].get(name, {}))


def _groups(columns: Iterable[NDArray[Any]]) -> int:
    """One more than the highest group named."""
    columns = [column for column in columns if column.size]
    if any(column.min() < 0 for column in columns):
        raise UsageError("an agent's group is negative; groups are numbered from 0")
    return max((1 + int(column.max()) for column in columns), default=0)
