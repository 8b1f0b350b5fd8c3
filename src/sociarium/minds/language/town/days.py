"""A day's plan before it is an agenda: hours that are filled, and when a part of it is due to be taken apart. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Literal

from sociarium.kernel.units import DAY, MINUTE
from sociarium.minds.agenda import Agenda

BULLET = re.compile(r"^\s*(?:[-*\u2022]+|\d{1,2}[.)](?!\d))\s+")
TIME = re.compile(
    r"\b(\d{1,2})(?:[:.]\d{2})?(?:\s*([ap])\.?m\b\.?)?(?:\s*(?:-|\u2013|to|until)\s*\d{1,2}(?:[:.]\d{2})?(?:\s*[ap]\.?m\b\.?)?)?", re.I
)
LATE = 23 * 60  # minute of the day from which nothing is taken apart
WHOLE = 60  # minutes: shorter parts are done as they are


@dataclass(frozen=True, slots=True)
class Quirks:
    """What the released code of Generative Agents does otherwise than the paper; all off by default.

    ``one_identity``: a name that the revision of identity speaks of, for everybody. ``sleepless_retry``: a second try at the hours of
    the day has lost the hour of waking, so nobody sleeps. ``stale_daily``: on a new day the daily plan is not made anew.
    (The inversion of recency and its weights are ``retrieval.GENERATIVE_AGENTS_RELEASED``.)
    """

    one_identity: str = ""
    sleepless_retry: bool = False
    stale_daily: bool = False


Hours = Literal["items", "list", "each", "choices"]


@dataclass(frozen=True, slots=True)
class PlanRules:
    """``hours``: how the hours are filled: from the daily plan's own hours (``items``, no question), by one ``list``, by a question for
    ``each`` hour as the released code does, or by ``choices`` among what the agent may do, which stand in the place of a daily plan too.
    ``steps``: whether blocks are taken apart. ``first``: the date of day 1. ``tries`` and
    ``distinct``: the hours are asked for again until they hold so many different activities, where replies are drawn at all.
    ``stock``: whether one takes stock of oneself on a new day; ``top``: memories that then come to mind.
    ``sleeps``: words of activities that are sleep."""

    hours: Hours = "list"
    steps: bool = True
    first: date | None = None
    tries: int = 3
    distinct: int = 5
    stock: bool = True
    top: int = 30
    sleeps: tuple[str, ...] = ("sleep",)
    quirks: Quirks = field(default_factory=Quirks)


@dataclass(slots=True)
class Day:
    """One agent's day: its number, the hour of waking, the plan in a few items (hour, activity) and the agenda that it became."""

    number: int
    agenda: Agenda
    wake: int = 7
    items: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])

    def plain(self) -> dict[str, Any]:
        return {"number": self.number, "wake": self.wake, "items": [list(item) for item in self.items], "agenda": self.agenda.plain()}

    @classmethod
    def of(cls, plain: Any) -> Day:
        items = [(int(hour), str(what)) for hour, what in plain["items"]]
        return cls(int(plain["number"]), Agenda.load(plain["agenda"]), int(plain["wake"]), items)


def minute_of(time: int) -> int:
    """The minute of the day."""
    return int(time % DAY // MINUTE)


def dated(time: int, first: date | None) -> str:
    """The day in words: of the calendar where the first day has a date, else by its number."""
    day = int(time // DAY)
    return f"{first + timedelta(days=day):%A %d %B %Y}" if first is not None else f"day {day + 1}"


def hours_from(items: Sequence[tuple[int, str]], wake: int, asleep: str, first: str) -> list[str]:
    """24 activities: asleep before waking, then each item from its hour on; ``first`` fills what comes before the first item."""
    ordered = sorted(items, key=lambda item: item[0])
    filled: list[str] = []
    for hour in range(24):
        begun = [what for at, what in ordered if at <= hour]
        filled.append(asleep if hour < wake else begun[-1] if begun else first)
    return filled


def items_in(text: str, *, longest: int = 120, most: int = 8) -> list[tuple[int, str]]:
    """(hour, activity) of the lines of a written plan that hold an hour: ``8:00 bake bread``, ``- 9 pm: read``, ``1) walk at 3:30 p.m.``"""
    found: dict[int, str] = {}
    for line in text.splitlines():
        plain = BULLET.sub("", line)
        read = TIME.search(plain)
        if read is None:
            continue
        hour, half = int(read[1]) % 24, (read[2] or "").casefold()[:1]
        if half and hour <= 12:
            hour = hour % 12 + (12 if half == "p" else 0)
        words = f"{plain[: read.start()]} {plain[read.end() :]}".strip(' \t-:.,;\u2013\u2014*"')
        words = words.removesuffix(" at").strip()
        if words and len(found) < most:
            found.setdefault(hour, words[:longest])
    return sorted(found.items())


def agenda_of(hours: Sequence[str], sleeps: Sequence[str]) -> Agenda:
    """An agenda from 24 activities; those that hold one of the words ``sleeps`` are sleep."""
    asleep = {what for what in hours if any(word in what.casefold() for word in sleeps)}
    return Agenda.hourly(hours, asleep=asleep)


def to_take_apart(agenda: Agenda, minute: int) -> list[int]:
    """Blocks to be taken apart now: the one that is on and the one in an hour, each where it is whole, an hour or longer, no sleep, and
    begun (or looked at) before 23:00."""
    due: list[int] = []
    for moment in (minute, minute + 60):
        if moment >= LATE:
            continue
        entry = agenda.entries[agenda.at(moment)]
        whole = sum(other.block == entry.block for other in agenda.entries) == 1
        if whole and entry.minutes >= WHOLE and not entry.asleep and entry.block not in due:
            due.append(entry.block)
    return due
