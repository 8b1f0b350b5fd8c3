"""Delivery instead of recommendation: what those whom one follows have sent in the step before, and nothing else. One hop a step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.social.recommenders.recommender import Recommender
from sociarium.environments.social.site import Site
from sociarium.kernel.errors import UsageError
from sociarium.kernel.randomness import Stream
from sociarium.kernel.schedule import Rounds, Tick
from sociarium.kernel.turn import Phase
from sociarium.kernel.units import DAY, Microseconds

AgentIds = NDArray[np.int64]
Ints = NDArray[np.int64]


class Delivered(Recommender):
    """A feed in order of arrival. ``step``: the length of a step; ``most``: posts in a feed, the newest; None: all, however many there
    are."""

    def __init__(self, step: Microseconds = DAY, most: int | None = None) -> None:
        super().__init__(most or 0)
        if step < 1:
            raise UsageError(f"Delivered: step is {step} microseconds; it must be 1 or more")
        self.step, self.most = step, most

    def recommend(self, platform: Site, users: AgentIds, random: Stream) -> Ints:
        owners, rows = self.delivered(platform, platform.world.clock.time)
        place = np.full(platform.users, -1, np.int64)
        place[users] = np.arange(len(users))
        mine = place[owners]
        mine, rows = mine[mine >= 0], rows[mine >= 0]
        order = np.argsort(mine, kind="stable")  # rows stand in order of arrival already
        mine, rows = mine[order], rows[order]
        counts = np.bincount(mine, minlength=len(users))
        width = int(counts.max(initial=0)) if self.most is None else self.most
        starts = np.cumsum(counts) - counts
        column = np.arange(len(mine)) - starts[mine] - np.maximum(counts - width, 0)[mine]
        feed = np.full((len(users), width), -1, np.int64)
        feed[mine[column >= 0], column[column >= 0]] = rows[column >= 0]
        return feed

    def delivered(self, platform: Site, now: Microseconds) -> tuple[Ints, Ints]:
        """Pairs of a follower and a row sent in the step before ``now``, by row."""
        rows = platform.posts.since(now - self.step)
        rows = rows[platform.posts.time[rows] < now]
        rows = rows[platform.showable(rows)]
        starts, followers = platform.follows.followed_by(platform.posts.author[rows])
        return followers, np.repeat(rows, np.diff(starts))


class Arrivals(Rounds):
    """Ticks in which those are awake to whom something is delivered, and ``always`` some others. The platform's recommender delivers.

    ``quiet``: the run ends when nothing has been delivered after the first tick.
    """

    def __init__(
        self,
        phases: Sequence[Phase],
        rounds: int,
        *,
        length: Microseconds = DAY,
        platform: str = "platform",
        always: Sequence[int] = (),
        quiet: bool = False,
    ) -> None:
        super().__init__(phases, rounds, length=length)
        self.platform, self.quiet = platform, quiet
        self.always = np.unique(np.asarray(always, np.int64))

    def next(self, now: Microseconds) -> Tick | None:
        tick = super().next(now)
        over = self.quiet and tick is not None and tick.number > 0 and tick.awake is not None and not len(tick.awake)
        return None if over else tick

    def awake(self, number: int, now: Microseconds) -> AgentIds:
        platform = self.world[self.platform]
        if not isinstance(platform, Site) or not isinstance(platform.recommender, Delivered):
            raise UsageError(f"Arrivals needs a platform whose feed is Delivered; {self.platform!r} is none")
        readers = np.zeros(platform.users, np.bool_)
        readers[platform.recommender.delivered(platform, now)[0]] = True
        readers[self.always] = True
        return np.flatnonzero(readers).astype(np.int64)
