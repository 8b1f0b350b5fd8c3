"""How much a message in memory weighs: recency, relevance and the authenticity of its source; and the pools that keep the weightiest.

As in S3 (arXiv 2307.14984): influence = w1 recency + w2 relevance + w3 authenticity, recency by forgetting, relevance by the cosine of the
reader's profile and the message, authenticity by where it came from. The paper states neither weights nor scores; the defaults are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.errors import UsageError
from sociarium.minds.runs import place_in_run

Array = NDArray[Any]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Source(IntEnum):
    """Where a message came from."""

    OWN = 0
    MUTUAL = 1  # somebody followed who follows back
    FOLLOWEE = 2
    RECOMMENDED = 3  # by the platform


@dataclass(frozen=True, slots=True)
class InfluenceRules:
    """Three weights; ``forgetting``: recency is exp(-forgetting * age), age in steps; ``authenticity`` by source, each from 0 to 1."""

    recency: float = 1 / 3
    relevance: float = 1 / 3
    authenticity: float = 1 / 3
    forgetting: float = 0.1
    own: float = 1.0
    mutual: float = 0.8
    followee: float = 0.6
    recommended: float = 0.4

    def __post_init__(self) -> None:
        for name in ("recency", "relevance", "authenticity", "forgetting"):
            if not 0 <= getattr(self, name) < np.inf:
                raise UsageError(f"InfluenceRules: {name} is {getattr(self, name)}; it must be 0 or more")
        for name in ("own", "mutual", "followee", "recommended"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"InfluenceRules: {name} is {getattr(self, name)}; it must lie in [0, 1]")

    def of(self, age: ArrayLike, relevance: ArrayLike, source: ArrayLike) -> Floats:
        """The influence of each message."""
        trust = np.array([self.own, self.mutual, self.followee, self.recommended])[np.asarray(source, np.int64)]
        recency = np.exp(-self.forgetting * np.asarray(age, np.float64))
        return self.recency * recency + self.relevance * np.asarray(relevance, np.float64) + self.authenticity * trust


class MessagePool:
    """What readers remember of messages: columns, by owner, then in order of arrival. ``capacity``: messages that one keeps, the
    weightiest; None: all."""

    COLUMNS: Mapping[str, Any] = {
        "owner": np.int64,
        "message": np.int64,
        "author": np.int64,
        "source": np.uint8,
        "arrived": np.int64,
        "relevance": np.float64,
        "level": np.int8,
        "side": np.int8,
    }

    def __init__(self, rules: InfluenceRules | None = None, *, capacity: int | None = None) -> None:
        if capacity is not None and capacity < 1:
            raise UsageError(f"a pool of {capacity} messages cannot be kept; give 1 or more, or None for all")
        self.rules = rules or InfluenceRules()
        self.capacity = capacity
        self.columns: dict[str, Array] = {name: np.empty(0, dtype) for name, dtype in self.COLUMNS.items()}

    def __len__(self) -> int:
        return len(self.columns["owner"])

    def __getitem__(self, name: str) -> Array:
        return self.columns[name]

    def receive(self, owner: ArrayLike, *, now: int, **columns: ArrayLike) -> None:
        """Messages that arrive in step ``now``, in this order; then each owner among them forgets what exceeds its capacity.

        ``columns``: message and author (whole numbers of the caller's), source, relevance; level and side of what it carries (0 where not
        given).
        """
        who = np.atleast_1d(np.asarray(owner, np.int64))
        fresh: dict[str, ArrayLike] = {"level": 0, "side": 0, **columns, "owner": who, "arrived": now}
        if set(fresh) != set(self.COLUMNS):
            raise UsageError(f"a pool receives {', '.join(sorted(set(self.COLUMNS) - {'owner', 'arrived'}))}, not {', '.join(columns)}")
        joined = {
            n: np.concatenate([self.columns[n], np.broadcast_to(np.asarray(v, self.COLUMNS[n]), who.shape)]) for n, v in fresh.items()
        }
        order = np.argsort(joined["owner"], kind="stable")
        self.columns = {name: joined[name][order] for name in self.COLUMNS}
        if self.capacity is not None and len(who):
            rows = self.rows(np.unique(who))
            kept = np.ones(len(self), np.bool_)
            kept[rows] = False
            kept[self._best(rows, now, self.capacity)] = True
            self.columns = {name: column[kept] for name, column in self.columns.items()}

    def rows(self, owners: ArrayLike) -> Ints:
        """The rows of some owners (ascending), each in order of arrival."""
        who = np.atleast_1d(np.asarray(owners, np.int64))
        first, last = (np.searchsorted(self.columns["owner"], who, side=side) for side in ("left", "right"))
        sizes = last - first
        return np.repeat(first - (np.cumsum(sizes) - sizes), sizes) + np.arange(int(sizes.sum()))

    def influence(self, rows: Ints, now: int) -> Floats:
        columns = self.columns
        return self.rules.of(now - columns["arrived"][rows], columns["relevance"][rows], columns["source"][rows])

    def foremost(self, owners: ArrayLike, now: int, most: int | None) -> Ints:
        """The rows of the ``most`` (None: all) weightiest messages of each owner, by owner, then the weightiest first; of equal ones the
        earlier arrival."""
        rows = self.rows(owners)
        return self._best(rows, now, len(rows) if most is None else most)

    def state(self) -> dict[str, Any]:
        return {name: column.copy() for name, column in self.columns.items()}

    def load(self, state: Mapping[str, Any]) -> None:
        self.columns = {name: np.array(state[name] if state else (), dtype) for name, dtype in self.COLUMNS.items()}

    def _best(self, rows: Ints, now: int, most: int) -> Ints:
        owner = self.columns["owner"][rows]
        ordered = rows[np.lexsort((-self.influence(rows, now), owner))]  # stable: ties stay in order of arrival
        return ordered[place_in_run(self.columns["owner"][ordered]) < most]
