"""What a round of rule agents costs, beside the same arithmetic written by hand in NumPy, in the same process.

Both do the same work: a random draw an agent, a decision, the check of its bounds, group means, pay-offs. The engine does besides
what makes it an engine: lanes, observations, typed action tables, events, outcomes, rewards, measures.
"""

from __future__ import annotations

import gc
import math
import statistics
import time
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.actions import Actions, ActionTable, Integer, Number, action
from sociarium.kernel.environment import Environment, Events, Groups, Outcome
from sociarium.kernel.population import Population
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Observations, Phase, Turn
from sociarium.kernel.world import World
from sociarium.minds.rule import RuleMind

SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
GOAL = 1.5
GROUP = 4  # players of a public good
LIMIT = "a draw that depends on nothing but its place takes 5 to 6 ns in plain NumPy, PCG64's next takes 2.4; a tick takes 0.2 ms"
ENDOWMENT, RETURN = 20, 0.4
Step = Callable[[], None]
Floats = NDArray[np.float64]


def run(sizes: Sequence[int] = SIZES, repeats: int = 7) -> list[dict[str, Any]]:
    """Rows: nanoseconds an agent-round (medians of interleaved repeats), bytes an agent, and the growth exponent of the time."""
    rows: list[dict[str, Any]] = []
    for name, ours, reference in (("guessing", guessing, guessing_by_hand), ("public goods", public_goods, public_goods_by_hand)):
        timed: list[tuple[float, float]] = []
        for size in sizes:
            rounds = max(1, min(20, 2_000_000 // size))
            first, second = measured(ours(size), reference(size), rounds, repeats if size < 10_000_000 else 3)
            timed.append((first, second))
            rows.append(row(f"{name}, {size:,} agents", "ns per agent-round", 1e9 * first / size, 1e9 * second / size))
        if len(sizes) > 1:
            grown = [math.log(timed[-1][k] / timed[0][k]) / math.log(sizes[-1] / sizes[0]) for k in (0, 1)]
            rows.append(row(f"{name}, growth of time with agents", "exponent", grown[0], grown[1], goal=None))
        some = min(1_000_000, sizes[-1])
        held, peak = memory(lambda s=some, o=ours: o(s)), memory(lambda s=some, r=reference: r(s))
        rows.append(row(f"{name}, kept for {some:,} agents", "bytes per agent", held[0] / some, peak[0] / some, goal=None))
        rows.append(row(f"{name}, peak for {some:,} agents", "bytes per agent", held[1] / some, peak[1] / some, goal=None))
    return rows


def row(case: str, unit: str, ours: float, reference: float, *, goal: float | None = GOAL) -> dict[str, Any]:
    ratio = ours / reference if reference > 0.01 else math.nan  # by hand nothing may be kept at all
    return {
        "case": case, "unit": unit, "ours": round(ours, 3), "reference": round(reference, 3), "reference_name": "NumPy by hand",
        "ratio": round(ratio, 3), "goal": goal, "limit": LIMIT if goal else None,
    }  # fmt: skip


def measured(ours: Step, reference: Step, rounds: int, repeats: int) -> tuple[float, float]:
    """Median seconds a round of each, taken in turns so that a busy machine slows both."""
    for step in (ours, reference):  # the first round pays for memory that is touched for the first time
        step()
    taken: tuple[list[float], list[float]] = ([], [])
    gc.collect()
    for repeat in range(repeats):
        for which in (0, 1) if repeat % 2 else (1, 0):
            step = (ours, reference)[which]
            begun = time.perf_counter()
            for _ in range(rounds):
                step()
            taken[which].append((time.perf_counter() - begun) / rounds)
    return statistics.median(taken[0]), statistics.median(taken[1])


def memory(build: Callable[[], Step]) -> tuple[int, int]:
    """Bytes that a built and played simulation keeps, and the most it took."""
    gc.collect()
    tracemalloc.start()
    try:
        step = build()
        step()
        step()
        gc.collect()
        return tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()


class Guessing(Environment):
    """Guess a number from 0 to 100; the target is two thirds of the mean (Nagel 1995). A group is a table."""

    name = "guessing"
    target: Floats  # of the last round, (groups,)

    def reset(self, world: World, groups: Groups) -> None:
        super().reset(world, groups)
        self.target = np.full(world.groups, 50.0)

    def observe(self, turn: Turn) -> Mapping[str, NDArray[Any]]:
        return {"target": np.broadcast_to(self.target[0], turn.agents.shape)}

    @action("Guess.", number=Number(low=0, high=100))
    def guess(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        self.target[0] = 2 / 3 * table["number"].mean()
        return Outcome([Events("guessed", table.agents, {"number": table["number"]}, kept=False)])

    def measures(self) -> Mapping[str, NDArray[Any]]:
        return {"target": self.target}


def guess(turn: Turn, seen: Observations) -> Actions:
    drawn = turn.random("guess").uniform(turn.agents)
    drawn *= seen["guessing"]["target"]
    return Actions.one(turn, "guess", number=drawn)


def guessing(size: int) -> Step:
    return stepping(Simulation(Population.of("player", size), [Guessing()], [RuleMind(guess)], endless("guessing")))


def guessing_by_hand(size: int) -> Step:
    generator = np.random.default_rng(0)
    target = 50.0

    def step() -> None:
        nonlocal target
        guesses = generator.random(size)
        guesses *= target
        if guesses.min() < 0 or guesses.max() > 100:
            raise ValueError("a guess is out of bounds")
        target = 2 / 3 * float(guesses.mean())

    return step


class PublicGoods(Environment):
    """A linear public good: what is given is multiplied and shared among the group. Groups of four, agents in order of group."""

    name = "goods"
    given: Floats  # mean contribution of the last round, (groups,)

    def reset(self, world: World, groups: Groups) -> None:
        super().reset(world, groups)
        self.given = np.full(world.groups, ENDOWMENT / 2)

    def observe(self, turn: Turn) -> Mapping[str, NDArray[Any]]:
        return {"given": self.given[self.world.population.get(turn.agents, "group")]}

    @action("Contribute.", amount=Integer(low=0, high=ENDOWMENT))
    def contribute(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        groups = self.world.population.get(table.agents, "group")
        pot = np.bincount(groups, table["amount"], self.world.groups)
        self.given = pot / np.maximum(np.bincount(groups, minlength=self.world.groups), 1)
        payoff = RETURN * pot[groups]
        payoff += ENDOWMENT
        payoff -= table["amount"]
        return Outcome([Events("contributed", table.agents, {"amount": table["amount"], "payoff": payoff}, kept=False)])

    def measures(self) -> Mapping[str, NDArray[Any]]:
        return {"given": self.given}


def contribute(turn: Turn, seen: Observations) -> Actions:
    drawn = turn.random("contribute").uniform(turn.agents)
    drawn *= 2
    drawn *= seen["goods"]["given"]
    np.minimum(drawn, ENDOWMENT, out=drawn)
    return Actions.one(turn, "contribute", amount=np.rint(drawn, out=drawn).astype(np.int64))


def public_goods(size: int) -> Step:
    population = Population.of("player", size, group=np.arange(size, dtype=np.int64) // GROUP)
    return stepping(Simulation(population, [PublicGoods()], [RuleMind(contribute)], endless("goods")))


def public_goods_by_hand(size: int) -> Step:
    generator = np.random.default_rng(0)
    groups = np.arange(size, dtype=np.int64) // GROUP
    count = int(groups[-1]) + 1
    given = np.full(count, ENDOWMENT / 2)

    def step() -> None:
        nonlocal given
        drawn = generator.random(size)
        drawn *= 2
        drawn *= given[groups]
        np.minimum(drawn, ENDOWMENT, out=drawn)
        amounts = np.rint(drawn, out=drawn).astype(np.int64)
        if amounts.min() < 0 or amounts.max() > ENDOWMENT:
            raise ValueError("a contribution is out of bounds")
        pot = np.bincount(groups, amounts, count)
        given = pot / np.maximum(np.bincount(groups, minlength=count), 1)
        payoff = RETURN * pot[groups]
        payoff += ENDOWMENT
        payoff -= amounts

    return step


def endless(lead: str) -> Rounds:
    return Rounds([Phase("round", lead)], 1_000_000_000)


def stepping(simulation: Simulation) -> Step:
    """One tick a call. Nothing waits in these runs, so a coroutine ends at its first step."""

    def step() -> None:
        try:
            simulation.step().send(None)
        except StopIteration:
            return
        raise RuntimeError("a rule agent waited for something")

    return step
