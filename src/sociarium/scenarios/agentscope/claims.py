"""What the paper and its system file claim, checked on the engine. One function a claim of the card."""

from __future__ import annotations

import math
import os
import signal
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.cluster.actors import Cluster
from sociarium.cluster.shards import ShardedMind
from sociarium.cluster.speed import efficiency, first_return, sleeping
from sociarium.environments.games.guessing import fixed_point, level_shares, standard_errors_from_random
from sociarium.environments.tree import Held, Tree, TreeEvent
from sociarium.kernel.errors import UsageError
from sociarium.kernel.extras import optional
from sociarium.kernel.records import TickRecord
from sociarium.lab.claims import ClaimContext, Measured, claim
from sociarium.lab.running import Options, in_memory
from sociarium.lab.statistics import mean_interval
from sociarium.scenarios.agentscope.people import attributes, people
from sociarium.scenarios.agentscope.scenario import AgentScope

Numbers = NDArray[np.float64]

RATIOS = (1 / 2, 3 / 5, 2 / 3, 51 / 100, 67 / 100)
DEVIATION = 29.15  # of whole numbers 0 to 100, all as likely
PUBLISHED_RANDOM = (50.51, 45.15, 48.32)  # mean reports of 100 random agents, three rounds
MIXTURES = ((0.2, 0.5, 0.3), (0.5, 0.25, 0.25), (0.1, 0.1, 0.8))
RULE_MIND = "sociarium.scenarios.agentscope.players:rule_mind"


@claim("equilibrium-contraction")
def equilibrium_contraction(context: ClaimContext) -> Measured:
    """Worst distance of the mean of round 30 from the equilibrium, over all ratios and both shifts."""
    worst = 0.0
    for ratio in RATIOS:
        for shift in (0.0, 5.0):
            means = _means("best_response", participants=200, rounds=30, ratio=ratio, shift=shift)
            worst = max(worst, abs(means[-1] - fixed_point(ratio, shift)))
    return Measured.exactly(worst, holds=worst < 1e-3)


@claim("contraction-path")
def contraction_path(context: ClaimContext) -> Measured:
    """Largest relative distance from 50 (2/3)^k."""
    means = _means("best_response", participants=200, rounds=30)
    off = max(abs(mean / (50 * (2 / 3) ** k) - 1) for k, mean in enumerate(means))
    return Measured.exactly(off, holds=off < 1e-12)


@claim("shifted-fixed-points")
def shifted_fixed_points(context: ClaimContext) -> Measured:
    """Means of round 80 with the shifted rule."""
    ends = [_means("best_response", participants=200, rounds=80, ratio=ratio, shift=5.0)[-1] for ratio in RATIOS]
    told = ", ".join(f"{end:.3f}".rstrip("0").rstrip(".") for end in ends)
    return Measured.exactly(told, holds=told == context.claim.published)


@claim("level-k-mean")
def level_k_mean(context: ClaimContext) -> Measured:
    """Largest distance of a first-round mean from the closed form, in units of 29.15 sqrt(w0 / n)."""
    count, worst = 1000, 0.0
    for shares in MIXTURES:
        expected = 50 * (shares[0] + shares[1] * 2 / 3 + shares[2] * 4 / 9)
        for seed in context.seeds:
            mean = _reports(_levels(shares), seed, participants=count, rounds=1)[0].mean()
            worst = max(worst, abs(mean - expected) / (DEVIATION * math.sqrt(shares[0] / count)))
    return Measured.exactly(worst, holds=worst <= 4)


@claim("level-k-estimator")
def level_k_estimator(context: ClaimContext) -> Measured:
    """Largest error of an estimated share, in binomial standard errors."""
    count, worst = 1000, 0.0
    for shares in MIXTURES:
        for seed in context.seeds:
            found = level_shares(_reports(_levels(shares), seed, participants=count, rounds=1)[0], 2 / 3)
            errors = [abs(ours - true) / math.sqrt(true * (1 - true) / count) for ours, true in zip(found, shares, strict=True)]
            worst = max(worst, *errors)
    return Measured.exactly(worst, holds=worst <= 4)


