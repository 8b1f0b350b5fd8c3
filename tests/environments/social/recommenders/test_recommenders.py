"""Feeds of every recommender against slow ones written out by hand."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from sociarium.environments.social.platform import Platform
from sociarium.environments.social.posts import Kind
from sociarium.environments.social.recommenders import scores
from sociarium.environments.social.recommenders.candidates import Eligible, Pool
from sociarium.environments.social.recommenders.followed import Followed
from sociarium.environments.social.recommenders.grid import cosines, on_grid
from sociarium.environments.social.recommenders.presets import (
    in_network,
    nearest_first,
    oasis_random,
    oasis_reddit,
    oasis_similar,
    oasis_x,
)
from sociarium.environments.social.recommenders.ranked import Drawn, Mixed, Ranked
from sociarium.environments.social.recommenders.score import Score
from sociarium.environments.social.recommenders.terms import Custom, Decay, InNetwork, Interest, Kinship, Newest, Popularity
from sociarium.environments.social.recommenders.vectors import TextInterests, TopicInterests
from sociarium.environments.social.rules import PlatformRules
from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network
from sociarium.kernel.population import Population
from sociarium.kernel.randomness import Randomness
from sociarium.kernel.units import HOUR, MINUTE, SECOND
from sociarium.kernel.world import World

USERS, TOPICS, LENGTH = 40, 6, 8
EVERYONE = np.arange(USERS)
STREAM = Randomness(4).stream("feed")


def vectors(seed: int = 3):
    random = np.random.default_rng(seed)
    return random.normal(size=(USERS, LENGTH)), random.normal(size=(TOPICS, LENGTH))


def platform(recommender, *, posts: int = 120, seed: int = 1, minutes: float = 1.5, **rules) -> Platform:
    """A platform with a history: posts, reposts and quotes every ``minutes``, some comments, votes, and something taken down."""
    random = np.random.default_rng(seed)
    network = Network.from_edges(USERS, random.integers(0, USERS, 300), random.integers(0, USERS, 300))
    site = Platform(network, recommender=recommender, rules=PlatformRules(**rules))
    World(Population.of("user", USERS), [site], seed)
    table = site.posts
    for number in range(posts):
        author, time = int(random.integers(USERS)), round(number * minutes * MINUTE)
        kind = Kind(int(random.choice(4, p=[0.5, 0.25, 0.15, 0.1]))) if number > 4 else Kind.POST
        topic = int(random.integers(-1, TOPICS))
        if kind is Kind.POST:
            table.append([author], time, kind, [f"words {topic} {number % 7}"], topic=topic)
        else:
            made_from = int(random.choice(np.flatnonzero(table.kind != Kind.COMMENT)))
            original = int(table.content([made_from])[0])
            words = None if kind is Kind.REPOST else [f"own words {number}"]
            table.append([author], time, kind, words, original=original, parent=made_from, topic=table.topic[original])
    table.likes[:] = random.integers(0, 12, posts)
    table.dislikes[:] = random.integers(0, 12, posts)
    table.removed[::17] = True
    site.world.clock.time = round(posts * minutes * MINUTE)
    return site


def allowed(site, user, *, own=False, kinds=(0, 1, 2), minutes=None):
    """Posts that a reader may be shown, ascending."""
    table = site.posts
    out = []
    for post in range(len(table)):
        content = int(table.content([post])[0])
        old = minutes is not None and site.world.clock.time - table.time[post] >= minutes * MINUTE
        fit = table.kind[post] in kinds and not table.removed[post] and not table.removed[content] and not old
        if fit and (own or table.author[post] != user):
            out.append(post)
    return np.array(out, np.int64)


def ranked(posts, values, count):
    usable = [(float(v), int(p)) for p, v in zip(posts, values, strict=True) if v > -np.inf]
    return [p for v, p in sorted(usable, key=lambda one: (-one[0], -one[1]))][:count]


def interest(site, user, posts, topics=None, readers=None):
    """The cosine between a reader and the topics of posts, one by one."""
    if readers is None:
        readers, topics = vectors()
    about = np.vstack([topics, np.zeros(LENGTH)])[site.posts.topic[site.posts.content(posts)]]
    return cosines(on_grid(readers[user]), on_grid(about))[0]


def test_oasis_x_of_the_paper_ranks_by_recency_fame_and_interest_after_the_most_liked_of_those_followed():
    interests = TopicInterests(*vectors())
    site = platform(oasis_x(interests, kept=4, shown=4, following=3))
    feed = site.recommender.recommend(site, EVERYONE, STREAM)
    table, now = site.posts, site.world.clock.time
    late = 0
    for user in EVERYONE:
        followed = set(site.follows.network().neighbours(user).tolist())
        near = [p for p in allowed(site, user) if table.author[p] in followed]
        first = ranked(near, table.likes[table.content(np.array(near, np.int64))] if near else [], 3)
        rest = np.array([p for p in allowed(site, user, minutes=scores.HORIZON) if p not in first])
        age = (now - table.time[rest]) / MINUTE
        common = scores.recency(age) * scores.fame(site.follows.followers[table.author[rest]])
        second = ranked(rest, interest(site, user, rest) * common.astype(np.float32), 4)
        got = [p for p in feed[user].tolist() if p >= 0]
        assert got[: len(first)] == first and sorted(got[len(first) :]) == sorted(second)
        late += got[len(first) :] != second
    assert late > USERS / 2  # what was kept is shown in random order


def test_in_the_form_of_the_code_nothing_ages_and_fame_does_not_count():
    interests = TopicInterests(*vectors())
    site = platform(oasis_x(interests, kept=3, shown=3, following=0, form="code"), minutes=5)
    feed = site.recommender.recommend(site, EVERYONE, STREAM)
    site.world.clock.time += 10 * HOUR
    assert np.array_equal(site.recommender.recommend(site, EVERYONE, STREAM), feed)
    for user in EVERYONE:
        posts = allowed(site, user, own=True)
        values = interest(site, user, posts) * np.float32(scores.recency(0))
        assert sorted(feed[user].tolist()) == sorted(ranked(posts, values, 3))


def test_what_is_too_old_for_a_recency_is_not_recommended():
    site = platform(oasis_x(TopicInterests(*vectors()), following=0))
    site.world.clock.time += 10 * HOUR
    assert (site.recommender.recommend(site, EVERYONE, STREAM) == -1).all()


@pytest.mark.parametrize("form", ["paper", "code"])
def test_oasis_reddit_draws_from_the_hottest_the_same_for_everyone(form):
    site = platform(oasis_reddit(kept=9, shown=5, epoch=1.3e9, form=form))
    table, posts = site.posts, allowed(site, -1)
    votes = table.content(posts)
    hot = scores.hot(table.likes[votes], table.dislikes[votes], 1.3e9 + table.time[posts] / SECOND, digits=7 if form == "code" else None)
    hottest = ranked(posts, hot, 9)
    feed = site.recommender.recommend(site, EVERYONE, STREAM)
    assert set(feed.reshape(-1).tolist()) == set(hottest)
    assert all(len(set(row)) == 5 for row in feed.tolist()) and len({tuple(row) for row in feed.tolist()}) > USERS / 2


def test_a_demoted_post_falls_and_one_with_factor_0_is_gone():
    site = platform(Ranked(Score((Newest(),)), 3, own=True))
    first = site.recommender.recommend(site, EVERYONE[:1], STREAM)[0]
    site.posts.factor[first[0]], site.posts.factor[first[1]] = 0.01, 0.0
    again = site.recommender.recommend(site, EVERYONE[:1], STREAM)[0]
    assert again[0] == first[2] and not set(first[:2].tolist()) & set(again.tolist())
    below = Ranked(Score((Custom(lambda platform, posts: -posts.astype(np.float64)),)), 200, own=True)
    order = below.recommend(site, EVERYONE[:1], STREAM)[0]
    order = order[order >= 0].tolist()
    assert order.index(int(first[0])) == len(order) - 1 and int(first[1]) not in order  # a negative score falls too


def test_random_posts_are_each_as_likely_and_none_twice():
    site = platform(oasis_random(shown=4), posts=12)
    posts = allowed(site, -1)
    counts = np.zeros(len(site.posts))
    for draw in range(200):
        feed = site.recommender.recommend(site, EVERYONE, STREAM.at(draw))
        assert all(len(set(row)) == 4 for row in feed.tolist())
        counts += np.bincount(feed.reshape(-1), minlength=len(counts))
    expected = 200 * USERS * 4 / len(posts)
    assert set(np.flatnonzero(counts)) == set(posts.tolist())
    assert ((counts[posts] - expected) ** 2 / expected).sum() < 30  # far beyond p = 0.001 of at most 11 degrees: 31 without depletion


def test_similarity_moves_towards_what_was_liked_and_away_from_what_was_disliked():
    readers, topics = vectors()
    site = platform(oasis_similar(TopicInterests(readers, topics), kept=5, shown=5, swap=0.0))
    random = np.random.default_rng(8)
    votes = allowed(site, -1)
    site.liked.add(random.integers(0, USERS, 60), random.choice(votes, 60))
    site.disliked.add(random.integers(0, USERS, 60), random.choice(votes, 60))
    about = np.vstack([topics, np.zeros(LENGTH)])
    unit = lambda rows: rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-300)  # noqa: E731
    feed = site.recommender.recommend(site, EVERYONE, STREAM)
    for user in EVERYONE:
        pool = allowed(site, -1, kinds=(0, 2))
        v = unit(about[site.posts.topic[pool]])
        base = v @ unit(readers[user])
        shift = np.zeros(len(pool))
        for votes, sign in ((site.liked, 1), (site.disliked, -1)):
            _, mine = votes.of([user])
            if len(mine):
                shift += sign * (v @ unit(about[site.posts.topic[mine]]).T).mean(axis=1)
        value = dict(zip(pool.tolist(), base + shift * (base.max() - base.min()) / 2, strict=True))
        others = [p for p in pool.tolist() if site.posts.author[p] != user]
        got = feed[user].tolist()
        worst = min(value[p] for p in got)
        assert len(set(got)) == 5 and all(value[p] <= worst + 0.01 for p in others if p not in got)


def test_a_tenth_of_what_is_kept_is_swapped_for_random_posts():
    interests = TopicInterests(*vectors())
    plain = platform(oasis_similar(interests, kept=20, shown=20, swap=0.0), posts=300)
    swapped = platform(oasis_similar(interests, kept=20, shown=20), posts=300)
    first = plain.recommender.recommend(plain, EVERYONE, STREAM)
    second = swapped.recommender.recommend(swapped, EVERYONE, STREAM)
    new = [len(set(b) - set(a)) for a, b in zip(first.tolist(), second.tolist(), strict=True)]
    assert max(new) == 2 and np.mean(new) > 1.5
    assert all(len(set(row)) == 20 for row in second.tolist())


def test_a_weighted_sum_ranks_by_its_terms():
    readers, topics = vectors()
    weights = (0.375, 0.375, 0.25)
    score = Score((Interest(TopicInterests(readers, topics), missing=0.5), Popularity(), Decay()), weights)
    site = platform(Ranked(score, 6), minutes=30)
    feed = site.recommender.recommend(site, EVERYONE, STREAM)
    table = site.posts
    for user in EVERYONE:
        posts = allowed(site, user)
        shown = table.content(posts)
        h = np.where(table.topic[shown] < 0, np.float32(0.5), interest(site, user, posts))
        p = scores.engagement(table.likes[shown], table.shares[shown], table.comments[shown])
        r = scores.decay((site.world.clock.time - table.time[posts]) / HOUR)
        value = np.float32(0.375) * h + (0.375 * p + 0.25 * r).astype(np.float32)
        assert feed[user].tolist() == ranked(posts, value, 6)


def test_buckets_of_kinds_mixed_with_random_posts_fill_their_slots_and_show_nothing_twice():
    score = Score((Newest(),))
    parts = [Ranked(score, 8, 4, pool=Pool(Eligible((kind,)), 50), again=False) for kind in (Kind.POST, Kind.REPOST)]
    recommender = Mixed([*parts, Drawn(2, again=False)], shuffled=True)
    site = platform(recommender, posts=400, exposures="pairs")
    for draw in range(3):
        feed = recommender.recommend(site, EVERYONE, STREAM.at(draw))
        for user, row in zip(EVERYONE, feed.tolist(), strict=True):
            assert len(set(row)) == 10 and -1 not in row
            assert user not in site.posts.author[row]
            kinds = site.posts.kind[row]
            assert (kinds == Kind.REPOST).sum() >= 4 and (kinds == Kind.POST).sum() >= 4
            assert not site.shown.has(np.full(10, user), row).any()
        site.expose(EVERYONE, feed)


@pytest.mark.parametrize("farthest", [False, True])
def test_nearest_first_orders_the_posts_of_those_followed(farthest):
    site = platform(nearest_first(TopicInterests(*vectors()), count=5, farthest=farthest))
    feed = site.recommender.recommend(site, EVERYONE, STREAM)
    for user in EVERYONE:
        followed = set(site.follows.network().neighbours(user).tolist())
        near = np.array([p for p in allowed(site, user) if site.posts.author[p] in followed], np.int64)
        wanted = ranked(near, interest(site, user, near) * (-1 if farthest else 1), 5)
        assert [p for p in feed[user].tolist() if p >= 0] == wanted


def test_a_term_for_the_network_and_one_for_the_author_are_the_same_in_blocks_and_in_pairs():
    readers, _ = vectors()
    for term in (InNetwork(), Kinship(readers), Kinship(readers, sign=-1), Interest(TopicInterests(*vectors()), missing=0.5)):
        site = platform(Drawn(1))
        posts = allowed(site, -1)
        block = term.block(site, EVERYONE, posts)
        rows, columns = np.divmod(np.arange(block.size), len(posts))
        assert np.array_equal(term.pairs(site, EVERYONE[rows], posts[columns]), block.reshape(-1))
    follows = site.follows.network().has(EVERYONE[rows], site.posts.author[posts[columns]])
    assert np.array_equal(InNetwork().block(site, EVERYONE, posts).reshape(-1), follows)


def presets():
    interests = TopicInterests(*vectors())
    return [
        oasis_x(interests, kept=4, shown=2),
        oasis_reddit(kept=20, shown=5),
        oasis_random(shown=4),
        oasis_similar(interests, kept=20, shown=5),
        Mixed([in_network(2, again=False), Ranked(Score((Interest(interests, missing=0.5), Decay()), (1.0, 0.5)), 8, 4, again=False)]),
        nearest_first(interests),
        in_network(6, again=False),
        Drawn(5, pool=Pool(Eligible(minutes=60), 10, "newest")),
        Mixed([Ranked(Score((Newest(),)), 3), Drawn(3)], shuffled=True),
    ]


@pytest.mark.parametrize("which", range(len(presets())))
def test_a_feed_does_not_depend_on_who_else_refreshes_nor_on_what_was_asked_before(which):
    recommender = presets()[which]
    site = platform(recommender, exposures="pairs")
    site.muted.add(EVERYONE, (EVERYONE + 5) % USERS)
    site.shown.add(EVERYONE % 7, allowed(site, -1)[EVERYONE])
    feed = recommender.recommend(site, EVERYONE, STREAM)
    assert feed.shape == (USERS, recommender.width) and (feed >= 0).any()
    for part in (EVERYONE[::3], EVERYONE[[7]], EVERYONE[::-1]):
        assert np.array_equal(recommender.recommend(site, part, STREAM), feed[part])
    for user, row in zip(EVERYONE, feed.tolist(), strict=True):
        there = [post for post in row if post >= 0]
        assert len(set(there)) == len(there) and row[: len(there)] == there
        assert set(there) <= set(allowed(site, user, own=recommender.own or isinstance(recommender, Mixed)).tolist())
        assert (user + 5) % USERS not in site.posts.author[there]
    assert recommender.recommend(site, EVERYONE[:0], STREAM).shape == (0, recommender.width)


@pytest.mark.parametrize("which", range(len(presets())))
def test_with_nothing_posted_feeds_are_empty(which):
    recommender = presets()[which]
    site = platform(recommender, posts=0, exposures="pairs")
    assert (recommender.recommend(site, EVERYONE, STREAM) == -1).all()


def test_who_is_barred_from_most_of_a_ranking_gets_what_is_left_of_it():
    recommender = Ranked(Score((Newest(),)), 3, again=False)
    site = platform(recommender, exposures="pairs")
    posts = allowed(site, 0)
    site.shown.add(np.zeros(len(posts) - 2, np.int64), posts[2:])
    assert recommender.recommend(site, EVERYONE[:1], STREAM)[0].tolist() == [posts[1], posts[0], -1]


def test_to_show_nothing_twice_a_platform_must_keep_what_it_showed():
    recommender = Drawn(2, again=False)
    site = platform(recommender)
    with pytest.raises(UsageError, match="exposures"):
        recommender.recommend(site, EVERYONE, STREAM)


@pytest.mark.parametrize("choice", ["random", "newest"])
def test_a_pool_has_the_asked_number_of_eligible_posts(choice):
    site = platform(Drawn(1), posts=900)
    young = allowed(site, -1, kinds=(0,), minutes=1000)
    pool = Pool(Eligible((Kind.POST,), 1000), 20, choice)
    seen = np.zeros(len(site.posts))
    for draw in range(150):
        found = pool.posts(site, STREAM.at(draw))
        assert len(found) == 20 and (np.diff(found) > 0).all() and set(found.tolist()) <= set(young.tolist())
        seen[found] += 1
    if choice == "newest":
        assert found.tolist() == young[-20:].tolist()
    else:
        assert ((seen[young] - 150 * 20 / len(young)) ** 2 / (150 * 20 / len(young))).sum() < 1.4 * len(young)


def test_vectors_of_texts_are_made_once_and_a_readers_anew_when_it_has_posted():
    asked: list[str] = []

    def embed(texts):
        asked.extend(texts)
        return np.array([[len(text), text.count("a"), 1.0] for text in texts])

    interests = TextInterests(embed, [f"user {number}" for number in range(USERS)])
    site = platform(Ranked(Score((Interest(interests),)), 3), posts=60)
    first = site.recommender.recommend(site, EVERYONE, STREAM)
    asked.clear()
    assert np.array_equal(site.recommender.recommend(site, EVERYONE, STREAM), first) and not asked
    site.posts.append([7], site.world.clock.time, Kind.POST, ["banana"])
    site.posts.append([8], site.world.clock.time, Kind.COMMENT, ["no post"], original=0, parent=0)
    site.recommender.recommend(site, EVERYONE, STREAM)
    assert sorted(asked) == ["banana", "user 7 banana"]
    twin = copy.deepcopy(site)
    assert np.array_equal(twin.recommender.recommend(twin, EVERYONE, STREAM), site.recommender.recommend(site, EVERYONE, STREAM))


def test_a_loaded_run_does_not_use_vectors_of_the_texts_that_had_the_same_numbers():
    def build(word):
        site = platform(Ranked(Score((Interest(TextInterests(embed, ["a"] * USERS, latest=False)),)), 1, own=True), posts=0)
        site.posts.append([0, 1], 0, Kind.POST, [word, "b"])
        return site

    def embed(texts):
        return np.array([[text.count("a"), text.count("b")] for text in texts], float)

    site, other = build("a"), build("c")
    assert site.recommender.recommend(site, EVERYONE[:1], STREAM).tolist() == [[0]]
    site.load(other.state())
    assert site.recommender.recommend(site, EVERYONE[:1], STREAM).tolist() == [[1]]


def test_wrong_forms_weights_and_vectors_are_refused():
    interests = TopicInterests(*vectors())
    for wrong, words in (
        (lambda: oasis_x(interests, form="draft"), "'paper' or 'code'"),
        (lambda: oasis_reddit(form="draft"), "'paper' or 'code'"),
        (lambda: Score((Newest(),), (1.0, 2.0)), "2 weights for 1 terms"),
        (lambda: Score(()), "at least one term"),
        (lambda: Interest(interests, sign=2), "sign"),
        (lambda: Followed(Score((Newest(),)), 3, each=0), "at least 1"),
        (lambda: Ranked(Score((Newest(),)), 3, swap=2.0), "share"),
    ):
        with pytest.raises(UsageError, match=words):
            wrong()
    site = platform(Ranked(Score((Interest(TopicInterests(np.ones((3, 2)), np.ones((9, 2)))),)), 2))
    with pytest.raises(UsageError, match="has no vector of interests"):
        site.recommender.recommend(site, EVERYONE, STREAM)
