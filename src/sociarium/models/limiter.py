"""How many calls are in flight to one backend and how fast they start: found at run time, from what the backend bears.

Three things work together. *Places* bound the calls in flight. They begin at ``START`` and double while that brings more calls a second
(``sociarium.models.knee``: a server that queues gets no more in flight), until the first call that the backend turns away; from then
on they grow by ``STEP`` a round and shrink when it turns another away. *Pace* bounds the starts a second; it exists only once a call
was turned away, because a server that answers in 10 ms and allows 50 calls a second cannot be held to that by places. After a
refusal the pace is set below the rate at which calls were let in (starts less refusals: unlike successes, they are known at
once when answers are slow), returns to that rate within ``RETURN`` seconds and then probes beyond it, along a cubic (the
window growth of CUBIC, RFC 9438, applied to a rate).

A server may also turn calls away by chance, however slowly they come: it is short of capacity, which all its callers share. Slowing
down cures nothing then, and a limiter that always slows down comes to a stand. So a few refusals (``TOLERATED``) are borne; and where
cuts have not helped, a *trial* goes at a quarter of the pace for a few starts. Under a limit the refusals are gone there; if their
share is the same they come by chance, are borne from then on, and the pace is found anew.

*Overdue* calls give up their places: one that has been out for ``LATE`` times the usual (median) time of a call, and at least
``SOONEST`` seconds, counts no longer, so that a few that hang do not hold up all others. It keeps its budget and its time limit. No more
than ``LENT`` times the ceiling, and ``MOST_LENT``, are overdue at once, so calls in flight are bounded by the ceiling and that; a refusal
halves what may be lent, as the server then does count them, and every reply gives a little back.
"""

from __future__ import annotations

import asyncio
import math
import statistics
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from sociarium.models.knee import Knee

START = 16  # places, to begin with
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
LATE = 2.5  # times the median
SOONEST = 0.1  # seconds: nothing is overdue before
UNKNOWN = 10.0  # seconds after which a call is overdue while nothing is known
SAMPLE = 64  # latencies of which the median is taken
FEWEST = 8  # fewer tell nothing
LENT = 8  # overdue calls, times the ceiling
MOST_LENT = 512  # and in all: each holds a connection
RECOVERY = 0.01  # of a ceiling, by which what may be lent grows with each reply


class Ticket:
    """A place in use. ``epoch``: of ``Knee``, to which its time is told."""

    __slots__ = ("epoch", "overdue", "start")

    def __init__(self, start: float, epoch: int) -> None:
        self.start = start
        self.epoch = epoch
        self.overdue = False


