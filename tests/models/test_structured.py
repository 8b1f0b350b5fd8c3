"""From text to value: what is found, what is refused, and that nothing raises."""

from __future__ import annotations

import hashlib
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sociarium.kernel.errors import UsageError
from sociarium.models.backends.invent import Invention
from sociarium.models.request import Request
from sociarium.models.schema import check_schema, faults
from sociarium.models.structured import LONGEST_TEXT, MOST_VALUES, clean, parse, repeats

ACT = {
    "type": "object",
    "properties": {
        "catch": {"type": "integer", "minimum": 0, "maximum": 100},
        "why": {"type": "string", "minLength": 1, "maxLength": 40},
        "mood": {"enum": ["calm", "angry"]},
        "to": {"type": "array", "items": {"type": "string"}, "maxItems": 3, "uniqueItems": True},
        "trust": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
        "next": {"anyOf": [{"$ref": "#/$defs/Act"}, {"type": "null"}]},
    },
    "required": ["catch"],
    "additionalProperties": False,
    "$defs": {"Act": {"type": "object", "properties": {"act": {"const": "fish"}}, "required": ["act"]}},
}
GOOD = '{"catch": 3, "why": "[enough] for {all}"}'
VALUE = {"catch": 3, "why": "[enough] for {all}"}


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"\n  {GOOD}\n",
        f"```json\n{GOOD}\n```",
        f"Here it is:\n```\n{GOOD}\n```\nDone.",
        f"I think so. {GOOD} That is all.",
        f"Sure! {GOOD}",
    ],
)
def test_one_value_is_found(text):
    assert parse(text, ACT).value == VALUE


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("I will catch three.", "no JSON"),
        (f"{GOOD} or {GOOD}", "more than one"),
        (f"```\n{GOOD}\n```\n```\n{GOOD}\n```", "2 fenced"),
        ('{"catch": 3', "not valid JSON"),
        ('{"catch": 3, "catch": 4}', "twice"),
        ('{"catch": NaN}', "NaN"),
        ('{"catch": 3, "trust": 1e999}', "too large"),
        ('{"catch": 3, "why": "\\ud83d"}', "surrogate"),
        ('{"catch": 3.0}', r"at \$\.catch: 3\.0 is not of type integer"),
        ('{"catch": true}', "not of type integer"),
        ('{"catch": 101}', "more than the maximum 100"),
        ('{"why": "x"}', "catch missing"),
        ('{"catch": 1, "admin": true}', "not one of its names"),
        ('{"catch": 1, "mood": "mad"}', 'not one of "calm", "angry"'),
        ('{"catch": 1, "why": ""}', "fewer characters"),
        ('{"catch": 1, "why": "' + "x" * 41 + '"}', "more characters than 40"),
        ('{"catch": 1, "to": ["a", "a"]}', "comes twice"),
        ('{"catch": 1, "to": ["a", "b", "c", "d"]}', "more items"),
        ('{"catch": 1, "to": ["a", 2]}', r"at \$\.to\[1\]"),
        ('{"catch": 1, "trust": 1}', "not less than 1"),
        ('{"catch": 1, "next": {"act": "sleep"}}', r"at \$\.next\.act"),
        ("[" * 70 + "]" * 70, "nested"),
        ("[" * 100_000, "nested"),
        ("x" * (LONGEST_TEXT + 1), "limit"),
        ('{"catch": ' + "1" * 5000 + "}", "not valid JSON"),
        ("[" + "1," * MOST_VALUES + "1]", "more than"),
    ],
)
def test_what_is_no_value_is_an_error_that_says_why(text, why):
    found = parse(text, ACT)
    assert found.value is None
    assert re.search(why, found.error), found.error


