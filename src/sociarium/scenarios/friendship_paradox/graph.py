"""The graph that a run has grown, with who reacted to whom, in memory or from a run folder; and its report beside the nulls."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.social.platform import Platform
from sociarium.environments.social.posts import Kind
from sociarium.kernel.network import Network, edge_codes
from sociarium.kernel.randomness import Randomness
from sociarium.lab.paradox.report import Report, report

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Array = NDArray[Any]

REACTIONS = ("reposted", "liked", "disliked", "commented")


@dataclass(frozen=True, slots=True)
class Grown:
    """``network`` has the edge attribute ``weight``: how often the follower reacted to the followed. ``posts`` made by each user,
    ``reactions`` received from anyone, ``activity`` as it was dealt out."""

    network: Network
    posts: Ints
    reactions: Ints
    activity: Floats

    def report(self, seed: int, draws: int = 199) -> Report:
        """Posts are what a user does, reactions its influence; activity was there before anybody followed anybody."""
        attributes = {"posts": self.posts, "reactions": self.reactions, "activity": self.activity}
        weighs = len(self.network) > 0 and int(self.network["weight"].max()) > float(np.median(self.network["weight"]))
        return report(
            self.network,
            {name: values for name, values in attributes.items() if len(np.unique(values)) > 1},
            random=Randomness(seed).stream("friendship.report"),
            weight="weight" if weighs else None,
            draws=draws,
        )


def graph_of(platform: Platform) -> Grown:
    """Of a platform in memory. What was taken back is not counted."""
    posts, users = platform.posts, platform.users
    comments = np.flatnonzero(posts.kind == Kind.COMMENT)
    pairs = [pair.codes() for pair in (platform.liked, platform.disliked, platform.shared)]
    codes = np.concatenate(pairs)
    actors = np.concatenate([codes >> 32, posts.author[comments]]).astype(np.int64)
    about = np.concatenate([codes & 0xFFFFFFFF, posts.parent[comments]]).astype(np.int64)
    written = posts.author[posts.kind == Kind.POST]
    activity = np.asarray(platform.world.population.get(np.arange(users), "activity"), np.float64)
    return grown(users, platform.follows.network(), actors, posts.author[about].astype(np.int64), written, activity)


def graph_in(folder: Path) -> Grown:
    """Of a run folder, from its events."""
    from sociarium.record.frames import frames

    tables = frames(folder)
    try:
        people = tables.agents(kind="user").select("id", "activity").sort("id")
        users, activity = people.height, people["activity"].to_numpy().astype(np.float64)
        rows = {kind: _columns(tables, kind, second) for kind, second in (("followed", "user"), ("posted", "post"))}
        reactions = [_columns(tables, kind, "author") for kind in REACTIONS]
    finally:
        tables.close()
    network = Network.from_edges(users, *rows["followed"])
    actors, authors = (np.concatenate([pair[side] for pair in reactions]) for side in (0, 1))
    return grown(users, network, actors, authors, rows["posted"][0], activity)


def grown(users: int, network: Network, actors: Ints, authors: Ints, written: Array, activity: Floats) -> Grown:
    """From who follows whom, who reacted to whom (one row a reaction), and the author of every post."""
    pairs, counts = np.unique(edge_codes(actors, authors), return_counts=True)
    weight = np.zeros(len(network), np.int64)
    place = network.find(pairs >> 32, pairs & 0xFFFFFFFF)
    weight[place[place >= 0]] = counts[place >= 0]
    received = np.bincount(authors, minlength=users)
    return Grown(Network(network.starts, network.targets, {"weight": weight}), np.bincount(written, minlength=users), received, activity)


def _columns(tables: Any, kind: str, second: str) -> tuple[Ints, Ints]:
    if f"platform.{kind}" not in tables.kinds():
        return np.empty(0, np.int64), np.empty(0, np.int64)
    table = tables.events(f"platform.{kind}").select("actor", second).collect()
    return table["actor"].to_numpy().astype(np.int64), table[second].to_numpy().astype(np.int64)
