"""How alike two recorded discourses are: what was done, when, in which style and words, over which networks and cascades.

The macro measures of POSIM (arXiv 2603.23884), of two runs of a platform with voices (``environments.social.discourse``): a simulated one
against one made from data, two models, a replicate against another.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.social.discourse import EVENTS
from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network
from sociarium.lab import discourse
from sociarium.lab.agreement import correlation
from sociarium.lab.cascades import Cascades
from sociarium.lab.likeness import NetworkLikeness, cascade_likeness

Array = NDArray[Any]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

PREFIX = "platform."
RESHARES, REMARKS = ("reposted", "repost_commented"), ("short_commented", "long_commented")


@dataclass(frozen=True, slots=True)
class DiscourseTrace:
    """One row an act, in order: ``act`` (a number in ``EVENTS``), ``tick``, ``actor``, ``emotion``, ``strength``, ``style``, ``narrative``,
    ``text``; ``post`` that it made or judged, ``parent`` that it was made from (-1), ``author`` of that (-1)."""

    act: Ints
    tick: Ints
    actor: Ints
    emotion: Array
    strength: Floats
    style: Array
    narrative: Array
    text: Array
    post: Ints
    parent: Ints
    author: Ints
    ticks: int

    @classmethod
    def of(cls, folder: Path) -> DiscourseTrace:
        """From the record of a run. Raises UsageError where it holds no acts of a discourse."""
        from sociarium.record.frames import frames

        tables = frames(folder)
        try:
            there = [kind for kind in EVENTS if PREFIX + kind in tables.kinds()]
            found = [(EVENTS.index(kind), tables.events(PREFIX + kind).collect().to_dicts()) for kind in there]
            ticks = len(tables.ticks())
        finally:
            tables.close()
        rows = sorted(((row["tick"], row["id"], act, row) for act, listed in found for row in listed), key=lambda one: one[:2])
        if not rows:
            raise UsageError(f"the run in {folder} has no acts of a discourse, such as {PREFIX}{EVENTS[0]}")

        def numbers(*names: str, dtype: Any = np.int64) -> Array:
            return np.array([next((row[name] for name in names if row.get(name) is not None), -1) for *_, row in rows], dtype)

        def words(name: str) -> Array:
            out = np.empty(len(rows), object)
            out[:] = [str(row.get(name) or "") for *_, row in rows]
            return out

        acts = np.array([act for _, _, act, _ in rows], np.int64)
        return cls(
            acts, numbers("tick"), numbers("actor"), words("emotion"), numbers("emotion_intensity", dtype=np.float64), words("style"),
            words("narrative"), words("text"), numbers("comment", "post"), numbers("parent"), numbers("author"), ticks,
        )  # fmt: skip

    def activity(self) -> Floats:
        """(ticks,): acts a tick."""
        return np.bincount(self.tick, minlength=self.ticks).astype(np.float64)

    def network(self, kinds: tuple[str, ...], users: int) -> Network:
        """Who did acts of these kinds on whose posts."""
        rows = np.isin(self.act, [EVENTS.index(kind) for kind in kinds]) & (self.author >= 0)
        return Network.from_edges(users, self.actor[rows], self.author[rows])

    def cascade_sizes(self) -> Ints:
        """Of every post that was reposted at least once, how many posts stand in its tree, itself too."""
        rows = np.flatnonzero(np.isin(self.act, [EVENTS.index(kind) for kind in RESHARES]))
        made, parent = self.post[rows], self.parent[rows]
        nodes = np.unique(np.concatenate([made, parent]))
        above = np.full(len(nodes), -1, np.int64)
        above[np.searchsorted(nodes, made)] = np.searchsorted(nodes, parent)
        return Cascades.of(above).sizes() if len(nodes) else np.empty(0, np.int64)

    @property
    def users(self) -> int:
        return int(max(self.actor.max(), self.author.max())) + 1


@dataclass(frozen=True, slots=True)
class DiscourseLikeness:
    """Costs (0 is alike): ``acts`` (divergence of the shares of acts), ``error`` (of activity curves over their peaks), ``words``
    (difference of the type-token ratios), ``sentiment`` (difference of the means). Likenesses (1 is alike): ``activity`` (correlation),
    ``styles`` (confrontational, rational, neutral), ``reposts`` and ``comments`` (networks), ``cascades`` (sizes). nan: not to be measured.
    """

    acts: float
    activity: float
    error: float
    styles: float
    words: float
    sentiment: float
    reposts: float
    comments: float
    cascades: float

    @classmethod
    def of(cls, first: DiscourseTrace, second: DiscourseTrace) -> DiscourseLikeness:
        """Activity is compared over the ticks that both have."""
        shared, users = min(first.ticks, second.ticks), max(first.users, second.users)
        ours, theirs = first.activity()[:shared], second.activity()[:shared]
        acts = [np.bincount(trace.act, minlength=len(EVENTS)) for trace in (first, second)]
        ratios = [discourse.type_token_ratio(trace.text.tolist()) for trace in (first, second)]
        moods = [float(discourse.sentiment(trace.emotion, trace.strength).mean()) for trace in (first, second)]
        return cls(
            acts=discourse.jensen_shannon(acts[0], acts[1]),
            activity=correlation(ours, theirs),
            error=discourse.peak_error(ours, theirs),
            styles=discourse.class_likeness(first.style, second.style),
            words=abs(ratios[0] - ratios[1]),
            sentiment=abs(moods[0] - moods[1]),
            reposts=_networks(first, second, RESHARES, users),
            comments=_networks(first, second, REMARKS, users),
            cascades=_cascades(first.cascade_sizes(), second.cascade_sizes()),
        )

    def average(self) -> float:
        """Over all that could be measured, costs as 1 less them."""
        costs = ("acts", "error", "words", "sentiment")
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        known = {name: value for name, value in values.items() if not np.isnan(value)}
        likeness = [value for name, value in known.items() if name not in costs]
        return discourse.layer_average(likeness, [value for name, value in known.items() if name in costs])


def _networks(first: DiscourseTrace, second: DiscourseTrace, kinds: tuple[str, ...], users: int) -> float:
    networks = [trace.network(kinds, users) for trace in (first, second)]
    return NetworkLikeness.of(*networks).mean() if all(len(network) for network in networks) else float("nan")


def _cascades(first: Ints, second: Ints) -> float:
    return cascade_likeness(first, second) if len(first) and len(second) else float("nan")
