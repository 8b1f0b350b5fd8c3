"""What a record of a community tells: versions of the design, and threads with all that was written in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sociarium.environments.social.thread_table import SHIFT


@dataclass(frozen=True, slots=True)
class Said:
    """One utterance. ``breach``: -1, or which of the design's breaches; ``kind``: posted, replied or inserted."""

    position: int
    actor: int
    parent: int
    breach: int
    text: str
    kind: str
    version: int


@dataclass(slots=True)
class Told:
    """One thread. ``sort``: opened, what_if or multiverse; a copy of ``origin`` up to ``since``."""

    number: int
    tick: int
    sort: str = "opened"
    origin: int = -1
    since: int = 0
    broken: bool = False
    lines: list[Said] = field(default_factory=list[Said])

    @property
    def version(self) -> int:
        return self.lines[0].version if self.lines else 0


@dataclass(frozen=True, slots=True)
class History:
    """The first community of a run. ``people``: agent -> (name, phrase); ``edits``: tick, version, goal."""

    people: dict[int, tuple[str, str]]
    threads: list[Told]
    edits: list[tuple[int, int, str]]

    def opened(self, version: int | None = None) -> list[Told]:
        """Threads that are no answers to questions, and in which something was written; of one version, or of all."""
        return [one for one in self.threads if one.sort == "opened" and one.lines and version in (None, one.version)]

    def branches(self, number: int) -> list[Told]:
        """Answers to questions about a thread."""
        return [one for one in self.threads if one.origin == number]


def read(folder: Path) -> History:
    """From a run folder."""
    from sociarium.record.frames import frames

    tables = frames(folder)
    try:
        kinds = tables.kinds()

        def rows(kind: str, *columns: str) -> list[Any]:
            """Of the first community: lanes of threads begin with the group, those of other events are the group."""
            if kind not in kinds:
                return []
            first = 1 << SHIFT if kind in ("threads.posted", "threads.replied") else 1
            found = tables.events(kind).collect()
            return found.filter(found["lane"] < first).select("tick", "actor", *columns).rows()

        members = tables.agents(kind="member").select("id", "name", "phrase").rows()
        threads: dict[int, Told] = {}
        for kind in ("posted", "replied", "inserted"):
            for tick, actor, thread, *line in rows(f"threads.{kind}", "thread", "position", "parent", "breach", "text", "version"):
                at, parent, breach, text, version = line
                told = threads.setdefault(thread, Told(thread, tick))
                told.lines.append(Said(at, actor, parent, breach, text, kind, version))
        for _, _, thread, sort, origin, since, broken in rows("threads.closed", "thread", "sort", "origin", "since", "broken"):
            told = threads.setdefault(thread, Told(thread, 0))
            told.sort, told.origin, told.since, told.broken = sort, origin, since, broken
        ordered = [threads[number] for number in sorted(threads)]
        _complete(ordered)
        edits = [(tick, version, goal) for tick, _, version, goal in rows("threads.edited", "version", "goal")]
        return History({int(i): (str(name), str(phrase)) for i, name, phrase in members}, ordered, edits)
    finally:
        tables.close()


def _complete(threads: Sequence[Told]) -> None:
    """Copies get the lines that they share with their original; a copy of a copy comes after it."""
    by_number = {one.number: one for one in threads}
    for told in threads:
        if told.origin >= 0:
            told.lines += [line for line in by_number[told.origin].lines if line.position < told.since]
        told.lines.sort(key=lambda line: line.position)
