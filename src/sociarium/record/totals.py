"""What all committed ticks of a run come to. A resumed run has played only its last ticks itself: the rest is in the record."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sociarium.kernel.records import TickRecord
from sociarium.record.connection import connect_reader, reading
from sociarium.record.journal import reasoning_tokens
from sociarium.record.ticks import load_measure

USED = ("calls", "prompt_tokens", "cached_tokens", "completion_tokens", "money")
COPIED = {"cache": "cached", "shared": "shared"}  # journal entries that cost nothing, by their source


@dataclass(slots=True)
class Totals:
    """Counts over all ticks. ``last`` has times, measures and ended groups of the last tick; None before the first."""

    turns: Counter[str] = field(default_factory=Counter[str])  # agent-turns by outcome
    fallbacks: int = 0
    applied: Counter[str] = field(default_factory=Counter[str])
    refused: Counter[str] = field(default_factory=Counter[str])
    events: Counter[str] = field(default_factory=Counter[str])
    reasons: Counter[str] = field(default_factory=Counter[str])  # why agent-turns did not end well
    used: dict[str, int] = field(default_factory=dict[str, int])  # live calls, money in millionths of a dollar; ``cached``, ``shared``
    last: TickRecord | None = None


def totals(folder: Path) -> Totals:
    """Read from the record alone. Raises RecordError where it is damaged."""
    reader = connect_reader(folder)
    try:
        with reading(folder):
            return _totals(reader)
    finally:
        reader.close()


def _totals(reader: Any) -> Totals:
    found = Totals()
    for counts, fallbacks in reader.execute("SELECT counts, fallbacks FROM outcomes"):
        found.turns.update({str(name): int(count) for name, count in json.loads(counts).items()})
        found.fallbacks += int(fallbacks)
    for counts, applied in reader.execute("SELECT counts, applied FROM ticks"):
        found.events.update({str(name): int(count) for name, count in json.loads(counts).items()})
        found.applied.update({str(name): int(count) for name, count in json.loads(applied).items()})
    found.refused.update({str(k): int(n) for k, n in reader.execute("SELECT action, count(*) FROM refusals GROUP BY action")})
    why = "SELECT reason, count(*) FROM outcome_rows WHERE reason != '' GROUP BY reason"
    found.reasons.update({str(reason): int(count) for reason, count in reader.execute(why)})
    sums = reader.execute(f"SELECT {', '.join(f'coalesce(sum({name}), 0)' for name in USED)} FROM journal WHERE source = 'live'").fetchone()
    found.used = dict(zip(USED, map(int, sums), strict=True)) | dict.fromkeys(COPIED.values(), 0)
    own = "SELECT source, count(*) FROM journal WHERE source IN ('cache', 'shared') AND tick >= ? GROUP BY source"
    copied = reader.execute(own, (_begun(reader),))
    thinking = "SELECT attempts FROM journal WHERE source = 'live' AND attempts LIKE '%reasoning_tokens%'"
    found.used["reasoning_tokens"] = sum(reasoning_tokens(json.loads(attempts)) for (attempts,) in reader.execute(thinking))
    found.used.update({COPIED[str(source)]: int(count) for source, count in copied})
    found.last = _last(reader)
    return found


def _begun(reader: Any) -> int:
    """The first tick that is this run's own: what a branch has from before was its parent's."""
    row = reader.execute("SELECT value FROM meta WHERE key = 'manifest'").fetchone()
    parent = json.loads(row[0]).get("parent") if row is not None else None
    return int(parent["at"]) if parent else 0


def _last(reader: Any) -> TickRecord | None:
    row = reader.execute("SELECT tick, time, until, ended FROM ticks ORDER BY tick DESC LIMIT 1").fetchone()
    if row is None:
        return None
    query = "SELECT name, dtype, shape, data FROM measures WHERE tick = ? ORDER BY place"
    measures = {str(name): load_measure(dtype, shape, data) for name, dtype, shape, data in reader.execute(query, (row[0],))}
    return TickRecord(int(row[0]), int(row[1]), int(row[2]), measures=measures, ended=np.array(json.loads(row[3]), np.int64))
