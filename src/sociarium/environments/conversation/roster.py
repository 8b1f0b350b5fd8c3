"""Who is in the talks of one phase."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.turn import Lanes

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Roster:
    """Participants of each group in order of id, and its moderator. All groups of one phase."""

    groups: Ints  # ascending
    agents: Ints  # participants, by group
    starts: Ints  # (groups + 1,)
    moderators: Ints  # the first moderator of each group, -1 where it has none

    @classmethod
    def of(cls, lanes: Lanes, moderators: Ints) -> Roster:
        """From the lanes of a phase (a lane is a group) and all agents who moderate."""
        lane_of = np.asarray(lanes.lane_of())
        moderates = np.isin(lanes.agents, moderators)
        starts = np.searchsorted(lane_of[~moderates], np.append(lanes.ids, np.iinfo(np.int64).max))
        chairs = np.full(len(lanes.ids), -1, np.int64)
        where, first = np.unique(lane_of[moderates], return_index=True)
        chairs[np.searchsorted(lanes.ids, where)] = lanes.agents[moderates][first]
        return cls(lanes.ids, lanes.agents[~moderates], starts.astype(np.int64), chairs)

    def at(self, groups: Ints) -> Ints:
        """Rows of these groups."""
        return np.searchsorted(self.groups, groups)

    def sizes(self, groups: Ints) -> Ints:
        at = self.at(groups)
        return self.starts[at + 1] - self.starts[at]

    def agent(self, groups: Ints, position: Ints) -> Ints:
        """The participant at this position of each group."""
        return self.agents[self.starts[self.at(groups)] + position]

    def of_groups(self, groups: Ints) -> tuple[Ints, Ints]:
        """All participants of these groups (ascending), and the group of each."""
        sizes = self.sizes(groups)
        begins = self.starts[self.at(groups)]
        offsets: Any = np.arange(int(sizes.sum())) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return self.agents[np.repeat(begins, sizes) + offsets], np.repeat(groups, sizes)

    def members(self, group: int) -> Ints:
        """The participants of one group."""
        at = int(np.searchsorted(self.groups, group))
        return self.agents[self.starts[at] : self.starts[at + 1]]

    def largest(self) -> int:
        return int(np.diff(self.starts).max(initial=0))
