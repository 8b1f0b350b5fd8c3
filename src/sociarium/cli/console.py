"""All output leaves by here: text of agents and files is stripped of everything that could steer a terminal."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sociarium.kernel.errors import UsageError

# what acts instead of showing itself: control bytes (C0 but newline and tab, DEL, C1), soft hyphen, bidirectional overrides,
# zero-width and other invisible format marks, separators of lines, halves of surrogate pairs
_STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0001-\U000e007f]"
)

PIPE_WIDTH = 120  # columns of what is written to a file or a pipe, where COLUMNS does not say
WIDEST = 200  # characters of a cell; a longer one is cut, and --json has it whole


class _Output(Console):
    def on_broken_pipe(self) -> None:
        """Rich would end the process with code 1; ``main`` ends it quietly."""
        raise BrokenPipeError


def _console(to_errors: bool) -> Console:
    stream = sys.stderr if to_errors else sys.stdout
    width = None if stream.isatty() or os.environ.get("COLUMNS") else PIPE_WIDTH
    return _Output(stderr=to_errors, highlight=False, width=width)


console = _console(to_errors=False)
errors = _console(to_errors=True)


def clean(text: object) -> str:
    """Text that shows itself and does nothing else."""
    return _STEERING.sub("\ufffd", str(text)).replace("\t", "    ")


def say(text: object = "", style: str = "") -> None:
    """One line (or several) of plain text. The terminal wraps it, so that a copied command stays whole."""
    console.print(Text(clean(text), style=style), soft_wrap=True)


def complain(text: object) -> None:
    """One clear line on standard error."""
    errors.print(Text("error: ", style="bold red") + Text(clean(text)), soft_wrap=True)


def show_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, numbers: Sequence[int] = (), folds: Sequence[int] = ()
) -> None:
    """A table; ``numbers`` are the positions of columns that are set flush right, ``folds`` those that may take several lines.

    Where the columns that must stay whole do not fit beside each other, each row is written as a list of names and values.
    """
    cells = [[_cell(value) for value in row] for row in rows]
    if title:
        say(title, style="bold")
    widths = [max([len(name), *(len(row[at]) for row in cells)]) for at, name in enumerate(columns)]
    widest = max(folds, key=lambda at: widths[at], default=-1)
    narrow = [min(width, 18 if at == widest else 12) if at in folds else width for at, width in enumerate(widths)]
    if sum(narrow) + 3 * len(columns) + 1 > console.width:
        _listed(columns, cells)
        return
    table = Table(header_style="bold")
    for at, name in enumerate(columns):
        table.add_column(name, justify="right" if at in numbers else "left", overflow="fold", no_wrap=at not in folds)
    for row in cells:
        table.add_row(*(Text(cell) for cell in row))
    console.print(table)


def _listed(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    margin = max(len(name) for name in columns)
    for row in cells:
        for at, (name, cell) in enumerate(zip(columns, row, strict=True)):
            mark = "•" if at == 0 else " "
            console.print(Text.assemble(f"{mark} ", (f"{name:<{margin}}", "bold"), f"  {cell}"), soft_wrap=True)


def _cell(value: object) -> str:
    text = number(value) if isinstance(value, float) else clean(value).replace("\n", " ")
    return text if len(text) <= WIDEST else text[: WIDEST - 1] + "…"


def emit_json(value: Any) -> None:
    """Machine-readable output: escaped, so free of control bytes."""
    sys.stdout.write(json.dumps(value, ensure_ascii=True, allow_nan=False, default=_plain) + "\n")
    sys.stdout.flush()


def one_run(folder: Path) -> Path:
    """The folder of one run; a folder of several names them."""
    runs = sorted(path.parent.name for path in folder.glob("*/run.sqlite")) if not (folder / "run.sqlite").exists() else []
    if runs:
        raise UsageError(f"{folder} holds {len(runs)} runs; name one of them: {', '.join(str(folder / name) for name in runs[:5])}")
    return folder


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
