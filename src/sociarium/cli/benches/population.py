"""What a day of an epidemic costs at ten thousand to 8.4 million agents, beside the same by hand, in the same process.

Each size has processes of its own, so that the peak of memory is its own: one that times everybody in turns, one that sets up and steps
our engine alone. Steps of ours are exact (each agent's change is that of the reference) unless the row says ``events``.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

SIZES = (10_000, 100_000, 1_000_000, 8_400_000)
TICKED = 1_000_000  # agents of the whole simulation
OURS = ("exact, threads", "exact", "events, threads", "events", "plain")  # plain: our engine in NumPy alone
HAND = "Numba pull, by hand"
GOALS = {1_000_000: 5.0, 8_400_000: 60.0}  # ms a step
SETUP, MEMORY = 5.0, 4096.0  # seconds, MiB, at the largest size
LIMIT = "random reads of contacts of the infectious: one or two cache lines each"


def run(sizes: Sequence[int] = SIZES) -> list[dict[str, Any]]:
    """Rows for ``sociarium bench population``."""
    rows: list[dict[str, Any]] = []
    taken: dict[int, float] = {}
    for size in sizes:
        times = child("timing", size)
        mine = {name: times.pop(name) for name in OURS if name in times}
        taken[size] = best = mine.get("exact, threads", mine.get("plain", math.nan))
        each = 1e9 / size
        rows += [row(f"a day, {size:,}", "ns per agent", best * each, other * each, name, limit=LIMIT) for name, other in times.items()]
        hand = times.get(HAND, math.nan)
        rows += [row(f"a day, {size:,}, {name}", "ns per agent", mine[name] * each, hand * each, HAND) for name in mine]
        if size in GOALS:
            quick = min((mine[name] for name in mine if name.startswith("events")), default=math.nan)
            for name, seconds in (("exact", best), ("events", quick)):
                rows.append(row(f"a day, {size:,}, {name}", "ms", 1e3 * seconds, GOALS[size], "wanted", goal=1.0, limit=LIMIT))
        rows += _memory(size)
    if len(sizes) > 1:
        first, last = sizes[0], sizes[-1]
        growth = math.log(taken[last] / taken[first]) / math.log(last / first)
        rows.append(row("growth of a day with agents", "exponent", growth, 1.0, "linear", limit="the graph outgrows each cache"))
    if max(sizes) >= TICKED:
        rows += _published() + _tick()
    return rows


def _memory(size: int) -> list[dict[str, Any]]:
    held = child("memory", size)
    wanted = "wanted" if size == SIZES[-1] else "wanted at 8.4 million"
    theory = f"theory: {held['theory']:,.0f} MiB of graph and state; {held['base']:,.0f} MiB before"
    return [
        row(f"set-up with graph, {size:,}", "s", held["setup"], SETUP, wanted, goal=1.0),
        row(f"peak memory, {size:,}", "MiB", held["peak"], MEMORY, wanted, goal=1.0, limit=theory),
        row(f"memory that {held['steps']:.0f} days add, {size:,}", "MiB", held["added"], held["peak"], "peak"),
    ]


def _published() -> list[dict[str, Any]]:
    found = child("published", TICKED)
    rows = [row(f"published model, 21 days, {TICKED:,}", "s", found["fast"], 60.0, "wanted", goal=1.0)]
    rows.append(row(f"published model, 21 days, {TICKED:,}", "s", found["fast"], found["plain"], "our NumPy"))
    rows.append(row("time an agent, 1 million over 100,000", "ratio", found["fast"] / (10 * found["tenth"]), 5.0, "wanted", goal=1.0))
    return rows


def _tick() -> list[dict[str, Any]]:
    found = child("tick", TICKED)
    case = f"whole tick, isolation decided by rule, recorded, {TICKED:,}"
    return [
        row(
            case,
            "ns per agent",
            1e9 * found["tick"] / TICKED,
            1e9 * found["bare"] / TICKED,
            "the bare day",
            limit="a decision and a draw an agent",
        )
    ]


def row(
    case: str, unit: str, ours: float, reference: float, name: str, *, goal: float | None = None, limit: str | None = None
) -> dict[str, Any]:
    ratio = ours / reference if reference else math.nan
    return {
        "case": case, "unit": unit, "ours": ours, "reference": reference, "reference_name": name, "ratio": ratio, "goal": goal,
        "limit": limit,
    }  # fmt: skip


def child(what: str, size: int) -> dict[str, float]:
    """Measure in a process of its own."""
    return child_of(__spec__.name, what, size)


def child_of(module: str, what: str, *numbers: float, **variables: str) -> dict[str, float]:
    """Have a module measure in a process of its own, with these environment variables too."""
    source = Path(__file__).resolve().parents[3]
    environment = {**os.environ, **variables, "PYTHONPATH": os.pathsep.join([str(source), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-m", module, what, *map(str, numbers)]
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def timed(steps: Mapping[str, Callable[[], None]], *, rounds: int, budget: float) -> dict[str, float]:
    """Seconds a step: medians over rounds in which everyone takes its turn. Stops after ``budget`` seconds, but not before 3 rounds."""
    for step in steps.values():
        step()
    taken: dict[str, list[float]] = {name: [] for name in steps}
    begun = time.perf_counter()
    for number in range(rounds):
        for name, step in steps.items():
            started = time.perf_counter()
            step()
            taken[name].append(time.perf_counter() - started)
        if number >= 2 and time.perf_counter() - begun > budget:
            break
    return {name: statistics.median(values) for name, values in taken.items()}


def threads() -> int:
    return min(4, os.cpu_count() or 1)


def compiled() -> bool:
    from importlib.util import find_spec

    return find_spec("numba") is not None


def timing(size: int) -> dict[str, float]:
    """Seconds a step of everyone, in turns."""
    from sociarium.environments.epidemic import speed

    setting = speed.Setting.of(size, threads=threads())
    steps: dict[str, speed.Step] = {}
    if compiled():
        steps["exact, threads"] = speed.ours(setting, threads=threads())
        steps["exact"] = speed.ours(setting)
        steps["events"] = speed.ours(setting, "events")
        steps["events, threads"] = speed.ours(setting, "events", threads())
    if size <= 1_000_000:
        steps["plain"] = speed.ours(setting, "plain")
    for name, build in speed.contenders(size):
        steps[name] = build(setting)
    return timed(steps, rounds=25, budget=12.0)


def memory(size: int) -> dict[str, float]:
    """Seconds of set-up, MiB at the peak, and what days add."""
    from sociarium.environments.epidemic import speed

    speed.ours(speed.Setting.of(5000), "auto" if compiled() else "plain")()  # compiled code is read from its cache here
    base = peak()
    begun = time.perf_counter()
    setting = speed.Setting.of(size, threads=threads())
    step = speed.ours(setting, "auto" if compiled() else "plain", threads())
    setup = time.perf_counter() - begun
    step()
    step()
    before = peak()
    steps = 20
    for _ in range(steps):
        step()
    theory = (4 * len(setting.network) + 8 * (size + 1) + 5 * size) / 2**20
    return {"setup": setup, "peak": peak(), "base": base, "added": peak() - before, "theory": theory, "steps": float(steps)}


def published(size: int) -> dict[str, float]:
    """Seconds of 21 days of the published model; also at a tenth of the size."""
    from sociarium.environments.epidemic import speed

    method = "auto" if compiled() else "plain"
    small, large = (speed.Setting.of(each, threads=threads()).network for each in (size // 10, size))
    steps = {
        "fast": speed.published(large, threads(), method),
        "tenth": speed.published(small, threads(), method),
        "plain": speed.published(large, 1, "plain"),
    }
    return timed(steps, rounds=3, budget=0.0)


def tick(size: int) -> dict[str, float]:
    """Seconds of a whole tick, recorded, and of the bare day under the same behaviour."""
    from sociarium.environments.epidemic import speed
    from sociarium.environments.epidemic.epidemic import Epidemic
    from sociarium.environments.epidemic.layers import Layer
    from sociarium.environments.epidemic.rules import EpidemicRules
    from sociarium.environments.epidemic.strategies import Habits, by_habit
    from sociarium.kernel.population import Population
    from sociarium.kernel.schedule import Rounds
    from sociarium.kernel.simulation import Simulation
    from sociarium.kernel.turn import Phase
    from sociarium.minds.rule import RuleMind
    from sociarium.record.manifest import build_manifest
    from sociarium.record.run import RunRecord

    network = speed.Setting.of(size, threads=threads()).network
    epidemic = Epidemic(speed.ENDEMIC, [Layer(name="contacts", network=network)], EpidemicRules(initial=0.1))
    days, bare = 24, [0.0]
    with tempfile.TemporaryDirectory() as folder:
        record = RunRecord.create(Path(folder) / "run", build_manifest("bench", {}, 1), snapshot_every=1000, digest_every=1000)
        minds, schedule = [RuleMind(by_habit(Habits(isolate=0.1)))], Rounds([Phase("day", "epidemic")], days)
        simulation = Simulation(Population.of("person", size), [epidemic], minds, schedule, seed=1, record=record)
        advance = epidemic.advance

        def measured(to: int) -> Any:
            started = time.perf_counter()
            came = advance(to)
            bare[0] += time.perf_counter() - started
            return came

        setattr(epidemic, "advance", measured)  # noqa: B010
        asyncio.run(simulation.run(4))
        bare[0], begun = 0.0, time.perf_counter()
        asyncio.run(simulation.run(days - 5))
        whole = time.perf_counter() - begun
        record.close()
    return {"tick": whole / (days - 5), "bare": bare[0] / (days - 5)}


def peak() -> float:
    """MiB of memory at most so far; where the system tells it, of this program alone: the other figure is inherited from its parent."""
    status = Path("/proc/self/status")
    if status.exists():
        return next(float(line.split()[1]) for line in status.read_text("ascii").splitlines() if line.startswith("VmHWM")) / 2**10
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


if __name__ == "__main__":
    from sociarium.cli.console import emit_json
    from sociarium.lab.documents import finite

    measure = {"timing": timing, "memory": memory, "published": published, "tick": tick}[sys.argv[1]]
    emit_json(finite(measure(int(sys.argv[2]))))
