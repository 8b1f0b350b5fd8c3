"""How many calls are in flight to one backend and how fast they start: found at run time, from what the backend bears.

Two limits work together. *Places* bound the calls in flight: they grow by one a success until the first refusal, then by
``STEP`` a round, and shrink when the backend turns a call away. *Pace* bounds the starts a second; it exists only once a call
was turned away, because a server that answers in 10 ms and allows 50 calls a second cannot be held to that by places. After a
refusal the pace is set below the rate at which calls were let in (starts less refusals: unlike successes, they are known at
once when answers are slow), returns to that rate within ``RETURN`` seconds and then probes beyond it, along a cubic (the
window growth of CUBIC, RFC 9438, applied to a rate).

A server may also turn calls away by chance, however slowly they come: it is short of capacity, which all its callers share. Slowing
down cures nothing then, and a limiter that always slows down comes to a stand. So a few refusals (``TOLERATED``) are borne; and where
cuts have not helped, a *trial* goes at a quarter of the pace for a few starts. Under a limit the refusals are gone there; if their
share is the same they come by chance, are borne from then on, and the pace is found anew.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from dataclasses import dataclass, field

CUT_PACE = 0.95  # of the rate at which calls got through
CUT_PLACES = 0.9
DEEPEST_CUT = 0.25  # of the rate of starts: where everything is turned away, one cut must not bring calls to a stand
RETURN = 10.0  # seconds until the pace is back where it was cut
STEP = 4.0  # places
WINDOW = 2.0  # seconds over which the rate of calls let in is measured
SHORTEST = 0.25  # seconds: no rate is taken from less
LEAST = 0.1  # starts a second
CATCH_UP = 0.05  # seconds of starts that a late timer may make up for
TOLERATED = 0.01  # share of refusals that is no reason to slow down
FEW = 10  # starts after a cut before the next
SURPRISES = 2  # cuts that do not help before a trial
RECENT = 200  # starts after which older ones count half
TRIAL_PACE = 0.25
TRIAL = (30, 150)  # starts, as many as it takes to expect
EXPECTED = 9.0  # refusals
TRIAL_EVERY = 20.0  # seconds


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
        self._recent = Seen()  # since the last cut
        self._chance = 0.0  # share of refusals that come by chance
        self._trial: Trial | None = None
        self._surprises = 0  # cuts one after the other at a pace that was borne before
        self._next_trial = 0.0
        self._between = TRIAL_EVERY

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
        self._recent.refusals += 1
        if self._trial is not None:
            self._trial.seen.refusals += 1
        else:
            self._judge(now, self._recent)

    def _judge(self, now: float, recent: Seen) -> None:
        """Calls were turned away: bear it, slow down, or, where a pace that was borne before is turned away now, try a far lower one."""
        pace = self.pace
        if not recent.beyond(max(TOLERATED, 1.1 * self._chance)) or (pace is not None and recent.starts < FEW):
            return
        surprising = pace is not None and pace.at(now) <= pace.top
        self._surprises = self._surprises + 1 if surprising else 0
        if pace is None or self._surprises < SURPRISES or now < self._next_trial:
            self._slow(now, now)
        else:
            self._surprises = 0
            self._trial = Trial(pace.at(now), recent.share)
            self._slow(now, now, TRIAL_PACE * pace.at(now))

    def _slow(self, now: float, since: float, rate: float | None = None) -> None:
        """Cut places and pace, this one to ``rate`` or to what was let in."""
        self._cut = now
        self._doubling = False
        self._recent = Seen()
        self.places = max(1.0, min(self.places, self.flying) * CUT_PLACES)
        if rate is None:
            rate = max(self._let_in(now), DEEPEST_CUT * self._rate(now))
            rate = rate if self.pace is None else min(rate, self.pace.at(now))
        self.pace = Pace(max(rate, LEAST), since)

    def _end_trial(self, now: float, trial: Trial) -> None:
        """By chance: grow anew, as at the beginning. By a limit: on at what it let in; the next trial is later, for each costs time."""
        self._trial, self._recent, self._cut = None, Seen(), now
        if trial.seen.share >= 0.5 * trial.share:
            self._chance = (trial.seen.share + trial.share) / 2
            self.pace, self._doubling = None, True
            self._between = TRIAL_EVERY
        else:
            self._chance = 0.0
            self.pace = Pace(max(LEAST, trial.pace * (1.0 - trial.share)), now)
            self._between *= 2.0
        self._next_trial = now + self._between

    def _let_in(self, now: float) -> float:
        """Calls a second that were started and not refused, over the last window or the time since the first start."""
        for times in (self._starts, self._refusals):
            while times and times[0] < now - WINDOW:
                times.popleft()
        if not self._starts:
            return 0.0
        return (len(self._starts) - len(self._refusals)) / max(SHORTEST, min(WINDOW, now - self._starts[0]))

    def _rate(self, now: float) -> float:
        """Calls started a second, over the same time."""
        return len(self._starts) / max(SHORTEST, min(WINDOW, now - self._starts[0])) if self._starts else 0.0

    def _wait(self, now: float) -> float | None:
        """Seconds until the next start may be made; None while there is no place."""
        if self.flying >= int(self.places):
            return None
        begin = self._pause if self.pace is None else max(self._pause, self.pace.next)
        return max(0.0, begin - now)

    def _take(self, now: float) -> None:
        self.flying += 1
        self._starts.append(now)
        self._recent.start()
        if self.pace is not None:
            self.pace.start(now)
            if self._trial is not None:
                self._trial.seen.start()
                if self._trial.over:
                    self._end_trial(now, self._trial)

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


@dataclass(slots=True)
class Seen:
    """Starts and refusals; older ones count less."""

    starts: float = 0.0
    refusals: float = 0.0

    @property
    def share(self) -> float:
        return self.refusals / max(1.0, self.starts)

    def beyond(self, share: float) -> bool:
        """Whether these are more refusals than chance makes of this share (three standard deviations, and one)."""
        expected = share * self.starts
        return self.refusals > expected + 3.0 * math.sqrt(expected) + 1.0

    def start(self) -> None:
        self.starts += 1.0
        if self.starts >= RECENT:
            self.starts, self.refusals = self.starts / 2, self.refusals / 2


@dataclass(slots=True)
class Trial:
    """A few starts at a quarter of ``pace``, at which ``share`` was refused."""

    pace: float
    share: float
    seen: Seen = field(default_factory=Seen)

    @property
    def over(self) -> bool:
        """Enough starts to expect ``EXPECTED`` refusals, or so many refusals already."""
        return self.seen.starts > min(max(TRIAL[0], EXPECTED / self.share), TRIAL[1]) or self.seen.refusals >= EXPECTED
