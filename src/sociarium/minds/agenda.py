"""A day's agenda: what one means to do, block by block, from midnight to midnight, and how it is mended when something comes between.

As the schedules of Generative Agents (Park et al., arXiv 2304.03442, section 4.3 and its released code): hourly blocks that are taken
apart into smaller steps when their time comes. The minutes of a day are always 1,440.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sociarium.kernel.errors import UsageError

DAY = 1440  # minutes


@dataclass(frozen=True, slots=True)
class Entry:
    """Something to do for ``minutes``. ``block`` numbers the part of the day that it belongs to; ``place`` is where, -1 not said."""

    activity: str
    minutes: int
    block: int = 0
    place: int = -1
    asleep: bool = False


class Agenda:
    """The entries of one day, in order. Every change leaves 1,440 minutes, none of them shorter than one."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.entries = list(entries)
        total = sum(entry.minutes for entry in self.entries)
        if total != DAY or any(entry.minutes < 1 for entry in self.entries):
            raise UsageError(f"an agenda has {total} minutes in {len(self.entries)} entries; it must have {DAY}, one or more in each")

    @classmethod
    def of(
        cls, blocks: Sequence[tuple[str, int]], *, asleep: Iterable[str] = ("sleeping",), places: Mapping[str, int] | None = None
    ) -> Agenda:
        """From (activity, minutes), scaled to a day where they are not one; equal neighbours become one block."""
        merged: list[tuple[str, int]] = []
        for activity, minutes in blocks:
            if merged and merged[-1][0] == activity:
                merged[-1] = (activity, merged[-1][1] + minutes)
            elif minutes > 0:
                merged.append((activity, minutes))
        if not merged or len(merged) > DAY:
            raise UsageError(f"an agenda needs 1 to {DAY} things to do, not {len(merged)}")
        lengths = shared([minutes for _, minutes in merged], DAY)
        sleeping, where = set(asleep), places or {}
        return cls(
            Entry(activity, minutes, block, where.get(activity, -1), activity in sleeping)
            for block, ((activity, _), minutes) in enumerate(zip(merged, lengths, strict=True))
        )

    @classmethod
    def hourly(cls, activities: Sequence[str], **settings: Any) -> Agenda:
        """From one activity an hour, 24 of them."""
        if len(activities) != 24:
            raise UsageError(f"an hourly agenda has 24 activities, not {len(activities)}")
        return cls.of([(activity, 60) for activity in activities], **settings)

    def at(self, minute: int) -> int:
        """Which entry a minute of the day lies in."""
        end = 0
        for number, entry in enumerate(self.entries):
            end += entry.minutes
            if minute < end:
                return number
        raise UsageError(f"minute {minute} is not in a day of {DAY}")

    def begin(self, number: int) -> int:
        """The minute at which an entry begins."""
        return sum(entry.minutes for entry in self.entries[:number])

    def left(self, minute: int) -> int:
        """Minutes left of what is on at a minute."""
        number = self.at(minute)
        return self.begin(number) + self.entries[number].minutes - minute

    def take_apart(self, block: int, steps: Sequence[tuple[str, int]], *, places: Mapping[str, int] | None = None) -> None:
        """Put smaller steps in the place of a block that is still whole; their minutes are scaled to its own."""
        mine = [number for number, entry in enumerate(self.entries) if entry.block == block]
        if len(mine) != 1:
            raise UsageError(f"block {block} of the agenda is in {len(mine)} parts; only a whole one is taken apart")
        whole = self.entries[mine[0]]
        kept = [(activity, max(1, minutes)) for activity, minutes in steps if activity][: whole.minutes]
        if not kept:
            return
        lengths = shared([minutes for _, minutes in kept], whole.minutes)
        where = places or {}
        parts = [
            replace(whole, activity=activity, minutes=minutes, place=where.get(activity, whole.place))
            for (activity, _), minutes in zip(kept, lengths, strict=True)
        ]
        self.entries[mine[0] : mine[0] + 1] = parts

    def insert(self, minute: int, activity: str, minutes: int, *, place: int = -1) -> Entry:
        """Something comes between at ``minute``. What was before stays; what is left of the block is shortened in proportion, no step
        of it lost; where the block is too short for that, the following blocks give way too. What does not fit into the day is cut."""
        number = self.at(minute)
        now, begin = self.entries[number], self.begin(number)
        before = self.entries[:number]
        if minute > begin:
            before.append(replace(now, minutes=minute - begin))
        rest = [replace(now, minutes=begin + now.minutes - minute), *self.entries[number + 1 :]]
        minutes = min(max(1, minutes), DAY - minute)
        pieces, length = 0, 0
        while pieces < len(rest) and (length < minutes + pieces or rest[pieces].block == now.block):
            length += rest[pieces].minutes
            pieces += 1
        room = length - minutes
        lengths = shared([entry.minutes for entry in rest[:pieces]], room)
        inserted = Entry(activity, minutes, now.block, place)
        shortened = [replace(entry, minutes=short) for entry, short in zip(rest[:pieces], lengths, strict=True) if short]
        self.entries = [*before, inserted, *shortened, *rest[pieces:]]
        return inserted

    def plain(self) -> list[list[Any]]:
        return [[e.activity, e.minutes, e.block, e.place, e.asleep] for e in self.entries]

    @classmethod
    def load(cls, rows: Iterable[Sequence[Any]]) -> Agenda:
        return cls(Entry(str(a), int(m), int(b), int(p), bool(s)) for a, m, b, p, s in rows)


def shared(weights: Sequence[int], total: int) -> list[int]:
    """``total`` shared out in proportion to ``weights`` by largest remainders, each at least 1 while there is enough for that; the first
    ones get what there is where there is not."""
    count = len(weights)
    if total <= count:
        return [1 if number < total else 0 for number in range(count)]
    whole = sum(weights)
    exact = [total * weight / whole if whole else total / count for weight in weights]
    shares = [int(part) for part in exact]
    order = sorted(range(count), key=lambda number: (shares[number] - exact[number], number))
    for number in order[: total - sum(shares)]:
        shares[number] += 1
    for number in [number for number in range(count) if not shares[number]]:
        longest = max(range(count), key=lambda other: (shares[other], -other))
        shares[longest] -= 1
        shares[number] = 1
    return shares
