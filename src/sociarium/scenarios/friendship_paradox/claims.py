"""What the paper and its system file claim, checked on runs: emergence, memory, recommenders, guard rails. One function a claim."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.social.posts import Kind
from sociarium.environments.social.recommenders.friends import FriendsContent, Order
from sociarium.environments.social.remembered import Remembered
from sociarium.kernel.network import Network
from sociarium.kernel.records import TickRecord
from sociarium.kernel.simulation import Simulation
from sociarium.lab import running
from sociarium.lab.claims import ClaimContext, Measured, claim
from sociarium.lab.paradox.gaps import upward_share
from sociarium.lab.paradox.report import Report
from sociarium.lab.running import Options
from sociarium.lab.statistics import mean_interval
from sociarium.scenarios.friendship_paradox.checks_measures import (
    closed_forms,
    crossed_gap_flips,
    infrequent_change,
    infrequent_edges,
    medians_are_stricter,
    never_negative,
    paradox_alone,
    permuted_weights,
    random_follow_gap,
    same_degrees_same_gaps,
    shuffle_coverage,
    shuffles_centre,
    sign_flips,
    star_of_four,
    stream,
    thinning_change,
)
from sociarium.scenarios.friendship_paradox.graph import graph_of
from sociarium.scenarios.friendship_paradox.scenario import FriendshipParadox
from sociarium.scenarios.friendship_paradox.world import NOTHING, Society

Ints = NDArray[np.int64]

FOLLOWING = {"suggest": "random", "activity": 1.0, "weights": [0, 1, 0, 0, 0, 0], "replies": 0}  # all post once, then only follow
QUIET = {"weights": [1, 1, 0, 0, 0, 0], "iterations": 8, "agents": 30, "replies": 0}  # nobody reacts
_RUNS: dict[tuple[int, str], Network] = {}
FEW = 3  # runs of claims that look at every iteration


@claim("influence-makes-inequality")
async def influence_makes_inequality(context: ClaimContext) -> Measured:
    more = 0
    for seed in context.seeds:
        more += (await _followers(seed, "influential")).var() > (await _followers(seed, "random")).var()
    return Measured.exactly(float(20 * more / len(context.seeds)), holds=more >= 0.95 * len(context.seeds))


@claim("influence-variance")
async def influence_variance(context: ClaimContext) -> Measured:
    found = [(await _followers(seed, "influential")).var() for seed in context.seeds]
    return Measured.estimated(mean_interval(found), holds=True)


@claim("random-variance")
async def random_variance(context: ClaimContext) -> Measured:
    return Measured.estimated(mean_interval([(await _followers(seed, "random")).var() for seed in context.seeds]), holds=True)


@claim("no-way-up")
async def no_way_up(context: ClaimContext) -> Measured:
    """The attribute is a permutation: no ties, and dealt out by another stream than follows are drawn from."""
    away: list[float] = []
    for seed in context.seeds:
        network = await _network(seed, "random")
        x = stream(seed, "upward").order(np.arange(network.nodes))
        away.append(abs(upward_share(network, x) - 0.5) / (0.25 / len(network)) ** 0.5)
    return Measured.exactly(float(max(away)), holds=max(away) <= 3)


@claim("memory-clock")
async def memory_clock(context: ClaimContext) -> Measured:
    """Nobody reacts, so every post that is old enough is gone, each at the end of the fourth iteration after its own."""
    ages: list[int] = []
    wrote: dict[int, int] = {}
    async for _, record in _iterations(context.seeds[0], **QUIET):
        for events in record.events:
            if events.kind == "platform.posted":
                wrote |= dict.fromkeys(events.data["post"].tolist(), record.tick)
            if events.kind == "memory.forgotten":
                ages += [record.tick - wrote[row] for row in events.data["post"].tolist()]
    old = sum(made <= 3 for made in wrote.values())
    return Measured.exactly(float(np.mean(ages)), holds=set(ages) == {4} and len(ages) == old)


@claim("one-like-is-for-ever")
async def one_like_is_for_ever(context: ClaimContext) -> Measured:
    """What is forgotten is looked at as it is forgotten: a friend's share can still win a like for what its author has forgotten."""
    lost, kept = 0, 0
    for seed in context.seeds[:FEW]:
        society: Society | None = None
        async for simulation, record in _iterations(seed):
            society = cast("Society", simulation.world["platform"])
            for events in record.events:
                if events.kind == "memory.forgotten":
                    lost += int(_liked_once(society, events.data["post"]).sum())
        assert society is not None
        memory = cast("Remembered", society.world["memory"])
        rows = np.flatnonzero((society.posts.kind == Kind.POST) & (memory.age > 5) & ~memory.gone)
        kept += int(_liked_once(society, rows).sum())
    return Measured.exactly(float(lost), holds=lost == 0 and kept > 0)


