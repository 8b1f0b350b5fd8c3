"""How sure an estimate is, and whether the data can tell parameters apart at all.

An estimate that minimises weighted squares of (mean of S simulated runs - observed) has, in free numbers z, the variance

    (1 + 1 / S) A C A',   A = (J' W J)^-1 J' W,

J the derivative of the expected series, W the weights, C the covariance of one run's series (McFadden 1989, Pakes and Pollard 1989:
the method of simulated moments). J and C are taken from runs at the estimate with seeds of their own; J by central differences
with common random numbers. The interval is symmetric in z, so it respects the bounds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from sociarium.kernel.errors import UsageError
from sociarium.lab.statistics import Interval
from sociarium.training.calibration.parameters import Floats, Simulate, Space
from sociarium.training.calibration.targets import Targets, simulated

FLAT = 1e-9  # a direction whose curvature is so much smaller than the largest is not told by the data


@dataclass(frozen=True, slots=True)
class Identifiability:
    """The Gauss-Newton Hessian J' W J: its eigenvalues, ascending, and their directions, (size, size), a column each."""

    eigenvalues: Floats
    directions: Floats
    names: Sequence[str]

    def confounded(self, flat: float = FLAT) -> list[str]:
        """Parameters that share in a direction in which the loss does not rise."""
        still = self.eigenvalues <= flat * self.eigenvalues[-1]
        return [name for name, part in zip(self.names, self.directions[:, still], strict=True) if (np.abs(part) > 1e-3).any()]


def jacobian(
    simulate: Simulate,
    space: Space,
    targets: Targets,
    free: Floats,
    seeds: Sequence[int],
    step: float = 0.1,
) -> Floats:
    """(observations, size): the expected series' derivative by free numbers; central differences of ``step``, common seeds."""
    shifts = step * np.eye(space.size)
    both = np.concatenate([free + shifts, free - shifts])
    means = simulated(simulate, space, targets, both, seeds).mean(1)
    return ((means[: space.size] - means[space.size :]) / (2 * step)).T


def identifiability(derivative: Floats, weights: Floats, names: Sequence[str]) -> Identifiability:
    """From a Jacobian (observations, size): which directions the data tell."""
    if derivative.shape != (len(weights), len(names)):
        raise UsageError(f"a Jacobian of {derivative.shape} does not fit {len(weights)} observations and {len(names)} parameters")
    eigenvalues, directions = np.linalg.eigh(derivative.T @ (weights[:, None] * derivative))
    return Identifiability(eigenvalues, directions, names)


def moments_intervals(
    space: Space,
    targets: Targets,
    free: Floats,
    derivative: Floats,
    replicates: Floats,
    fitted_with: int,
    level: float = 0.95,
) -> tuple[dict[str, Interval], list[str]]:
    """Intervals by name, and the names of those that the data do not tell: their interval is the whole range.

    ``replicates``: (runs, observations) at the estimate. ``fitted_with``: how many runs were averaged in the fit.
    """
    if not 0 < level < 1:
        raise UsageError(f"an interval's level must lie between 0 and 1, such as 0.95, not {level}")
    if len(replicates) < 2:
        raise UsageError("an interval needs at least two runs at the estimate")
    told = identifiability(derivative, targets.weights, space.names)
    flat = set(told.confounded())
    solved = np.linalg.pinv(np.sqrt(targets.weights)[:, None] * derivative, rcond=FLAT**0.5) * np.sqrt(targets.weights)
    spread = np.atleast_2d(np.cov(replicates, rowvar=False))
    error = np.sqrt((1 + 1 / fitted_with) * np.diag(solved @ spread @ solved.T))
    reach = NormalDist().inv_cdf((1 + level) / 2) * error
    reach = np.where([name in flat for name in space.names], np.inf, reach)
    with np.errstate(over="ignore"):
        ends = [space.flat(space.values(there)) for there in (free - reach, free, free + reach)]
    method = f"simulated moments, {len(replicates)} runs"
    found = {
        name: Interval(
            float(ends[1][k]),
            float(ends[0][k]),
            float(ends[2][k]),
            level,
            "not identified" if name in flat else method,
        )
        for k, name in enumerate(space.names)
    }
    return found, sorted(flat)


def noise_effect(estimate: Callable[[float], float], total: float, deviation: float) -> tuple[float, float]:
    """(standard deviation, bias) of an estimate that is computed from a total with Gaussian noise added, as privacy asks for.

    The delta method to second order: |g'| * deviation and g'' * deviation^2 / 2, derivatives by central differences.
    """
    step = max(1e-3 * abs(total), 1e-6)
    below, here, above = (estimate(total + shift) for shift in (-step, 0.0, step))
    return abs(above - below) / (2 * step) * deviation, (above - 2 * here + below) / step**2 * deviation**2 / 2
