"""What a record of a town tells: steps, activities, talks and who heard of what, read back once for pictures and replays."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class History:
    """The first town of a run. Rows are in order of time; the agent is the second column."""

    names: list[str]
    ticks: int
    stood: Ints  # (steps, 4): tick, agent, x, y
    began: list[tuple[int, int, int, str, int]]  # tick, agent, place, activity, minutes
    met: list[tuple[int, int, int]]  # tick, agent, other
    said: list[tuple[int, int, str]]  # tick, agent, words
    learned: list[tuple[int, int, str, int]]  # tick, agent, fact, source


def read(folder: Path) -> History:
    """From a run folder."""
    from sociarium.record.frames import frames

    tables = frames(folder)
    try:
        people = tables.agents()
        first = people.filter(people["group"] == 0)
        names = [str(name) for name in first["name"].to_list()]
        kinds = tables.kinds()

        def rows(kind: str, *columns: str) -> list[Any]:
            if kind not in kinds:
                return []
            found = tables.events(kind).select("tick", "actor", *columns).collect().rows()
            return [row for row in found if row[1] < len(names)]

        return History(
            names,
            tables.ticks().height,
            np.array(rows("town.stood", "x", "y"), np.int64).reshape(-1, 4),
            rows("town.began", "own_place", "activity", "minutes"),
            rows("town.met", "other"),
            rows("chats.said", "text"),
            rows("grapevine.learned", "fact", "source"),
        )
    finally:
        tables.close()
