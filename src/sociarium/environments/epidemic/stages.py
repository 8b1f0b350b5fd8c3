"""What an engine keeps beside the state, so that a day passes over those it concerns alone: who is susceptible and who sends, a bit an
agent; and whose stage ends on which day. All of it is found out from the state whenever that was changed from outside; none is saved.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.epidemic import bitmaps, kernels
from sociarium.environments.epidemic.disease import Disease, Stage
from sociarium.environments.epidemic.model import EpidemicState
from sociarium.environments.epidemic.workshop import Workshop

Array = NDArray[Any]
DAYS = 1 << 16  # days are kept in 16 bits


class Timetable:
    """Agents by the last day of their stage, in chunks: at most four bytes an agent, and room for a chunk a day."""

    def __init__(self, agents: int) -> None:
        chunks = agents // bitmaps.CHUNK + min(agents, DAYS) + 1
        self.heads, self.fill = np.full(DAYS, -1, np.int32), np.full(DAYS, bitmaps.CHUNK, np.int32)
        self.pool = np.empty((chunks, bitmaps.CHUNK), np.int32)  # pages that are never written take no memory
        self.link, self.free = np.empty(chunks, np.int32), np.arange(chunks, dtype=np.int32)[::-1].copy()
        self.top = np.array([chunks], np.int64)

    @property
    def arrays(self) -> tuple[Array, ...]:
        return self.heads, self.fill, self.pool, self.link, self.free, self.top


@dataclass(slots=True)
class _Kept:
    """``bitmaps``: who is susceptible, who sends, and one of zeros. ``tables``: a timetable a part."""

    bitmaps: tuple[Array, Array, Array]
    tables: list[Timetable]
    susceptible: int
    senders: int


class Stages:
    """Who is in which stage. Each thread has a part of the agents, whole words of the bitmaps, and the timetable of these."""

    def __init__(self, workshop: Workshop, size: int, disease: Disease, sends: NDArray[np.bool_]) -> None:
        self.workshop, self.size, self.sends = workshop, size, sends
        self.parts = workshop.parts((size + 63) // 64)
        self.lengths = _lengths(disease)
        self._kept: _Kept | None = None

    @property
    def opened(self) -> NDArray[np.uint64]:
        """Who is susceptible, a bit an agent."""
        return self._now.bitmaps[0]

    @property
    def sending(self) -> NDArray[np.uint64]:
        """Who is in a stage that sends anything in any layer, a bit an agent."""
        return self._now.bitmaps[1]

    @property
    def susceptible(self) -> int:
        return self._now.susceptible

    @property
    def senders(self) -> int:
        return self._now.senders

    def forget(self) -> None:
        self._kept = None

    def open(self, state: EpidemicState) -> None:
        """Find out what is not known."""
        if self._kept is not None:
            return
        words = (self.size + 63) // 64
        one, other, empty = np.empty(words, np.uint64), np.empty(words, np.uint64), np.zeros(words, np.uint64)
        tables = [Timetable(min(last * 64, self.size) - min(first * 64, self.size)) for first, last in self.parts]

        def work(number: int) -> tuple[int, int]:
            first, last = self.parts[number]
            who = self.workshop.room(f"left {number}", (last - first) * 64 + 1, np.int32)
            susceptible, senders, count = bitmaps.found_out(first, last, state.day, state.stage, state.until, self.sends, one, other, who)
            bitmaps.booked(who[:count], state.until, tables[number].arrays)
            return susceptible, senders

        counts = self.workshop.each(work)
        self._kept = _Kept((one, other, empty), tables, sum(n for n, _ in counts), sum(n for _, n in counts))

    def joined(self, agents: Array, until: Array) -> None:
        """These agents, who were susceptible, were exposed from outside (``until`` of all is given)."""
        if (kept := self._kept) is None:
            return
        for number, chosen in enumerate(self._split(agents)):
            bitmaps.booked(chosen, until, kept.tables[number].arrays)
        kernels.flip(kept.bitmaps[0], agents)
        kept.susceptible -= len(agents)
        if self.sends[Stage.EXPOSED]:
            kernels.flip(kept.bitmaps[1], agents)
            kept.senders += len(agents)

    def passed(self, state: EpidemicState, infected: NDArray[np.int64], key: int) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """Whose stage ends today enters the next, and the infected are exposed, in place: who left a stage, ascending, and which."""
        kept, chosen, draw = self._now, self._split(infected), np.uint64(key)

        def work(number: int) -> tuple[Array, Array, int, int]:
            first, last = self.parts[number]
            table, room = kept.tables[number].arrays, (last - first) * 64 + 1
            left, was = self.workshop.room(f"left {number}", room, np.int32), self.workshop.room(f"was {number}", room, np.uint8)
            count = bitmaps.ending(first, last, state.day, state.stage, kept.bitmaps[2], table, left, was)
            left, was, again, more = left[:count], was[:count], 0, 0
            arrays = (state.stage, state.until, state.infected)
            for agents, before in ((left, was), (chosen[number], np.zeros(len(chosen[number]), np.uint8))):
                counts = bitmaps.entered(agents, before, state.day, draw, self.sends, self.lengths, arrays, kept.bitmaps[:2])
                bitmaps.booked(agents, state.until, table)
                again, more = again + counts[0], more + counts[1]
            return left, was, again, more

        done = self.workshop.each(work)
        kept.susceptible += sum(again for _, _, again, _ in done)
        kept.senders += sum(more for _, _, _, more in done)
        return np.concatenate([left for left, _, _, _ in done]).astype(np.int64), np.concatenate([was for _, was, _, _ in done])

    @property
    def _now(self) -> _Kept:
        assert self._kept is not None
        return self._kept

    def _split(self, agents: Array) -> list[Array]:
        """Ascending agents, by part."""
        cuts = np.searchsorted(agents, [last * 64 for _, last in self.parts[:-1]])
        return np.split(agents, cuts)


def _lengths(disease: Disease) -> tuple[Array, ...]:
    """Of each stage: kind of duration, days, how many thresholds, these, and how many of them are below each cell of the guide."""
    kinds, days, counts = np.zeros(5, np.int64), np.zeros(5, np.int64), np.zeros(5, np.int64)
    known: list[Array] = [np.empty(0)] * 5
    for stage in Stage:
        duration = disease.duration(stage)
        kinds[stage] = (bitmaps.DRAWN if duration.drawn else bitmaps.FIXED) if duration.ends else bitmaps.NEVER_ENDS
        days[stage] = int(duration.days) if duration.ends else 0
        known[stage] = duration.thresholds() if duration.ends and duration.drawn else known[stage]
        counts[stage] = len(known[stage])
    thresholds, guide = np.ones((5, max(1, counts.max()))), np.zeros((5, bitmaps.GUIDE), np.int32)
    for stage, each in enumerate(known):
        thresholds[stage, : len(each)] = each
        guide[stage] = np.searchsorted(each, np.arange(bitmaps.GUIDE) / bitmaps.GUIDE, side="left")
    return kinds, days, counts, thresholds, guide
