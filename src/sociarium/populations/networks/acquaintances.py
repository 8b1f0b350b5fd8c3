"""Acquaintances as AgentSociety begins with them: a few friends each, directed, with a relation and a strength."""

from __future__ import annotations

import numpy as np

from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network
from sociarium.kernel.randomness import Stream

RELATIONS = ("family", "colleague", "friend")
STRENGTHS = ((60, 90), (40, 70), (30, 80))  # of each relation, drawn evenly; out of 100


def acquaintances(agents: int, random: Stream, *, least: int = 2, most: int = 5, first: int = 0) -> Network:
    """``least`` to ``most`` different others each, drawn evenly (Piao et al., arXiv 2502.08691, and its code).

    Edges have the attributes ``relation`` (the number of a relation) and ``strength`` (30 to 90 of 100). Agents are numbered from
    ``first``.
    """
    if not 0 <= least <= most or (agents and most > agents - 1):
        raise UsageError(f"{agents} agents cannot have {least} to {most} acquaintances each among the others")
    count = random.integers(least, most, np.arange(agents))
    places = np.arange(agents)[:, None] * most + np.arange(most)
    targets = _different(agents, most, random.at("who"))
    kept = np.arange(most)[None, :] < count[:, None]
    source, target, place = np.repeat(np.arange(agents), count), targets[kept], places[kept]
    relation = random.integers(0, len(RELATIONS) - 1, place, 1)
    low, high = np.array(STRENGTHS, np.int64).T
    strength = random.integers(low[relation], high[relation], place, 2)
    columns = {"relation": relation.astype(np.int8), "strength": strength.astype(np.int16)}
    return Network.from_edges(first + agents, first + source, first + target, attributes=columns)


def _different(agents: int, most: int, random: Stream) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """``most`` different others for each agent, (agents, most): each draw is among those that are left (Floyd 1987)."""
    found = np.full((agents, most), -1, np.int64)
    for number in range(most):
        top = agents - 1 - most + number  # the highest place among the others so far, counted without the agent itself
        drawn = random.integers(0, top, np.arange(agents), number)
        again = (found[:, :number] == drawn[:, None]).any(axis=1)
        found[:, number] = np.where(again, top, drawn)
    return found + (found >= np.arange(agents)[:, None])
