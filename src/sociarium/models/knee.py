"""How many calls in flight a server can use: as many as bring more calls a second.

By Little's law n calls in flight that take t seconds each are n / t calls a second. On a server that works on all of them t stays, or
grows less than n; on one that queues t grows as n does and nothing is gained. So what counts is not that latency rises (a server
that batches is slower with eight than with one, and does far more) but whether it rises as fast as the calls in flight do. This is
the aim of TCP Vegas (Brakmo & Peterson 1995), with the gain measured instead of a queue assumed, as in PCC (Dong et al. 2015).

The *worth* of n places is the calls a second, n / t, over ``n ** PRICE``: a step that doubles the places must bring a quarter more.

An *epoch* is the first calls that start once the server has settled after the places changed, with all places taken: at least as many as
places, and as many as it takes to know their mean latency to ``PRECISE`` (only growth at the beginning needs less). It is looked at when
``ENOUGH`` of them have ended; to take those that end first would be to take the quick ones. Latencies count up to ``CUT_OFF`` times their
median, and calls still out as that, so that stragglers do not decide. Places double as long as that is worth it (later: half as much
again), go back to the best that is known, and fewer are tried where the best is the fewest. Then they stay for ``HOLD`` epochs, twice as
long after every further attempt. Where the worth of the same places changes by ``SHIFT``, the server has changed: what is known is
forgotten, and where it fell, half the places are tried next.
"""

from __future__ import annotations

import math
import statistics

FEWEST = 16  # calls of an epoch
ENOUGH = 0.9  # part of an epoch's calls that must have ended
MOST = 400
PRICE = math.log2(1.25)
PRECISE = 0.08  # standard error of the mean latency, of itself
CUT_OFF = 2.5
SHIFT = 1.7
HOLD = 2  # epochs, the first time
LONGEST_HOLD = 128
SMOOTHING = 0.3  # weight of a new epoch at places seen before


class Knee:
    """See the module. A call that starts ``joins``; one that joined ``leaves`` when it ends."""

    def __init__(self, ceiling: int) -> None:
        self.ceiling = ceiling
        self._epoch: int = 0
        self.restart()

    def restart(self) -> None:
        """Forget what is known; calls that are out belong to no epoch."""
        self._epoch += 1
        self._members: int = 0
        self._wanted = FEWEST
        self._out: int = 0  # members still out
        self._unsettled: int = 0  # starts still to come before the server's queue is that of the places now
        self._seen: list[float] = []
        self._worth: dict[int, float] = {}  # of places
        self._rough: set[int] = set()  # places whose worth is not known precisely
        self._growth = 2.0
        self._left = 0  # epochs to hold
        self._hold = HOLD

    def joins(self, places: float) -> int:
        """The epoch that a call belongs to which starts now and takes the last place; 0 for none."""
        if self._unsettled > 0:
            self._unsettled -= 1
            return 0
        if self._members >= max(self._wanted, int(places)):
            return 0
        self._members += 1
        self._out += 1
        return self._epoch

    def leaves(self, epoch: int, seconds: float | None, places: float) -> float:
        """The places after a call has ended: in so many ``seconds``, or without an answer."""
        if epoch != self._epoch:
            return places
        self._out -= 1
        if seconds is None:
            self._members -= 1  # another takes its part: an error says nothing of how long an answer takes
        else:
            self._seen.append(seconds)
        if len(self._seen) < FEWEST or len(self._seen) < ENOUGH * self._members or self._members < max(self._wanted, int(places)):
            return places
        top = CUT_OFF * statistics.median(self._seen)
        cut = [min(one, top) for one in self._seen] + [top] * self._out
        mean = max(statistics.fmean(cut), 1e-9)
        precise = self._members >= MOST or statistics.pstdev(cut) <= PRECISE * mean * math.sqrt(len(cut))
        worth = int(places) ** (1.0 - PRICE) / mean
        if not precise and not self._grows(int(places), worth):
            self._wanted = self._members + FEWEST
            return places
        self._epoch += 1
        self._members, self._out, self._wanted = 0, 0, FEWEST
        self._seen.clear()
        chosen = min(self.ceiling, max(1, self._chosen(int(places), worth, precise)))
        if chosen < int(places) or (chosen > int(places) and self._growth < 2.0):
            self._unsettled = chosen
        return float(chosen)

    def _grows(self, places: int, worth: float) -> bool:
        """Whether these are the most places yet, in the first climb, and clearly the best."""
        return self._growth == 2.0 and places > max(self._worth, default=0) and all(worth > 1.2 * one for one in self._worth.values())

    def _chosen(self, places: int, worth: float, precise: bool) -> int:
        known = None if places in self._rough else self._worth.get(places)
        (self._rough.discard if precise else self._rough.add)(places)
        if known is not None and not known / SHIFT < worth < known * SHIFT:
            self._worth = {places: worth}
            self._left, self._hold, self._growth = 0, HOLD, 2.0
            return places // 2 if worth < known else places
        self._worth[places] = worth if known is None else known + SMOOTHING * (worth - known)
        best = max(self._worth, key=lambda at: self._worth[at])
        if best != places and best in self._rough:
            return best  # to be measured better before anything follows from it
        if best < max(self._worth):
            self._growth = 1.5
        if best != places:
            self._left, self._hold = self._hold, min(LONGEST_HOLD, 2 * self._hold)
        if best == min(self._worth) and best > 1 and best < max(self._worth):
            return best // 2
        if best != places:
            return best
        if self._left > 0:
            self._left -= 1
            return places
        larger = [at for at in self._worth if at > places]
        return min(larger) if larger and min(larger) <= 2 * places else max(places + 1, round(places * self._growth))
