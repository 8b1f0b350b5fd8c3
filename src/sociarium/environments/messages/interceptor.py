"""An interceptor between deciding and doing: it judges messages, blocks what it flags, and bans senders or edges that are flagged often.

Blocking a flagged message and banning after several are different switches, for they act differently: where flagged messages are still
delivered until the ban counts, to ban an edge stops nothing, as whoever is at its end has the message already.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.messages.messages import Messages
from sociarium.kernel.actions import Actions, ActionTable
from sociarium.kernel.errors import UsageError
from sociarium.kernel.randomness import Stream
from sociarium.kernel.turn import Observations, Turn

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

Judge = Callable[[str], bool]  # whether a text is what the interceptor looks for


@dataclass(frozen=True, slots=True)
class InterceptorRules:
    """``miss``: chance that what it looks for is not flagged; ``false_alarm``: chance that anything else is. ``block``: whether a flagged
    message is kept back. ``node_ban`` and ``edge_ban``: after so many flagged messages a sender (or a sender towards one other) can send no
    more; None for never."""

    miss: float = 0.0
    false_alarm: float = 0.0
    block: bool = True
    node_ban: int | None = None
    edge_ban: int | None = None

    def __post_init__(self) -> None:
        for name in ("miss", "false_alarm"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"InterceptorRules: {name} is {getattr(self, name)}; it is a probability")
        for name in ("node_ban", "edge_ban"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise UsageError(f"InterceptorRules: {name} is {value}; it is a number of flagged messages, 1 or more, or None")


@dataclass(slots=True)
class Interceptor:
    """A gate. Its counts lie in ``messages``, so they are saved with it. One draw a step, sender and edge says whether the detector errs:
    two interceptors with the same seed err alike, whatever they do about it."""

    messages: Messages
    judge: Judge
    rules: InterceptorRules = InterceptorRules()
    _judged: dict[str, bool] = field(default_factory=dict[str, bool])

    async def review(self, turn: Turn, seen: Observations, actions: Actions) -> Actions:
        name = f"{self.messages.name}.send"
        if name not in actions.tables or not len(actions.tables[name]):
            return actions
        banned = self.banned(actions.tables[name])
        if banned.any():
            actions.refuse(name, banned, "this message was not delivered: you may not write to them any more")
        table = actions.tables[name]
        flagged, edges = self.flagged(table, turn.random("interceptor"))
        np.add.at(self.messages.violations, table.agents[flagged], 1)
        np.add.at(self.messages.edge_violations, edges[flagged], 1)
        if self.rules.block and flagged.any():
            actions.refuse(name, flagged, "this message was not delivered: it was held back")
        return actions

    def banned(self, table: ActionTable) -> Bools:
        """Rows whose sender, or sender towards this one, has been flagged too often before."""
        out = np.zeros(len(table), np.bool_)
        if self.rules.node_ban is not None:
            out |= self.messages.violations[table.agents] >= self.rules.node_ban
        if self.rules.edge_ban is not None:
            edges = self.messages.edges(table.agents, table["to"])
            out |= (edges >= 0) & (self.messages.edge_violations[np.maximum(edges, 0)] >= self.rules.edge_ban)
        return out

    def flagged(self, table: ActionTable, random: Stream) -> tuple[Bools, Ints]:
        """Rows that the detector marks, and the edge of each; to strangers nothing is sent, so nothing is marked."""
        edges = self.messages.edges(table.agents, table["to"])
        wanted = np.fromiter(map(self._is_wanted, table["text"].tolist()), np.bool_, len(table))
        drawn = random.uniform(np.maximum(edges, 0))
        return (edges >= 0) & np.where(wanted, drawn >= self.rules.miss, drawn < self.rules.false_alarm), edges

    def _is_wanted(self, text: str) -> bool:
        if text not in self._judged:
            if len(self._judged) >= 100_000:
                self._judged.clear()
            self._judged[text] = self.judge(text)
        return self._judged[text]
