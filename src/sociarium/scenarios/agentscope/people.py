"""Who plays: attributes with exact quotas, and backgrounds rendered from them where no model writes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray
from ruamel.yaml import YAML

from sociarium.kernel.errors import UsageError
from sociarium.kernel.randomness import key_of
from sociarium.minds.prompts import Prompt
from sociarium.populations.quotas import Attribute, draw_population

HERE = Path(__file__).parent

PersonaSet = Literal["none", "education", "profession"]
Columns = dict[str, NDArray[np.object_]]


def attributes(persona_set: PersonaSet) -> list[Attribute]:
    """The attributes of a persona set, from its file."""
    if persona_set == "none":
        return []
    data: Any = YAML(typ="safe", pure=True).load((HERE / "personas" / f"{persona_set}.yaml").read_text("utf-8"))  # pyright: ignore[reportUnknownMemberType]
    found = cast("Mapping[str, Mapping[str, Any]]", data["attributes"])
    return [Attribute(name, each["shares"], each.get("bundles", {})) for name, each in found.items()]


def people(persona_set: PersonaSet, count: int, seed: int, *, renormalise: bool) -> Columns:
    """One column an attribute, each of length ``count``."""
    given = attributes(persona_set)
    if not given:
        return {}
    random = np.random.Generator(np.random.Philox(key=key_of(seed, "agentscope.people")))
    try:
        return draw_population(given, count, random, renormalise=renormalise)
    except UsageError as error:
        wrong = str(error).partition(";")[0]
        raise UsageError(f"personas={persona_set}: {wrong}; say renormalise=true to read shares as weights") from None


def composition(persona_set: PersonaSet, columns: Columns) -> str:
    """``200 elementary school, 200 high school, ...``: the last attribute, counted."""
    if persona_set == "none":
        return "nothing more is known about them"
    column = columns[persona_set]
    names = [category for attribute in attributes(persona_set) if attribute.name == persona_set for category in attribute.shares]
    return ", ".join(f"{np.count_nonzero(column == name)} {name}" for name in names)


def rendered(columns: Columns, count: int) -> NDArray[np.object_]:
    """Backgrounds without a model: the sampled attributes in one sentence each."""
    prompt = Prompt.load(HERE / "prompts" / "background.md")
    named = [name for name in prompt.variables if name in columns]
    words = np.empty(count, object)
    for row in range(count):
        words[row] = prompt.words({name: columns[name][row] if name in named else None for name in prompt.variables})
    return words
