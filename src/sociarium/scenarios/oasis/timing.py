"""How fast users come to a post: the chance of being awake in a step differs from user to user by a Beta distribution.

Where everybody is shown a post at once and passes it on with chance ``share`` when first awake, the step T in which a user does so has
P(T = k) = share B(a + 1, b + k - 1) / B(a, b), k = 1, 2, ...: a Beta-geometric law (Pielou 1962), whose tail falls as a power.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.extras import optional
from sociarium.kernel.randomness import key_of

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Timing:
    """``activity``: mean chance of being awake in a step; ``concentration``: a + b, small where users differ much (None: not at all)."""

    share: float
    activity: float
    concentration: float | None = None

    def drawn(self, users: int, seed: int) -> Floats:
        """The chance of each user."""
        if self.concentration is None or not 0 < self.activity < 1:
            return np.full(users, self.activity)
        a = self.activity * self.concentration
        random = np.random.Generator(np.random.Philox(key=key_of(seed, "oasis.activity")))
        return random.beta(a, self.concentration - a, users)

    def reached(self, steps: int) -> Floats:
        """(steps,): the expected share of users who have passed it on by the end of each step."""
        if self.concentration is None:
            return self.share * (1 - (1 - self.activity) ** np.arange(1, steps + 1, dtype=np.float64))
        a, b = _beta(self.activity, self.concentration)
        left: Floats = np.exp(np.array([_log_survival(a, b, k) for k in range(1, steps + 1)], np.float64))
        return self.share * (1 - left)


def fitted(scale: ArrayLike, users: int, *, step: int = 3) -> Timing:
    """Maximum likelihood from a recorded scale, one value a minute from minute 0, counted in steps of ``step`` minutes.

    ``users``: how many could pass it on, the source not counted.
    """
    curve = np.asarray(scale, np.int64)
    ends = curve[::step] - curve[0]
    fresh = np.diff(ends)
    if len(fresh) < 2 or (np.diff(curve) < 0).any() or ends[-1] > users or ends[-1] < 1:
        raise UsageError(f"a scale that grows to {int(ends[-1])} of {users} users in {len(fresh)} steps cannot be fitted")
    left = users - int(ends[-1])

    def loss(point: Floats) -> float:
        share, a, b = 1 / (1 + math.exp(-point[0])), math.exp(point[1]), math.exp(point[2])
        logs = np.array([_log_survival(a, b, k) for k in range(len(fresh) + 1)])
        chance = share * -np.diff(np.exp(logs))
        never = 1 - share + share * math.exp(logs[-1])
        return -float(fresh @ np.log(np.maximum(chance, 1e-300)) + left * math.log(max(never, 1e-300)))

    scipy: Any = optional("scipy.optimize", "lab", "the fit of a cascade's timing")
    starts = [(2.0, math.log(a), math.log(b)) for a in (0.4, 2.0) for b in (2.0, 20.0)]
    found = min((scipy.minimize(loss, start, method="Nelder-Mead", options={"maxiter": 2000}) for start in starts), key=lambda one: one.fun)
    a, b = math.exp(found.x[1]), math.exp(found.x[2])
    return Timing(1 / (1 + math.exp(-found.x[0])), a / (a + b), a + b)


def _beta(mean: float, concentration: float) -> tuple[float, float]:
    return mean * concentration, (1 - mean) * concentration


def _log_survival(a: float, b: float, k: int) -> float:
    """log P(T > k) = log B(a, b + k) - log B(a, b)."""
    return math.lgamma(b + k) + math.lgamma(a + b) - math.lgamma(a + b + k) - math.lgamma(b)