@claim("random-null")
def random_null(context: ClaimContext) -> Measured:
    """The published means of random agents pass at three standard errors, and that of a language model does not."""
    away = [standard_errors_from_random(mean, 100) for mean in (*PUBLISHED_RANDOM, 19.52)]
    told = ", ".join(f"{value:+.2f}".replace("-", "−") for value in away)
    return Measured.exactly(told, holds=all(abs(value) <= 3 for value in away[:3]) and abs(away[3]) > 3)


@claim("random-players")
def random_players(context: ClaimContext) -> Measured:
    """First-round means of a hundred random players: their mean over seeds lies within 3 standard errors of 50, as does each run."""
    means = np.array([_reports("random", seed, rounds=1)[0].mean() for seed in context.seeds])
    each = max(abs(standard_errors_from_random(float(mean), 100)) for mean in means)
    whole = abs(standard_errors_from_random(float(means.mean()), 100 * len(means)))
    return Measured.estimated(mean_interval(means), holds=each <= 3.5 and whole <= 3)


@claim("random-deviation")
def random_deviation(context: ClaimContext) -> Measured:
    """Standard deviation of the reports of a million random players."""
    last = _played("random", context.seeds[0], participants=1_000_000, rounds=1)[-1]
    found = float(last.measures["guess.deviation"][0])
    return Measured.exactly(found, holds=abs(found - DEVIATION) < 0.05)


@claim("serial-equals-parallel")
def serial_equals_parallel(context: ClaimContext) -> Measured:
    """Reports and means that differ between one process and two."""
    scenario = _scenario(participants=400, players={"level0": 0.5, "level2": 0.3, "silent": 0.2}, rounds=3)
    seed = context.seeds[0]
    alone = _run(scenario, seed)
    with Cluster(workers=2) as cluster:
        shared = _run(scenario, seed, cluster)
    differing = sum(not np.array_equal(a, b) for a, b in zip(_numbers(alone), _numbers(shared), strict=True))
    for one, other in zip(alone, shared, strict=True):
        differing += sum(not np.array_equal(value, other.measures[name], equal_nan=True) for name, value in one.measures.items())
    return Measured.exactly(float(differing), holds=differing == 0)


@claim("sleeping-speed-up")
def sleeping_speed_up(context: ClaimContext) -> Measured:
    """Seconds for 64 actors that wait 0.2 s on 16 workers: the best of three."""
    wall = min(sleeping() for _ in range(3))
    return Measured.exactly(wall, holds=0.8 <= wall <= 1.3 * 0.8)


@claim("computing-efficiency")
def computing_efficiency(context: ClaimContext) -> Measured:
    """Two workers (one where the machine has one core) beside as many bare processes: the best of eight each."""
    found = efficiency(min(2, os.cpu_count() or 1))
    return Measured.exactly(found, holds=found >= 0.7)


@claim("placeholder-returns")
def placeholder_returns(context: ClaimContext) -> Measured:
    """Milliseconds until a call comes back whose method takes a second; reading its value then waits for it."""
    returned, read = first_return(1.0)
    return Measured.exactly(1000 * returned, holds=returned < 0.02 and read >= 1.0)


@claim("partial-sums")
def partial_sums(context: ClaimContext) -> Measured:
    """Largest relative difference of a mean between 1, 4, 7 and 64 parts, with a fifth of the players failed."""
    players = {"level0": 0.4, "level1": 0.4, "silent": 0.2}
    means = [_means(players, participants=1000, groups=groups, rounds=3) for groups in (1, 4, 7, 64)]
    counts = _played(players, 0, participants=1000, groups=7, rounds=3)[-1].measures["guess.reports"]
    off = max(abs(a / b - 1) for one in means[1:] for a, b in zip(one, means[0], strict=True))
    return Measured.exactly(off, holds=off <= 1e-12 and int(counts[0]) == 800)


