"""Reflection fires exactly, its evidence exists and is older, and reflections stand on reflections."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from fakes import FakeDoor, HashEmbedder
from test_memory import setting

from sociarium.kernel.errors import UsageError
from sociarium.kernel.turn import TurnKind
from sociarium.minds.language.keywords import Keywords
from sociarium.minds.language.knowledge import Fact, awareness
from sociarium.minds.language.memory import Memory
from sociarium.minds.language.reflection import Reflection
from sociarium.minds.language.retrieval import GENERATIVE_AGENTS, Kind
from sociarium.minds.language.stream import Memory as Remembered
from sociarium.minds.language.stream import MemoryStream
from sociarium.models.request import Reply


def citing(request, address, route):
    """Cites what it is shown first and last, and once a memory that does not exist."""
    if "questions" in request.schema["properties"]:
        value = {"questions": ["Who?", "What?", "Why?"]}
    else:
        last = request.schema["properties"]["insights"]["items"]["properties"]["because"]["items"]["maximum"]
        value = {
            "insights": [
                {"insight": f"{address.label} {address.tick} a", "because": [1, last]},
                {"insight": f"{address.label} {address.tick} b", "because": [last + 5]},
            ]
        }
    return Reply(text=json.dumps(value), value=value)


def reflecting(**settings):
    memory, door = Memory(embedder=HashEmbedder(), rule=GENERATIVE_AGENTS, importance={"thought": 8}), FakeDoor(citing)
    at = setting(memory, door=door)
    mind = at(0, 0).mind
    reflection = Reflection(**settings)
    mind.components.append(reflection)
    reflection.begin(mind)
    return memory, reflection, at, door


def fed(memory, reflection, at, events):
    """Ticks at which reflection fired, when an event of weight 7 comes in each."""
    fired = []
    for tick in range(1, events + 1):
        asking = at(0, tick)
        memory.remember(asking, Remembered(Kind.EVENT, f"event {tick}", 7.0))
        before = reflection.times.get(0, 0)
        asyncio.run(reflection.think(asking))
        if reflection.times.get(0, 0) > before:
            fired.append(tick)
            assert reflection.left[0] == 150.0
    return fired


def test_events_of_weight_7_make_it_fire_after_the_22nd_and_the_44th_and_never_between():
    memory, reflection, at, door = reflecting()
    assert fed(memory, reflection, at, 50) == [22, 44]
    stream = memory.stream
    thoughts = np.flatnonzero(stream["kind"] == Kind.THOUGHT)
    assert len(thoughts) == 6  # one a question; what cites nothing that was shown is no insight
    for row in thoughts.tolist():
        assert len(stream.evidence(row))
        assert (stream.evidence(row) < row).all()
        assert (stream["time"][stream.evidence(row)] <= stream["time"][row]).all()
    assert max(stream.depth(row) for row in thoughts.tolist()) >= 2
    assert len(door.asked) == 8


def test_evidence_depth_and_counter_are_saved_and_loaded():
    memory, reflection, at, _ = reflecting()
    fed(memory, reflection, at, 45)
    other = MemoryStream()
    other.load(memory.stream.state())
    assert all(np.array_equal(other.state()[name], column) for name, column in memory.stream.state().items())
    rows = range(len(other))
    assert [other.depth(row) for row in rows] == [memory.stream.depth(row) for row in rows]
    again = Reflection()
    again.load(reflection.state())
    assert (again.left, again.counted, again.times) == (reflection.left, reflection.counted, reflection.times)
    assert again.left == {0: 143.0}


def test_a_probe_neither_counts_nor_reflects_and_thoughts_do_not_count():
    memory, reflection, at, _ = reflecting(trigger=10)
    for _ in range(4):
        memory.remember(at(0, 1), Remembered(Kind.THOUGHT, "a thought", 9.0))
    asyncio.run(reflection.think(at(0, 1)))
    assert reflection.times == {}
    memory.remember(at(0, 1), Remembered(Kind.EVENT, "an event", 10.0))
    asyncio.run(reflection.think(at(0, 2, TurnKind.PROBE)))
    assert reflection.times == {}
    asyncio.run(reflection.think(at(0, 2)))
    assert reflection.times == {0: 1}


def test_a_memory_that_waits_for_its_score_is_counted_when_it_has_one():
    memory, reflection, at, _ = reflecting(trigger=10)
    memory.importance = "model"
    row = memory.remember(at(0, 1), Remembered(Kind.EVENT, "unscored"))
    memory.remember(at(0, 1), Remembered(Kind.EVENT, "scored", 4.0))
    assert not reflection.tell(at(0, 1))
    assert reflection.left[0] == 10
    memory.stream.set("importance", np.array([row]), 6.0)
    assert reflection.tell(at(0, 1))


def test_only_older_memories_of_the_same_agent_are_evidence():
    stream = MemoryStream()
    for agent in (0, 1, 0):
        stream.append(np.array([agent]), Remembered(Kind.EVENT, "x", 1.0), time=0, tick=0)
    stream.cite(2, np.array([0]))
    assert stream.evidence(2).tolist() == [0]
    for wrong in (1, 2, 7, -1):
        with pytest.raises(UsageError, match="older memories"):
            stream.cite(2, np.array([wrong]))


def test_a_liar_who_says_yes_to_everything_is_caught_by_its_memories():
    stream = MemoryStream()
    for agent, text in (
        (0, "Ann: there is a PARTY at the inn"),
        (1, "Bob is sweeping"),
        (2, "Cem: no party for me"),
        (3, "party at the inn"),
    ):
        stream.append(np.array([agent]), Remembered(Kind.EVENT, text, 1.0), time=0, tick=0)
    party = Fact(("party", "inn"))
    lying = awareness(stream, range(4), [True] * 4, party)
    assert (lying.claims, lying.grounded, lying.hallucinated, lying.diffusion) == (4, 2, 0.5, 0.5)
    honest = awareness(stream, range(4), [True, False, False, True], party)
    assert honest.diffusion == lying.diffusion  # claims alone never raise it
    assert honest.hallucinated == 0
    assert np.isnan(awareness(stream, range(4), [False] * 4, party).hallucinated)


def test_keywords_find_memories_by_what_they_are_about_and_survive_another_order_of_rows():
    stream, keywords = MemoryStream(), Keywords()
    for row, (agent, words) in enumerate([(1, ("Ann", "inn")), (0, ("Bob",)), (1, ("ann",)), (0, ("inn",))]):
        stream.append(np.array([agent]), Remembered(Kind.EVENT, "x", 1.0), time=0, tick=0)
        keywords.tag(agent, row, words)
    assert keywords.about(1, ["ANN", "inn"]).tolist() == [0, 2]
    assert keywords.about(0, ["ann"]).tolist() == []
    other, again = MemoryStream(), Keywords()
    state = keywords.state(stream)
    other.load(stream.state())
    again.load(state)
    assert again.about(1, ["ann"]).tolist() == [2, 3]
    assert again.about(0, ["inn"]).tolist() == [1]
