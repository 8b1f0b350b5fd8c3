"""What is looked for: parameters with bounds, seen by an optimiser as free numbers without bounds."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.errors import UsageError

Floats = NDArray[np.float64]
Values = Mapping[str, Any]
Simulate = Callable[[Values, Sequence[int]], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number, or an array of numbers (one a week, one an area), that lies between ``low`` and ``high``.

    ``start``: where a search begins; its shape is the parameter's. ``scale`` "log": equal ratios are equal steps (low must be
    above 0); it is also the scale on which a prior is even. Free z stands for low + (high - low) / (1 + exp(-z)), or its like in logs.
    """

    name: str
    low: float
    high: float
    start: Any
    scale: Literal["linear", "log"] = "linear"
    unit: str = ""

    def __post_init__(self) -> None:
        begin = np.asarray(self.start, np.float64)
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise UsageError(f"parameter {self.name!r}: bounds {self.low} to {self.high} are no range")
        if self.scale == "log" and self.low <= 0:
            raise UsageError(f"parameter {self.name!r}: a log scale needs a lower bound above 0, not {self.low}")
        if not ((begin > self.low) & (begin < self.high)).all():
            raise UsageError(f"parameter {self.name!r}: its start {self.start} must lie inside {self.low} to {self.high}, not on a bound")

    @property
    def shape(self) -> tuple[int, ...]:
        return np.shape(self.start)

    def value(self, free: Any) -> Any:
        """From free numbers, a NumPy array or a tensor, of any shape; gradients pass."""
        numbers: Any = np if isinstance(free, np.ndarray) else _torch()
        share = 1 / (1 + numbers.exp(-free))
        if self.scale == "log":
            return numbers.exp(math.log(self.low) + (math.log(self.high) - math.log(self.low)) * share)
        return self.low + (self.high - self.low) * share

    def free(self, value: Any) -> Floats:
        """The inverse of ``value``."""
        given = np.asarray(value, np.float64)
        if self.scale == "log":
            share = (np.log(given) - math.log(self.low)) / (math.log(self.high) - math.log(self.low))
        else:
            share = (given - self.low) / (self.high - self.low)
        if not ((share > 0) & (share < 1)).all():
            raise UsageError(f"parameter {self.name!r}: {value} does not lie inside {self.low} to {self.high}")
        return np.log(share) - np.log1p(-share)


class Space:
    """All parameters together: one row of free numbers."""

    def __init__(self, *parameters: Parameter) -> None:
        names = [one.name for one in parameters]
        if not parameters or len(set(names)) != len(names):
            raise UsageError(f"a space needs at least one parameter and no name twice, not {names}")
        self.parameters = parameters
        ends = np.cumsum([0, *(max(1, math.prod(one.shape)) for one in parameters)])
        self._places = [slice(int(a), int(b)) for a, b in itertools.pairwise(ends)]
        self.size = int(ends[-1])

    @property
    def names(self) -> list[str]:
        """One a free number: ``reproduction[2]``."""
        found: list[str] = []
        for one in self.parameters:
            found += [one.name + (f"[{','.join(map(str, at))}]" if at else "") for at in np.ndindex(one.shape)]
        return found

    def start(self) -> Floats:
        """(size,): where a search begins."""
        return self.free({one.name: one.start for one in self.parameters})

    def values(self, free: Any) -> dict[str, Any]:
        """By name, (..., *shape), from free numbers (..., size); NumPy or Torch as given."""
        found: dict[str, Any] = {}
        for one, place in zip(self.parameters, self._places, strict=True):
            found[one.name] = one.value(free[..., place].reshape((*free.shape[:-1], *one.shape)))
        return found

    def free(self, values: Values) -> Floats:
        """(size,) from values by name."""
        if unknown := {one.name for one in self.parameters} ^ set(values):
            raise UsageError(f"values and parameters differ in {', '.join(sorted(unknown))}")
        return np.concatenate([np.reshape(one.free(np.broadcast_to(values[one.name], one.shape)), -1) for one in self.parameters])

    def flat(self, values: Values) -> Floats:
        """(..., size) from values by name, (..., *shape): in the order of ``names``."""
        parts: list[Floats] = []
        for one in self.parameters:
            given = np.asarray(values[one.name], np.float64)
            parts.append(given.reshape((*given.shape[: given.ndim - len(one.shape)], -1)))
        return np.concatenate(parts, -1)

    def plain(self) -> list[dict[str, Any]]:
        """What identifies the space, as plain data."""
        return [
            {
                "name": p.name,
                "low": p.low,
                "high": p.high,
                "scale": p.scale,
                "start": np.asarray(p.start, np.float64).tolist(),
            }
            for p in self.parameters
        ]


def _torch() -> Any:
    from sociarium.environments.tensors import torch

    return torch
