"""How much faster many workers are than one: sleeping actors beside the ideal, and work that computes beside one process."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

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


def efficiency(workers: int, rounds: int = 4_000_000, tries: int = 8) -> float:
    """How much of what as many bare processes reach at the same time the workers reach: on an idle machine, the speed-up a worker.

    The two are tried in turn, so that others who use the cores hold back both.
    """
    with Cluster(workers=workers) as cluster, Bare(workers) as bare:
        handles = [cluster.create(f"{HERE}:Spinner") for _ in range(workers)]
        for handle in handles:
            handle.spin(rounds=1).get()
        ours, theirs = float("inf"), float("inf")
        for _ in range(tries):
            ours = min(ours, _timed(lambda: [value.get() for value in [handle.spin(rounds=rounds) for handle in handles]]))
            theirs = min(theirs, _timed(lambda: bare.spin(rounds)))
    return theirs / ours


class Bare:
    """Processes without any cluster: each waits for a line with a number of rounds, computes, and writes a line."""

    def __init__(self, count: int) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        command = [sys.executable, "-m", HERE]
        pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": environment}
        self.processes: list[subprocess.Popen[str]] = [subprocess.Popen(command, **pipes) for _ in range(count)]
        self.spin(1)

    def __enter__(self) -> Bare:
        return self

    def __exit__(self, *details: object) -> None:
        for process in self.processes:
            process.communicate("")

    def spin(self, rounds: int) -> None:
        """All at the same time, and wait for all."""
        for process in self.processes:
            if process.stdin is not None:
                process.stdin.write(f"{rounds}\n")
                process.stdin.flush()
        for process in self.processes:
            if process.stdout is not None:
                process.stdout.readline()


def main() -> None:
    """One of the bare processes."""
    for line in sys.stdin:
        sys.stdout.write(f"{Spinner().spin(int(line))}\n")
        sys.stdout.flush()


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
        jobs = list(zip(handles, work, strict=True))
        return min(_timed(lambda: [value.get() for value in [handle.spin(rounds=r) for handle, r in jobs]]) for _ in range(tries))


def _timed(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
