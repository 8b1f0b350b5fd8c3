"""Who has talked with whom, how often, and when last."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
NEVER = 1 << 62  # microseconds since a talk that has not been


class Meetings:
    """Pairs of agents, the lower id first, with the time of their last talk and the number of talks."""

    def __init__(self) -> None:
        self.last: dict[tuple[int, int], int] = {}
        self.talks: dict[tuple[int, int], int] = {}

    def met(self, agents: Ints, others: Ints, time: int) -> None:
        """These talked with those, a row each; both rows of a pair are one talk."""
        pairs = {(min(a, b), max(a, b)) for a, b in zip(agents.tolist(), others.tolist(), strict=True) if b >= 0}
        for pair in sorted(pairs):
            if self.last.get(pair) != time:
                self.talks[pair] = self.talks.get(pair, 0) + 1
            self.last[pair] = time

    def since(self, agent: int, other: int, time: int) -> int:
        """Microseconds since these two last talked."""
        last = self.last.get((min(agent, other), max(agent, other)))
        return NEVER if last is None else time - last

    def counts(self, group_of: Callable[[Ints], Ints], groups: int) -> tuple[Ints, Ints]:
        """Pairs that have talked, and talks, in each group."""
        if not self.talks:
            return np.zeros(groups, np.int64), np.zeros(groups, np.int64)
        of = group_of(np.fromiter((pair[0] for pair in self.talks), np.int64, len(self.talks)))
        talks = np.fromiter(self.talks.values(), np.int64, len(self.talks))
        return np.bincount(of, minlength=groups), np.bincount(of, talks, groups).astype(np.int64)

    def reset(self, agents: Ints) -> None:
        """These agents have met nobody."""
        gone = set(agents.tolist())
        for pair in [pair for pair in self.last if pair[0] in gone]:
            del self.last[pair], self.talks[pair]

    def state(self, agents: Ints | None) -> dict[str, Any]:
        """All pairs, or those of some agents: (pairs, 4) of ids, time and number."""
        wanted = None if agents is None else set(agents.tolist())
        rows = [(*pair, self.last[pair], self.talks[pair]) for pair in sorted(self.last) if wanted is None or pair[0] in wanted]
        return {"pairs": np.array(rows, np.int64).reshape(-1, 4)}

    def load(self, state: dict[str, Any], agents: Ints | None) -> None:
        if agents is None:
            self.last, self.talks = {}, {}
        else:
            self.reset(agents)
        for first, second, time, number in np.asarray(state["pairs"], np.int64).tolist():
            self.last[first, second], self.talks[first, second] = time, number