@claim("long-term-never-falls")
async def long_term_never_falls(context: ClaimContext) -> Measured:
    falls = 0
    for seed in context.seeds[:FEW]:
        sizes = [float(record.measures["memory.long"][0]) async for _, record in _iterations(seed)]
        falls += sum(after < before for before, after in pairwise(sizes))
    return Measured.exactly(float(falls), holds=falls == 0)


@claim("reactions-are-logged")
async def reactions_are_logged(context: ClaimContext) -> Measured:
    differ = 0
    for seed in context.seeds[:FEW]:
        shares: dict[int, int] = {}
        feeling: dict[int, int] = {}
        society: Society | None = None
        async for simulation, record in _iterations(seed):
            society = cast("Society", simulation.world["platform"])
            for events in record.events:
                if events.kind == "platform.reposted":
                    _add(shares, events.data["original"], 1)
                if events.kind in ("platform.liked", "platform.disliked"):
                    _add(feeling, events.data["post"], 1 if events.kind.endswith(".liked") else -1)
        assert society is not None
        rows = np.flatnonzero(society.posts.kind == Kind.POST)
        seen = cast("Remembered", society.world["memory"]).reactions(rows)
        for row, virality, felt in zip(rows.tolist(), *(column.tolist() for column in seen), strict=True):
            differ += (virality, felt) != (shares.get(row, 0), feeling.get(row, 0))
    return Measured.exactly(float(differ), holds=differ == 0)


@claim("recommender-direction")
async def recommender_direction(context: ClaimContext) -> Measured:
    """Readers with more than ten items, all on one and the same platform, half way through a run."""
    means: dict[str, list[float]] = {order: [] for order in ("nearest", "random", "farthest")}
    ordered = True
    for seed in context.seeds[:FEW]:
        society = await _grown(seed, iterations=8)
        found = {order: _closeness(society, cast("Order", order)) for order in means}
        ordered &= found["nearest"] > found["random"] > found["farthest"]
        for order, value in found.items():
            means[order].append(value)
    told = " > ".join(f"{np.mean(values):.3f}" for values in means.values())
    return Measured.exactly(told, holds=ordered)


@claim("feeds-are-clean")
async def feeds_are_clean(context: ClaimContext) -> Measured:
    wrong, looked = 0, 0
    for seed in context.seeds[:FEW]:
        async for simulation, _ in _iterations(seed, iterations=10):
            society = cast("Society", simulation.world["platform"])
            users = np.arange(society.users)
            feed = society.feeds.recommend(society, users, stream(seed, "feed"))
            posts = society.posts
            there = feed >= 0
            own = there & (posts.author[np.maximum(feed, 0)] == users[:, None])
            twice = sum(len(set(row[row >= 0].tolist())) < (row >= 0).sum() for row in feed)
            suggested, _ = society.friends.suggest(society, users, stream(seed, "suggest"))
            a, b = np.repeat(users, suggested.shape[1])[suggested.ravel() >= 0], suggested[suggested >= 0]
            silent = ~np.isin(b, posts.author[posts.kind != Kind.COMMENT])
            wrong += int(own.sum()) + twice + int(society.follows.has(a, b).sum()) + int(silent.sum()) + int((a == b).sum())
            wrong += feed.shape[1] > 10
            looked += int(there.sum()) + len(b)
    return Measured.exactly(float(wrong), holds=wrong == 0 and looked > 0)


@claim("guard-rails")
async def guard_rails(context: ClaimContext) -> Measured:
    wrong, chosen = 0, 0
    for seed in context.seeds[:FEW]:
        edges: set[tuple[int, int]] = set()
        async for simulation, record in _iterations(seed, follow_rate=0.2, iterations=10):
            society = cast("Society", simulation.world["platform"])
            for events in record.events:
                if events.kind == "platform.chose":
                    alone = society.follows.followees[events.actors] == 0 if record.tick else np.ones(len(events.actors), np.bool_)
                    wrong += int((alone & (events.data["choice"] > NOTHING)).sum())
                    chosen += int(alone.sum())
                if events.kind == "platform.followed":
                    fresh = set(zip(events.actors.tolist(), events.data["user"].tolist(), strict=True))
                    wrong += len(fresh & edges) + sum(a == b for a, b in fresh) + len(events.actors) - len(fresh)
                    edges |= fresh
            wrong += len(society.follows) != len(edges)
        wrong += len((await _grown(seed, follow_rate=0.0, iterations=4)).follows)
    return Measured.exactly(float(wrong), holds=wrong == 0 and chosen > 0)


