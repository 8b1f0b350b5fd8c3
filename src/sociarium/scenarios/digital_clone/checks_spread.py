"""What layered spread must obey, whatever people share for: branching, percolation, bands and counter-measures."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.cascade.spread import Exposures, Spread, SpreadRules, spread
from sociarium.kernel.extras import optional
from sociarium.kernel.network import Network
from sociarium.kernel.randomness import Randomness, Stream
from sociarium.lab.claims import ClaimContext, Measured, claim
from sociarium.lab.statistics import common_difference, mean_interval
from sociarium.lab.twins import INSIDE, inside_share, same_distribution
from sociarium.populations.networks.uniform import erdos_renyi
from sociarium.scenarios.digital_clone.clone import hubs

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

DEGREE = 2.0  # mean number of followers on the tree
MANY = 2_000  # alive in a layer: such a cascade will not die out
RETRY = SpreadRules(retry=True, most_layers=1_000)


def on_trees(trees: int, chance: float, layers: int, random: Stream, *, stop: int = MANY) -> Ints:
    """(trees, layers + 1): sizes of layers on random out-trees, everyone with a Poisson number of followers; a tree with ``stop`` alive
    goes on no further. Trees grow below those who have the post only: what nobody sees decides nothing."""
    sizes = np.zeros((trees, layers + 1), np.int64)
    sizes[:, 0], tree = 1, np.arange(trees)
    cumulative = np.cumsum(np.exp(-DEGREE) * np.cumprod(np.append(1.0, DEGREE / np.arange(1, 40))))  # of a Poisson number
    for layer in range(layers):
        followers = np.searchsorted(cumulative, random.at("followers", layer).uniform(np.arange(len(tree))))
        nodes = len(tree) + int(followers.sum())
        parent = np.repeat(np.arange(len(tree)), followers)
        network = Network.from_edges(nodes, parent, np.arange(len(tree), nodes))
        one = SpreadRules(most_layers=1)
        found = spread(network, np.arange(len(tree)), chance, random.at("layer", layer), one, trials=np.zeros(len(tree), np.int64))
        new = found.layer == 1
        tree = tree[found.user[found.parent[new]]]
        sizes[:, layer + 1] = np.bincount(tree, minlength=trees)
        tree = tree[sizes[tree, layer + 1] < stop]
        if not len(tree):
            break
    return sizes


@claim("branching-layers")
def branching_layers(context: ClaimContext) -> Measured:
    trees, chance = 4_000, 0.75
    sizes = on_trees(trees, chance, 8, stream(context, "branching"), stop=10**9)[:, 1:]
    expected = (DEGREE * chance) ** np.arange(1, 9)
    away = np.abs(sizes.mean(axis=0) - expected) / (sizes.std(axis=0, ddof=1) / trees**0.5)
    return Measured.exactly(float(away.max()), holds=bool(away.max() < 3.5))


@claim("branching-extinct")
def branching_extinct(context: ClaimContext) -> Measured:
    trees = 2_000
    sizes = on_trees(trees, 0.75, 50, stream(context, "extinction"))
    extinct = (sizes.max(axis=1) < MANY) & (sizes[:, -1] == 0)
    q = 0.5
    for _ in range(200):  # q = G(1 - p + p q), G(s) = exp(c (s - 1))
        q = float(np.exp(DEGREE * 0.75 * (q - 1)))
    error = (q * (1 - q) / trees) ** 0.5
    interval = mean_interval(extinct.astype(float))
    return Measured.estimated(interval, holds=abs(interval.estimate - q) < 3 * error)


@claim("edge-percolation")
def edge_percolation(context: ClaimContext) -> Measured:
    random, trials, p = stream(context, "percolation"), 5_000, 0.3
    network = erdos_renyi(300, 0.013, random.at("graph"), directed=True)
    source = middle(network, 4)
    ours = spread(network, np.full(trials, source), p, random, RETRY).reach()
    return probability(ours, percolated(network, source, p, trials, random.at("reference")))


@claim("linear-bound")
def linear_bound(context: ClaimContext) -> Measured:
    """How many standard errors the mean reach lies above the bound, at most."""
    network, source, largest = big(context)
    away = -np.inf
    for strength in (0.5, 0.9):
        reach = spread(network, np.full(1_000, source), strength / largest, stream(context, f"bound {strength}"), RETRY).reach()
        bound = neumann(network, source, strength / largest)
        away = max(away, float((reach.mean() - bound) / (reach.std(ddof=1) / len(reach) ** 0.5)))
    return Measured.exactly(away, holds=away < 3)


@claim("threshold")
def threshold(context: ClaimContext) -> Measured:
    network, source, largest = big(context)
    below, above = (
        spread(network, np.full(count, source), strength / largest, stream(context, f"threshold {strength}"), RETRY).reach().mean()
        for strength, count in ((0.9, 1_000), (1.5, 100))
    )
    return Measured.exactly(f"{below:.1f} at .9, {above:.0f} at 1.5", holds=bool(below < 20 and above > 1_000))


@claim("one-decision")
def one_decision(context: ClaimContext) -> Measured:
    network, source, largest = big(context)
    reach = [
        spread(network, np.full(100, source), 1.5 / largest, stream(context, "one"), SpreadRules(retry=retry, most_layers=1_000)).reach()
        for retry in (False, True)
    ]
    ratio = float(reach[0].mean() / reach[1].mean())
    return Measured.exactly(ratio, holds=ratio < 0.5)


@claim("band-coverage")
def band_coverage(context: ClaimContext) -> Measured:
    """The share inside at the layer that lies furthest from 0.68."""
    inside, _ = coverage(context, 0.75)
    return Measured.exactly(float(inside[np.abs(inside - 0.68).argmax()]), holds=bool(((inside >= 0.63) & (inside <= 0.73)).all()))


@claim("plain-band")
def plain_band(context: ClaimContext) -> Measured:
    """The least and the largest share over layers 1 to 8."""
    _, plain = coverage(context, 0.75)
    return Measured.exactly(f"{plain.min():.2f} to {plain.max():.2f}", holds=bool(plain.max() > 0.8 and (plain >= 0.66).all()))


@claim("band-power")
def band_power(context: ClaimContext) -> Measured:
    """The largest share inside of layers 3 to 8 where recorded users share by 20 per cent more."""
    inside, _ = coverage(context, 0.9)
    return Measured.exactly(float(inside[2:].max()), holds=bool(inside[2:].max() < 0.63))


@claim("monotone-measures")
def monotone_measures(context: ClaimContext) -> Measured:
    """Trials in which a counter-measure adds somebody, of 6,000."""
    network, source, chance, random = small(context)
    gone = random.at("gone").uniform(np.arange(network.nodes)) < 0.1
    gone[source] = False
    free = reached(spread(network, np.full(2_000, source), chance, random, RETRY))
    added = 0
    for chances, removed in ((chance, gone), (0.7 * chance, None), (chance * random.at("factor").uniform(np.arange(len(chance))), None)):
        held = reached(spread(network, np.full(2_000, source), chances, random, RETRY, removed=removed))
        added += int((held & ~free).any(axis=1).sum())
    return Measured.exactly(float(added), holds=added == 0)


@claim("node-process-not-monotone")
def node_process_not_monotone(context: ClaimContext) -> Measured:
    """Trials in which a removal adds somebody: chances by pair, one decision each."""
    added = removed_trials(context, SpreadRules(draws="edge"))
    return Measured.exactly(float(added), holds=added > 0)


@claim("node-process-by-receiver")
def node_process_by_receiver(context: ClaimContext) -> Measured:
    """The same where the chance is the receiver's own, and so is its draw."""
    added = removed_trials(context, SpreadRules(draws="user"))
    return Measured.exactly(float(added), holds=added == 0)


