"""Who meets whom in daily life: households, workplaces, schools, and chance meetings by age."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network, edge_codes
from sociarium.kernel.randomness import Stream

Ints = NDArray[np.int64]
Nodes = NDArray[np.int32]
Floats = NDArray[np.float64]
Edges = tuple[Nodes, Nodes]

NOWHERE = -1
LARGEST_COMPLETE = 64


def contact_network(
    households: ArrayLike,
    places: Mapping[str, tuple[ArrayLike, int]],
    random: Stream,
    *,
    ages: ArrayLike | None = None,
    mixing: ArrayLike | None = None,
    kinds: bool = False,
) -> Network:
    """Everybody's contacts, both directions of each. ``households``: the household of each person, -1 for none; all of one meet each other.

    ``places``: name -> (place of each person or -1, contacts there), such as ``{"work": (workplace, 8), "school": (school, 10)}``; see
    ``partition_edges``.
    ``ages`` and ``mixing``: the age group of each person, and mean daily chance contacts of one in group a with people of group b; see
    ``mixing_edges``. ``kinds``: edge attribute ``kind``, 0 household, then the places in order, then chance; who meets in two ways keeps
    the first.
    """
    home = np.asarray(households)
    layers: list[Edges] = [household_edges(home)]
    layers += [partition_edges(place, contacts, random.at(name)) for name, (place, contacts) in places.items()]
    if mixing is not None:
        if ages is None:
            raise UsageError("a mixing matrix needs the age group of each person")
        layers.append(mixing_edges(ages, mixing, random.at("chance")))
    if kinds:
        a, b = (np.concatenate(side) for side in zip(*layers, strict=True))
        kind = np.repeat(np.arange(len(layers), dtype=np.uint8), [len(layer[0]) for layer in layers])
        return Network.from_edges(len(home), a, b, mutual=True, attributes={"kind": kind})
    codes = np.empty(2 * sum(len(a) for a, _ in layers), np.int64)
    done = 0
    while layers:  # layers go as they are written, so that they are not held twice
        a, b = layers.pop()
        codes[done : done + 2 * len(a)] = edge_codes(a, b, mutual=True)
        done += 2 * len(a)
    return Network.from_codes(len(home), codes)


def household_edges(households: ArrayLike) -> Edges:
    """Every pair of people of one household, once."""
    members, sizes, starts = _grouped(np.asarray(households), None)
    if sizes.max(initial=0) > LARGEST_COMPLETE:
        raise UsageError(f"a household of {sizes.max()} people is none; give institutions as places, with a number of contacts")
    sources, targets = [np.empty(0, np.int32)], [np.empty(0, np.int32)]
    for step in range(1, int(sizes.max(initial=1))):  # the person ``step`` places further on, where it is of the same household
        row = _rows_with_follower(sizes, starts, step)
        sources.append(members[row])
        targets.append(members[row + step])
    return np.concatenate(sources), np.concatenate(targets)


def partition_edges(places: ArrayLike, contacts: int, random: Stream) -> Edges:
    """In each place everyone meets about ``contacts`` others: everyone where there are no more, else exactly 2 * (contacts // 2).

    The people of a place stand in a random circle, and each meets those at contacts // 2 random distances: a random circulant graph. It has
    no repeated edges, a bounded degree and short ways between all, at the cost of one sort.
    """
    if contacts < 1:
        raise UsageError(f"people of one place have {contacts} contacts; at least 1")
    members, sizes, starts = _grouped(np.asarray(places), random.at("circle"))
    half = max(1, contacts // 2)
    small = sizes <= 2 * half + 1
    sources, targets = [np.empty(0, np.int32)], [np.empty(0, np.int32)]
    for step in range(1, 2 * half + 1):
        row = _rows_with_follower(np.where(small, sizes, 0), starts, step)
        sources.append(members[row])
        targets.append(members[row + step])
    large = np.flatnonzero(~small)
    n, begin = sizes[large], starts[large]
    position: Ints = np.arange(n.sum(), dtype=np.int64) - np.repeat(np.cumsum(n) - n, n)
    base, size = np.repeat(begin, n), np.repeat(n, n)
    distances = _distances((n - 1) // 2, half, random.at("distance"), large)
    for k in range(half):
        further: Ints = position + np.repeat(distances[:, k], n)
        further -= size * (further >= size)
        sources.append(members[base + position])
        targets.append(members[base + further])
    return np.concatenate(sources), np.concatenate(targets)


def mixing_edges(groups: ArrayLike, mixing: ArrayLike, random: Stream) -> Edges:
    """Chance meetings: between people of groups a and b there are as many edges as the matrix says, each between random people.

    ``mixing[a, b]`` is the mean number of contacts of one person in group a with people in group b. Surveys report both sides of the same
    contacts and do not quite agree: the mean of n_a C_ab and n_b C_ba is taken (as in Mossong et al. 2008, table S8). Numbers of edges
    are rounded at random, so that their mean is right. Repeats are left to be dropped.
    """
    group = np.asarray(groups)
    matrix = np.asarray(mixing, np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not (matrix >= 0).all():
        raise UsageError(f"a mixing matrix is square and not negative, not of shape {matrix.shape}")
    if group.min(initial=0) < 0 or group.max(initial=0) >= len(matrix):
        raise UsageError(f"the mixing matrix is for groups 0 to {len(matrix) - 1}, but a person is of group {group.max()}")
    order = np.argsort(group.astype(np.uint8) if len(matrix) < 256 else group, kind="stable").astype(np.int32)
    sizes = np.bincount(group, minlength=len(matrix))
    starts = np.cumsum(sizes) - sizes
    sources, targets = [np.empty(0, np.int32)], [np.empty(0, np.int32)]
    for a in range(len(matrix)):
        for b in range(a, len(matrix)):
            mean = (sizes[a] * matrix[a, b] + sizes[b] * matrix[b, a]) / 2 / (2 if a == b else 1)
            if sizes[a] == 0 or sizes[b] == 0 or (a == b and sizes[a] < 2):
                continue
            stream = random.at(a, b)
            count = int(mean + stream.uniform([0])[0])
            rows = np.arange(count)
            one = stream.integers(0, sizes[a] - 1, rows, 1)
            other = stream.integers(0, sizes[b] - (2 if a == b else 1), rows, 2)
            if a == b:
                other += other >= one
            sources.append(order[starts[a] + one])
            targets.append(order[starts[b] + other])
    return np.concatenate(sources), np.concatenate(targets)


def _grouped(places: NDArray[Any], random: Stream | None) -> tuple[Nodes, Ints, Ints]:
    """People in order of place (within it in random order, or in their own), and where each place that is taken begins."""
    people = np.flatnonzero(places >= 0).astype(np.int32)
    where = places[people].astype(np.int64)
    if len(where) and (where.max() >= 2**31 or len(places) >= 2**31):
        raise UsageError("places and people are numbered below 2**31")
    if random is None:
        if len(where) and (where[1:] < where[:-1]).any():
            people = np.sort((where << 32) | people).astype(np.int32)
    elif len(people):  # place, random bits and person in one number: to sort numbers is many times faster than to order by them
        low, high = int(people[-1]).bit_length(), int(where.max()).bit_length()
        lot = (random.bits(people) >> np.uint64(1 + low + high)).astype(np.int64)
        people = (np.sort((where << (63 - high)) | (lot << low) | people) & ((1 << low) - 1)).astype(np.int32)
    where = places[people]
    starts = np.flatnonzero(np.concatenate([[True], where[1:] != where[:-1]])) if len(where) else np.empty(0, np.int64)
    return people, np.diff(np.append(starts, len(where))), starts


def _rows_with_follower(sizes: Ints, starts: Ints, step: int) -> Ints:
    """Rows whose place has somebody ``step`` rows further on."""
    enough = np.flatnonzero(sizes > step)
    count = sizes[enough] - step
    rows: Ints = np.arange(count.sum(), dtype=np.int64) - np.repeat(np.cumsum(count) - count, count) + np.repeat(starts[enough], count)
    return rows


def _distances(most: Ints, count: int, random: Stream, rows: Ints) -> Ints:
    """``count`` different distances from 1 to ``most`` a place: sorted draws from a range shorter by count - 1, spread by their rank."""
    drawn = random.integers(1, (most - count + 1)[:, None], rows[:, None], np.arange(count)[None, :])
    return np.sort(drawn, axis=1) + np.arange(count)
