"""What a step of a social platform costs at a thousand to a million users, with texts and the durable record.

The job is that of OASIS on its Reddit form: whoever is active refreshes a feed of 5 of the 100 hottest posts; 10 % post, 20 % like, 5 %
repost, 5 % follow, 5 % comment. Beside it the same job by hand in NumPy: ids only, no texts, no checks, no undo, nothing on disk. Each
size has a process of its own. A recommender by interests is timed beside the same work in plain Numba.
"""

from __future__ import annotations

import asyncio
import gc
import math
import statistics
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sociarium.cli.benches.population import child_of, peak, row

SIZES = (1_000, 10_000, 100_000, 1_000_000)
SHARES = (1.0, 0.1)  # of users that are active in a step
GOALS = {10_000: 0.011, 1_000_000: 1.0}  # seconds a step
ROUNDS = 30  # steps timed at most, in at most 12 seconds, but at least 4
LIMIT = "of it hashing and compressing what is recorded: about 1 us a row"


def run(sizes: Sequence[int] = SIZES, readers: int = 2_000) -> list[dict[str, Any]]:
    """Rows for ``sociarium bench platform``."""
    rows: list[dict[str, Any]] = []
    taken: dict[tuple[int, float], float] = {}
    for size in sizes:
        for share in SHARES:
            rows += _step(size, share, taken)
        rows += _users(size)
    for share in SHARES if len(sizes) > 1 else ():
        for first, last in dict.fromkeys([(sizes[0], sizes[-1]), (sizes[-2], sizes[-1])]):
            growth = math.log(taken[last, share] / taken[first, share]) / math.log(last / first)
            case = f"growth of a step from {first:,} to {last:,} users, {share:.0%} active"
            rows.append(row(case, "exponent", growth, 1.05, "wanted", goal=1.0))
    return rows + _feeds(readers)


def _step(size: int, share: float, taken: dict[tuple[int, float], float]) -> list[dict[str, Any]]:
    found = child_of(__spec__.name, "step", size, share)
    case, taken[size, share] = f"a step, {size:,} users, {share:.0%} active", found["wall cpu"]
    ours, bare, hand = (1e3 * found[f"{name} cpu"] for name in ("wall", "bare", "hand"))
    acts = found["acts"] / 1e3
    rows = [
        row(f"{case}, processor", "ms", ours, hand, "by hand, ids only", limit=LIMIT),
        row(f"{case}, processor", "ms", ours, bare, "not recorded", limit=LIMIT),
        row(f"{case}, an accepted act, processor", "us", ours / acts, hand / acts, "by hand, ids only"),
        row(f"{case}, clock", "ms", 1e3 * found["wall"], 1e3 * found["bare"], "not recorded"),
    ]
    if size in GOALS:
        rows.append(row(f"{case}, clock", "ms", 1e3 * found["wall"], 1e3 * GOALS[size], "wanted", goal=1.0))
    if size == max(GOALS):
        rows.append(row(f"{case}, peak memory", "MiB", found["peak"], 8192.0, "wanted", goal=1.0))
    return rows


def _users(size: int) -> list[dict[str, Any]]:
    found = child_of(__spec__.name, "users", size)
    case = f"making {size:,} users with language minds"
    return [
        row(f"{case}, each", "us", 1e6 * found["seconds"] / size, 20.0, "wanted", goal=1.0),
        row(f"{case}, each", "bytes", found["bytes"] / size, 300.0, "wanted", goal=1.0 if size >= 100_000 else None),
    ]


def _feeds(readers: int) -> list[dict[str, Any]]:
    found = child_of(__spec__.name, "feeds", readers, OPENBLAS_NUM_THREADS="1")  # one thread each
    case = f"the 50 best of 4,000 posts by age, fame and interest for {readers:,} readers"
    return [row(case, "ms", 1e3 * found["ours"], 1e3 * found["hand"], "Numba, by hand", goal=2.0)] if "hand" in found else []


def graph(size: int) -> Any:
    """Everyone follows about ten others."""
    from sociarium.kernel.network import Network
    from sociarium.kernel.randomness import Randomness

    random, edges = Randomness(1).stream("graph"), np.arange(10 * size)
    return Network.from_edges(size, random.integers(0, size - 1, edges), random.integers(0, size - 1, edges, 1))


