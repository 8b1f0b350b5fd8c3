"""Helpers shared by the tests of environments: runs of the real simulation, and digests of what they leave."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable

import numpy as np
import pytest

from sociarium.kernel.records import TickRecord
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Lanes


def recorded(simulation: Simulation, ticks: int | None = None) -> list[TickRecord]:
    """Run to the end and return every tick."""
    records: list[TickRecord] = []
    simulation.on_tick.append(records.append)
    simulation.run_sync(ticks)
    return records


def digest(records: Iterable[TickRecord]) -> str:
    """Of events, outcomes, refusals and measures."""
    h = hashlib.blake2b(digest_size=8)
    for record in records:
        for e in record.events:
            columns = {name: np.asarray(c).tolist() for name, c in e.data.items()}
            h.update(repr((e.kind, e.ids.tolist(), e.lanes.tolist(), e.turns.tolist(), e.actors.tolist(), columns)).encode())
        for o in record.outcomes:
            h.update(repr((o.phase, o.turn, o.counts, o.agents.tolist())).encode())
        h.update(repr((record.refusals, record.ended.tolist(), sorted(record.applied.items()))).encode())
        h.update(repr({name: np.asarray(v).tolist() for name, v in sorted(record.measures.items())}).encode())
    return h.hexdigest()


def one_by_one(lanes: Lanes) -> list[Lanes]:
    """Every lane alone, the last first."""
    return [lanes.only(np.arange(len(lanes)) == at) for at in reversed(range(len(lanes)))]


def halves(lanes: Lanes) -> list[Lanes]:
    even = np.arange(len(lanes)) % 2 == 0
    return [part for part in (lanes.only(~even), lanes.only(even)) if len(part)]


@pytest.fixture
def same_however_shared() -> Callable[[Callable[[], Simulation]], None]:
    """The same digest whether lanes go together, in halves, or one by one in reverse."""

    def check(build: Callable[[], Simulation]) -> None:
        found: set[str] = set()
        for sharing in (None, halves, one_by_one):
            simulation = build()
            if sharing is not None:
                simulation.sharing = sharing
            found.add(digest(recorded(simulation)))
        assert len(found) == 1

    return check


@pytest.fixture
def same_after_loading() -> Callable[..., None]:
    """A run that is saved half way and loaded into a fresh simulation ends as if nothing had happened."""

    def check(build: Callable[[], Simulation], ticks: int) -> None:
        whole = build()
        expected = recorded(whole)
        first = build()
        head = recorded(first, ticks)
        second = build()
        second.load(first.state())
        tail = recorded(second)
        assert 0 < len(head) < len(expected)
        assert digest([*head, *tail]) == digest(expected)

    return check
