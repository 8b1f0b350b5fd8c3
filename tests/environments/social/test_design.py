"""Designs of communities: what is read, what is refused, and the chain of versions."""

from dataclasses import replace

import pytest

from sociarium.environments.social.design import Design, Designs, Rule, content_words, read_design, rule_of
from sociarium.kernel.errors import RecordError, UsageError

DESIGN = Design("baking bread", (Rule("sharing recipes", True), Rule("selling ovens", words=("sale",))), behaviours=("mocking beginners",))


def test_vocabularies_come_from_goal_and_rules():
    assert DESIGN.vocabulary == ("baking", "bread", "sharing", "recipes")
    assert DESIGN.breaches == ("selling ovens", "mocking beginners")
    assert DESIGN.vocabulary_of(0) == ("sale",) and DESIGN.vocabulary_of(1) == ("mocking", "beginners")
    assert content_words("a b") == ("a", "b") and content_words("日") == ("日",)


def test_a_change_keeps_what_it_does_not_name():
    changed = DESIGN.changed(goal="cakes", add=[Rule("tins", True)], drop=["sharing recipes"])
    assert changed.goal == "cakes" and [rule.text for rule in changed.rules] == ["selling ovens", "tins"]
    assert changed.behaviours == DESIGN.behaviours
    assert DESIGN.changed() == DESIGN


def test_plain_data_comes_back():
    assert Design.of(DESIGN.plain()) == DESIGN
    assert rule_of({"allow": "x"}) == Rule("x", True) and rule_of({"forbid": "x", "words": ["y"]}) == Rule("x", False, ("y",))


def test_the_chain_verifies_until_a_version_is_not_what_it_was():
    chain = Designs.begin(DESIGN)
    chain.append(DESIGN.changed(goal="cakes"))
    chain.append(DESIGN.changed(goal="tarts"))
    chain.verify()
    assert Designs.of(chain.plain()).plain() == chain.plain()
    assert len({version.digest for version in chain}) == 3
    forged = chain.plain()
    forged[1]["design"]["goal"] = "pies"
    with pytest.raises(RecordError, match="version 1"):
        Designs.of(forged)
    chain.versions[1] = replace(chain.versions[1], design=DESIGN)
    with pytest.raises(RecordError, match="version 1"):
        chain.verify()
    with pytest.raises(UsageError, match="versions 0 to 2"):
        chain[3]


def test_equal_designs_in_another_place_of_the_chain_have_other_digests():
    chain = Designs.begin(DESIGN)
    assert chain.append(DESIGN).digest != chain[0].digest


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]", "mapping"),
        ("goal: 3", "needs a goal"),
        ("goal: x\nrules: [{maybe: y}]", "is no rule"),
        ("goal: x\nrules: [{allow: y}, {forbid: y}]", "twice"),
        ("goal: x\npersonas: [{name: A}]", "a name and a phrase"),
        ("goal: x\ncolour: red", "no 'colour'"),
        ("goal: x\nwords: 3", "list of texts"),
        ("goal: |\n  x\n  y", "one line"),
        ("goal: 'x", "c.yaml"),
    ],
)
def test_a_file_that_is_no_community_is_refused(tmp_path, text, words):
    file = tmp_path / "c.yaml"
    file.write_text(text)
    with pytest.raises(UsageError, match=words):
        read_design(file)
