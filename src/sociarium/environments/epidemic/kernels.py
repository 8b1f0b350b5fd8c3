"""The day's loops, compiled by Numba. Imported only where the extra ``fast`` is installed; ``fast.py`` says what they are for.

All of them sum whole numbers and draw by agent, so their results do not depend on the order of contacts or on how agents are shared
out over threads. They release the GIL. Indices are unsigned where that saves a check, and rows of contacts are fetched ahead.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from sociarium.environments.epidemic.intrinsics import prefetch, trailing_zeros

_compiled = numba.njit(cache=True, nogil=True, boundscheck=False)
_inlined = numba.njit(cache=True, nogil=True, boundscheck=False, inline="always")

SLACK = 1e-12  # more than 1 - exp(-x) can exceed x by rounding: nobody who is infected is missed
ROWS, EDGES = 16, 8  # how many senders ahead the start of a row, and the row, are fetched

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_SECOND = np.uint64(0xD1B54A32D192ED03)
_MIX_A, _MIX_B = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)
_0, _1, _6, _32, _63 = np.uint64(0), np.uint64(1), np.uint64(6), np.uint64(32), np.uint64(63)
_LOW_HALF = np.uint64(0xFFFFFFFF)


@_inlined
def _mixed(x: Any) -> Any:
    x = (x ^ (x >> _S30)) * _MIX_A
    x = (x ^ (x >> _S27)) * _MIX_B
    return x ^ (x >> _S31)


@_inlined
def uniform(key: Any, row: Any, index: Any) -> Any:
    """``kernel.randomness.Stream.uniform`` of one row: the same number."""
    x = _mixed(np.uint64(row) * _GOLDEN + key)
    if index:
        x = _mixed(x + np.uint64(index + 1) * _SECOND)
    return np.float64(np.int64(x >> _S11)) * 2.0**-53


@_inlined
def _bit(bits: Any, place: Any) -> Any:
    return (bits[place >> _6] >> (place & _63)) & _1


@_compiled
def senders(bits: Any, first: int, last: int, stage: Any, infected: Any, active: Any, day: int, agents: Any, since: Any) -> Any:
    """Agents of the words from ``first`` to ``last`` who send anything in any layer, ascending; ``since``: the column of the emission
    tables of each. ``bits``: who is in a stage that sends on some day. ``active``: whether it does so many days after infection,
    (stages, columns)."""
    columns = active.shape[1]
    kept = _0
    for word in range(first, last):
        found = bits[word]
        while found != _0:
            agent = (np.uint64(word) << _6) + trailing_zeros(found)
            found &= found - _1
            if columns == 1:
                agents[kept], since[kept] = agent, 0
                kept += _1
            else:
                column = np.uint64(min(np.int64(day) - np.int64(infected[agent]), columns - 1))
                agents[kept], since[kept] = agent, column
                kept += np.uint64(active[np.uint64(stage[agent]), column])
    return np.int64(kept)


@_compiled
def sent_in(agents: Any, since: Any, stage: Any, table: Any, sends: Any, who: Any, units: Any) -> Any:
    """Of the senders, those who send in this layer, and how much. ``sends`` is empty where everyone may."""
    count = _0
    free = len(sends) == 0
    for place in range(len(agents)):
        agent = agents[place]
        unit = table[stage[agent], since[place]]
        who[count], units[count] = agent, unit
        count += np.uint64(unit != 0 and (free or sends[agent]))
    return np.int64(count)


@_compiled
def push(starts: Any, targets: Any, who: Any, units: Any, first: int, bits: Any, hits: Any) -> Any:
    """Open targets of the senders from ``first`` on, with what each is sent, until ``hits`` is full: (next sender, hits held, contacts
    looked at)."""
    held, room, count, visited = _0, np.uint64(len(hits)), len(who), _0
    for place in range(first, count):
        if place + ROWS < count:
            prefetch(starts, np.int64(who[place + ROWS]))
        if place + EDGES < count:
            row = np.int64(starts[who[place + EDGES]])
            prefetch(targets, row)
            prefetch(targets, row + 9)
        agent, unit = who[place], np.uint64(units[place])
        edge, end = np.uint64(starts[agent]), np.uint64(starts[agent + 1])
        if held + (end - edge) >= room:
            return place, np.int64(held), np.int64(visited)
        visited += end - edge
        while edge < end:
            target = np.uint64(np.uint32(targets[edge]))
            hits[held] = (target << _32) | unit
            held += _bit(bits, target)
            edge += _1
    return count, np.int64(held), np.int64(visited)


@_compiled
def push_drawn(
    contacts: int, key: Any, members: Any, bounds: Any, group: Any, who: Any, units: Any, first: int, bits: Any, hits: Any
) -> Any:
    """``push`` to contacts drawn today among the members of one's own world."""
    held, room, count = _0, np.uint64(len(hits)), len(who)
    everyone = len(members) == 0
    for place in range(first, count):
        agent, unit = who[place], np.uint64(units[place])
        if held + np.uint64(contacts) >= room:
            return place, np.int64(held), (place - first) * contacts
        world = np.int64(group[agent]) if len(bounds) > 2 else np.int64(0)
        start, size = bounds[world], np.float64(bounds[world + 1] - bounds[world])
        for index in range(contacts):
            drawn = start + np.int64(uniform(key, agent, index) * size)
            target = np.uint64(drawn) if everyone else np.uint64(members[drawn])
            hits[held] = (target << _32) | unit
            held += _bit(bits, target)
    return count, np.int64(held), (count - first) * contacts


