"""Simulated time is a whole number of microseconds, so that sums never drift."""

from __future__ import annotations

Microseconds = int

SECOND: Microseconds = 1_000_000
MINUTE: Microseconds = 60 * SECOND
HOUR: Microseconds = 60 * MINUTE
DAY: Microseconds = 24 * HOUR
WEEK: Microseconds = 7 * DAY
MONTH: Microseconds = 30 * DAY  # a month of thirty days: scenarios count months, not calendar pages


def seconds(value: float) -> Microseconds:
    """Seconds as whole microseconds, rounded to the nearest."""
    return round(value * SECOND)


def clock(time: Microseconds) -> str:
    """``day 3, 14:05`` for people."""
    day, rest = divmod(time, DAY)
    hours, rest = divmod(rest, HOUR)
    return f"day {day + 1}, {hours:02d}:{rest // MINUTE:02d}"
