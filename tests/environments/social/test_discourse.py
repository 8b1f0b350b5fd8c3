"""A discourse: acts with a voice, news from outside, hot topics, who saw whom."""

from __future__ import annotations

import numpy as np
import pytest

from sociarium.environments.emotions.emotions import Emotions
from sociarium.environments.social.discourse import ACTS, EVENTS, Discourse
from sociarium.environments.social.expression import EMOTIONS, EXPRESSED, WORDED
from sociarium.environments.social.hotlist import HotList, HotListRules
from sociarium.environments.social.platform import Platform
from sociarium.environments.social.posts import Kind
from sociarium.environments.social.recommenders.recommender import RecentPosts
from sociarium.environments.social.rules import PlatformRules
from sociarium.kernel.actions import Actions
from sociarium.kernel.content import Trust
from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network
from sociarium.kernel.population import Population
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Intervention, Simulation
from sociarium.kernel.turn import Phase
from sociarium.kernel.units import HOUR, MINUTE
from sociarium.minds.rule import RuleMind, nothing
from sociarium.testing.environments import probe_test, purity_test, refusal_test, sharing_test, state_test
from sociarium.testing.fuzz import FuzzMind

SAID = {
    "emotion": "anger", "emotion_intensity": 0.5, "stance": "oppose", "stance_intensity": 0.8, "style": "venting", "narrative": "labelling",
    "hashtags": "#Water the-well", "mentions": "",
}  # fmt: skip
OFFERS = (*(f"platform.{act}" for act in ACTS), "emotions.stir")


def world(rule=nothing, rounds=1, size=4, interventions=(), mind=None):
    platform = Discourse(Network.from_edges(size, [0], [1]), recommender=RecentPosts(4), rules=PlatformRules(exposures="pairs"))
    people = Population.of("user", size, name=np.array([f"U{n}" for n in range(size)], object))
    phases = [Phase("act", "platform", shows=("emotions",), offers=OFFERS)]
    schedule = Rounds(phases, rounds, length=10 * MINUTE)
    environments = [platform, Emotions(exposures=platform.exposures)]
    simulation, records = Simulation(people, environments, [mind or RuleMind(rule)], schedule, seed=2, interventions=interventions), []
    simulation.on_tick.append(records.append)
    return simulation, platform, records


def acting(*acts):
    """Agent i carries out ``acts[i]`` of this tick: (name, post or None)."""

    def rule(turn, seen):
        actions = Actions()
        for agent, given in enumerate(acts[turn.tick] if turn.tick < len(acts) else ()):
            if given:
                name, post = given
                wanted = turn.offer(name).arguments
                columns = {
                    key: np.array([value], object if isinstance(value, str) else None) for key, value in SAID.items() if key in wanted
                }
                columns |= {"post": [post]} if "post" in wanted else {}
                columns |= {"text": np.array([f"{name} by {agent}"], object)} if "text" in wanted else {}
                actions.add(turn, name, np.array([agent]), **columns)
        return actions

    return rule


def _one(value):
    return np.array([value], object if isinstance(value, str) else np.float64)


POST = (("short_post", None), ("long_post", None), None, None)
ANSWERS = (("repost_comment", 1), ("like", 0), ("short_comment", 0), ("repost", 1))


def test_the_environment_keeps_its_contract():
    given = [
        Intervention(0, "platform.node_post", {"author": 3, "text": "Hello", "hashtags": "#water city"}),
        Intervention(1, "platform.broadcast", {"text": "News!", "emotion": "fear", "intensity": 0.4}),
    ]
    for check in (purity_test, sharing_test, refusal_test, state_test, probe_test):
        check(lambda: world(mind=FuzzMind(3), rounds=5, size=12, interventions=given)[0])


