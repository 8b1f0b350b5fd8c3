"""Errors a user can meet. Each says what was wrong, where, and how to mend it; the command line shows one clear line."""

from __future__ import annotations


class SociariumError(Exception):
    """The base of all our errors. ``exit_code`` is what the command line ends with."""

    exit_code = 1


class UsageError(SociariumError):
    """Something the user gave is wrong: an unknown name, a value out of range, a broken file."""

    exit_code = 2


class RecordError(SociariumError):
    """A run folder cannot be read or written as it should be."""

    exit_code = 3


class ModelError(SociariumError):
    """A model cannot be reached or used at all (a single failed call is an outcome, not an error)."""

    exit_code = 4


class BudgetSpent(SociariumError):
    """A budget has ended: a clean, resumable stop. ``limit`` is its name (calls, tokens, money, seconds), empty where it has none."""

    exit_code = 5

    def __init__(self, message: str, limit: str = "") -> None:
        super().__init__(message)
        self.limit = limit


class ReplayMismatch(RecordError):
    """A re-run asked something else than the journal holds at that address, or ended a tick in another digest."""

    exit_code = 6


class Interrupted(SociariumError):
    """Stopped by the user: resumable."""

    exit_code = 130
