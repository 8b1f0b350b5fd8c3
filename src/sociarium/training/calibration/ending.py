"""The end that all point estimates share: fresh runs at the estimate, the derivative there, intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sociarium.kernel.randomness import key_of
from sociarium.training.calibration.fit import Fit, streams_of
from sociarium.training.calibration.intervals import jacobian, moments_intervals
from sociarium.training.calibration.parameters import Floats, Simulate, Space
from sociarium.training.calibration.targets import Targets, simulated

FRESH = 48  # runs at the estimate, for the covariance and the picture
SLOPES = 24  # pairs of runs for the derivative


@dataclass(frozen=True, slots=True)
class Ended:
    """How a fit came to its end: ``fitted_with`` runs were averaged at each point, ``runs`` were made in all."""

    method: str
    losses: Sequence[float]
    ended: str
    fitted_with: int
    runs: int


def concluded(simulate: Simulate, space: Space, targets: Targets, free: Floats, how: Ended, seed: int, level: float) -> Fit:
    """A ``Fit`` with intervals by simulated moments (see ``intervals``)."""
    fresh = [key_of("calibration", seed, "fresh", k) >> 1 for k in range(FRESH)]
    replicates = simulated(simulate, space, targets, free, fresh)[0]
    derivative = jacobian(simulate, space, targets, free, fresh[:SLOPES])
    intervals, flat = moments_intervals(space, targets, free, derivative, replicates, how.fitted_with, level)
    notes = (f"the data do not tell {', '.join(flat)} apart: their intervals are the whole range",) if flat else ()
    runs = how.runs + FRESH + 2 * SLOPES * space.size
    losses = np.asarray(how.losses, np.float64)
    return Fit(how.method, intervals, losses, replicates, targets.observed, streams_of(targets), how.ended, runs, notes=notes)
