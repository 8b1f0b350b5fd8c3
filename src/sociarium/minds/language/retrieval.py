"""Which memories come to mind: scores of recency, importance and relevance, for all agents who ask at once.

Memories are columns sorted by agent and time; a query is one agent with one embedding. Every number of a row is computed by sums in
a fixed order over that row alone, so a result does not depend on who else asks in the same call (a BLAS product's last bits do).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.errors import UsageError
from sociarium.minds.runs import heads, place_in_run

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Vectors = NDArray[np.floating[Any]]  # float32 in stores

NEVER = np.iinfo(np.int64).max  # the expiration of what never expires
HIGHEST = 10.0  # importance is asked on a scale of 1 to 10


class Kind(IntEnum):
    """What a memory is: something perceived, something concluded, something done, words of a talk, something meant to be done."""

    EVENT = 0
    THOUGHT = 1
    ACTION = 2
    CHAT = 3
    PLAN = 4


ABLATIONS: Mapping[str, frozenset[Kind]] = {  # what one who is interviewed may remember, by condition (Park et al. 2023, section 6)
    "full": frozenset(Kind),
    "no reflection": frozenset({Kind.EVENT, Kind.CHAT, Kind.ACTION, Kind.PLAN}),
    "no reflection, no planning": frozenset({Kind.EVENT, Kind.CHAT, Kind.ACTION}),
    "no memory": frozenset(),
}


@dataclass(frozen=True, slots=True)
class Memories:
    """Memories of all agents, sorted by agent and, within one, by time. One row a memory; times are whole microseconds."""

    agents: Ints
    created: Ints
    accessed: Ints  # when it last came to mind; at first when it was created
    expires: Ints  # it is gone from this moment on; NEVER for what stays
    kinds: Ints
    importance: Floats  # 1 to 10
    always: Bools  # scored above all others
    embeddings: Vectors  # (memories, dimensions), of any length; or a table that ``vectors`` points into
    lengths: Floats | None = None  # of the embeddings, where the store keeps them; else they are computed
    vectors: Ints | None = None  # the row of each memory's embedding, where equal texts share one

    def __post_init__(self) -> None:
        count = len(self.agents)
        columns: list[NDArray[Any]] = [self.created, self.accessed, self.expires, self.kinds, self.importance, self.always]
        columns.append(self.embeddings if self.vectors is None else self.vectors)
        if any(len(column) != count for column in columns) or self.embeddings.ndim != 2:
            raise UsageError("all columns of memories must have one row a memory, and embeddings two axes")
        if self.lengths is not None and len(self.lengths) != len(self.embeddings):
            raise UsageError("lengths of embeddings must have one value an embedding")
        same = self.agents[1:] == self.agents[:-1]
        if (self.agents[1:] < self.agents[:-1]).any() or (same & (self.created[1:] < self.created[:-1])).any():
            raise UsageError("memories must be sorted by agent and, within an agent, by time")


@dataclass(frozen=True, slots=True)
class Spread:
    """Picking unlike memories from the ``shortlist`` best: one by one that with the highest ``weight`` * score - (1 - ``weight``) * its
    largest cosine to those picked before (maximal marginal relevance, Carbonell and Goldstein 1998)."""

    shortlist: int = 15
    weight: float = 0.3

    def __post_init__(self) -> None:
        if self.shortlist < 1 or not 0 <= self.weight <= 1:
            raise UsageError(f"a shortlist holds at least 1 memory and weighs scores by 0 to 1, not {self.shortlist} and {self.weight}")


@dataclass(frozen=True, slots=True)
class Retrieval:
    """How memories are scored.

    ``recency``: decay to the power of the rank in age (``rank``, 0 for the newest; ``released_rank`` counts from the oldest, as the
    released code does) or of the hours since last access (``hours``). ``scaling``: ``none``, or ``range`` for min-max over the
    agent's candidates (a range of nothing scales to 0.5). ``spread``: pick unlike ones among the best; needs an embedder in this process.
    ``omitted``: memories whose text holds one of these words do not come to mind (of whoever knows the texts: ``Memory.recall``).
    """

    recency_weight: float = 0.5
    importance_weight: float = 3.0
    relevance_weight: float = 2.0
    decay: float = 0.99
    recency: Literal["rank", "released_rank", "hours"] = "rank"
    order_by: Literal["created", "accessed"] = "created"
    first_rank: int = 0
    scaling: Literal["none", "range"] = "none"
    hidden: frozenset[Kind] = field(default_factory=lambda: frozenset({Kind.CHAT}))
    spread: Spread | None = None
    omitted: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 < self.decay <= 1:
            raise UsageError(f"a memory's decay must lie in (0, 1], not {self.decay}")


GOVSIM = Retrieval()  # arXiv 2404.16698, with recency from the newest
GOVSIM_RELEASED = Retrieval(recency="released_rank")  # as its code does: the oldest memory is the most recent
GENERATIVE_AGENTS = Retrieval(1, 1, 1, 0.995, "hours", "accessed", 0, "range")  # as the paper states it, arXiv 2304.03442
GENERATIVE_AGENTS_RELEASED = Retrieval(0.5, 2, 3, 0.99, "released_rank", "accessed", 1, "range", omitted=("idle",))  # as its code does
POSIM = Retrieval(0.5, 0, 0.5, math.exp(-1 / 24), "hours")  # the form that the paper states, arXiv 2603.23884; its weights are ours
POSIM_RELEASED = Retrieval(0.6, 0.4, 0, math.exp(-1 / 24), "hours", spread=Spread())  # as its code does

PRESETS = {
    "govsim": GOVSIM,
    "govsim-released": GOVSIM_RELEASED,
    "generative-agents": GENERATIVE_AGENTS,
    "generative-agents-released": GENERATIVE_AGENTS_RELEASED,
    "posim": POSIM,
    "posim-released": POSIM_RELEASED,
}


@dataclass(frozen=True, slots=True)
class Found:
    """What came to mind. Row i belongs to query i: row numbers of memories sorted by time, then -1 up to ``top`` columns."""

    memories: Ints  # (queries, top)
    scores: Floats  # (queries, top); nan where memories is -1

    def row(self, query: int) -> Ints:
        """The memories of one query, oldest first."""
        found = self.memories[query]
        return found[found >= 0]


def retrieve(memories: Memories, askers: Ints, queries: Vectors, now: int, top: int | Ints, rule: Retrieval = GOVSIM) -> Found:
    """The ``top`` best memories of each asker for its query, sorted by time; ties in score go to the newer memory.

    ``askers``: agent ids, (queries,), an agent may ask several times; ``queries``: their embeddings, (queries, dimensions), or several
    for each, (queries, alternatives, dimensions), of which a memory's best counts. ``top``: a number for all, or one each. What has
    expired by ``now`` and kinds the rule hides never appear.
    """
    each = np.broadcast_to(np.asarray(top, np.int64), askers.shape)
    if (np.asarray(top) < 1).any():
        raise UsageError(f"at least one memory must be asked for, not {np.asarray(top).min()}")
    queries = queries[:, None, :] if queries.ndim == 2 else queries
    if queries.shape[::2] != (len(askers), memories.embeddings.shape[1]):
        raise UsageError(f"queries of shape {queries.shape}: need {(len(askers), memories.embeddings.shape[1])}, one embedding an asker")
    width = int(each.max(initial=1 if np.ndim(top) else int(top)))
    found = Found(np.full((len(askers), width), -1, np.int64), np.full((len(askers), width), np.nan))
    query, row = _candidates(memories, askers, now, rule)
    if not len(row):
        return found
    scores = _scores(memories, query, row, queries, now, rule)
    most = each if rule.spread is None else np.maximum(each, rule.spread.shortlist)
    near = _within_reach(scores, query, most)
    best_first = near[np.lexsort((-row[near], -scores[near], query[near]))]  # by query, then score, then the newer
    place = place_in_run(query[best_first])
    kept = best_first[place < most[query[best_first]]]
    if rule.spread is not None:
        kept = _unlike(memories, kept, query, row, scores, each, rule.spread.weight)
    kept = kept[np.lexsort((row[kept], query[kept]))]  # rows are in order of time within an agent
    column = place_in_run(query[kept])
    found.memories[query[kept], column] = row[kept]
    found.scores[query[kept], column] = scores[kept]
    return found


def _unlike(memories: Memories, best: Ints, query: Ints, row: Ints, scores: Floats, each: Ints, weight: float) -> Ints:
    """As many of the ``best`` candidates of each query (sorted by query and score) as it wants, by maximal marginal relevance."""
    picked: list[Ints] = []
    starts = heads(query[best])
    for start, stop in zip(starts.tolist(), np.append(starts[1:], len(best)).tolist(), strict=True):
        part = best[start:stop]
        place = row[part] if memories.vectors is None else memories.vectors[row[part]]
        vectors = memories.embeddings[place].astype(np.float64)
        lengths = np.sqrt(np.einsum("md,md->m", vectors, vectors))
        vectors = np.divide(vectors, lengths[:, None], out=np.zeros_like(vectors), where=lengths[:, None] > 0)
        nearest, left = np.zeros(len(part)), np.ones(len(part), np.bool_)
        for number in range(min(int(each[query[part[0]]]), len(part))):
            worth = np.where(left, weight * scores[part] - (1 - weight) * nearest, -np.inf)
            at = int(np.argmax(worth))  # of equals the first: the better, then the newer
            left[at] = False
            cosine = np.einsum("md,d->m", vectors, vectors[at])
            nearest = cosine if number == 0 else np.maximum(nearest, cosine)
        picked.append(part[~left])
    return np.concatenate(picked)


def _within_reach(scores: Floats, query: Ints, top: Ints) -> Ints:
    """The candidates that are no worse than the ``top``-th of their query: what is left to be sorted."""
    kept = np.ones(len(scores), np.bool_)
    starts = heads(query)
    for start, stop in zip(starts.tolist(), np.append(starts[1:], len(query)).tolist(), strict=True):
        spare = stop - start - int(top[query[start]])
        if spare > 0:
            part = scores[start:stop]
            kept[start:stop] = part >= np.partition(part, spare)[spare]
    return np.flatnonzero(kept).astype(np.int64)


def _candidates(memories: Memories, askers: Ints, now: int, rule: Retrieval) -> tuple[Ints, Ints]:
    """Pairs (query, memory row) that may come to mind, by query and then by time."""
    hidden = np.isin(memories.kinds, np.array([int(kind) for kind in rule.hidden], np.int64))
    usable = np.flatnonzero((memories.expires > now) & ~hidden & (memories.created <= now)).astype(np.int64)
    owners = memories.agents[usable]
    first, last = np.searchsorted(owners, askers, side="left"), np.searchsorted(owners, askers, side="right")
    counts = last - first
    query = np.repeat(np.arange(len(askers)), counts)
    within: Ints = np.arange(int(counts.sum()), dtype=np.int64) - np.repeat(np.cumsum(counts) - counts, counts)
    return query.astype(np.int64), usable[np.repeat(first, counts) + within]


def _scores(memories: Memories, query: Ints, row: Ints, queries: Vectors, now: int, rule: Retrieval) -> Floats:
    recency = _recency(memories, query, row, now, rule)
    importance = (np.where(memories.always, HIGHEST, memories.importance)[row] - 1) / (HIGHEST - 1)
    if rule.scaling == "range":
        recency, importance = _ranged(recency, query), _ranged(importance, query)
    fixed = rule.recency_weight * recency + rule.importance_weight * importance
    best = np.full(len(query), -np.inf)
    for alternative in range(queries.shape[1]):
        relevance = _cosine(queries[:, alternative], memories, query, row)
        if rule.scaling == "range":
            relevance = _ranged(relevance, query)
        np.maximum(best, _with_always(fixed + rule.relevance_weight * relevance, memories, query, row), out=best)
    return best


def _with_always(scores: Floats, memories: Memories, query: Ints, row: Ints) -> Floats:
    """What is always included is one above the highest of its query."""
    always = memories.always[row]
    if not always.any():
        return scores
    starts = heads(query)
    highest = np.repeat(np.maximum.reduceat(scores, starts), np.diff(np.append(starts, len(query))))
    return np.where(always, highest + 1, scores)


def _recency(memories: Memories, query: Ints, row: Ints, now: int, rule: Retrieval) -> Floats:
    moment = memories.created if rule.order_by == "created" else memories.accessed
    if rule.recency == "hours":
        return rule.decay ** ((now - moment[row]) / 3_600_000_000)
    rank = place_in_run(query)  # the oldest first, as memories are sorted by when they were made
    if rule.order_by == "accessed":
        in_age = np.lexsort((row, moment[row], query))
        rank = np.empty(len(row), np.int64)
        rank[in_age] = place_in_run(query[in_age])
    if rule.recency == "rank":
        counts = np.bincount(query, minlength=1)
        rank = counts[query] - 1 - rank
    return rule.decay ** (rank + rule.first_rank).astype(np.float64)


def _cosine(queries: Vectors, memories: Memories, query: Ints, row: Ints) -> Floats:
    """Cosine of each pair, 0 where either has no length. Each query is multiplied by itself, so no other can touch its bits."""
    place = row if memories.vectors is None else memories.vectors[row]
    products, asked, stored = np.zeros(len(query)), _lengths(queries), memories.lengths
    if stored is None:
        stored = np.zeros(len(memories.embeddings))
        wanted = np.unique(place)
        stored[wanted] = _lengths(memories.embeddings[wanted])
    starts = heads(query)
    for start, stop in zip(starts.tolist(), np.append(starts[1:], len(query)).tolist(), strict=True):
        first, last = int(place[start]), int(place[stop - 1])
        together = memories.vectors is None and last - first == stop - start - 1  # no gaps: read where they lie instead of copying
        rows = memories.embeddings[first : last + 1] if together else memories.embeddings[place[start:stop]]
        products[start:stop] = np.einsum("md,d->m", rows, queries[query[start]])
    lengths = asked[query] * stored[place]
    return np.divide(products, lengths, out=np.zeros(len(query)), where=lengths > 0)


def _lengths(vectors: Vectors) -> Floats:
    squares: Vectors = np.einsum("md,md->m", vectors, vectors)
    return np.sqrt(squares).astype(np.float64)


def _ranged(values: Floats, query: Ints) -> Floats:
    """Scaled to 0 .. 1 over the candidates of each query; 0.5 where they are all alike."""
    starts = heads(query)
    counts = np.diff(np.append(starts, len(query)))
    low = np.repeat(np.minimum.reduceat(values, starts), counts)
    width = np.repeat(np.maximum.reduceat(values, starts), counts) - low
    return np.divide(values - low, width, out=np.full(len(values), 0.5), where=width > 0)
