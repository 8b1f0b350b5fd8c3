"""What a person sees of a commons game: one line an event, and a picture of the run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sociarium.environments.wording import number

if TYPE_CHECKING:
    from sociarium.scenarios.govsim.game import CommonsGame


def told_line(game: CommonsGame, kind: str, row: Mapping[str, Any]) -> str | None:
    """``month 3: John wanted 20, got 20 tons`` and ``Kate: <utterance>``. With several lakes, only the first is told."""
    if row.get("group", 0) != 0:
        return None
    month = f"month {int(row['tick']) + 1}: " if "tick" in row else ""
    if kind == "commons.harvested":
        return f"{month}{row['name']} wanted {row['wanted']}, got {row['caught']} {game.words().unit}"
    if kind == "commons.collapsed":
        return f"{month}the commons is lost: {number(row['stock'])} {game.words().unit} were left"
    if kind == "commons.survived":
        return f"{month}the commons has survived all {row['month']} months"
    if kind == "conversation.opened":
        return f"{row['name']}: {' · '.join(str(row['text']).splitlines())}"
    if kind == "conversation.said":
        return f"  {row['name']}: {' '.join(str(row['text']).split())}"
    if kind == "conversation.summarised":
        return f"{row['name']} sums up: {' '.join(str(row['text']).split())}"
    return f"{row['name']} notes the limit agreed on: {row['limit']} {game.words().unit} each" if kind == "conversation.agreed" else None


def history(game: CommonsGame, folder: Path) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], list[str]]:
    """Stock at the end of each month (lakes, months), catches (lakes, months, agents), nan after the end; and the agents' names."""
    from sociarium.record.frames import frames

    tables = frames(folder)
    try:
        harvests = tables.events("commons.harvested").collect().to_dicts()
    finally:
        tables.close()
    agents = sorted({int(row["actor"]) for row in harvests})
    return agents, harvests, []
