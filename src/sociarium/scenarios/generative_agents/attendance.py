"""Who comes to something that takes place: at its place, in its time, and who of them had heard of it before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.columnar import Cells, ColumnarEnvironment
from sociarium.environments.conversation.grapevine import Grapevine
from sociarium.environments.town.town import Town
from sociarium.kernel.environment import Events, Outcome


class Attendance(ColumnarEnvironment):
    """Counts those who are at ``place`` between ``start`` and ``end`` (microseconds). Invited is who knew of ``fact`` when it began."""

    name: ClassVar[str] = "attendance"

    invited: NDArray[np.bool_]  # (agents,)
    came: NDArray[np.bool_]  # was there, invited or not, (agents,)

    def __init__(self, town: Town, grapevine: Grapevine, fact: int, place: int, start: int, end: int) -> None:
        self.town, self.grapevine, self.fact, self.place = town, grapevine, fact, place
        self.start, self.end = start, end
        self.group_cells = {}
        self.agent_cells = {"invited": Cells(np.bool_, False), "came": Cells(np.bool_, False)}

    def advance(self, to: int) -> Outcome | None:
        now = self.world.clock.time
        if not self.start <= now < self.end:
            return None
        agents = self.world.awake()
        if now < self.start + (to - now):  # the first step of it
            self.invited[agents] = self.grapevine.knows[agents, self.fact]
        there = np.isin(self.town.map.arena[self.town.tile[agents]], self.town.map.within(self.place))
        new = agents[there & ~self.came[agents]]
        self.came[new] = True
        return Outcome([Events("came", new, {"invited": self.invited[new].astype(np.int64)}, "nobody")]) if len(new) else None

    def measures(self) -> Mapping[str, Any]:
        """invited; came: how many of those came, in each group."""
        agents = self.world.awake()
        groups, count = self.group_of(agents), self.world.groups
        both = self.invited[agents] & self.came[agents]
        return {
            "invited": np.bincount(groups, self.invited[agents], count).astype(np.float64),
            "came": np.bincount(groups, both, count).astype(np.float64),
        }
