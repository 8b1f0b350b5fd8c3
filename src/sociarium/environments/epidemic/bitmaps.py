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

CHUNK = 64  # agents in a chunk
GUIDE = 4096  # cells of the guide to drawn lengths: so many that most hold no threshold
FOR_GOOD = 32767  # ``model.FOR_GOOD``
NEVER_ENDS, FIXED, DRAWN = 0, 1, 2  # kinds of durations

_0, _1, _6, _63 = np.uint64(0), np.uint64(1), np.uint64(6), np.uint64(63)


@_compiled
def found_out(first: int, last: int, day: int, stage: Any, until: Any, sends: Any, opened: Any, sending: Any, who: Any) -> Any:
    """Both bitmaps of the agents of the words from ``first`` to ``last``, and whose stage will end (``who``): (susceptible, who send, how
    many of these)."""
    susceptible, senders, count = 0, 0, _0
    for word in range(first, last):
        one, other = _0, _0
        start = word << 6
        for agent in range(start, min(start + 64, len(stage))):
            now = stage[agent]
            one |= np.uint64(now == 0) << np.uint64(agent - start)
            other |= np.uint64(sends[now]) << np.uint64(agent - start)
            susceptible += now == 0
            senders += sends[now]
            who[count] = agent
            count += np.uint64((now != 0) & (until[agent] != FOR_GOOD) & (until[agent] >= day))
        opened[word], sending[word] = one, other
    return susceptible, senders, np.int64(count)


@_compiled
def booked(agents: Any, until: Any, table: Any) -> None:
    """Put into the timetable those of these agents whose stage ends."""
    heads, fill, pool, link, free, top = table  # outside the loop: taking a tuple apart counts references
    for at in range(len(agents)):
        agent = np.uint64(agents[at])
        day = np.uint64(until[agent])
        if day == FOR_GOOD:
            continue
        place = fill[day]
        if place == CHUNK:
            top[0] -= 1
            chunk = free[top[0]]
            link[chunk], heads[day] = heads[day], chunk
            place = 0
        pool[heads[day], place] = agent
        fill[day] = place + 1


@_compiled
def ending(first: int, last: int, day: int, stage: Any, leaving: Any, table: Any, left: Any, was: Any) -> Any:
    """Whose stage ends today, ascending, and which it is, of the words from ``first`` to ``last``; they leave the timetable. ``leaving``:
    a bitmap of zeros, which puts them in order and is left so."""
    heads, fill, pool, link, free, top = table
    chunk, held = np.int64(heads[day]), np.int64(fill[day])
    if chunk < 0:
        return np.int64(0)
    heads[day], fill[day] = -1, CHUNK
    while chunk >= 0:
        for place in range(held):
            agent = np.uint64(pool[chunk, place])
            leaving[agent >> _6] |= _1 << (agent & _63)
        free[top[0]] = chunk
        top[0] += 1
        chunk, held = np.int64(link[chunk]), np.int64(CHUNK)
    count = _0
    for word in range(first, last):
        found = leaving[word]
        if found != _0:
            leaving[word] = _0
            while found != _0:
                agent = (np.uint64(word) << _6) + trailing_zeros(found)
                found &= found - _1
                left[count], was[count] = agent, stage[agent]
                count += _1
    return np.int64(count)


@_compiled
def entered(agents: Any, was: Any, day: int, key: Any, sends: Any, lengths: Any, state: Any, bitmaps: Any) -> Any:
    """Each of these agents enters the stage that follows the one it was in, as in ``model.enter``; lengths are drawn as
    ``Duration.lengths`` says. ``state``: stages, last days, days of infection. Returns how many more are susceptible, and how many
    more send."""
    kinds, days, counts, thresholds, guide = lengths
    stage, until, infected = state
    opened, sending = bitmaps
    again, more = 0, 0
    for at in range(len(agents)):
        agent, before = np.uint64(agents[at]), np.int64(was[at])
        into = before + 1 if before < 3 else np.int64(0)
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
        word, bit = agent >> _6, _1 << (agent & _63)
        if into == 1:
            infected[agent] = day
            opened[word] &= ~bit
        elif into == 0:
            opened[word] |= bit
        sending[word] = (sending[word] & ~bit) | (bit * np.uint64(sends[into]))
        again += np.int64(into == 0) - np.int64(into == 1)
        more += np.int64(sends[into]) - np.int64(sends[before])
    return again, more
