"""What a platform's users remember of what they put up: a short-term store that forgets, and a long-term one that never does.

Columns for all rows of the platform at once. A row's reactions are those of the content it shows, as the platform counts them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.social.chains import grown
from sociarium.environments.social.posts import Kind
from sociarium.environments.social.site import Site
from sociarium.kernel.environment import Environment, Events, Groups, Outcome, State
from sociarium.kernel.world import World

Array = NDArray[Any]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

COLUMNS: Mapping[str, Any] = {"age": np.int32, "long": np.bool_, "gone": np.bool_}


class Decay(Protocol):
    """When a memory goes, and when it stays for good; ``sociarium.minds.language.forgetting.Forgetting`` is one."""

    def forgotten(self, age: Any, shares: Any, feeling: Any) -> Bools: ...

    def kept(self, shares: Any, feeling: Any) -> Bools: ...


class Remembered(Environment):
    """At the end of each tick every remembered row becomes one tick older: what was shared or felt about enough moves to the long-term
    store, and of the rest what ``decay`` says is forgotten. A row's age is 0 in the tick it was made. Comments are not remembered."""

    name: ClassVar[str] = "memory"

    def __init__(self, decay: Decay, *, platform: str = "platform") -> None:
        self.decay, self.platform_name = decay, platform

    def reset(self, world: World, groups: Groups) -> None:
        super().reset(world, groups)
        self.size = 0
        self._columns: dict[str, Array] = {name: np.zeros(0, dtype) for name, dtype in COLUMNS.items()}

    @property
    def age(self) -> NDArray[np.int32]:
        """How many ticks ago each row of the platform was made, as of the last tick that has ended."""
        return self._column("age")

    @property
    def long(self) -> Bools:
        """What is in the long-term store."""
        return self._column("long")

    @property
    def gone(self) -> Bools:
        """What is not remembered any more; comments never were."""
        return self._column("gone")

    @property
    def platform(self) -> Site:
        return cast("Site", self.world[self.platform_name])

    def held(self, platform: Site) -> Bools:
        """Which rows of the platform are remembered: also those made since the tick began."""
        self._extend(platform)
        return ~self._columns["gone"][: self.size]

    def reactions(self, rows: Ints) -> tuple[Ints, Ints]:
        """Shares of rows, and likes less dislikes."""
        posts = self.platform.posts
        shown = posts.content(rows)
        return posts.shares[shown].astype(np.int64), posts.likes[shown].astype(np.int64) - posts.dislikes[shown]

    def advance(self, to: int) -> Outcome | None:
        age, long, gone = self.age, self.long, self.gone
        live = np.flatnonzero(~gone)
        shares, feeling = self.reactions(live)
        fresh = ~long[live] & self.decay.kept(shares, feeling)
        long[live[fresh]] = True
        lost = ~long[live] & self.decay.forgotten(age[live], shares, feeling)
        gone[live[lost]] = True
        age += 1
        events = [
            Events(kind, self.platform.posts.author[rows].astype(np.int64), {"post": rows}, "nobody")
            for kind, rows in (("kept", live[fresh]), ("forgotten", live[lost]))
            if len(rows)
        ]
        return Outcome(events) if events else None

    def measures(self) -> Mapping[str, Array]:
        """Sizes of both stores, and how much was forgotten, of all users together."""
        long, gone = self.long, self.gone
        written = self.platform.posts.kind[: self.size] != Kind.COMMENT
        found = {"short": ~long & ~gone, "long": long, "forgotten": gone & written}
        return {name: np.array([np.count_nonzero(rows)], np.int64) for name, rows in found.items()}

    def state(self, groups: Groups | None = None) -> State:
        return {name: self._column(name).copy() for name in COLUMNS}

    def load(self, state: State, groups: Groups | None = None) -> None:
        if not state:
            return
        self._columns = {name: np.array(state[name], dtype) for name, dtype in COLUMNS.items()}
        self.size = len(self._columns["age"])

    def _column(self, name: str) -> Array:
        """A view of the rows that there are."""
        self._extend(self.platform)
        return self._columns[name][: self.size]

    def _extend(self, platform: Site) -> None:
        """Rows for what was put up since; comments are gone from the first."""
        before, self.size = self.size, len(platform.posts)
        if self.size > before:
            self._columns = {name: grown(column, self.size, 0) for name, column in self._columns.items()}
            self._columns["gone"][before : self.size] = platform.posts.kind[before : self.size] == Kind.COMMENT
