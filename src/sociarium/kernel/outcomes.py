"""How an agent-turn ended. Each one ends in exactly one of these (law 4)."""

from __future__ import annotations

from enum import IntEnum


class Status(IntEnum):
    """The outcome of one agent's turn. ``fallback`` is marked beside it where a stated default stood in."""

    OK = 0  # decided, legal at the first try
    REPAIRED = 1  # legal after one recorded repair
    DECLINED = 2  # the model refused to answer
    MALFORMED = 3  # unreadable, also after the repair
    ILLEGAL = 4  # readable, but outside the legal set
    TIMED_OUT = 5  # no answer within the time allowed
    FAILED = 6  # the backend failed for good
    SKIPPED = 7  # nothing was asked: a budget ended, or the agent had no choice


STATUS_NAMES = tuple(status.name.lower() for status in Status)
GOOD = (Status.OK, Status.REPAIRED)