@_compiled
def add(hits: Any, force: Any, reached: Any) -> bool:
    """Add what was sent; ``reached``: who was sent anything, a bit an agent. False where a sum left 32 bits."""
    wrapped = False
    for place in range(len(hits)):
        hit = hits[np.uint64(place)]
        target, unit = hit >> _32, np.uint32(hit & _LOW_HALF)
        total = np.uint32(force[target] + unit)
        wrapped |= total < unit
        force[target] = total
        reached[target >> _6] |= _1 << (target & _63)
    return not wrapped


@_compiled
def sweep(force: Any, reached: Any, first: int, last: int, touched: Any) -> Any:
    """Agents of the words from ``first`` to ``last`` whom anyone reached, ascending. Sums the rows of ``force`` (one a thread) into the
    first, leaves the others and ``reached`` zero."""
    count, rows = _0, force.shape[0]
    for word in range(first, last):
        found = reached[0, word]
        for row in range(1, rows):
            found |= reached[row, word]
        if found == _0:
            continue
        for row in range(rows):
            reached[row, word] = _0
        while found != _0:
            agent = (np.uint64(word) << _6) + trailing_zeros(found)
            found &= found - _1
            for row in range(1, rows):
                force[0, agent] += force[row, agent]
                force[row, agent] = 0
            touched[count] = agent
            count += _1
    return np.int64(count)


@_compiled
def candidates(
    touched: Any, force: Any, mixed: Any, trait: Any, receptivity: Any, inverse: float, key: Any, who: Any, drawn: Any, hazard: Any
) -> Any:
    """Those among ``touched`` whose number may be below their probability. Leaves ``force`` zero.

    A candidate is infected where drawn < 1 - exp(-hazard), which NumPy says: one exponential for all engines.
    """
    count = _0
    alone = len(mixed) == 1
    for place in range(len(touched)):
        agent = touched[place]
        rate = receptivity[trait[agent]] * (np.float64(force[agent]) * inverse + mixed[0 if alone else agent])
        force[agent] = 0
        number = uniform(key, agent, 0)
        who[count], drawn[count], hazard[count] = agent, number, rate
        count += np.uint64(number < rate + SLACK)
    return np.int64(count)


