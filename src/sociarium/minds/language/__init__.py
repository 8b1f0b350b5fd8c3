"""Minds that think in words: an ordered list of small components, each with its own state, prompt file and reply schema."""

from __future__ import annotations

from pathlib import Path

from sociarium.minds.prompts import PromptPack

FOLDER = Path(__file__).parent / "prompts"


def builtin(language: str = "en") -> PromptPack:
    """The prompts that come with the components, in a language that they are written in."""
    return PromptPack(FOLDER, language)


def prompts(folder: Path | str | None = None, language: str = "en") -> PromptPack:
    """A scenario's own prompts, standing on those of the components."""
    return builtin(language) if folder is None else PromptPack(folder, language, builtin(language))
