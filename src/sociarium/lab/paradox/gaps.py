"""Do friends have more than oneself? Gaps, shares and correlations over a network, and the closed forms that some of them have.

An edge u -> v says that u follows v: in-degree counts followers, out-degree followees. An undirected network holds both directions of
every edge, and friends are its neighbours. ``x`` is any attribute, one value a node; where it says (..., nodes), several at once.
The friendship paradox is the gap of degrees (Feld, "Why your friends have more friends than you do", 1991); that of any other x is the
generalised one (Eom and Jo, arXiv 1401.1458; directed versions: Hodas, Kooti and Lerman, arXiv 1304.3480).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Friends(StrEnum):
    """Whom a node is compared with."""

    FOLLOWEES = "followees"
    FOLLOWERS = "followers"


class Version(StrEnum):
    """The four directed paradoxes: of whom, and what they have more of."""

    FOLLOWEES_FOLLOWERS = "followees' followers"
    FOLLOWERS_FOLLOWEES = "followers' followees"
    FOLLOWEES_FOLLOWEES = "followees' followees"
    FOLLOWERS_FOLLOWERS = "followers' followers"

    @property
    def friends(self) -> Friends:
        return Friends.FOLLOWEES if self.value.startswith("followees") else Friends.FOLLOWERS

    def degrees(self, network: Network) -> Ints:
        """What is compared: how many followers, or followees, each node has."""
        return network.in_degrees() if self.value.endswith(" followers") else network.degrees()


def edge_gap(network: Network, x: ArrayLike, friends: Friends = Friends.FOLLOWEES, *, weight: str | None = None) -> Any:
    """Mean of the friend's x over edges, less the mean of x over nodes; nan without edges. ``weight``: an edge attribute to weigh by.

    Of one x a float, of (..., nodes) an array of the leading shape.
    """
    values = _values(network, x)
    if not len(network):
        return _plain(np.full(values.shape[:-1], np.nan))
    ends = network.targets if friends is Friends.FOLLOWEES else network.sources()
    counts = np.bincount(ends, None if weight is None else np.asarray(network[weight], np.float64), minlength=network.nodes)
    return _plain(values @ counts / counts.sum() - values.mean(-1))


def degree_gaps(network: Network) -> dict[Version, float]:
    """The edge-weighted gaps of the four directed versions. In an undirected network all four are its one gap."""
    return {version: edge_gap(network, version.degrees(network), version.friends) for version in Version}


def node_gap(network: Network, x: ArrayLike, friends: Friends = Friends.FOLLOWEES) -> Any:
    """Mean over nodes with friends of (mean x of the friends, less the own)."""
    values = _values(network, x)
    beyond = friend_means(network, values, friends) - values
    return _plain(_over_nodes(beyond, network, friends))


def weak_share(network: Network, x: ArrayLike, friends: Friends = Friends.FOLLOWEES) -> Any:
    """Share of the nodes with friends whose friends' mean exceeds their own value."""
    values = _values(network, x)
    above = friend_means(network, values, friends) > values  # false for nan
    return _plain(_over_nodes(above, network, friends))


def strong_share(network: Network, x: ArrayLike, friends: Friends = Friends.FOLLOWEES) -> float:
    """Share of the nodes with friends whose friends' median exceeds their own value."""
    above = friend_medians(network, x, friends) > np.asarray(x, np.float64)
    return float(_over_nodes(above, network, friends))


def upward_share(network: Network, x: ArrayLike) -> Any:
    """Share of edges that point to a node of higher x. Ties do not point upward: see ``level_share``."""
    values = _values(network, x)
    return _over_edges(values[..., network.targets] > values[..., network.sources()], network)


def level_share(network: Network, x: ArrayLike) -> Any:
    """Share of edges between nodes of the same x."""
    values = _values(network, x)
    return _over_edges(values[..., network.targets] == values[..., network.sources()], network)


def rank_correlation(network: Network, x: ArrayLike, friends: Friends = Friends.FOLLOWEES) -> float:
    """Spearman's correlation of the own x and the mean x of friends, over the nodes with friends; nan where either is constant."""
    means = friend_means(network, x, friends)
    some = ~np.isnan(means)
    own, other = _ranks(np.asarray(x, np.float64)[some]), _ranks(means[some])
    own, other = own - own.mean() if len(own) else own, other - other.mean() if len(other) else other
    scale = float(np.sqrt((own @ own) * (other @ other)))
    return float(own @ other) / scale if scale else float("nan")


