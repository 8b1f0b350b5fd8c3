"""Agents that say who they are before the rest begins: name, gender, age and a paragraph, written once, into columns of their own.

The phase that this environment leads comes once. Whoever has introduced itself (or brought a background along) has no turn in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.columnar import first_rows
from sociarium.kernel.actions import ActionTable, Integer, Text, action
from sociarium.kernel.content import Block, Content, Layer
from sociarium.kernel.environment import AgentIds, Environment, Events, Groups, Outcome
from sociarium.kernel.population import Column
from sociarium.kernel.turn import Lanes, Moment, Observations, Phase, Turn
from sociarium.kernel.world import World

Array = NDArray[Any]

COLUMNS = (
    Column("name", str, ""),
    Column("gender", str, ""),
    Column("age", np.int64, 0, unit="years"),
    Column("background", str, "", doc="who the agent is, in a paragraph"),
)


class Backgrounds(Environment):
    """``given``: text columns that an agent's background must fit, shown to it as ``label: value``."""

    name: ClassVar[str] = "background"

    def __init__(self, given: Sequence[str] = (), *, kind: str = "player") -> None:
        self.given = tuple(given)
        self.kind = kind

    def reset(self, world: World, groups: Groups) -> None:
        super().reset(world, groups)
        table = world.population[self.kind]
        for column in COLUMNS:
            if column.name not in table:
                table.add_column(column)

    def lanes(self, phase: Phase, awake: AgentIds, moment: Moment) -> Lanes:
        """Each agent by itself: nobody waits for another."""
        strangers = awake[self.world.population.get(awake, "background") == ""] if len(awake) else awake
        return Lanes.by(moment, strangers, strangers)

    def observe(self, turn: Turn) -> Mapping[str, Array]:
        """The given columns."""
        return {name: self.world.population.get(turn.agents, name) for name in self.given}

    def describe(self, seen: Observations, row: int) -> Content:
        lines = [f"{name.replace('_', ' ')}: {seen[self.name][name][row]}" for name in self.given]
        return (Block("\n".join(lines), origin=self.name, layer=Layer.MOVING),) if lines else ()

    @action(
        "Say who you are.",
        name=Text(doc="a full name", longest=80),
        gender=Text(longest=40),
        age=Integer(0, 120, unit="years"),
        background=Text(doc="a paragraph on personality and past", longest=2000),
    )
    def introduce(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        first = first_rows(table.agents)
        outcome = Outcome()
        if not first.all():
            outcome.refuse(f"{self.name}.introduce", table.agents[~first], "one background a life")
            table = table.where(first)
        for column in COLUMNS:
            self.world.population.set(table.agents, column.name, table[column.name])
        outcome.events.append(Events("introduced", table.agents, {column.name: table[column.name] for column in COLUMNS}, "own"))
        return outcome
