"""The mind of one who lives in a town: perceives, plans its day, knows where to go, reacts, talks and reflects.

As in Generative Agents (arXiv 2304.03442). Each part is a component of its own; ``residents.components`` puts them together and
``live.Live`` lets them answer one agent's turn. The prompts are English; another language needs a folder of its own.
"""

from __future__ import annotations

from pathlib import Path

from sociarium.minds.language import builtin
from sociarium.minds.prompts import PromptPack

FOLDER = Path(__file__).parent / "prompts"
NEWS = Path(__file__).parent / "news.yaml"


def prompts(folder: Path | str | None = None, language: str = "en") -> PromptPack:
    """A scenario's own prompts, standing on those of town minds and of the components."""
    town = PromptPack(FOLDER, language, builtin(language))
    return town if folder is None else PromptPack(folder, language, town)
