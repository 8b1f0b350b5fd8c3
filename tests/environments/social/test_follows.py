"""A follow graph that is edited is the plain set of its edges, however often it was rebuilt."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sociarium.environments.social import follows as module
from sociarium.environments.social.follows import Follows
from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network

EDGES = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=10)
STEPS = st.lists(st.tuples(st.sampled_from(["follow", "unfollow", "save", "grow"]), EDGES), max_size=10)


def columns(edges):
    return tuple(np.array([edge[at] for edge in edges], np.int64) for at in (0, 1))


@settings(max_examples=150, deadline=None)
@given(EDGES, STEPS, st.sampled_from([8, 10**6]))
def test_edits_are_those_of_a_set_of_edges(start, steps, share):
    module.SHARE, kept = share, module.SHARE  # 10**6: every edit is worked in at once
    try:
        graph = Follows(Network.from_edges(8, *columns(start)))
        plain = {(a, b) for a, b in start if a != b}
        for step, edges in steps:
            if step == "save":
                saved, graph = graph.state(), Follows(Network.from_edges(8, [], []))
                graph.load(saved)
            elif step == "grow":
                graph.grow(graph.users + 3)
            else:
                expected = []
                for a, b in edges:
                    expected.append(a != b and ((a, b) in plain) == (step == "unfollow"))
                    if expected[-1]:
                        (plain.remove if step == "unfollow" else plain.add)((a, b))
                assert getattr(graph, step)(*columns(edges)).tolist() == expected
            check(graph, plain)
    finally:
        module.SHARE = kept


def check(graph, plain):
    everyone = np.arange(graph.users)
    assert len(graph) == len(plain)
    assert set(zip(graph.network().sources().tolist(), graph.network().targets.tolist(), strict=True)) == plain
    for who, (starts, found) in (((0, 1), graph.following(everyone)), ((1, 0), graph.followed_by(everyone))):
        rows = np.repeat(everyone, np.diff(starts))
        assert sorted(zip(rows.tolist(), found.tolist(), strict=True)) == sorted((edge[who[0]], edge[who[1]]) for edge in plain)
    assert graph.followees.tolist() == [sum(a == user for a, _ in plain) for user in everyone.tolist()]
    assert graph.followers.tolist() == [sum(b == user for _, b in plain) for user in everyone.tolist()]
    assert graph.has(np.repeat(everyone, graph.users), np.tile(everyone, graph.users)).sum() == len(plain)


def test_strangers_cannot_be_followed():
    with pytest.raises(UsageError, match="outside the 3 users"):
        Follows(Network.from_edges(3, [0], [1])).follow([0], [3])
