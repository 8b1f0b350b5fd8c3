"""Measures of cascades against hand values, closed forms and a slow reference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sociarium.kernel.errors import UsageError
from sociarium.lab.cascades import Cascades, Curves, normalised_error, randomised_rank

#      0
#    1   2      minute 1
#   3 4   5     minutes 2, 2, 5
#   6           minute 4
PARENT = [-1, 0, 0, 1, 1, 2, 3]
MINUTE = [0, 1, 1, 2, 2, 5, 4]


def test_a_small_cascade_has_the_curves_of_the_hand():
    curves = Cascades.of(PARENT, MINUTE).curves(np.arange(7))
    assert curves.scale.tolist() == [[1, 3, 5, 5, 6, 7, 7]]
    assert curves.depth.tolist() == [[0, 1, 2, 2, 3, 3, 3]]
    assert curves.breadth.tolist() == [[0, 2, 2, 2, 2, 3, 3]]


def test_final_measures_are_the_ends_of_the_curves():
    small = Cascades.of(PARENT, MINUTE)
    assert (len(small), small.sizes().tolist(), small.depths().tolist(), small.breadths().tolist()) == (1, [7], [3], [3])
    assert small.layers().tolist() == [[1, 2, 3, 1]]
    assert small.layers(6).tolist() == [[1, 2, 3, 1, 0, 0]] and small.layers(2).tolist() == [[1, 2]]
    assert small.subtrees().tolist() == [7, 4, 2, 2, 1, 1, 1]


@pytest.mark.parametrize("users", [2, 3, 10, 1000])
def test_virality_of_a_star_and_of_a_path(users):
    star = Cascades.of([-1] + [0] * (users - 1)).virality()[0]
    path = Cascades.of(np.arange(users) - 1).virality()[0]
    assert star == pytest.approx(2 - 2 / users) and path == pytest.approx((users + 1) / 3)


def test_a_source_alone_has_no_virality_and_reaches_itself():
    alone = Cascades.of([-1])
    assert np.isnan(alone.virality()).all() and alone.sizes().tolist() == [1] and alone.breadths().tolist() == [0]
    assert alone.curves([0, 5]).scale.tolist() == [[1, 1]]


@st.composite
def forests(draw):
    """Parents in any order, and times that never run back."""
    size = draw(st.integers(1, 40))
    parent = [draw(st.integers(-1, row - 1)) for row in range(size)]
    time = []
    for row, above in enumerate(parent):
        time.append(draw(st.integers(0, 5)) + (time[above] if above >= 0 else 0))
        assert row < size
    order = np.array(draw(st.permutations(range(size))))
    place = np.empty(size, int)
    place[order] = np.arange(size)
    moved = np.array(parent)[order]
    return np.where(moved >= 0, place[moved], -1), np.array(time)[order]


@settings(max_examples=80, deadline=None)
@given(forests())
def test_all_measures_agree_with_walking_up_from_every_row(forest):
    parent, time = forest
    ours = Cascades.of(parent, time)
    ways = [_way(parent, row) for row in range(len(parent))]
    roots = np.flatnonzero(parent < 0).tolist()
    assert ours.depth.tolist() == [len(way) - 1 for way in ways]
    assert [roots[tree] for tree in ours.tree] == [way[-1] for way in ways]
    at = np.arange(12)
    curves = ours.curves(at)
    for tree, root in enumerate(roots):
        members = [row for row, way in enumerate(ways) if way[-1] == root]
        for number, instant in enumerate(at):
            there = [len(ways[row]) - 1 for row in members if time[row] - time[root] <= instant]
            layers = np.bincount(there)
            breadth = layers[1:].max(initial=0)
            assert (curves.scale[tree, number], curves.depth[tree, number], curves.breadth[tree, number]) == (
                len(there),
                max(there),
                breadth,
            )
        between = [_distance(ways[a], ways[b]) for a in members for b in members if a < b]
        assert ours.virality()[tree] == pytest.approx(np.mean(between), nan_ok=True) if between else np.isnan(ours.virality()[tree])


def _way(parent, row):
    way = [row]
    while parent[way[-1]] >= 0:
        way.append(parent[way[-1]])
    return way


def _distance(one, other):
    shared = len(set(one) & set(other))
    return len(one) + len(other) - 2 * shared


def test_a_log_of_users_keeps_the_first_time_of_each():
    users, parents = [5, 3, 9, 3, 5, 7], [-1, 5, 3, 9, 9, 3]
    log = Cascades.from_users(users, parents, [0, 2, 3, 4, 5, 3])
    assert log.user.tolist() == [5, 3, 9, 7]
    assert log.user[log.parent[1:]].tolist() == [5, 3, 3] and log.depth.tolist() == [0, 1, 2, 2]


def test_an_empty_log_has_no_cascade():
    none = Cascades.from_users([], [], [])
    assert len(none) == 0 and none.sizes().tolist() == [] and none.curves([0, 1]).scale.shape == (0, 2)


def test_several_cascades_in_one_log_share_users_but_no_rows():
    log = Cascades.from_users([1, 2, 1, 2, 3], [-1, 1, 2, -1, 2], [0, 1, 8, 7, 8], ["a", "a", "b", "b", "b"])
    assert log.sizes().tolist() == [2, 3] and log.depths().tolist() == [1, 1] and log.breadths().tolist() == [1, 2]
    assert log.curves([0, 1]).scale.tolist() == [[1, 2], [1, 3]], "time is counted from each source"


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: Cascades.of([1, 0]), "in a circle"),
        (lambda: Cascades.of([-1, 7]), "rows are 0 to 1"),
        (lambda: Cascades.of([-1, 0], [3, 2]), "before that it was had from"),
        (lambda: Cascades.of([-1, 0], [3]), "one of each a row"),
        (lambda: Cascades.from_users([1, 2], [-1, 4], [0, 1]), "who is not in that cascade"),
        (lambda: Cascades.from_users([1, 2], [2, 1], [0, 1]), "0 sources"),
        (lambda: Cascades.from_users([1, 2], [-1, -1], [0, 1]), "2 sources"),
        (lambda: Cascades.from_users([-4, 2], [-1, -1], [0, 1]), "numbers from 0"),
        (lambda: Cascades.of([-1]).curves([3, 1]), "ascending"),
        (lambda: normalised_error([1.0, 2.0], [1.0]), "same instants"),
        (lambda: normalised_error([1.0], [0.0]), "no unit"),
        (lambda: randomised_rank([1, 2], [1, 2], 0.5), "counts trials"),
    ],
)
def test_a_mistake_is_named(call, told):
    with pytest.raises(UsageError, match=told):
        call()


def test_a_curve_against_itself_is_0_and_against_its_double_the_root_mean_square_over_its_end():
    real = np.array([1.0, 11, 15, 23, 28, 26])
    assert normalised_error(real, real) == 0
    assert normalised_error(2 * real, real) == pytest.approx(np.sqrt((real**2).mean()) / 26)
    assert normalised_error(2 * real, real, "code") == pytest.approx(np.sqrt((real**2).mean()) / 28)
    assert normalised_error(np.stack([real, 2 * real]), real).shape == (2,)


def test_errors_of_curves_are_those_of_their_parts():
    curves = Cascades.of(PARENT, MINUTE).curves(np.arange(7))
    double = Curves(2 * curves.scale, 3 * curves.depth, curves.breadth)
    found = double.errors(curves)
    assert found["breadth"] == 0
    assert found["scale"] == pytest.approx(np.sqrt((curves.scale[0] ** 2).mean()) / 7)
    assert found["depth"] == pytest.approx(2 * np.sqrt((curves.depth[0] ** 2).mean()) / 3)


def test_randomised_ranks_of_small_whole_numbers_are_uniform_where_plain_bands_hold_too_many():
    random = np.random.Generator(np.random.PCG64(4))
    recorded, trials = random.poisson(1.2, 4000), random.poisson(1.2, (2000, 4000))
    rank = randomised_rank(recorded, trials, random.random(4000))
    assert abs(((rank > 0.16) & (rank < 0.84)).mean() - 0.68) < 0.03
    low, high = np.quantile(trials, [0.16, 0.84], axis=0)
    assert ((recorded >= low) & (recorded <= high)).mean() > 0.8


def test_cascades_measured_together_are_as_measured_apart():
    """The same trees together and apart: nothing leaks from one into another."""
    random = np.random.Generator(np.random.PCG64(1))
    parts = [np.array([-1, *(random.integers(0, row) for row in range(1, size))]) for size in random.integers(1, 30, 60)]
    offsets = np.cumsum([0, *(len(part) for part in parts)])
    joined = Cascades.of(np.concatenate([np.where(part >= 0, part + start, -1) for part, start in zip(parts, offsets, strict=False)]))
    alone = [Cascades.of(part) for part in parts]
    assert joined.sizes().tolist() == [int(one.sizes()[0]) for one in alone]
    np.testing.assert_allclose(joined.virality(), [one.virality()[0] for one in alone])
    assert joined.layers().tolist() == [one.layers(joined.layers().shape[1])[0].tolist() for one in alone]
