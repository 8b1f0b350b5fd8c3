"""What a model is held against: observed series, and how far simulated ones lie from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.errors import UsageError
from sociarium.training.calibration.parameters import Floats, Simulate, Space

AT_ONCE = 64  # replicates handed to a model in one call


@dataclass(frozen=True, slots=True)
class Target:
    """One observed series (of any shape; nan: not observed).

    ``variance``: of each observation, or one for all; its inverse is the weight. Without it: the series' own variance, so that
    streams of different size weigh alike. ``weight`` multiplies.
    """

    name: str
    observed: ArrayLike
    variance: ArrayLike | None = None
    weight: float = 1.0


class Targets:
    """All streams together: one row of observations, each with its weight."""

    def __init__(self, *targets: Target) -> None:
        if not targets or len({one.name for one in targets}) != len(targets):
            raise UsageError("a calibration needs at least one target, and no name twice")
        self.targets = targets
        self.shapes = {one.name: np.shape(one.observed) for one in targets}
        self._seen = [np.flatnonzero(~np.isnan(_row(one.observed))) for one in targets]
        self.observed = np.concatenate([_row(one.observed)[seen] for one, seen in zip(targets, self._seen, strict=True)])
        self.weights = np.concatenate([_weights(one, seen) for one, seen in zip(targets, self._seen, strict=True)])
        if not len(self.observed):
            raise UsageError("there is no observation in any target")

    def row(self, series: Mapping[str, Any]) -> Any:
        """(replicates, observations) from series by name, (replicates, ...): what stands beside ``observed``."""
        parts: list[Any] = []
        for one, seen in zip(self.targets, self._seen, strict=True):
            if one.name not in series:
                raise UsageError(f"the model gives no series {one.name!r}; it gives {', '.join(series)}")
            given = series[one.name]
            if tuple(given.shape[1:]) != self.shapes[one.name]:
                raise UsageError(f"series {one.name!r} has shape {tuple(given.shape[1:])}, observed were {self.shapes[one.name]}")
            parts.append(given.reshape((given.shape[0], -1))[:, seen])
        if isinstance(parts[0], np.ndarray):
            return np.concatenate(parts, 1).astype(np.float64)
        from sociarium.environments.tensors import torch

        return torch.cat(parts, 1)

    def loss(self, simulated: Any) -> Any:
        """Mean over observations of weight * (simulated - observed)^2; ``simulated`` is (..., observations), a NumPy array or a tensor."""
        if isinstance(simulated, np.ndarray):
            return (self.weights * (simulated - self.observed) ** 2).mean(-1)
        observed, weights = (simulated.new_tensor(part) for part in (self.observed, self.weights))
        return (weights * (simulated - observed) ** 2).mean(-1)

    def plain(self) -> dict[str, Any]:
        """What identifies the targets, as plain data."""
        return {
            "observed": self.observed.tolist(),
            "weights": self.weights.tolist(),
            "names": list(self.shapes),
        }


def simulated(
    simulate: Simulate,
    space: Space,
    targets: Targets,
    free: Floats,
    seeds: Sequence[int],
    at_once: int = AT_ONCE,
) -> NDArray[np.float64]:
    """(points, seeds, observations): the model at each of (points, size) free numbers, with each of the seeds.

    All points share the seeds. Runs are handed to the model ``at_once`` replicates at a time.
    """
    points = np.repeat(np.atleast_2d(free), len(seeds), 0)
    every = [int(seed) for _ in range(len(points) // len(seeds)) for seed in seeds]
    return paired(simulate, space, targets, points, every, at_once).reshape(-1, len(seeds), len(targets.observed))


def paired(
    simulate: Simulate,
    space: Space,
    targets: Targets,
    free: Floats,
    seeds: Sequence[int],
    at_once: int = AT_ONCE,
) -> NDArray[np.float64]:
    """(points, observations): the model at each point with its own seed."""
    rows = [
        targets.row(
            {name: np.asarray(part) for name, part in simulate(space.values(free[a : a + at_once]), seeds[a : a + at_once]).items()}
        )
        for a in range(0, len(free), at_once)
    ]
    return np.concatenate(rows)


def _row(values: ArrayLike) -> Floats:
    return np.asarray(values, np.float64).reshape(-1)


def _weights(target: Target, seen: NDArray[np.intp]) -> Floats:
    observed = _row(target.observed)[seen]
    if target.variance is not None:
        variance = np.broadcast_to(np.asarray(target.variance, np.float64), np.shape(target.observed)).reshape(-1)[seen]
    else:
        spread = float(observed.var(ddof=1)) if len(observed) > 1 else 0.0
        variance = np.full(
            len(observed),
            spread if spread > 0 else max(1.0, float(np.square(observed).mean()) if len(observed) else 1.0),
        )
    if not (variance > 0).all() or target.weight < 0:
        raise UsageError(f"target {target.name!r}: variances must be above 0, and its weight 0 or more")
    return target.weight / variance
