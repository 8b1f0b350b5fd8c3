"""What an agent-turn takes besides the model: language minds over HTTP, on disk, beside the leanest clients of the same server.

The server answers after a fixed 50 ms in another process. A turn is all of it: a simulation gives every agent its turn, the language
mind renders its prompt (rules, persona, what it sees) and the schema of the actions on offer; the model service makes key and draw,
looks into the journal, takes a place and reserves its upper bound from budgets of calls, tokens, money and time; the HTTP backend
asks; the reply is parsed and checked against the schema, journalled on disk (durable before the agent acts), turned into an action,
checked, carried out, and committed with its tick. Each round is one tick, so that rounds show whether a turn grows dearer.

The references, in the same run: the same bytes over raw asyncio streams, a connection a worker, and over plain aiohttp, with nothing
read but the status and the body. ``door`` is the service and its record alone, asked in a loop. CPU time is this process's, all
threads; the server is another's.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import numpy as np
from numpy.typing import NDArray

from sociarium.cli.benches.kernel import Guessing
from sociarium.kernel.content import Block, Content, Layer
from sociarium.kernel.population import Population
from sociarium.kernel.protocols import Address
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Observations, Phase
from sociarium.minds.language import builtin
from sociarium.minds.language.act import Act, ActRules
from sociarium.minds.language.mind import LanguageMind
from sociarium.minds.language.persona import Persona
from sociarium.models.backends.http import open_http
from sociarium.models.backends.http_shapes import Shape
from sociarium.models.budget import BudgetLimits
from sociarium.models.request import Request, Sampling
from sociarium.models.service import ModelService
from sociarium.record.run import RunRecord
from sociarium.testing.delayed_server import delayed_server, length_of

DELAY = 0.05  # seconds
FLIGHTS = (64, 256)  # calls in flight
WANTED = {64: 900.0, 256: 3500.0}  # turns a second
WANTED_CPU = 0.5  # milliseconds a turn
ROUNDS = 10
SAID = '{"number": 33.5}'
BUDGET = BudgetLimits(calls=10**7, tokens=10**11, money=10**12, seconds=10**6)
PAST = "grew up by the harbour, taught mathematics for {0} years and likes to think twice before saying anything at all. " * 3
SCHEMA = {
    "type": "object",
    "properties": {"number": {"type": "number", "minimum": 0, "maximum": 100}},
    "required": ["number"],
    "additionalProperties": False,
}
Times = list[tuple[float, float]]  # wall and CPU seconds of each round


def run(turns: int = 10_000, flights: tuple[int, ...] = FLIGHTS, delay: float = DELAY) -> list[dict[str, Any]]:
    """Rows for ``sociarium bench models``."""
    rows: list[dict[str, Any]] = []
    with delayed_server(SAID, delay) as base:
        for flight in flights:
            rows += _compared(base, turns // ROUNDS, flight, delay)
    return rows


def _compared(base: str, size: int, flight: int, delay: float) -> list[dict[str, Any]]:
    """``size``: turns a round."""
    ways: dict[str, Callable[[], Awaitable[Times]]] = {
        "raw streams": lambda: streams(base, size, flight),
        "aiohttp": lambda: plain_aiohttp(base, size, flight),
        "society": lambda: society(base, size, flight),
        "door": lambda: door(base, size, flight),
    }
    taken: dict[str, Times] = {}
    for name, way in ways.items():
        gc.collect()
        taken[name] = asyncio.run(_awaited(way))
    wall = {name: 1e3 * statistics.median(one for one, _ in times) / size for name, times in taken.items()}
    cpu = {name: 1e3 * statistics.median(one for _, one in times) / size for name, times in taken.items()}
    rows: list[dict[str, Any]] = []
    for ours, what in (("society", "an agent-turn, all in"), ("door", "a call through service and record")):
        for reference in ("raw streams", "aiohttp"):
            case = f"{what}, {flight} in flight"
            goal = 1e3 / WANTED[flight] / wall[reference] if flight in WANTED else None
            speeds = f"{1e3 / wall[ours]:,.0f} a second; {1e3 / wall[reference]:,.0f} {reference}; {flight / delay:,.0f} at best"
            rows.append(_row(case, "ms", wall[ours], wall[reference], reference, goal, speeds))
            rows.append(
                _row(case, "CPU ms", cpu[ours], cpu[reference], reference, WANTED_CPU / cpu[reference], f"{WANTED_CPU} CPU ms wanted")
            )
    first, last = (statistics.median(one for _, one in part) for part in (taken["society"][1:4], taken["society"][-3:]))
    each = ", ".join(f"{1e3 * one / size:.2f}" for _, one in taken["society"])
    case = f"rounds 8 to 10 beside 2 to 4, {flight} in flight"
    return [*rows, _row(case, "CPU ms", 1e3 * last / size, 1e3 * first / size, "rounds 2 to 4", 1.1, f"by round: {each}")]


def _row(case: str, unit: str, ours: float, reference: float, name: str, goal: float | None, limit: str) -> dict[str, Any]:
    figures = {"ours": round(ours, 4), "reference": round(reference, 4), "ratio": round(ours / max(reference, 1e-9), 3)}
    return {"case": case, "unit": unit, **figures, "reference_name": name, "goal": None if goal is None else round(goal, 3), "limit": limit}


async def _awaited(way: Callable[[], Awaitable[Times]]) -> Times:
    return await way()


@dataclass(slots=True)
class Watch:
    """Wall and CPU seconds between laps."""

    times: Times = field(default_factory=Times)
    wall: float = field(default_factory=time.perf_counter)
    cpu: float = field(default_factory=time.process_time)

    def lap(self, *_: object) -> None:
        wall, cpu = time.perf_counter(), time.process_time()
        self.times.append((wall - self.wall, cpu - self.cpu))
        self.wall, self.cpu = wall, cpu


class Guesses(Guessing):
    """The guessing game in words."""

    def describe(self, seen: Observations, row: int) -> Content:
        target = float(seen["guessing"]["target"][row])
        return (Block(f"Guess two thirds of the mean of all guesses, between 0 and 100. Last time the target was {target:.2f}."),)


def simulated(size: int) -> Simulation:
    """A simulation of ``size`` agents with a persona each, all asked once a round."""
    pasts: NDArray[np.object_] = np.array([PAST.format(at) for at in range(size)], object)
    names = np.array([f"Player {at}" for at in range(size)], object)
    population = Population.of("player", size, name=names, background=pasts)
    mind = LanguageMind([Persona(), Act(ActRules())], builtin(), sampling=Sampling(0.8, max_tokens=64))
    return Simulation(population, [Guesses()], [mind], Rounds([Phase("round", "guessing")], ROUNDS), seed=1)


async def society(base: str, size: int, flight: int) -> Times:
    """See the module."""
    simulation = simulated(size)
    with tempfile.TemporaryDirectory() as folder, RunRecord.create(Path(folder) / "run", {}, snapshot_every=5) as record:
        async with ModelService({"default": opened(base, flight)}, journal=record.journal, seed=1, budget=BUDGET) as service:
            simulation.record, simulation.door = record, service
            watch = Watch()
            simulation.on_tick.append(watch.lap)
            await simulation.run()
            outcomes = service.summary()["outcomes"]
    if outcomes != {"act": {"ok": ROUNDS * size}}:
        raise RuntimeError(f"not every turn had its reply: {outcomes}")
    return watch.times


async def door(base: str, size: int, flight: int) -> Times:
    """The service and its record, with no simulation."""
    rules = Block(PAST.format(0), layer=Layer.SHARED, role="system")
    watch = Watch()
    with tempfile.TemporaryDirectory() as folder, RunRecord.create(Path(folder) / "run", {}) as record:
        async with ModelService({"default": opened(base, flight)}, journal=record.journal, seed=1, budget=BUDGET) as service:
            watch.lap()
            watch.times.clear()
            for tick in range(ROUNDS):
                asked: list[Awaitable[Any]] = []
                for at in range(size):
                    request = Request((rules, Block(f"Player {at}, round {tick}: guess.")), schema=SCHEMA, sampling=Sampling(0.8))
                    asked.append(service.ask(request, Address(tick, "round", 0, 0, f"agent:{at}", "act")))
                await asyncio.gather(*asked)
                record.journal.touched.take(tick)
                watch.lap()
    return watch.times


def opened(base: str, flight: int) -> Any:
    return open_http(f"{base}#delayed?parallel={flight}&price=1&price_completion=2")


async def streams(base: str, size: int, flight: int) -> Times:
    """Raw asyncio streams, a connection a worker."""
    address = urlsplit(base)
    path, body = asked_bytes(base)
    head = f"POST {address.path}{path} HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: application/json\r\n"
    question = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    connections = [await asyncio.open_connection(address.hostname, address.port) for _ in range(flight)]

    async def worker(connection: tuple[asyncio.StreamReader, asyncio.StreamWriter], left: list[int]) -> None:
        reader, writer = connection
        while left:
            left.pop()
            writer.write(question)
            await reader.readexactly(length_of((await reader.readuntil(b"\r\n\r\n")).lower()))

    watch = Watch()
    for _ in range(ROUNDS):
        left = list(range(size))
        await asyncio.gather(*(worker(connection, left) for connection in connections))
        watch.lap()
    for _, writer in connections:
        writer.close()
    return watch.times


async def plain_aiohttp(base: str, size: int, flight: int) -> Times:
    """aiohttp with nothing around it."""
    path, body = asked_bytes(base)
    headers = {"Content-Type": "application/json"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=flight)) as session:

        async def worker(left: list[int]) -> None:
            while left:
                left.pop()
                async with session.post(base + path, data=body, headers=headers) as answer:
                    await answer.read()

        watch = Watch()
        for _ in range(ROUNDS):
            left = list(range(size))
            await asyncio.gather(*(worker(left) for _ in range(flight)))
            watch.lap()
    return watch.times


def asked_bytes(base: str) -> tuple[str, bytes]:
    """A question of the society as it goes over the line: path and body."""
    backend = open_http(f"{base}#delayed")
    shape: Shape = backend._shape  # pyright: ignore[reportPrivateUsage] - the bytes that our own backend would send
    blocks = (
        Block(PAST.format(0), layer=Layer.STABLE, role="system"),
        Block("Guess two thirds of the mean of all guesses, between 0 and 100."),
    )
    return shape.body(Request(blocks, schema=SCHEMA, sampling=Sampling(0.8, max_tokens=64)), 12345)
