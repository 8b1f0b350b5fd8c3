"""One agent's turn, as its components see it: who it is, what is shown, how to ask, how to remember."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sociarium.kernel.content import Block, Content
from sociarium.kernel.errors import UsageError
from sociarium.kernel.outcomes import Status
from sociarium.kernel.turn import Observations, Turn, TurnKind
from sociarium.minds.language.component import Focus
from sociarium.minds.language.rendering import laid_out
from sociarium.models.request import Reply, Request, Sampling

if TYPE_CHECKING:
    from sociarium.minds.language.mind import LanguageMind


@dataclass(slots=True)
class Asking:
    """The agent in one row of a turn. ``troubles``: how questions of an inner turn ended that did not end well."""

    mind: LanguageMind
    turn: Turn
    seen: Observations
    row: int
    agent: int
    kind: str  # of agent
    labels: set[str] = field(default_factory=set[str])
    troubles: list[tuple[Status, str]] = field(default_factory=list[tuple[Status, str]])

    @property
    def probe(self) -> bool:
        """A survey or an interview: memory is read, and nothing is written."""
        return self.turn.kind == TurnKind.PROBE

    @property
    def name(self) -> str:
        return self.mind.name_of(self.agent)

    def described(self) -> Content:
        """What the environments of this phase show this agent, in words."""
        world = self.mind.world
        return tuple(block for name in self.turn.phase.environments for block in world[name].describe(self.seen, self.row))

    def value(self, environment: str, column: str) -> Any:
        """A number that this agent sees."""
        try:
            return self.seen[environment][column][self.row]
        except KeyError:
            shown = ", ".join(f"{name}.{key}" for name, part in self.seen.parts.items() for key in part)
            raise UsageError(f"phase {self.turn.phase.name!r} shows no {environment}.{column}; it shows {shown or 'nothing'}") from None

    async def context(self, focus: Focus, uses: Sequence[str] | None = None) -> Content:
        """What the components have to say to a question, in their order."""
        blocks: list[Block] = []
        for component in self.mind.components:
            if uses is None or component.name in uses:
                blocks += await component.context(self, focus)
        return tuple(blocks)

    async def ask(
        self, label: str, blocks: Content, *, schema: Mapping[str, Any] | None = None, sampling: Sampling | None = None, route: str = ""
    ) -> Reply:
        """Ask this agent's model (or ``route``). Blocks are laid out, and words of agents marked, here and nowhere else."""
        return await self.send(label, self.request(blocks, schema=schema, sampling=sampling), route=route)

    def request(self, blocks: Content, *, schema: Mapping[str, Any] | None = None, sampling: Sampling | None = None) -> Request:
        return Request(laid_out(blocks), schema=schema, sampling=sampling or self.mind.sampling)

    async def send(self, label: str, request: Request, *, route: str = "") -> Reply:
        self._first(label)
        return await self.turn.ask(self.row, request, label, route=self.mind.route(route, self.agent))

    async def send_all(self, label: str, requests: Sequence[Request], *, route: str = "") -> list[Reply]:
        self._first(label)
        return await self.turn.ask_all(self.row, requests, label, route=self.mind.route(route, self.agent))

    def trouble(self, reply: Reply, label: str) -> None:
        """Note that a question of this turn did not end well."""
        self.troubles.append((reply.status, f"{label}: {reply.error or reply.status.name.lower()}"))

    def _first(self, label: str) -> None:
        if label in self.labels:
            raise UsageError(f"two questions with the label {label!r} in one turn of agent {self.agent}; give a component another label")
        self.labels.add(label)


async def together(waiting: Sequence[Any]) -> list[Any]:
    """All to their end, then the first error: a reply that is paid for is never left behind."""
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    for one in ended:
        if isinstance(one, BaseException):
            raise one
    return ended
