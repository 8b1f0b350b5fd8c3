"""Sociarium: societies of language-model, rule and learned agents, in one engine.

The names below are imported when first used, so that ``import sociarium`` costs almost nothing.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_HOME: dict[str, str] = {  # public name -> module that defines it
    "Block": "sociarium.kernel.content",
    "Content": "sociarium.kernel.content",
    "SociariumError": "sociarium.kernel.errors",
    "Status": "sociarium.kernel.outcomes",
}

__all__ = ["Block", "Content", "SociariumError", "Status", "__version__"]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'sociarium' has no attribute {name!r}; public names: {', '.join(sorted(_HOME))}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