@_compiled
def hopeful(opened: Any, first: int, last: int, degrees: Any, reach: Any, trait: Any, rates: Any, key: Any, who: Any, drawn: Any) -> Any:
    """Agents of the words from ``first`` to ``last``, of those whose bit is set, who could be infected by as many contacts as they have:
    ascending, with the number drawn for each. ``degrees``: (layers, agents). ``reach``: what so many contacts send at most, (layers, 256).

    1 - exp(-h) <= h / (1 + h / 2), because exp(-h) >= (1 - h / 2) / (1 + h / 2).
    """
    count, layers, alone = _0, degrees.shape[0], len(rates) == 1
    for word in range(first, last):
        found = opened[word]
        while found != _0:
            agent = (np.uint64(word) << _6) + trailing_zeros(found)
            found &= found - _1
            most = reach[0, degrees[0, agent]]
            for layer in range(1, layers):
                most += reach[layer, degrees[layer, agent]]
            most *= rates[0] if alone else rates[trait[agent]]
            number = uniform(key, agent, 0)
            who[count], drawn[count] = agent, number
            count += np.uint64(number * (1.0 + 0.5 * most) < most * (1.0 + SLACK) + SLACK)
    return np.int64(count)


@_compiled
def pull_alike(starts: Any, targets: Any, who: Any, receives: Any, sending: Any, unit: int, sums: Any) -> Any:
    """Add what each of these agents is sent by its contacts, where all who send (bits) send the same. The graph must have each contact in
    both directions. ``receives``: empty for everyone. Returns how many contacts were looked at."""
    visited, free, count = _0, len(receives) == 0, len(who)
    for place in range(count):
        if place + 2 * ROWS < count:
            prefetch(starts, np.int64(who[place + 2 * ROWS]))
        if place + 2 * EDGES < count:
            row = np.int64(starts[who[place + 2 * EDGES]])
            prefetch(targets, row)
            prefetch(targets, row + 9)
        agent, total = np.uint64(who[place]), _0
        edge, end = np.uint64(starts[agent]), np.uint64(starts[agent + _1])
        if free or receives[agent]:
            visited += end - edge
            while edge < end:
                total += _bit(sending, np.uint64(np.uint32(targets[edge])))
                edge += _1
        sums[place] += total * np.uint64(unit)
    return np.int64(visited)


@_compiled
def pull(starts: Any, targets: Any, who: Any, receives: Any, sending: Any, code: Any, units: Any, sums: Any) -> Any:
    """``pull_alike`` where senders differ: ``code``: row of ``units`` of each of them."""
    visited, free, count = _0, len(receives) == 0, len(who)
    for place in range(count):
        if place + 2 * ROWS < count:
            prefetch(starts, np.int64(who[place + 2 * ROWS]))
        if place + 2 * EDGES < count:
            row = np.int64(starts[who[place + 2 * EDGES]])
            prefetch(targets, row)
            prefetch(targets, row + 9)
        agent, total = np.uint64(who[place]), _0
        edge, end = np.uint64(starts[agent]), np.uint64(starts[agent + _1])
        if free or receives[agent]:
            visited += end - edge
            while edge < end:
                target = np.uint64(np.uint32(targets[edge]))
                if _bit(sending, target):
                    total += np.uint64(units[code[target]])
                edge += _1
        sums[place] += total
    return np.int64(visited)


@_compiled
def narrowed(who: Any, drawn: Any, sums: Any, trait: Any, rates: Any, inverse: float) -> Any:
    """Of these agents, those whose number may be below their probability, moved to the front of all three; ``sums`` of whole numbers is
    turned into hazards, 64 bits for 64 bits."""
    count, alone = _0, len(rates) == 1
    hazard = sums.view(np.float64)
    for place in range(len(who)):
        agent, number = who[place], drawn[place]
        rate = (rates[0] if alone else rates[trait[agent]]) * (np.float64(sums[place]) * inverse)
        who[count], drawn[count], hazard[count] = agent, number, rate
        count += np.uint64(number * (1.0 + 0.5 * rate) < rate * (1.0 + SLACK) + SLACK)
    return np.int64(count)


@_compiled
def narrow_degrees(starts: Any, degrees: Any) -> None:
    """How many contacts each agent has; 255: so many or more."""
    for agent in range(len(degrees)):
        degrees[agent] = min(starts[agent + 1] - starts[agent], 255)


