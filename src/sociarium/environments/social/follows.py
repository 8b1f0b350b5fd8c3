"""Who follows whom: a network that is edited all the time. An edge leads from the follower to the one followed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.environments.social.chains import Ragged, grown
from sociarium.environments.social.pairs import Pairs, codes_of
from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Counts = NDArray[np.int32]

SHARE = 8  # edits past one edge in so many are worked into the network


class Follows:
    """A ``Network`` and the edits since it was made, worked into it when they are many. Never a self-loop, never an edge twice."""

    def __init__(self, network: Network) -> None:
        self.users = network.nodes
        self._base = Network(network.starts, network.targets)
        self._added, self._removed = Pairs(), Pairs()
        self._now: Network | None = None  # the network with its edits, while nothing changes
        self._reversed: Network | None = None
        self._followers = network.in_degrees().astype(np.int32)
        self._followees = network.degrees().astype(np.int32)

    def __len__(self) -> int:
        return len(self._base) - len(self._removed) + len(self._added)

    @property
    def followers(self) -> Counts:
        """How many follow each user: a view."""
        return self._followers[: self.users]

    @property
    def followees(self) -> Counts:
        """How many each user follows: a view."""
        return self._followees[: self.users]

    def grow(self, users: int) -> None:
        """Newcomers, who follow nobody yet."""
        if users > self.users:
            if users > self._base.nodes:
                self._base = self._base.grown(max(users, self.users + self.users // 4))
            self._followers, self._followees = grown(self._followers, users, 0), grown(self._followees, users, 0)
            self.users = users
            self._now = self._reversed = None

    def has(self, a: ArrayLike, b: ArrayLike) -> Bools:
        """Whether each a follows each b."""
        first, second = np.atleast_1d(np.asarray(a, np.int64)), np.atleast_1d(np.asarray(b, np.int64))
        found = self._base.has(first, second)
        if self._removed.rows:
            found &= ~self._removed.has(first, second)
        return (found | self._added.has(first, second)) if self._added.rows else found

    def follow(self, a: ArrayLike, b: ArrayLike) -> Bools:
        """Which of these are new, row after row; nobody follows themselves."""
        first, second = np.atleast_1d(np.asarray(a, np.int64)), np.atleast_1d(np.asarray(b, np.int64))
        self._check(first, second)
        base = self._base.has(first, second)
        new = np.zeros(len(first), np.bool_)
        if self._removed.rows and base.any():
            new[base] = self._removed.remove(first[base], second[base])
        other = np.flatnonzero(~base & (first != second))
        new[other] = self._added.add(first[other], second[other])
        self._changed(first[new], second[new], 1)
        return new

    def unfollow(self, a: ArrayLike, b: ArrayLike) -> Bools:
        """Which of these were there, row after row."""
        first, second = np.atleast_1d(np.asarray(a, np.int64)), np.atleast_1d(np.asarray(b, np.int64))
        self._check(first, second)
        base = self._base.has(first, second)
        gone = np.zeros(len(first), np.bool_)
        if base.any():
            gone[base] = self._removed.add(first[base], second[base])
        if self._added.rows:
            gone[~base] = self._added.remove(first[~base], second[~base])
        self._changed(first[gone], second[gone], -1)
        return gone

    def following(self, users: ArrayLike) -> Ragged:
        """Those whom each user follows, each once, in no order to rely on: starts, targets."""
        who = np.atleast_1d(np.asarray(users, np.int64))
        starts, targets, rows = _rows(self._base, who)
        if len(self._removed):
            keep = ~self._removed.has(who[rows], targets)
            targets, rows = targets[keep], rows[keep]
        if len(self._added):
            more, added = self._added.of(who)
            rows = np.concatenate([rows, np.repeat(np.arange(len(who)), np.diff(more))])
            order = np.argsort(rows, kind="stable")
            targets, rows = np.concatenate([targets, added])[order], rows[order]
        elif not len(self._removed):
            return starts, targets
        return np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(who)))]), targets

    def followed_by(self, users: ArrayLike) -> Ragged:
        """Those who follow each user, ascending: starts, followers. The reverse network is kept while nobody follows or unfollows."""
        if self._reversed is None:
            self._reversed = self.network().reversed()
        return _rows(self._reversed, np.atleast_1d(np.asarray(users, np.int64)))[:2]

    def network(self) -> Network:
        """The network as it is now, one node a user."""
        if self._now is None:
            self._now = self._merged(self.users)
        return self._now

    def state(self) -> dict[str, Any]:
        edits = {"added": self._added.state(), "removed": self._removed.state()}
        return {"users": self.users, "starts": self._base.starts, "targets": self._base.targets, **edits}

    def load(self, state: Mapping[str, Any]) -> None:
        self.users = int(state["users"])
        self._base = Network(np.array(state["starts"]), np.array(state["targets"]))
        self._added.load(state["added"])
        self._removed.load(state["removed"])
        self._now = self._reversed = None
        now = self.network()
        self._followers, self._followees = now.in_degrees().astype(np.int32), now.degrees().astype(np.int32)

    def _check(self, a: Ints, b: Ints) -> None:
        if len(a) and (min(a.min(), b.min()) < 0 or max(a.max(), b.max()) >= self.users):
            raise UsageError(f"a follow names somebody outside the {self.users} users there are")

    def _changed(self, a: Ints, b: Ints, by: int) -> None:
        if not len(a):
            return
        for counts, who in ((self._followees, a), (self._followers, b)):
            at, many = np.unique(who, return_counts=True)
            counts[at] += (by * many).astype(np.int32)
        self._now = self._reversed = None
        if (self._added.rows + self._removed.rows) * SHARE > max(len(self._base), 8192):
            self._base = self._merged(self._base.nodes)
            self._added.clear()
            self._removed.clear()

    def _merged(self, nodes: int) -> Network:
        if not self._added.rows and not self._removed.rows and nodes == self._base.nodes:
            return self._base
        codes = self._base.codes()
        if len(self._removed):
            codes = codes[~np.isin(codes, self._removed.codes(), assume_unique=True)]
        return Network.from_codes(nodes, np.concatenate([codes, self._added.codes()]))


def _rows(network: Network, nodes: Ints) -> tuple[Ints, Ints, Ints]:
    """Neighbours of some nodes, one node after another: starts, targets, and the place of each target's node among ``nodes``."""
    sizes = network.starts[nodes + 1] - network.starts[nodes]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    rows = np.repeat(np.arange(len(nodes)), sizes)
    at = np.arange(int(starts[-1])) + (network.starts[nodes] - starts[:-1])[rows]
    return starts, network.targets[at].astype(np.int64), rows


__all__ = ["Follows", "codes_of"]
