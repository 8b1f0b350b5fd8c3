"""A gate that looks at every turn of a run: it lets all actions pass, and tries on copies what must change nothing."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from sociarium.kernel.actions import Actions
from sociarium.kernel.checking import checked
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Observations, Turn
from sociarium.testing.digests import same_state
from sociarium.testing.errors import ConformanceError

DESCRIBED = 16  # rows worded a turn


class Inspector:
    """``observe`` and ``describe`` are pure and complete; a refused row has a reason, and leaves no trace."""

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation
        self.refused = 0

    async def review(self, turn: Turn, seen: Observations, actions: Actions) -> Actions:
        self.look(turn, seen)
        self.half_applied(turn, seen, actions)
        return actions

    def look(self, turn: Turn, seen: Observations) -> None:
        """Seeing and wording change no state, and give every agent of the turn one value a column."""
        world = self.simulation.world
        before = copy.deepcopy(world.state())
        again = world.observe(turn)
        for name, columns in again.parts.items():
            for column, values in columns.items():
                if len(values) != len(turn.agents):
                    raise ConformanceError(
                        f"{name}.observe in {_where(turn)}: column {column!r} has {len(values)} values for {len(turn.agents)} agents"
                    )
            for row in range(min(len(turn.agents), DESCRIBED)):
                world[name].describe(again, row)
        same_state(f"observe and describe change nothing ({_where(turn)})", before, world.state())
        same_state(f"observe gives the same when asked twice ({_where(turn)})", _plain(seen), _plain(again))

    def half_applied(self, turn: Turn, seen: Observations, actions: Actions) -> None:
        """The world is the same whether a row that it refuses was there or not."""
        legal, _ = checked(turn, _copied(actions))
        tried = self.simulation.fork().world
        refusals = [
            (action if "." in action else f"{name}.{action}", np.asarray(agents), reason)
            for name, outcome in tried.apply(turn, seen, _copied(legal)).items()
            for action, agents, reason in outcome.refusals
        ]
        for action, agents, reason in refusals:
            if not reason.strip():
                raise ConformanceError(f"{action} in {_where(turn)} refuses agents {agents[:5].tolist()} without a reason")
            if action not in legal.tables or not np.isin(agents, legal.tables[action].agents).all():
                raise ConformanceError(f"{action} in {_where(turn)} refuses agents {agents[:5].tolist()}, who did not try it")
        reduced, whole = _copied(legal), True
        for action, agents, _ in refusals:
            table = reduced.tables[action]
            rows = np.isin(table.agents, agents)
            whole = whole and len(np.unique(table.agents[rows])) == rows.sum()  # one row an agent: which one was refused is known
            reduced.tables[action] = table.where(~rows)
        if refusals and whole:
            self.refused += sum(len(agents) for _, agents, _ in refusals)
            without = self.simulation.fork().world
            without.apply(turn, seen, reduced)
            contract = f"a refused row is not carried out by half ({refusals[0][0]} in {_where(turn)}: {refusals[0][2]})"
            same_state(contract, without.state(), tried.state())


def _copied(actions: Actions) -> Actions:
    return Actions(dict(actions.tables), None if actions.status is None else actions.status.copy(), actions.fallback, dict(actions.reasons))


def _plain(seen: Observations) -> dict[str, Any]:
    return {name: {column: np.array(values) for column, values in part.items()} for name, part in seen.parts.items()}


def _where(turn: Turn) -> str:
    return f"tick {turn.tick}, phase {turn.phase.name}, turn {turn.number}"
