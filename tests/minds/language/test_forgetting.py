"""The clock of memory: what is gone when, and what never is."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from test_memory import setting

from sociarium.kernel.errors import UsageError
from sociarium.minds.language.forgetting import FRIENDSHIP_PARADOX, Forgetting, Retention
from sociarium.minds.language.memory import Memory
from sociarium.minds.language.retrieval import Kind
from sociarium.minds.language.stream import Memory as Remembered


def test_without_a_reaction_forgetting_follows_the_published_numbers_and_ends_at_age_4():
    values = FRIENDSHIP_PARADOX.forgetting(np.arange(5))
    assert np.allclose(values, [0.5, 0.75, 5 / 6, 0.875, 0.9])
    assert FRIENDSHIP_PARADOX.forgotten(np.arange(5)).tolist() == [False] * 4 + [True]


@given(st.integers(0, 10**6), st.floats(0.2, 3))
def test_what_weighs_a_fifth_or_more_is_never_forgotten(age, weight):
    assert not FRIENDSHIP_PARADOX.forgotten(age, feeling=weight / 0.4)


def test_the_stores_of_one_memory():
    memory, retention = Memory(), Retention()
    at = setting(memory)
    mind = at(0, 0).mind
    mind.components.append(retention)
    retention.begin(mind)
    rows = [memory.remember(at(0, 0), Remembered(Kind.EVENT, text)) for text in ("plain", "liked", "shared once", "shared twice")]
    retention.react(rows[1], feeling=1.0)
    retention.react(rows[2], shares=1.0)
    retention.react(rows[3], shares=2.0)
    gone = [retention.age(memory, 0, 0, tick).tolist() for tick in range(8)]
    assert gone == [[], [], [], [], [rows[0]], [], [], []]
    assert retention.long_term(0).tolist() == [rows[1], rows[3]]
    assert [str(memory.stream["text"][row]) for row in memory.stream.live(0, time=0, tick=4)] == ["liked", "shared once", "shared twice"]
    state = retention.state()
    retention.load(state)
    assert retention.long_term(0).tolist() == [rows[1], rows[3]]


def test_a_rule_that_makes_no_sense_is_refused():
    with pytest.raises(UsageError, match="gone"):
        Forgetting(gone=0.0)