def friend_means(network: Network, x: ArrayLike, friends: Friends = Friends.FOLLOWEES) -> Floats:
    """Mean x of each node's friends, (..., nodes); nan where a node has none."""
    ties, values = _ties(network, friends), _values(network, x)
    out = np.full(values.shape, np.nan)
    counts = ties.degrees()
    some = counts > 0
    if some.any():
        out[..., some] = np.add.reduceat(values[..., ties.targets], ties.starts[:-1][some], axis=-1) / counts[some]
    return out


def friend_medians(network: Network, x: ArrayLike, friends: Friends = Friends.FOLLOWEES) -> Floats:
    """Median x of each node's friends, the mean of the middle two where they are even in number; nan where a node has none."""
    ties, values = _ties(network, friends), _values(network, x)
    if values.ndim != 1:
        raise UsageError(f"medians are taken of one x a time, not of {values.shape}")
    out = np.full(network.nodes, np.nan)
    counts = ties.degrees()
    some = np.flatnonzero(counts)
    theirs = values[ties.targets]
    theirs = theirs[np.lexsort((theirs, ties.sources()))]
    first = ties.starts[some]
    out[some] = (theirs[first + (counts[some] - 1) // 2] + theirs[first + counts[some] // 2]) / 2
    return out


def closed_form(x: ArrayLike, degrees: ArrayLike) -> float:
    """Cov(degrees, x) / mean degree (population covariance): the edge gap of x over friends who are counted as often as ``degrees``
    says. For x the degrees themselves it is their variance over their mean, and never negative: friends with many friends are counted
    often."""
    values, weights = np.asarray(x, np.float64), np.asarray(degrees, np.float64)
    if not weights.sum():
        return float("nan")
    return float(((values - values.mean()) * (weights - weights.mean())).mean() / weights.mean())


def closed_forms(out: ArrayLike, into: ArrayLike) -> dict[Version, float]:
    """The four directed gaps from out- and in-degrees alone: whoever keeps every node's degrees keeps these gaps."""
    return {
        Version.FOLLOWEES_FOLLOWERS: closed_form(into, into),
        Version.FOLLOWERS_FOLLOWEES: closed_form(out, out),
        Version.FOLLOWEES_FOLLOWEES: closed_form(out, into),
        Version.FOLLOWERS_FOLLOWERS: closed_form(into, out),
    }


def random_follow_gap(out: ArrayLike) -> float:
    """The expected gap of followees' followers where node i follows ``out[i]`` others, each set of them as likely. Exact.

    In-degrees are sums of independent coins. For m followees each of n nodes the gap is 1 - m / (n - 1): a gap that nobody chose.
    """
    follows = np.asarray(out, np.float64)
    if len(follows) < 2 or not follows.sum():
        return float("nan")
    chance = follows / (len(follows) - 1)
    expected = chance.sum() - chance
    variance = (chance * (1 - chance)).sum() - chance * (1 - chance)
    return float((expected**2 + variance).mean() / follows.mean() - follows.mean())


def _values(network: Network, x: ArrayLike) -> Floats:
    values = np.asarray(x, np.float64)
    if not values.ndim or values.shape[-1] != network.nodes:
        raise UsageError(f"x has the shape {values.shape}; its last axis needs one value for each of the {network.nodes} nodes")
    return values


def _ties(network: Network, friends: Friends) -> Network:
    """From each node to its friends."""
    if friends is Friends.FOLLOWEES:
        return network
    return Network.from_edges(network.nodes, network.targets, network.sources())


def _over_nodes(values: NDArray[Any], network: Network, friends: Friends) -> Any:
    some = (network.degrees() if friends is Friends.FOLLOWEES else network.in_degrees()) > 0
    return values[..., some].mean(-1) if some.any() else np.full(values.shape[:-1], np.nan)


def _over_edges(values: NDArray[Any], network: Network) -> Any:
    return _plain(values.mean(-1) if len(network) else np.full(values.shape[:-1], np.nan))


def _ranks(values: Floats) -> Floats:
    """From 0; ties share the mean of their ranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts + 1) / 2)[inverse]


def _plain(values: Any) -> Any:
    return float(values) if np.ndim(values) == 0 else values