def test_each_act_is_one_event_of_its_own_kind_with_how_it_was_said():
    simulation, platform, records = world(acting(POST, ANSWERS), rounds=2)
    simulation.run_sync()
    found = {rows.kind: rows for record in records for rows in record.events}
    assert set(found) >= {"platform.short_posted", "platform.long_posted", "platform.repost_commented", "platform.liked"}
    assert found["platform.short_commented"].data["style"].tolist() == ["venting"]
    assert set(EXPRESSED) <= set(found["platform.reposted"].data) and not set(WORDED) & set(found["platform.reposted"].data)
    assert platform.posts.kind.tolist() == [Kind.POST, Kind.POST, Kind.REPOST, Kind.QUOTE, Kind.COMMENT]
    measured = records[1].measures
    assert measured["platform.acts"].tolist() == measured["platform.shows_anger"].tolist() == [4]
    assert measured["platform.negative"].tolist() == [1.0]
    assert len(ACTS) == len(EVENTS) == 7


def test_what_is_refused_is_refused_under_its_own_name_and_counts_for_nothing():
    wrong = (None, ("like", 0), ("like", 7), ("repost", 5))
    ban = Intervention(2, "platform.ban", {"users": [2]})
    simulation, platform, records = world(acting(POST, ANSWERS, wrong), rounds=3, interventions=[ban])
    simulation.run_sync()
    refused = {(refusal.action, refusal.reason) for refusal in records[2].refusals}
    assert ("platform.like", "you like it already") in refused and ("platform.like", "your account was closed") in refused
    assert ("platform.repost", "there is no such post") in refused
    assert records[2].measures["platform.acts"].tolist() == [0] and platform.acted.sum() == 6


def test_reposts_and_comments_grow_their_networks_and_hot_topics_are_counted_by_what_happens_under_them():
    simulation, platform, _ = world(acting(POST, ANSWERS), rounds=2)
    simulation.run_sync()
    reposts, comments = platform.repost_network(), platform.comment_network()
    assert [reposts.has([0], [1])[0], reposts.has([3], [1])[0], len(reposts)] == [True, True, 2]
    assert comments.has([2], [0])[0] and len(comments) == 1
    hot = platform.hot
    assert hot.tags == ["water", "the-well"]
    fade = 0.95
    assert np.allclose(hot.counts[0], [fade * (2 * fade + 2), fade, 2 * fade, fade])  # a mention of each text with tags, own or not
    assert hot.mentioned.tolist() == [4, 4]


def test_readers_see_how_a_post_was_said_and_a_repost_as_its_original():
    looked = {}

    def look(turn, seen):
        looked.update({key: value[0].copy() for key, value in seen["platform"].items()} if turn.tick == 2 else {})
        return acting(POST, ANSWERS)(turn, seen)

    simulation, _, _ = world(look, rounds=3)
    simulation.run_sync()
    at = looked["feed"].tolist().index(2)
    assert looked["feed_post"][at] == 1 and looked["feed_author"][at] == 3
    assert looked["feed_emotion"][at] == EMOTIONS.index("anger") and looked["feed_strength"][at] == pytest.approx(0.5)
    assert looked["feed_stance"][at] == pytest.approx(-0.8)


def test_news_is_fresh_once_to_each_and_shown_to_all():
    fresh = []

    def look(turn, seen):
        fresh.append(seen["platform"]["news_fresh"].sum(axis=1).tolist())
        words.append(simulation.world["platform"].describe(seen, 0))
        return Actions()

    words = []
    news = [Intervention(1, "platform.broadcast", {"text": f"News {n}", "emotion": "fear", "intensity": 0.4}) for n in range(2)]
    simulation, platform, records = world(look, rounds=3, interventions=news)
    simulation.run_sync()
    assert fresh == [[0] * 4, [2] * 4, [0] * 4]
    assert [block.text for block in words[2] if block.trust is Trust.OUTSIDE] == ["day 1, 00:10: News 0", "day 1, 00:10: News 1"]
    assert next(rows for rows in records[1].events if rows.kind == "platform.broadcast").data["influence"].tolist() == [1, 1]
    emotions, strengths = platform.bulletins.tones()
    assert emotions.tolist() == [0, 0, 0, 4, 4] and strengths[-1] == 0.4


