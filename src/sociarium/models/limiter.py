"""How many calls are in flight to one backend and how fast they start: found at run time, from what the backend bears.

Two limits work together. *Places* bound the calls in flight: they grow by one a success until the first refusal, then by
``STEP`` a round, and shrink when the backend turns a call away. *Pace* bounds the starts a second; it exists only once a call
was turned away, because a server that answers in 10 ms and allows 50 calls a second cannot be held to that by places. After a
refusal the pace is set below the rate at which calls were let in (starts less refusals: unlike successes, they are known at
once when answers are slow), returns to that rate within ``RETURN`` seconds and then probes beyond it, along a cubic (the
window growth of CUBIC, RFC 9438, applied to a rate).
"""

from __future__ import annotations

import asyncio
from collections import deque

CUT_PACE = 0.95  # of the rate at which calls got through
CUT_PLACES = 0.9
RETURN = 10.0  # seconds until the pace is back where it was cut
STEP = 4.0  # places
WINDOW = 2.0  # seconds over which the rate of calls let in is measured
SHORTEST = 0.25  # seconds: no rate is taken from less
LEAST = 0.1  # starts a second
CATCH_UP = 0.05  # seconds of starts that a late timer may make up for


class Limiter:
    """First come, first served. Use: ``ticket = await acquire()``, then exactly one ``release(ticket, ...)``."""

    def __init__(self, ceiling: int, *, start: int = 32) -> None:
        """``ceiling``: the most calls in flight, never passed."""
        self.ceiling = max(1, ceiling)
        self.places = float(min(self.ceiling, start))
        self.flying = 0
        self.pace: Pace | None = None
        self._doubling = True  # doubling a round, until the first refusal
        self._pause = 0.0  # no start before this moment
        self._cut = -1.0  # when the last cut was made
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._starts: deque[float] = deque(maxlen=16_384)
        self._refusals: deque[float] = deque(maxlen=16_384)

    async def acquire(self) -> float:
        """Wait for a place and the right moment. The ticket is the moment of the start, in the loop's seconds."""
        loop = asyncio.get_running_loop()
        if not self._waiting and self._wait(loop.time()) == 0.0:
            self._take(loop.time())
            return loop.time()
        place: asyncio.Future[None] = loop.create_future()
        self._waiting.append(place)
        self._pump()
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled() and place.exception() is None:
                self._give()  # granted and cancelled in the same step
            raise
        return loop.time()

    def release(self, ticket: float, *, good: bool = False, refused: bool = False, wish: float | None = None) -> None:
        """A call ended: ``good``, ``refused`` by a rate limit (``wish``: its Retry-After, seconds), or neither."""
        now = asyncio.get_running_loop().time()
        if good:
            self.places = min(float(self.ceiling), self.places + (1.0 if self._doubling else STEP / self.places))
        elif refused:
            self._refused(now, ticket, wish)
        self._give()

    def abort(self, error: BaseException) -> None:
        """End all waits with this error."""
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_exception(error)

    def _refused(self, now: float, ticket: float, wish: float | None) -> None:
        self._refusals.append(now)
        if wish is not None:
            self._pause = max(self._pause, now + wish)
        if ticket <= self._cut:
            return  # it started before the last cut and says nothing about what came after
        self._cut = now
        self._doubling = False
        self.places = max(1.0, min(self.places, self.flying) * CUT_PLACES)
        rate = self._let_in(now)
        if self.pace is not None:
            rate = min(rate, self.pace.at(now))
        self.pace = Pace(max(rate, LEAST), now)

    def _let_in(self, now: float) -> float:
        """Calls a second that were started and not refused, over the last window or the time since the first start."""
        for times in (self._starts, self._refusals):
            while times and times[0] < now - WINDOW:
                times.popleft()
        if not self._starts:
            return 0.0
        return (len(self._starts) - len(self._refusals)) / max(SHORTEST, min(WINDOW, now - self._starts[0]))

    def _wait(self, now: float) -> float | None:
        """Seconds until the next start may be made; None while there is no place."""
        if self.flying >= int(self.places):
            return None
        begin = self._pause if self.pace is None else max(self._pause, self.pace.next)
        return max(0.0, begin - now)

    def _take(self, now: float) -> None:
        self.flying += 1
        self._starts.append(now)
        if self.pace is not None:
            self.pace.start(now)

    def _give(self) -> None:
        self.flying -= 1
        self._pump()

    def _pump(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        loop = asyncio.get_running_loop()
        while self._waiting:
            if self._waiting[0].done():
                self._waiting.popleft()
                continue
            wait = self._wait(loop.time())
            if wait is None:
                return
            if wait > 0.0:
                self._timer = loop.call_later(wait, self._pump)
                return
            self._take(loop.time())
            self._waiting.popleft().set_result(None)


class Pace:
    """Starts a second after a cut at ``since`` from ``top``: back at ``top`` after ``RETURN`` seconds, then beyond."""

    def __init__(self, top: float, since: float) -> None:
        self.top = top
        self.since = since
        self.next = since

    def at(self, now: float) -> float:
        turn = (now - self.since) / RETURN - 1.0
        return self.top * min(1000.0, 1.0 + (1.0 - CUT_PACE) * turn**3)

    def start(self, now: float) -> None:
        self.next = max(self.next, now - CATCH_UP) + 1.0 / self.at(now)
