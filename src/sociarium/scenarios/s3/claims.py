"""What must hold without a strong model, checked on the engine. One function a claim of the card; worlds to check them in are in
``trials``."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network
from sociarium.kernel.randomness import Randomness, Stream
from sociarium.lab.agreement import Agreement
from sociarium.lab.claims import ClaimContext, Measured, claim
from sociarium.lab.diffusion import ball, independent_cascade, linear_threshold
from sociarium.lab.running import Options, in_memory
from sociarium.lab.statistics import mean_interval
from sociarium.minds.influence import InfluenceRules, MessagePool, Source
from sociarium.minds.markov import MarkovKernel
from sociarium.minds.reactions import ReactionRules
from sociarium.minds.resharing import Always, EachMessage, OneCoin, ShareOfThoseHeard
from sociarium.populations.networks.files import read_edges
from sociarium.populations.networks.preferential import barabasi_albert
from sociarium.populations.networks.uniform import erdos_renyi
from sociarium.scenarios.s3.malformed import answered, malformed
from sociarium.scenarios.s3.people import follower_graph
from sociarium.scenarios.s3.scenario import SocialNetworkSimulation
from sociarium.scenarios.s3.stubs import ATTITUDE, EMOTION, consensus_weights, faded, logged, voters
from sociarium.scenarios.s3.trials import copies, peaks, side_by_side, spread

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

RUNS, USERS, CHANCE = 2000, 100, 0.1
GRAPHS = 200
OUT = 0.02  # of the range of a curve: what stands out less is no peak
INTENSE = MarkovKernel.of(np.tile([0.0, 0.0, 1.0], (3, 1)))  # whatever one felt: intense on receipt


def stream(name: str, number: int = 0) -> Stream:
    return Randomness(number).stream("s3.claims", name)


@claim("markov-recovery")
def markov_recovery(context: ClaimContext) -> Measured:
    """Of the 9 + 4 entries of two kernels, those estimated from 100,000 logged transitions each that lie beyond 4 standard errors."""
    emotion, attitude = logged(context.seeds[0])
    wrong = sum(
        int((np.abs(found.probabilities - kernel.matrix) > 4 * found.errors(kernel)).sum())
        for found, kernel in ((emotion, EMOTION), (attitude, ATTITUDE))
    )
    entries = emotion.counts.size + attitude.counts.size
    enough = emotion.counts.sum() >= 100_000 and attitude.counts.sum() >= 100_000 and entries == 13
    return Measured.exactly(float(wrong), holds=wrong == 0 and bool(enough))


@claim("markov-seed")
def markov_seed(context: ClaimContext) -> Measured:
    """Counts of transitions that differ between two runs of one seed; another seed differs."""
    first, again, other = (logged(seed, users=500) for seed in (1, 1, 2))
    differ = sum(int((one.counts != two.counts).sum()) for one, two in zip(first, again, strict=True))
    return Measured.exactly(float(differ), holds=differ == 0 and bool((first[0].counts != other[0].counts).any()))


def _graph(kind: str) -> Network:
    match kind:
        case "ba":
            return barabasi_albert(USERS, 5, stream(kind))
        case "er":
            return erdos_renyi(USERS, 0.08, stream(kind), directed=True)
        case _:
            return follower_graph(USERS, 8.0, stream(kind))


def _hub(graph: Network) -> int:
    return int(np.argmax(graph.in_degrees()))


def _against(ours: Ints, theirs: Ints) -> Measured:
    """The difference of two means, which must lie within 3 standard errors of itself."""
    difference = float(ours.mean() - theirs.mean())
    error = float((ours.var(ddof=1) / len(ours) + theirs.var(ddof=1) / len(theirs)) ** 0.5)
    return Measured(difference, difference - 3 * error, difference + 3 * error, abs(difference) <= 3 * error and ours.std() > 0)


def _cascade(kind: str) -> Measured:
    graph = _graph(kind)
    seeds = _hub(graph) + USERS * np.arange(RUNS)
    ours = spread(copies(graph, RUNS), EachMessage(CHANCE), seeds).passed.reshape(RUNS, USERS).sum(axis=1)
    return _against(ours, independent_cascade(graph, [_hub(graph)], CHANCE, stream("reference"), runs=RUNS).sizes())


def _threshold(kind: str) -> Measured:
    graph, many = _graph(kind), copies(_graph(kind), RUNS)
    needed = 1 - stream("thresholds").uniform(np.arange(many.nodes))
    trial = spread(many, ShareOfThoseHeard(needed, many.degrees()), _hub(graph) + USERS * np.arange(RUNS))
    ours = trial.passed.reshape(RUNS, USERS).sum(axis=1)
    return _against(ours, linear_threshold(graph, [_hub(graph)], stream("reference"), runs=RUNS).sizes())


@claim("cascade-ba")
def cascade_ba(context: ClaimContext) -> Measured:
    return _cascade("ba")


@claim("cascade-er")
def cascade_er(context: ClaimContext) -> Measured:
    return _cascade("er")


@claim("cascade-followers")
def cascade_followers(context: ClaimContext) -> Measured:
    return _cascade("followers")


@claim("threshold-ba")
def threshold_ba(context: ClaimContext) -> Measured:
    return _threshold("ba")


@claim("threshold-er")
def threshold_er(context: ClaimContext) -> Measured:
    return _threshold("er")


@claim("threshold-followers")
def threshold_followers(context: ClaimContext) -> Measured:
    return _threshold("followers")


@claim("cascade-real")
def cascade_real(context: ClaimContext) -> Measured:
    """The same on a real graph of friends of the data folder, 25 runs against a hundred."""
    assert context.data is not None, "a claim that needs data is checked with data only"
    files = sorted(context.data.rglob("ENGB_edges.csv"))
    if not files:
        raise UsageError(f"{context.data} holds no ENGB_edges.csv, a real graph of friends (MUSAE, Twitch)")
    graph = read_edges(files[0], mutual=True).network
    seeds = _hub(graph) + graph.nodes * np.arange(25)
    ours = spread(copies(graph, 25), EachMessage(CHANCE), seeds).passed.reshape(25, -1).sum(axis=1)
    return _against(ours, independent_cascade(graph, [_hub(graph)], CHANCE, stream("reference"), runs=100).sizes())


@cache
def _thousands() -> Network:
    """Twenty graphs of a thousand users, each ten times; the oldest node of each is its first."""
    return side_by_side([barabasi_albert(1000, 5, stream("thousand", number % 20)) for number in range(GRAPHS)])


def _of_thousands(rule: EachMessage) -> Measured:
    sizes = spread(_thousands(), rule, 1000 * np.arange(GRAPHS)).passed.reshape(GRAPHS, 1000).sum(axis=1)
    error = float(sizes.std(ddof=1) / GRAPHS**0.5)
    return Measured(float(sizes.mean()), float(sizes.mean()) - 2 * error, float(sizes.mean()) + 2 * error, True)


@claim("cascade-size")
def cascade_size(context: ClaimContext) -> Measured:
    return _of_thousands(EachMessage(CHANCE))


@claim("one-coin-size")
def one_coin_size(context: ClaimContext) -> Measured:
    return _of_thousands(OneCoin(CHANCE))


@claim("one-hop")
def one_hop(context: ClaimContext) -> Measured:
    """Steps, over three graphs with a user whom nobody can reach, in which the aware are not the ball of followers of that radius."""
    wrong = 0
    for kind in ("ba", "er", "followers"):
        graph = _graph(kind).grown(USERS + 1)
        trial = spread(graph, Always(), [3, 7])
        expected = ball(graph, [3, 7])
        length = max(len(expected), len(trial.reach))
        held = [np.pad(np.asarray(one), (0, length - len(one)), mode="edge") for one in (expected, trial.reach)]
        wrong += int((held[0] != held[1]).sum()) + int(trial.aware[USERS])
    return Measured.exactly(float(wrong), holds=wrong == 0)


@claim("against-follows")
def against_follows(context: ClaimContext) -> Measured:
    """How many become aware along a line in which each follows the one before, from the last: a message goes against follows only."""
    line = Network.from_edges(20, np.arange(1, 20), np.arange(19))
    first, last = (int(spread(line, Always(), [seed]).aware.sum()) for seed in (0, 19))
    return Measured.exactly(float(last), holds=first == 20 and last == 1)


@claim("voter-martingale")
def voter_martingale(context: ClaimContext) -> Measured:
    """Mean positive share over 500 runs after 200 single updates, less that at the start, which is 1/4."""
    shares = voters(context.seeds[0])[0]
    difference, error = float(shares.mean() - 0.25), float(shares.std(ddof=1) / len(shares) ** 0.5)
    return Measured(difference, difference - 3 * error, difference + 3 * error, abs(difference) <= 3 * error and len(shares) == 500)


@claim("voter-consensus")
def voter_consensus(context: ClaimContext) -> Measured:
    """Of 500 runs, those that end in consensus."""
    ends = voters(context.seeds[0])[1]
    agreed = float(np.isin(ends, (0.0, 1.0)).mean())
    return Measured.exactly(agreed, holds=agreed == 1.0 and 0 < ends.mean() < 1)


@claim("degroot-limit")
def degroot_limit(context: ClaimContext) -> Measured:
    """Largest distance from the left-eigenvector weighted mean of the start, over five strongly connected graphs."""
    worst, spreads = zip(*(consensus_weights(seed) for seed in context.seeds[:5]), strict=True)
    return Measured.exactly(max(worst), holds=max(worst) <= 1e-6 and min(spreads) > 0.1)


@claim("fading-moderate")
def fading_moderate(context: ClaimContext) -> Measured:
    return _faded(1, 0.9**10)


@claim("fading-intense")
def fading_intense(context: ClaimContext) -> Measured:
    return _faded(2, 0.9**10 + 10 * 0.1 * 0.9**9)


def _faded(start: int, expected: float) -> Measured:
    share, users, levels = faded(start)
    error = (expected * (1 - expected) / users) ** 0.5
    return Measured(share, share - 3.5 * error, share + 3.5 * error, abs(share - expected) <= 3.5 * error and levels <= {0, 1, 2})


@claim("unaware-calm")
def unaware_calm(context: ClaimContext) -> Measured:
    """Users who are not aware and yet not calm, over the steps of runs of both events."""
    wrong = unaware = 0
    for event in ("eight-child-mother", "wastewater-release"):
        simulation = SocialNetworkSimulation.of({"event": event, "steps": 12}).build(context.seeds[0])
        stances: Any = simulation.world["stances"]
        while simulation.world.clock.tick < 12:
            simulation.run_sync(1)
            wrong += int((stances.emotion[~stances.aware] > 0).sum())
            unaware += int((~stances.aware).sum())
    return Measured.exactly(float(wrong), holds=wrong == 0 and unaware > 0)


def _twins(graph: Network, length: int, *, bridge: bool = True) -> Network:
    """Two copies of a graph; a path of ``length`` steps leads from node 0 of one to node 0 of the other."""
    nodes, twin = graph.nodes, graph.nodes
    chain = [0, *range(2 * nodes, 2 * nodes + length - 1), twin]
    both = side_by_side([graph, graph]).grown(2 * nodes + length - 1)
    return both.with_edges(chain[1:], chain[:-1]) if bridge else both


def _waves(graph: Network, length: int, fading: float, seed: int, *, bridge: bool = True) -> list[int]:
    rules = ReactionRules(emotion=INTENSE)
    world = _twins(graph, length, bridge=bridge)
    return peaks(spread(world, Always(), [0], fading=fading, rules=rules, seed=seed, steps=length + 40, quiet=False).curve, OUT)


@claim("second-peak")
def second_peak(context: ClaimContext) -> Measured:
    """Of 20 graphs of 200 users with bridges of 5, 8 and 12 steps and fading by .1, .3 and .5, those without two peaks L - 1 or L apart."""
    wrong = 0
    for number in range(20):
        graph = barabasi_albert(200, 5, stream("twin", number))
        for length, fading in ((5, 0.1), (5, 0.5), (8, 0.3), (12, 0.1), (12, 0.5)):
            found = _waves(graph, length, fading, number)
            wrong += len(found) != 2 or found[1] - found[0] not in (length - 1, length)
    return Measured.exactly(float(wrong), holds=wrong == 0)


@claim("no-second-peak")
def no_second_peak(context: ClaimContext) -> Measured:
    """Of the same graphs with the bridge removed, and of short bridges of 3 steps with fading .1, those with another number of peaks than
    1."""
    wrong = 0
    for number in range(20):
        graph = barabasi_albert(200, 5, stream("twin", number))
        wrong += len(_waves(graph, 8, 0.3, number, bridge=False)) != 1
        wrong += len(_waves(graph, 3, 0.1, number)) != 1
    return Measured.exactly(float(wrong), holds=wrong == 0)


@claim("memory-order")
def memory_order(context: ClaimContext) -> Measured:
    """Of 4 x 500 planted messages of known age, relevance and source, those that stand elsewhere than the formula says; ties by arrival."""
    wrong = 0
    for rules in (InfluenceRules(), InfluenceRules(1, 0, 0), InfluenceRules(0, 1, 0), InfluenceRules(0, 0, 1)):
        draws = stream("planted")
        rows = np.arange(500)
        age = 19 - rows // 25  # received in twenty steps
        near = draws.integers(0, 10, rows) / 10
        source = draws.integers(0, 3, rows, 1)
        pool = MessagePool(rules)
        for step in range(20):
            now = rows[rows // 25 == step]
            pool.receive(np.zeros(25, int), now=step, message=now, author=now, source=source[now], relevance=near[now])
        trust = np.array([rules.own, rules.mutual, rules.followee, rules.recommended])[source]
        score = rules.recency * np.exp(-rules.forgetting * age.astype(float)) + rules.relevance * near + rules.authenticity * trust
        expected = sorted(rows.tolist(), key=lambda row, score=score: (-score[row], row))
        wrong += int((pool["message"][pool.foremost([0], 19, None)] != np.array(expected)).sum())
    return Measured.exactly(float(wrong), holds=wrong == 0 and len(set(Source)) == 4)


@claim("curve-metrics")
def curve_metrics(context: ClaimContext) -> Measured:
    """Largest departure from 0 and 1 of a curve with itself, from c squared and 1 when shifted by c, and from 0 and 1 on its own scale."""
    worst = 0.0
    for seed in context.seeds:
        curve = np.cumsum(stream("curve", seed).uniform(np.arange(20)))
        for shift in (0.0, 0.25, 3.0):
            found = Agreement.of(curve, curve + shift)
            parts = (found.raw_error - shift**2, found.raw_correlation - 1, found.scaled_error, found.scaled_correlation - 1)
            worst = max(worst, *(abs(part) for part in parts))
    return Measured.exactly(worst, holds=worst <= 1e-9)


@claim("parser")
async def parser(context: ClaimContext) -> Measured:
    """Of 200 users each of whom is answered for by malformed replies alone, those whose state changed, or whose turn is not marked."""
    replies = malformed()
    found = await answered(replies)
    wrong = found.changed + (found.turns - found.marked)
    right = await answered(['{"emotion": "intense"}', '{"attitude": "positive"}', '{"interaction": "forward"}'])
    sound = right.changed == right.turns > 0 and right.marked == 0
    return Measured.exactly(float(wrong), holds=wrong == 0 and len(set(replies)) == 200 == found.turns and sound)


@claim("saturating-reach")
async def saturating_reach(context: ClaimContext) -> Measured:
    """The share of all who ever become aware that is aware after half the steps, by rule: reach saturates."""
    shares: list[float] = []
    for seed in context.seeds[:10]:
        reach = await _measured("stances.reach", seed, event="eight-child-mother")
        shares.append(reach[11] / reach[-1])
    mean, error = float(np.mean(shares)), float(np.std(shares, ddof=1) / len(shares) ** 0.5)
    return Measured(mean, mean - 2 * error, mean + 2 * error, mean - 2 * error > 0.5)


@claim("drop-and-recovery")
async def drop_and_recovery(context: ClaimContext) -> Measured:
    """The recovery of the positive share after its lowest point, with language users in the wastewater event; it is slower than the
    drop."""
    settings = {"model": context.model, "users": 30, "steps": 10}
    curves = [await _measured("stances.positive", seed, **settings) for seed in context.seeds[:3]]
    mean = np.mean(curves, axis=0)
    low = int(mean.argmin())
    gained = np.array([float(curve[-1] - curve[low]) for curve in curves])
    slower = low < len(mean) - 1 - low
    interval = mean_interval(gained)
    return Measured.estimated(interval, holds=interval.low > 0 and bool(mean[0] > mean[low]) and slower)


async def _measured(name: str, seed: int, **settings: Any) -> Floats:
    values: list[float] = []
    scenario = SocialNetworkSimulation.of(settings)
    await in_memory(scenario, seed, Options(on_tick=[lambda record: values.append(float(record.measures[name][0]))]))
    return np.array(values)
