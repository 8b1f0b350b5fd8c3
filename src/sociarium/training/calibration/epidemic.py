"""The epidemic in Torch as a model to calibrate: what may be learned, and the series that come out.

Parameters by name: those of ``Rates`` (``reproduction`` (), (weeks,) or (weeks, areas), ``mortality`` (), ``protection`` (), ...),
``initial`` (): the share infected at the start, and ``reporting`` (): the share of infections that become known cases.
Series: ``cases`` and ``deaths``, totals by stretches of days, (stretches,), or (stretches, regions) where there are several.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from sociarium.environments.epidemic import path
from sociarium.environments.epidemic.tensor import Rates, World
from sociarium.environments.tensors import Sampler, Tensor, TensorStream, hard, torch
from sociarium.kernel.errors import UsageError
from sociarium.kernel.randomness import Randomness
from sociarium.training.calibration.parameters import Values
from sociarium.training.differentiable.samplers import expected, straight_through

RATES = frozenset(one.name for one in fields(Rates))
FIRST = "epidemic.first"  # the stream of who is infected at the start


@dataclass(frozen=True, slots=True)
class EpidemicModel:
    """``simulate(values, seeds)`` for calibration. ``sampler``: how chances are drawn where gradients are taken; without gradients
    they are always drawn hard, but for ``expected``, which never draws. ``carried``: gradients along the whole path (``path``)."""

    world: World
    days: int
    initial: float = 0.04
    sampler: Sampler = straight_through
    carried: bool = False
    stretch: int = 7
    checkpoint: int | None = None

    def __call__(self, values: Values, seeds: Sequence[int]) -> dict[str, Any]:
        """Arrays for arrays, tensors for tensors, (replicates, stretches) or (replicates, stretches, regions)."""
        if all(isinstance(value, np.ndarray) for value in values.values()):
            device = self.world.people.trait.device
            with torch.no_grad():
                series = self._run(
                    {name: torch.as_tensor(value, device=device) for name, value in values.items()},
                    seeds,
                )
                return {name: part.cpu().numpy() for name, part in series.items()}
        return self._run(dict(values), seeds)

    def _run(self, values: dict[str, Tensor], seeds: Sequence[int]) -> dict[str, Tensor]:
        device = self.world.people.trait.device
        if unknown := sorted(set(values) - RATES - {"initial", "reporting"}):
            raise UsageError(f"the epidemic has no parameter {unknown[0]!r}; it has {', '.join(sorted(RATES))}, initial and reporting")
        learned = {name: value.to(device) for name, value in values.items() if name in RATES}
        if (weekly := learned.get("reproduction")) is not None and weekly.ndim < 3:  # one number for all weeks, or one a week
            learned["reproduction"] = weekly.reshape(len(seeds), -1, 1)
        rates = Rates.of(self.world.disease, device, **learned)
        graded = any(value.requires_grad for value in values.values()) and torch.is_grad_enabled()
        smooth = self.sampler is expected
        sampler = self.sampler if graded or smooth else hard
        share = values.get("initial", torch.full((len(seeds),), self.initial, dtype=torch.float64)).to(device)
        people = torch.arange(len(self.world.people), device=device)
        drawn = TensorStream([Randomness(seed).stream(FIRST, 0) for seed in seeds], device).uniform(people)
        first = sampler(share[:, None].expand_as(drawn), drawn)
        carried = smooth or (graded and (self.carried or share.requires_grad))
        draws = path.seeded(seeds, device)
        waves = path.run(
            self.world,
            rates,
            first,
            self.days,
            draws,
            sampler,
            carried=carried,
            checkpoint=self.checkpoint,
        )
        totals = waves.totals(self.stretch)
        cases = totals.cases
        if "reporting" in values:
            cases = cases * values["reporting"].to(device)[:, None, None]
        series = {"cases": cases, "deaths": totals.deaths}
        return {name: part[..., 0] if part.shape[-1] == 1 else part for name, part in series.items()}