@claim("hub-removal")
def hub_removal(context: ClaimContext) -> Measured:
    """Mean reach without hubs less that without as many by lot."""
    random = stream(context, "hubs")
    fans = random.at("fans").integers(0, 399, np.arange(320))
    network = erdos_renyi(400, 0.01, random.at("graph"), directed=True).with_edges(np.repeat(np.arange(5, 13), 40), fans)
    reach: list[Ints] = []
    source, trials = 0, 800
    for gone in (hubs(network, 0.02, source), None):
        removed = np.zeros((trials, 400), np.bool_)
        for trial in range(trials):
            lot = random.at("lot", trial).order(np.arange(1, 400))[:8] + 1
            removed[trial, lot if gone is None else gone] = True
        reach.append(spread_removed(network, source, 0.25, random, removed))
    difference = common_difference(reach[0], reach[1])
    return Measured.estimated(difference, holds=difference.high < 0)


def spread_removed(network: Network, source: int, chance: float, random: Stream, removed: Bools) -> Ints:
    """Reach where each trial has lost others: who is gone never passes on."""

    def present(shown: Exposures) -> Floats:
        return np.where(removed[shown.trial, shown.target], 0.0, chance)

    return spread(network, np.full(len(removed), source), present, random, RETRY).reach()


def coverage(context: ClaimContext, recorded: float) -> tuple[Floats, Floats]:
    """By layer 1 to 8: the share of 1,000 recorded cascades whose randomised rank among 1,000 trials is inside, and of those inside the
    plain band with its ends."""
    random = stream(context, f"bands {recorded}")
    real, ours = (on_trees(1_000, chance, 8, random.at(name), stop=10**9)[:, 1:] for name, chance in (("real", recorded), ("ours", 0.75)))
    tie = random.at("ties").uniform(np.arange(real.size)).reshape(real.shape)
    low, high = np.quantile(ours, INSIDE, axis=0)
    return inside_share(real, ours, tie), ((real >= low) & (real <= high)).mean(axis=0)


