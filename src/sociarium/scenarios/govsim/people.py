"""Who lives at the commons: names only, identities in words, or people drawn from a survey file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np

from sociarium.kernel.errors import UsageError
from sociarium.populations.gss import persona, read_records, sample
from sociarium.populations.personas import Persona, first_distinct
from sociarium.scenarios.govsim.words import Words, read_yaml

HERE = Path(__file__).parent
FIELDS = ("name", "traits", "background", "goals", "behavior", "customs")  # columns in words; age is a number

Sort = Literal["names", "traditional", "gss"]


def identities(sort: Sort, count: int, words: Words, *, seed: int, survey: Path | None = None) -> list[dict[str, Any]]:
    """One identity an agent: the columns of its row that a prompt may name."""
    if sort == "gss":
        if survey is None:
            raise UsageError("personas=gss needs gss_path: a file of General Social Survey agents, one JSON person a line")
        return _surveyed(survey, count, seed)
    names = [
        words.names[at] if at < len(words.names) else f"{words.names[at % len(words.names)]} {1 + at // len(words.names)}"
        for at in range(count)
    ]
    told: list[dict[str, Any]] = read_yaml(HERE / "personas.yaml")["traditional"] if sort == "traditional" else [{}]
    return [_columns({**told[at % len(told)], "name": name}) for at, name in enumerate(names)]


def newcomer(words: Words) -> dict[str, Any]:
    """Who comes in the fourth month: wants to grow at any price (arXiv 2404.16698, section 3.3)."""
    told: dict[str, Any] = read_yaml(HERE / "personas.yaml")["newcomer"]
    return _columns({**told, "name": words.names[-1]})


def _surveyed(path: Path, count: int, seed: int) -> list[dict[str, Any]]:
    """People drawn uniformly; later bearers of a first and last name already taken are passed over."""
    records = read_records(path)
    drawn = sample(records, min(len(records), 4 * count), np.random.Generator(np.random.PCG64(seed)))
    chosen: list[Persona] = first_distinct([persona(record) for record in drawn], count)
    return [
        _columns({"name": one.name, "background": "; ".join(f"{label}: {value}" for label, value in one.facts.items())})
        | {"age": one.age or 0}
        for one in chosen
    ]


def _columns(told: dict[str, Any]) -> dict[str, Any]:
    return {**{name: str(told.get(name, "")) for name in FIELDS}, "age": 0}
