"""The words of a commons game: one YAML file a wording and language; the mathematics never changes with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from sociarium.environments.commons.wording import CommonsWording
from sociarium.environments.conversation.rules import Opening, TalkWording
from sociarium.kernel.errors import UsageError

LONG = "long"  # in a file: for as long as the run keeps memories


@dataclass(frozen=True, slots=True)
class Words:
    """How one commons is spoken of. ``news`` says what events become memories."""

    rules: str  # the prompt file of the rules
    names: tuple[str, ...]
    moderator: str
    unit: str
    query: str  # what reflection seeks memories by
    option: str  # an option's text in the style ``choose``, with {{value}}
    commons: CommonsWording
    talk: TalkWording
    opening: Opening
    sayings: tuple[str, ...]  # what may be said in the style ``choose``; {{value}} stands for a limit
    agreement: str  # the minutes of a limit that was agreed on, with {{value}}
    disagreement: str  # the minutes where none was
    news: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path) -> Words:
        """From a file; an error names it."""
        data = read_yaml(path)
        try:
            return cls(
                rules=data["rules"],
                names=tuple(data["names"]),
                moderator=data["moderator"],
                unit=data["unit"],
                query=data["query"],
                option=data["option"],
                commons=CommonsWording.of(data["commons"], f"{path}, commons"),
                talk=TalkWording.of(data["talk"], f"{path}, talk"),
                opening=Opening(**data["opening"]),
                sayings=tuple(data["sayings"]),
                agreement=data["agreement"],
                disagreement=data["disagreement"],
                news=data["news"],
            )
        except KeyError as missing:
            raise UsageError(f"the wording {path} lacks {missing}") from None

    def memories(self, days: float) -> dict[str, Any]:
        """The rules from news to memory, with what is kept long kept for so many days."""
        return {
            kind: {**rule, "expires": f"{days:g}d" if rule.get("expires") == LONG else rule.get("expires")}
            for kind, rule in self.news.items()
        }


def read_yaml(path: Path) -> dict[str, Any]:
    """A mapping from a YAML file of this package."""
    try:
        data: Any = YAML(typ="safe", pure=True).load(path.read_text("utf-8"))  # pyright: ignore[reportUnknownMemberType]
    except (OSError, YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {path}: {' '.join(str(error).split())}") from None
    if not isinstance(data, dict):
        raise UsageError(f"{path} must hold names with values")
    return cast("dict[str, Any]", data)
