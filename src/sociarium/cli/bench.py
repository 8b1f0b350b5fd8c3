"""bench NAME: our figure beside the raw library's or a peer's, from one run on this machine."""

from __future__ import annotations

import importlib
import os
import pkgutil
from typing import Annotated

from cyclopts import Parameter

from sociarium.cli import benches
from sociarium.cli.console import emit_json, number, show_table
from sociarium.kernel.errors import UsageError
from sociarium.lab.documents import finite


def bench(name: str, *, json: Annotated[bool, Parameter(negative=(), help="machine-readable output")] = False) -> int:
    """Measure. A bench never judges: ratio is ours over the reference, smaller is better; goal is the largest ratio wanted."""
    known = sorted(module.name for module in pkgutil.iter_modules(benches.__path__))
    if name not in known:
        raise UsageError(f"there is no bench {name!r}; there are {', '.join(known)}")
    rows = importlib.import_module(f"{benches.__name__}.{name}").run()
    if json:
        emit_json(finite({"bench": name, "cores": os.cpu_count(), "rows": rows}))
        return 0
    shown = [
        (
            r["case"],
            r["unit"],
            number(r["ours"]),
            number(r["reference"]),
            r["reference_name"],
            number(r["ratio"]),
            number(r["goal"]),
            r["limit"] or "–",
        )
        for r in rows
    ]
    show_table(
        name, ["case", "unit", "ours", "reference", "which", "ratio", "goal", "limit"], shown, numbers=[2, 3, 5, 6], folds=[0, 1, 4, 7]
    )
    return 0
