"""Claims about gradients, what data can tell, sensitivity, and the limit of many agents. All but the last need the extra ``grad``."""

from __future__ import annotations

import math
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from sociarium.environments.epidemic.disease import Disease
from sociarium.environments.epidemic.epidemic import Epidemic
from sociarium.environments.epidemic.layers import Layer
from sociarium.environments.epidemic.reproduction import expected_emission
from sociarium.environments.epidemic.rules import EpidemicRules
from sociarium.kernel.population import Population
from sociarium.kernel.randomness import Stream
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Intervention, Simulation
from sociarium.lab.claims import ClaimContext, Measured, claim
from sociarium.minds.rule import RuleMind, nothing
from sociarium.scenarios.large_population_models.playing import play
from sociarium.scenarios.large_population_models.scenario import LargePopulationModels

STEP = 0.1  # of a central difference, relative


@contextmanager
def one_thread() -> Generator[None]:
    """Torch on one thread: these tensors are small, and threads that wait for one another on a busy machine cost a hundredfold."""
    from sociarium.environments.tensors import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@claim("smooth-gradient")
@one_thread()
def smooth_gradient(context: ClaimContext) -> Measured:
    """Relative difference of the derivative of cumulative cases by R and a central difference, without sampling, 14 days."""
    from sociarium.environments.tensors import torch
    from sociarium.scenarios.large_population_models import studies

    where = studies.world(300)
    r = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    (exact,) = torch.autograd.grad(studies.smooth_cases(where, r, 14), r)
    with torch.no_grad():
        above, below = (float(studies.smooth_cases(where, r + h, 14)) for h in (2e-5, -2e-5))
    error = abs(float(exact) / ((above - below) / 4e-5) - 1)
    return Measured.exactly(error, holds=error < 1e-6)


@claim("one-step-gradient")
@one_thread()
def one_step_gradient(context: ClaimContext) -> Measured:
    """Distance of the mean straight-through gradient of one day from the mean central difference of 1000 seeds, in standard errors."""
    from sociarium.environments.epidemic import tensor
    from sociarium.environments.tensors import torch
    from sociarium.scenarios.large_population_models import studies
    from sociarium.training.differentiable.samplers import straight_through

    where, agents = studies.world(500, reproduction=2.0), 500
    state = tensor.begin(studies.first(agents, [0]), where.disease, tensor.draws([0], -1))
    for day in range(4):
        state, _ = tensor.step(state, where, tensor.Rates.of(where.disease), tensor.draws([0], day))
    differences: list[float] = []
    slopes: list[float] = []
    for block in range(10):
        seeds = range(100 * block, 100 * block + 100)
        many = replace(state, **{name: getattr(state, name).expand(100, -1) for name in ("stage", "until", "infected")})
        r = torch.full((100, 1, 1), 2.0, dtype=torch.float64, requires_grad=True)
        _, flows = tensor.step(many, where, tensor.Rates.of(where.disease, reproduction=r), tensor.draws(seeds, 4), straight_through)
        slopes += map(float, torch.autograd.grad(flows.infected.sum(), r)[0].reshape(-1))
        shifted = [tensor.Rates.of(where.disease, reproduction=r.detach() * factor) for factor in (1 + STEP, 1 - STEP)]
        above, below = (tensor.step(many, where, one, tensor.draws(seeds, 4))[1].infected.sum(-1) for one in shifted)
        differences += map(float, (above - below) / (2 * STEP * 2.0))
    away = abs(np.mean(slopes) - np.mean(differences)) / (np.std(differences, ddof=1) / len(differences) ** 0.5)
    return Measured.exactly(float(away), holds=away < 3)


@claim("five-step-signs")
@one_thread()
def five_step_signs(context: ClaimContext) -> Measured:
    """Share of 1,000 seeds in which the gradient of 5 days on 2000 agents has the sign of the central difference (h = .1 R)."""
    from sociarium.environments.tensors import hard
    from sociarium.scenarios.large_population_models import studies
    from sociarium.training.differentiable.samplers import straight_through

    where, r, agree = studies.world(2000), 2.0, list[bool]()
    for block in range(10):
        seeds = range(100 * block, 100 * block + 100)
        above, below = (studies.total_and_slope(where, r * (1 + s * STEP), seeds, 5, hard)[0] for s in (1, -1))
        _, slope = studies.total_and_slope(where, r, seeds, 5, straight_through)
        agree += (np.sign(slope) == np.sign(above - below)).tolist()
    share = float(np.mean(agree))
    return Measured.exactly(share, holds=share >= 0.95)


@claim("score-function")
@one_thread()
def score_function_unbiased(context: ClaimContext) -> Measured:
    """d P(state 1 after 5 steps) / d theta of the symmetric chain at .2: mean of 400 estimates, each of 250 samples."""
    from sociarium.environments.tensors import TensorStream, torch
    from sociarium.training.differentiable.samplers import score_function

    batches, size, steps = 400, 250, 5
    theta = torch.tensor(0.2, dtype=torch.float64, requires_grad=True)
    drawn = TensorStream([Stream(17)]).uniform(torch.arange(batches * size * steps)).reshape(-1, steps)
    flips = (drawn < theta.detach()).to(torch.float64)
    ends, found = flips.sum(-1) % 2, list[float]()
    for batch in range(batches):
        part = slice(batch * size, (batch + 1) * size)
        logs = (flips[part] * torch.log(theta) + (1 - flips[part]) * torch.log1p(-theta)).sum(-1)
        found.append(float(torch.autograd.grad(score_function(ends[part], logs), theta)[0]))
    mean, error = float(np.mean(found)), float(np.std(found, ddof=1)) / batches**0.5
    return Measured(mean, mean - 3 * error, mean + 3 * error, abs(mean - 0.648) < 3 * error)


