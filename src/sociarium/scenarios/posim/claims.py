"""What POSIM's paper and its system file claim, checked on the engine. One function a claim of the card."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.emotions.emotions import Emotions
from sociarium.environments.emotions.levels import POSIM
from sociarium.environments.social.discourse import EVENTS
from sociarium.kernel.hawkes import CURVE, Excitation, Hawkes, Sources, poisson
from sociarium.kernel.population import Population
from sociarium.kernel.randomness import Randomness
from sociarium.kernel.records import TickRecord
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Phase
from sociarium.kernel.units import HOUR, MINUTE
from sociarium.lab.agreement import correlation
from sociarium.lab.claims import ClaimContext, Measured, claim
from sociarium.lab.experiment import Experiment
from sociarium.lab.hawkes import fit_steps, step_means
from sociarium.lab.statistics import mean_interval
from sociarium.minds.rule import RuleMind, nothing
from sociarium.record.tree import survey
from sociarium.scenarios.posim.feeds import (
    by_formula,
    by_popularity,
    explored_slots,
    offences,
)
from sociarium.scenarios.posim.scenario import Posim
from sociarium.scenarios.posim.woken import awake_counts

Floats = NDArray[np.float64]

STEPS = 50_000  # of the balance of self-excitation
CRITICAL = 16.27  # of chi-square with 3 degrees of freedom at 0.001
COVERAGES = (0.0, 0.3, 0.6, 1.0)
BOUNDS = (60, 120, 200)  # users primed of 200


@claim("clock-exact")
def clock_exact(context: ClaimContext) -> Measured:
    return Measured.exactly(_after_one_event().intensity(8 * HOUR + 10 * MINUTE), holds=True)


@claim("clock-awake")
def clock_awake(context: ClaimContext) -> Measured:
    return Measured.exactly(_after_one_event().expected(8 * HOUR + 10 * MINUTE), holds=True)


@claim("clock-excludes")
def clock_excludes(context: ClaimContext) -> Measured:
    """At its own instant the event is not felt yet."""
    found = _after_one_event().intensity(8 * HOUR) - Excitation().intensity(0.0, 0.0, 8)
    return Measured.exactly(found, holds=CURVE[8] == 0.9)


def _after_one_event() -> Hawkes:
    outside = Sources(outside=[(8 * HOUR, 1.0)])
    return Hawkes([Phase("act")], step=10 * MINUTE, duration=24 * HOUR, start=8 * HOUR, sources=outside)


@claim("balance-tenth")
def balance_tenth(context: ClaimContext) -> Measured:
    return _balance(0.1, 3.461)


@claim("balance-one")
def balance_one(context: ClaimContext) -> Measured:
    return _balance(1.0, 5.679)


def _balance(weight: float, wanted: float) -> Measured:
    mean = float(_excited(weight, STEPS, 7).mean())
    return Measured.exactly(mean, holds=abs(mean / wanted - 1) <= 0.02)


def _excited(weight: float, steps: int, seed: int) -> Floats:
    """Awake counts of a flat day without events, where each awake agent makes one act of this weight."""
    excitation, felt = Excitation(curve=(1.0,) * 24), 0.0
    fade, out = math.exp(-10 * excitation.own_decay), np.empty(steps)
    for step, uniform in enumerate(Randomness(seed).stream("posim.balance").uniform(np.arange(steps)).tolist()):
        count = poisson(excitation.awakenings / 6 * excitation.intensity(excitation.own_kick * felt, 0.0, 0), uniform)
        felt = (felt + weight * count) * fade
        out[step] = count
    return out


@claim("recovery")
def recovery(context: ClaimContext) -> Measured:
    """The largest likelihood ratio over the seeds."""
    gains: list[float] = []
    for seed in context.seeds[:10]:
        observed = _excited(1.0, 2000, seed)
        fit = fit_steps(observed, step=10, awakenings=2000)
        mean = step_means(observed, 0.01, 0.005, 0.16, step=10, awakenings=2000)
        truth = float((observed * np.log(mean) - mean).sum() - sum(math.lgamma(count + 1) for count in observed))
        gains.append(2 * (fit.log_likelihood - truth))
    return Measured.exactly(max(gains), holds=min(gains) > -1e-6 and max(gains) < CRITICAL)


@claim("excitation-ablated")
async def excitation_ablated(context: ClaimContext) -> Measured:
    """The gap of mean correlations with a run of the clock itself."""
    target = await awake_counts("hawkes", 10_000)
    found = {clock: [correlation(target, await awake_counts(clock, seed)) for seed in context.seeds] for clock in ("hawkes", "uniform")}
    interval = mean_interval(np.array(found["hawkes"]) - np.array(found["uniform"]))
    return Measured.estimated(interval, holds=interval.estimate >= 0.3)


@claim("feed-formula")
def feed_formula(context: ClaimContext) -> Measured:
    wrong = sum(by_formula(seed) for seed in context.seeds)
    return Measured.exactly(float(wrong), holds=True)


@claim("feed-popularity")
def feed_popularity(context: ClaimContext) -> Measured:
    wrong = sum(by_popularity(seed) for seed in context.seeds)
    return Measured.exactly(float(wrong), holds=True)


@claim("feed-exploration")
def feed_exploration(context: ClaimContext) -> Measured:
    told = ", ".join(str(number) for number in explored_slots(range(2, 11)))
    return Measured.exactly(told, holds=told == context.claim.published)


@claim("feed-unseen")
async def feed_unseen(context: ClaimContext) -> Measured:
    return Measured.exactly(float(await offences(context.seeds[0])), holds=True)


@claim("contagion-contracts")
async def contagion_contracts(context: ClaimContext) -> Measured:
    """The spread of each emotion after 20 steps in which everyone sees everyone, of that before; the mean never leaves the first hull."""
    levels = np.random.Generator(np.random.Philox(key=context.seeds[0])).random((30, 6))
    found = await _passed_on(levels, 0.1, 20)
    spreads = np.array([np.ptp(step, axis=0).max() for step in found])
    inside = all(((step.mean(0) >= levels.min(0) - 1e-12) & (step.mean(0) <= levels.max(0) + 1e-12)).all() for step in found)
    still = np.array_equal((await _passed_on(levels, 0.0, 5))[-1], levels)
    return Measured.exactly(float(spreads[-1] / spreads[0]), holds=bool((np.diff(spreads) < 0).all()) and inside and still)


@claim("contagion-tenth")
async def contagion_tenth(context: ClaimContext) -> Measured:
    begin = np.zeros((2, 6))
    begin[1, 2] = 1.0
    return Measured.exactly(float((await _passed_on(begin, 0.1, 1, pairs=([0], [1])))[-1][0, 2]), holds=True)


async def _passed_on(levels: Floats, contagion: float, steps: int, pairs: Any = None) -> list[Floats]:
    """Levels at the beginning and after each step, without fading and stirring; everyone sees everyone where no pairs are given."""
    size = len(levels)
    everyone = tuple(part.reshape(-1) for part in np.meshgrid(np.arange(size), np.arange(size), indexing="ij"))
    met = tuple(np.array(column, np.int64) for column in (pairs or everyone))
    emotions = Emotions(replace(POSIM, fading=1.0, contagion=contagion), exposures=lambda: (met[0], met[1]), start=levels)
    schedule = Rounds([Phase("live", "emotions")], steps)
    simulation, found = Simulation(Population.of("user", size), [emotions], [RuleMind(nothing)], schedule), [levels]
    simulation.on_tick.append(lambda record: found.append(emotions.levels.copy()))
    await simulation.run()
    return found


@claim("fork-identical")
async def fork_identical(context: ClaimContext) -> Measured:
    """Leaves of the state that differ between two forks, and from the run that was never forked."""
    whole = Posim.of({"steps": 16}).build(context.seeds[0])
    await whole.run(8)
    ends = [await _ended(fork) for fork in (whole.fork(), whole.fork())]
    ends.append(await _ended(whole))
    return Measured.exactly(float(len(set(ends)) - 1), holds=True)


async def _ended(simulation: Simulation) -> str:
    await simulation.run()
    return survey(simulation.state()).digest


@claim("ban-silences")
async def ban_silences(context: ClaimContext) -> Measured:
    """Acts of accounts that were closed at step 6, after it; before it they acted."""
    accounts = list(range(12))
    records = await _lived({"steps": 16, "banned": accounts, "ban_step": 6}, context.seeds[0])
    acts = [sum(int(np.isin(e.actors, accounts).sum()) for e in r.events if e.kind in _ACTS) for r in records]
    return Measured.exactly(float(sum(acts[6:])), holds=sum(acts[:6]) > 0)


_ACTS = frozenset(f"platform.{event}" for event in EVENTS)


@claim("priming-coverage")
async def priming_coverage(context: ClaimContext) -> Measured:
    """Mean fall of the negative share from nobody to everybody primed; no seed in which it rises from one coverage to the next."""
    ratios = np.array([[(await _primed(coverage, 0.4, seed))[0] for coverage in COVERAGES] for seed in context.seeds[:3]])
    falls = ratios[:, 0] - ratios[:, -1]
    return Measured.exactly(float(falls.mean()), holds=bool((np.diff(ratios, axis=1) <= 0).all() and (falls > 0).all()))


@claim("priming-numbers")
async def priming_numbers(context: ClaimContext) -> Measured:
    scenario = Posim.of({"prime": "rational"})
    sets = [scenario.changed({"coverage": coverage}).primed(context.seeds[0]) for coverage in COVERAGES[1:]]
    nested = set(sets[0]) < set(sets[1]) < set(sets[2])
    counts = [(await _primed(coverage, 0.4, context.seeds[0], steps=7))[1] for coverage in COVERAGES[1:]]
    return Measured.exactly(", ".join(map(str, counts)), holds=nested and tuple(counts) == BOUNDS)


@claim("priming-null")
async def priming_null(context: ClaimContext) -> Measured:
    """How far the negative shares under full and under no coverage lie apart where priming does nothing."""
    seed = context.seeds[0]
    found = {(await _primed(coverage, 0.0, seed))[0] for coverage in (0.0, 1.0)}
    return Measured.exactly(max(found) - min(found), holds=len(found) == 1)


async def _primed(coverage: float, calm: float, seed: int, steps: int = 30) -> tuple[float, int]:
    """The share of negative acts, and how many users are primed in the end; contagion and appraisal are off."""
    settings = {"prime": "rational", "coverage": coverage, "calm": calm, "contagion": 0.0, "appraisal": 0.0, "steps": steps}
    simulation = Posim.of(settings).build(seed)
    await simulation.run()
    primed = sum(bool(text) for text in simulation.world.population["user"]["primed"])
    return float(simulation.world["platform"].measures()["negative"][0]), primed


async def _lived(settings: dict[str, Any], seed: int) -> list[TickRecord]:
    simulation, records = Posim.of(settings).build(seed), list[TickRecord]()
    simulation.on_tick.append(records.append)
    await simulation.run()
    return records


@claim("empathy-paradox")
async def empathy_paradox(context: ClaimContext) -> Measured:
    return await _against_control(context, {"prime": "empathy", "coverage": 1.0}, rises=True)


@claim("reason-calms")
async def reason_calms(context: ClaimContext) -> Measured:
    return await _against_control(context, {"prime": "rational", "coverage": 1.0}, rises=False)


@claim("regulation-calms")
async def regulation_calms(context: ClaimContext) -> Measured:
    return await _against_control(context, {"prime": "regulation", "coverage": 1.0}, rises=False)


@claim("dialogue-calms")
async def dialogue_calms(context: ClaimContext) -> Measured:
    return await _against_control(context, {"response": "dialogue"}, rises=False)


async def _against_control(context: ClaimContext, treated: dict[str, Any], *, rises: bool) -> Measured:
    """The difference of negative shares, paired by seed, in users of the given model."""
    base = {"model": context.model, "users": 50, "steps": 12, "awakenings": 500.0}
    results = await Experiment(Posim, {"control": {}, "treated": treated}, context.seeds[:5], base=base).run()
    difference = results.difference("treated", "control", "platform.negative")
    return Measured.estimated(difference, holds=difference.low > 0 if rises else difference.high < 0)
