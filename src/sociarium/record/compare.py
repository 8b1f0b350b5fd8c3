"""Why a re-run tick is not the recorded one, in one line a user can act on."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sociarium.kernel.protocols import Address
from sociarium.kernel.records import TickRecord
from sociarium.record.ticks import difference, event_columns, first_row, tick_parts
from sociarium.record.tree import Survey

if TYPE_CHECKING:
    from sociarium.record.run import RunRecord


def explain(
    run: RunRecord,
    reader: sqlite3.Connection,
    record: TickRecord,
    now: Mapping[str, str],
    found: Survey | None,
    used: Mapping[Address, str],
) -> str:
    """The message of a ReplayMismatch: tick, first part that differs, and where inside it."""
    tick = record.tick
    recorded = run.tick(tick)
    replies, state = reader.execute("SELECT replies, state FROM ticks WHERE tick = ?", (tick,)).fetchone()
    name = difference(tick_parts(recorded, replies, state), now)
    detail = _detail(name, recorded, record)
    if name == "state" and found is not None:
        detail = difference(_leaves(reader, tick), found.leaves)
    if name == "replies":
        detail = _reply(run.journal.addresses(tick), used)
    where = f"{name} ({detail})" if detail else name
    return (
        f"Tick {tick} of {run.folder} does not repeat: {where}. The scenario, its parameters or the code changed since it was"
        " recorded, or something in it is not deterministic."
    )


def _detail(name: str, recorded: TickRecord, record: TickRecord) -> str:
    if name.startswith("measure "):
        key = name.removeprefix("measure ")
        if key in recorded.measures and key in record.measures:
            return first_row(recorded.measures[key], record.measures[key])
    for before, after in zip(recorded.events, record.events, strict=False):
        head = f"events {before.kind} (phase {before.phase}, "
        if name.startswith(head) and before.kind == after.kind:
            column = name.split("), ", 1)[1]
            old, new = event_columns(before), event_columns(after)
            if column in old and column in new and len(before) == len(after):
                return first_row(old[column], new[column])
            if len(before) != len(after):
                return f"{len(before)} events recorded, {len(after)} now"
    return ""


def _reply(recorded: Mapping[Address, str], used: Mapping[Address, str]) -> str:
    for address in sorted({*recorded, *used}):
        if address not in used:
            return f"{address} was asked then, not now"
        if address not in recorded:
            return f"{address} is asked now, not then"
    return "the same addresses with other replies"


def _leaves(reader: sqlite3.Connection, tick: int) -> dict[str, str]:
    """Digests of the state's leaves after a tick, put together from the changes."""
    leaves: dict[str, str] = {}
    query = "SELECT leaves FROM ticks WHERE tick <= ? AND leaves IS NOT NULL ORDER BY tick"
    for (text,) in reader.execute(query, (tick,)):
        change: dict[str, Any] = json.loads(text)
        if "all" in change:
            leaves = dict(change["all"])
            continue
        leaves.update(change["changed"])
        for path in change["gone"]:
            leaves.pop(path, None)
    return leaves
