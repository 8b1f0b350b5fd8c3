"""A network's paradoxes with the nulls beside them: no line is printed without what it would be if nobody had chosen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network
from sociarium.kernel.randomness import Stream
from sociarium.lab.paradox.gaps import (
    Version,
    edge_gap,
    node_gap,
    random_follow_gap,
    rank_correlation,
    strong_share,
    upward_share,
    weak_share,
)
from sociarium.lab.paradox.nulls import LEVEL, Infrequent, Judged, Null, drawn, infrequent, judged, shuffles

Floats = NDArray[np.float64]
Measure = Callable[[Network, Any], Any]

DEGREES = "followers"
_BY_FRIENDS: Mapping[str, Measure] = {
    "gap by edge": edge_gap,
    "gap by node": node_gap,
    "weak share": weak_share,
    "strong share": strong_share,
    "upward edges": upward_share,
    "rank correlation": rank_correlation,
}
_STRICT = (Null.SAME_DEGREES, Null.SHUFFLED)


@dataclass(frozen=True, slots=True)
class Line:
    """One measure. ``free``: it is 0 or more in any network, so that its sign says nothing. ``adjusted``: p beside the strictest null,
    for all lines together; nan where none can judge."""

    x: str
    measure: str
    observed: float
    free: bool
    nulls: tuple[Judged, ...]
    adjusted: float = float("nan")

    @property
    def strict(self) -> Judged | None:
        """The null that leaves least to chance: x shuffled, else all degrees kept; None where neither can judge."""
        able = [null for null in self.nulls if null.null in _STRICT and not null.same]
        return able[-1] if able else None


@dataclass(frozen=True, slots=True)
class Report:
    """``lines`` in order; ``follow_null``: the exact gap expected of random follows; ``infrequent`` where edges carry weights."""

    nodes: int
    edges: int
    directed: bool
    lines: tuple[Line, ...]
    follow_null: float
    infrequent: Infrequent | None = None

    def line(self, x: str, measure: str) -> Line:
        for one in self.lines:
            if (one.x, one.measure) == (x, measure):
                return one
        raise UsageError(f"the report has no line {x!r}, {measure!r}; it has {sorted({(one.x, one.measure) for one in self.lines})}")

    @property
    def findings(self) -> tuple[Line, ...]:
        """The lines outside of their strictest null, all of them judged together. An edge gap of degrees is never among them: a network
        that keeps the degrees keeps it."""
        return tuple(one for one in self.lines if one.adjusted <= 1 - LEVEL)

    @property
    def replicated(self) -> bool:
        """Whether friends have more of an attribute than chance explains: among the findings is one about an attribute, with a gap or share
        above that of its null. The friendship paradox alone, about degrees, never is enough."""
        about = [one for one in self.findings if one.x != DEGREES and one.measure != "rank correlation"]
        return any(one.strict is not None and one.observed > one.strict.mean for one in about)

    def rows(self) -> list[dict[str, Any]]:
        """Plain data, one row a line and null."""
        return [
            {"x": one.x, "measure": one.measure, "observed": one.observed, "free": one.free, "adjusted": one.adjusted, "null": null.null}
            | {name: getattr(null, name) for name in ("mean", "low", "high", "p", "same")}
            for one in self.lines
            for null in one.nulls
        ]

    def __str__(self) -> str:
        kind = "directed" if self.directed else "undirected"
        out = [f"{self.nodes} nodes, {self.edges} edges, {kind}; a gap that random follows have: {self.follow_null:.4g}"]
        for one in self.lines:
            mark = " (never negative, in any network)" if one.free else ""
            out.append(f"{one.x}, {one.measure}: {one.observed:.4g}{mark}")
            out += [f"    {null}" for null in one.nulls]
        if self.infrequent is not None:
            out.append(f"infrequent edges: {self.infrequent}")
        names = ", ".join(f"{one.x} ({one.measure})" for one in self.findings) or "nothing"
        out.append(f"beyond what degrees and chance explain: {names}")
        return "\n".join(out)


def report(
    network: Network,
    attributes: Mapping[str, ArrayLike] | None = None,
    *,
    random: Stream,
    directed: bool = True,
    weight: str | None = None,
    draws: int = 199,
) -> Report:
    """All measures of degrees and ``attributes`` (one value a node), each beside its nulls. ``weight``: an edge attribute by which
    infrequent edges are told from frequent ones."""
    given = {name: np.asarray(values, np.float64) for name, values in (attributes or {}).items()}
    if DEGREES in given:
        raise UsageError(f"{DEGREES!r} is what the report calls degrees; give the attribute another name")
    graphs = (Null.RANDOM_GRAPH, Null.RANDOM_FOLLOWS, Null.SAME_DEGREES) if directed else (Null.RANDOM_GRAPH, Null.SAME_DEGREES)
    statistics = _degree_statistics(directed)
    for name in given:
        statistics |= {(name, measure): _of(function, given[name]) for measure, function in _BY_FRIENDS.items()}
    samples = {null: _sampled(network, null, statistics, random.at(null.value), draws, directed) for null in graphs}
    samples[Null.SHUFFLED] = _shuffled(network, given, random.at(Null.SHUFFLED.value), draws)
    lines: list[Line] = []
    for key, statistic in statistics.items():
        observed = float(statistic(network))
        nulls = tuple(judged(observed, sample[key], null.value) for null, sample in samples.items() if key in sample)
        lines.append(Line(*key, observed, _free(*key, directed), nulls))
    lines = _adjusted(lines, samples)
    seldom = None if weight is None else infrequent(network, weight, random.at("infrequent"), draws=draws)
    return Report(network.nodes, len(network), directed, tuple(lines), random_follow_gap(network.degrees()), seldom)


Statistics = dict[tuple[str, str], Callable[[Network], Any]]


def _degree_statistics(directed: bool) -> Statistics:
    out: Statistics = {}
    if directed:
        out |= {(DEGREES, f"gap by edge, {v.value}"): _version(v) for v in Version}
    for name, measure in _BY_FRIENDS.items():
        if not directed or measure is not edge_gap:
            out[DEGREES, name] = _own(measure)
    return out


def _version(version: Version) -> Callable[[Network], Any]:
    return lambda network: edge_gap(network, version.degrees(network), version.friends)


def _own(measure: Measure) -> Callable[[Network], Any]:
    return lambda network: measure(network, network.in_degrees())


def _of(measure: Measure, x: Floats) -> Callable[[Network], Any]:
    return lambda network: measure(network, x)


def _free(x: str, measure: str, directed: bool) -> bool:
    if x != DEGREES:
        return False
    crossed = (Version.FOLLOWEES_FOLLOWEES, Version.FOLLOWERS_FOLLOWERS)
    return measure.startswith("gap") and (not directed or (measure != "gap by node" and not any(v.value in measure for v in crossed)))


def _sampled(
    network: Network, null: Null, statistics: Statistics, random: Stream, draws: int, directed: bool
) -> dict[tuple[str, str], Floats]:
    out = {key: np.empty(draws) for key in statistics}
    for draw in range(draws):
        other = drawn(network, null, random.at(draw), directed=directed)
        for key, statistic in statistics.items():
            out[key][draw] = statistic(other)
    return out


def _shuffled(network: Network, given: Mapping[str, Floats], random: Stream, draws: int) -> dict[tuple[str, str], Floats]:
    """Every attribute dealt out by the same orders, so that what goes together stays together."""
    orders = shuffles(np.arange(network.nodes), random, draws).astype(np.int64)
    out: dict[tuple[str, str], Floats] = {}
    for name, x in given.items():
        dealt = x[orders]
        for measure, function in _BY_FRIENDS.items():
            at_once = function in (edge_gap, node_gap, weak_share, upward_share)
            out[name, measure] = np.asarray(function(network, dealt) if at_once else [function(network, one) for one in dealt])
    return out


def _adjusted(lines: list[Line], samples: Mapping[Null, Mapping[tuple[str, str], Floats]]) -> list[Line]:
    """p of each line beside the largest distance of any line in each draw, in deviations of the line's own null (Westfall and Young 1993,
    single-step maxT)."""
    distance: dict[tuple[str, str], float] = {}
    furthest = np.zeros(len(next(iter(samples[Null.SAME_DEGREES].values()))))
    for one in lines:
        strict = one.strict
        if strict is None or np.isnan(one.observed):
            continue
        sample = samples[Null(strict.null)][one.x, one.measure]
        scale = float(np.nanstd(sample)) or 1e-300  # without spread any distance is beyond all draws
        distance[one.x, one.measure] = abs(one.observed - strict.mean) / scale
        furthest = np.fmax(furthest, np.abs(sample - strict.mean) / scale)
    return [
        replace(one, adjusted=float((furthest >= distance[key]).sum() + 1) / (len(furthest) + 1))
        if (key := (one.x, one.measure)) in distance
        else one
        for one in lines
    ]
