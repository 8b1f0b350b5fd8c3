"""Cascades measured as they grow, against the tree that their rows are."""

import numpy as np
import pytest

from sociarium.environments.social.cascades import Cascades
from sociarium.environments.social.platform import Platform
from sociarium.environments.social.posts import Kind
from sociarium.environments.social.recommenders.recommender import NoFeed
from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network
from sociarium.kernel.population import Population
from sociarium.kernel.world import World
from sociarium.lab.cascades import Cascades as Trees


def world(sources=1, users=400, classes=()):
    platform = Platform(Network(np.zeros(users + 1, np.int64), np.empty(0, np.int32)), recommender=NoFeed())
    watched = Cascades(platform, sources, classes)
    World(Population.of("user", users), [platform, watched], 1)
    return platform.posts, watched


def grow(posts, watched, sources, rows, seed, each=7):
    """Random reposts, quotes and comments of random rows, counted every few."""
    random = np.random.default_rng(seed)
    for source in range(sources):
        posts.append([source], 0, Kind.POST, ["words"])
    for number in range(rows):
        kind = Kind(int(random.choice([1, 1, 2, 3])))
        made_from = int(random.choice(np.flatnonzero(posts.kind != Kind.COMMENT)))
        words = None if kind is Kind.REPOST else ["own"]
        posts.append([int(random.integers(400))], number, kind, words, original=int(posts.content([made_from])[0]), parent=made_from)
        if number % each == 0:
            watched.advance(number)
    watched.advance(rows)


@pytest.mark.parametrize("seed", range(3))
def test_scale_depth_and_breadth_are_those_of_the_tree_of_rows(seed):
    posts, watched = world()
    grow(posts, watched, 1, 120, seed)
    rows = np.flatnonzero(posts.kind != Kind.COMMENT)
    place = np.full(len(posts), -1)
    place[rows] = np.arange(len(rows))
    kept, users = [], set()
    for row in rows.tolist():  # of a user's several rows the first counts
        if int(posts.author[row]) not in users:
            users.add(int(posts.author[row]))
            kept.append(row)
    trees = Trees.of(np.where(posts.parent[rows] >= 0, place[np.maximum(posts.parent[rows], 0)], -1))
    depth = trees.depth[place[kept]]
    measured = watched.measures()
    assert measured["scale"][0] == len(users) == watched.scales()[0]
    assert measured["depth"][0] == depth.max()
    assert measured["breadth"][0] == np.bincount(depth)[1:].max()


def test_how_often_rows_are_counted_changes_nothing_and_state_goes_on():
    posts, watched = world(3, classes=("a", "b", "a"))
    grow(posts, watched, 3, 90, 5, each=1)
    others, late = world(3, classes=("a", "b", "a"))
    grow(others, late, 3, 90, 5, each=1000)
    assert {k: v.tolist() for k, v in watched.measures().items()} == {k: v.tolist() for k, v in late.measures().items()}
    again = Cascades(watched.platform, 3, ("a", "b", "a"))
    again.load(watched.state())
    again.advance(0)
    assert again.scales().tolist() == watched.scales().tolist()
    means = watched.measures()
    assert means["a"][0] == watched.scales()[[0, 2]].mean() and means["b"][0] == watched.scales()[1]


def test_before_anything_is_posted_there_is_no_measure_and_wrong_classes_are_refused():
    _, watched = world(2, classes=("x", "y"))
    watched.advance(0)
    assert all(np.isnan(value[0]) for value in watched.measures().values())
    with pytest.raises(UsageError, match="class"):
        Cascades(watched.platform, 2, ("x",))
