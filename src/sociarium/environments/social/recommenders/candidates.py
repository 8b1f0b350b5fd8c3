"""Which posts may be recommended at all, and the pool of them that is ranked for everyone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.social.posts import Kind
from sociarium.kernel.randomness import Stream
from sociarium.kernel.units import MINUTE

if TYPE_CHECKING:
    from sociarium.environments.social.site import Site

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Array = NDArray[Any]

SHOWN = (Kind.POST, Kind.REPOST, Kind.QUOTE)  # all that may stand in a feed


@dataclass(frozen=True, slots=True)
class Eligible:
    """Posts of these kinds that nobody took down, nor what they repost, and younger than ``minutes`` (no limit where None)."""

    kinds: tuple[Kind, ...] = SHOWN
    minutes: float | None = None

    def among(self, platform: Site, posts: Ints) -> Bools:
        """Which of these posts."""
        fit = platform.showable(posts)
        if set(self.kinds) != set(SHOWN):
            fit &= np.isin(platform.posts.kind[posts], [int(one) for one in self.kinds])
        return fit if self.minutes is None else fit & (platform.posts.time[posts] > self.since(platform))

    def since(self, platform: Site) -> int:
        """The moment before which a post is too old, in microseconds."""
        return platform.world.clock.time - round(self.minutes * MINUTE) if self.minutes is not None else -(2**62)

    def first(self, platform: Site) -> int:
        """The first post that is young enough; posts are in order of time."""
        return 0 if self.minutes is None else int(np.searchsorted(platform.posts.time, self.since(platform), side="right"))


@dataclass(frozen=True, slots=True)
class Pool:
    """At most ``most`` of the posts that may be shown, the same for everyone: chosen at random or the newest; all where None."""

    eligible: Eligible = Eligible()
    most: int | None = None
    choice: Literal["random", "newest"] = "random"

    def posts(self, platform: Site, random: Stream) -> Ints:
        """Their ids, ascending."""
        first, size = self.eligible.first(platform), len(platform.posts)
        if self.most is not None and size - first > 4 * self.most:
            found = self._newest(platform, first, size) if self.choice == "newest" else self._drawn(platform, first, size, random)
            if found is not None:
                return found
        ids = np.arange(first, size, dtype=np.int64)
        ids = ids[self.eligible.among(platform, ids)]
        if self.most is None or len(ids) <= self.most:
            return ids
        return ids[-self.most :] if self.choice == "newest" else np.sort(ids[random.order(ids)[: self.most]])

    def _newest(self, platform: Site, first: int, size: int) -> Ints | None:
        """Looked for from the end, in ever longer pieces."""
        most = self.most or 0
        span = 2 * most
        while span < size - first:
            ids = np.arange(size - span, size, dtype=np.int64)
            ids = ids[self.eligible.among(platform, ids)]
            if len(ids) >= most:
                return ids[-most:]
            span *= 4
        return None

    def _drawn(self, platform: Site, first: int, size: int, random: Stream) -> Ints | None:
        """The first distinct fits of a list of draws: as likely as any other set, at the cost of ``most``. None where fits are rare."""
        most = self.most or 0
        ids = random.integers(first, size - 1, np.arange(4 * most))
        ids = ids[np.sort(np.unique(ids, return_index=True)[1])]
        ids = ids[self.eligible.among(platform, ids)]
        return np.sort(ids[:most]) if len(ids) >= most else None
