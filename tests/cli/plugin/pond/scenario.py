"""Fishers on one pond, ruled or asked: small, but with text, calls, a measure, events and a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from sociarium.kernel.actions import Actions, Number, Text, action
from sociarium.kernel.content import Block
from sociarium.kernel.environment import Environment, Events, Outcome
from sociarium.kernel.mind import Mind
from sociarium.kernel.outcomes import Status
from sociarium.kernel.population import Population
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Phase
from sociarium.lab.scenario import Scenario
from sociarium.models.request import Request, Sampling

WILD = "hello \x1b]0;owned\x07\x1b[2J\x1b[31mred\x9b31m\r\u202egnp.\u2066x\u200b end"
SCHEMA = {
    "type": "object",
    "properties": {"quantity": {"type": "integer", "minimum": 0, "maximum": 9}, "words": {"type": "string"}},
    "required": ["quantity", "words"],
    "additionalProperties": False,
}


class Water(Environment):
    name = "water"

    def __init__(self, stock: float) -> None:
        self.begins = stock

    def reset(self, world: Any, groups: Any) -> None:
        super().reset(world, groups)
        self.stock = np.full(1, self.begins)

    def observe(self, turn: Any) -> dict[str, Any]:
        return {"stock": np.broadcast_to(self.stock[0], len(turn.agents))}

    @action("take some fish", quantity=Number(0, 1_000), words=Text())
    def fish(self, turn: Any, seen: Any, table: Any) -> Outcome:
        self.stock = np.maximum(self.stock - table["quantity"].sum(), 0.0)
        return Outcome([Events("fished", table.agents, {"quantity": table["quantity"], "words": table["words"]})])

    def advance(self, to: int) -> None:
        self.stock = np.minimum(self.stock * 2, self.begins)

    def measures(self) -> dict[str, Any]:
        return {"stock": self.stock}

    def state(self, groups: Any = None) -> dict[str, Any]:
        return {"stock": self.stock}

    def load(self, state: Any, groups: Any = None) -> None:
        self.stock = np.array(state["stock"])


class Ruled(Mind):
    def __init__(self, words: str) -> None:
        self.words = words

    async def decide(self, turn: Any, seen: Any) -> Actions:
        count = len(turn.agents)
        wish = turn.random("wish").uniform(turn.agents) * 10
        return Actions.one(turn, "fish", quantity=np.floor(wish), words=np.array([self.words] * count, object))


class Asked(Mind):
    paced = True

    async def decide(self, turn: Any, seen: Any) -> Actions:
        replies = [await turn.ask(row, question(int(agent)), "fish") for row, agent in enumerate(turn.agents)]
        values = [reply.value if reply.good else {"quantity": 0, "words": ""} for reply in replies]
        quantity = np.array([value["quantity"] for value in values], np.float64)
        actions = Actions.one(turn, "fish", quantity=quantity, words=np.array([v["words"] for v in values], object))
        for row, reply in enumerate(replies):
            actions.mark(turn, row, reply.status if not reply.good else Status.OK, reply.error, fallback=not reply.good)
        return actions


def question(agent: int) -> Request:
    return Request(
        (Block(f"You are fisher {agent}. How much do you take?", role="user"),), schema=SCHEMA, sampling=Sampling(temperature=1.0)
    )


class Pond(Scenario):
    """Fishers on one pond."""

    slug: ClassVar[str] = "pond"
    title: ClassVar[str] = "Fishers on one pond"
    progress: ClassVar[tuple[str, ...]] = ("water.fished",)
    headline: ClassVar[tuple[str, ...]] = ("water.stock",)

    months: int = Field(4, ge=1, le=60, description="how long it lasts", json_schema_extra={"unit": "months"})
    fishers: int = Field(3, ge=1, le=50, description="how many fish")
    stock: float = Field(100.0, gt=0, le=1e6, description="fish at the start", json_schema_extra={"unit": "fish"})
    mood: Literal["calm", "wild"] = Field("calm", description="what they say")

    def build(self, seed: int) -> Simulation:
        minds: list[Mind] = [Asked() if self.model else Ruled(WILD if self.mood == "wild" else "fine")]
        names = np.array([f"Fisher {number}" + (WILD if self.mood == "wild" else "") for number in range(self.fishers)], object)
        population = Population.of("fisher", self.fishers, name=names)
        return Simulation(population, [Water(self.stock)], minds, Rounds([Phase("fishing", "water")], self.months), seed=seed)

    def total_ticks(self) -> int:
        return self.months

    def plot(self, folder: Path, target: Path) -> Path:
        from matplotlib.figure import Figure

        from sociarium.record.frames import frames

        tables = frames(folder)
        values = tables.measures()["value"].to_list()
        tables.close()
        figure = Figure()
        figure.add_subplot().plot(values)
        figure.savefig(target)
        return target
