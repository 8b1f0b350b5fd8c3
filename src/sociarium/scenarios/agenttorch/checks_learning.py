"""Claims about what is learned: derivatives through choices, planted parameters, prompts."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from sociarium.environments.epidemic.epidemic import Epidemic
from sociarium.kernel.randomness import Randomness
from sociarium.lab.claims import ClaimContext, Measured, claim
from sociarium.lab.statistics import mean_interval
from sociarium.scenarios.agenttorch.checks_epidemic import one_thread
from sociarium.scenarios.agenttorch.scenario import AgentTorch
from sociarium.scenarios.agenttorch.studies import weekly

if TYPE_CHECKING:
    from sociarium.training.calibration.fit import Fit

WEEKS = (2.1, 3.0, 1.6)
ASTORIA = 37_518
DRAWS = 200_000
SLOTS = {"tone": ["plain", "urgent", "kind"], "news": ["none", "cases", "prices"]}
RUNS = 50


@claim("smoothed-quadratic")
def smoothed_quadratic(context: ClaimContext) -> Measured:
    """Mean derivative of E[b^2] by p at p = .3; exact: 1."""
    return _derivative("smoothed", 2, 1.0)


@claim("smoothed-cubic")
def smoothed_cubic(context: ClaimContext) -> Measured:
    """Of E[b^3]: 1.5, where 1 would be exact."""
    return _derivative("smoothed", 3, 1.5)


@claim("straight-through-quadratic")
def straight_through_quadratic(context: ClaimContext) -> Measured:
    """Of E[b^2]: 2p = .6, where 1 would be exact."""
    return _derivative("straight-through", 2, 0.6)


@claim("recovery")
def recovery(context: ClaimContext) -> Measured:
    """Largest relative error of three weekly R, fitted from other starts on the same city of 37,518."""
    fit = _fitted().estimate
    errors = [abs(fit[f"reproduction[{week}]"] / planted - 1) for week, planted in enumerate(WEEKS)]
    return Measured.exactly(max(errors), holds=max(errors) < 0.1)


@claim("mortality")
def mortality(context: ClaimContext) -> Measured:
    """Mortality from the same fit; planted: .12."""
    interval = _fitted().intervals["mortality"]
    return Measured.estimated(interval, holds=abs(interval.estimate / 0.12 - 1) < 0.1)


@claim("calibration-network")
def calibration_network(context: ClaimContext) -> Measured:
    """Loss of a network fitted on 15 synthetic counties on 5 others, over the loss of the best constant R."""
    from sociarium.environments.epidemic.mirror import mirrored
    from sociarium.training.calibration.epidemic import EpidemicModel
    from sociarium.training.calibration.gradient import Descent
    from sociarium.training.calibration.network import CalibrationNetwork, series_loss
    from sociarium.training.calibration.parameters import Parameter, Space

    simulate = EpidemicModel(mirrored(_close(700)), 21)
    stream = Randomness(4).stream("counties")
    level, trend = 1.5 + 2.5 * stream.uniform(np.arange(20)), 0.6 + 0.8 * stream.uniform(np.arange(20), 1)
    weekly = np.stack([level, level * trend, level * trend**2], 1)
    cases = simulate({"reproduction": weekly}, [50_000 + k for k in range(20)])["cases"]
    seen, apart = {"cases": cases[:15]}, {"cases": cases[15:]}
    network = CalibrationNetwork(Space(Parameter("reproduction", 0.5, 8.0, (2.5,) * 3)), ["cases"], seed=2)
    with one_thread():
        network.fit(simulate, seen, descent=Descent(steps=60, rate=2e-2, betas=(0.9, 0.99), replicates=1))
    assert network.scaling is not None
    variances, seeds = network.scaling.variances, list(range(900, 904))

    def constant(reproduction: float, data: dict[str, Any]) -> float:
        return series_loss(simulate, {"reproduction": np.full((len(data["cases"]), 3), reproduction)}, data, variances, seeds)

    best = min(np.linspace(1.5, 4.5, 13).tolist(), key=lambda r: constant(r, seen))
    ratio = network.loss(simulate, apart, 4) / constant(best, apart)
    return Measured.exactly(ratio, holds=ratio < 1)


@claim("prompt-search")
def prompt_search(context: ClaimContext) -> Measured:
    """Runs of 50 in which policy gradient finds the best of 2 slots x 3 wordings, best reward .1 above the second."""
    from sociarium.training.prompt_search import PromptSearch

    found = 0
    for seed in range(RUNS):
        table = 0.9 * Randomness(seed).stream("bandit").uniform(np.arange(9)).reshape(3, 3)
        best = np.unravel_index(table.argmax(), (3, 3))
        table[best] = np.sort(table.reshape(-1))[-2] + 0.1
        words = {name: options[int(at)] for (name, options), at in zip(SLOTS.items(), best, strict=True)}

        def reward(filling: Any, seed: int, t: Any = table) -> float:
            return float(t[SLOTS["tone"].index(filling["tone"]), SLOTS["news"].index(filling["news"])])

        found += _apart(PromptSearch(SLOTS, seed=seed), reward) == words
    return Measured.exactly(found, holds=found >= 48)


@lru_cache(maxsize=1)
def _fitted() -> Fit:
    """Weekly R and mortality from the weekly cases and deaths of one run; other runs of the same city are compared with it."""
    from sociarium.training.calibration.parameters import Parameter, Space
    from sociarium.training.calibration.search import fit_search
    from sociarium.training.calibration.targets import Target, Targets

    simulate = weekly(_close(ASTORIA), 21)
    series = simulate({"reproduction": np.array([WEEKS]), "mortality": np.array([0.12])}, [777])
    targets = [
        Target(name, np.where(series[name][0] > 0, series[name][0], np.nan), np.maximum(series[name][0], least))
        for name, least in (("cases", 1.0), ("deaths", 0.1))
    ]
    space = Space(Parameter("reproduction", 0.5, 8.0, (4.75,) * 3), Parameter("mortality", 0.01, 0.4, 0.2))
    return fit_search(simulate, space, Targets(*targets), method="gauss-newton", seed=1, replicates=4, evaluations=60)


def _close(agents: int) -> Epidemic:
    """The scenario's city in which nobody stays at home: homes, work and schools, with as many contacts as drive an epidemic."""
    settings = {"agents": agents, "town": 0, "home_weight": 1.0, "work_weight": 0.6, "school_weight": 0.6, "testing": False}
    epidemic = AgentTorch.of(settings).build(0).world["epidemic"]
    assert isinstance(epidemic, Epidemic)
    return epidemic


def _derivative(sampler: str, power: int, expected: float) -> Measured:
    from sociarium.environments.tensors import torch
    from sociarium.training.differentiable.samplers import sampler_of

    draws = torch.as_tensor(Randomness(power).stream("draws").uniform(np.arange(DRAWS)))
    chances = torch.full((DRAWS,), 0.3, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad((sampler_of(sampler)(chances, draws) ** power).sum(), chances)
    interval = mean_interval(gradient.numpy(), 0.999)
    return Measured.estimated(interval, holds=abs(interval.estimate - expected) <= max(interval.high - interval.estimate, 1e-9))


def _apart(search: Any, reward: Any) -> Any:
    """The best wording; in a thread, since a check may be called inside an event loop."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(search.run_sync, reward).result().best
