"""Societies that the laws are tested on: small, on a scripted model whose replies decide what happens next."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sociarium.lab import running
from sociarium.lab.running import Finished, Options
from sociarium.lab.scenario import Scenario
from sociarium.scenarios import catalogue

SMALL: dict[str, dict[str, Any]] = {
    "govsim": {"max_rounds": 3, "pace": "brief", "lakes": 2},
    "donor-game": {"generations": 2, "rounds": 4},
}


def society(slug: str, model: str | None = "scripted:schema", **settings: Any) -> Scenario:
    return catalogue.scenario(slug).of({**SMALL[slug], **settings, **({} if model is None else {"model": model})})


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Any]:
    """``await run(scenario, seed, ...)``: recorded in a folder of its own."""
    count = [0]

    async def start(scenario: Scenario, seed: int = 1, **options: Any) -> Finished:
        count[0] += 1
        return await running.start(scenario, seed, tmp_path / f"run-{count[0]}", Options(**options))

    return start
