"""Reading cards."""

from __future__ import annotations

from pathlib import Path

import pytest

from sociarium.kernel.errors import UsageError
from sociarium.lab.cards import Card, Needs

CARD = """
slug: govsim
title: Five harvesters share a stock that doubles
paper:
  title: Cooperate or Collapse
  authors: [Giorgio Piatti, Zhijing Jin]
  year: 2024
  arxiv: "2404.16698"
  licence: MIT
simulation_type: scenario
domain: common-pool resources
levels: [micro, macro]
claims:
  - {id: group-optimum, statement: The best a group can take is 650 units, published: 650, tolerance: 0, unit: units}
  - {id: grim, statement: Defection pays below a discount of five sixths, published: below 0.8333, needs: rules}
  - {id: gpt-4o, statement: GPT-4o survives in half of the runs, published: 0.533, tolerance: 0.2, needs: strong model}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "card.yaml"
    path.write_text(text, "utf-8")
    return path


def test_a_card_is_read_whole(tmp_path: Path) -> None:
    card = Card.read(written(tmp_path, CARD))
    assert card.slug == "govsim" and card.levels == ("micro", "macro")
    assert card.source() == "Giorgio Piatti and others (2024), Cooperate or Collapse, arXiv 2404.16698"
    optimum, grim, survives = card.claims
    assert (optimum.published, optimum.tolerance, optimum.needs) == (650.0, 0.0, Needs.RULES)
    assert grim.published == "below 0.8333"
    assert survives.needs is Needs.STRONG_MODEL
    assert Card.model_validate(card.model_dump(mode="json")) == card


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("slug: govsim", "slug: Gov Sim", "slug: "),
        ("year: 2024", "year: MMXXIV", r"paper\.year"),
        ("needs: rules", "needs: luck", r"claims\.1\.needs"),
        ("id: grim", "id: group-optimum", "'group-optimum' is named twice"),
        ("tolerance: 0.2", "tolerance: -1", r"claims\.2\.tolerance"),
        ("published: below 0.8333", "published: below, tolerance: 1", "tolerance needs a published number"),
        ("levels: [micro, macro]", "levels: []", "levels"),
        ("domain:", "domian:", "domain"),
        ("title: Five", "title: [Five", "is not YAML"),
        ("slug: govsim", "slug: !!python/object:os.system govsim", "is not YAML"),
    ],
)
def test_mistakes_are_told_with_file_and_place(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in CARD
    with pytest.raises(UsageError, match=told) as caught:
        Card.read(written(tmp_path, CARD.replace(old, new, 1)))
    assert "card.yaml" in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_or_huge_card_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        Card.read(tmp_path / "card.yaml")
    with pytest.raises(UsageError, match="no card"):
        Card.read(written(tmp_path, "#" * 1_000_001))
