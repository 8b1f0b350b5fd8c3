"""Adam (Kingma and Ba 2015) on one row of numbers, with a state of three arrays that can be kept and loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.errors import UsageError

Floats = NDArray[np.float64]


class Adam:
    """Steps downhill. ``betas``: how much of the mean gradient, and of its mean square, is kept from step to step."""

    def __init__(self, size: int, rate: float, betas: tuple[float, float]) -> None:
        if rate <= 0 or not all(0 <= beta < 1 for beta in betas):
            raise UsageError(f"Adam needs a rate above 0 and betas from 0 to below 1, not {rate} and {betas}")
        self.rate, self.betas = rate, betas
        self.first, self.second, self.count = np.zeros(size), np.zeros(size), 0

    def step(self, place: Floats, gradient: Floats) -> Floats:
        """The next place."""
        if not np.isfinite(gradient).all():
            raise UsageError(f"the gradient is not finite after {self.count} steps: bound the parameters, or take a smaller rate")
        a, b = self.betas
        self.count += 1
        self.first = a * self.first + (1 - a) * gradient
        self.second = b * self.second + (1 - b) * gradient**2
        scaled = self.first / (1 - a**self.count)
        return place - self.rate * scaled / (np.sqrt(self.second / (1 - b**self.count)) + 1e-8)

    def state(self) -> dict[str, Any]:
        return {"first": self.first, "second": self.second, "count": self.count}

    def load(self, state: Mapping[str, Any]) -> None:
        self.first, self.second, self.count = (
            state["first"],
            state["second"],
            int(state["count"]),
        )