def test_planned_news_is_of_another_kind_so_that_it_wakes_nobody_twice():
    simulation, _, records = world(interventions=[Intervention(0, "platform.broadcast", {"text": "x", "planned": True})])
    simulation.run_sync()
    assert [rows.kind for rows in records[0].events] == ["platform.announced"]


def test_a_named_account_posts_unless_it_was_closed():
    post = {"author": 1, "text": "We answer.", "hashtags": "answer", "emotion": "surprise", "intensity": 0.25}
    given = [Intervention(tick, "platform.node_post", post) for tick in (0, 1)]
    given.insert(1, Intervention(1, "platform.ban", {"users": [1]}))
    simulation, platform, records = world(rounds=2, interventions=given)
    simulation.run_sync()
    assert len(platform.posts) == 1 and platform.voice["strength"].tolist() == [0.25]
    assert {rows.kind for rows in records[1].events} == {"platform.banned", "platform.withheld"}
    with pytest.raises(UsageError, match="no user 9"):
        platform.node_post(9, "x")
    with pytest.raises(UsageError, match="carries one of"):
        platform.broadcast("x", emotion="joy")


def test_contagion_goes_from_authors_to_those_who_were_shown_their_posts():
    simulation, platform, _ = world(acting(POST), rounds=2)
    simulation.world["emotions"].levels[0, 2] = 1.0
    simulation.run_sync()
    readers, authors = platform.exposures()
    assert (len(readers), len(authors)) == (0, 0)  # the tick is over
    levels = simulation.world["emotions"].levels[:, 2]
    assert levels[2] == pytest.approx(0.1 * 0.95**2 / 2)  # both authors were seen; one of them was angry, and faded twice
    assert simulation.world["emotions"].levels[:, 0].max() == 0


def test_comments_are_shown_in_random_order_another_for_each_reader():
    comments = tuple(("short_comment", 0) for _ in range(40))
    simulation, platform, _ = world(acting((("short_post", None),), comments), rounds=3, size=40)
    simulation.run_sync(2)
    rows = np.flatnonzero(platform.posts.kind == Kind.COMMENT)
    orders = {tuple(platform.ranked(rows, reader).tolist()) for reader in range(10)}
    assert len(rows) == 40 and len(orders) == 10 and all(sorted(order) == rows.tolist() for order in orders)
    assert np.array_equal(platform.ranked(rows, 3), platform.ranked(rows, 3))


def test_no_method_of_the_platform_is_replaced_by_accident():
    meant = {"__init__", "reset", "observe", "describe", "apply", "advance", "measures", "repost", "enter", "state", "load", "ranked"}
    own = {name for name, value in vars(Discourse).items() if callable(value)}
    assert own & set(dir(Platform)) - {name for name in dir(object) if name != "__init__"} == meant


def test_the_hot_list_follows_its_formula():
    hot = HotList(HotListRules(least=2, shown=2))
    for text in ("#a b", "b, A;b", "c"):
        hot.mention(hot.read(text), 0)
    hot.count("likes", [0, 0])
    hot.count("reposts", [1])
    hot.count("comments", [2])
    assert hot.tags == ["a", "b", "c"]
    assert np.allclose(hot.heat(12 * HOUR), np.array([2 + 1, 2 + 2, 1 + 1.5]) * np.exp(-1))
    assert hot.listed(0) == ["b", "a"]  # c was mentioned too seldom
    hot.update()
    other = HotList()
    other.load(hot.state())
    assert np.allclose(other.counts, 0.95 * np.array([[2, 2, 0, 0], [2, 0, 1, 0], [1, 0, 0, 1]])) and other.read("B") == (1,)
    with pytest.raises(UsageError, match="HotListRules"):
        HotListRules(hours=0)
