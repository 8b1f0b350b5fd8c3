"""Retrieval against brute force, against published scores, and independent of who else asks."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sociarium.kernel.errors import UsageError
from sociarium.minds.language.retrieval import (
    GENERATIVE_AGENTS,
    GENERATIVE_AGENTS_RELEASED,
    GOVSIM,
    GOVSIM_RELEASED,
    NEVER,
    PRESETS,
    Kind,
    Memories,
    Retrieval,
    retrieve,
)

HOUR = 3_600_000_000
NOW = 100 * HOUR


def made(seed: int, agents: int = 6, each: int = 40, dimensions: int = 24) -> Memories:
    random = np.random.Generator(np.random.Philox(key=seed))
    count = agents * each
    created = np.sort(random.integers(0, 90, (agents, each)), axis=1).ravel() * HOUR
    return Memories(
        agents=np.repeat(np.arange(agents) * 3, each),
        created=created,
        accessed=created + random.integers(0, 9, count) * HOUR,
        expires=np.where(random.random(count) < 0.2, random.integers(1, 100, count) * HOUR, NEVER),
        kinds=random.integers(0, 4, count),
        importance=random.integers(1, 11, count).astype(float),
        always=random.random(count) < 0.05,
        embeddings=random.normal(size=(count, dimensions)),
    )


def brute_force(memories: Memories, asker: int, query: np.ndarray, now: int, top: int, rule: Retrieval) -> list[int]:
    """Straight from the words of the specification, one memory at a time."""
    rows = [
        row
        for row in range(len(memories.agents))
        if memories.agents[row] == asker
        and memories.expires[row] > now
        and memories.created[row] <= now
        and Kind(memories.kinds[row]) not in rule.hidden
    ]
    moment = memories.created if rule.order_by == "created" else memories.accessed
    by_age = sorted(rows, key=lambda row: (moment[row], row))
    parts: dict[int, list[float]] = {}
    for row in rows:
        place = by_age.index(row)
        if rule.recency == "hours":
            recency = rule.decay ** ((now - int(moment[row])) / HOUR)
        else:
            recency = rule.decay ** ((place if rule.recency == "released_rank" else len(rows) - 1 - place) + rule.first_rank)
        stored = memories.embeddings[row]
        cosine = math.fsum(query * stored) / (math.sqrt(math.fsum(query**2)) * math.sqrt(math.fsum(stored**2)))
        importance = 10 if memories.always[row] else memories.importance[row]
        parts[row] = [recency, (importance - 1) / 9, cosine]
    if rule.scaling == "range":
        for part in range(3):
            values = [parts[row][part] for row in rows]
            low, high = min(values), max(values)
            for row in rows:
                parts[row][part] = (parts[row][part] - low) / (high - low) if high > low else 0.5
    weights = (rule.recency_weight, rule.importance_weight, rule.relevance_weight)
    score = {row: sum(weight * part for weight, part in zip(weights, parts[row], strict=True)) for row in rows}
    highest = max(score.values(), default=0.0)
    score = {row: highest + 1 if memories.always[row] else value for row, value in score.items()}
    ranked = sorted(rows, key=lambda row: (-score[row], -row))
    if rule.spread is None:
        return sorted(ranked[:top])
    listed, picked = ranked[: max(top, rule.spread.shortlist)], []
    while listed and len(picked) < top:
        worth = [rule.spread.weight * score[row] - (1 - rule.spread.weight) * nearest(memories, row, picked) for row in listed]
        picked.append(listed.pop(worth.index(max(worth))))
    return sorted(picked)


def nearest(memories: Memories, row: int, picked: list[int]) -> float:
    vectors = [v / math.sqrt(math.fsum(v**2)) for v in memories.embeddings[[row, *picked]].astype(np.float64)]
    return max((math.fsum(vectors[0] * other) for other in vectors[1:]), default=0.0)


@pytest.mark.parametrize("name", sorted(PRESETS))
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**31), top=st.sampled_from([1, 5, 10, 60]))
def test_the_best_are_those_of_a_brute_force_sort(name: str, seed: int, top: int) -> None:
    memories = made(seed)
    queries = np.random.Generator(np.random.Philox(key=seed + 1)).normal(size=(4, 24))
    askers = np.array([3, 0, 15, 3])
    found = retrieve(memories, askers, queries, NOW, top, PRESETS[name])
    for place, asker in enumerate(askers.tolist()):
        assert found.row(place).tolist() == brute_force(memories, asker, queries[place], NOW, top, PRESETS[name])


@pytest.mark.parametrize("dimensions", [1, 7, 24, 256, 384])
def test_a_row_is_the_same_bits_whoever_else_asks(dimensions: int) -> None:
    memories = made(1, agents=8, each=30, dimensions=dimensions)
    random = np.random.Generator(np.random.Philox(key=2))
    askers, queries = random.integers(0, 8, 64) * 3, random.normal(size=(64, dimensions))
    whole = retrieve(memories, askers, queries, NOW, 10)
    for batch in (1, 3, 7, 64):
        for start in range(0, 64, batch):
            part = slice(start, start + batch)
            some = retrieve(memories, askers[part], queries[part], NOW, 10)
            assert some.memories.tobytes() == whole.memories[part].tobytes()
            assert some.scores.tobytes() == whole.scores[part].tobytes()
    kept = replace(memories, lengths=np.sqrt(np.einsum("md,md->m", memories.embeddings, memories.embeddings)))
    assert retrieve(kept, askers, queries, NOW, 10).scores.tobytes() == whole.scores.tobytes()


@pytest.mark.parametrize("dimensions", [7, 256])
def test_a_memory_scores_the_same_bits_whatever_lies_beside_it(dimensions: int) -> None:
    """Gaps between candidates (copied) and none (read in place) must not differ, nor one candidate from many."""
    memories = replace(
        made(3, agents=1, dimensions=dimensions), expires=np.full(40, NEVER), kinds=np.zeros(40, np.int64), always=np.zeros(40, bool)
    )
    query, flat = np.random.Generator(np.random.Philox(key=4)).normal(size=(1, dimensions)), Retrieval(recency_weight=0)
    whole = retrieve(memories, np.array([0]), query, NOW, 40, flat)
    for kept in ([5], [0, 39], list(range(0, 40, 3)), list(range(10, 20))):
        some = replace(memories, expires=np.where(np.isin(np.arange(40), kept), NEVER, 0))
        assert retrieve(some, np.array([0]), query, NOW, len(kept), flat).scores.tobytes() == whole.scores[:, kept].tobytes()


def golden() -> Memories:
    """Four nodes last accessed 48, 24, 2 and 0 hours ago, with known importance and cosines."""
    cosines = np.array([0.1, 0.9, 0.5, 0.2])
    accessed = NOW - np.array([48, 24, 2, 0]) * HOUR
    return Memories(
        agents=np.zeros(4, np.int64),
        created=accessed.copy(),
        accessed=accessed,
        expires=np.full(4, NEVER),
        kinds=np.zeros(4, np.int64),
        importance=np.array([2.0, 8.0, 5.0, 1.0]),
        always=np.zeros(4, bool),
        embeddings=np.stack([cosines, np.sqrt(1 - cosines**2)], axis=1),
    )


@pytest.mark.parametrize(
    ("rule", "scores", "order"),
    [
        (GENERATIVE_AGENTS, [0.1429, 2.4700, 2.0248, 1.1250], [1, 2, 3, 0]),
        (GENERATIVE_AGENTS_RELEASED, [0.7857, 5.3317, 2.8079, 0.3750], [1, 2, 0, 3]),
    ],
)
def test_golden_scores_of_generative_agents(rule: Retrieval, scores: list[float], order: list[int]) -> None:
    found = retrieve(golden(), np.array([0]), np.array([[1.0, 0.0]]), NOW, 4, rule)
    assert found.memories[0].tolist() == [0, 1, 2, 3]
    assert found.scores[0] == pytest.approx(scores, abs=1e-4)
    assert np.argsort(-found.scores[0]).tolist() == order


def test_govsim_scores_by_hand_and_its_released_order() -> None:
    """0.5 x 0.99^rank + 3 x (importance - 1) / 9 + 2 x cosine."""
    query = np.array([[1.0, 0.0]])
    by_hand = [
        0.5 * 0.99**rank + 3 * (score - 1) / 9 + 2 * cosine for rank, score, cosine in ((3, 2, 0.1), (2, 8, 0.9), (1, 5, 0.5), (0, 1, 0.2))
    ]
    released = [
        0.5 * 0.99**rank + 3 * (score - 1) / 9 + 2 * cosine for rank, score, cosine in ((0, 2, 0.1), (1, 8, 0.9), (2, 5, 0.5), (3, 1, 0.2))
    ]
    assert retrieve(golden(), np.array([0]), query, NOW, 4, GOVSIM).scores[0] == pytest.approx(by_hand, abs=1e-12)
    assert retrieve(golden(), np.array([0]), query, NOW, 4, GOVSIM_RELEASED).scores[0] == pytest.approx(released, abs=1e-12)


@given(st.integers(0, 2**31), st.integers(0, 100))
@settings(max_examples=30, deadline=None)
def test_expired_hidden_and_future_memories_never_appear(seed: int, hour: int) -> None:
    memories = made(seed)
    askers = np.unique(memories.agents)
    found = retrieve(memories, askers, np.ones((len(askers), 24)), hour * HOUR, 40)
    for place, asker in enumerate(askers):
        rows = found.row(place)
        assert (memories.agents[rows] == asker).all()
        assert (memories.expires[rows] > hour * HOUR).all() and (memories.created[rows] <= hour * HOUR).all()
        assert (memories.kinds[rows] != Kind.CHAT).all()
        assert (np.diff(memories.created[rows]) >= 0).all()


def test_always_included_memories_come_first_at_the_highest_plus_one() -> None:
    memories = golden()
    memories.always[3] = True
    found = retrieve(memories, np.array([0]), np.array([[1.0, 0.0]]), NOW, 1)
    assert found.row(0).tolist() == [3]
    everything = retrieve(memories, np.array([0]), np.array([[1.0, 0.0]]), NOW, 4)
    assert everything.scores[0, 3] == everything.scores[0].min() + np.ptp(everything.scores[0])
    assert everything.scores[0, 3] >= np.sort(everything.scores[0])[-2] + 1 - 1e-12


def test_an_agent_without_memories_finds_none_and_a_vector_of_nothing_is_no_error() -> None:
    memories = golden()
    memories.embeddings[1] = 0
    found = retrieve(memories, np.array([7, 0]), np.array([[1.0, 0.0], [0.0, 0.0]]), NOW, 3)
    assert found.row(0).tolist() == [] and np.isnan(found.scores[0]).all()
    assert np.isfinite(found.scores[1]).all()
    assert retrieve(memories, np.array([], np.int64), np.zeros((0, 2)), NOW, 3).memories.shape == (0, 3)


def test_mistakes_are_refused() -> None:
    memories = golden()
    with pytest.raises(UsageError):
        retrieve(memories, np.array([0]), np.zeros((1, 3)), NOW, 3)
    with pytest.raises(UsageError):
        retrieve(memories, np.array([0]), np.zeros((1, 2)), NOW, 0)
    with pytest.raises(UsageError):
        Retrieval(decay=0)
    with pytest.raises(UsageError):
        Memories(
            memories.agents,
            memories.created[::-1].copy(),
            memories.accessed,
            memories.expires,
            memories.kinds,
            memories.importance,
            memories.always,
            memories.embeddings,
        )
