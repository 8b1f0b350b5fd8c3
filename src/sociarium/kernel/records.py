"""What one tick leaves behind, as the kernel hands it to a recorder: columns, already in their final order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.outcomes import Status

Ints = NDArray[np.int64]


@dataclass(slots=True)
class EventRows:
    """Events of one kind in one phase, one row an event, in order of id. All arrays have one length."""

    kind: str  # "commons.harvested"
    phase: str
    ids: Ints  # for ever increasing within a run
    lanes: Ints
    turns: Ints
    actors: Ints  # agent ids; -1: the world itself
    audience: str  # "group", "own", "nobody" or "some"
    recipients: list[Ints] | None  # one array of agent ids a row, where the audience is "some"
    data: dict[str, NDArray[Any]]  # numbers, or object arrays of str; private arguments are here too

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(slots=True)
class OutcomeRows:
    """How agent-turns ended. ``counts`` covers all of them; rows are kept for agents whose mind asks to be recorded, and for
    every turn that was not plainly ok."""

    phase: str
    turn: int
    counts: dict[str, int]  # status name -> agent-turns
    fallbacks: int
    agents: Ints
    lanes: Ints
    status: NDArray[np.uint8]
    fallback: NDArray[np.bool_]
    reasons: list[str]


@dataclass(frozen=True, slots=True)
class Refusal:
    """An action row that the world did not carry out, and what its agent was told."""

    phase: str
    lane: int
    turn: int
    agent: int
    action: str
    reason: str


@dataclass(slots=True)
class TickRecord:
    """One committed tick. Times are whole microseconds of simulated time."""

    tick: int
    time: int
    until: int
    events: list[EventRows] = field(default_factory=list[EventRows])
    counts: dict[str, int] = field(default_factory=dict[str, int])  # kind -> events, kept whole or not
    outcomes: list[OutcomeRows] = field(default_factory=list[OutcomeRows])
    applied: dict[str, int] = field(default_factory=dict[str, int])  # action -> rows carried out
    refusals: list[Refusal] = field(default_factory=list[Refusal])
    measures: dict[str, NDArray[Any]] = field(default_factory=dict[str, NDArray[Any]])  # "commons.stock" -> one value a group
    ended: Ints = field(default_factory=lambda: np.empty(0, np.int64))  # groups that ended in this tick
    interventions: list[Mapping[str, Any]] = field(default_factory=list[Mapping[str, Any]])
    called: bool = False  # whether anything from outside was asked

    def shares(self) -> dict[str, int]:
        """Agent-turns by outcome over all phases."""
        total = {status.name.lower(): 0 for status in Status}
        for rows in self.outcomes:
            for name, count in rows.counts.items():
                total[name] += count
        return {name: count for name, count in total.items() if count}
