"""Asked together or alone, agents remember the same."""

from __future__ import annotations

import asyncio
from copy import deepcopy

import numpy as np
import pytest

from sociarium.minds.language.recall import Ask, Recall
from sociarium.minds.language.retrieval import GENERATIVE_AGENTS, PRESETS, Kind
from sociarium.minds.language.stream import Memory, MemoryStream
from sociarium.minds.language.vectors import Vectors

HOUR = 3_600_000_000
WORDS = ["fish", "lake", "boat", "rain", "net", "talk", "storm", "price"]


class Counting:
    """Vectors by a hash of the letters; counts what it is asked."""

    def __init__(self):
        self.texts = []

    def vectors(self, texts):
        self.texts += texts
        return np.array([[((sum(map(ord, text)) * k) % 97) / 97 - 0.5 for k in range(1, 9)] for text in texts])


def recall(rule=GENERATIVE_AGENTS, agents=7, seed=1):
    stream, random = MemoryStream(), np.random.default_rng(seed)
    for time in range(40):
        who = np.flatnonzero(random.random(agents) < 0.6)
        text = " ".join(random.choice(WORDS, 2))
        stream.append(
            who, Memory(Kind.EVENT, text, float(random.integers(1, 11)), always=bool(random.random() < 0.05)), time=time * HOUR, tick=time
        )
    return Recall(stream, Vectors(Counting()), rule, 5.0)


def asks(made):
    queries = {0: ("fish",), 1: ("rain", "storm"), 2: (), 3: ("talk",), 4: ("lake", "net", "boat"), 5: ("fish",), 6: ("price",)}
    found = [Ask(made.stream.of(agent), queries[agent], 50 * HOUR, 1 + agent) for agent in range(7)]
    return [*found, Ask(made.stream.of(3), ("fish", "rain"), 50 * HOUR, 4)]  # one agent asks twice


@pytest.mark.parametrize("rule", PRESETS.values(), ids=PRESETS)
async def test_together_is_as_alone(rule):
    together, alone = recall(rule), recall(rule)
    found = await asyncio.gather(*(together.together(ask) for ask in asks(together)))
    for rows, ask in zip(found, asks(alone), strict=True):
        alone.answer([ask])
        assert rows.tolist() == ask.found.tolist()
        assert len(rows) == min(ask.top, len(ask.rows))


async def test_each_text_is_embedded_once():
    made = recall()
    for _ in range(2):
        await asyncio.gather(*(made.together(ask) for ask in asks(made)))
    assert len(made.vectors.embedder.texts) == len(set(made.vectors.embedder.texts))


async def test_those_who_ask_in_one_step_are_answered_in_one_go():
    made, calls = recall(), []
    answer = made.answer
    made.answer = lambda waiting: calls.append(len(waiting)) or answer(waiting)
    await asyncio.gather(*(made.together(ask) for ask in asks(made)))
    assert calls == [8]


async def test_one_who_is_cancelled_does_not_hold_back_the_others():
    made = recall()
    first, *rest = [asyncio.create_task(made.together(ask)) for ask in asks(made)]
    await asyncio.sleep(0)
    first.cancel()
    found = await asyncio.gather(*rest)
    assert all(len(rows) for rows in found)


async def test_a_fork_remembers_the_same_and_shares_what_was_computed():
    made = recall()
    before = await asyncio.gather(*(made.together(ask) for ask in asks(made)))
    fork = deepcopy(made)
    after = await asyncio.gather(*(fork.together(ask) for ask in asks(fork)))
    assert [rows.tolist() for rows in before] == [rows.tolist() for rows in after]
    assert fork.vectors.table is made.vectors.table
    assert fork.stream is not made.stream
