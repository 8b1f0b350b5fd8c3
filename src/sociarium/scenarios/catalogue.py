"""The scenarios there are, found by their folders: each has ``scenario.py`` and ``card.yaml``."""

from __future__ import annotations

import difflib
import importlib
from pathlib import Path

from sociarium.kernel.errors import UsageError
from sociarium.lab.cards import Card
from sociarium.lab.scenario import Scenario

HERE = Path(__file__).parent


def slugs() -> list[str]:
    """Slugs in alphabetical order: ``donor-game`` lives in ``scenarios/donor_game``."""
    return sorted(card.parent.name.replace("_", "-") for card in HERE.glob("*/card.yaml"))


def scenario(slug: str) -> type[Scenario]:
    """The class of a scenario."""
    if slug not in (known := slugs()):
        near = difflib.get_close_matches(slug, known, 1)
        raise UsageError(f"there is no scenario {slug!r}; " + (f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"))
    module = importlib.import_module(f"sociarium.scenarios.{slug.replace('-', '_')}.scenario")
    for found in vars(module).values():
        if isinstance(found, type) and issubclass(found, Scenario) and found.slug == slug:
            return found
    raise UsageError(f"scenarios/{slug.replace('-', '_')}/scenario.py defines no Scenario with slug = {slug!r}")


def card(slug: str) -> Card:
    """What the scenario says of itself: paper, claims, level."""
    scenario(slug)
    return Card.read(HERE / slug.replace("-", "_") / "card.yaml")
