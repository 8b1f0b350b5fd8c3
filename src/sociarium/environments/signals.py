"""What a clock of the Hawkes kind shows: its intensity, how many it expects to wake, tick by tick, as measures of the run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.environment import Environment
from sociarium.kernel.hawkes import Hawkes, Uniform


class Signals(Environment):
    """``schedule`` is that of the simulation. Measures are those of the beginning of each tick, by which it woke its agents."""

    name: ClassVar[str] = "clock"

    def __init__(self, schedule: Hawkes | Uniform) -> None:
        self.schedule = schedule

    def measures(self) -> Mapping[str, NDArray[Any]]:
        """intensity (nan for a clock without excitation) and expected, the same for every group."""
        now, groups = self.world.clock.time, self.world.groups
        intensity = self.schedule.intensity(now) if isinstance(self.schedule, Hawkes) else float("nan")
        return {"intensity": np.full(groups, intensity), "expected": np.full(groups, self.schedule.expected(now))}
