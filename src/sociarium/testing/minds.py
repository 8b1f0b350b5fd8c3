"""Does a mind keep its contract?"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np

from sociarium.kernel.actions import Actions, ActionTable
from sociarium.kernel.checking import checked
from sociarium.kernel.outcomes import Status
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Observations, Turn, TurnKind
from sociarium.testing.digests import Build, digest_of_state, same_state, same_ticks, ticks_of
from sociarium.testing.errors import ConformanceError


def mind_test(build: Build, *, ticks: int | None = None, rounds: int = 1) -> None:
    """The minds of a simulation decide in turns of their own agents only, inside the legal set; a row does not depend on who else is in
    the batch; to be asked in a probe leaves no trace; ``state`` and ``load`` are identity.

    ``rounds``: ticks before the one at which the run is saved. Where ``build`` gives a door, its journal must answer again at an
    address that it knows (``MemoryJournal`` does).
    """
    first = build()
    inspector = MindInspector(first)
    first.gates.append(inspector)
    expected = ticks_of(first, ticks)
    if not inspector.turns:
        raise ConformanceError("no mind was ever asked: the run has no turn with an action on offer")
    half = build()
    head = ticks_of(half, rounds)
    saved = copy.deepcopy(half.state())
    loaded = build()
    loaded.load(copy.deepcopy(saved))
    for number, mind in enumerate(loaded.minds.all):
        same_state(f"mind {number} ({type(mind).__name__}): state, load, state", saved["minds"][str(number)], mind.state())
    tail = ticks_of(loaded, None if ticks is None else ticks - rounds)
    same_ticks("minds that are saved and loaded decide as if nothing had happened", expected, [*head, *tail])


class MindInspector:
    """A gate: passes everything, and asks copies of the minds what must change nothing."""

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation
        self.turns = 0

    async def review(self, turn: Turn, seen: Observations, actions: Actions) -> Actions:
        if not turn.offers:
            return actions
        self.turns += 1
        where = f"tick {turn.tick}, phase {turn.phase.name}, turn {turn.number}"
        self.legal(where, turn, actions)
        await self.probed(where, turn, seen)
        await self.parted(where, turn, seen)
        return actions

    def legal(self, where: str, turn: Turn, actions: Actions) -> None:
        """Nothing outside the legal set, unless the mind says so itself; one status an agent."""
        for name in ("status", "fallback"):
            values = getattr(actions, name)
            if values is not None and len(values) != len(turn.agents):
                raise ConformanceError(f"{where}: {name} has {len(values)} values for {len(turn.agents)} agents")
        status = None if actions.status is None else actions.status.copy()
        _, refused = checked(turn, replace(actions, status=status, tables=dict(actions.tables), reasons=dict(actions.reasons)))
        for action, agents, reason in refused:
            own = np.isin(turn.agents, agents)
            if actions.status is None or (actions.status[own] != Status.ILLEGAL).any() or not own.any():
                raise ConformanceError(f"{where}: {action} of agents {agents[:5].tolist()} is outside the legal set: {reason}")

    async def probed(self, where: str, turn: Turn, seen: Observations) -> None:
        """Asked in a probe, no mind changes."""
        asked = self.simulation.fork()
        before = copy.deepcopy(asked.state()["minds"])
        await asked.minds.decide(replace(turn, kind=TurnKind.PROBE), seen)
        same_state(f"a probe changes no mind ({where})", before, asked.state()["minds"])

    async def parted(self, where: str, turn: Turn, seen: Observations) -> None:
        """Asked by lanes, each agent decides as it does among all."""
        together = await self.simulation.fork().minds.decide(turn, seen)
        apart = self.simulation.fork()
        rows: dict[str, dict[int, str]] = {}
        for lane in np.unique(turn.lanes):
            mask = np.asarray(turn.lanes == lane)
            part = turn.part(mask)
            for name, agents in _rows(await apart.minds.decide(part, seen.part(mask, part))).items():
                rows.setdefault(name, {}).update(agents)
        for name, agents in _rows(together).items():
            for agent, digest in agents.items():
                if rows.get(name, {}).get(agent) != digest:
                    raise ConformanceError(f"{where}: agent {agent} decides {name} otherwise when its lane is asked by itself")


def _rows(actions: Actions) -> dict[str, dict[int, str]]:
    """Digest of the rows of each agent, by action."""
    return {name: {int(a): _digest(table, int(a)) for a in np.unique(table.agents)} for name, table in actions.tables.items()}


def _digest(table: ActionTable, agent: int) -> str:
    columns: dict[str, Any] = {name: np.array(column[table.agents == agent]) for name, column in table.columns.items()}
    return digest_of_state(columns)