class Limiter:
    """First come, first served. Use: ``ticket = await acquire()``, then exactly one ``release(ticket, ...)``."""

    def __init__(self, ceiling: int, *, start: int = START, elastic: bool = True) -> None:
        """``ceiling``: the most calls that hold a place. ``elastic``: seek how many the backend can use, and let overdue calls give
        up their places; not for a backend that takes calls in batches."""
        self.ceiling = max(1, ceiling)
        self.places = float(min(self.ceiling, start))
        self.pace: Pace | None = None
        self._lent = float(min(MOST_LENT, LENT * self.ceiling)) if elastic else 0.0  # the most that may be lent
        self.lendable = self._lent
        self._knee = Knee(self.ceiling) if elastic else None
        self._seeking = True  # until the first refusal that is not by chance
        self._flying: dict[Ticket, None] = {}  # in the order of their starts
        self._overdue = 0
        self._pause = 0.0  # no start before this moment
        self._cut = -1.0  # when the last cut was made
        self._waiting: deque[_Place] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0  # when it looks again; kept here, for not every loop's handles tell
        self._starts: deque[float] = deque(maxlen=16_384)
        self._refusals: deque[float] = deque(maxlen=16_384)
        self._latencies: deque[float] = deque(maxlen=SAMPLE)
        self._fresh = 0  # latencies since the median was taken
        self._late = UNKNOWN
        self._recent = Seen()  # since the last cut
        self._chance = 0.0  # share of refusals that come by chance
        self._trial: Trial | None = None
        self._surprises = 0  # cuts one after the other at a pace that was borne before
        self._next_trial = 0.0
        self._between = TRIAL_EVERY

    @property
    def flying(self) -> int:
        """Calls that hold a place."""
        return len(self._flying)

    @property
    def overdue(self) -> int:
        """Calls that are out and have given up their place."""
        return self._overdue

    async def acquire(self, owner: object = None) -> Ticket:
        """Wait for a place and the right moment. ``owner``: whose waits ``abort`` may end, where several services share a limiter."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        if not self._waiting and self._wait(now) == 0.0:
            return self._take(now)
        place: asyncio.Future[Ticket] = loop.create_future()
        self._waiting.append(_Place(place, owner))
        self._pump()
        try:
            return await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled() and place.exception() is None:
                self._give(place.result())  # granted and cancelled in the same step
            raise

    def release(self, ticket: Ticket, *, good: bool = False, refused: bool = False, wish: float | None = None) -> None:
        """A call ended: ``good``, ``refused`` by a rate limit (``wish``: its Retry-After, seconds), or neither."""
        now = asyncio.get_running_loop().time()
        if good:
            self._good(now - ticket.start)
        elif refused:
            self._refused(now, ticket, wish)
        if self._knee is not None and self._seeking and ticket.epoch:
            self.places = self._knee.leaves(ticket.epoch, now - ticket.start if good else None, self.places)
        self._give(ticket)

    def abort(self, error: BaseException, owner: object = None) -> None:
        """End the waits of this owner with this error, or all of them."""
        kept: deque[_Place] = deque()
        for one in self._waiting:
            if owner is not None and one.owner is not owner:
                kept.append(one)
            elif not one.place.done():
                one.place.set_exception(error)
        self._waiting = kept

    def _good(self, seconds: float) -> None:
        self._latencies.append(seconds)
        self._fresh += 1
        if self._fresh >= FEWEST:
            self._fresh = 0
            self._late = max(SOONEST, LATE * statistics.median(self._latencies))
        self.lendable = min(self._lent, self.lendable + RECOVERY * self.ceiling)
        if not self._seeking:
            self.places = min(float(self.ceiling), self.places + STEP / self.places)

    def _refused(self, now: float, ticket: Ticket, wish: float | None) -> None:
        self._refusals.append(now)
        if wish is not None:
            self._pause = max(self._pause, now + wish)
        if ticket.start <= self._cut:
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
        self._seeking = False
        self._recent = Seen()
        self.places = max(1.0, min(self.places, self.flying) * CUT_PLACES)
        if self._overdue:
            self.lendable = 0.5 * min(self.lendable, self._overdue)
        if rate is None:
            rate = max(self._let_in(now), DEEPEST_CUT * self._rate(now))
            rate = rate if self.pace is None else min(rate, self.pace.at(now))
        self.pace = Pace(max(rate, LEAST), since)

    def _end_trial(self, now: float, trial: Trial) -> None:
        """By chance: grow anew, as at the beginning. By a limit: on at what it let in; the next trial is later, for each costs time."""
        self._trial, self._recent, self._cut = None, Seen(), now
        if trial.seen.share >= 0.5 * trial.share:
            self._chance = (trial.seen.share + trial.share) / 2
            self.pace, self._seeking = None, True
            if self._knee is not None:
                self._knee.restart()
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
        """Seconds until the next start may be made; None while there is no place, and none that will be overdue."""
        begin = self._pause if self.pace is None else max(self._pause, self.pace.next)
        if self.flying < int(self.places):
            return max(0.0, begin - now)
        if self._overdue + 1 > self.lendable:
            return None
        oldest = next(iter(self._flying))
        late = oldest.start + self._late - now
        if late > 0.0:
            return max(late, begin - now)
        del self._flying[oldest]
        oldest.overdue = True
        self._overdue += 1
        return self._wait(now)

    def _take(self, now: float) -> Ticket:
        last = self._knee is not None and self._seeking and self.flying + 1 >= int(self.places)
        ticket = Ticket(now, self._knee.joins(self.places) if self._knee is not None and last else 0)
        self._flying[ticket] = None
        self._starts.append(now)
        self._recent.start()
        if self.pace is not None:
            self.pace.start(now)
            if self._trial is not None:
                self._trial.seen.start()
                if self._trial.over:
                    self._end_trial(now, self._trial)
        return ticket

    def _give(self, ticket: Ticket) -> None:
        if ticket.overdue:
            self._overdue -= 1
        else:
            del self._flying[ticket]
        self._pump()

    def _due(self) -> None:
        self._timer = None
        self._pump()

    def _pump(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            if self._waiting[0].place.done():
                self._waiting.popleft()
                continue
            now = loop.time()
            wait = self._wait(now)
            if wait is None:
                return
            if wait > 0.0:
                if self._timer is None or self._timer_at > now + wait:  # one that comes sooner looks again
                    if self._timer is not None:
                        self._timer.cancel()
                    self._timer_at = now + wait
                    self._timer = loop.call_at(self._timer_at, self._due)
                return
            self._waiting.popleft().place.set_result(self._take(now))


class _Place(NamedTuple):
    """A wait."""

    place: asyncio.Future[Ticket]
    owner: object


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
