"""The wording of what the model service itself asks: Markdown files with front matter."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

_NAME = re.compile(r"\{(\w+)\}")


def prompt(name: str, **variables: str) -> str:
    """The text of ``name``.md with each ``{variable}`` replaced; what is put in is not looked at again."""
    return _NAME.sub(lambda found: variables[found[1]], _body(name))


@cache
def _body(name: str) -> str:
    text = files(__name__).joinpath(f"{name}.md").read_text(encoding="utf-8")
    return text.split("---\n", 2)[2].strip()