@claim("paradox-emerges")
async def paradox_emerges(context: ClaimContext) -> Measured:
    made = await _by_model(context)
    lines = [one.line("followers", "gap by edge, followees' followers") for one in made]
    above = [line.observed > next(null for null in line.nulls if null.null == "random follows").high for line in lines]
    return Measured.estimated(mean_interval([line.observed for line in lines]), holds=all(above))


@claim("upward-ties")
async def upward_ties(context: ClaimContext) -> Measured:
    made = await _by_model(context)
    found = [one.line(x, "gap by edge") for one in made for x in ("posts", "reactions")]
    above = [line.observed > 0 and line.strict is not None and line.strict.outside for line in found]
    return Measured.exactly(f"{sum(above)} of {len(found)} gaps", holds=all(above))


@claim("infrequent-ties-drive-it")
async def infrequent_ties_drive_it(context: ClaimContext) -> Measured:
    p = [one.infrequent.p for one in await _by_model(context) if one.infrequent is not None]
    return Measured.exactly(float(max(p, default=1.0)), holds=bool(p) and max(p) < 0.05)


async def _by_model(context: ClaimContext) -> list[Report]:
    """Reports of up to three runs at the published size."""
    out: list[Report] = []
    async with Options() as options:
        for seed in context.seeds[:3]:
            last: list[Simulation] = []
            kept = Options(backends=options.backends, on_built=[lambda _, simulation, last=last: last.append(simulation)])
            await running.in_memory(FriendshipParadox.of({"model": context.model}), seed, kept)
            out.append(graph_of(cast("Society", last[0].world["platform"])).report(seed))
    return out


async def _iterations(seed: int, **settings: Any) -> AsyncIterator[tuple[Simulation, TickRecord]]:
    """The simulation and the record of each iteration, as it ends."""
    simulation = FriendshipParadox.of(settings).build(seed)
    records: list[TickRecord] = []
    simulation.on_tick.append(records.append)
    while await simulation.step():
        yield simulation, records.pop()


async def _grown(seed: int, **settings: Any) -> Society:
    """The platform at the end of a run."""
    simulation = FriendshipParadox.of(settings).build(seed)
    await simulation.run()
    return cast("Society", simulation.world["platform"])


async def _network(seed: int, taste: str) -> Network:
    """Who follows whom in the end; several claims look at the same runs."""
    if (seed, taste) not in _RUNS:
        _RUNS[seed, taste] = (await _grown(seed, follow=taste, **FOLLOWING)).follows.network()
    return _RUNS[seed, taste]


async def _followers(seed: int, taste: str) -> Ints:
    return (await _network(seed, taste)).in_degrees()


def _closeness(society: Society, order: Order) -> float:
    feeds = FriendsContent(society.feeds.interest.interests, 10, order=order)
    users = np.arange(society.users)
    wide = FriendsContent(society.feeds.interest.interests, 11).recommend(society, users, stream(0, "wide"))
    users = users[(wide >= 0).all(axis=1)]
    feed = feeds.recommend(society, users, stream(0, "order"))
    return float(feeds.closeness(society, np.repeat(users, 10), feed.reshape(-1)).mean())


def _liked_once(society: Society, rows: Ints) -> NDArray[np.bool_]:
    shown = society.posts.content(rows)
    return (society.posts.likes[shown] == 1) & (society.posts.dislikes[shown] == 0) & (society.posts.shares[shown] == 0)


def _add(counts: dict[int, int], rows: Any, by: int) -> None:
    for row in rows.tolist():
        counts[row] = counts.get(row, 0) + by


__all__ = [
    "closed_forms",
    "crossed_gap_flips",
    "infrequent_change",
    "infrequent_edges",
    "medians_are_stricter",
    "never_negative",
    "paradox_alone",
    "permuted_weights",
    "random_follow_gap",
    "same_degrees_same_gaps",
    "shuffle_coverage",
    "shuffles_centre",
    "sign_flips",
    "star_of_four",
    "thinning_change",
]
