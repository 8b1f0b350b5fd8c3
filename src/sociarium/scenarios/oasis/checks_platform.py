"""Claims about the platform and its recommenders: scores, conservation, the clock, known and random cascades, who is shown what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.social.cascades import Cascades
from sociarium.environments.social.platform import Platform
from sociarium.environments.social.posts import Kind
from sociarium.environments.social.recommenders.base import Choosing
from sociarium.environments.social.recommenders.presets import in_network, oasis_random, oasis_x
from sociarium.environments.social.recommenders.ranked import Mixed
from sociarium.environments.social.recommenders.scores import HOT_EPOCH, HOT_SPAN, hot, recency
from sociarium.environments.social.recommenders.vectors import TopicInterests
from sociarium.environments.social.rules import PlatformRules
from sociarium.kernel.actions import Actions
from sociarium.kernel.mind import Mind
from sociarium.kernel.network import Network
from sociarium.kernel.population import Population
from sociarium.kernel.randomness import Randomness
from sociarium.kernel.records import TickRecord
from sociarium.kernel.schedule import Activity, Rounds
from sociarium.kernel.simulation import Intervention, Simulation
from sociarium.kernel.turn import Observations, Phase, Turn
from sociarium.kernel.units import MINUTE
from sociarium.lab import running
from sociarium.lab.cascades import normalised_error
from sociarium.lab.claims import ClaimContext, Measured, claim
from sociarium.lab.diffusion import independent_cascade, single_coin
from sociarium.lab.running import Options
from sociarium.lab.statistics import independent_difference
from sociarium.minds.rule import RuleMind, always, nothing
from sociarium.populations.networks.uniform import stochastic_block
from sociarium.scenarios.oasis.history import curves_of, played
from sociarium.scenarios.oasis.minds import Resharers
from sociarium.scenarios.oasis.people import network_of
from sociarium.scenarios.oasis.scenario import Oasis

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Array = NDArray[Any]

COPIES = 2_000  # runs of a cascade, side by side
SMALL = 60  # users of each
TREE = ((1, 0), (2, 0), (3, 0), (4, 1), (5, 1), (6, 2), (7, 4), (8, 4), (9, 4), (10, 4), (11, 7))  # who follows whom
BY_HAND = {"scale": (1, 4, 7, 11, 12, 12), "depth": (0, 1, 2, 3, 4, 4), "breadth": (0, 3, 3, 4, 4, 4)}


@claim("hot-score")
def hot_score(context: ClaimContext) -> Measured:
    """Ten votes up, one span after the epoch."""
    value = float(hot(10, 0, HOT_EPOCH + HOT_SPAN))
    return Measured.exactly(value, holds=value == 2.0)


@claim("hot-tenfold")
def hot_tenfold(context: ClaimContext) -> Measured:
    """Seconds of age that outweigh ten times the net votes: the largest distance from 45,000 over net votes of both signs."""
    votes = np.array([1, 2, 7, 40, 900])
    up = (hot(10 * votes, 0, 0) - hot(votes, 0, 0)) * HOT_SPAN
    down = (hot(0, votes, 0) - hot(0, 10 * votes, 0)) * HOT_SPAN
    seconds = np.concatenate([up, down])
    return Measured.exactly(float(seconds.mean()), holds=bool(np.abs(seconds - HOT_SPAN).max() < 1e-6))


@claim("hot-ties")
def hot_ties(context: ClaimContext) -> Measured:
    """Age that one further like of a post with one is worth; the same like leaves posts with none and with a vote down level."""
    first, then = hot([1, 0, 0], [0, 0, 1], HOT_EPOCH), hot([2, 1, 1], [0, 0, 1], HOT_EPOCH)
    worth = float(then[0] * HOT_SPAN)
    return Measured.exactly(worth, holds=bool((first == 0).all() and (then[1:] == 0).all()))


@claim("recency-zero")
def recency_zero(context: ClaimContext) -> Measured:
    """Minutes of age at which R changes its sign."""
    low, high = 0.0, 271.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if recency(middle) > 0 else (low, middle)
    return Measured.exactly(low, holds=bool(171 < low < 172 and recency(171) > 0 > recency(172)))


@claim("recency-ratio")
def recency_ratio(context: ClaimContext) -> Measured:
    """R of a post of 150 minutes over that of a new one."""
    value = float(recency(150) / recency(0))
    return Measured.exactly(value, holds=abs(value - 0.197) < 5e-4)


@claim("conservation")
def conservation(context: ClaimContext) -> Measured:
    """Counters, rows of sets and traces that disagree after at least 5,000 random actions."""
    records, platform, tried = _random_acts(users=60, ticks=45, each=2, seed=context.seeds[0])
    posts, wrong = platform.posts, 0
    size = len(posts)
    for pairs, counter in ((platform.liked, posts.likes), (platform.disliked, posts.dislikes)):
        wrong += int((np.bincount(pairs.pairs()[1], minlength=size) != counter).sum())
    passed_on = np.isin(posts.kind, (Kind.REPOST, Kind.QUOTE))
    wrong += int((np.bincount(posts.original[passed_on], minlength=size) != posts.shares).sum())
    now = platform.follows.network()
    wrong += int((now.in_degrees() != platform.follows.followers).sum() + (now.degrees() != platform.follows.followees).sum())
    traced = sum(len(rows) for record in records for rows in record.events)
    refused = sum(len(record.refusals) for record in records)
    wrong += abs(tried - traced - refused)
    return Measured.exactly(float(wrong), holds=wrong == 0 and tried >= 5_000 and refused > 500 and traced > 1_000)


def _random_acts(users: int, ticks: int, each: int, seed: int) -> tuple[list[TickRecord], Platform, int]:
    """Everybody does ``each`` acts of every kind in a tick, of posts and users that may not be there."""
    platform = Platform(Network(np.zeros(users + 1, np.int64), np.empty(0, np.int32)), recommender=oasis_random(shown=2))
    tried = 0

    def act(turn: Turn, seen: Observations) -> Actions:
        nonlocal tried
        actions, random = Actions(), turn.random("acts")
        for spec in turn.offers:
            who = turn.agents[random.at(spec.name).uniform(turn.agents) < 0.17 * each]
            columns: dict[str, Any] = {}
            for name in spec.arguments:
                top = users + 3 if name == "user" else len(platform.posts) + 3
                drawn = random.at(spec.name, name).integers(0, top, who)
                columns[name] = np.full(len(who), "words", object) if name in ("text", "reason") else drawn
            actions.add(turn, spec.name, who, **columns)
            tried += len(who)
        return actions

    offers = (
        "create_post", "repost", "quote_post", "like_post", "unlike_post", "dislike_post", "undo_dislike_post", "report_post",
        "create_comment", "like_comment", "unlike_comment", "follow", "unfollow", "mute", "unmute",
    )  # fmt: skip
    phase = Phase("act", "platform", offers=offers)
    simulation = Simulation(Population.of("user", users), [platform], [RuleMind(act)], Rounds([phase], ticks, length=3 * MINUTE), seed=seed)
    records = played(simulation)
    return records, platform, tried


@claim("activity-clock")
def activity_clock(context: ClaimContext) -> Measured:
    """Largest distance of the activations of an hour from their expectation, in standard errors."""
    users, steps = 400, 20
    hourly = np.random.Generator(np.random.Philox(key=7)).beta(0.5, 2.0, (users, 24))
    found = np.zeros(24)
    for number, awake in enumerate(_awake(hourly, 24 * steps, context.seeds[0])):
        found[number // steps] += awake
    spread = np.sqrt(steps * (hourly * (1 - hourly)).sum(axis=0))
    worst = float(np.abs((found - steps * hourly.sum(axis=0)) / spread).max())
    everyone = _awake(np.ones(24), 30, context.seeds[0])
    no_one = _awake(np.zeros(24), 30, context.seeds[0])
    return Measured.exactly(worst, holds=worst < 4.1 and set(everyone) == {users} and set(no_one) == {0})


def _awake(profile: Floats, steps: int, seed: int) -> list[int]:
    """How many of 400 users act in each step."""
    platform = Platform(Network(np.zeros(401, np.int64), np.empty(0, np.int32)), recommender=oasis_random(shown=1))
    schedule = Activity([Phase("act", "platform")], profile, step=3 * MINUTE, duration=steps * 3 * MINUTE)
    simulation = Simulation(Population.of("user", 400), [platform], [RuleMind(always("do_nothing"))], schedule, seed=seed)
    return [record.counts.get("platform.did_nothing", 0) for record in played(simulation)]


@claim("known-cascade")
def known_cascade(context: ClaimContext) -> Measured:
    """Instants at which the curves of a tree in which everybody passes on differ from those worked out by hand."""
    follower, followed = zip(*TREE, strict=True)
    records = played(_reposting(Network.from_edges(12, follower, followed), 5))
    ours = curves_of(records, np.arange(0, 18, 3), 3)
    wrong = sum(int((getattr(ours, name) != np.array(values)).sum()) for name, values in BY_HAND.items())
    return Measured.exactly(float(wrong), holds=wrong == 0)


@claim("normalised-error")
def known_error(context: ClaimContext) -> Measured:
    """The error of twice a curve against it, over sqrt(mean of its squares) / its last value; that of a curve with itself is 0."""
    real = np.array(BY_HAND["scale"], np.float64)
    closed = float(np.sqrt((real**2).mean()) / real[-1])
    ratio = float(normalised_error(2 * real, real)) / closed
    return Measured.exactly(ratio, holds=abs(ratio - 1) < 1e-12 and float(normalised_error(real, real)) == 0)


def _reposting(network: Network, steps: int) -> Simulation:
    """Everybody passes on what it is shown, in each step; user 0 has posted."""
    platform = Platform(network, recommender=in_network(16, again=False), rules=PlatformRules(exposures="pairs"))
    minds: list[Mind] = [Resharers(platform, 1.0)]
    first = Intervention(0, "platform.publish", {"users": [0], "texts": ["words"]})
    schedule = Rounds([Phase("act", "platform")], steps, length=3 * MINUTE)
    environments = [platform, Cascades(platform)]
    return Simulation(Population.of("user", network.nodes), environments, minds, schedule, seed=1, interventions=[first])


@claim("independent-cascade")
def independent(context: ClaimContext) -> Measured:
    """Mean final scale of 2,000 runs less that of 2,000 runs of the reference, in standard errors of the difference."""
    return _beside_reference(context.seeds[0], once=False)


@claim("single-coin")
def one_coin(context: ClaimContext) -> Measured:
    """The same where each user tosses one coin for the whole cascade, beside a reference of its own."""
    return _beside_reference(context.seeds[0], once=True)


def _beside_reference(seed: int, *, once: bool) -> Measured:
    scenario = Oasis.of({"network": "preferential", "users": SMALL, "links": 5, "share": 0.1, "once": once, "copies": COPIES, **CASCADE})
    simulation = scenario.build(seed)
    played(simulation)
    watched = simulation.world["cascade"]
    assert isinstance(watched, Cascades)
    ours = watched.scales()
    graph = network_of(scenario, np.zeros((SMALL, 2), np.int64), SMALL, Randomness(seed).stream("oasis.people").at("network"))
    play = single_coin if once else independent_cascade
    reference = play(graph, [0], 0.1, Randomness(seed).stream("oasis.reference"), runs=COPIES).sizes()
    error = float(np.sqrt(ours.var(ddof=1) / len(ours) + reference.var(ddof=1) / len(reference)))
    away = float(ours.mean() - reference.mean()) / error
    return Measured.exactly(away, holds=abs(away) < 3 and float(reference.mean()) > 2)


CASCADE = {"recommender": "none", "following_post_count": 16, "activity": 1.0, "steps": 16}


@claim("coins-differ")
def coins_differ(context: ClaimContext) -> Measured:
    """Reposters of 1,000 users, m = 5, p = 0.1, from the oldest: with a coin for each copy, over those with a coin for each user."""
    graph = network_of(Oasis.of({"network": "preferential"}), np.zeros((1000, 2), np.int64), 1000, Randomness(3).stream("graph"))
    random = Randomness(4).stream("coins")
    each = independent_cascade(graph, [0], 0.1, random.at("copy"), runs=400).sizes().mean()
    user = single_coin(graph, [0], 0.1, random.at("user"), runs=400).sizes().mean()
    return Measured.exactly(f"{user:.0f} against {each:.0f}", holds=bool(20 < user < 60 and 240 < each < 360))


@claim("closed-communities")
def closed_communities(context: ClaimContext) -> Measured:
    """Exposures across two communities without an edge between them, in-network feeds only."""
    across = sum(_exposures(seed, "none")[0] for seed in context.seeds)
    return Measured.exactly(float(across), holds=across == 0)


@claim("interest-crosses")
def interest_crosses(context: ClaimContext) -> Measured:
    """Share of exposures to the reader's own topic, recommender by interest less one at random; each run must cross communities too."""
    interest = [_exposures(seed, "x") for seed in context.seeds]
    random = [_exposures(seed, "random") for seed in context.seeds]
    found = independent_difference([one[1] for one in interest], [one[1] for one in random], 0.99)
    return Measured.estimated(found, holds=found.low > 0 and min(one[0] for one in interest) > 0)


