"""Nothing that an agent says can steer the terminal, and nothing leaves but through ``console.py``."""

from __future__ import annotations

import ast
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sociarium.cli.console import clean

from .conftest import SOURCE, Cli

SEQUENCES = [
    *("\x1b[2J", "\x1b[31m", "\x1b]0;title\x07", "\x1b]8;;http://x\x1b\\link", "\x1b]52;c;aGk=\x07", "\x1bP$q\x1b\\", "\x1b_x\x1b\\"),
    *("\x1b^x\x1b\\", "\x1bc", "\x1b[?1049h", "\x1b[6n", "\x9b31m", "\x9d0;t\x9c", "\x90q\x9c", "\x07", "\x08\x08\x08", "\r", "\x0b"),
    *("\x0c", "\x7f", "\x00", "\x05", "\x0e", "\x85", "\u202e", "\u2066x\u2069", "\u200f", "\u061c", "\u200b", "\ufeff", "\u2028"),
    *("\u2029", "\U000e0041", "\u00ad", "\ud800"),
]

# newline, and the format marks of Arabic, Syriac and Kaithi numbers, which are drawn
VISIBLE = set("\n\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd")


def steering(text: str) -> list[str]:
    """Characters that do something instead of showing themselves: controls, format marks, separators of lines, lone surrogates."""
    return [c for c in text if c not in VISIBLE and unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp", "Cs")]


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_known_sequences_lose_their_power(sequence: str) -> None:
    assert not steering(clean(f"a{sequence}b"))
    assert clean(f"a{sequence}b").startswith("a")


@given(st.text())
def test_any_text_is_harmless_and_can_be_written(text: str) -> None:
    shown = clean(text)
    assert not steering(shown)
    shown.encode("utf-8")


@given(st.text(alphabet=st.characters(categories=("L", "N", "P", "S", "Zs", "Mn"))))
def test_plain_text_of_any_language_stays_as_it_is(text: str) -> None:
    assert clean(text) == text


def test_a_run_full_of_sequences_shows_none(cli: Cli) -> None:
    outputs = [cli("run", "pond", "--set", "mood=wild", "--out", "wild")]
    outputs += [cli(*more) for more in (["show", "wild"], ["show", "wild", "--events", "water.fished"], ["replay", "wild"])]
    outputs += [cli("show", "wild", "--events", "water.fished", "--json"), cli("show", "wild", "--sql", 'select * from "water.fished"')]
    outputs += [cli("run", "\x1b[31mpnd"), cli("run", "pond", "--set", "months=\x1b]0;x\x07"), cli("\x1b[2J"), cli("show", "\x1b[2Jx")]
    for said in outputs:
        assert not steering(said.out), steering(said.out)
        assert not steering(said.err), steering(said.err)
    assert "hello" in outputs[0].out
    assert "hello" in outputs[2].out


def test_all_output_of_the_command_line_leaves_through_the_console() -> None:
    for file in sorted((SOURCE / "sociarium/cli").rglob("*.py")):
        if file.name == "console.py":
            continue
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            where = f"{file.name}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("print", "Console"), where
            if isinstance(node, ast.Attribute) and not (isinstance(node.value, ast.Name) and node.value.id == "writer"):  # a socket's
                assert node.attr not in ("write", "writelines", "print", "print_json"), where
                own = isinstance(node.value, ast.Name) and node.value.id == "sys"
                assert not (own and node.attr == "stderr"), where


def test_the_test_above_can_fail() -> None:
    tree = ast.parse("print(1)")
    assert any(isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print" for node in ast.walk(tree))
    assert Path(SOURCE, "sociarium/cli/console.py").is_file()
