"""Claims about the measures themselves: identities, what cannot be evidence, and what a null can judge."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.extras import optional
from sociarium.kernel.network import Network
from sociarium.kernel.randomness import Randomness, Stream
from sociarium.lab.claims import ClaimContext, Measured, claim
from sociarium.lab.paradox import gaps, nulls
from sociarium.lab.paradox.gaps import Version
from sociarium.lab.paradox.report import report
from sociarium.lab.statistics import mean_interval
from sociarium.populations.networks.nulls import degree_preserving, random_follows
from sociarium.populations.networks.preferential import cumulative_advantage
from sociarium.populations.networks.regular import ring, star
from sociarium.populations.networks.uniform import erdos_renyi

Floats = NDArray[np.float64]

GRAPHS = 100
TRIALS = SHUFFLES = 1_000


def stream(seed: int, *names: object) -> Stream:
    return Randomness(seed).stream("friendship.claims", *names)


@claim("star")
def star_of_four(context: ClaimContext) -> Measured:
    network = star(4)
    degrees = network.degrees()
    found = (gaps.edge_gap(network, degrees), gaps.node_gap(network, degrees), gaps.weak_share(network, degrees))
    told = ", ".join(f"{value:.10g}" for value in found)
    return Measured.exactly(told, holds=told == context.claim.published and gaps.strong_share(network, degrees) == 0.8)


@claim("closed-forms")
def closed_forms(context: ClaimContext) -> Measured:
    furthest = 0.0
    for network in _graphs():
        closed, seen = gaps.closed_forms(network.degrees(), network.in_degrees()), gaps.degree_gaps(network)
        furthest = max(furthest, *(abs(closed[version] - seen[version]) for version in Version))
    return Measured.exactly(furthest, holds=furthest <= 1e-9)


@claim("never-negative")
def never_negative(context: ClaimContext) -> Measured:
    """A value above 0 is as it should be; what is told is how far any lies below."""
    least = 0.0
    for network in _graphs():
        both = Network.from_edges(network.nodes, network.sources(), network.targets, mutual=True)
        seen, degrees = gaps.degree_gaps(network), both.degrees()
        sides = (seen[Version.FOLLOWEES_FOLLOWERS], seen[Version.FOLLOWERS_FOLLOWEES])
        least = min(least, *sides, gaps.edge_gap(both, degrees), gaps.node_gap(both, degrees))
    lattice = ring(60, 6)
    level = gaps.edge_gap(lattice, lattice.degrees()) == gaps.node_gap(lattice, lattice.degrees()) == 0
    return Measured.exactly(least, holds=least >= -1e-9 and level)


@claim("random-follow-gap")
def random_follow_gap(context: ClaimContext) -> Measured:
    """Ten graphs a seed; the closed form of the null that the report prints is the same number."""
    made = [random_follows(np.full(100, 5), stream(seed, "follow", n)) for seed in context.seeds for n in range(10)]
    interval = mean_interval([gaps.edge_gap(network, network.in_degrees()) for network in made])
    exact = gaps.random_follow_gap(np.full(100, 5))
    return Measured.estimated(interval, holds=abs(exact - (1 - 5 / 99)) < 1e-12 and abs(interval.estimate - exact) < 0.02)


@claim("same-degrees-same-gaps")
def same_degrees_same_gaps(context: ClaimContext) -> Measured:
    furthest, changed = 0.0, True
    for seed in context.seeds:
        network = cumulative_advantage(100, 4, stream(seed))
        other = degree_preserving(network, stream(seed, "rewired"), directed=True)
        changed &= not np.array_equal(network.codes(), other.codes())
        before, after = gaps.degree_gaps(network), gaps.degree_gaps(other)
        furthest = max(furthest, *(abs(before[version] - after[version]) for version in Version))
    return Measured.exactly(furthest, holds=changed and furthest <= 1e-9)


@claim("paradox-alone")
def paradox_alone(context: ClaimContext) -> Measured:
    right = 0
    for seed in range(5):
        network = random_follows(np.full(100, 5), stream(seed, "alone"))
        made = report(network, {"x": stream(seed, "x").uniform(np.arange(100))}, random=stream(seed, "report"), draws=99)
        gap = made.line("followers", "gap by edge, followees' followers")
        right += gap.observed > 0.5 and made.line("followers", "weak share").observed > 0.5 and not made.replicated
    return Measured.exactly(float(right), holds=right == 5)


@claim("sign-flips")
def sign_flips(context: ClaimContext) -> Measured:
    furthest, negative = 0.0, True
    for seed in context.seeds:
        network, x = _planted(seed)
        into, gap = network.in_degrees(), gaps.edge_gap(network, x)
        furthest = max(furthest, abs(gap - float(np.cov(into, x, bias=True)[0, 1]) / into.mean()))
        negative &= gap < 0
    return Measured.exactly(furthest, holds=negative and furthest <= 1e-9)


@claim("shuffles-centre")
def shuffles_centre(context: ClaimContext) -> Measured:
    away: list[float] = []
    for seed in context.seeds:
        network, x = _planted(seed)
        drawn = gaps.edge_gap(network, nulls.shuffles(x, stream(seed, "deal"), SHUFFLES))
        away.append(float(abs(drawn.mean()) / (drawn.std(ddof=1) / SHUFFLES**0.5)))
    return Measured.exactly(max(away), holds=max(away) < 4)


@claim("shuffle-coverage")
def shuffle_coverage(context: ClaimContext) -> Measured:
    network = cumulative_advantage(40, 3, stream(context.seeds[0], "coverage"))
    inside = 0
    for trial in range(TRIALS):
        x = stream(trial, "no account").uniform(np.arange(40))
        dealt = gaps.edge_gap(network, nulls.shuffles(x, stream(trial, "coverage deal"), SHUFFLES))
        inside += not nulls.judged(gaps.edge_gap(network, x), dealt, "shuffled").outside
    share = inside / TRIALS
    return Measured.exactly(share, holds=0.93 <= share <= 0.97)


@claim("crossed-gap-flips")
def crossed_gap_flips(context: ClaimContext) -> Measured:
    """Three users whom all others follow, and who follow one of each other."""
    followers = np.repeat(np.arange(3, 40), 3)
    network = Network.from_edges(40, np.concatenate([followers, [0, 1, 2]]), np.concatenate([np.tile([0, 1, 2], 37), [1, 2, 0]]))
    into, out = network.in_degrees(), network.degrees()
    expected = float(np.cov(into, out, bias=True)[0, 1]) / into.mean()
    seen = gaps.degree_gaps(network)
    pair = (seen[Version.FOLLOWEES_FOLLOWEES], seen[Version.FOLLOWERS_FOLLOWERS])
    return Measured.exactly(pair[0], holds=all(value < 0 and abs(value - expected) < 1e-9 for value in pair))


@claim("medians-are-stricter")
def medians_are_stricter(context: ClaimContext) -> Measured:
    strong: list[float] = []
    weak: list[float] = []
    for seed in context.seeds:
        made = cumulative_advantage(500, 4, stream(seed, "tail"))
        both = Network.from_edges(500, made.sources(), made.targets, mutual=True)
        strong.append(gaps.strong_share(both, both.degrees()))
        weak.append(gaps.weak_share(both, both.degrees()))
    below = all(one < other for one, other in zip(strong, weak, strict=True))
    return Measured.estimated(mean_interval(strong), holds=below and 0.95 <= float(np.mean(weak)) <= 0.97)


@claim("infrequent-edges")
def infrequent_edges(context: ClaimContext) -> Measured:
    more = sum(one.change < one.thinned.mean() for one in _infrequent(context))
    return Measured.exactly(float(20 * more / len(context.seeds)), holds=more >= 0.95 * len(context.seeds))


@claim("infrequent-change")
def infrequent_change(context: ClaimContext) -> Measured:
    return Measured.estimated(mean_interval([one.change for one in _infrequent(context)]), holds=True)


@claim("thinning-change")
def thinning_change(context: ClaimContext) -> Measured:
    found = [float(one.thinned.mean()) for one in _infrequent(context)]
    return Measured.estimated(mean_interval(found), holds=max(found) < 0)


@claim("permuted-weights")
def permuted_weights(context: ClaimContext) -> Measured:
    stats: Any = optional("scipy.stats", "lab", "this claim")
    network = _weighted(context.seeds[0])
    found: list[float] = []
    for seed in range(200):
        dealt = nulls.shuffles(network["weight"], stream(seed, "weights"), 1)[0]
        other = Network(network.starts, network.targets, {"weight": dealt})
        found.append(nulls.infrequent(other, "weight", stream(seed, "left out"), draws=99).p)
    p = float(stats.kstest(found, "uniform").pvalue)
    return Measured.exactly(p, holds=p > 0.01)


def _graphs() -> list[Network]:
    return [erdos_renyi(20 + seed, 0.01 + seed / 400, stream(seed, "graph"), directed=True) for seed in range(GRAPHS)]


def _planted(seed: int) -> tuple[Network, Floats]:
    """A grown graph, and an attribute against its followers."""
    network = cumulative_advantage(100, 4, stream(seed, "planted"))
    return network, -network.in_degrees() + 0.5 * stream(seed, "noise").normal(np.arange(100))


def _weighted(seed: int) -> Network:
    """The 60 % of edges with the most followed targets have weight 1, and the rest 5: so the median is 1, and the cut takes just those."""
    network = cumulative_advantage(300, 5, stream(seed, "weighted"))
    order = np.argsort(-network.in_degrees()[network.targets], kind="stable")
    weight = np.full(len(network), 5)
    weight[order[: round(0.6 * len(network))]] = 1
    return Network(network.starts, network.targets, {"weight": weight})


def _infrequent(context: ClaimContext) -> list[nulls.Infrequent]:
    return [nulls.infrequent(_weighted(seed), "weight", stream(seed, "lot"), draws=49) for seed in context.seeds]
