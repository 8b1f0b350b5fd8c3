"""Kernels on what is kept of who is in which stage: a bit an agent, and a timetable of the days on which stages end.

A timetable (``Timetable`` in ``stages.py``) is, for each day, a chain of chunks of agents; ``top`` counts the chunks that are free. An
agent whose stage ends is in exactly one chunk, so nobody has to be asked on other days.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from sociarium.environments.epidemic.intrinsics import trailing_zeros
from sociarium.environments.epidemic.kernels import uniform

_compiled = numba.njit(cache=True, nogil=True, boundscheck=False)
_inlined = numba.njit(cache=True, nogil=True, boundscheck=False, inline="always")

CHUNK = 64  # agents in a chunk
GUIDE = 4096  # cells of the guide to drawn lengths: so many that most hold no threshold
FOR_GOOD = 32767  # ``model.FOR_GOOD``
NEVER_ENDS, FIXED, DRAWN = 0, 1, 2  # kinds of durations

_0, _1, _6, _63 = np.uint64(0), np.uint64(1), np.uint64(6), np.uint64(63)


@_inlined
def _put(table: Any, day: Any, agent: Any) -> None:
    heads, fill, pool, link, free, top = table
    place = fill[day]
    if place == CHUNK:
        top[0] -= 1
        chunk = free[top[0]]
        link[chunk], heads[day] = heads[day], chunk
        place = 0
    pool[heads[day], place] = agent
    fill[day] = place + 1


@_inlined
def _enter(agent: Any, into: Any, day: Any, key: Any, lengths: Any, stage: Any, until: Any, table: Any) -> None:
    """As ``model.enter``; the length is drawn as ``Duration.lengths`` says."""
    kinds, days, counts, thresholds, guide = lengths
    last = np.int64(FOR_GOOD)
    if kinds[into] == DRAWN:
        number = uniform(key, agent, 0)
        below = np.int64(guide[into, np.int64(number * GUIDE)])
        while below < counts[into] and thresholds[into, below] <= number:
            below += 1
        last = min(day + 1 + below, np.int64(FOR_GOOD - 1))
    elif kinds[into] == FIXED:
        last = day + days[into]
    stage[agent], until[agent] = into, last
    if kinds[into] != NEVER_ENDS:
        _put(table, last, agent)


@_compiled
def found_out(first: int, last: int, day: int, stage: Any, until: Any, sends: Any, opened: Any, sending: Any, table: Any) -> Any:
    """Both bitmaps and the timetable of the agents of the words from ``first`` to ``last``: (susceptible, who send)."""
    susceptible, senders = 0, 0
    for word in range(first, last):
        one, other = _0, _0
        start = word << 6
        for agent in range(start, min(start + 64, len(stage))):
            now, ends = stage[agent], np.int64(until[agent])
            one |= np.uint64(now == 0) << np.uint64(agent - start)
            other |= np.uint64(sends[now]) << np.uint64(agent - start)
            susceptible += now == 0
            senders += sends[now]
            if now != 0 and ends != FOR_GOOD and ends >= day:
                _put(table, ends, agent)
        opened[word], sending[word] = one, other
    return susceptible, senders


@_compiled
def ended(
    first: int,
    last: int,
    day: int,
    key: Any,
    sends: Any,
    lengths: Any,
    stage: Any,
    until: Any,
    bitmaps: Any,
    table: Any,
    left: Any,
    was: Any,
) -> Any:
    """Whose stage ends today enters the next: (how many, more susceptible, more who send). ``left``: they, ascending; ``was``: their stage
    before. ``bitmaps``: susceptible, sending, and one of zeros, which is left so: it puts them in order."""
    opened, sending, leaving = bitmaps
    heads, fill, pool, link, free, top = table
    chunk, held = np.int64(heads[day]), np.int64(fill[day])
    heads[day], fill[day] = -1, CHUNK
    count, again, more = _0, 0, 0
    if chunk < 0:
        return 0, 0, 0
    while chunk >= 0:
        for place in range(held):
            agent = np.uint64(pool[chunk, place])
            leaving[agent >> _6] |= _1 << (agent & _63)
        free[top[0]] = chunk
        top[0] += 1
        chunk, held = np.int64(link[chunk]), CHUNK
    for word in range(first, last):
        found = leaving[word]
        if found == _0:
            continue
        leaving[word] = _0
        back, on, off = _0, _0, _0
        while found != _0:
            agent = (np.uint64(word) << _6) + trailing_zeros(found)
            bit = found & (~found + _1)
            found ^= bit
            now = np.int64(stage[agent])
            into = now + 1 if now < 3 else 0
            left[count], was[count] = agent, now
            count += _1
            _enter(agent, into, day, key, lengths, stage, until, table)
            back |= bit * np.uint64(into == 0)
            on |= bit * np.uint64(sends[into])
            off |= bit * np.uint64(sends[now])
            again += into == 0
            more += np.int64(sends[into]) - np.int64(sends[now])
        opened[word] |= back
        sending[word] = (sending[word] & ~off) | on
    return np.int64(count), again, more


@_compiled
def caught(
    agents: Any, day: int, key: Any, sends: Any, lengths: Any, stage: Any, until: Any, infected: Any, bitmaps: Any, table: Any
) -> None:
    """These agents, who were susceptible, are exposed."""
    opened, sending, _ = bitmaps
    for place in range(len(agents)):
        agent = np.uint64(agents[place])
        _enter(agent, 1, day, key, lengths, stage, until, table)
        infected[agent] = day
        opened[agent >> _6] &= ~(_1 << (agent & _63))
        sending[agent >> _6] |= np.uint64(sends[1]) << (agent & _63)


@_compiled
def joined(agents: Any, until: Any, sends: Any, bitmaps: Any, table: Any) -> None:
    """These agents, who were susceptible, were exposed by somebody else."""
    opened, sending, _ = bitmaps
    for place in range(len(agents)):
        agent = np.uint64(agents[place])
        opened[agent >> _6] &= ~(_1 << (agent & _63))
        sending[agent >> _6] |= np.uint64(sends[1]) << (agent & _63)
        if until[agent] != FOR_GOOD:
            _put(table, np.int64(until[agent]), agent)
