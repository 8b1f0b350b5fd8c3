"""What each action does, refuses and undoes; what feeds hide; what operators and moderation do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sociarium.environments.social.moderation import Moderation
from sociarium.environments.social.posts import Kind
from sociarium.environments.social.recommenders.recommender import FollowedPosts, NoFeed, RandomPosts, RecentPosts
from sociarium.environments.social.rules import PlatformRules, PlatformWording
from sociarium.kernel.errors import UsageError
from sociarium.kernel.population import Population
from sociarium.kernel.simulation import Intervention
from sociarium.minds.rule import RuleMind, nothing
from sociarium.record.tree import survey
from sociarium.testing import environments as conformance
from sociarium.testing.fuzz import FuzzMind
from sociarium.testing.leaks import leak_audit

from .conftest import platform, played, simulation

POST = ("create_post", [0], {"text": ["hello"]})
RECOMMENDERS = {"followed": FollowedPosts(4), "random": RandomPosts(3), "recent": RecentPosts(5), "none": NoFeed()}


def refusals(ticks: list[Any]) -> list[tuple[int, str, str]]:
    return [(row.agent, row.action, row.reason) for tick in ticks for row in tick.refusals]


def test_a_post_can_be_liked_once_and_the_like_taken_back_once():
    script = [[POST], [("like_post", [1, 1, 2], {"post": 0})], [("unlike_post", [1, 1, 3], {"post": 0})]]
    made, ticks = played(script)
    assert platform(made).posts.likes.tolist() == [1]
    assert refusals(ticks) == [
        (1, "platform.like_post", "you like it already"),
        (1, "platform.unlike_post", "you had not liked it"),
        (3, "platform.unlike_post", "you had not liked it"),
    ]


UNDONE = [
    ("like_post", "unlike_post", {"post": 0}),
    ("dislike_post", "undo_dislike_post", {"post": 0}),
    ("like_comment", "unlike_comment", {"comment": 1}),
    ("dislike_comment", "undo_dislike_comment", {"comment": 1}),
    ("follow", "unfollow", {"user": 5}),
    ("mute", "unmute", {"user": 4}),
    ("join_group", "leave_group", {"group": 0}),
]


@pytest.mark.parametrize(("does", "undoes", "columns"), UNDONE)
def test_undo_restores_rows_and_counters(does, undoes, columns):
    """All that can be seen is as it was; only the trace has grown."""
    before = [[POST, ("create_group", [5], {"name": ["chess"]})], [("create_comment", [1], {"post": 0, "text": ["well"]})]]
    first, _ = played(before)
    second, ticks = played([*before, [(does, [2, 3], columns)], [(undoes, [2, 3], columns)]])
    assert not refusals(ticks)
    assert sum(tick.counts.get(kind, 0) for tick in ticks[2:] for kind in tick.counts) == 4
    one, two = platform(first), platform(second)
    for column in ("likes", "dislikes", "shares", "comments", "reports"):
        assert getattr(one.posts, column).tolist() == getattr(two.posts, column).tolist()
    for pairs in ("liked", "disliked", "muted", "members", "joined"):
        assert getattr(one, pairs).pairs()[0].tolist() == getattr(two, pairs).pairs()[0].tolist()
    assert survey(one.follows.network().state()).digest == survey(two.follows.network().state()).digest
    assert one.follows.followers.tolist() == two.follows.followers.tolist()


def test_a_shared_post_keeps_its_original_and_who_it_was_shared_from():
    script = [
        [POST],
        [("repost", [1], {"post": 0})],
        [("repost", [2], {"post": 1}), ("quote_post", [3], {"post": 1, "text": ["see this"]})],
        [("repost", [4], {"post": 3}), ("repost", [2], {"post": 0})],
    ]
    made, ticks = played(script)
    posts = platform(made).posts
    assert posts.kind.tolist() == [Kind.POST, Kind.REPOST, Kind.REPOST, Kind.QUOTE, Kind.REPOST]
    assert posts.original.tolist() == [-1, 0, 0, 0, 3]
    assert posts.parent.tolist() == [-1, 0, 1, 1, 3]
    assert posts.shares.tolist() == [3, 0, 0, 1, 0]
    assert posts.words(np.arange(5)).tolist() == ["hello", "hello", "hello", "see this", "see this"]
    assert refusals(ticks) == [(2, "platform.repost", "you have shared it already")]


def test_a_vote_for_a_repost_goes_to_its_original():
    made, _ = played([[POST], [("repost", [1], {"post": 0})], [("like_post", [3], {"post": 1}), ("dislike_post", [3], {"post": 0})]])
    assert platform(made).posts.likes.tolist() == [1, 0]
    assert platform(made).posts.dislikes.tolist() == [1, 0]


def test_comments_are_answered_and_judged_as_comments_only():
    script = [
        [POST],
        [("create_comment", [1], {"post": 0, "text": ["why?"]})],
        [("create_comment", [0], {"post": 1, "text": ["because"]}), ("like_comment", [2, 3], {"comment": [1, 0]})],
        [("like_post", [4], {"post": 1}), ("repost", [4], {"post": 2})],
    ]
    made, ticks = played(script)
    posts = platform(made).posts
    assert posts.original.tolist() == [-1, 0, 0]
    assert posts.parent.tolist() == [-1, 0, 1]
    assert posts.comments.tolist() == [1, 1, 0]
    assert posts.likes.tolist() == [0, 1, 0]
    assert [reason for _, _, reason in refusals(ticks)] == ["there is no such comment", "there is no such post", "there is no such post"]


@pytest.mark.parametrize("number", [0, 1, 2**31 - 1])
def test_nobody_acts_on_what_is_not_there_yet_or_never(number):
    """A post of the same turn has a number already, but nobody has seen it."""
    acts = ("like_post", "repost", "report_post", "dislike_post", "unlike_post", "undo_dislike_post")
    more = {"report_post": {"reason": ["bad"]}}
    script = [
        [POST, *((name, [1], {"post": [number], **more.get(name, {})}) for name in acts), ("like_comment", [1], {"comment": [number]})]
    ]
    made, ticks = played(script)
    assert len(refusals(ticks)) == len(acts) + 1
    assert len(platform(made).posts) == 1


@pytest.mark.parametrize("number", [-1, 2**31, 2**62])
def test_numbers_that_are_no_numbers_of_anything_are_illegal(number):
    made, ticks = played([[POST], [("like_post", [1], {"post": [number]}), ("follow", [2], {"user": [number]})]])
    assert [reason.split(" must")[0] for _, _, reason in refusals(ticks)] == ["post", "user"]
    assert ticks[1].shares()["illegal"] == 2
    assert len(platform(made).liked) == 0


def test_only_users_who_are_here_are_followed_and_not_oneself():
    made, ticks = played([[("follow", [1, 2, 3, 4], {"user": [1, 5, 99, 0]}), ("mute", [1], {"user": [99]})]], users=6)
    assert platform(made).follows.has([2, 4], [5, 0]).all()
    assert [reason for _, _, reason in refusals(ticks)] == ["that is yourself", "there is no such user", "there is no such user"]


def test_the_muted_are_not_shown():
    script = [[("create_post", [1, 2], {"text": ["one", "two"]})], [("mute", [0], {"user": 1})], []]
    seen_by: list[Any] = []
    made, _ = played(script, recommender=RecentPosts(3))
    made.minds.all[0] = RuleMind(lambda turn, seen: (seen_by.append(seen["platform"]["feed"].tolist()), nothing(turn, seen))[1])
    made.schedule.rounds = 4
    made.run_sync()
    assert seen_by[0][0] == [1, -1, -1]
    assert seen_by[0][3] == [1, 0, -1]


def test_two_reports_put_a_warning_on_a_post_and_more_may_take_it_down():
    def reports(by: list[int]):
        return [[POST], [("report_post", by, {"post": 0, "reason": "spam"})], []]

    for by, warned in (([1], False), ([1, 1], False), ([1, 2], True)):
        made, _ = played(reports(by), recommender=RecentPosts(3))
        texts = [block.text for block in described(made, 5)]
        assert any("was reported by 2 users" in text for text in texts) is warned
    made, ticks = played([*reports([1, 2, 3]), [("like_post", [4], {"post": 0})]], rules=PlatformRules(removal_threshold=3))
    assert platform(made).posts.removed.tolist() == [True]
    assert refusals(ticks) == [(4, "platform.like_post", "there is no such post")]


def described(made, agent: int):
    """What an agent would read now."""
    social, seen_by = platform(made), []
    made.minds.all[0] = RuleMind(lambda turn, seen: (seen_by.append(social.describe(seen, agent)), nothing(turn, seen))[1])
    made.schedule.rounds += 1
    made.run_sync()
    return seen_by[0]


def test_a_feed_in_words_keeps_what_users_wrote_apart_from_what_the_platform_says():
    script = [
        [POST, ("create_group", [4], {"name": ["chess"]})],
        [("quote_post", [1], {"post": 0, "text": ["look"]}), ("create_comment", [2, 3], {"post": 0, "text": ["no", "yes"]})],
        [("like_comment", [4], {"comment": 3}), ("repost", [2], {"post": 0}), ("send_to_group", [4], {"group": 0, "text": ["e4"]})],
    ]
    made, _ = played(script, recommender=RecentPosts(4), rules=PlatformRules(comments_shown=1, show_score=True), products=("tea",))
    blocks = described(made, 4)
    words = {block.text: block.trust.value for block in blocks}
    for text in ("hello", "look", "yes", "chess", "e4"):
        assert words[text] == "agent"
    assert "no" not in words, "one comment is shown, the one with the better score"
    told = "\n".join(text for text, trust in words.items() if trust == "engine")
    assert "user 2 (user 2) shared post 0 by user 0 (user 0)" in told
    assert "It quotes post 0" in told
    assert "score 1" in told
    assert "On sale, by number: 0 tea." in told
    assert not any(text in told for text in ("hello", "look", "chess"))


def test_searches_and_trends_find_what_they_should_and_leave_a_trace():
    script = [
        [("create_post", [0, 1, 2], {"text": ["Tea is good", "coffee", "green TEA"]})],
        [("like_post", [3, 4, 5], {"post": [0, 0, 1]})],
        [("search_posts", [3], {"words": ["tea"]}), ("search_user", [4], {"words": ["USER 2"]}), ("trend", [5], {})],
        [("search_posts", [3], {"words": ["  "]})],
    ]
    made, ticks = played(script, rules=PlatformRules(trend_count=2))
    found = {rows.kind: rows.data["found"].tolist() for rows in ticks[2].events}
    assert found["platform.searched_posts"] == [[2, 0, -1, -1, -1]]
    assert found["platform.searched_user"] == [[2, -1, -1, -1, -1]]
    assert found["platform.looked_at_trend"] == [[0, 1]]
    assert [reason for _, _, reason in refusals(ticks)] == ["say what to look for"]
    assert [block.text for block in platform(made).find_posts(4, "coffee")][-1] == "coffee"
    assert "followers" in platform(made).find_users(4, "user 3")[0].text
    assert platform(made).find_trend(4)[1].text == "Tea is good"


def test_a_word_that_runs_over_from_one_post_into_the_next_is_not_found():
    made, _ = played([[("create_post", [0, 1, 2], {"text": ["abc", "def", "ÄÖ def"]})]])
    assert platform(made).posts.texts.containing("cd").tolist() == []
    assert platform(made).posts.texts.containing("def").tolist() == [1, 2]
    assert platform(made).posts.texts.containing("Ö").tolist() == [2]


def test_whoever_must_sign_up_does_nothing_before_and_is_called_what_they_said():
    script = [
        [POST, ("sign_up", [0, 0, 1], {"name": ["Ada\n  L", "Eve", " "], "about": "I count"})],
        [POST, ("follow", [0], {"user": 2})],
    ]
    made, ticks = played(script, rules=PlatformRules(sign_up=True))
    assert [(agent, reason) for agent, _, reason in refusals(ticks)] == [
        (0, "you have not signed up yet"),
        (0, "you have signed up already"),
        (1, "a name has at least one letter"),
        (0, "there is no such user"),
    ]
    assert platform(made).names(np.array([0, 1])) == ["Ada L", "user 1"]
    assert len(platform(made).posts) == 1


def test_groups_are_for_their_members():
    script = [
        [("create_group", [0], {"name": ["chess"]})],
        [("join_group", [1, 1, 2], {"group": [0, 0, 4]}), ("send_to_group", [3], {"group": 0, "text": ["hi"]})],
        [("send_to_group", [0], {"group": 0, "text": ["hello all"]})],
        [("listen_from_group", [0, 2], {"group": 0}), ("leave_group", [1], {"group": 0})],
    ]
    _, ticks = played(script)
    assert [reason for _, _, reason in refusals(ticks)] == [
        "you are in that group already",
        "there is no such group",
        "you are not in that group",
        "you are not in that group",
    ]
    told = next(rows for rows in ticks[2].events if rows.kind == "platform.group_message")
    assert [sorted(who.tolist()) for who in told.recipients] == [[0, 1]]
    heard = next(rows for rows in ticks[3].events if rows.kind == "platform.group_heard")
    assert heard.data["messages"].tolist() == [1]


def test_products_are_bought_by_number():
    made, ticks = played([[("purchase_product", [0, 1, 2], {"product": [0, 1, 2], "quantity": [3, 1, 1]})]], products=("tea", "a book"))
    assert platform(made).sold.tolist() == [3, 1]
    assert [reason for _, _, reason in refusals(ticks)] == ["there is no such product"]


def test_operators_ban_delete_label_demote_publish_and_rate():
    made, _ = played([[POST], []], recommender=RecentPosts(3))
    made.schedule.rounds = 4
    social = platform(made)
    for operation, arguments in (
        ("ban", {"users": [1]}),
        ("publish", {"users": [2, 3], "texts": ["news", "more"]}),
        ("rate", {"user": 5, "posts": [0, 1, 2], "votes": [1, -1, 0]}),
        ("rate", {"user": 5, "posts": [0], "votes": 1}),
        ("label", {"posts": [1], "text": "disputed"}),
        ("demote", {"posts": [2], "factor": 0.5}),
        ("delete", {"posts": [0]}),
        ("connect", {"users": 4, "others": [0, 1]}),
        ("disconnect", {"users": [4], "others": [0]}),
    ):
        made.interventions.append(Intervention(2, f"platform.{operation}", arguments))
    made.minds.all[0] = RuleMind(lambda turn, seen: tried(turn))

    def tried(turn):
        from sociarium.kernel.actions import Actions

        return Actions.one(turn, "create_post", np.array([1, 4]), text="mine")

    ticks: list[Any] = []
    made.on_tick.append(ticks.append)
    made.run_sync(1)
    assert refusals(ticks) == [(1, "platform.create_post", "your account was closed")]
    assert social.posts.likes.tolist()[:3] == [1, 0, 0]
    assert social.posts.dislikes.tolist()[:3] == [0, 1, 0]
    assert (len(social.liked), len(social.disliked)) == (1, 1)
    assert social.posts.factor.tolist()[2] == 0.5
    assert social.follows.has([4, 4], [0, 1]).tolist() == [False, True]
    texts = [block.text for block in described(made, 5)]
    assert "Post 1 carries a notice: disputed" in texts
    assert "hello" not in texts


@pytest.mark.parametrize(
    ("operation", "arguments"), [("ban", {"users": [99]}), ("delete", {"posts": [5]}), ("demote", {"posts": [0], "factor": 2})]
)
def test_an_operator_who_errs_is_told(operation, arguments):
    made, _ = played([[POST], []])
    with pytest.raises(UsageError, match=r"no user 99|no post 5|lies from 0 to 1"):
        made.world.operate(f"platform.{operation}", arguments)


def flagged(**rules: Any):
    moderation = Moderation(lambda text: "spam" in text, **rules)
    texts = ["spam" if at % 2 else "fine" for at in range(400)]
    script = [[("create_post", list(range(400)), {"text": texts})], [("create_post", list(range(400)), {"text": texts})]]
    return played(script, users=400, moderation=moderation)


def test_moderation_errs_at_its_two_rates_and_blocks_labels_demotes_and_bans():
    made, ticks = flagged(block=True)
    assert platform(made).posts.words(np.arange(len(platform(made).posts))).tolist() == ["fine"] * 400
    assert ticks[0].counts == {"platform.held_back": 200, "platform.posted": 200}
    assert sum(ticks[0].applied.values()) == 400
    social = platform(flagged(miss=0.25, false_alarm=0.1, label="check this", factor=0.5)[0])
    marked = social.posts.label > 0
    spam = social.posts.author % 2 == 1
    assert 240 < (marked & spam).sum() < 345  # 400 times 0.75, give or take 4.5 standard errors
    assert 12 < (marked & ~spam).sum() < 68
    assert (social.posts.factor[marked] == 0.5).all()
    assert (social.posts.factor[~marked] == 1).all()
    made, ticks = flagged(ban=1, warn=True)
    assert platform(made).banned.sum() == 200
    assert len(ticks[1].refusals) == 200
    assert ticks[0].counts["platform.warned"] == 200


def test_the_detector_errs_alike_whatever_is_done_about_it():
    marked = platform(flagged(miss=0.3, label="x")[0]).violations
    blocked = platform(flagged(miss=0.3, block=True)[0]).violations
    assert marked.tolist() == blocked.tolist()


@pytest.mark.parametrize("name", sorted(RECOMMENDERS))
def test_the_shipped_checks_hold(name):
    def build():
        rules = PlatformRules(exposures="pairs", sign_up=name == "random")
        moderation = Moderation(lambda text: "7" in text, block=True, warn=True, ban=3) if name == "recent" else None
        return simulation(
            minds=[FuzzMind(4)], recommender=RECOMMENDERS[name], rules=rules, moderation=moderation, products=("tea",), ticks=6
        )

    for check in (conformance.purity_test, conformance.sharing_test, conformance.refusal_test, conformance.state_test):
        check(build)
    conformance.probe_test(build)


def test_newcomers_can_do_everything_and_leavers_are_no_longer_there():
    made, _ = played([[POST], []])
    made.schedule.rounds = 4
    made.inject("population.admit", kind="user", size=40)
    made.inject("population.leave", agents=[3])
    made.minds.all[0] = RuleMind(lambda turn, seen: acts(turn))

    def acts(turn):
        from sociarium.kernel.actions import Actions

        actions = Actions.one(turn, "like_post", np.array([45]), post=0)
        return actions.add(turn, "follow", np.array([44, 45]), user=[3, 44])

    ticks: list[Any] = []
    made.on_tick.append(ticks.append)
    made.run_sync(1)
    assert refusals(ticks) == [(44, "platform.follow", "there is no such user")]
    assert platform(made).follows.has([45], [44]).all()
    assert platform(made).liked.has([45], [0]).all()


def test_a_fork_goes_its_own_way():
    made = simulation(minds=[FuzzMind(4)], ticks=6)
    made.run_sync(3)
    before = survey(made.state()).digest
    other = made.fork()
    other.run_sync()
    assert survey(made.state()).digest == before
    made.run_sync()
    assert survey(made.state()).digest == survey(other.state()).digest


def test_nobody_learns_what_only_those_who_run_the_platform_may_know():
    people = Population.of("user", 12, name=np.array([f"user {at}" for at in range(12)], object))
    report = leak_audit(simulation(minds=[FuzzMind(4, illegal=False)], population=people, ticks=4, recommender=RecentPosts(5)))
    assert report.planted["argument reason of platform.report_post"] > 10


def test_many_worlds_at_once_are_refused_in_one_sentence():
    people = Population.of("user", 12, group=np.repeat([0, 1], 6))
    with pytest.raises(UsageError, match="communities of one group"):
        simulation(minds=[FuzzMind(1)], population=people)


def test_a_network_larger_than_the_population_is_refused():
    with pytest.raises(UsageError, match="10 nodes for 4 agents"):
        simulation(minds=[FuzzMind(1)], population=Population.of("user", 4))


@pytest.mark.parametrize(
    "wrong", [{"report_threshold": 0}, {"comments_shown": -1}, {"removal_threshold": 0}, {"exposures": "all"}, {"trend_window": 0}]
)
def test_rules_that_cannot_be_are_refused(wrong):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        PlatformRules(**wrong)


def test_wordings_are_checked():
    with pytest.raises(UsageError, match="uses \\$author"):
        PlatformWording(empty="$author")
