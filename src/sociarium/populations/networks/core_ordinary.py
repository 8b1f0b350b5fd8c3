"""Who follows whom on a platform with a few widely followed users: the network of OASIS."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network
from sociarium.kernel.randomness import Stream
from sociarium.populations.networks.uniform import chosen

Ints = NDArray[np.int64]


def core_ordinary(topics: ArrayLike, core: ArrayLike, random: Stream, *, probability: float = 0.1) -> Network:
    """Every ordinary user follows every core user with whom it shares a topic, with this probability (Yang et al. 2024, arXiv 2411.11581,
    appendix; the main text and the code say 0.2).

    ``topics``: (users, topics of a user), whole numbers from 0. ``core``: a mask over users, or their numbers. A core user with several
    shared topics counts once. Core users follow nobody. Edges lead from who follows to who is followed.
    """
    table = np.asarray(topics, np.int64)
    if table.ndim != 2 or (table < 0).any() or not 0 <= probability <= 1:
        raise UsageError("topics are a table (users, topics of a user) of numbers from 0, and the probability lies from 0 to 1")
    is_core = np.zeros(len(table), np.bool_)
    is_core[np.asarray(core)] = True
    ordinary = np.flatnonzero(~is_core)
    interested: list[Ints] = [ordinary[(table[ordinary] == topic).any(axis=1)] for topic in range(int(table.max(initial=-1)) + 1)]
    sources, targets = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    stars = np.flatnonzero(is_core)
    sets = np.sort(table[stars], axis=1)
    kinds, kind_of = np.unique(sets, axis=0, return_inverse=True) if len(stars) else (sets, np.empty(0, np.int64))
    for number, kind in enumerate(kinds):  # core users of the same topics have the same candidates
        shared: list[Ints] = [interested[topic] for topic in set(kind.tolist())]
        candidates: Ints = np.unique(np.concatenate(shared))
        members = stars[kind_of.reshape(-1) == number]
        pair = chosen(len(candidates) * len(members), probability, random.at(*kind.tolist()))
        sources.append(candidates[pair // len(members)])
        targets.append(members[pair % len(members)])
    return Network.from_edges(len(table), np.concatenate(sources), np.concatenate(targets))
