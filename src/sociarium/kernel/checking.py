"""Between deciding and doing: gates, and the check that no one acts outside the legal set or in another's name."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.actions import Actions, ActionTable
from sociarium.kernel.turn import Observations, Turn


class Gate(Protocol):
    """Moderation, approval, defence, interception: pass, change or refuse each row, with a reason."""

    async def review(self, turn: Turn, seen: Observations, actions: Actions) -> Actions: ...


Refused = list[tuple[str, NDArray[np.int64], str]]


def checked(turn: Turn, actions: Actions) -> tuple[Actions, Refused]:
    """The rows that may be carried out, and those that may not, each with the reason its agent is told."""
    refused: Refused = []
    offered = {spec.full: spec for spec in turn.offers}
    kept: dict[str, ActionTable] = {}
    for name, table in actions.tables.items():
        if name not in offered:
            refused.append((name, table.agents, "not on offer now"))
            continue
        if table.agents is not turn.agents and not _all_in(table.agents, turn.agents):
            mine = np.isin(table.agents, turn.agents)
            refused.append((name, table.agents[~mine], "not this agent's turn"))
            table = table.where(mine)
        for argument, values in table.columns.items():
            declared = offered[name].arguments[argument]
            wrong = declared.wrong(values)
            if wrong is not None:
                refused.append((name, table.agents[wrong], f"{argument} must be {declared.legal()}"))
                table = table.where(~wrong)
        kept[name] = table
    if not refused:
        return actions, refused
    return Actions(kept, actions.status, actions.fallback, actions.reasons), refused


def _all_in(some: NDArray[np.int64], among: NDArray[np.int64]) -> bool:
    if len(some) == len(among) and np.array_equal(some, among):
        return True
    return bool(np.isin(some, among).all())
