"""Claims about sites that keep their agents: shares, sums, the trajectory, a fit, and noise."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.cluster.secure_aggregation.aggregator import Aggregator
from sociarium.cluster.secure_aggregation.epidemic import EpidemicSite, sites_of
from sociarium.cluster.secure_aggregation.field import MODULUS, decode_whole, encode_whole, joined, split
from sociarium.cluster.secure_aggregation.session import AggregatorLost, Session, here, in_step
from sociarium.cluster.secure_aggregation.sites import run_alone, run_here
from sociarium.environments.epidemic.epidemic import Epidemic
from sociarium.environments.epidemic.strategies import Habits
from sociarium.lab.claims import ClaimContext, Measured, claim
from sociarium.scenarios.large_population_models.playing import play
from sociarium.scenarios.large_population_models.scenario import LargePopulationModels
from sociarium.training.calibration.intervals import noise_effect
from sociarium.training.calibration.sites import CalibratingSite, SharedDescent

DRAWS, CELLS, PARTS = 100_000, 64, 3
AGENTS, DAYS, SITES = 600, 20, 3
AT_1E4 = 113.5  # chi-square of 63 degrees of freedom: p = 1e-4


def town(reproduction: float = 6.0, degree: float = 6) -> LargePopulationModels:
    return LargePopulationModels.of({"agents": AGENTS, "steps": DAYS, "degree": degree, "initial": 0.1, "reproduction": [reproduction]})


def dealt(scenario: LargePopulationModels, seed: int, sites: int, *, decide: bool = True) -> dict[str, EpidemicSite]:
    habits = Habits(isolate=scenario.isolate, caution=scenario.caution) if decide else None
    epidemic = scenario.build(seed).world["epidemic"]
    assert isinstance(epidemic, Epidemic)
    return sites_of(epidemic, np.arange(scenario.agents) % sites, seed=seed, habits=habits)


@claim("shares-uniform")
def shares_uniform(context: ClaimContext) -> Measured:
    """The largest chi-square of 64 joint cells over 1e5 draws, of 0, 1 and p - 1 and every two of three shares; 113.5 is p = 1e-4."""
    generator, worst = np.random.default_rng(20_241), 0.0
    for secret in (0, 1, MODULUS - 1):
        shares = split(np.full(DRAWS, secret, np.uint64), PARTS, generator.bytes)
        eighths = (shares >> np.uint64(58)).astype(np.int64)
        for one, other in combinations(range(PARTS), 2):
            counts = np.bincount(8 * eighths[one] + eighths[other], minlength=CELLS)
            worst = max(worst, float(((counts - DRAWS / CELLS) ** 2 / (DRAWS / CELLS)).sum()))
    return Measured.exactly(worst, holds=worst < AT_1E4)


@claim("sums-exact")
def sums_exact(context: ClaimContext) -> Measured:
    """Sums over three sites that are not the sum of whole numbers, of 3000."""
    numbers = np.random.default_rng(1).integers(-(2**40), 2**40, (3, 3000))
    totals = np.array([joined(split(encode_whole(row), PARTS)) for row in numbers])
    wrong = int((decode_whole(joined(totals)) != numbers.sum(axis=0)).sum())
    return Measured.exactly(float(wrong), holds=wrong == 0)


@claim("decentralised-trajectory")
def decentralised_trajectory(context: ClaimContext) -> Measured:
    """Values of agents that differ between three sites and one process after 20 days, with decisions, three seeds."""
    wrong = 0
    for seed in context.seeds[:3]:
        scenario = town()
        simulation = scenario.build(seed)
        epidemic = simulation.world["epidemic"]
        sites = dealt(scenario, seed, SITES)
        daily: list[float] = []
        simulation.on_tick.append(lambda record, daily=daily: daily.append(float(record.measures["epidemic.cases"][0])))
        play(simulation)
        trajectory = run_here(sites, DAYS)
        wrong += int((trajectory.statistics[:, 0] != daily).sum())
        for site in sites.values():
            for name in ("stage", "until", "infected"):
                wrong += int((getattr(site.state_now, name) != getattr(epidemic, name)[site.agents]).sum())
        wrong += AGENTS * (sum(daily) < 100)
    return Measured.exactly(float(wrong), holds=wrong == 0)


@claim("decentralised-fit")
def decentralised_fit(context: ClaimContext) -> Measured:
    """Values of R in eight rounds of a fit that differ between three sites and one process; the loss falls."""
    scenario, days = town(), 14
    observed = run_alone(dealt(scenario, 77, 1, decide=False)["site-0"], days).statistics[:, 0]
    fits = [
        {name: CalibratingSite(site, SharedDescent(observed, [3.0, 3.0])) for name, site in dealt(scenario, 1, count, decide=False).items()}
        for count in (1, SITES)
    ]
    run_alone(fits[0]["site-0"], 8 * days)
    run_here(fits[1], 8 * days)
    central = fits[0]["site-0"].descent
    wrong = sum(site.descent.tried != central.tried for site in fits[1].values())
    return Measured.exactly(float(wrong), holds=wrong == 0 and central.losses[-1] < central.losses[0])


@claim("lost-aggregator")
def lost_aggregator(context: ClaimContext) -> Measured:
    """Of 50 rounds in which one of three aggregators gives no shares back, those that give a number and not an error."""
    silent = 0
    for step in range(50):
        parts = [Aggregator(["a", "b"]) for _ in range(PARTS - 1)]
        sessions = {name: Session(name, [*(here(part, name) for part in parts), nothing_back], 2) for name in "ab"}
        try:
            in_step(["a", "b"], lambda name, step=step, sessions=sessions: sessions[name].sums(step, "m", [1], [5], [1]))
            silent += 1
        except AggregatorLost:
            pass
        finally:
            for session in sessions.values():
                session.close()
    return Measured.exactly(float(silent), holds=silent == 0)


def nothing_back(
    step: int, label: str, recipients: NDArray[np.int64], shares: NDArray[np.uint64], wanted: NDArray[np.int64]
) -> NDArray[np.uint64]:
    return np.zeros(len(wanted), np.uint64)


@claim("bytes-sent")
def bytes_sent(context: ClaimContext) -> Measured:
    """Bytes an agent and day: 6 contacts each, three sites, three aggregators."""
    trajectory = run_here(dealt(town(), 1, SITES), DAYS, aggregators=PARTS)
    sent = trajectory.sent / (AGENTS * DAYS)
    return Measured.exactly(sent, holds=0 < sent < 16 * PARTS * (6 + 2))


@claim("noise-spread")
def noise_spread(context: ClaimContext) -> Measured:
    """Standard deviation of R from one noisy count (N = 1e4, force .1, R = 2, sigma = 100), by 2 million draws; the formula within 1 %."""
    found, formula = _noise()
    return Measured.exactly(found[0], holds=abs(found[0] / formula[0] - 1) < 0.01)


@claim("noise-bias")
def noise_bias(context: ClaimContext) -> Measured:
    """Its bias; the formula within 15 %."""
    found, formula = _noise()
    return Measured.exactly(found[1], holds=abs(found[1] / formula[1] - 1) < 0.15)


def _noise() -> tuple[tuple[float, float], tuple[float, float]]:
    agents, force, reproduction, sigma = 1e4, 0.1, 2.0, 100.0
    count = agents * (1 - np.exp(-reproduction * force))

    def estimate(total: Any) -> Any:
        return -np.log(1 - total / agents) / force

    noise = sigma * np.random.Generator(np.random.PCG64(1)).standard_normal(1_000_000)
    both = np.concatenate([estimate(count + noise), estimate(count - noise)]) - reproduction  # pairs of opposite noise
    spread, bias = noise_effect(estimate, count, sigma)
    return (float(both.std()), float(both.mean())), (float(spread), float(bias))
