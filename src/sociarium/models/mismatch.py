"""The text of an error that shows two requests: the one a journal holds, and the one now asked."""

from __future__ import annotations

import difflib
from typing import Any, cast

from sociarium.kernel.protocols import Address, Plain

LONGEST = 60  # lines
WIDEST = 160  # characters a line


def difference(address: Address, recorded: Plain, asked: Plain) -> str:
    """What differs between two requests at one address, as a unified difference, and how to mend it."""
    old, new = _lines(recorded), _lines(asked)
    lines = [_narrow(line) for line in difflib.unified_diff(old, new, "recorded", "asked now", lineterm="", n=2)]
    head = f"The request differs from the one in the journal, at: {address}."
    mend = "Resume with the code, prompts and model the run was recorded with, or branch from an earlier tick to go on with the new ones."
    if not lines:
        same = "The two requests read the same: the engine parameters of the model or the seed of the run have changed."
        return f"{head}\n{same}\nThe request: {_narrow(' / '.join(new))}\n{mend}"
    if len(lines) > LONGEST:
        lines = [*lines[:LONGEST], f"... and {len(lines) - LONGEST} more lines"]
    return "\n".join([head, *lines, mend])


def _lines(request: Plain) -> list[str]:
    lines: list[str] = []
    for name in ("kind", "model", "sampling", "schema", "options", "texts"):
        if name in request:
            lines.append(f"{name}: {_flat(request[name])}")
    for name in ("blocks", "neutral"):
        for block in cast("list[dict[str, Any]]", request.get(name) or []):
            lines.append(f"{name} [{block.get('role')}, from {block.get('origin')}, {block.get('trust')}]")
            lines.extend(f"  {line}" for line in str(block.get("text", "")).splitlines())
    return lines


def _flat(value: Any) -> str:
    if isinstance(value, dict):
        table = cast("dict[str, Any]", value)
        return "{" + ", ".join(f"{key}: {_flat(table[key])}" for key in sorted(table)) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_flat(one) for one in cast("list[Any]", value)) + "]"
    return str(value)


def _narrow(line: str) -> str:
    return line if len(line) <= WIDEST else line[: WIDEST - 3] + "..."
