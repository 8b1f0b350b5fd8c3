"""Games played in memory by rules or by a table, for claims and for logs: no record, no model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.records import TickRecord
from sociarium.kernel.simulation import Simulation
from sociarium.scenarios.govsim.game import CommonsGame
from sociarium.scenarios.govsim.policies import Table

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Played:
    """One game. ``catches`` is (months, agents of all lakes), units; ``measures`` are those of the last month, one value a lake."""

    catches: Array
    measures: Mapping[str, Array]

    def value(self, name: str) -> float:
        """A measure of the first lake."""
        return float(self.measures[f"commons.{name}"][0])


async def play(
    game: CommonsGame, *, seed: int = 0, wishes: Sequence[Sequence[int]] | Array | None = None, months: int | None = None
) -> Played:
    """By the game's policies, or by a table of wishes (months, agents); at most so many months."""
    simulation = game.built(seed)
    if wishes is not None:
        simulation = _with_table(game, seed, np.asarray(wishes, np.int64))
    catches: list[Array] = []
    last: list[TickRecord] = []

    def keep(record: TickRecord) -> None:
        last[:] = [record]
        catches.extend(
            np.asarray(rows.data["caught"])[np.argsort(rows.actors)] for rows in record.events if rows.kind == "commons.harvested"
        )

    simulation.on_tick.append(keep)
    await simulation.run(months)
    return Played(np.array(catches), last[0].measures)


def _with_table(game: CommonsGame, seed: int, wishes: Array) -> Simulation:
    silent = game.changed({"language": "none"})
    return silent.build_with(seed, Table(wishes))
