"""Whether two runs were the same, and where they first differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sociarium.kernel.records import TickRecord
from sociarium.kernel.simulation import Simulation
from sociarium.record.ticks import cleaned, difference, tick_digest, tick_parts
from sociarium.record.tree import survey
from sociarium.testing.errors import ConformanceError

Build = Callable[[], Simulation]


def digest_of(records: Iterable[TickRecord]) -> str:
    """One digest of ticks: events, outcomes, refusals, measures, ended groups and interventions, as a durable record has it."""
    return "-".join(tick_digest(tick_parts(cleaned(record), "", None)) for record in records)


def digest_of_state(state: Mapping[str, Any]) -> str:
    """Digest of a state. Raises RecordError naming the path of anything that is neither an array nor plain data."""
    return survey(state).digest


def ticks_of(simulation: Simulation, ticks: int | None = None) -> list[TickRecord]:
    """Run to the end, or for so many ticks, and return what each left behind."""
    records: list[TickRecord] = []

    def watch(record: TickRecord) -> None:
        records.append(cleaned(record))

    simulation.on_tick.append(watch)
    simulation.run_sync(ticks)
    simulation.on_tick.remove(watch)
    return records


def same_ticks(contract: str, expected: Sequence[TickRecord], found: Sequence[TickRecord]) -> None:
    """Raise ConformanceError naming the first tick and the first column in which two runs differ."""
    if len(expected) != len(found):
        raise ConformanceError(f"{contract}: one run has {len(expected)} ticks, the other {len(found)}")
    for one, other in zip(expected, found, strict=True):
        first, second = tick_parts(one, "", None), tick_parts(other, "", None)
        if tick_digest(first) != tick_digest(second):
            raise ConformanceError(f"{contract}: tick {one.tick} differs in {difference(first, second)}")


def same_state(contract: str, expected: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    """Raise ConformanceError naming the first path in which two states differ."""
    first, second = survey(expected), survey(found)
    if first.digest == second.digest:
        return
    paths = sorted(p for p in {*first.leaves, *second.leaves} if first.leaves.get(p) != second.leaves.get(p))
    raise ConformanceError(f"{contract}: the state differs at {', '.join(paths[:3])}")
