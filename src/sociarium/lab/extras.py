"""Libraries that are optional: imported where they are used, with a clear error where they are missing."""

from __future__ import annotations

import importlib
from typing import Any

from sociarium.kernel.errors import UsageError


def optional(module: str, extra: str, purpose: str) -> Any:
    """Import ``module``, or say which extra to install for ``purpose``."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as missing:
        package = module.partition(".")[0]
        if missing.name is None or missing.name.partition(".")[0] != package:
            raise
        raise UsageError(f"{purpose} needs {package}, which is not installed: pip install 'sociarium[{extra}]'") from missing