@claim("quota-marginals")
def quota_marginals(context: ClaimContext) -> Measured:
    """Largest distance of a count from its share of the players, over both persona sets and several sizes."""
    worst = 0.0
    for persona_set in ("education", "profession"):
        for count in (600, 997, 1000):
            columns = people(persona_set, count, context.seeds[0], renormalise=True)
            for attribute in attributes(persona_set):
                whole = sum(attribute.shares.values())
                for category, share in attribute.shares.items():
                    worst = max(worst, abs(np.count_nonzero(columns[attribute.name] == category) - share / whole * count))
    return Measured.exactly(worst, holds=worst <= 1)


@claim("quota-independence")
def quota_independence(context: ClaimContext) -> Measured:
    """The p value of a chi-square test between the two attributes of 1,000 people."""
    stats: Any = optional("scipy.stats", "lab", "a chi-square test")
    columns = people("education", 1000, context.seeds[0], renormalise=False)
    first, second = (np.unique(columns[name].astype(str), return_inverse=True)[1] for name in ("gender", "education"))
    table: Any = np.zeros((first.max() + 1, second.max() + 1))
    np.add.at(table, (first, second), 1)
    p = float(stats.chi2_contingency(table).pvalue)
    return Measured.exactly(p, holds=p > 0.001)


@claim("quota-renormalise")
def quota_renormalise(context: ClaimContext) -> Measured:
    """Profession shares sum to 1.2: an error, unless they are said to be weights; then 600 people are 100 of each."""
    try:
        people("profession", 600, 0, renormalise=False)
    except UsageError as error:
        refused = "1.2" in str(error)
    else:
        refused = False
    columns = people("profession", 600, 0, renormalise=True)
    counts = np.unique(columns["profession"].astype(str), return_counts=True)[1]
    return Measured.exactly("refused, then 100 each" if refused else "not refused", holds=refused and counts.tolist() == [100] * 6)


@claim("listeners-fire-once")
def listeners_fire_once(context: ClaimContext) -> Measured:
    """Calls of a listener over 100 events, each after the change, with name, arguments and return."""
    tree, heard = Tree(), list[TreeEvent]()
    tree.add("door")

    def listen(event: TreeEvent) -> None:
        heard.append(event)
        late.append(tree.item("door").value != event.returned)

    late: list[bool] = []
    tree.listen("door", listen, "set")
    for number in range(100):
        tree.set("door", str(number), agent=3)
    right = all(e == TreeEvent("set", "door", {"value": str(n)}, 3, str(n)) for n, e in enumerate(heard))
    return Measured.exactly(float(len(heard)), holds=right and not any(late))


@claim("lock-blocks-others")
def lock_blocks_others(context: ClaimContext) -> Measured:
    """Of ten agents that try to change a held object, how many are blocked; its owner never is, and names stay unique."""
    tree = Tree()
    tree.add("door")
    tree.hold("door", agent=4)
    blocked = sum(_refused(lambda a=agent: tree.set("door", str(a), agent=a)) for agent in range(10))
    taken = _refused(lambda: tree.add("door"))
    tree.release("door", agent=4)
    free = not _refused(lambda: tree.set("door", "open", agent=5))
    return Measured.exactly(float(blocked), holds=blocked == 9 and taken and free)


@claim("scale-smoke")
def scale_smoke(context: ClaimContext) -> Measured:
    """Seconds for 10,000 players and 3 rounds."""
    started = time.perf_counter()
    records = _played("random", context.seeds[0], participants=10_000, rounds=3)
    seconds = time.perf_counter() - started
    return Measured.exactly(seconds, holds=seconds < 60 and int(records[-1].measures["guess.reports"][0]) == 10_000)


