"""Several servers of one model: who gets the next call, and who rests.

A call goes to the server with the fewest calls in flight for its weight, so that a fast server gets more than a slow one of the same
weight; among equals they take turns, each as often as its weight says. A server that fails ``TRIPS`` times running rests: for
``REST`` seconds, then twice as long after each trial that fails, at most ``LONGEST``. After its rest one call is let through as a
trial, and the others follow once that has come back well. Where all rest, the one whose rest ends first is tried anyway: nothing
is ever refused here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

TRIPS = 3
REST = 1.0  # seconds
LONGEST = 60.0
UNHEALTHY = frozenset({
    "unavailable", "reset", "connect_timeout", "read_timeout", "server_error", "misaligned", "truncated",
    "unauthorised",  # it refuses at once and so is free at once: it would draw the calls of all others and fail them
})  # fmt: skip


@dataclass(slots=True)
class Endpoint:
    """One server and what is known of its health. ``base`` has no slash at its end; times are the loop's."""

    base: str
    weight: float = 1.0
    flying: int = 0
    credit: float = 0.0  # grows by the weight each time that its turn could have come
    failures: int = 0  # running
    rests: int = 0  # running
    until: float = 0.0  # rests before this moment
    trial: bool = False  # a call is out that says whether it is well again
    known: bool = False  # asked what it serves since it was last unwell

    def ready(self, now: float) -> bool:
        return now >= self.until and not (self.rests and self.trial)


class Endpoints:
    """The servers of one model."""

    def __init__(self, bases: Sequence[str], weights: Sequence[float] | None = None) -> None:
        self.all = tuple(Endpoint(base, weight) for base, weight in zip(bases, weights or [1.0] * len(bases), strict=True))

    @property
    def several(self) -> bool:
        return len(self.all) > 1

    def take(self, now: float) -> Endpoint:
        """The server for the next call. Give it back by ``give``."""
        ready = [one for one in self.all if one.ready(now)]
        chosen = _turn(ready) if ready else min(self.all, key=lambda one: one.until)
        chosen.flying += 1
        chosen.trial = chosen.rests > 0
        return chosen

    def wait(self, now: float) -> float | None:
        """Seconds until a server may be asked again; None where one may be now."""
        return None if any(one.ready(now) for one in self.all) else max(0.0, min(one.until for one in self.all) - now)

    def give(self, one: Endpoint, now: float, failure: str | None, wish: float | None = None) -> None:
        """A call ended: well, with a failure of this kind, or (``""``) without saying anything about the server, as a call that was
        cut off. ``wish``: seconds for which the server asked to be left alone."""
        one.flying -= 1
        was_trial, one.trial = one.trial, False
        if failure is None:
            one.failures = one.rests = 0
            one.until = 0.0
        elif wish is not None and self.several:
            one.until = max(one.until, now + wish)
        elif failure in UNHEALTHY:
            one.failures += 1
            if self.several and (one.failures >= TRIPS or was_trial):
                self.rest(one, now)

    def rest(self, one: Endpoint, now: float) -> None:
        """A server that was found to be away."""
        one.until = now + min(LONGEST, REST * 2.0**one.rests)
        one.rests = min(one.rests + 1, 10)
        one.failures = 0
        one.known = False


def _turn(ready: Sequence[Endpoint]) -> Endpoint:
    """Smooth weighted turns among those with the least load."""
    least = min(one.flying / one.weight for one in ready)
    equal = [one for one in ready if one.flying / one.weight == least]
    for one in equal:
        one.credit += one.weight
    chosen = max(equal, key=lambda one: one.credit)
    chosen.credit -= sum(one.weight for one in equal)
    return chosen
