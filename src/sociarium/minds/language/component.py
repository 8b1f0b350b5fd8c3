"""The parts of a language mind: what each may know, ask, keep and decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.content import Content
from sociarium.kernel.environment import News
from sociarium.kernel.outcomes import Status
from sociarium.minds.language.retrieval import Kind

if TYPE_CHECKING:
    from sociarium.minds.language.asking import Asking
    from sociarium.minds.language.mind import LanguageMind

AgentIds = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Focus:
    """What a question is about: memories are sought by ``queries`` (the best match counts), at most ``top`` of them. ``kinds``: the only
    ones that come to mind (what one is left with where part of the memory is taken away); None: all that the memory's rule shows."""

    queries: tuple[str, ...] = ()
    top: int = 10
    kinds: frozenset[Kind] | None = None


@dataclass(slots=True)
class Decision:
    """What one agent does in its turn, and how the turn ended. ``reason`` is for the record; it is never anyone's words."""

    actions: list[tuple[str, dict[str, Any]]] = field(default_factory=list[tuple[str, dict[str, Any]]])
    status: Status = Status.OK
    reason: str = ""
    fallback: bool = False


class Component:
    """The base of all components. ``name`` is where its state lies. Inside a turn a component writes its own agent's rows only."""

    name: str = "component"
    mind: LanguageMind

    def begin(self, mind: LanguageMind) -> None:
        """Called once, when the simulation is built."""
        self.mind = mind

    def admit(self, agents: AgentIds) -> None:
        """Agents that have come to this mind."""

    def hear(self, news: Sequence[News]) -> None:
        """What happened: to be stored only."""

    async def context(self, asking: Asking, focus: Focus) -> Content:
        """Blocks for any question of this agent: rules, persona, memories."""
        return ()

    async def think(self, asking: Asking) -> None:
        """An inner turn: remember, reflect, plan."""

    def state(self) -> dict[str, Any]:
        """Arrays and plain data, the same however replies arrived."""
        return {}

    def load(self, state: Mapping[str, Any]) -> None:
        """The inverse of ``state``."""


class Decider(Component):
    """A component that answers turns in which something is on offer.

    It answers where an action in ``actions`` (all, when empty) is on offer, in ``phases`` and for ``kinds`` of agents (all, when
    empty). ``fallback``: actions with arguments that stand in where no legal decision came; nothing is done where it is empty.
    ``uses``: the components whose context goes into the prompt (all, when None).
    """

    actions: tuple[str, ...] = ()
    phases: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    fallback: Mapping[str, Mapping[str, Any]] = {}
    uses: tuple[str, ...] | None = None

    def answers(self, asking: Asking) -> bool:
        turn = asking.turn
        return (
            (not self.actions or any(turn.offered(name) for name in self.actions))
            and (not self.phases or turn.phase.name in self.phases)
            and (not self.kinds or asking.kind in self.kinds)
        )

    async def decide(self, asking: Asking) -> Decision:
        raise NotImplementedError(type(self).__name__)

    def stood_in(self, asking: Asking, status: Status, reason: str) -> Decision:
        """The stated fallback, marked as one."""
        turn = asking.turn
        acts = [(turn.offer(name).full, dict(arguments)) for name, arguments in self.fallback.items() if turn.offered(name)]
        return Decision(acts, status, reason, fallback=True)