@claim("a-million")
def a_million(context: ClaimContext) -> Measured:
    """Seconds for a million players and 3 rounds, on one machine in one process."""
    started = time.perf_counter()
    records = _played({"level0": 0.2, "level1": 0.5, "level2": 0.3}, context.seeds[0], participants=1_000_000, groups=16, rounds=3)
    seconds = time.perf_counter() - started
    return Measured.exactly(seconds, holds=seconds < 30 and int(records[-1].measures["guess.reports"][0]) == 1_000_000)


@claim("worker-lost")
def worker_lost(context: ClaimContext) -> Measured:
    """A worker is killed after the first round: the share of failed players in the last of three rounds."""
    scenario = _scenario(participants=100, players="level0", rounds=3)
    with Cluster(workers=2, retries=1, restart=False) as cluster:

        def strike(record: TickRecord) -> None:
            if record.tick == 0:
                os.kill(cluster.pids()[0], signal.SIGKILL)

        records = _run(scenario, context.seeds[0], cluster, strike)
        logged = bool(cluster.lost)
    failed = float(records[-1].measures["statistics.failure_share"][0])
    counted = [record.shares().get("failed", 0) for record in records]
    return Measured.exactly(failed, holds=failed == 0.5 and counted == [0, 50, 50] and logged)


@claim("prompts-deepen-reasoning")
async def prompts_deepen_reasoning(context: ClaimContext) -> Measured:
    """How much nearer to the equilibrium the first-round mean is when all are said to be rational and to reason about each other."""
    gains = [await _language_mean(context, seed, 1) - await _language_mean(context, seed, 3) for seed in context.seeds[:5]]
    interval = mean_interval(gains)
    return Measured.estimated(interval, holds=interval.low > 0)


@claim("language-round-one")
async def language_round_one(context: ClaimContext) -> Measured:
    """Mean report of a hundred players who think step by step, in the first round."""
    means = [await _language_mean(context, seed, 1, participants=100) for seed in context.seeds[:3]]
    return Measured.estimated(mean_interval(means), holds=True)


async def _language_mean(context: ClaimContext, seed: int, system_prompt: int, participants: int = 20) -> float:
    settings = {"model": context.model, "participants": participants, "rounds": 1, "answer": "steps", "system_prompt": system_prompt}
    finished = await in_memory(AgentScope.of(settings), seed, Options())
    return float(finished.last.measures["guess.mean"][0]) if finished.last else math.nan


def _scenario(**settings: Any) -> AgentScope:
    return AgentScope.of(settings)


def _levels(shares: tuple[float, ...]) -> dict[str, float]:
    return {f"level{level}": share for level, share in enumerate(shares)}


def _played(players: Any, seed: int, **settings: Any) -> list[TickRecord]:
    return _run(_scenario(players=players, **settings), seed)


def _run(scenario: AgentScope, seed: int, cluster: Cluster | None = None, watch: Any = None) -> list[TickRecord]:
    """Every tick of a run; with a cluster its rule mind decides in two shards."""
    simulation = scenario.build(seed)
    if cluster is not None:
        own: Any = simulation.minds.all[0]
        given: dict[str, Any] = {"ratio": scenario.ratio, "shift": scenario.shift, "maximum": scenario.max_value, "rules": own.rules}
        simulation.minds.all[0] = mind = ShardedMind(cluster, RULE_MIND, shards=2, **given)
        mind.begin(simulation.world)
    records: list[TickRecord] = []
    simulation.on_tick.append(records.append)
    if watch is not None:
        simulation.on_tick.append(watch)
    simulation.run_sync()
    return records


def _numbers(records: list[TickRecord]) -> list[Numbers]:
    """Reports, one array a round."""
    return [rows.data["number"] for record in records for rows in record.events if rows.kind == "guess.reported"]


def _reports(players: Any, seed: int, **settings: Any) -> list[Numbers]:
    return _numbers(_played(players, seed, **settings))


def _means(players: Any, **settings: Any) -> list[float]:
    return [float(record.measures["guess.mean"][0]) for record in _run(_scenario(players=players, **settings), 0)]


def _refused(act: Any) -> bool:
    try:
        act()
    except (Held, UsageError):
        return True
    return False
