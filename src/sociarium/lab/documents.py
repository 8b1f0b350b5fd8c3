"""Plain data on its way out: as JSON without NaN, and into a page that shows it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

MARK = "/*DATA*/null"  # where a page's script expects its data


def finite(value: Any) -> Any:
    """NaN and infinity as None, all through plain data: JSON has neither."""
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    if isinstance(value, dict):
        return {str(key): finite(item) for key, item in cast("dict[Any, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in cast("list[Any]", value)]
    return value


def write_page(page: Path, data: Mapping[str, Any], target: Path) -> Path:
    """A page with its data filled in. Words of agents are data there: no character of them can end the script they stand in."""
    plain = json.dumps(data, ensure_ascii=True, separators=(",", ":"))
    for sign in "<>&":
        plain = plain.replace(sign, f"\\u{ord(sign):04x}")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(page.read_text("utf-8").replace(MARK, plain), encoding="utf-8")
    return target
