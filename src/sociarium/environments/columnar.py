"""Environments whose state is columns: one row a group, or one row an agent. Reset, growth, saving and loading come with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.environment import AgentIds, Environment, Groups, State
from sociarium.kernel.population import Population, Table
from sociarium.kernel.world import World

Array = NDArray[Any]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Cells:
    """What one row of a state column holds before anything has happened. ``shape`` is that of a single row."""

    dtype: Any
    fill: Any = 0
    shape: tuple[int, ...] = ()

    def rows(self, size: int) -> Array:
        return np.full((size, *self.shape), self.fill, np.dtype(self.dtype))

    def differs(self, rows: Array) -> NDArray[np.bool_]:
        """Which rows hold anything else than what they began with."""
        missing = isinstance(self.fill, float) and np.isnan(self.fill)
        other: Array = ~np.isnan(rows) if missing else rows != self.fill
        return np.asarray(other.reshape(len(rows), -1).any(axis=1), np.bool_)


class ColumnarEnvironment(Environment):
    """Declare ``group_cells`` and ``agent_cells``; each is then an attribute, an array with one row a group or an agent id."""

    group_cells: Mapping[str, Cells]
    agent_cells: Mapping[str, Cells]

    def reset(self, world: World, groups: Groups) -> None:
        super().reset(world, groups)
        self._grow()
        agents = self.agents_of(groups)
        for cells, rows in ((self.group_cells, groups), (self.agent_cells, agents)):
            for name, cell in cells.items():
                getattr(self, name)[rows] = cell.fill
        self.begin(groups)

    def admit(self, agents: AgentIds) -> None:
        self._grow()

    def begin(self, groups: Groups) -> None:
        """Set what an episode begins with in these groups; every cell holds its ``fill`` already."""

    def agents_of(self, groups: Groups) -> AgentIds:
        """All agents that are or were in these groups, in order of id."""
        everyone = np.arange(len(self.world.population), dtype=np.int64)
        if len(groups) >= self.world.groups:
            return everyone
        return everyone[np.isin(self.world.population.get(everyone, "group"), groups)]

    def group_of(self, agents: AgentIds) -> Groups:
        """The group of each agent."""
        if self.world.groups == 1:
            return np.broadcast_to(np.int64(0), agents.shape)
        return self.world.population.get(agents, "group")

    def state(self, groups: Groups | None = None) -> State:
        """All cells; or those of some groups, without agents of whom there is nothing to say, so that it fits a world in which more
        agents have come since."""
        if groups is None:
            return {
                "groups": {name: getattr(self, name).copy() for name in self.group_cells},
                "agents": {name: getattr(self, name).copy() for name in self.agent_cells},
            }
        agents = self.agents_of(groups)
        told = np.zeros(len(agents), np.bool_)
        for name, cell in self.agent_cells.items():
            told |= cell.differs(getattr(self, name)[agents])
        return {
            "groups": {name: getattr(self, name)[groups].copy() for name in self.group_cells},
            "ids": agents[told],
            "agents": {name: getattr(self, name)[agents[told]].copy() for name in self.agent_cells},
        }

    def load(self, state: State, groups: Groups | None = None) -> None:
        if not state:
            return
        if groups is None:
            for part in ("groups", "agents"):
                for name, values in state[part].items():
                    setattr(self, name, np.array(values))
            return
        for name, values in state["groups"].items():
            getattr(self, name)[groups] = values
        agents = self.agents_of(groups)
        for name, cell in self.agent_cells.items():
            getattr(self, name)[agents] = cell.fill
            getattr(self, name)[state["ids"]] = state["agents"][name]

    def _grow(self) -> None:
        for cells, size in ((self.group_cells, self.world.groups), (self.agent_cells, len(self.world.population))):
            for name, cell in cells.items():
                known: Array | None = getattr(self, name, None)
                if known is None:
                    setattr(self, name, cell.rows(size))
                elif len(known) < size:
                    setattr(self, name, np.concatenate([known, cell.rows(size - len(known))]))


def names_of(population: Population, agents: AgentIds) -> list[str]:
    """What agents are called: their ``name`` where the table has one, else kind and id."""
    if len(population.tables) == 1:
        return _names_in(next(iter(population.tables.values())), population.row_of(agents), agents)
    names: list[str] = [""] * len(agents)
    kinds = [population.kind_of(agent) for agent in agents.tolist()]
    for kind in sorted(set(kinds)):
        mine = np.array([at for at, other in enumerate(kinds) if other == kind], np.int64)
        for at, name in zip(mine.tolist(), _names_in(population[kind], population.row_of(agents[mine]), agents[mine]), strict=True):
            names[at] = name
    return names


def _names_in(table: Table, rows: Ints, agents: AgentIds) -> list[str]:
    called: list[Any] = table["name"][rows].tolist() if "name" in table else [""] * len(agents)
    return [str(name) if name else f"{table.kind} {agent}" for name, agent in zip(called, agents.tolist(), strict=True)]


def first_rows(agents: AgentIds) -> NDArray[np.bool_]:
    """True for the first row of each agent in a table of actions."""
    if len(agents) < 2 or (agents[1:] > agents[:-1]).all():
        return np.ones(len(agents), np.bool_)
    first = np.zeros(len(agents), np.bool_)
    first[np.unique(agents, return_index=True)[1]] = True
    return first


def positions(turn_agents: AgentIds, agents: AgentIds) -> Ints:
    """Where each of ``agents`` stands among ``turn_agents`` (any order, no repeats)."""
    if agents is turn_agents or np.array_equal(agents, turn_agents):
        return np.arange(len(agents), dtype=np.int64)
    order = np.argsort(turn_agents, kind="stable")
    return order[np.searchsorted(turn_agents, agents, sorter=order)]


def ranks(keys: Ints) -> Ints:
    """0, 1, 2, ... among the rows with the same key, in the order of rows."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    first = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])) if len(keys) else order
    out = np.empty(len(keys), np.int64)
    out[order] = np.arange(len(keys)) - np.repeat(first, np.diff(np.append(first, len(keys))))
    return out
