"""A posterior without a likelihood: approximate Bayesian computation by sequential Monte Carlo, then regression adjustment.

Rounds (Beaumont et al. 2009, Del Moral et al. 2012): particles are drawn around the last round's, run once each, and kept where
their series lie nearer to the observed ones than the median did before. At the end a local-linear regression of parameters on
distances in series space moves each particle to where it would lie if its series had been the observed ones (Beaumont et al.
2002). Free numbers are used throughout, so no particle leaves the bounds; the prior is even over each parameter's scale.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sociarium.kernel.errors import UsageError
from sociarium.kernel.randomness import Randomness, Stream
from sociarium.lab.statistics import Interval
from sociarium.training import saving
from sociarium.training.calibration.fit import Fit, streams_of
from sociarium.training.calibration.parameters import Floats, Simulate, Space
from sociarium.training.calibration.targets import Targets, paired

SAMPLES, SHOWN = 1000, 100  # drawn from the posterior; run for the picture
PARTS = ("place", "weight", "series", "far", "scale")


@dataclass(frozen=True, slots=True)
class Particles:
    """``count`` particles in each of ``rounds`` rounds; a round keeps the nearest ``kept`` of all it tried."""

    count: int = 200
    rounds: int = 4
    kept: float = 0.5
    adjust: bool = True

    def __post_init__(self) -> None:
        if self.count < 20 or self.rounds < 1 or not 0 < self.kept <= 1:
            raise UsageError(f"{self.count} particles in {self.rounds} rounds, {self.kept} kept: at least 20, at least 1, and 0 to 1")


def fit_posterior(
    simulate: Simulate,
    space: Space,
    targets: Targets,
    *,
    seed: int = 0,
    particles: Particles | None = None,
    state: Path | None = None,
    level: float = 0.95,
) -> Fit:
    """Median and middle ``level`` of the posterior of each parameter. ``state``: a file in which each round is kept."""
    how = particles or Particles()
    of = saving.fingerprint([space.plain(), targets.plain(), seed, {**asdict(how), "rounds": None, "adjust": None}])
    kept = saving.load(state, of) if state is not None else None
    cloud = None if kept is None else _Cloud(**{name: kept[name] for name in PARTS})
    done: list[float] = [] if kept is None else kept["losses"].tolist()
    tried = max(how.count, round(how.count / how.kept))
    while cloud is None or len(done) < how.rounds:
        random = Randomness(seed).stream("calibration.particles", len(done))
        proposed = _prior(random, tried, space.size) if cloud is None else _around(random, tried, cloud.place, cloud.weight)
        rows = paired(simulate, space, targets, proposed, _seeds(random, tried))
        cloud = _nearest(cloud, proposed, rows, targets, how.count)
        done.append(float(cloud.far.max()))
        if state is not None:
            saving.save(state, {**{name: getattr(cloud, name) for name in PARTS}, "losses": done}, of)
    place = _adjusted(cloud, targets) if how.adjust else cloud.place
    random = Randomness(seed).stream("calibration.posterior")
    chosen = random.choice(cloud.weight, np.arange(SAMPLES))
    samples = space.flat(space.values(place[chosen]))
    ends = np.quantile(samples, [0.5, (1 - level) / 2, (1 + level) / 2], axis=0)
    method = f"posterior, {how.count} particles"
    intervals = {name: Interval(*_three(ends[:, k]), level=level, method=method) for k, name in enumerate(space.names)}
    fitted = paired(simulate, space, targets, place[chosen[:SHOWN]], _seeds(random, SHOWN))
    ended = f"{len(done)} rounds, distance {done[0]:.3g} to {done[-1]:.3g}"
    runs = tried * len(done) + SHOWN
    return Fit("posterior", intervals, np.array(done), fitted, targets.observed, streams_of(targets), ended, runs, samples)


@dataclass(frozen=True, slots=True)
class _Cloud:
    """``place`` (particles, size), ``weight`` (particles,), ``series`` (particles, observations), ``far`` (particles,): distances,
    in units of ``scale`` (observations,)."""

    place: Floats
    weight: Floats
    series: Floats
    far: Floats
    scale: Floats


def _nearest(cloud: _Cloud | None, proposed: Floats, rows: Floats, targets: Targets, count: int) -> _Cloud:
    """The nearest of those proposed and, after the first round, of the last round's."""
    scale = _scale(rows) if cloud is None else cloud.scale
    relative = targets.weights / targets.weights.mean()
    far = np.sqrt((relative * ((rows - targets.observed) / scale) ** 2).mean(1))
    chance = np.ones(len(proposed))
    if cloud is not None:
        chance = _prior_density(proposed) / _mixture(proposed, cloud.place, cloud.weight)
        chance = np.concatenate([cloud.weight * len(chance), chance])
        proposed, rows = np.concatenate([cloud.place, proposed]), np.concatenate([cloud.series, rows])
        far = np.concatenate([cloud.far, far])
    near = np.argsort(far, kind="stable")[:count]
    return _Cloud(proposed[near], chance[near] / chance[near].sum(), rows[near], far[near], scale)


