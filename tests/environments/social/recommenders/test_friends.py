"""Friends' content and acquaintances on a small platform, by hand and beside plain loops."""

import numpy as np
import pytest

from sociarium.environments.social.platform import Platform
from sociarium.environments.social.posts import Kind
from sociarium.environments.social.recommenders.friends import Acquaintances, FriendsContent
from sociarium.environments.social.recommenders.vectors import TopicInterests
from sociarium.environments.social.remembered import Remembered
from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network
from sociarium.kernel.population import Population
from sociarium.kernel.randomness import Randomness
from sociarium.kernel.world import World
from sociarium.minds.language.forgetting import FRIENDSHIP_PARADOX

USERS, TOPICS = 12, 30


def stream(name="test"):
    return Randomness(5).stream(name)


VECTORS = stream("topics").normal(np.arange(TOPICS * 8)).reshape(TOPICS, 8)
READERS = stream("readers").normal(np.arange(USERS * 8)).reshape(USERS, 8)


def platform_of(edges, posts, memory=False):
    """``posts``: (author, topic) rows."""
    interests = TopicInterests(READERS, VECTORS)
    a, b = np.array(edges, np.int64).reshape(-1, 2).T
    platform = Platform(Network.from_edges(USERS, a, b), recommender=FriendsContent(interests))
    world = World(Population.of("user", USERS), [platform, *([Remembered(FRIENDSHIP_PARADOX)] if memory else [])], 1)
    for author, topic in posts:
        platform.posts.append([author], 0, Kind.POST, [f"about {topic}"], topic=[topic])
    return platform, interests, world


def cosine(reader, topic):
    return READERS[reader] @ VECTORS[topic] / np.linalg.norm(READERS[reader]) / np.linalg.norm(VECTORS[topic])


def recommended(platform, interests, users, **settings):
    return FriendsContent(interests, **settings).recommend(platform, np.array(users), stream("feed"))


def test_orders_are_those_of_the_cosines():
    platform, interests, _ = platform_of([(0, 1), (0, 2)], [(1 + t % 2, t) for t in range(20)] + [(3, 25)])
    by_hand = sorted(range(20), key=lambda topic: -cosine(0, topic))
    assert recommended(platform, interests, [0])[0].tolist() == by_hand[:10]
    assert recommended(platform, interests, [0], order="farthest")[0].tolist() == by_hand[::-1][:10]
    drawn = recommended(platform, interests, [0], order="random")[0].tolist()
    assert len(set(drawn)) == 10 and set(drawn) <= set(range(20)) and drawn != by_hand[:10]
    assert (recommended(platform, interests, [5]) == -1).all()  # follows nobody


def test_what_two_friends_share_comes_once_and_the_readers_own_never():
    platform, interests, _ = platform_of([(0, 1), (0, 2)], [(0, 1), (3, 2)])
    for sharer in (1, 2):
        for row in (0, 1):
            platform.posts.append([sharer], 0, Kind.REPOST, original=[row], parent=[row])
    assert recommended(platform, interests, [0])[0].tolist() == [1] + [-1] * 9


def test_what_was_reacted_to_or_muted_is_left_out():
    platform, interests, _ = platform_of([(0, 1), (0, 2)], [(1, 1), (1, 2), (2, 3)])
    platform.liked.add([0], [0])
    assert set(recommended(platform, interests, [0])[0].tolist()) == {1, 2, -1}
    assert 0 in recommended(platform, interests, [0], reacted=True)[0]
    platform.muted.add([0], [2])
    assert set(recommended(platform, interests, [0])[0].tolist()) == {1, -1}


def test_feeds_do_not_depend_on_who_else_asks():
    edges = [(a, b) for a in range(USERS) for b in range(USERS) if a != b and (a * 7 + b) % 3]
    platform, interests, _ = platform_of(edges, [(t % USERS, t) for t in range(TOPICS)])
    together = recommended(platform, interests, range(USERS))
    assert all(np.array_equal(together[user], recommended(platform, interests, [user])[0]) for user in range(USERS))
    friends = Acquaintances(interests, 3)
    ids, likeness = friends.suggest(platform, np.arange(USERS), stream())
    for user in range(USERS):
        one = friends.suggest(platform, np.array([user]), stream())
        assert np.array_equal(one[0][0], ids[user]) and np.array_equal(one[1][0], likeness[user], equal_nan=True)