def simulated(size: int, share: float, record: Any = None) -> Any:
    """The job as a simulation."""
    from sociarium.environments.social.habits import Habits, by_habit
    from sociarium.environments.social.platform import Platform
    from sociarium.environments.social.recommenders.presets import oasis_reddit
    from sociarium.kernel.population import Population
    from sociarium.kernel.schedule import Activity, Rounds
    from sociarium.kernel.simulation import Simulation
    from sociarium.kernel.turn import Phase
    from sociarium.kernel.units import DAY, MINUTE
    from sociarium.minds.rule import RuleMind

    platform, phases = Platform(graph(size), recommender=oasis_reddit()), [Phase("act", "platform")]
    if share < 1:
        schedule: Any = Activity(phases, np.full(24, share), step=3 * MINUTE, duration=1000 * DAY)
    else:
        schedule = Rounds(phases, 1_000_000, length=3 * MINUTE)
    mind = RuleMind(by_habit(platform, Habits(comment=0.05)))
    return Simulation(Population.of("user", size), [platform], [mind], schedule, seed=1, record=record)


def step(size: int, share: float) -> dict[str, float]:
    """Seconds a step recorded (``wall``), without a record (``bare``) and by hand: medians by the clock, means of processor time of all
    threads, in turns. What happens once goes before."""
    from sociarium.record.manifest import build_manifest
    from sociarium.record.run import RunRecord

    with tempfile.TemporaryDirectory() as folder:
        record = RunRecord.create(Path(folder) / "run", build_manifest("bench", {}, 1), snapshot_every=10**6, digest_every=10**6)
        recorded, bare, hand = simulated(size, share, record), simulated(size, share), by_hand(size, share)
        acts = [0]

        def count(tick: Any) -> None:
            acts[0] += sum(tick.applied.values())

        recorded.on_tick.append(count)
        with asyncio.Runner() as runner:
            for simulation in (recorded, bare):
                runner.run(simulation.run(4))
            hand()
            acts[0], rounds, begun = 0, 0, time.perf_counter()
            clock: dict[str, list[float]] = {"wall": [], "bare": [], "hand": []}
            processor = dict.fromkeys(clock, 0.0)
            steps: dict[str, Callable[[], Any]] = {
                "wall": lambda: runner.run(recorded.run(1)),
                "bare": lambda: runner.run(bare.run(1)),
                "hand": hand,
            }
            while rounds < ROUNDS and (rounds < 4 or time.perf_counter() - begun < 12.0):
                for name, act in steps.items():
                    used, started = time.process_time(), time.perf_counter()
                    act()
                    clock[name].append(time.perf_counter() - started)
                    processor[name] += time.process_time() - used
                rounds += 1
            closing = time.process_time()
            record.close()
            processor["wall"] += time.process_time() - closing
    told = {name: statistics.median(values) for name, values in clock.items()}
    used_by = {f"{name} cpu": seconds / rounds for name, seconds in processor.items()}
    return {**told, **used_by, "acts": acts[0] / rounds, "peak": peak()}


def by_hand(size: int, share: float) -> Callable[[], None]:
    """The same job as columns of numbers: nobody is refused, nothing can be undone, no text is kept."""
    random = np.random.default_rng(1)
    author, time_of, likes, shares = (np.zeros(0, dtype) for dtype in (np.int32, np.int64, np.int32, np.int32))
    liked: list[Any] = []
    follows: list[Any] = []
    now = [0]

    def step() -> None:
        nonlocal author, time_of, likes, shares
        now[0] += 180
        active = np.flatnonzero(random.random(size) < share) if share < 1 else np.arange(size)
        if len(author):
            hot = np.sign(likes) * np.log10(np.maximum(np.abs(likes), 1)) + time_of / 45_000.0
            kept = min(100, len(hot))
            best = np.argpartition(-hot, kept - 1)[:kept]
            feed = best[random.integers(0, kept, (len(active), 5))]
            draws = random.random((len(active), 4))
            for column, chance in enumerate((0.2, 0.05, 0.05, 0.05)):
                rows = np.flatnonzero(draws[:, column] < chance)
                posts = feed[rows, random.integers(0, 5, len(rows))]
                if column == 0:
                    np.add.at(likes, posts, 1)
                    liked.append((active[rows], posts))
                elif column == 1:
                    np.add.at(shares, posts, 1)
                elif column == 2:
                    follows.append((active[rows], author[posts]))
                author = np.concatenate([author, active[rows].astype(np.int32)]) if column in (1, 3) else author
        fresh = active[random.random(len(active)) < 0.1]
        author = np.concatenate([author, fresh.astype(np.int32)])
        more = len(author) - len(time_of)
        time_of = np.concatenate([time_of, np.full(more, now[0], np.int64)])
        likes, shares = (np.concatenate([column, np.zeros(more, np.int32)]) for column in (likes, shares))

    return step


