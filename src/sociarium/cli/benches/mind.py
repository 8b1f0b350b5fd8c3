"""Minds in a place at scale: memories that come to mind for ten thousand agents, beside plain NumPy an agent, and ticks of a town."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.cli.console import emit_json
from sociarium.environments.town.building import homes, terraces
from sociarium.environments.town.town import Town
from sociarium.kernel.actions import Actions
from sociarium.kernel.population import Population
from sociarium.kernel.randomness import Randomness
from sociarium.kernel.schedule import Calendar
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Observations, Phase, Turn
from sociarium.kernel.units import HOUR, SECOND
from sociarium.lab.documents import finite
from sociarium.minds.language.recall import Ask, Recall
from sociarium.minds.language.retrieval import GENERATIVE_AGENTS, Kind
from sociarium.minds.language.stream import Memory, MemoryStream
from sociarium.minds.language.vectors import Vectors
from sociarium.minds.rule import RuleMind

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]

LENGTH = 256  # of a vector
TOP = 10
WITNESSES = 25  # agents that remember the same event
MOST_TEXTS = 40_000  # sentences that are told apart
SOURCE = Path(__file__).resolve().parents[3]


def run(agents: int = 10_000, memories: int = 1_000, residents: int = 10_000, ticks: int = 120) -> list[dict[str, Any]]:
    """Rows. The memories have a process of their own: what they take is read from the system."""
    code = f"from sociarium.cli.benches import mind; mind.report(mind.recalled({agents}, {memories}))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(SOURCE), os.environ.get("PYTHONPATH", "")])}
    child = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return [*json.loads(child.stdout), *walked(residents, ticks)]


def report(rows: Sequence[dict[str, Any]]) -> None:
    """Rows to whoever started this process."""
    emit_json(finite(list(rows)))


class Drawn:
    """Vectors of unit length, drawn by the text: what an embedder in this process costs is not what is measured."""

    def vectors(self, texts: Sequence[str]) -> Floats:
        stream = Randomness(0).stream("vectors")
        numbers = np.array([int(text.rpartition(" ")[2]) for text in texts])
        rows = stream.normal(numbers[:, None] * LENGTH + np.arange(LENGTH))
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def remembered(agents: int, memories: int) -> MemoryStream:
    """A town's memories: each event is remembered by those who saw it, and much happens again."""
    stream, draw = MemoryStream(), Randomness(0).stream("memories")
    for number in range(memories):
        order = draw.order(np.arange(agents), number)
        texts = draw.integers(0, MOST_TEXTS - 1, np.arange(-(-agents // WITNESSES)), number)
        for at, text in enumerate(texts.tolist()):
            who = np.sort(order[at * WITNESSES : (at + 1) * WITNESSES])
            stream.append(who, Memory(Kind.EVENT, f"event {text}", float(1 + text % 10)), time=number * HOUR, tick=number)
    return stream


def recalled(agents: int, memories: int) -> list[dict[str, Any]]:
    """Recall for all agents, one query each, and the same by plain NumPy, an agent at a time; half of them first by one, half by the
    other."""
    begun, before = time.perf_counter(), resident()
    stream = remembered(agents, memories)
    filled, taken = time.perf_counter() - begun, resident() - before
    recall = Recall(stream, Vectors(Drawn()), GENERATIVE_AGENTS, 5.0)
    recall.vectors.exact([f"event {number}" for number in range(MOST_TEXTS)])
    now = memories * HOUR
    asks = [Ask(stream.of(agent), (f"event {agent % MOST_TEXTS}",), now, TOP) for agent in range(agents)]
    recall.answer(asks[:64])  # the first ones find the places of all texts and touch the columns
    ours: list[float] = []
    theirs: list[float] = []
    alike = 0
    size = max(1, agents // 10)
    for begin in range(0, agents, size):
        part = asks[begin : begin + size]
        found: list[Ints] = []
        if begin // size % 2:
            ours.append(_seconds(partial(recall.answer, part)) / len(part))
        theirs.append(_seconds(partial(_extend, found, recall, part)) / len(part))
        if not begin // size % 2:
            ours.append(_seconds(partial(recall.answer, part)) / len(part))
        alike += sum(np.array_equal(ask.found, rows) for ask, rows in zip(part, found, strict=True))
    case = f"recall, {agents:,} agents with {memories:,} memories each"
    return [
        _row(case, "ms an agent", 1e3 * statistics.median(ours), 1e3 * statistics.median(theirs), "NumPy, an agent at a time", 1.0),
        _row("answers that are the same", "share", alike / agents, 1.0, "NumPy, an agent at a time", None),
        _row("memory of the stream", "bytes a memory", taken / (agents * memories), None, "", None),
        _row("memory of the stream", "kB an agent", taken / agents / 1e3, None, "", None),
        _row("memories noted", "ns a memory", 1e9 * filled / (agents * memories), None, "", None),
    ]


def _extend(found: list[Ints], recall: Recall, asks: Sequence[Ask]) -> None:
    found.extend(brute(recall, asks))


def brute(recall: Recall, asks: Sequence[Ask]) -> list[Ints]:
    """The rule of the paper as one writes it in NumPy for one agent: three terms, scaled to 0 .. 1, their sum, the best by sorting."""
    stream, table = recall.stream, recall.vectors.table.vectors
    found: list[Ints] = []
    for ask in asks:
        rows = ask.rows
        vectors = table[recall.places(rows)]
        query = table[recall.vectors.exact(ask.queries)[0]]
        relevance = vectors @ query / (np.linalg.norm(vectors, axis=1) * np.linalg.norm(query))
        recency = 0.995 ** ((ask.now - stream["accessed"][rows]) / HOUR)
        score = sum(_scaled(term) for term in (recency, stream["importance"][rows].astype(np.float64), relevance.astype(np.float64)))
        found.append(rows[np.sort(np.lexsort((-rows, -np.asarray(score)))[: ask.top])])
    return found


def walked(residents: int, ticks: int) -> list[dict[str, Any]]:
    """Ticks of a generated town in which everybody goes on errands, looks around and comes to know places."""
    plan = terraces(residents)
    made = _seconds(lambda: plan.map())
    town = plan.map()
    home = np.array(homes(town, residents))
    people = Population.of("resident", residents, home=home)
    phases = [Phase("day", "town")]
    began = time.perf_counter()
    schedule = Calendar(phases, step=10 * SECOND, duration=24 * HOUR)
    simulation = Simulation(people, [Town(town)], [RuleMind(_errands(town.objects, home))], schedule, seed=1)
    simulation.run_sync(1)
    ready = time.perf_counter() - began
    simulation.run_sync(20)  # to compile, and until the days of all are out of step
    spent: list[float] = []
    walking: list[float] = []
    for _ in range(10):
        spent.append(_seconds(lambda: simulation.run_sync(ticks // 10)) / (ticks // 10 * residents))
        walking.append(float(simulation.world["town"].measures()["walking"][0]))
    where = f"{residents:,} residents, {len(town.walkable):,} tiles, {len(town):,} places"
    busy = f"{100 * statistics.mean(walking):.0f} % walk"
    return [
        _row(f"town, {where}, {busy}", "µs an agent and tick", 1e6 * statistics.median(spent), None, "", None),
        _row("town: the map made", "s", made, None, "", None),
        _row("town: built, and all sent out at once", "s", ready, None, "", None),
    ]


def _errands(objects: Ints, home: Ints) -> Callable[[Turn, Observations], Actions]:
    """Half of all ways lead home, half to an object of the neighbourhood; one stays there for a while."""
    near = np.searchsorted(objects, home)
    activities = np.array(["tidying", "eating", "reading", "shopping"], object)

    def rule(turn: Turn, seen: Observations) -> Actions:
        who = turn.agents[seen["town"]["over"]]
        draw = turn.random("errand")
        place = objects[np.clip(near[who] + draw.integers(-60, 60, who), 0, len(objects) - 1)]
        place = np.where(draw.uniform(who, 1) < 0.5, home[who], place)
        doing = {"activity": activities[draw.integers(0, 3, who, 2)], "minutes": draw.integers(5, 60, who, 3), "state": ""}
        return Actions.one(turn, "town.do", who, place=place, **doing)

    return rule


def resident() -> int:
    """Bytes of memory that this process holds."""
    for line in Path("/proc/self/status").read_text().splitlines() if Path("/proc/self/status").exists() else ():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) * 1024
    return 0


def _scaled(values: NDArray[np.float64]) -> NDArray[np.float64]:
    width = values.max() - values.min()
    return (values - values.min()) / width if width > 0 else np.full(len(values), 0.5)


def _seconds(work: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _row(case: str, unit: str, ours: float, reference: float | None, name: str, goal: float | None) -> dict[str, Any]:
    ratio = None if not reference else round(ours / reference, 3)
    return {
        "case": case, "unit": unit, "ours": round(ours, 4), "reference": None if reference is None else round(reference, 4),
        "reference_name": name, "ratio": ratio, "goal": goal, "limit": None,
    }  # fmt: skip
