"""The scenarios there are: ours by their folders (``scenario.py`` and ``card.yaml``), others' by their entry points.

Another package offers a scenario by an entry point of the group ``sociarium.scenarios`` (name: its slug; value: ``module:Class``),
with ``card.yaml`` and ``claims.py`` beside that module. No package is imported before its scenario is asked for.
"""

from __future__ import annotations

import difflib
import importlib
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

from sociarium.kernel.errors import UsageError
from sociarium.lab.cards import Card
from sociarium.lab.scenario import Scenario

HERE = Path(__file__).parent
GROUP = "sociarium.scenarios"


def slugs() -> list[str]:
    """Slugs in alphabetical order: ``donor-game`` lives in ``scenarios/donor_game``."""
    return sorted({*_own(), *_offered()})


def scenario(slug: str) -> type[Scenario]:
    """The class of a scenario."""
    if slug in _own():
        module = importlib.import_module(f"sociarium.scenarios.{slug.replace('-', '_')}.scenario")
        for found in vars(module).values():
            if isinstance(found, type) and issubclass(found, Scenario) and found.slug == slug:
                return found
        raise UsageError(f"scenarios/{slug.replace('-', '_')}/scenario.py defines no Scenario with slug = {slug!r}")
    if slug in _offered():
        return _loaded(slug, _offered()[slug])
    known = slugs()
    near = difflib.get_close_matches(slug, known, 1)
    raise UsageError(f"there is no scenario {slug!r}; " + (f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"))


def card(slug: str) -> Card:
    """What the scenario says of itself: paper, claims, level."""
    return Card.read((HERE / slug.replace("-", "_") if slug in _own() else scenario(slug).home()) / "card.yaml")


def claims(slug: str) -> ModuleType:
    """The module with the checks of the scenario's claims."""
    return importlib.import_module(scenario(slug).__module__.rpartition(".")[0] + ".claims")


def _own() -> list[str]:
    return [card.parent.name.replace("_", "-") for card in HERE.glob("*/card.yaml")]


@cache
def _offered() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def _loaded(slug: str, point: EntryPoint) -> type[Scenario]:
    try:
        found = point.load()
    except (ImportError, AttributeError) as error:
        raise UsageError(f"scenario {slug!r} cannot be loaded from {point.value}: {error}. Is its package whole?") from error
    if not (isinstance(found, type) and issubclass(found, Scenario) and found.slug == slug):
        raise UsageError(f"{point.value} is no Scenario with slug = {slug!r}, as its entry point says")
    return found