def _three(ends: Floats) -> tuple[float, float, float]:
    return float(ends[0]), float(ends[1]), float(ends[2])


def _seeds(random: Stream, count: int) -> list[int]:
    return [int(bits >> np.uint64(1)) for bits in random.at("runs").bits(np.arange(count))]


def _prior(random: Stream, count: int, size: int) -> Floats:
    """Even over each parameter's scale: logistic in free numbers."""
    share = np.clip(
        random.at("prior").uniform(np.arange(count * size)).reshape(count, size),
        1e-6,
        1 - 1e-6,
    )
    return np.log(share) - np.log1p(-share)


def _prior_density(place: Floats) -> Floats:
    share = 1 / (1 + np.exp(-place))
    return np.exp(np.log(share * (1 - share)).sum(1))


def _kernel(place: Floats, weight: Floats) -> Floats:
    """Twice the weighted covariance (Filippi et al. 2013), as a Cholesky factor."""
    centred = place - weight @ place
    spread = 2 * (weight[:, None] * centred).T @ centred
    least = 1e-9 * (float(np.trace(spread)) / len(spread) + 1e-12)
    factor: Any = np.linalg.cholesky(spread + least * np.eye(len(spread)))
    return factor


def _around(random: Stream, count: int, place: Floats, weight: Floats) -> Floats:
    size = int(place.shape[1])
    chosen = random.at("parent").choice(weight, np.arange(count))
    moved = random.at("move").normal(np.arange(count * size)).reshape(count, size)
    return place[chosen] + moved @ _kernel(place, weight).T


def _mixture(at: Floats, place: Floats, weight: Floats) -> Floats:
    """The density that ``_around`` draws from."""
    factor = _kernel(place, weight)
    away = np.linalg.solve(factor, (at[:, None] - place[None]).reshape(-1, place.shape[1]).T).T.reshape(len(at), len(place), -1)
    height = np.exp(-0.5 * (away**2).sum(-1)) / ((2 * np.pi) ** (place.shape[1] / 2) * np.multiply.reduce(np.diag(factor)))
    return height @ weight


def _scale(rows: Floats) -> Floats:
    """Median absolute deviation of each observation over the prior: what a distance of 1 is."""
    spread = np.median(np.abs(rows - np.median(rows, 0)), 0)
    return np.where(spread > 0, spread, np.maximum(rows.std(0), 1e-12))


def _adjusted(cloud: _Cloud, targets: Targets) -> Floats:
    """Local-linear regression with Epanechnikov weights, on the leading components of the series (there may be more observations
    than particles)."""
    away = (cloud.series - targets.observed) / cloud.scale * np.sqrt(targets.weights / targets.weights.mean())
    reach = cloud.far.max() * (1 + 1e-9)
    near = cloud.weight * np.maximum(1 - (cloud.far / reach) ** 2, 0) if reach > 0 else cloud.weight
    centre = (near[:, None] * away).sum(0) / near.sum()
    _, sizes, axes = np.linalg.svd(np.sqrt(near)[:, None] * (away - centre), full_matrices=False)
    leading = min(int((sizes > 1e-6 * sizes[0]).sum()), max(1, len(away) // 10)) if sizes[0] > 0 else 0
    scores = away @ axes[:leading].T
    root = np.sqrt(near)[:, None]
    slope = np.linalg.lstsq(root * np.column_stack([np.ones(len(away)), scores]), root * cloud.place, rcond=None)[0]
    return cloud.place - scores @ slope[1:]
