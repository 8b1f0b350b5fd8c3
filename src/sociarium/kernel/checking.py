"""Between deciding and doing: gates, and the check that no one acts outside the legal set or in another's name."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.actions import Actions, ActionSpec, ActionTable, among, in_turn_order
from sociarium.kernel.errors import UsageError
from sociarium.kernel.outcomes import Status
from sociarium.kernel.turn import Observations, Turn


class Gate(Protocol):
    """Moderation, approval, defence, interception: pass, change or refuse each row (``Actions.refuse``), with a reason."""

    async def review(self, turn: Turn, seen: Observations, actions: Actions) -> Actions: ...


Refused = list[tuple[str, NDArray[np.int64], str]]


def checked(turn: Turn, actions: Actions) -> tuple[Actions, Refused]:
    """The rows that may be carried out, in the order of the turn's agents, and those that may not, each with the reason its agent
    is told. Whoever tried something outside the legal set has the status ``illegal``."""
    illegal: Refused = []
    offered = {spec.full: spec for spec in turn.offers}
    kept: dict[str, ActionTable] = {}
    same = True
    order = {name: place for place, name in enumerate(offered)}
    # An agent is told the first thing that is wrong: first in the order of what is on offer, whatever order its mind has
    for name, table in sorted(actions.tables.items(), key=lambda one: (order.get(one[0], len(order)), one[0])):
        if name not in offered:
            illegal.append((name, table.agents, "not on offer now"))
            same = False
            continue
        kept[name] = _checked(turn, offered[name], table, illegal)
        same = same and kept[name] is table
    refused = [*actions.refused, *illegal]
    if same:
        return actions, refused
    for _, agents, reason in illegal:
        _mark_illegal(turn, actions, agents, reason)
    tables = {name: kept[name] for name in actions.tables if name in kept}
    return replace(actions, tables=tables, refused=[]), refused


def _checked(turn: Turn, spec: ActionSpec, table: ActionTable, illegal: Refused) -> ActionTable:
    """The legal rows of one table; the others go to ``illegal``, each once, for the first thing that is wrong with it."""
    if table.columns.keys() != spec.arguments.keys():
        raise UsageError(f"action {spec.full} takes {list(spec.arguments)}; its table has the columns {list(table.columns)}")
    if table.agents is not turn.agents and not (mine := among(table.agents, turn.agents)).all():
        illegal.append((spec.full, table.agents[~mine], "not this agent's turn"))
        table = table.where(mine)
    for name, argument in spec.arguments.items():
        wrong = argument.wrong(table.columns[name])
        if wrong is not None:
            illegal.append((spec.full, table.agents[wrong], f"{name} must be {argument.legal()}"))
            table = table.where(~wrong)
    return in_turn_order(table, turn.agents)


def _mark_illegal(turn: Turn, actions: Actions, agents: NDArray[np.int64], reason: str) -> None:
    """Status ``illegal`` for those of the turn whose own report was that all went well."""
    if actions.status is None:
        actions.status = np.zeros(len(turn.agents), np.uint8)
    rows = np.flatnonzero(np.isin(turn.agents, agents) & (actions.status <= Status.REPAIRED))
    actions.status[rows] = Status.ILLEGAL
    for row in rows:
        actions.reasons.setdefault(int(turn.agents[row]), reason)
