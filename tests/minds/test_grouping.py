"""Groupings agree with what one would write agent by agent."""

from __future__ import annotations

import bisect

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sociarium.kernel.errors import UsageError
from sociarium.kernel.randomness import Stream
from sociarium.minds.behaviour import bernoulli, categorical
from sociarium.minds.grouping import CHUNK, Archetypes, Grouping

from .towns import AGE, COUNTIES, COUNTY, SEX, SEXES, question, town


@given(st.lists(st.floats(-50, 150), min_size=1, max_size=40), st.lists(st.integers(-40, 140), min_size=1, max_size=5, unique=True))
def test_bins_are_what_bisection_finds(values, edges):
    edges = sorted(edges)
    grouping = Grouping.binned("x", edges, [f"bin {n}" for n in range(len(edges) + 1)])
    assert grouping.codes(np.array(values)).tolist() == [bisect.bisect_right(edges, value) for value in values]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_only_what_is_a_number_has_a_bin(value):
    grouping = Grouping.binned("x", (0.0,), ("low", "high"))
    if np.isnan(value):
        with pytest.raises(UsageError, match="no category"):
            grouping.codes(np.array([1.0, value]))
    else:
        assert grouping.codes(np.array([1.0, value])).tolist() == [1, int(value > 0)]


@given(st.lists(st.integers(1, 6), min_size=1, max_size=4))
def test_archetypes_number_all_combinations_once(sizes):
    archetypes = Archetypes([Grouping.coded(f"v{at}", [f"{at}.{n}" for n in range(size)]) for at, size in enumerate(sizes)])
    labels = [tuple(archetypes.labels(number).items()) for number in range(archetypes.count)]
    assert len(set(labels)) == archetypes.count == np.prod(sizes)


@pytest.mark.parametrize("agents", [1, CHUNK - 1, CHUNK + 1])
def test_each_agent_has_the_archetype_of_its_own_row(agents):
    simulation = town(agents, ask=question(variables=(AGE, SEX, COUNTY), prompt="all"), ticks=1)
    table = simulation.world.population["citizen"]
    archetypes = Archetypes((AGE, SEX, COUNTY))
    found = {}

    async def keep(turn, seen):
        found["which"] = archetypes.of(simulation.world, turn, seen)
        return await decide(turn, seen)

    mind = simulation.minds.all[0]
    decide, mind.decide = mind.decide, keep
    simulation.run_sync()
    for row in {0, agents // 2, agents - 1}:
        labels = archetypes.labels(int(found["which"][row]))
        age = int(table["age"][row])
        assert labels["age"] == ("a child" if age < 18 else "an adult" if age < 65 else "an old person")
        assert labels["sex"] == SEXES[table["sex"][row]]
        assert labels["county"] == table["county"][row]
    assert archetypes.members(found["which"]).tolist() == np.bincount(found["which"], minlength=12).tolist()
    assert set(COUNTIES) >= set(table["county"])


def test_256_and_257_archetypes_fit_their_type():
    for count in (255, 256, 257):
        archetypes = Archetypes([Grouping.coded("one", ["only"]), Grouping.coded("many", [str(n) for n in range(count)])])
        assert archetypes.labels(count - 1) == {"one": "only", "many": str(count - 1)}


@given(st.lists(st.floats(0, 1), min_size=2, max_size=6).filter(lambda shares: sum(shares) > 1e-6), st.integers(0, 2**32))
def test_a_drawn_option_is_that_of_the_stream_itself(shares, key):
    agents = np.arange(300)
    drawn = categorical(np.array([shares]), np.zeros(300, np.uint8), Stream(key), agents)
    assert drawn.tolist() == Stream(key).choice(shares, agents).tolist()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=5), st.integers(0, 2**32))
def test_members_draw_by_the_share_of_their_own_group(shares, key):
    agents = np.arange(CHUNK + 200)
    which = (agents % len(shares)).astype(np.uint8)
    drawn = bernoulli(np.array(shares), which, Stream(key), agents)
    assert drawn.tolist() == (Stream(key).uniform(agents) < np.array(shares)[which]).tolist()
