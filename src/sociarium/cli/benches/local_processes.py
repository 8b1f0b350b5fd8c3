"""Does the local model gain from threads, or from several processes behind HTTP? Seconds by the clock for the same work, in one run.

Every way has as many workers as this machine has cores: one process with one thread, one process with a thread a core, and a served
process a core (``sociarium serve-model``) that one run asks as the servers of one model. By the clock, so it wants a quiet machine.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any

from sociarium.cli.benches import local
from sociarium.models.backends.http import open_http
from sociarium.models.backends.local import cores as local_cores
from sociarium.models.backends.local import open_local
from sociarium.models.request import Reply, Request, Sampling

Complete = Callable[[Request, int | None], Awaitable[Reply]]
Rows = list[dict[str, Any]]
REQUESTS = 32  # of each kind
WARM = 4  # asked before, and not counted


def run(requests: int = REQUESTS) -> Rows:
    """Rows for ``sociarium bench local_processes``. Raises ModelError where the weights are not here."""
    return asyncio.run(measured(local.MODEL, work(requests)))


def work(requests: int) -> dict[str, Sequence[Request]]:
    """Requests of each kind: greedy texts, drawn texts, choices after rules that all share."""
    written, drawn = Sampling(max_tokens=local.LENGTH), Sampling(0.8, max_tokens=local.LENGTH)
    agents = range(requests + WARM)
    return {
        "greedy text": [Request(local.blocks(agent), sampling=written) for agent in agents],
        "drawn text": [Request(local.blocks(agent), sampling=drawn) for agent in agents],
        "choice after shared rules": [local.choice(local.blocks(agent, long=True)) for agent in agents],
    }


async def measured(model: str, work: dict[str, Sequence[Request]]) -> Rows:
    """One row for each way and kind of work; the reference is one process with one thread."""
    cores = local_cores()
    alone = await _local(f"local:{model}?threads=1", work)
    threads = await _local(f"local:{model}?threads={cores}", work)
    with served(f"local:{model}?threads=1", cores) as bases:
        backend = open_http(f"{','.join(bases)}#local:{model}?wait=120")
        try:
            await backend.prepare()
            processes = await _timed(backend.complete, work)
        finally:
            await backend.close()
    ways = ((f"{cores} threads", threads), (f"{cores} processes over HTTP", processes))
    return [_row(f"{case}, {name}", taken[case], alone[case], cores) for case in work for name, taken in ways]


def _row(case: str, ours: float, alone: float, cores: int) -> dict[str, Any]:
    figures = {"ours": round(ours, 2), "reference": round(alone, 2), "ratio": round(ours / alone, 3)}
    return {"case": case, "unit": "ms by the clock", **figures, "reference_name": "one thread", "goal": None, "limit": f"1/{cores}"}


@contextmanager
def served(spec: str, count: int) -> Generator[list[str]]:
    """Addresses of ``count`` processes that serve a model each; they end with the context."""
    ports = [free_port() for _ in range(count)]
    command = [sys.executable, "-m", "sociarium", "serve-model", spec, "--port"]
    started = [subprocess.Popen([*command, str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for port in ports]
    try:
        yield [f"http://127.0.0.1:{port}/v1" for port in ports]
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


async def _local(spec: str, work: dict[str, Sequence[Request]]) -> dict[str, float]:
    backend = open_local(spec)
    try:
        return await _timed(backend.complete, work)
    finally:
        await backend.close()


async def _timed(complete: Complete, work: dict[str, Sequence[Request]]) -> dict[str, float]:
    """Milliseconds a request, of each kind of work; the first ones warm up and are not counted."""
    found: dict[str, float] = {}
    for case, requests in work.items():
        await asyncio.gather(*(complete(request, 1) for request in requests[:WARM]))
        began = time.perf_counter()
        await asyncio.gather(*(complete(request, number) for number, request in enumerate(requests[WARM:])))
        found[case] = 1e3 * (time.perf_counter() - began) / (len(requests) - WARM)
    return found
