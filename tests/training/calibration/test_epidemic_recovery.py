"""What was planted in an epidemic is found again: by gradient and by search, with intervals that hold it, and told apart where it can be.

``SOCIARIUM_CALIBRATION=full`` (``make calibration``) runs the published sizes: 37,518 agents, 50 seeds, 20 counties of 4,000.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sociarium.environments.epidemic import model, tensor
from sociarium.environments.epidemic.disease import Disease
from sociarium.kernel.errors import UsageError
from sociarium.kernel.randomness import Randomness
from sociarium.training.calibration.epidemic import EpidemicModel
from sociarium.training.calibration.gradient import Descent, fit_gradient
from sociarium.training.calibration.intervals import identifiability, jacobian
from sociarium.training.calibration.network import CalibrationNetwork, series_loss
from sociarium.training.calibration.parameters import Parameter, Space
from sociarium.training.calibration.search import fit_search
from sociarium.training.calibration.targets import Target, Targets
from sociarium.training.differentiable.samplers import expected

FULL = os.environ.get("SOCIARIUM_CALIBRATION") == "full"
World = Callable[..., tensor.World]
WEEKS = (2.1, 3.0, 1.6)


def observed(simulate: EpidemicModel, truth: dict[str, Any], seed: int) -> dict[str, np.ndarray]:
    series = simulate({name: np.asarray(value, np.float64)[None] for name, value in truth.items()}, [seed])
    return {name: part[0] for name, part in series.items()}


def counted(name: str, series: np.ndarray, least: float = 1.0) -> Target:
    """A target of counts: a count's variance is about the count; before the first death there is nothing to see."""
    return Target(name, np.where(series > 0, series, np.nan), np.maximum(series, least))


@pytest.mark.parametrize("method", ["gauss-newton", "gradient"])
def test_weekly_reproduction_and_mortality_are_recovered_from_other_starts(world: World, method: str) -> None:
    agents = 37_518 if FULL else 4000
    simulate = EpidemicModel(world(agents, 10 if FULL else 6), 21)
    truth = {"reproduction": WEEKS, "mortality": 0.12}
    series = observed(simulate, truth, 777)
    targets = Targets(counted("cases", series["cases"]), counted("deaths", series["deaths"], 0.1))
    space = Space(Parameter("reproduction", 0.5, 8.0, (4.75,) * 3), Parameter("mortality", 0.01, 0.4, 0.2))
    if method == "gradient":
        steps = Descent(steps=200 if FULL else 70, rate=4e-2, replicates=1)
        fit = fit_gradient(simulate, space, targets, seed=1, descent=steps)
    else:
        fit = fit_search(simulate, space, targets, method="gauss-newton", seed=1, replicates=2, evaluations=100 if FULL else 50)
    planted = [*WEEKS, 0.12]
    for interval, wanted in zip(fit.intervals.values(), planted, strict=True):
        reach = 1.6 * (interval.high - interval.low) / 2  # about three standard errors
        assert abs(interval.estimate - wanted) < (0.1 * wanted if FULL else reach)
        assert reach < 0.6 * wanted
    assert min(fit.losses) < fit.losses[0] / 100


def test_the_interval_of_reproduction_holds_what_was_planted(world: World) -> None:
    seeds = 50 if FULL else 6
    simulate = EpidemicModel(world(2000 if FULL else 800, 6), 21)
    space = Space(Parameter("reproduction", 1.0, 6.0, 4.75))
    held = 0
    for seed in range(seeds):
        cases = observed(simulate, {"reproduction": 3.0}, 10_000 + seed)["cases"]
        fit = fit_search(simulate, space, Targets(counted("cases", cases)), method="gauss-newton", seed=seed, replicates=8, evaluations=30)
        held += fit.intervals["reproduction"].holds(3.0)
        assert fit.intervals["reproduction"].high - fit.intervals["reproduction"].low < 3.0, "an interval of everything holds anything"
    assert held >= (45 if FULL else 5)


