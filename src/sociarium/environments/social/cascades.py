"""How far posts have come, step by step: the spread of those that a platform was given first, measured as it goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.social.chains import grown
from sociarium.environments.social.pairs import Pairs
from sociarium.environments.social.platform import Platform
from sociarium.environments.social.posts import Kind
from sociarium.kernel.environment import Environment, Groups, Outcome, State
from sociarium.kernel.errors import UsageError
from sociarium.kernel.world import World

Array = NDArray[Any]
Ints = NDArray[np.int64]

OUTSIDE = -1


class Cascades(Environment):
    """The first ``sources`` rows of a platform are sources; whoever reposts or quotes one, or a repost of one, belongs to its cascade.

    Measures are means over sources: ``scale`` (distinct users, the source's author too), ``depth`` (longest way from the source),
    ``breadth`` (largest layer below it). ``classes``: a name for each source; then also the mean scale of each class.
    """

    name: ClassVar[str] = "cascade"

    def __init__(self, platform: Platform, sources: int = 1, classes: Sequence[str] = ()) -> None:
        if sources < 1 or (classes and len(classes) != sources):
            raise UsageError(f"{sources} sources with {len(classes)} classes: at least one source, and a class for each or for none")
        self.platform, self.sources, self.classes = platform, sources, tuple(classes)
        self._clear()

    def _clear(self) -> None:
        self.done = 0  # rows of the platform that have been counted
        self._tree, self._depth = np.zeros(0, np.int32), np.zeros(0, np.int16)  # by row: its source, and its steps from there
        self.members = Pairs()  # (source, user)
        self.layers = np.zeros((self.sources, 4), np.int64)  # users of each source by depth

    def reset(self, world: World, groups: Groups) -> None:
        super().reset(world, groups)
        self._clear()

    def advance(self, to: int) -> Outcome | None:
        """Count the rows that were added since."""
        posts = self.platform.posts
        first, size = self.done, len(posts)
        self._tree, self._depth = grown(self._tree, size, OUTSIDE), grown(self._depth, size, 0)
        waiting = np.arange(first, size)
        sources = waiting[(waiting < self.sources) & (posts.kind[waiting] == Kind.POST)]
        self._tree[sources] = sources
        self._count(sources)
        waiting = waiting[np.isin(posts.kind[waiting], (Kind.REPOST, Kind.QUOTE))]
        while len(waiting):  # what was made from a row of the same step waits for it
            ready = (posts.parent[waiting] < first) | ~np.isin(posts.parent[waiting], waiting)
            rows = waiting[ready]
            above = posts.parent[rows]
            self._tree[rows], self._depth[rows] = self._tree[above], self._depth[above] + 1
            self._count(rows[self._tree[rows] != OUTSIDE])
            waiting = waiting[~ready]
        self.done = size
        return None

    def _count(self, rows: Ints) -> None:
        """Users who are new to a cascade, into its layers."""
        if not len(rows):
            return
        new = self.members.add(self._tree[rows], self.platform.posts.author[rows])
        tree, depth = self._tree[rows[new]], self._depth[rows[new]]
        if len(depth) and int(depth.max()) >= self.layers.shape[1]:
            self.layers = np.pad(self.layers, ((0, 0), (0, int(depth.max()) + 1)))
        np.add.at(self.layers, (tree, depth), 1)

    def scales(self) -> Ints:
        """(sources,): distinct users of each cascade."""
        return self.layers.sum(axis=1)

    def measures(self) -> Mapping[str, Array]:
        begun = self.layers[:, 0] > 0
        if not begun.any():
            nothing = np.array([np.nan])
            return dict.fromkeys(("scale", "depth", "breadth", *dict.fromkeys(self.classes)), nothing)
        layers = self.layers[begun]
        there = layers > 0
        deep = there.shape[1] - 1 - np.argmax(there[:, ::-1], axis=1)
        found = {"scale": layers.sum(axis=1), "depth": deep, "breadth": layers[:, 1:].max(axis=1)}
        out = {name: np.array([values.mean()]) for name, values in found.items()}
        for name in dict.fromkeys(self.classes):
            mine = np.array([one == name for one in self.classes]) & begun
            out[name] = np.array([self.scales()[mine].mean() if mine.any() else np.nan])
        return out

    def state(self, groups: Groups | None = None) -> State:
        rows = slice(0, self.done)
        return {
            "tree": self._tree[rows].copy(),
            "depth": self._depth[rows].copy(),
            "members": self.members.state(),
            "layers": self.layers.copy(),
        }

    def load(self, state: State, groups: Groups | None = None) -> None:
        if not state:
            return
        self._tree, self._depth = np.array(state["tree"], np.int32), np.array(state["depth"], np.int16)
        self.done = len(self._tree)
        self.members.load(state["members"])
        self.layers = np.array(state["layers"], np.int64)
