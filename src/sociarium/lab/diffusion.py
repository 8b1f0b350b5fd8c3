"""How something spreads on a network, written apart from any environment: what simulated spreads are held against.

An edge leads from who listens to who is heard, as everywhere; what is passed on goes the other way, one edge a step. All functions play
many runs at once, and a run depends on its number only: the first ten of a hundred are the ten.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network
from sociarium.kernel.randomness import Stream

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Steps = NDArray[np.int32]
Bools = NDArray[np.bool_]

NEVER = -1
_CELLS = 1 << 22  # (runs, nodes) cells played at a time
_MOST_WORLDS = 1 << 20

_Adopts = Callable[[Ints, Ints, Ints], Ints]  # (run, edge of the followers' network, cell) of messages sent -> cells that pass on


@dataclass(frozen=True, slots=True)
class Spread:
    """``step``: (runs, nodes), when each passed it on: 0 for seeds, ``NEVER`` where it did not."""

    step: Steps

    def sizes(self) -> Ints:
        """How many passed it on, seeds included, a run."""
        return (self.step >= 0).sum(axis=1)

    def curve(self, steps: int | None = None) -> Ints:
        """(runs, steps + 1): how many had passed it on by each step. By default until the last change of any run."""
        return _by_step(self.step, steps)

    def aware(self, network: Network) -> Spread:
        """When each first had it: a seed at 0, anybody else one step after the first of those it hears passed it on."""
        first = np.full(self.step.shape, NEVER, np.int32)
        late = np.iinfo(np.int32).max
        some = network.degrees() > 0
        if some.any():
            sent = np.where(self.step >= 0, self.step, late)
            for run in range(len(sent)):
                least = np.minimum.reduceat(sent[run][network.targets], network.starts[:-1][some])
                first[run, some] = np.where(least < late, least + 1, NEVER)
        return Spread(np.where(self.step == 0, 0, first).astype(np.int32))


def independent_cascade(
    network: Network, seeds: ArrayLike, probability: ArrayLike, random: Stream, *, runs: int = 1, steps: int | None = None
) -> Spread:
    """Whoever passes it on has one try at each follower, who then passes it on in the next step (Goldenberg, Libai and Muller 2001; Kempe,
    Kleinberg and Tardos 2003): one coin an *edge*, so the more one hears it, the likelier.

    ``seeds``: (count,), or (runs, count). ``probability``: one for all, or one value an edge of the network.
    """
    chance = _chances(network, probability)
    followers = Network(network.starts, network.targets, {"chance": chance}).reversed()
    edges, chance = max(len(network), 1), followers["chance"]

    def adopts(run: Ints, edge: Ints, cell: Ints) -> Ints:
        return cell[random.uniform(run * edges + edge) < chance[edge]]

    return _played(followers, seeds, runs, steps, lambda first, count: adopts)


def single_coin(
    network: Network, seeds: ArrayLike, probability: ArrayLike, random: Stream, *, runs: int = 1, steps: int | None = None
) -> Spread:
    """Everybody decides once, when it first has it: one coin a *user*, which is percolation of nodes, and on most graphs far less than
    ``independent_cascade``. ``probability``: one for all, or one a node."""
    followers, nodes = network.reversed(), network.nodes
    chance = np.broadcast_to(_probability(probability), nodes)

    def begun(first: int, count: int) -> _Adopts:
        heard = np.zeros(count * nodes, np.bool_)

        def adopts(run: Ints, edge: Ints, cell: Ints) -> Ints:
            fresh = np.unique(cell[~heard[cell]])
            heard[fresh] = True
            return fresh[random.uniform(fresh + first * nodes) < chance[fresh % max(nodes, 1)]]

        return adopts

    return _played(followers, seeds, runs, steps, begun)


def linear_threshold(
    network: Network, seeds: ArrayLike, threshold: ArrayLike | Stream, *, runs: int = 1, steps: int | None = None
) -> Spread:
    """One passes it on when the share of those it hears who have reaches its threshold (Granovetter 1978; Kempe, Kleinberg and Tardos 2003,
    with equal weights). ``threshold``: one for all, one a node, (runs, nodes), or a stream, from which each is drawn uniformly in (0, 1].
    Nobody passes on what nobody told it, whatever its threshold.
    """
    followers, nodes = network.reversed(), network.nodes
    degrees = np.maximum(network.degrees(), 1)

    def begun(first: int, count: int) -> _Adopts:
        told = np.zeros(count * nodes, np.int64)
        if isinstance(threshold, Stream):
            needed = 1.0 - threshold.uniform(np.arange(first * nodes, (first + count) * nodes))
        else:
            given = np.asarray(threshold, np.float64)
            given = given[first : first + count] if given.ndim == 2 else given
            needed = np.broadcast_to(given, (count, nodes)).reshape(-1)

        def adopts(run: Ints, edge: Ints, cell: Ints) -> Ints:
            fresh, times = np.unique(cell, return_counts=True)
            told[fresh] += times
            return fresh[told[fresh] / degrees[fresh % max(nodes, 1)] >= needed[fresh]]

        return adopts

    return _played(followers, seeds, runs, steps, begun)


def exact_cascade(network: Network, seeds: ArrayLike, probability: ArrayLike) -> Floats:
    """The probability that each node passes it on in an independent cascade, (nodes,), over all 2**edges graphs of live edges; 20 edges at
    most."""
    edges = len(network)
    if edges > 20:
        raise UsageError(f"an exact cascade goes through 2**{edges} worlds; a network of at most 20 edges can be worked out")
    live = (np.arange(1 << edges)[:, None] >> np.arange(edges) & 1).astype(np.bool_)
    chance = _chances(network, probability)
    weight = np.where(live, chance, 1 - chance).prod(axis=1)
    return weight @ _reached(network, seeds, live)


def exact_threshold(network: Network, seeds: ArrayLike) -> Floats:
    """The probability that each node passes it on in a linear threshold model with uniform thresholds, (nodes,): as if each listened to one
    of those it hears, chosen uniformly (Kempe, Kleinberg and Tardos 2003, claim 2.6), over all such choices; 2**20 at most."""
    degrees = network.degrees()
    worlds = math.prod(max(int(degree), 1) for degree in degrees)
    if worlds > _MOST_WORLDS:
        raise UsageError(f"an exact threshold model goes through {worlds} worlds; at most {_MOST_WORLDS} can be worked out")
    live = np.zeros((worlds, len(network)), np.bool_)
    number = np.arange(worlds)
    for node in np.flatnonzero(degrees):
        number, choice = np.divmod(number, degrees[node])
        live[np.arange(worlds), network.starts[node] + choice] = True
    return _reached(network, seeds, live).mean(axis=0)


def exact_single_coin(network: Network, seeds: ArrayLike, probability: float) -> Floats:
    """The probability that each node passes it on where everybody decides once, (nodes,): seeds do. 20 nodes at most."""
    nodes = network.nodes
    if nodes > 20:
        raise UsageError(f"an exact spread of single coins goes through 2**{nodes} worlds; at most 20 nodes can be worked out")
    willing = (np.arange(1 << nodes)[:, None] >> np.arange(nodes) & 1).astype(np.bool_)
    weight = np.where(willing, probability, 1 - probability).prod(axis=1)
    return weight @ _reached(network, seeds, willing[:, network.sources()])


def tree_probabilities(network: Network, seeds: ArrayLike, chance: ArrayLike) -> Floats:
    """The closed form where one way alone leads from the seeds to each node: the product of the chances along it, (nodes,).

    ``chance``: one for all edges, or one value an edge: p for a cascade, 1 / (number of those heard) for uniform thresholds. Raises
    UsageError where two ways lead to a node.
    """
    followers = Network(network.starts, network.targets, {"chance": _chances(network, chance)}).reversed()
    out = np.zeros(network.nodes)
    frontier = np.unique(np.asarray(seeds, np.int64))
    out[frontier] = 1.0
    reached = np.zeros(network.nodes, np.bool_)
    reached[frontier] = True
    while len(frontier):
        edge, place = _rows(followers, frontier)
        node = followers.targets[edge].astype(np.int64)
        fresh, times = np.unique(node, return_counts=True)
        if (wrong := fresh[(times > 1) | reached[fresh]]).size:
            raise UsageError(f"node {wrong[0]} is reached in two ways, so the closed form of a tree does not hold; play it instead")
        out[node] = out[frontier][place] * followers["chance"][edge]
        reached[node] = True
        frontier = fresh
    return out


def tree_size(branching: float, depth: int, probability: float) -> float:
    """Mean number who pass it on in a tree where everybody has ``branching`` followers, from its root: the sum of (branching p)**k over
    generations 0 to ``depth``."""
    return float(sum((branching * probability) ** generation for generation in range(depth + 1)))


def ball(network: Network, seeds: ArrayLike, steps: int | None = None) -> Ints:
    """How many are at most t steps of being heard away from the seeds, t = 0, 1, ...: the reach of what everybody passes on."""
    followers = network.reversed()
    spread = _played(followers, seeds, 1, steps, lambda first, count: lambda run, edge, cell: cell)
    return spread.curve(steps)[0]


def _played(followers: Network, seeds: ArrayLike, runs: int, steps: int | None, begun: Callable[[int, int], _Adopts]) -> Spread:
    """Wave after wave, some runs at a time. A cell is run * nodes + node, runs counted from the first of the batch."""
    nodes, given = followers.nodes, np.asarray(seeds, np.int64)
    if runs < 1:
        raise UsageError(f"{runs} runs: at least 1")
    if given.size and not 0 <= given.min() <= given.max() < nodes:
        raise UsageError(f"a seed lies outside the nodes 0 to {nodes - 1}")
    if given.ndim == 2 and len(given) != runs:
        raise UsageError(f"seeds are for {len(given)} runs, but {runs} are played")
    out = np.full((runs, nodes), NEVER, np.int32)
    batch = max(1, _CELLS // max(nodes, 1))
    for first in range(0, runs, batch):
        part = out[first : first + batch]
        own = given[first : first + batch] if given.ndim == 2 else np.broadcast_to(given, (len(part), given.size))
        cells = np.unique(own + nodes * np.arange(len(part))[:, None])
        _waves(followers, part.reshape(-1), cells, first, steps, begun(first, len(part)))
    return Spread(out)


def _waves(followers: Network, step: Steps, frontier: Ints, first: int, steps: int | None, adopts: _Adopts) -> None:
    number, nodes = 0, followers.nodes
    step[frontier] = 0
    while len(frontier) and (steps is None or number < steps):
        number += 1
        edge, place = _rows(followers, frontier % nodes)
        run = (frontier // nodes)[place]
        cell = run * nodes + followers.targets[edge]
        going = step[cell] == NEVER
        frontier = np.unique(adopts(run[going] + first, edge[going], cell[going]))
        step[frontier] = number


def _rows(network: Network, nodes: Ints) -> tuple[Ints, Ints]:
    """The edges of these nodes, and which of the nodes each belongs to."""
    counts = network.starts[nodes + 1] - network.starts[nodes]
    place = np.repeat(np.arange(len(nodes)), counts)
    within = np.arange(len(place)) - np.repeat(np.cumsum(counts) - counts, counts)
    return network.starts[nodes][place] + within, place


def _reached(network: Network, seeds: ArrayLike, live: Bools) -> Floats:
    """(worlds, nodes): who is reached from the seeds over live edges."""
    active = np.zeros((len(live), network.nodes), np.bool_)
    active[:, np.asarray(seeds, np.int64)] = True
    sources = network.sources()
    for _ in range(network.nodes):
        for edge in range(len(network)):
            active[:, sources[edge]] |= active[:, network.targets[edge]] & live[:, edge]
    return active.astype(np.float64)


def _by_step(step: Steps, steps: int | None) -> Ints:
    last = int(step.max(initial=0)) if steps is None else steps
    out = np.zeros((len(step), last + 1), np.int64)
    run, node = np.nonzero((step >= 0) & (step <= last))
    np.add.at(out, (run, step[run, node]), 1)
    return np.cumsum(out, axis=1)


def _chances(network: Network, probability: ArrayLike) -> Floats:
    """One value an edge."""
    values = _probability(probability)
    if values.ndim and values.shape != (len(network),):
        raise UsageError(f"{len(values)} probabilities for {len(network)} edges; give one for all, or one an edge")
    return np.array(np.broadcast_to(values, len(network)))


def _probability(probability: ArrayLike) -> NDArray[Any]:
    values = np.asarray(probability, np.float64)
    if not ((values >= 0) & (values <= 1)).all():
        raise UsageError(f"a probability is {values.reshape(-1)[np.argmax(~((values >= 0) & (values <= 1)))]}; it lies from 0 to 1")
    return values
