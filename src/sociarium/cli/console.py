"""All output leaves by here: text of agents and files is stripped of everything that could steer a terminal."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any, cast

from rich.console import Console
from rich.table import Table
from rich.text import Text

# control bytes (C0 but newline and tab, DEL, C1), bidirectional overrides, zero-width and other invisible format marks
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")

console = Console(highlight=False, soft_wrap=False)
errors = Console(stderr=True, highlight=False)


def clean(text: object) -> str:
    """Text that shows itself and does nothing else."""
    return _STEERING.sub("\ufffd", str(text)).replace("\t", "    ")


def say(text: object = "", style: str = "") -> None:
    """One line (or several) of plain text."""
    console.print(Text(clean(text), style=style))


def complain(text: object) -> None:
    """One clear line on standard error."""
    errors.print(Text("error: ", style="bold red") + Text(clean(text)), soft_wrap=True)


def show_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, numbers: Sequence[int] = ()) -> None:
    """A table; ``numbers`` are the positions of columns that are set flush right."""
    table = Table(title=Text(clean(title)) if title else None, title_justify="left", header_style="bold")
    for position, name in enumerate(columns):
        table.add_column(name, justify="right" if position in numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(clean(cell)) for cell in row))
    console.print(table)


def emit_json(value: Any) -> None:
    """Machine-readable output: escaped, so free of control bytes."""
    sys.stdout.write(json.dumps(value, ensure_ascii=True, allow_nan=False, default=_plain) + "\n")
    sys.stdout.flush()


def finite(value: Any) -> Any:
    """NaN and infinity as None, all through plain data: JSON has neither."""
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    if isinstance(value, dict):
        return {str(key): finite(item) for key, item in cast("dict[Any, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in cast("list[Any]", value)]
    return value


def number(value: float | None, digits: int = 3) -> str:
    """A number for people; a dash where it is missing."""
    if value is None or value != value:
        return "–"
    return f"{value:,.{digits}f}".rstrip("0").rstrip(".") if isinstance(value, float) else f"{value:,}"


def _plain(value: Any) -> Any:
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        return value.item()
    if hasattr(value, "tolist"):
        return value.tolist()
    return str(value)
