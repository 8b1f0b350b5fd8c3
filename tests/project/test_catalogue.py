"""The catalogue page says what the cards say."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from sociarium.lab.cards import Card

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_catalogue", ROOT / "docs" / "make_catalogue.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_catalogue_is_up_to_date(maker: ModuleType) -> None:
    assert maker.PAGE.read_text("utf-8") == maker.catalogue(), "a card has changed: run  python docs/make_catalogue.py  and commit the page"


def test_every_claim_of_every_card_is_in_it(maker: ModuleType) -> None:
    page = maker.PAGE.read_text("utf-8")
    for path in sorted(maker.SCENARIOS.glob("*/card.yaml")):
        card = Card.read(path)
        assert f"\n## {card.slug}\n" in page
        missing = [one.id for one in card.claims if f"| `{one.id}` |" not in page]
        assert not missing, f"{card.slug}: {missing}"


def test_words_of_a_card_are_no_markup(maker: ModuleType) -> None:
    assert maker.plain("sustainable*4 | a_b <script> [x](y)") == r"sustainable\*4 \| a\_b \<script\> \[x\](y)"
