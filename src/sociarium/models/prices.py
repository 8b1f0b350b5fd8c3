"""What vendors ask for their models, from a dated table."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from sociarium.models.request import Prices

UNKNOWN = "unknown"  # the date of prices that nobody gave: a budget of money cannot be held with them


def known_prices(name: str) -> Prices | None:
    """The prices of ``vendor:model``, in millionths of a US dollar per 1,000,000 tokens; None where the table has none."""
    row = _table()["models"].get(name)
    if row is None:
        return None
    prompt, cached, completion = (1_000_000 * float(price) for price in row)
    return Prices(prompt, cached, completion, _table()["dated"])


@cache
def _table() -> dict[str, Any]:
    return json.loads(files("sociarium.models").joinpath("data/prices.json").read_text(encoding="utf-8"))
