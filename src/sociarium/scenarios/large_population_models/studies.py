"""What the framework is for, on its epidemic: gradients, sensitivities, what data can tell, and the same run on sites."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.epidemic import path, tensor
from sociarium.environments.epidemic.disease import Disease
from sociarium.environments.epidemic.graphs import random_network
from sociarium.environments.epidemic.model import Contacts, People
from sociarium.environments.tensors import Sampler, Tensor, hard, torch
from sociarium.kernel.randomness import Randomness
from sociarium.training.calibration.epidemic import EpidemicModel
from sociarium.training.calibration.intervals import identifiability, jacobian
from sociarium.training.calibration.parameters import Parameter, Space
from sociarium.training.calibration.search import fit_search
from sociarium.training.calibration.targets import Target, Targets
from sociarium.training.differentiable.samplers import expected

Floats = NDArray[np.float64]
WEEKS = (2.1, 3.0, 1.6)
R = Parameter("reproduction", 0.5, 8.0, 2.1)
WEEKLY = Parameter("reproduction", 0.5, 8.0, (2.1,) * 3)
SEEN = Parameter("reporting", 0.05, 1.0, 0.5)
FIRST = Parameter("initial", 0.001, 0.5, 0.04)
DYING = Parameter("mortality", 0.001, 0.5, 0.12)


@dataclass(frozen=True, slots=True)
class Question:
    """Which data there are, and which parameters are free."""

    words: str
    streams: str
    free: tuple[Parameter, ...]


QUESTIONS = {
    "weekly": Question("cases; weekly R, reporting", "cases", (WEEKLY, SEEN)),
    "initial": Question("cases; R, reporting, initial", "cases", (R, SEEN, FIRST)),
    "known": Question("cases; R, reporting", "cases", (R, SEEN)),
    "deaths": Question("cases, deaths; weekly R, reporting", "cases deaths", (WEEKLY, SEEN)),
    "mortality": Question("cases, deaths; weekly R, reporting, mortality", "cases deaths", (WEEKLY, SEEN, DYING)),
}


def world(agents: int, degree: float = 4.0, reproduction: float = 4.75) -> tensor.World:
    """An epidemic in Torch on a random graph, ages even."""
    disease, randomness = Disease(reproduction=(reproduction,)), Randomness(1)
    ages = randomness.stream("ages").integers(0, disease.ages - 1, np.arange(agents))
    people = tensor.TensorPeople.of(People(disease.traits(ages), np.zeros(agents, np.int64)))
    network = random_network(agents, degree, randomness.stream("contacts"))
    links = Contacts(network.sources().astype(np.int64), network.targets.astype(np.int64))
    return tensor.World.of(people, disease, tensor.TensorContacts.of([links], agents))


def first(agents: int, seeds: Sequence[int], share: float = 0.04) -> Tensor:
    """Who is infected at the start, (seeds, agents)."""
    return torch.as_tensor(np.stack([Randomness(seed).stream("first").uniform(np.arange(agents)) < share for seed in seeds]))


def total_and_slope(
    where: tensor.World, reproduction: float, seeds: Sequence[int], days: int, sampler: Sampler, *, carried: bool = False
) -> tuple[Floats, Floats]:
    """All infections of each seed, and their derivative by R (zeros where nothing is differentiated)."""
    graded = sampler is not hard
    r = torch.full((len(seeds), 1, 1), reproduction, dtype=torch.float64, requires_grad=graded)
    rates = tensor.Rates.of(where.disease, reproduction=r)
    cases = path.run(where, rates, first(len(where.people), seeds), days, path.seeded(seeds), sampler, carried=carried).cases.sum((1, 2))
    slope = torch.autograd.grad(cases.sum(), r)[0].reshape(-1).numpy() if graded else np.zeros(len(seeds))
    return cases.detach().numpy(), slope


def smooth_cases(where: tensor.World, reproduction: Tensor, days: int) -> Tensor:
    """Cumulative cases without sampling, from 4 % infected."""
    begun = torch.full((1, len(where.people)), 0.04, dtype=torch.float64)
    rates = tensor.Rates.of(where.disease, reproduction=reproduction.reshape(1, 1, 1))
    return path.run(where, rates, begun, days, path.seeded([0]), expected, carried=True).cases.sum()


def mean_field() -> EpidemicModel:
    """Three weeks in which all are alike and everyone meets everyone, without sampling: curvatures have exact values."""
    disease = Disease(susceptibility=(1.0,), interactions=(1.0,))
    everyone = [Contacts(np.empty(0, np.int64), np.empty(0, np.int64), 1.0, mixed=True)]
    people = tensor.TensorPeople.of(People.alike(20))
    return EpidemicModel(tensor.World.of(people, disease, tensor.TensorContacts.of(everyone, 20)), 21, sampler=expected)


def observed(simulate: EpidemicModel, truth: dict[str, Any], seed: int = 0) -> dict[str, Floats]:
    """The series at these values."""
    series = simulate({name: np.asarray(value, np.float64)[None] for name, value in truth.items()}, [seed])
    return {name: part[0] for name, part in series.items()}


def curvatures(streams: str, *free: Parameter) -> Floats:
    """Eigenvalues of the Gauss-Newton Hessian of log totals by log parameters, ascending; deaths: those of the third week."""
    space, simulate = Space(*free), mean_field()
    start = space.start()
    base = observed(simulate, space.values(start))
    base["deaths"][:2] = np.nan
    targets = Targets(*(Target(name, base[name], np.nan_to_num(base[name] ** 2, nan=1.0)) for name in streams.split()))
    by_free = jacobian(simulate, space, targets, start, [0], step=1e-4)
    ends = [space.flat(space.values(start + sign * 1e-4)) for sign in (1, -1)]
    by_log = by_free * space.flat(space.values(start)) / ((ends[0] - ends[1]) / 2e-4)
    return identifiability(by_log, targets.weights, space.names).eigenvalues


def recovered() -> float:
    """Weekly R and reporting from cases and deaths with known mortality: the largest relative error."""
    simulate, planted = mean_field(), [*WEEKS, 0.4]
    series = observed(simulate, {"reproduction": WEEKS, "reporting": 0.4})
    counted = [Target(name, np.where(part > 0, part, np.nan), np.maximum(part, 1e-3)) for name, part in series.items()]
    fit = fit_search(simulate, Space(WEEKLY, SEEN), Targets(*counted), method="gauss-newton", replicates=1, evaluations=150)
    return float(np.abs(np.array(list(fit.estimate.values())) / planted - 1).max())
