"""Prompt files are strict, values are data, and blocks keep who said them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sociarium.kernel.content import Block, Layer, Trust, said
from sociarium.kernel.errors import UsageError
from sociarium.minds.language import FOLDER, builtin, prompts
from sociarium.minds.prompts import Prompt, PromptPack, substitute

HEAD = "---\nid: t.x\nversion: 2\nlanguage: en\nvariables: [{}]\nsource: a test\n---\n"


def made(body, variables="name"):
    return Prompt.parse(HEAD.format(variables) + body, "x.md")


def test_sections_and_marks_give_role_and_layer():
    prompt = made("## system\n<!-- layer: shared -->\nRules.\n<!-- layer: stable -->\nI am {{name}}.\n## user\nNow, {{name}}?\n")
    blocks = prompt.render(name="Kate")
    assert [(b.text, b.role, b.layer) for b in blocks] == [
        ("Rules.", "system", Layer.SHARED),
        ("I am Kate.", "system", Layer.STABLE),
        ("Now, Kate?", "user", Layer.MOVING),
    ]
    assert {b.origin for b in blocks} == {"t.x"}
    assert {b.trust for b in blocks} == {Trust.ENGINE}


@given(st.text())
def test_a_value_is_inserted_once_as_it_is(value):
    assert made("<{{name}}> ## system").words(name=value) == f"<{value}> ## system"


def test_a_value_that_looks_like_a_variable_is_not_expanded():
    assert made("{{name}} and {{other}}", "name, other").words(name="{{other}}", other="B") == "{{other}} and B"


@pytest.mark.parametrize("given_", [{}, {"nam": "x"}, {"name": "x", "more": 1}])
def test_a_missing_or_unknown_variable_names_file_and_variable(given_):
    with pytest.raises(UsageError, match=r"x\.md.*'(name|more)'"):
        made("{{name}}").render(given_)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("no front matter", "front matter"),
        ("---\nid: a\n---\nbody", "lacks"),
        ("---\nid: [\n---\nbody", "YAML"),
        (HEAD.format("name") + "nothing used", "'name'"),
        (HEAD.format("") + "{{who}}", "'who'"),
        (HEAD.format("") + "{{ who }}", "broken variable"),
        (HEAD.format("") + "<!-- layer: top -->", "layer"),
        (HEAD.format("").replace("source", "sauce") + "x", "'sauce'"),
        ("---\nid: !!python/object/apply:os.system [echo]\nversion: 1\nvariables: []\nsource: x\n---\nx", "YAML"),
    ],
)
def test_a_broken_file_is_one_clear_error(text, what):
    with pytest.raises(UsageError, match=what) as caught:
        Prompt.parse(text, "bad.md")
    assert "bad.md" in str(caught.value)


def test_blocks_stand_alone_and_keep_their_author():
    prompt = made("## user\nSaid:\n{{name}}\nEnd.")
    blocks = prompt.render(name=(said("hello", "Kate"), Block("fact")))
    assert [(b.text, b.origin, b.trust) for b in blocks] == [
        ("Said:", "t.x", Trust.ENGINE), ("hello", "Kate", Trust.AGENT), ("fact", "scenario", Trust.ENGINE), ("End.", "t.x", Trust.ENGINE),
    ]  # fmt: skip
    with pytest.raises(UsageError, match="stand alone"):
        made("Said: {{name}}").render(name=said("hello", "Kate"))


def test_a_line_with_an_unset_value_is_left_out():
    assert made("I am {{name}}.\nI am {{age}} years old.\n", "name, age").words(name="Kate", age=None) == "I am Kate."


def test_a_pack_takes_one_language_only_and_falls_back_on_its_base(tmp_path):
    (tmp_path / "ja").mkdir()
    (tmp_path / "rules.md").write_text(HEAD.format("") + "Rules", "utf-8")
    (tmp_path / "ja" / "rules.md").write_text(HEAD.format("").replace("en", "ja") + "規則", "utf-8")
    english, japanese = prompts(tmp_path), prompts(tmp_path, "ja")
    assert (english["rules"].words(), japanese["rules"].words()) == ("Rules", "規則")
    assert japanese["act_answer"] is builtin("ja")["act_answer"]
    (tmp_path / "extra.md").write_text(HEAD.format("").replace("t.x", "t.y") + "Extra", "utf-8")
    assert "extra" in PromptPack(tmp_path)
    with pytest.raises(UsageError, match="'extra' in language 'ja'"):
        prompts(tmp_path, "ja")["extra"]
    assert english.digests()["t.x"] != japanese.digests()["t.x"]


def test_every_prompt_of_the_components_is_there_in_both_languages():
    english, japanese = builtin("en"), builtin("ja")
    assert english.names() == japanese.names()
    assert len(english.names()) == len(list(FOLDER.glob("*.md")))
    for name in english.names():
        assert set(english[name].variables) == set(japanese[name].variables), name
        assert english[name].reply == japanese[name].reply, name


def test_short_texts_in_data_are_strict_too():
    assert substitute("{{a}} took {{b}}", {"a": "{{b}}", "b": 3}, "news") == "{{b}} took 3"
    with pytest.raises(UsageError, match=r"news.*'c'"):
        substitute("{{c}}", {"a": 1}, "news")
