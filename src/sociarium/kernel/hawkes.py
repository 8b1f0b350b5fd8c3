"""Who is awake by a Hawkes process: outside events and people's own actions excite activity, by a curve of the day.

The discrete form is that of POSIM (arXiv 2603.23884), exact on its grid of steps; the continuous one is drawn by thinning (Ogata,
"On Lewis' simulation method for point processes", 1981). Times inside are minutes, as rates and decays are a minute's.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.environment import News
from sociarium.kernel.errors import UsageError
from sociarium.kernel.randomness import Stream
from sociarium.kernel.schedule import Calendar
from sociarium.kernel.turn import Phase
from sociarium.kernel.units import DAY, HOUR, MINUTE

AgentIds = NDArray[np.int64]
Floats = NDArray[np.float64]

CURVE = (0.4, 0.3, 0.2, 0.2, 0.2, 0.3, 0.5, 0.7, 0.9, 1, 1, 0.95, 0.85, 0.8, 0.85, 0.9, 0.95, 1, 1.1, 1.15, 1.2, 1.2, 1.1, 0.8)
FORGOTTEN = 1440.0  # minutes after which an event excites nothing


@dataclass(frozen=True, slots=True)
class Excitation:
    """The parameters of the clock (defaults: POSIM's).

    ``background`` mu; ``own_kick`` and ``own_decay``: alpha and beta of people's own actions, beta a minute; ``outside_kick`` and
    ``outside_decay``: the same of outside events. ``awakenings``: an hour, at intensity 1. ``strength``: how much the ``curve`` of the
    day, 24 relative activities, counts, 0 to 1.
    """

    background: float = 0.01
    own_kick: float = 0.005
    own_decay: float = 0.16
    outside_kick: float = 0.08
    outside_decay: float = 0.005
    awakenings: float = 2000.0
    strength: float = 0.3
    curve: tuple[float, ...] = CURVE

    def __post_init__(self) -> None:
        for name in ("background", "own_kick", "own_decay", "outside_kick", "outside_decay", "awakenings"):
            if not 0 <= getattr(self, name) < math.inf:
                raise UsageError(f"Excitation: {name} is {getattr(self, name)}; it must be 0 or more")
        if len(self.curve) != 24 or min(self.curve) < 0 or not 0 <= self.strength <= 1:
            raise UsageError("Excitation: the curve has 24 activities of 0 or more, and its strength lies between 0 and 1")

    def intensity(self, own: float, outside: float, hour: int) -> float:
        """lambda = min(1, (1 - exp(-(mu + X_own))) + (1 - exp(-X_outside))) * c(hour), with c = (1 - s) + s * curve(hour)."""
        excited = -math.expm1(-(self.background + own)) - math.expm1(-outside)
        return min(1.0, excited) * self.of_day(hour)

    def of_day(self, hour: int) -> float:
        """c(hour) = (1 - s) + s * curve(hour)."""
        return (1 - self.strength) + self.strength * self.curve[hour]


class Impulses:
    """Events that excite: their times (minutes) and sizes, those of one moment added up."""

    def __init__(self, times: ArrayLike = (), sizes: ArrayLike = ()) -> None:
        self.times: Floats = np.array(times, np.float64)
        self.sizes: Floats = np.array(sizes, np.float64)

    def add(self, time: float, size: float) -> None:
        if len(self.times) and self.times[-1] == time:
            self.sizes[-1] += size
        else:
            self.times, self.sizes = np.append(self.times, time), np.append(self.sizes, size)

    def forget(self, before: float) -> None:
        if len(self.times) and self.times.min() < before:
            kept = self.times >= before
            self.times, self.sizes = self.times[kept], self.sizes[kept]

    def felt(self, time: float, decay: float, since: float = -math.inf) -> float:
        """The sum of size * exp(-decay * age) over events from ``since`` on and strictly before ``time``."""
        earlier = (self.times < time) & (self.times >= since)
        return float((self.sizes[earlier] * np.exp(-decay * (time - self.times[earlier]))).sum())

    def state(self) -> dict[str, Any]:
        return {"times": self.times.copy(), "sizes": self.sizes.copy()}


@dataclass(frozen=True, slots=True)
class Sources:
    """What excites a clock.

    ``weights``: how much an event of a kind does (``{"platform.liked": 0.01}``), times 1 + ln(1 + followers) / 10 of who did it, where
    ``followers`` tells them. ``outside``: (time in microseconds, influence 0 to 1) of outside events known beforehand, which are part of
    the schedule and not of its state: a branch may plan others. An event of a kind in ``shocks`` is one too, with its ``influence`` column.
    """

    weights: Mapping[str, float] = field(default_factory=dict[str, float])
    followers: Callable[[AgentIds], ArrayLike] | None = None
    outside: Sequence[tuple[int, float]] = ()
    shocks: frozenset[str] = frozenset()


class Hawkes(Calendar):
    """Calendar time in which as many agents wake as the intensity says: Poisson with mean ``awakenings`` * lambda * hours, drawn
    without replacement in proportion to ``activity`` (one weight an agent id; equal where None)."""

    def __init__(
        self,
        phases: Sequence[Phase],
        excitation: Excitation | None = None,
        *,
        step: int,
        duration: int,
        start: int = 0,
        activity: ArrayLike | None = None,
        sources: Sources | None = None,
    ) -> None:
        super().__init__(phases, step=step, duration=duration, start=start)
        self.excitation = excitation or Excitation()
        self.activity = _weights(activity)
        self.sources = sources or Sources()
        self.own = Impulses()
        self.outside = Impulses()
        self.planned = Impulses()
        for time, influence in sorted(self.sources.outside):
            self.planned.add(time / MINUTE, _influence(influence))

    def intensity(self, now: int) -> float:
        """lambda at a moment (microseconds); what happens at that very moment is not in it yet."""
        e, time = self.excitation, now / MINUTE
        own = e.own_kick * self.own.felt(time, e.own_decay)
        felt = self.outside.felt(time, e.outside_decay) + self.planned.felt(time, e.outside_decay, since=time - FORGOTTEN)
        outside = e.outside_kick * felt
        return e.intensity(own, outside, self.hour(now))

    def expected(self, now: int) -> float:
        """The mean number of awakenings in a step that begins at ``now``, before it is capped by how many there are."""
        return self.excitation.awakenings * self.intensity(now) * self.length / HOUR

    def awake(self, number: int, now: int) -> AgentIds:
        stream = self.world.randomness.stream("hawkes", number)
        wanted = poisson(self.expected(now), float(stream.at("count").uniform([0])[0]))
        return drawn(self.world.awake(), wanted, self.activity, stream.at("who"))

    def notice(self, events: Sequence[News]) -> None:
        for news in events:
            if (weight := self.sources.weights.get(news.kind, 0.0)) and len(news):
                told = self.sources.followers
                followers = np.zeros(len(news)) if told is None else np.asarray(told(news.actors), np.float64)
                self.own.add(news.time / MINUTE, float((weight * (1 + np.log1p(followers) / 10)).sum()))
            if news.kind in self.sources.shocks:
                for influence in news.data["influence"].tolist():
                    self.outside.add(news.time / MINUTE, _influence(influence))
        horizon = self.world.clock.time / MINUTE - FORGOTTEN
        self.own.forget(horizon)
        self.outside.forget(horizon)

    def state(self) -> dict[str, Any]:
        return {"own": self.own.state(), "outside": self.outside.state()}

    def load(self, state: Mapping[str, Any]) -> None:
        self.own, self.outside = Impulses(**state["own"]), Impulses(**state["outside"])


@dataclass(frozen=True, slots=True)
class Counts:
    """How many wake in a step: from ``least`` to ``most``, from ``least_after`` to ``most_after`` in the step after an outside event."""

    least: int = 1
    most: int = 10
    least_after: int = 10
    most_after: int = 100

    def __post_init__(self) -> None:
        if not (0 <= self.least <= self.most and 0 <= self.least_after <= self.most_after):
            raise UsageError("Counts: fewest and most awake are whole numbers of 0 or more, the fewest no more than the most")


class Uniform(Calendar):
    """The clock without excitation that POSIM is compared with: a whole number drawn evenly (``counts``), times the curve of the day,
    rounded; drawn in proportion to ``activity``. An outside event of the step before, planned or of a kind in ``sources.shocks``, wakes
    more in this one step; ``sources.weights`` are of no account."""

    def __init__(
        self,
        phases: Sequence[Phase],
        excitation: Excitation | None = None,
        *,
        step: int,
        duration: int,
        start: int = 0,
        activity: ArrayLike | None = None,
        sources: Sources | None = None,
        counts: Counts | None = None,
    ) -> None:
        super().__init__(phases, step=step, duration=duration, start=start)
        self.excitation = excitation or Excitation()
        self.activity = _weights(activity)
        self.sources = sources or Sources()
        self.counts = counts or Counts()
        self.struck = -(2**62)  # when the last outside event was heard of, microseconds; long ago: never

    def expected(self, now: int) -> float:
        """The mean number of awakenings in a step that begins at ``now``, but for rounding."""
        low, high = self._bounds(now)
        return (low + high) / 2 * self.excitation.of_day(self.hour(now))

    def awake(self, number: int, now: int) -> AgentIds:
        stream = self.world.randomness.stream("uniform", number)
        low, high = self._bounds(now)
        count = int(stream.at("count").integers(low, high, [0])[0])
        wanted = round(count * self.excitation.of_day(self.hour(now)))
        return drawn(self.world.awake(), wanted, self.activity, stream.at("who"))

    def notice(self, events: Sequence[News]) -> None:
        for news in events:
            if news.kind in self.sources.shocks and len(news):
                self.struck = max(self.struck, news.time)

    def state(self) -> dict[str, Any]:
        return {"struck": self.struck}

    def load(self, state: Mapping[str, Any]) -> None:
        self.struck = int(state["struck"])

    def _bounds(self, now: int) -> tuple[int, int]:
        before = now - self.length
        struck = before <= self.struck < now or any(before <= time < now for time, _ in self.sources.outside)
        c = self.counts
        return (c.least_after, c.most_after) if struck else (c.least, c.most)


def drawn(agents: AgentIds, wanted: int, activity: Floats | None, stream: Stream) -> AgentIds:
    """``wanted`` of the agents (all, where there are no more), without replacement, in proportion to ``activity``, one weight an id."""
    if activity is not None:
        if len(agents) and int(agents.max()) >= len(activity):
            raise UsageError(
                f"the clock knows the activity of {len(activity)} agents, but agent {int(agents.max())} is here; give each one"
            )
        agents = agents[activity[agents] > 0]
    if wanted >= len(agents):
        return agents
    # The smallest of exponential waits with these rates: drawing without replacement in proportion to them (Efraimidis, Spirakis 2006).
    waits = stream.exponential(agents)
    if activity is not None:
        waits = waits / activity[agents]
    return np.sort(agents[np.argpartition(waits, wanted)[:wanted]]) if wanted else agents[:0]


def _weights(activity: ArrayLike | None) -> Floats | None:
    if activity is None:
        return None
    weights = np.asarray(activity, np.float64)
    if not (np.isfinite(weights) & (weights >= 0)).all():
        raise UsageError("the activity of an agent is its weight when some are woken: 0 or more")
    return weights


def _influence(value: float) -> float:
    if not 0 <= value <= 1:
        raise UsageError(f"the influence of an outside event lies between 0 and 1, not {value}")
    return float(value)


def poisson(mean: float, uniform: float) -> int:
    """The smallest k with P(X <= k) > ``uniform`` for a Poisson variable X, by summing its probabilities around the mean."""
    if mean <= 0:
        return 0
    if mean < 30:
        k, term = 0, math.exp(-mean)
        total = term
        while total <= uniform and term > 0:
            k += 1
            term *= mean / k
            total += term
        return k
    spread = 12 * math.sqrt(mean)
    low, high = max(0, int(mean - spread)), int(mean + spread) + 1
    ks: Floats = np.arange(low, high, dtype=np.float64)
    steps = np.concatenate([[low * math.log(mean) - mean - math.lgamma(low + 1)], math.log(mean) - np.log(ks[1:])])
    total = np.cumsum(np.exp(np.cumsum(steps)))
    return low + int(np.searchsorted(total / total[-1], uniform, side="right"))


@dataclass(frozen=True, slots=True)
class ContinuousHawkes:
    """Events in continuous time: rate mu * curve(t) + sum of kick * decay * exp(-decay * (t - t_j)), so that ``kick`` is the mean number
    of events that one excites by itself. ``background`` mu and ``decay`` are a minute's; ``curve``: 24 relative activities."""

    background: float
    kick: float
    decay: float
    curve: tuple[float, ...] = (1.0,) * 24

    def __post_init__(self) -> None:
        if self.background < 0 or not 0 <= self.kick < 1 or self.decay <= 0 or len(self.curve) != 24 or min(self.curve) < 0:
            raise UsageError("a Hawkes process needs background >= 0, 0 <= kick < 1 (it would explode), decay > 0 and 24 activities")

    def times(self, until: float, stream: Stream, *, outside: ArrayLike = ()) -> Floats:
        """Event times in (0, until), minutes, by thinning: candidates at a rate that is never below the true one, each kept with the
        ratio of the two. ``outside``: times of events that excite and are given. ``stream`` is read at rows 0, 1, 2, ..."""
        given = np.sort(np.asarray(outside, np.float64))
        times: list[float] = []
        drawn = _pairs(stream)
        now, felt, place = 0.0, 0.0, 0
        highest = self.background * max(self.curve)
        while True:
            ceiling = highest + felt
            first, second = next(drawn)
            wait = -math.log1p(-first) / ceiling if ceiling > 0 else math.inf
            if place < len(given) and given[place] < min(now + wait, until):
                felt = felt * math.exp(-self.decay * (given[place] - now)) + self.kick * self.decay
                now, place = float(given[place]), place + 1
                continue  # the wait is drawn anew: it has no memory
            now, before = now + wait, now
            if now >= until:
                return np.array(times)
            felt *= math.exp(-self.decay * (now - before))
            rate = self.background * self.curve[int(now * MINUTE % DAY // HOUR)] + felt
            if second * ceiling < rate:
                times.append(now)
                felt += self.kick * self.decay


def _pairs(stream: Stream) -> Iterator[tuple[float, float]]:
    """Two uniform numbers a row, for rows 0, 1, 2, ..."""
    for start in itertools.count(0, 1024):
        rows = np.arange(start, start + 1024)
        yield from zip(stream.uniform(rows).tolist(), stream.uniform(rows, 1).tolist(), strict=True)
