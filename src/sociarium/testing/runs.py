"""Does a simulation depend on its seed and nothing else, and does a fork go its own way?"""

from __future__ import annotations

import copy
from collections.abc import Callable

from sociarium.kernel.simulation import Simulation
from sociarium.testing.digests import Build, digest_of, same_state, same_ticks, ticks_of
from sociarium.testing.errors import ConformanceError


def seed_test(build: Callable[[int], Simulation], *, seeds: tuple[int, int] = (1, 2), ticks: int | None = None, draws: bool = True) -> None:
    """One seed, one run: ``build(seed)`` twice gives the same ticks. Where the world ``draws``, another seed gives other ticks."""
    first, other = seeds
    expected = ticks_of(build(first), ticks)
    same_ticks(f"seed {first} twice", expected, ticks_of(build(first), ticks))
    if draws and digest_of(expected) == digest_of(ticks_of(build(other), ticks)):
        raise ConformanceError(f"seeds {first} and {other} give the same ticks: the seed reaches no draw (draws=False if nothing draws)")


def fork_test(build: Build, *, after: int = 1, ticks: int | None = None) -> None:
    """A fork has the same future as its origin, and running it changes nothing there."""
    origin = build()
    origin.run_sync(after)
    expected_state = copy.deepcopy(origin.state())
    fork = origin.fork()
    same_state("a fork begins in the state of its origin", expected_state, fork.state())
    future = ticks_of(fork, ticks)
    same_state("running a fork changes nothing in its origin", expected_state, origin.state())
    same_ticks("a fork has the future of its origin", ticks_of(origin, ticks), future)