def test_acquaintances_are_the_most_alike_by_mean_cosine_of_all_pairs_of_posts():
    posts = [(1, 1), (1, 2), (2, 3), (3, 4), (3, 5), (4, 6), (0, 7), (0, 8)]
    platform, interests, _ = platform_of([(0, 4)], posts)

    def pair(a, b):
        return VECTORS[a] @ VECTORS[b] / np.linalg.norm(VECTORS[a]) / np.linalg.norm(VECTORS[b])

    of = {user: [topic for author, topic in posts if author == user] for user in range(5)}
    means = {other: np.mean([pair(own, one) for own in of[0] for one in of[other]]) for other in (1, 2, 3)}
    ids, likeness = Acquaintances(interests).suggest(platform, np.array([0]), stream())
    ranked = sorted(means, key=lambda other: -means[other])
    assert ids[0].tolist() == [*ranked, -1, -1]  # 4 is followed, others have not posted
    assert likeness[0][:3] == pytest.approx([means[other] for other in ranked], abs=2e-3)
    silent = Acquaintances(interests).suggest(platform, np.array([7]), stream())[0][0]
    by_interest = sorted(range(5), key=lambda other: -np.mean([cosine(7, topic) for topic in of[other]]))
    assert silent.tolist() == by_interest


def test_random_acquaintances_are_uniform():
    platform, interests, _ = platform_of([(0, 1)], [(user, user) for user in range(8)])
    seen = np.zeros(USERS)
    for draw in range(600):
        ids = Acquaintances(interests, 2, order="random").suggest(platform, np.array([0]), Randomness(draw).stream("x"))[0][0]
        seen[ids] += 1
    assert set(np.flatnonzero(seen)) == {2, 3, 4, 5, 6, 7}
    assert abs(seen[2:8] - 200).max() < 4 * (600 * (1 / 3) * (2 / 3)) ** 0.5


def test_able_says_who_has_anybody_to_be_suggested():
    platform, interests, _ = platform_of([(0, 1), (2, 0)], [(0, 0), (1, 1)])
    friends = Acquaintances(interests)
    ids, _ = friends.suggest(platform, np.arange(USERS), stream())
    assert np.array_equal(friends.able(platform, np.arange(USERS)), (ids >= 0).any(axis=1))
    assert friends.able(platform, np.array([0])).tolist() == [False]
    empty, interests, _ = platform_of([], [])
    assert (Acquaintances(interests).suggest(empty, np.array([0]), stream())[0] == -1).all()


def test_only_what_is_remembered_counts_for_a_candidate():
    platform, interests, world = platform_of([], [(1, 1), (1, 2)], memory=True)
    memory = world["memory"]
    platform.posts.likes[1] = 1
    for _ in range(5):
        memory.advance(0)
    assert memory.gone.tolist() == [True, False]
    _, likeness = Acquaintances(interests, 1, remembered=memory.held).suggest(platform, np.array([0]), stream())
    assert likeness[0][0] == pytest.approx(cosine(0, 2), abs=2e-3)


def test_memory_keeps_by_the_rule_and_its_state_is_whole():
    platform, _, world = platform_of([], [(user, user) for user in range(5)], memory=True)
    memory = world["memory"]
    platform.posts.append([9], 0, Kind.COMMENT, ["a comment"], original=[0], parent=[0])
    platform.posts.shares[:3] = [1, 2, 0]  # importance 0.6; long-term by two shares
    platform.posts.likes[3], platform.posts.dislikes[3] = 1, 1  # no feeling in the end
    gone = []
    for tick in range(6):
        outcome = memory.advance(0)
        gone += [(tick, row) for events in (outcome.events if outcome else []) if events.kind == "forgotten" for row in events.data["post"]]
    assert gone == [(4, 2), (4, 3), (4, 4)]  # at age 4, not before; never what was shared once
    assert memory.long[:5].tolist() == [False, True, False, False, False]
    assert {name: int(value[0]) for name, value in memory.measures().items()} == {"short": 1, "long": 1, "forgotten": 3}
    kept = memory.state()
    memory.reset(world, np.array([0]))
    memory.load(kept)
    assert all(np.array_equal(memory.state()[name], kept[name]) for name in kept)


def test_wrong_settings_are_told():
    interests = TopicInterests(READERS, VECTORS)
    with pytest.raises(UsageError, match="nearest, farthest or random"):
        FriendsContent(interests, order="middle")
    with pytest.raises(UsageError, match="suggest at least 1"):
        Acquaintances(interests, 0)
