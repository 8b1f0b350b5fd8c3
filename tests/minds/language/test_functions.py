"""Several acts in one reply: what is offered, what is read, and what is left out."""

import pytest

from sociarium.kernel.actions import ActionSpec, Integer, Text
from sociarium.kernel.errors import UsageError
from sociarium.kernel.outcomes import Status
from sociarium.minds.language.functions import NO_MORE, Functions, flat, listed, options, read_fields, read_list
from sociarium.minds.language.legality import Problem
from sociarium.models.schema import faults

POST, WORDS = Integer(0, 2**31 - 1), Text(longest=20)
LIKE = ActionSpec("platform", "like_post", "", {"post": POST})
COMMENT = ActionSpec("platform", "create_comment", "", {"post": POST, "text": WORDS})
NOTHING = ActionSpec("platform", "do_nothing", "", {})
SPECS, NUMBERS = (LIKE, COMMENT, NOTHING), {"post": [3, 8]}


def acts(read):
    return [(one[0].name, one[1]) for one in read if not isinstance(one, Problem)]


def test_a_list_is_read_in_order_and_its_schema_requires_what_each_action_takes():
    reply = {"reason": "so", "actions": [{"action": "create_comment", "post": 8, "text": "yes"}, {"action": "like_post", "post": 3}]}
    schema = listed(SPECS, NUMBERS, 2)
    assert not faults(reply, schema)
    assert acts(read_list(reply, SPECS, NUMBERS, 2)) == [("create_comment", {"post": 8, "text": "yes"}), ("like_post", {"post": 3})]
    assert faults({"reason": "so", "actions": [{"action": "like_post"}]}, schema)
    assert faults({"reason": "so", "actions": [{"action": "like_post", "post": 5}]}, schema)
    assert faults({"reason": "so", "actions": []}, schema) and faults({"actions": reply["actions"]}, schema)
    single = listed((LIKE,), NUMBERS, 1)
    assert not faults({"reason": "", "actions": [{"action": "like_post", "post": 3}]}, single)


@pytest.mark.parametrize(
    ("item", "status"),
    [
        ({"action": "like_post", "post": 5}, Status.ILLEGAL),  # was not shown
        ({"action": "like_post"}, Status.MALFORMED),
        ({"action": "like_post", "post": "3"}, Status.ILLEGAL),
        ({"action": "create_comment", "post": 3, "text": "x" * 21}, Status.ILLEGAL),
        ({"action": "create_comment", "post": 3, "text": 7}, Status.MALFORMED),
        ({"action": "ban_user", "user": 3}, Status.ILLEGAL),
        ("like_post", Status.MALFORMED),
    ],
)
def test_an_act_that_is_not_legal_is_a_problem_and_the_others_stand(item, status):
    read = read_list({"actions": [item, {"action": "do_nothing"}]}, SPECS, NUMBERS, 3)
    assert isinstance(read[0], Problem) and read[0].status is status
    assert acts(read) == [("do_nothing", {})]


@pytest.mark.parametrize("value", [None, [], {}, {"actions": []}, {"actions": "like_post"}])
def test_a_reply_without_a_list_is_malformed(value):
    (only,) = read_list(value, SPECS, NUMBERS, 3)
    assert isinstance(only, Problem) and only.status is Status.MALFORMED


def test_more_acts_than_allowed_are_left_out():
    read = read_list({"actions": [{"action": "do_nothing"}] * 3}, SPECS, NUMBERS, 2)
    assert len(acts(read)) == 2 and isinstance(read[2], Problem)


def test_fields_name_every_legal_act_and_words_go_to_those_that_take_some():
    assert list(options(SPECS, NUMBERS)) == ["like_post 3", "like_post 8", "create_comment 3", "create_comment 8", "do_nothing"]
    reply = {"reason": "so", "first": "create_comment 8", "second": "like_post 8", "words": "well"}
    assert not faults(reply, flat(SPECS, NUMBERS, 2))
    assert acts(read_fields(reply, SPECS, NUMBERS, 2)) == [("create_comment", {"post": 8, "text": "well"}), ("like_post", {"post": 8})]
    assert "words" not in flat((LIKE, NOTHING), NUMBERS, 1)["properties"]
    assert faults({**reply, "first": NO_MORE}, flat(SPECS, NUMBERS, 2))  # at least one act


def test_fields_twice_the_same_act_count_once_and_unknown_ones_are_illegal():
    twice = read_fields({"first": "like_post 3", "second": "like_post 3"}, SPECS, NUMBERS, 2)
    assert acts(twice) == [("like_post", {"post": 3})] and len(twice) == 1
    (other,) = read_fields({"first": "like_post 4", "second": NO_MORE}, SPECS, NUMBERS, 2)
    assert isinstance(other, Problem) and other.status is Status.ILLEGAL
    for value in ([], {}, {"first": NO_MORE}):
        (none,) = read_fields(value, SPECS, NUMBERS, 2)
        assert isinstance(none, Problem) and none.status is Status.MALFORMED


def test_numbers_without_a_list_and_too_many_acts_are_refused():
    with pytest.raises(UsageError, match="no list of numbers"):
        options(SPECS, {})
    with pytest.raises(UsageError, match="1 to 10"):
        Functions(most=11)