def users(size: int) -> dict[str, float]:
    """Seconds and bytes of population, platform and minds, given the graph and the texts of the personas."""
    from sociarium.environments.social.platform import Platform
    from sociarium.environments.social.recommenders.presets import oasis_reddit
    from sociarium.kernel.population import Population
    from sociarium.kernel.schedule import Rounds
    from sociarium.kernel.simulation import Simulation
    from sociarium.kernel.turn import Phase
    from sociarium.minds.language import prompts
    from sociarium.minds.language.act import Act, ActRules
    from sociarium.minds.language.mind import LanguageMind
    from sociarium.minds.language.persona import Persona

    def made(size: int, follows: Any, texts: Any) -> Any:
        people = Population.of("user", size, name=texts, persona=texts)
        mind = LanguageMind([Persona(), Act(ActRules(actions=("platform.like_post", "platform.do_nothing")))], prompts())
        platform = Platform(follows, recommender=oasis_reddit())
        return Simulation(people, [platform], [mind], Rounds([Phase("act", "platform")], 10), seed=1)

    texts = np.full(size, "Somebody with an opinion", object)
    follows = graph(size)
    made(10, graph(10), texts[:10])  # what is imported and set up once
    begun = time.perf_counter()
    made(size, follows, texts)
    seconds = time.perf_counter() - begun
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    whole = made(size, follows, texts)
    held = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    del whole
    return {"seconds": seconds, "bytes": float(held)}


def feeds(readers: int, posts: int = 4_000, length: int = 64, kept: int = 50) -> dict[str, float]:
    """Seconds of one batch of feeds, ours and by hand: medians, in turns."""
    from sociarium.cli.benches.population import compiled, timed
    from sociarium.environments.social.posts import Kind
    from sociarium.environments.social.recommenders.ranked import Ranked
    from sociarium.environments.social.recommenders.score import Score
    from sociarium.environments.social.recommenders.terms import Fame, Interest, Recency
    from sociarium.environments.social.recommenders.vectors import TopicInterests

    random = np.random.default_rng(2)
    about, tastes = random.normal(size=(posts, length)), random.normal(size=(readers, length))
    simulation = simulated(readers, 1.0)
    platform = simulation.world["platform"]
    platform.posts.append(random.integers(0, readers, posts), 0, Kind.POST, ["a text"] * posts, topic=np.arange(posts))
    interest = Interest(TopicInterests(tastes, about))
    ranked = Ranked(Score((Recency(), Fame(), interest)), kept)
    everyone, stream = np.arange(readers), simulation.world.randomness.stream("feed")
    steps: dict[str, Callable[[], None]] = {"ours": lambda: _ignore(ranked.recommend(platform, everyone, stream))}
    if compiled():
        steps["hand"] = _best_by_hand(platform, tastes, about, kept)
    return timed(steps, rounds=7, budget=20.0)


def _best_by_hand(platform: Any, tastes: Any, about: Any, kept: int) -> Callable[[], None]:
    """What one would write: a loop over readers and posts, a cosine, an insertion into the best so far."""
    import numba

    def unit(rows: Any) -> Any:
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    @numba.njit(nogil=True, fastmath=True)
    def loop(a: Any, b: Any, common: Any, authors: Any, best: Any, out: Any) -> None:
        for reader in range(len(a)):
            best[:] = -np.inf
            for post in range(len(b)):
                if authors[post] == reader:
                    continue
                total = np.float32(0)
                for at in range(a.shape[1]):
                    total += a[reader, at] * b[post, at]
                score = total * common[post]
                if score > best[-1]:
                    place = len(best) - 1
                    while place > 0 and best[place - 1] < score:
                        best[place], out[reader, place] = best[place - 1], out[reader, place - 1]
                        place -= 1
                    best[place], out[reader, place] = score, post

    a, b = unit(tastes), unit(about)
    authors = platform.posts.author.astype(np.int64)
    out = np.empty((len(a), kept), np.int64)

    def step() -> None:
        age = (platform.world.clock.time - platform.posts.time) / 60e6
        fame = np.maximum(1.0, np.log1p(platform.follows.followers[authors]) / math.log(1000.0))
        loop(a, b, (np.log((271.8 - age) / 100) * fame).astype(np.float32), authors, np.empty(kept, np.float32), out)

    return step


def _ignore(_: Any) -> None:
    """What it gave is not looked at."""


if __name__ == "__main__":
    from sociarium.cli.console import emit_json
    from sociarium.lab.documents import finite

    measure: Any = {"step": step, "users": users, "feeds": feeds}[sys.argv[1]]
    emit_json(finite(measure(int(sys.argv[2]), *(float(more) for more in sys.argv[3:]))))