def _exposures(seed: int, recommender: str) -> tuple[int, float]:
    """Posts shown to somebody of the other community, and the share of what is shown that is of the reader's topic: two communities of 60,
    six topics drawn without regard to them, everybody posts on its own."""
    size, count = 60, 6
    random = Randomness(seed).stream("communities")
    network = stochastic_block([size, size], [[0.1, 0], [0, 0.1]], random.at("network"), directed=True)
    topic = random.at("topic").integers(0, count - 1, np.arange(2 * size))
    interests = TopicInterests(np.eye(count)[topic], np.eye(count))
    near = in_network(3)
    feeds: dict[str, Choosing] = {"none": near, "x": oasis_x(interests, kept=5, shown=2), "random": Mixed([near, oasis_random(shown=2)])}
    rules = PlatformRules(exposures="pairs")
    platform = Platform(network, recommender=feeds[recommender], rules=rules, topics=_numbers)
    texts = [f"topic {number}" for number in topic.tolist()]
    first = Intervention(0, "platform.publish", {"users": list(range(2 * size)), "texts": texts})
    schedule = Rounds([Phase("read", "platform")], 3, length=3 * MINUTE)
    simulation = Simulation(Population.of("user", 2 * size), [platform], [RuleMind(nothing)], schedule, seed=seed, interventions=[first])
    played(simulation)
    reader, post = platform.shown.pairs()
    author = platform.posts.author[post]
    return int(((reader < size) != (author < size)).sum()), float((topic[reader] == topic[author]).mean())


def _numbers(texts: Sequence[str]) -> Ints:
    return np.array([int(text.rpartition(" ")[2]) for text in texts], np.int64)


@claim("order")
async def same_in_any_order(context: ClaimContext) -> Measured:
    """Digests of the same run in words with 1, 4 and 16 questions in flight: how many there are."""
    scenario = Oasis.of({"experiment": "polarisation", "users": 24, "steps": 5, "activity": 0.6, "model": "scripted:schema"})
    digests: set[str] = set()
    for workers in (1, 4, 16):
        async with Options(concurrency=workers) as options:
            digests.add((await running.in_memory(scenario, context.seeds[0], options)).digest)
    return Measured.exactly(float(len(digests)), holds=len(digests) == 1)
