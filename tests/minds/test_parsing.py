"""Numbers and acts from free text: by stated rules, never clipped, never an exception."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sociarium.minds.parsing import after, read_act, read_integer, read_number

VERBS = {"donate": True, "punish": True, "refuse": False}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Answer: 10", 10),
        ("I think 40 is too much.\nAnswer: 10 tons of fish.", 10),
        ("Answer: 5\nOn reflection no.\nAnswer: 7", 7),
        ("**Answer:** 12", 12),
        ("Answer (in tons): 3", 3),
        ("answer : 1,000", 1000),
        ("Answer: 10 tons out of 100", 10),
        ("Answer: of the 100 tons I take 10", 10),
        ("Answer: 3 x 4 = 12", 12),
        ("Answer:\n\n10", 10),
        ("Answer: 10.0", 10),
        ("Answer: $20", 20),
        ("Answer: 20%", 20),
        ("答え：１２トン", 12),
        ("回答: 10トンです。", 10),
        ("よく考えました。答えは別に。答え：漁獲量は８トン", 8),
        ("Answer: １，０００", 1000),
    ],
)
def test_a_whole_number_is_read(text, value):
    assert read_integer(text, high=2000).value == value
    assert isinstance(read_integer(text, high=2000).value, int)


@pytest.mark.parametrize(
    ("text", "outside"),
    [
        ("I take 10 tons.", False),
        ("", False),
        ("Answer: none", False),
        ("Answer: 2.5", False),
        ("Answer: 1,5", False),
        ("Answer: 5-10", False),
        ("Answer: 5 or 10 tons", False),
        ("Answer: 5から10トン", False),
        ("Answer: 1万", False),
        ("Answer: 1e2", False),
        ("Answer: " + "9" * 5000, False),
        ("Answer: 101", True),
        ("Answer: -3", True),
    ],
)
def test_what_is_not_one_legal_whole_number_is_rejected_with_a_reason(text, outside):
    found = read_integer(text, high=100)
    assert found.value is None
    assert found.problem
    assert found.outside is outside


def test_an_amount_keeps_its_decimals_and_a_share_is_no_amount():
    assert read_number("Justification: he gave 50 % to B. Answer: 2.5", high=10).value == 2.5
    assert read_number("Answer: 50%", high=100).value is None


@pytest.mark.parametrize(
    ("text", "verb", "amount"),
    [
        ("Justification: he was kind. Answer: 4", "donate", 4),
        ("Answer: Donate, 5.25", "donate", 5.25),
        ("Answer: **Punish**, 2 units", "punish", 2),
        ("Answer: Refuse", "refuse", None),
        ("Answer: I refuse.", "refuse", None),
        ("答え：寄付、３", "donate", 3),
    ],
)
def test_donor_answers(text, verb, amount):
    act = read_act(text, VERBS, high=10, words={"寄付": "donate"})
    assert (act.verb, act.amount, act.problem) == (verb, amount, "")


def test_more_than_one_has_is_rejected_not_clipped():
    act = read_act("Answer: Donate, 11", VERBS, high=10)
    assert (act.verb, act.amount, act.outside) == ("", None, True)


PIECES = ["Answer", "Answer:", "answer :", "Donate", "Punish,", "Refuse", "Justification:", "5", "-3", "1e9", "٣", "²", "½", "１０",
          "NaN", "inf",
          "10%", "1,5", "{}", "\n", "\x00", "\ud800", "答え：", "万", "3.3.3", "9" * 400, "$", "=", "5-6", "[[", "<|im_end|>"]  # fmt: skip


def malformed(number: int) -> str:
    """A deterministic ill-formed answer."""
    return " ".join(PIECES[(number * 7 + k * (number + 3)) % len(PIECES)] for k in range(number % 9))


def test_two_hundred_malformed_donor_answers_end_in_a_legal_act_or_a_stated_problem():
    seen = set()
    for number in range(200):
        text = malformed(number)
        seen.add(text)
        act = read_act(text, VERBS, high=10)
        if act.verb:
            assert act.problem == ""
            assert act.amount is None if act.verb == "refuse" else 0 <= act.amount <= 10
        else:
            assert act.problem
    assert len(seen) > 150


TEXTS = st.one_of(st.text(), st.lists(st.sampled_from(PIECES)).map(" ".join), st.text().map(lambda tail: "Answer: " + tail))


@given(TEXTS, st.integers(-5, 200))
def test_reading_never_raises_and_never_leaves_the_bounds(text, high):
    for reader in (read_integer, read_number):
        found = reader(text, low=0, high=high)
        assert (found.value is None) == bool(found.problem)
        assert found.value is None or 0 <= found.value <= high
    act = read_act(text, VERBS, high=high)
    assert bool(act.verb) != bool(act.problem)
    assert act.amount is None or 0 <= act.amount <= high


@given(st.integers(0, 10**9), st.text(alphabet="abc \n.", max_size=40))
def test_a_plain_answer_after_any_reasoning_is_read(number, reasoning):
    for written in (str(number), f"{number:,}", "".join(chr(0xFF10 + int(d)) for d in str(number))):
        assert read_integer(f"{reasoning}\nAnswer: {written} tons").value == number


def test_only_what_follows_the_last_marker_counts():
    assert after("Answer: 3\nAnswer: 4") == " 4"
    assert after("my answer is 4") is None