def removed_trials(context: ClaimContext, rules: SpreadRules) -> int:
    network, source, chance, random = small(context)
    if rules.draws == "user":
        chance = random.at("own").uniform(np.arange(network.nodes))[network.targets]
    gone = random.at("gone").uniform(np.arange(network.nodes)) < 0.1
    gone[source] = False
    free, held = (reached(spread(network, np.full(2_000, source), chance, random, rules, removed=removed)) for removed in (None, gone))
    return int((held & ~free).any(axis=1).sum())


def small(context: ClaimContext) -> tuple[Network, int, Floats, Stream]:
    """A graph of 60 users whose pairs differ in how likely they share, and one with five followers."""
    random = stream(context, "monotone")
    network = erdos_renyi(60, 0.06, random.at("graph"), directed=True)
    return network, middle(network, 5), random.at("chances").uniform(np.arange(len(network))), random


def big(context: ClaimContext) -> tuple[Network, int, float]:
    """A random digraph of 10,000 users and mean degree 10, a source with ten followers, and the largest eigenvalue."""
    network = erdos_renyi(10_000, 1e-3, stream(context, "digraph"), directed=True)
    value, vector = 1.0, np.ones(network.nodes)
    for _ in range(60):
        vector = network.sums(vector)
        value = float(vector.max())
        vector /= value
    return network, middle(network, 10), value


def neumann(network: Network, source: int, p: float) -> float:
    """The source's row of the sum over n of (p A)^n, summed: how many are reached at most, on average."""
    vector, total = np.ones(network.nodes), 0.0
    for _ in range(400):
        total += float(vector[source])
        vector = network.sums(vector) * p
    return total


def percolated(network: Network, source: int, p: float, trials: int, random: Stream) -> Ints:
    """How many can be reached from the source over edges that are each open with chance p: by SciPy's search, trial by trial."""
    sparse, graphs = optional("scipy.sparse", "lab", "percolation"), optional("scipy.sparse.csgraph", "lab", "percolation")
    sources, found = network.sources(), np.empty(trials, np.int64)
    for trial in range(trials):
        open_edges = random.uniform(trial * len(network) + np.arange(len(network))) < p
        ends = (sources[open_edges], network.targets[open_edges])
        graph: Any = sparse.csr_matrix((np.ones(len(ends[0])), ends), shape=(network.nodes, network.nodes))
        found[trial] = len(graphs.breadth_first_order(graph, source, return_predecessors=False))
    return found


def reached(found: Spread, users: int = 60) -> Bools:
    """(trials, users)."""
    out = np.zeros((found.trials, users), np.bool_)
    out[found.trial, found.user] = True
    return out


def middle(network: Network, degree: int) -> int:
    """The first user with the number of followers nearest to this."""
    return int(np.abs(network.degrees() - degree).argmin())


def probability(one: Any, other: Any) -> Measured:
    """That two samples come from one distribution: above .01 passes."""
    p = same_distribution(one, other)
    return Measured.exactly(p, holds=p > 0.01)


def stream(context: ClaimContext, name: str) -> Stream:
    """Draws of a claim, from its first seed."""
    return Randomness(context.seeds[0]).stream(f"digital-clone {name}")