def test_reproduction_by_area_is_recovered(world: World) -> None:
    agents = 3000
    disease = Disease(reproduction=((2.0, 2.0),))
    g = np.random.default_rng(3)
    area = np.arange(agents) % 2
    a, b = g.integers(0, agents // 2, (2, 3 * agents)) * 2 + g.integers(0, 2, 3 * agents)  # contacts stay in their area
    people = model.People(disease.traits(g.integers(0, disease.ages, agents), area), np.zeros(agents, np.int64), 1)
    contacts = tensor.TensorContacts.of([model.Contacts(np.concatenate([a, b]), np.concatenate([b, a]))], agents)
    regions = tensor.TensorPeople.of(people, region=area, regions=2)
    simulate = EpidemicModel(tensor.World.of(regions, disease, contacts), 14)
    cases = observed(simulate, {"reproduction": [[2.0, 4.0]]}, 5)["cases"]
    assert cases.shape == (2, 2)
    space = Space(Parameter("reproduction", 0.5, 8.0, [[3.0, 3.0]]))
    fit = fit_search(simulate, space, Targets(counted("cases", cases)), method="gauss-newton", seed=2, replicates=4, evaluations=40)
    for interval, wanted in zip(fit.intervals.values(), (2.0, 4.0), strict=True):
        assert abs(interval.estimate - wanted) < 1.6 * (interval.high - interval.low) / 2
    assert fit.estimate["reproduction[0,1]"] > 1.4 * fit.estimate["reproduction[0,0]"]


def mean_field() -> tensor.World:
    """Everyone meets everyone, all alike, no sampling: the smooth model in which identifiability has exact values."""
    disease = Disease(susceptibility=(1.0,), interactions=(1.0,))
    everyone = [model.Contacts(np.empty(0, np.int64), np.empty(0, np.int64), 1.0, mixed=True)]
    return tensor.World.of(tensor.TensorPeople.of(model.People.alike(20)), disease, tensor.TensorContacts.of(everyone, 20))


R = Parameter("reproduction", 0.5, 8.0, 2.1)
WEEKLY = Parameter("reproduction", 0.5, 8.0, (2.1,) * 3)
SEEN, FIRST, DYING = Parameter("reporting", 0.05, 1, 0.5), Parameter("initial", 0.001, 0.5, 0.04), Parameter("mortality", 0.001, 0.5, 0.12)


def curvatures(streams: str, *parameters: Parameter) -> np.ndarray:
    """Eigenvalues of the Gauss-Newton Hessian of log totals by log parameters; deaths: those of the third week."""
    space = Space(*parameters)
    simulate = EpidemicModel(mean_field(), 21, sampler=expected)
    start = space.start()
    base = observed(simulate, space.values(start), 0)
    base["deaths"][:2] = np.nan
    targets = Targets(*(Target(name, base[name], np.nan_to_num(base[name] ** 2, nan=1.0)) for name in streams.split()))
    by_free = jacobian(simulate, space, targets, start, [0], step=1e-4)
    ends = [space.flat(space.values(start + sign * 1e-4)) for sign in (1, -1)]
    by_log = by_free * space.flat(space.values(start)) / ((ends[0] - ends[1]) / 2e-4)
    return identifiability(by_log, targets.weights, space.names).eigenvalues


def test_cases_alone_do_not_tell_reporting_from_a_free_reproduction_each_week() -> None:
    assert abs(curvatures("cases", WEEKLY, SEEN)[0]) < 1e-9
    assert 0 < curvatures("cases", R, SEEN, FIRST)[0] < 1e-4, "so too for a constant one with free initial infections"
    assert curvatures("cases", R, SEEN)[0] == pytest.approx(0.23, abs=0.01), "known initial infections tell them apart"


def test_deaths_tell_them_apart_where_mortality_is_known() -> None:
    assert curvatures("cases deaths", WEEKLY, SEEN)[0] > 0.2
    assert abs(curvatures("cases deaths", WEEKLY, SEEN, DYING)[0]) < 1e-9


def test_with_deaths_everything_is_recovered_within_a_tenth() -> None:
    simulate = EpidemicModel(mean_field(), 21, sampler=expected)
    series = observed(simulate, {"reproduction": WEEKS, "reporting": 0.4}, 0)
    targets = Targets(counted("cases", series["cases"], 1e-3), counted("deaths", series["deaths"], 1e-3))
    fit = fit_search(simulate, Space(WEEKLY, SEEN), targets, method="gauss-newton", replicates=1, evaluations=150)
    assert np.allclose(list(fit.estimate.values()), [*WEEKS, 0.4], rtol=0.1)


def counties(simulate: EpidemicModel, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Reproduction and cases of counties whose epidemics went different ways."""
    draws = Randomness(4).stream("counties")
    level = 1.5 + 2.5 * draws.uniform(np.arange(count))
    trend = 0.6 + 0.8 * draws.uniform(np.arange(count), 1)
    weekly = np.stack([level, level * trend, level * trend**2], 1)
    return weekly, simulate({"reproduction": weekly}, [50_000 + k for k in range(count)])["cases"]


def test_a_network_fitted_on_counties_answers_better_for_others_than_the_best_constant(world: World, tmp_path: Path) -> None:
    simulate = EpidemicModel(world(4000 if FULL else 700, 6), 21)
    _, cases = counties(simulate, 20)
    seen, apart = {"cases": cases[:15]}, {"cases": cases[15:]}
    space = Space(Parameter("reproduction", 0.5, 8.0, (2.5,) * 3))
    network = CalibrationNetwork(space, ["cases"], seed=2)
    how = {"rate": 2e-2, "betas": (0.9, 0.99), "replicates": 1}
    network.fit(simulate, seen, descent=Descent(steps=200 if FULL else 50, **how))
    assert network.scaling is not None
    variances, seeds = network.scaling.variances, list(range(900, 904))

    def constant(reproduction: float, data: dict[str, np.ndarray]) -> float:
        values = {"reproduction": np.full((len(data["cases"]), 3), reproduction)}
        return series_loss(simulate, values, data, variances, seeds)

    best = min(np.linspace(1.5, 4.5, 13), key=lambda r: constant(r, seen))
    assert network.loss(simulate, apart, 4) < constant(best, apart)
    found = network.values(apart)["reproduction"]
    assert found.shape == (5, 3) and (found > 0.5).all() and (found < 8).all()


def test_a_network_stopped_and_resumed_is_the_same_network(world: World, tmp_path: Path) -> None:
    simulate = EpidemicModel(world(200, 6), 14)
    data = {"cases": simulate({"reproduction": np.linspace(1, 4, 6).reshape(3, 2)}, [1, 2, 3])["cases"]}
    found = []
    for stops in ([6], [2, 6]):
        for steps in stops:
            network = CalibrationNetwork(Space(Parameter("reproduction", 0.5, 8.0, (2.5, 2.5))), ["cases"], hidden=4)
            network.fit(simulate, data, descent=Descent(steps=steps, keep_every=2), state=tmp_path / f"{len(stops)}.npz")
        found.append((network.losses, network.values(data)["reproduction"].tolist()))
    assert found[0] == found[1]
    with pytest.raises(UsageError, match="without gaps"):
        network.values({"cases": np.full((1, 2), np.nan)})
    with pytest.raises(UsageError, match="has not been fitted"):
        CalibrationNetwork(Space(Parameter("reproduction", 0.5, 8.0, 2.5)), ["cases"]).values(data)
    with pytest.raises(UsageError, match="one number a week"):
        CalibrationNetwork(Space(R, WEEKLY.__class__("other", 0, 1, (0.5, 0.5))), ["cases"])


def test_the_model_names_its_parameters(world: World) -> None:
    with pytest.raises(UsageError, match="no parameter 'R0'"):
        EpidemicModel(world(50, 4), 7)({"R0": np.ones(1)}, [1])
