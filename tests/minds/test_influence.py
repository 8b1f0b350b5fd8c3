"""Messages in memory: kept and shown in exactly the formula's order."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sociarium.kernel.errors import UsageError
from sociarium.minds.influence import InfluenceRules, MessagePool, Source

PLANTED = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 9), st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.sampled_from(list(Source))),
    min_size=1,
    max_size=40,
)


def planted(rules: InfluenceRules, rows: list[Any], capacity: int | None = None) -> MessagePool:
    """Messages (owner, step of arrival, relevance, source), received step by step."""
    pool = MessagePool(rules, capacity=capacity)
    for step in range(10):
        some = [(number, *row) for number, row in enumerate(rows) if row[1] == step]
        pool.receive(
            [row[1] for row in some],
            now=step,
            message=[row[0] for row in some],
            author=[0] * len(some),
            relevance=[row[3] for row in some],
            source=[int(row[4]) for row in some],
        )
    return pool


def by_hand(rules: InfluenceRules, rows: list[Any], owner: int, now: int) -> list[int]:
    """The order by the formula, written out; of equal ones the earlier arrival."""
    trust = {Source.OWN: rules.own, Source.MUTUAL: rules.mutual, Source.FOLLOWEE: rules.followee, Source.RECOMMENDED: rules.recommended}
    scored = [
        (
            -(rules.recency * np.exp(-rules.forgetting * float(now - at)) + rules.relevance * near + rules.authenticity * trust[source]),
            at,
            n,
        )
        for n, (who, at, near, source) in enumerate(rows)
        if who == owner
    ]
    return [number for _, _, number in sorted(scored)]


@settings(max_examples=60, deadline=None)
@given(PLANTED, st.integers(1, 5))
def test_messages_stand_in_the_order_of_the_formula_with_ties_by_arrival(rows: list[Any], most: int):
    rules = InfluenceRules(0.5, 0.25, 0.25, forgetting=0.3)
    pool = planted(rules, rows)
    for owner in range(4):
        assert pool["message"][pool.foremost([owner], 12, None)].tolist() == by_hand(rules, rows, owner, 12)
        assert pool["message"][pool.foremost([owner], 12, most)].tolist() == by_hand(rules, rows, owner, 12)[:most]


def test_several_owners_are_answered_as_each_alone():
    rows = [(at % 3, at % 4, (at * 7 % 5) / 5, Source(at % 4)) for at in range(30)]
    pool = planted(InfluenceRules(), rows)
    whole = pool.foremost([0, 1, 2], 9, 4)
    assert whole.tolist() == [row for owner in range(3) for row in pool.foremost([owner], 9, 4).tolist()]


@pytest.mark.parametrize("weight", ["recency", "relevance", "authenticity"])
def test_one_weight_alone_orders_by_its_part(weight: str):
    rows = [
        (0, at, near, source)
        for at, near, source in zip([5, 1, 3], [0.2, 0.9, 0.5], [Source.FOLLOWEE, Source.OWN, Source.MUTUAL], strict=True)
    ]
    rules = InfluenceRules(**{"recency": 0.0, "relevance": 0.0, "authenticity": 0.0, weight: 1.0})
    pool = planted(rules, rows)
    expected = {"recency": [0, 2, 1], "relevance": [1, 2, 0], "authenticity": [1, 2, 0]}[weight]
    assert pool["message"][pool.foremost([0], 6, None)].tolist() == expected


def test_influence_is_the_weighted_sum():
    rules = InfluenceRules()
    assert rules.of(0, 1.0, Source.OWN) == pytest.approx(1.0)
    expected = (math.exp(-0.5) + 0.5 + 0.4) / 3
    assert rules.of(5, 0.5, Source.RECOMMENDED) == pytest.approx(expected, rel=1e-12)


def test_a_full_pool_keeps_the_weightiest_at_each_arrival_and_leaves_other_owners_alone():
    rules = InfluenceRules(0.0, 1.0, 0.0)
    pool = planted(
        rules, [(1, 0, 0.1, Source.MUTUAL), *[(0, at, near, Source.MUTUAL) for at, near in enumerate([0.3, 0.1, 0.9, 0.2, 0.8])]], 2
    )
    assert pool["relevance"][pool.rows([0])].tolist() == [0.9, 0.8]
    assert pool["relevance"][pool.rows([1])].tolist() == [0.1]


def test_a_pool_comes_back_from_its_state():
    pool = planted(InfluenceRules(), [(0, 1, 0.5, Source.OWN), (1, 2, 0.25, Source.MUTUAL)])
    again = MessagePool()
    again.load(pool.state())
    assert again.foremost([0, 1], 5, 1).tolist() == pool.foremost([0, 1], 5, 1).tolist()
    again.load({})
    assert len(again) == 0 and again.foremost([0], 1, 3).tolist() == []


def test_settings_that_cannot_be_are_said():
    with pytest.raises(UsageError, match=r"mutual is 1\.5"):
        InfluenceRules(mutual=1.5)
    with pytest.raises(UsageError, match="pool of 0 messages"):
        MessagePool(capacity=0)
    with pytest.raises(UsageError, match="a pool receives author, level, message, relevance, side, source, not message"):
        MessagePool().receive([0], now=0, message=[1])
