"""Where one goes: a choice among places that falls with distance, for all who choose at once.

As in AgentSociety (Piao et al., arXiv 2502.08691, and its code): of all places in reach some candidates are drawn, with replacement and
with probability proportional to d^(-1/2); one of them is taken with probability proportional to r / d^2, where r is the density of places
in the ring of one kilometre around the chooser that the candidate lies in, counted over all places before the draw. With few candidates
that is *not* a choice by 1 / d^2: of distances spread evenly over a disc, those chosen fall as d^(-0.97) with 50 candidates, d^(-1.48) with
2,000, and d^(-1.5) in the limit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.randomness import Stream

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

CHUNK = 1 << 21  # distances at a time


@dataclass(frozen=True, slots=True)
class GravityRules:
    """``candidates`` that are drawn; exponents of distance in the ``draw`` and in the ``choice``; ``ring``: width of the rings in which
    places are counted, ``reach``: how far one goes, ``nearest``: smaller distances count as this one (all km)."""

    candidates: int = 50
    draw: float = 0.5
    choice: float = 2.0
    ring: float = 1.0
    reach: float = 10.0
    nearest: float = 0.1

    def __post_init__(self) -> None:
        if self.candidates < 1 or not (0 < self.nearest < self.reach and self.ring > 0):
            raise UsageError("GravityRules: at least 1 candidate, a ring wider than 0 km, and 0 < nearest < reach")

    @property
    def rings(self) -> int:
        return int(np.ceil(self.reach / self.ring))


def destinations(
    here: Floats, places: Floats, random: Stream, rows: Ints, rules: GravityRules | None = None, *, barred: Ints | None = None
) -> Ints:
    """The number of the place that each chooser goes to, (choosers,), -1 where none is in reach.

    ``here``: (choosers, 2) and ``places``: (places, 2), km; ``rows`` tell choosers apart in the stream; ``barred``: a place each that
    it does not choose (the one it is at), -1 for none.
    """
    rules = rules or GravityRules()
    out = np.full(len(here), -1, np.int64)
    if not len(places):
        return out
    size = max(1, CHUNK // max(len(places), rules.candidates))
    for start in range(0, len(here), size):
        at = slice(start, start + size)
        distance = np.hypot(*(here[at, None, :] - places[None, :, :]).transpose(2, 0, 1))
        allowed = distance <= rules.reach
        if barred is not None:
            mine = np.flatnonzero(barred[at] >= 0)
            allowed[mine, barred[at][mine]] = False
        drawn = drawn_candidates(distance, allowed, random, rows[at], rules)
        some = np.take_along_axis(distance, drawn, 1)
        dense = np.take_along_axis(ring_density(distance, rules), ring_of(some, rules), 1)
        taken = chosen(some, dense, random.at("choice"), rows[at], rules)
        found = drawn[np.arange(len(drawn)), taken]
        out[at] = np.where(allowed.any(axis=1), found, -1)
    return out


def drawn_candidates(distance: Floats, allowed: Bools, random: Stream, rows: Ints, rules: GravityRules) -> Ints:
    """Places that come to each chooser's mind, with replacement: (choosers, candidates)."""
    weight = np.where(allowed, np.maximum(distance, rules.nearest) ** -rules.draw, 0.0)
    upper = np.cumsum(weight, axis=1)
    upper /= np.maximum(upper[:, -1:], np.finfo(np.float64).tiny)
    lift = 2.0 * np.arange(len(upper))[:, None]  # rows stand one after the other: one bisection for all
    share = random.at("candidates").uniform(rows[:, None], np.arange(rules.candidates)[None, :])
    found = np.searchsorted((upper + lift).reshape(-1), (share + lift).reshape(-1), side="right").reshape(share.shape)
    return np.minimum(found - np.arange(len(upper))[:, None] * distance.shape[1], distance.shape[1] - 1).astype(np.int64)


def chosen(distance: Floats, density: Floats, random: Stream, rows: Ints, rules: GravityRules) -> Ints:
    """Which candidate each chooser takes, (choosers,): with probability proportional to density / distance^2."""
    return random.choice(density * np.maximum(distance, rules.nearest) ** -rules.choice, rows)


def ring_of(distance: Floats, rules: GravityRules) -> Ints:
    return np.minimum((distance / rules.ring).astype(np.int64), rules.rings - 1)


def ring_density(distance: Floats, rules: GravityRules) -> Floats:
    """Places a square kilometre in each ring around each chooser, (choosers, rings)."""
    near = distance <= rules.reach
    codes = np.arange(len(distance))[:, None] * rules.rings + ring_of(distance, rules)
    counts = np.bincount(codes[near], minlength=len(distance) * rules.rings).reshape(len(distance), rules.rings)
    edges = np.minimum(np.arange(rules.rings + 1) * rules.ring, rules.reach)
    return counts / (np.pi * np.diff(edges**2))


def exponent(distances: Floats, low: float, high: float) -> float:
    """The exponent a of a density proportional to d^(-a) on [low, high] that makes these distances likeliest."""
    log = float(np.mean(np.log(distances[(distances >= low) & (distances <= high)])))
    below, above = -5.0, 8.0
    for _ in range(80):  # the mean of log d falls with a: bisection
        middle = (below + above) / 2
        below, above = (middle, above) if _mean_log(middle, low, high) > log else (below, middle)
    return (below + above) / 2


def _mean_log(exponent_: float, low: float, high: float) -> float:
    """The mean of log d under that density."""
    rise = 1.0 - exponent_
    a, b = np.log(low), np.log(high)
    if abs(rise * (b - a)) < 1e-6:
        return float((a + b) / 2 + rise * (b - a) ** 2 / 12)
    top, bottom = np.exp(rise * (b - a)), 1.0
    return float((b * top - a * bottom) / (top - bottom) - 1.0 / rise)
