"""What a person sees of a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def told_line(kind: str, row: Mapping[str, Any]) -> str | None:
    return str(row)


def draw(scenario: Any, folder: Path, target: Path) -> Path | None:
    return None
