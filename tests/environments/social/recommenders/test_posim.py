"""POSIM's feed: its composition, its halves, repeats, relations; the order by formula is a claim of the scenario (line A5)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sociarium.environments.social.platform import Platform
from sociarium.environments.social.posts import Kind
from sociarium.environments.social.recommenders.posim import FeedRules, PosimFeed, Repeats
from sociarium.environments.social.recommenders.vectors import TopicInterests
from sociarium.environments.social.rules import PlatformRules
from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network
from sociarium.kernel.population import Population
from sociarium.kernel.randomness import Randomness
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Phase
from sociarium.kernel.units import HOUR
from sociarium.minds.rule import RuleMind, nothing

USERS = 12
LONG = FeedRules(10, even=False)


def planted(rules=LONG, originals=60, reposts=60, follows=None, embed=None):
    """Users 0 to 9 read; 10 writes originals, 11 reposts them; the newest hour by hour."""
    feed = PosimFeed(TopicInterests(np.ones((USERS, 2)), np.ones((1, 2))), rules, embed=embed)
    network = Network.from_edges(USERS, *(follows or ([], [])))
    platform = Platform(network, recommender=feed, rules=PlatformRules(exposures="pairs"))
    simulation = Simulation(Population.of("user", USERS), [platform], [RuleMind(nothing)], Rounds([Phase("act", "platform")], 1))
    for at in range(originals):
        platform.posts.append([10], at * HOUR // 2, Kind.POST, [f"post {at}"], topic=[0])
    for at in range(reposts):
        platform.posts.append(
            [11], (originals + at) * HOUR // 2, Kind.REPOST, original=[at % originals], parent=[at % originals], topic=[0]
        )
    simulation.world.clock.time = (originals + reposts) * HOUR // 2
    return platform, feed


def drawn(platform, feed, seed=1, users=range(10)):
    return feed.composed(platform, np.array(users), Randomness(seed).stream("feed"))


def test_the_rest_of_a_feed_is_half_originals_and_half_reposts():
    platform, feed = planted(replace(LONG, hours=1000.0))
    posts, explored = drawn(platform, feed)
    kinds = platform.posts.kind[posts]
    assert (explored.sum(axis=1) == 2).all()
    assert ((kinds == Kind.POST) & ~explored).sum(axis=1).tolist() == [4] * 10
    assert ((kinds == Kind.REPOST) & ~explored).sum(axis=1).tolist() == [4] * 10
    assert all(len(set(row)) == 10 for row in posts.tolist())


def test_where_a_half_has_too_few_the_best_of_all_fill_its_slots():
    posts, explored = drawn(*planted(originals=40, reposts=1))
    assert (posts >= 0).all() and (explored.sum(axis=1) == 2).all()
    few, _ = drawn(*planted(originals=3, reposts=0))
    assert (np.sort(few, axis=1)[:, -3:] == [0, 1, 2]).all() and (few >= 0).sum() == 30


def test_a_reader_gets_the_same_feed_whoever_else_reads():
    platform, feed = planted()
    whole, alone = drawn(platform, feed)[0], drawn(platform, feed, users=[7])[0]
    assert whole[7].tolist() == alone[0].tolist()


def test_of_twice_as_many_of_the_best_the_shown_are_drawn_and_other_draws_show_others():
    rules = replace(LONG, explore=0.0, relations=False, scored=None, hours=1000.0)
    platform, feed = planted(rules)
    rows = [drawn(platform, feed, seed)[0] for seed in range(20)]
    shown = np.unique(rows)
    assert shown.tolist() == [*range(50, 60), *range(110, 120)]  # the newest 2 n of each half
    best = replace(rules, breadth=1, shuffled=False)
    assert (drawn(*planted(best))[0] == [119, 118, 117, 116, 115, 59, 58, 57, 56, 55]).all()


def test_the_length_of_a_feed_is_drawn_from_none_to_all_for_each_reader():
    platform, feed = planted(FeedRules(10))
    lengths = np.concatenate([(drawn(platform, feed, seed)[0] >= 0).sum(axis=1) for seed in range(60)])
    counts = np.bincount(lengths, minlength=11)
    expected = len(lengths) / 11
    assert ((counts - expected) ** 2 / expected).sum() < 29.6  # chi-square with 10 degrees of freedom, p = 0.001
    assert drawn(*planted(FeedRules(0)))[0].shape == (10, 0)


def test_own_posts_reposts_of_them_muted_authors_and_what_was_shown_are_left_out():
    platform, feed = planted()
    assert (drawn(platform, feed, users=[10])[0] == -1).all()  # all there is are its own posts and reposts of them
    assert (platform.posts.author[drawn(platform, feed, users=[11])[0]] == 10).all()
    platform.muted.add([3], [11])
    assert (platform.posts.author[drawn(platform, feed, users=[3])[0]] == 10).all()
    shown, _ = drawn(platform, feed, users=[4])
    platform.shown.add(np.full(10, 4), shown[0])
    assert not set(shown[0].tolist()) & set(drawn(platform, feed, 2, users=[4])[0][0].tolist())


def test_posts_expire():
    platform, feed = planted(replace(LONG, hours=5.0))
    posts, _ = drawn(platform, feed)
    age = platform.world.clock.time - platform.posts.time[posts]
    assert (posts >= 0).any() and (age[posts >= 0] < 5 * HOUR).all()


def test_half_of_each_half_is_of_accounts_that_one_follows():
    rules = replace(LONG, explore=0.0, breadth=1, hours=1000.0, scored=None)
    platform, feed = planted(rules, follows=([0], [9]))
    extra = platform.posts.append([9, 9, 9], 0, Kind.POST, ["a", "b", "c"], topic=[0, 0, 0])  # old: nobody else would see them
    assert set(extra.tolist()) <= set(drawn(platform, feed, users=[0])[0][0].tolist())
    assert not set(extra.tolist()) & set(drawn(platform, feed, users=[1])[0][0].tolist())
    unrelated, other = planted(replace(rules, relations=False), follows=([0], [9]))
    unrelated.posts.append([9, 9, 9], 0, Kind.POST, ["a", "b", "c"], topic=[0, 0, 0])
    assert not set(extra.tolist()) & set(drawn(unrelated, other, users=[0])[0][0].tolist())


def letters(texts):
    return np.array([[text.count(letter) for letter in "abc"] for text in texts], np.float64)


def test_an_original_like_one_of_the_last_is_never_shown_and_that_is_state():
    rules = replace(LONG, compared=2, hours=1000.0)
    platform, feed = planted(rules, originals=1, reposts=0, embed=letters)
    texts = ["aaa", "bb", "aab", "a", "c", "bbb", "ab", "aa"]
    rows = platform.posts.append(np.full(8, 10), 0, Kind.POST, texts, topic=np.zeros(8, int))
    feed.repeats.look(platform)
    # "a" is like "aaa", of the last two kept ("aaa", "bb", "aab" are unlike): by then these are "bb" and "aab", so it stays
    assert feed.repeats.of(rows).tolist() == [False, False, False, False, False, False, False, False]
    wide, other = planted(replace(rules, compared=200), originals=1, reposts=0, embed=letters)
    wide.posts.append(np.full(8, 10), 0, Kind.POST, texts, topic=np.zeros(8, int))
    other.repeats.look(wide)
    assert other.repeats.of(rows).tolist() == [False, False, False, True, False, True, True, True]
    assert set(drawn(wide, other, users=[0])[0][0].tolist()) == {-1, 0, 1, 2, 3, 5}
    loaded = PosimFeed(other.score.terms[0].interests, other.rules, embed=letters)
    loaded.load(other.state())
    wide.posts.append([10], 0, Kind.POST, ["aaaa"], topic=[0])
    loaded.repeats.look(wide)
    assert loaded.repeats.of(np.array([9])).tolist() == [True] and loaded.repeats.recent.tolist() == [0, 1, 2, 3, 5]


def test_without_an_embedder_nothing_is_a_repeat():
    platform, _ = planted()
    repeats = Repeats(LONG, None)
    repeats.look(platform)
    assert not repeats.of(np.arange(130)).any()


def test_rules_that_make_no_sense_are_refused():
    for wrong, words in (
        ({"interest": -1}, "weights"),
        ({"interest": 0, "popularity": 0, "recency": 0}, "weights"),
        ({"breadth": 0}, "breadth"),
    ):
        with pytest.raises(UsageError, match=words):
            FeedRules(**wrong)
    assert [FeedRules(explore=share).exploring(10) for share in (0.0, 0.05, 0.3, 1.0)] == [0, 1, 3, 10]
