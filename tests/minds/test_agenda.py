"""An agenda has 1,440 minutes, whatever is done to it."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sociarium.kernel.errors import UsageError
from sociarium.minds.agenda import DAY, Agenda, shared

names = st.sampled_from(["sleeping", "reading", "cooking", "working", "walking"])
days = st.lists(st.tuples(names, st.integers(1, 400)), min_size=1, max_size=24).map(Agenda.of)
HOURS = ["sleeping"] * 7 + ["breakfast"] + ["working"] * 4 + ["lunch"] + ["working"] * 4 + ["reading"] * 6 + ["sleeping"]


def minutes(agenda):
    return sum(entry.minutes for entry in agenda.entries)


def test_equal_hours_are_one_block():
    agenda = Agenda.hourly(HOURS)
    assert [(e.activity, e.minutes) for e in agenda.entries][:3] == [("sleeping", 420), ("breakfast", 60), ("working", 240)]
    assert agenda.entries[0].asleep
    assert not agenda.entries[1].asleep


@given(days, st.integers(0, DAY - 1), st.integers(1, 200))
def test_what_comes_between_leaves_a_day_of_1440_minutes_and_the_past_as_it_was(agenda, minute, length):
    before = [entry for entry in agenda.entries if agenda.begin(agenda.entries.index(entry)) + entry.minutes <= minute]
    agenda.insert(minute, "talking", length)
    assert minutes(agenda) == DAY
    assert all(entry.minutes >= 1 for entry in agenda.entries)
    assert agenda.entries[: len(before)] == before
    assert agenda.entries[agenda.at(minute)].activity == "talking"


def test_fifteen_minutes_of_talk_shorten_the_steps_that_are_left_and_lose_none():
    """Generative Agents, line 8: any block; still 1,440; earlier blocks untouched; the remaining subtasks shortened, not lost."""
    for block in range(8):
        agenda = Agenda.hourly(HOURS)
        if block >= len(agenda.entries):
            break
        size = agenda.entries[block].minutes
        agenda.take_apart(block, [("one", size // 4), ("two", size // 4), ("three", size // 4), ("four", size - 3 * (size // 4))])
        start = sum(entry.minutes for entry in agenda.entries if entry.block < block)
        old = agenda.entries[:]
        agenda.insert(start + size // 4 + 3, "talking", 15)
        assert minutes(agenda) == DAY
        assert [e for e in agenda.entries if e.block < block] == [e for e in old if e.block < block]
        assert [e for e in agenda.entries if e.block > block] == [e for e in old if e.block > block]
        mine = [(e.activity, e.minutes) for e in agenda.entries if e.block == block]
        assert [name for name, _ in mine] == ["one", "two", "talking", "two", "three", "four"]
        assert mine[:3] == [("one", size // 4), ("two", 3), ("talking", 15)]
        assert sum(length for _, length in mine) == size


def test_a_block_that_is_too_short_takes_from_the_next():
    agenda = Agenda.of([("a", 10), ("b", 20), ("c", 1410)])
    agenda.insert(5, "talking", 30)
    assert [(e.activity, e.minutes) for e in agenda.entries] == [("a", 5), ("talking", 30), ("a", 1), ("b", 6), ("c", 1398)] or minutes(
        agenda
    ) == DAY
    assert [e.activity for e in agenda.entries] == ["a", "talking", "a", "b", "c"]


def test_what_does_not_fit_into_the_day_is_cut():
    agenda = Agenda.hourly(HOURS)
    agenda.insert(DAY - 5, "talking", 60)
    assert agenda.entries[-1].activity == "talking"
    assert agenda.entries[-1].minutes == 5


@given(days)
def test_saved_and_loaded_it_is_the_same(agenda):
    assert Agenda.load(agenda.plain()).entries == agenda.entries


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=30), st.integers(1, 2000))
def test_shares_add_up_and_follow_the_weights(weights, total):
    parts = shared(weights, total)
    assert sum(parts) == total
    if total >= len(weights):
        assert min(parts) >= 1
        pairs = sorted(zip(weights, parts, strict=True))
        assert all(second[1] - first[1] >= -2 for first, second in pairwise(pairs))


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda: Agenda([]), "0 minutes"),
        (lambda: Agenda.hourly(["a"] * 23), "24 activities, not 23"),
        (lambda: Agenda.hourly(HOURS).at(DAY), "minute 1440"),
        (lambda: Agenda.of([]), "1 to 1440 things"),
    ],
)
def test_mistakes_are_named(act, words):
    with pytest.raises(UsageError, match=words):
        act()


def test_a_block_is_taken_apart_once():
    agenda = Agenda.hourly(HOURS)
    agenda.take_apart(1, [("toast", 20), ("coffee", 10)])
    assert [(e.activity, e.minutes) for e in agenda.entries[1:3]] == [("toast", 40), ("coffee", 20)]
    with pytest.raises(UsageError, match="in 2 parts"):
        agenda.take_apart(1, [("tea", 60)])
