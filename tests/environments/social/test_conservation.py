"""OASIS A3: after thousands of random actions, legal and not, counters are row counts and every accepted act has its one trace row."""

from __future__ import annotations

import numpy as np
import pytest

from sociarium.cluster.actors import Cluster
from sociarium.cluster.shards import ShardedMind
from sociarium.environments.social.posts import Kind
from sociarium.environments.social.recommenders.recommender import RandomPosts
from sociarium.environments.social.rules import PlatformRules
from sociarium.kernel.actions import Actions
from sociarium.kernel.mind import Mind
from sociarium.kernel.network import Network
from sociarium.record.tree import survey
from sociarium.testing.digests import same_ticks
from sociarium.testing.fuzz import FuzzMind

from .conftest import platform, simulation, words

USERS = 40
TARGETS = {"post": 40, "comment": 40, "user": USERS + 3, "group": 6, "product": 3}


class Restless(Mind):
    """Each agent tries a few random actions on random targets, near enough that many hit, twice, and are undone."""

    def __init__(self, share: float) -> None:
        self.share = share

    async def decide(self, turn, seen):
        actions = Actions()
        for spec in turn.offers:
            stream = turn.random(spec.name)
            agents = turn.agents[stream.uniform(turn.agents) < self.share]
            agents = np.sort(np.concatenate([agents, agents[::3]]))  # some try twice
            rows = np.arange(len(agents)) + 1000 * turn.tick
            columns = {}
            for place, name in enumerate(spec.arguments):
                if name in ("text", "reason", "words", "name", "about"):
                    columns[name] = words([f"word {at % 7}" for at in rows.tolist()])
                elif name == "quantity":
                    columns[name] = np.ones(len(agents), np.int64)
                else:
                    columns[name] = stream.integers(0, TARGETS[name], rows, 7 + place)
            if len(agents):
                actions.add(turn, spec.full, agents, **columns)
        return actions


@pytest.fixture(scope="module")
def story():
    random = np.random.default_rng(4)
    network = Network.from_edges(USERS, random.integers(0, USERS, 160), random.integers(0, USERS, 160))
    rules = PlatformRules(exposures="pairs", self_votes=False, removal_threshold=12)
    made = simulation(
        USERS, minds=[Restless(0.12)], ticks=40, network=network, recommender=RandomPosts(5), rules=rules, products=("tea", "a book")
    )
    ticks = []
    made.on_tick.append(ticks.append)
    made.run_sync()
    return made, ticks


def test_enough_was_tried_and_both_kinds_came_up(story):
    _, ticks = story
    accepted, refused = sum(sum(tick.applied.values()) for tick in ticks), sum(len(tick.refusals) for tick in ticks)
    assert accepted + refused > 5000
    assert accepted > 1500
    assert refused > 1500


def test_each_accepted_row_leaves_one_trace_row_and_a_refused_one_none(story):
    _, ticks = story
    for tick in ticks:
        assert sum(tick.counts.values()) == sum(tick.applied.values())
        assert sum(len(rows) for rows in tick.events) == sum(tick.applied.values())


def test_each_action_has_a_kind_of_event_of_its_own(story):
    _, ticks = story
    counts, applied = {}, {}
    for tick in ticks:
        for total, part in ((counts, tick.counts), (applied, tick.applied)):
            for name, many in part.items():
                total[name] = total.get(name, 0) + many
    assert sorted(value for value in applied.values() if value) == sorted(counts.values())
    never = {name.removeprefix("platform.") for name, many in applied.items() if not many}
    assert never == {"sign_up"}, "everybody was registered from the start"


