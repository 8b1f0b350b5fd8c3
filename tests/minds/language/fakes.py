"""A door that answers by a function, after a seeded number of turns of the event loop, and remembers what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from sociarium.kernel.actions import Flag, Integer, Text, action
from sociarium.kernel.content import Block, said
from sociarium.kernel.environment import Environment, Events, Outcome
from sociarium.kernel.protocols import Address
from sociarium.models.request import Reply, Request

Answer = Callable[[Request, Address, str], Reply]


@dataclass
class FakeDoor:
    answer: Answer
    delay: int | None = None  # seed of the delays, None: none
    asked: list[tuple[Address, Request, str]] = field(default_factory=list)

    async def ask(self, request: Request, address: Address, *, route: str = "default", drawn_at: Address | None = None) -> Reply:
        self.asked.append((address, request, route))
        if self.delay is not None:
            random = np.random.Generator(np.random.Philox(key=self.delay, counter=len(self.asked)))
            for _ in range(int(random.integers(0, 40))):
                await asyncio.sleep(0)
        return self.answer(request, address, route)

    async def ask_all(
        self, requests: Sequence[Request], address: Address, *, route: str = "default", drawn_at: Address | None = None
    ) -> list[Reply]:
        return list(await asyncio.gather(*(self.ask(r, replace(address, number=n), route=route) for n, r in enumerate(requests))))


class Pond(Environment):
    """A lake a group, without limits of its own: what was wanted is caught."""

    name = "pond"

    def reset(self, world, groups):
        self.world = world
        self.caught = np.zeros(len(world.population), np.int64)

    def observe(self, turn):
        return {"stock": np.full(len(turn.agents), 50), "caught": self.caught[turn.agents]}

    def describe(self, seen, row):
        return (Block(f"There are {seen['pond']['stock'][row]} tons.", origin="pond"),)

    @action("Take fish.", quantity=Integer(0, 100, doc="how much", unit="tons"))
    def take(self, turn, seen, table):
        self.caught[table.agents] = table["quantity"]
        return Outcome([Events("taken", table.agents, {"caught": table["quantity"]})])


class Circle(Environment):
    """Everyone speaks in turn, once a tick, a lane a group."""

    name = "circle"

    def reset(self, world, groups):
        self.world = world
        self.lines: dict[int, list[tuple[int, str]]] = {g: [] for g in range(world.groups)}

    def turn(self, phase, lanes):
        sizes = np.diff(lanes.starts)
        live = np.flatnonzero(lanes.played < sizes)
        if not len(live):
            return None
        return lanes.turn(lanes.agents[lanes.starts[live] + lanes.played[live]], lanes.ids[live])

    def observe(self, turn):
        return {"participants": np.bincount(self.world.population.get(self.world.population.ids(), "group"))[turn.lanes]}

    def describe(self, seen, row):
        names = self.world.population["person"]["name"]
        return tuple(said(text, str(names[who])) for who, text in self.lines[int(seen.turn.lanes[row])])

    @action("Speak.", text=Text(longest=500), end=Flag(), next=Integer(0, doc="who speaks next"))
    def say(self, turn, seen, table):
        for agent, text in zip(table.agents.tolist(), table["text"], strict=True):
            self.lines[int(self.world.population.get(np.array([agent]), "group")[0])].append((agent, text))
        return Outcome([Events("said", table.agents, {"text": table["text"]})])

    def advance(self, to):
        for lines in self.lines.values():
            lines.clear()


class HashEmbedder:
    """Eight numbers from the bytes of a text."""

    def vectors(self, texts: Sequence[str]) -> Any:
        rows = [np.bincount(np.frombuffer(t.encode(), np.uint8) % 8, minlength=8) for t in texts]
        return np.array(rows, np.float32) + 0.25


class Survey(Environment):
    """One question, whose answers change nothing."""

    name = "survey"

    def observe(self, turn):
        return {}

    def describe(self, seen, row):
        return (Block("How worried are you about the lake, from 0 to 10?", origin="survey"),)

    @action("Answer.", quantity=Integer(0, 10))
    def answer(self, turn, seen, table):
        return None