@_compiled
def lucky(starts: Any, who: Any, codes: Any, escape: Any, key: Any, kept: Any, kept_codes: Any, drawn: Any) -> Any:
    """Senders who transmit over at least one contact. ``escape``: the probability that none of k contacts transmits, (codes, k)."""
    count, size = _0, len(who)
    for place in range(size):
        if place + ROWS < size:
            prefetch(starts, np.int64(who[place + ROWS]))
        agent, code = who[place], codes[place]
        number = uniform(key, agent, 0)
        kept[count], kept_codes[count], drawn[count] = agent, code, number
        count += np.uint64(number > escape[code, starts[agent + 1] - starts[agent]])
    return np.int64(count)


@_compiled
def hop(starts: Any, kept: Any, codes: Any, place: Any, jump: Any, key: Any, index: int, edges: Any, edge_codes: Any, drawn: Any) -> Any:
    """Each sender goes ``jump`` contacts on from ``place`` in its row, and transmits there. Those who are still in their row stay in
    ``kept``, with the next number in ``drawn``: (how many stay, contacts that transmit).

    P(first contact that transmits >= k) = (1 - p)^k, so a jump is floor(log u / log(1 - p)). The first u is the number by which a sender
    was found lucky, so it ends within the row; a rounding past its end is taken back.
    """
    stay, held, count = _0, _0, len(kept)
    for at in range(count):
        if at + ROWS < count:
            prefetch(starts, np.int64(kept[at + ROWS]))
        agent, code = kept[at], codes[at]
        end = starts[agent + 1] - starts[agent]
        edge = place[at] + np.int64(min(jump[at], 2.0**40))
        if index == 0:
            edge = min(edge, end - 1)
        edges[held], edge_codes[held] = starts[agent] + edge, code
        held += np.uint64(edge < end)
        kept[stay], codes[stay], place[stay] = agent, code, edge + 1
        drawn[stay] = uniform(key, agent, index + 1) + 2.0**-54
        stay += np.uint64(edge + 1 < end)
    return np.int64(stay), np.int64(held)


@_compiled
def landed(targets: Any, edges: Any, codes: Any, units: Any, bits: Any, trait: Any, receptivity: Any, key: Any, infected: Any) -> Any:
    """Open targets of these contacts. A contact was found with the largest probability that any has; it is kept with its own (thinning):
    p_i / p, where p_i = 1 - exp(-receptivity_i * unit). ``units``: hazard sent, one a code."""
    count = _0
    highest = receptivity.max()
    alike = receptivity.min() == highest
    size = len(edges)
    for place in range(size):
        if place + ROWS < size:
            prefetch(targets, edges[place + ROWS])
        target = np.uint64(np.uint32(targets[edges[place]]))
        infected[count] = target
        hit = _bit(bits, target)
        if hit and not alike:
            unit = units[codes[place]]
            hit = np.uint64(uniform(key, edges[place], 0) * -np.expm1(-highest * unit) < -np.expm1(-receptivity[trait[target]] * unit))
        count += hit
    return np.int64(count)


@_compiled
def first_time(bits: Any, agents: Any) -> Any:
    """Of these agents, those whose bit is set, each once, moved to the front; their bits are cleared."""
    count = _0
    for place in range(len(agents)):
        agent = np.uint64(agents[place])
        was = _bit(bits, agent)
        agents[count] = agent
        bits[agent >> _6] &= ~(_1 << (agent & _63))
        count += was
    return np.int64(count)


@_compiled
def flip(bits: Any, agents: Any) -> None:
    """Turn these agents' bits over."""
    for place in range(len(agents)):
        agent = np.uint64(agents[place])
        bits[agent >> _6] ^= _1 << (agent & _63)


@_compiled
def lopsided(starts: Any, targets: Any, first: int, last: int) -> Any:
    """A sum over contacts of the agents from ``first`` to ``last`` of a number drawn for each pair, with one sign a direction: over all
    agents 0 where every contact is there in both directions (and, but for a chance of about 2^-64, only there)."""
    total = _0
    for agent in range(first, last):
        own = np.uint64(agent)
        for edge in range(starts[agent], starts[agent + 1]):
            other = np.uint64(np.uint32(targets[edge]))
            drawn = _mixed(min(own, other) * _GOLDEN + max(own, other) * _SECOND)
            backward = _0 - np.uint64(other < own)  # no branch: which way a contact goes cannot be foreseen
            total += ((drawn ^ backward) - backward) * np.uint64(own != other)
    return total
