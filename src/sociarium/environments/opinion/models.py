"""The classic models as pure functions: (network, opinions, draws) -> opinions. Opinions are real numbers from 0 to 1, one an agent.

An edge leads from who listens to who is heard. Inside, opinions are whole parts of 2**-30 (see ``kernels``), so results carry that error,
and
are the same on every machine.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.environments.opinion.kernels import ONE, averages, confident_averages, copy_in_turn, meet_in_turn
from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network
from sociarium.kernel.randomness import Stream

Floats = NDArray[np.float64]
Held = NDArray[np.int32]
Ints = NDArray[np.int64]
Chances = NDArray[Any]


def degroot(network: Network, opinions: ArrayLike, *, own: float = 0.0) -> Floats:
    """x' = own * x + (1 - own) * mean of those heard (DeGroot 1974). ``own`` above 0 keeps opinions from swinging for ever."""
    return floating(averages(network, fixed(opinions), own))


def friedkin_johnsen(network: Network, opinions: ArrayLike, start: ArrayLike, susceptibility: ArrayLike, *, own: float = 0.0) -> Floats:
    """x' = s * DeGroot(x) + (1 - s) * x(0), where s is each agent's susceptibility (Friedkin and Johnsen 1990); s = 0 is a zealot."""
    return floating(anchored(averages(network, fixed(opinions), own), fixed(start), np.asarray(susceptibility, np.float64)))


def bounded_confidence(network: Network, opinions: ArrayLike, confidence: float) -> Floats:
    """The mean of one's own opinion and those heard that are at most ``confidence`` away, all at once (Hegselmann and Krause 2002)."""
    return floating(confident_averages(network, fixed(opinions), _distance(confidence)))


def deffuant(
    network: Network, opinions: ArrayLike, random: Stream, confidence: float, *, convergence: float = 0.5, meetings: int | None = None
) -> Floats:
    """Random neighbours meet one pair after the other; at most ``confidence`` apart, each moves ``convergence`` of the way (Deffuant et
    al. 2000).

    ``meetings``: by default half as many as agents. The sum of opinions is kept exactly.
    """
    held = fixed(opinions)
    edges = random.integers(0, len(network) - 1, np.arange(len(held) // 2 if meetings is None else meetings))
    meet_in_turn(source_of(network, edges), network.targets[edges], _distance(confidence), convergence, held)
    return floating(held)


def voter(network: Network, opinions: ArrayLike, random: Stream, *, noise: float = 0.0) -> Floats:
    """Everyone at once takes the opinion of one of those heard, or, with probability ``noise``, 0 or 1 by a fair coin (Granovsky and
    Madras 1995)."""
    return floating(copied(network, fixed(opinions), random, np.arange(network.nodes), noise))


def voter_in_turn(network: Network, opinions: ArrayLike, random: Stream, steps: int) -> Floats:
    """One random agent after the other takes the opinion of one of those heard (Holley and Liggett 1975), ``steps`` times."""
    held = fixed(opinions)
    rows = np.arange(steps)
    agents = random.integers(0, network.nodes - 1, rows)
    copy_in_turn(agents, heard_by(network, agents, random.uniform(rows, 1)), held)
    return floating(held)


def q_voter(network: Network, opinions: ArrayLike, random: Stream, *, panel: int = 2, independence: float = 0.0) -> Floats:
    """Everyone at once asks ``panel`` of those heard, with replacement, and follows them if they agree; with probability ``independence``
    it
    takes 0 or 1 by a fair coin instead (Castellano, Muñoz and Pastor-Satorras 2009)."""
    return floating(persuaded(network, fixed(opinions), random, panel, independence))


def clusters(opinions: ArrayLike, gap: float) -> int:
    """How many groups of opinions there are, where opinions more than ``gap`` apart belong to different groups."""
    ordered = np.sort(np.asarray(opinions, np.float64))
    return int((np.diff(ordered) > gap).sum()) + 1 if len(ordered) else 0


def fixed(opinions: ArrayLike) -> Held:
    """Opinions as whole parts of 2**-30; an error names one outside 0 to 1."""
    values = np.asarray(opinions, np.float64)
    wrong = np.flatnonzero(~((values >= 0) & (values <= 1)))
    if len(wrong):
        raise UsageError(f"the opinion of agent {wrong[0]} is {values[wrong[0]]}; opinions lie from 0 to 1")
    return np.rint(values * ONE).astype(np.int32)


def floating(held: Held) -> Floats:
    return held / float(ONE)


def anchored(moved: Held, start: Held, susceptibility: Floats) -> Held:
    return np.rint(susceptibility * moved + (1.0 - susceptibility) * start).astype(np.int32)


def copied(network: Network, held: Held, random: Stream, rows: Ints, noise: float) -> Held:
    """The opinion of one neighbour each, by its draw; with ``noise`` a coin instead."""
    out = held[heard_by(network, np.arange(network.nodes), random.uniform(rows))]
    return _coins(out, random, rows, noise)


def persuaded(network: Network, held: Held, random: Stream, panel: int, independence: float) -> Held:
    rows = np.arange(network.nodes)
    asked = [held[heard_by(network, rows, random.uniform(rows, number))] for number in range(panel)]
    agree = np.logical_and.reduce([one == asked[0] for one in asked])
    return _coins(np.where(agree, asked[0], held), random.at("independent"), rows, independence)


def heard_by(network: Network, agents: Ints, chances: Chances) -> Ints:
    """One of those each agent hears, or itself where it hears nobody."""
    degrees = network.starts[agents + 1] - network.starts[agents]
    edge = network.starts[agents] + np.minimum((chances * degrees).astype(np.int64), np.maximum(degrees - 1, 0))
    if not len(network):
        return agents
    return np.where(degrees > 0, network.targets[np.minimum(edge, len(network) - 1)], agents).astype(np.int64)


def source_of(network: Network, edges: Ints) -> Ints:
    return np.asarray(np.searchsorted(network.starts, edges, side="right"), np.int64) - 1


def _coins(held: Held, random: Stream, rows: Ints, noise: float) -> Held:
    if noise <= 0:
        return held
    coin = np.where(random.uniform(rows, 101) < 0.5, ONE, 0).astype(np.int32)
    return np.where(random.uniform(rows, 100) < noise, coin, held)


def _distance(confidence: float) -> int:
    if not confidence >= 0:
        raise UsageError(f"confidence is {confidence}; it is a distance, 0 or more")
    return min(int(confidence * ONE + 0.5), 2 * ONE - 1)