def test_counters_are_row_counts(story):
    social = platform(story[0])
    posts, size = social.posts, len(social.posts)
    assert posts.likes.tolist() == np.bincount(social.liked.pairs()[1], minlength=size).tolist()
    assert posts.dislikes.tolist() == np.bincount(social.disliked.pairs()[1], minlength=size).tolist()
    assert posts.reports.tolist() == np.bincount(social.reported.pairs()[1], minlength=size).tolist()
    again = np.isin(posts.kind, (Kind.REPOST, Kind.QUOTE))
    assert posts.shares.tolist() == np.bincount(posts.original[again], minlength=size).tolist()
    comments = posts.kind == Kind.COMMENT
    assert posts.comments.tolist() == np.bincount(posts.parent[comments], minlength=size).tolist()
    assert len(social.shared) == (posts.kind == Kind.REPOST).sum()
    graph = social.follows.network()
    assert social.follows.followers.tolist() == graph.in_degrees().tolist()
    assert social.follows.followees.tolist() == graph.degrees().tolist()
    assert sorted(social.members.pairs()[1].tolist()) == sorted(social.joined.pairs()[0].tolist())
    assert social.views.sum() >= len(social.shown)


def test_the_trace_tells_the_whole_state(story):
    """Likes, shares, follows, groups and content, put together again from events alone."""
    made, ticks = story
    social = platform(made)
    liked, follows, rows = set(), set(), {}
    graph = social.network
    follows |= set(zip(graph.sources().tolist(), graph.targets.tolist(), strict=True))
    for tick in ticks:
        for events in tick.events:
            kind, data = events.kind.removeprefix("platform."), events.data
            who = events.actors.tolist()
            if kind in ("liked", "comment_liked"):
                liked |= set(zip(who, data["post" if kind == "liked" else "comment"].tolist(), strict=True))
            elif kind in ("unliked", "comment_unliked"):
                liked -= set(zip(who, data["post" if kind == "unliked" else "comment"].tolist(), strict=True))
            elif kind in ("followed", "unfollowed"):
                (follows.update if kind == "followed" else follows.difference_update)(set(zip(who, data["user"].tolist(), strict=True)))
            elif kind in ("posted", "quoted", "reposted", "commented"):
                number = data["comment" if kind == "commented" else "post"].tolist()
                rows.update(zip(number, zip(who, data.get("text", [None] * len(who)), strict=True), strict=True))
    assert liked == set(zip(*(column.tolist() for column in social.liked.pairs()), strict=True))
    now = social.follows.network()
    assert follows == set(zip(now.sources().tolist(), now.targets.tolist(), strict=True))
    assert sorted(rows) == list(range(len(social.posts)))
    for number, (author, text) in rows.items():
        assert social.posts.author[number] == author
        assert text is None or social.posts.words([number])[0] == text


def test_feeds_show_only_what_may_be_shown(story):
    social = platform(story[0])
    feed = RandomPosts(6).recommend(social, np.arange(USERS), story[0].world.randomness.stream("any"))
    shown = feed[feed >= 0]
    assert len(shown) > USERS
    assert social.showable(shown).all()
    assert all(len(set(row[row >= 0].tolist())) == (row >= 0).sum() for row in feed)
    assert social.posts.removed.any()


@pytest.mark.parametrize(("workers", "shards"), [(1, 1), (2, 4), (2, 16)])
def test_the_tables_are_the_same_row_for_row_however_many_workers_decide(workers, shards):
    """OASIS A10: minds in one process, in four and in sixteen shards; legal and illegal acts of every kind."""
    with Cluster(workers=workers) as cluster:
        spread, found = told([ShardedMind(cluster, "sociarium.testing.fuzz:FuzzMind", shards=shards, seed=4)])
    alone, expected = told([FuzzMind(4)])
    assert sum(sum(tick.applied.values()) for tick in expected) > 200
    same_ticks(f"{shards} shards", expected, found)
    assert spread == alone


def told(minds):
    """The digest of the platform after a few ticks, and the ticks."""
    made = simulation(30, minds=minds, ticks=5, network=Network.from_edges(30, np.arange(30), (np.arange(30) * 7 + 1) % 30))
    ticks = []
    made.on_tick.append(ticks.append)
    made.run_sync()
    return survey(platform(made).state()).digest, ticks
