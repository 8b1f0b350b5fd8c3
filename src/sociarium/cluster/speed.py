"""How much faster many workers are than one: sleeping actors beside the ideal, and work that computes beside one process."""

from __future__ import annotations

import time
from collections.abc import Sequence

from sociarium.cluster.actors import Cluster

HERE = "sociarium.cluster.speed"


class Sleeper:
    """An actor that waits, as one that calls a slow service does."""

    def wait(self, seconds: float) -> float:
        time.sleep(seconds)
        return seconds


class Spinner:
    """An actor that computes."""

    def spin(self, rounds: int) -> float:
        """Seconds of this process's own time that so many rounds of arithmetic take."""
        started = time.process_time()
        total = 0
        for number in range(rounds):
            total += number * number % 7
        return time.process_time() - started


def sleeping(actors: int = 64, workers: int = 16, seconds: float = 0.2) -> float:
    """Seconds that all actors take together, once the workers are started; the ideal is seconds * actors / workers."""
    with Cluster(workers=workers) as cluster:
        handles = [cluster.create(f"{HERE}:Sleeper") for _ in range(actors)]
        for handle in handles:
            if handle.created is not None:
                handle.created.get()
        started = time.perf_counter()
        for value in [handle.wait(seconds=seconds) for handle in handles]:
            value.get()
        return time.perf_counter() - started


def spinning(workers: int, rounds: int = 2_000_000, tries: int = 3) -> tuple[float, float]:
    """Seconds that ``workers`` pieces of work take on one worker and on that many: the best of some tries each."""
    return _best_spin(1, [rounds] * workers, tries), _best_spin(workers, [rounds] * workers, tries)


def efficiency(workers: int, rounds: int = 2_000_000, tries: int = 3) -> float:
    """Speed-up over one worker, divided by the workers."""
    alone, together = spinning(workers, rounds, tries)
    return alone / together / workers


def first_return(seconds: float = 1.0) -> tuple[float, float]:
    """Seconds until a call of a method that takes so long comes back with its placeholder, and until its value is read."""
    with Cluster(workers=1) as cluster:
        handle = cluster.create(f"{HERE}:Sleeper")
        handle.wait(seconds=0.0).get()
        started = time.perf_counter()
        value = handle.wait(seconds=seconds)
        returned = time.perf_counter() - started
        value.get()
        return returned, time.perf_counter() - started


def _best_spin(workers: int, work: Sequence[int], tries: int) -> float:
    with Cluster(workers=workers) as cluster:
        handles = [cluster.create(f"{HERE}:Spinner") for _ in work]
        for handle in handles:
            handle.spin(rounds=1).get()
        best = float("inf")
        for _ in range(tries):
            started = time.perf_counter()
            for value in [handle.spin(rounds=rounds) for handle, rounds in zip(handles, work, strict=True)]:
                value.get()
            best = min(best, time.perf_counter() - started)
        return best