def _least(name: str) -> float:
    from sociarium.scenarios.large_population_models.studies import QUESTIONS, curvatures

    return float(curvatures(QUESTIONS[name].streams, *QUESTIONS[name].free)[0])


@claim("weekly-confounded")
def weekly_confounded(context: ClaimContext) -> Measured:
    """Smallest eigenvalue with cases only, R of each week and reporting free."""
    least = _least("weekly")
    return Measured.exactly(least, holds=abs(least) < 1e-9)


@claim("initial-confounded")
def initial_confounded(context: ClaimContext) -> Measured:
    """The same for a constant R with free initial infections."""
    least = _least("initial")
    return Measured.exactly(least, holds=abs(least) < 1e-4)


@claim("initial-known")
def initial_known(context: ClaimContext) -> Measured:
    """The same with known initial infections."""
    least = _least("known")
    return Measured.exactly(least, holds=least > 0.2)


@claim("deaths-lift")
def deaths_lift(context: ClaimContext) -> Measured:
    """With deaths and known mortality, R of each week and reporting free."""
    least = _least("deaths")
    return Measured.exactly(least, holds=least > 0.2)


@claim("mortality-confounded")
def mortality_confounded(context: ClaimContext) -> Measured:
    """With deaths and unknown mortality."""
    least = _least("mortality")
    return Measured.exactly(least, holds=abs(least) < 1e-9)


@claim("all-recovered")
@one_thread()
def all_recovered(context: ClaimContext) -> Measured:
    """Largest relative error of weekly R and reporting fitted to cases and deaths."""
    from sociarium.scenarios.large_population_models.studies import recovered

    error = recovered()
    return Measured.exactly(error, holds=error < 0.1)


@claim("sensitivity")
@one_thread()
def sensitivity(context: ClaimContext) -> Measured:
    """Largest relative error of dx/dR * .05 R for the change of cumulative cases under 5 % more, 21 days, R = 2, 3 and 4.75."""
    from sociarium.environments.tensors import torch
    from sociarium.scenarios.large_population_models import studies

    where, errors = studies.world(1000), list[float]()
    for reproduction in (2.0, 3.0, 4.75):
        r = torch.tensor(reproduction, dtype=torch.float64, requires_grad=True)
        base = studies.smooth_cases(where, r, 21)
        (slope,) = torch.autograd.grad(base, r)
        with torch.no_grad():
            change = float(studies.smooth_cases(where, 1.05 * r, 21) - base)
        errors.append(abs(float(slope) * 0.05 * reproduction / change - 1))
    return Measured.exactly(max(errors), holds=max(errors) < 0.1)


@claim("counterfactual")
def counterfactual(context: ClaimContext) -> Measured:
    """Days before an intervention on which a run with the same seed has other cases, five seeds; after it they differ."""
    early = late = 0
    for seed in context.seeds[:5]:
        arms: list[list[int]] = []
        for halved in (False, True):
            simulation = LargePopulationModels.of({"agents": 1000, "steps": 20}).build(seed)
            simulation.interventions = [Intervention(9, "epidemic.set_reproduction", {"reproduction": 1.0})] if halved else []
            cases: list[int] = []
            simulation.on_tick.append(lambda record, cases=cases: cases.append(int(record.measures["epidemic.cases"][0])))
            play(simulation)
            arms.append(cases)
        early += sum(a != b for a, b in zip(arms[0][:9], arms[1][:9], strict=True))
        late += sum(a != b for a, b in zip(arms[0][9:], arms[1][9:], strict=True))
    return Measured.exactly(float(early), holds=early == 0 and late > 0)


@claim("mean-field")
def mean_field(context: ClaimContext) -> Measured:
    """Slope of log RMS error against the deterministic daily map by log N: 40 worlds at each of 1e3, 1e4 and 1e5 agents, 20 at 1e6."""
    disease = Disease(reproduction=(2.5 / 0.5006,), susceptibility=(1.0,), interactions=(1.0,))
    days, share, sizes = 20, 0.02, {1_000: 40, 10_000: 40, 100_000: 40, 1_000_000: 20}
    sent, new, left = expected_emission(disease), [share], 1 - share
    for _ in range(days):
        pressure = sum(sent[k] * new[-1 - k] for k in range(min(len(sent), len(new))))
        new.append(left * (1 - math.exp(-disease.reproduction[0] * pressure)))  # type: ignore[operator]
        left -= new[-1]
    errors: list[float] = []
    for size, worlds in sizes.items():
        squares: list[float] = []
        for block in range(max(1, worlds * size // 1_000_000)):
            some = min(worlds, 1_000_000 // size)
            group = np.repeat(np.arange(some), size)
            people = Population.of("person", some * size, group=group, first=np.tile(np.arange(size) < round(share * size), some))
            epidemic = Epidemic(disease, [Layer(name="all", mixed=True)], EpidemicRules(actions=(), initial="first"))
            play(Simulation(people, [epidemic], [RuleMind(nothing)], Rounds([], days), seed=size + block))
            squares += ((epidemic.total / size - (1 - left)) ** 2).tolist()
        errors.append(math.sqrt(np.mean(squares[:worlds])))
    slope = float(np.polyfit(np.log(list(sizes)), np.log(errors), 1)[0])
    return Measured.exactly(slope, holds=abs(slope + 0.5) <= 0.1)