@pytest.mark.parametrize("text", ["1" + "0" * 400, "-1" + "0" * 400, "1e308"])
@pytest.mark.parametrize("unit", [0.01, 1e-5, 0.5, 7])
def test_a_number_beyond_all_quantities_is_a_fault_and_no_error_of_ours(text, unit):
    schema = {"type": "number", "multipleOf": unit}
    found = parse(text, schema)
    assert found.error or (unit in (0.5, 7) and text == "1e308")
    assert faults(json.loads(text), schema) or unit in (0.5, 7)
    assert parse(text.split("e")[0], {}).error == ("a number of the reply is too large" if len(text) > 9 else "")


def test_a_bare_text_is_searched_only_for_objects_and_lists():
    assert parse("7", {"type": "integer"}).value == 7
    assert parse("It is {7}", {"type": "integer"}).error
    assert parse("true", {"enum": [1]}).error
    assert parse("1", {"enum": [1.0]}).value == 1


def test_a_schema_beyond_what_we_check_is_refused():
    check_schema(ACT)
    with pytest.raises(UsageError, match="patternProperties"):
        check_schema({"type": "object", "properties": {"a": {"patternProperties": {}}}})
    with pytest.raises(UsageError, match="Nowhere"):
        check_schema({"$ref": "#/$defs/Nowhere"})


def test_brackets_inside_texts_do_not_count_as_nesting():
    text = json.dumps({"catch": 1, "why": "[" * 40})
    assert parse(text + " " * 10, {**ACT, "properties": {"catch": {}, "why": {"maxLength": 100}}}).value["why"] == "[" * 40


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6) | st.sampled_from(list(ACT["properties"])), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.text() | st.binary().map(lambda data: data.decode("latin-1")))
@settings(max_examples=400)
def test_no_text_raises(text):
    found = parse(text, ACT)
    assert (found.value is None) == bool(found.error)


@given(JSON)
@settings(max_examples=400)
def test_no_json_raises_and_what_passes_has_no_fault(value):
    found = parse(json.dumps(value), ACT)
    assert found.error or not faults(found.value, ACT)


def test_a_hundred_thousand_mutated_replies_never_raise():
    """Bytes of a good reply are changed, dropped, doubled, by a counter."""
    marks = '{}[]",:\\0x\ud83d-e.`\n'
    passed = refused = 0
    for number in range(100_000):
        dice = hashlib.blake2b(number.to_bytes(4, "little"), digest_size=8).digest()
        text = GOOD
        for turn in range(1 + dice[0] % 3):
            at, mark = dice[1 + turn] % (len(text) + 1), marks[dice[4 + turn] % len(marks)]
            text = text[:at] + mark * (dice[7] % 3) + text[at + dice[turn] % 3 :]
        found = parse(text, ACT)
        assert found.error or not faults(found.value, ACT)
        passed, refused = passed + (not found.error), refused + bool(found.error)
    assert passed > 1000
    assert refused > 1000


@given(st.integers(0, 10_000))
@settings(max_examples=300)
def test_invented_values_fit_their_schema(draw):
    reply = Invention(0, Request(schema=ACT), draw).reply()
    assert parse(reply.text, ACT).error == ""


TREE = {
    "$ref": "#/$defs/Node",
    "$defs": {
        "Node": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}}},
            "required": ["name", "children"],
        }
    },
}


@given(st.integers(0, 10_000))
@settings(max_examples=50)
def test_recursive_schemas_end(draw):
    assert parse(Invention(0, Request(schema=TREE), draw).reply().text, TREE).error == ""


def test_clean_leaves_good_texts_alone():
    assert clean("naïve 🐟") == "naïve 🐟"
    assert clean("\ud83d\udc1f") == "🐟"
    assert clean("a\udc1fb") == "a\ufffdb"


@pytest.mark.parametrize(("text", "verdict"), [("so " * 60, True), ("x" * 128, True), ("x" * 127, False), ("abc" * 20, False)])
def test_repetition_is_a_rule_not_a_guess(text, verdict):
    assert repeats(text) is verdict


def test_ordinary_words_do_not_repeat():
    assert not repeats(" ".join(str(number) for number in range(400)))
