"""Calibration by gradient: simulate, compare, go back through the simulation, step (Adam; Kingma and Ba 2015).

Every step uses the same seeds, so the loss is a function of the parameters only. A biased gradient (straight-through) still ends
where residuals vanish when there are as many observations as parameters; where there are more, weigh it against a search.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sociarium.environments.tensors import Tensor, torch
from sociarium.kernel.randomness import key_of
from sociarium.training import saving
from sociarium.training.adam import Adam
from sociarium.training.calibration.ending import Ended, concluded
from sociarium.training.calibration.fit import Fit
from sociarium.training.calibration.parameters import Floats, Simulate, Space
from sociarium.training.calibration.targets import Targets


@dataclass(frozen=True, slots=True)
class Descent:
    """``rate`` and ``betas`` are Adam's, ``replicates`` the runs averaged in each step. It ends after ``steps``, or when the best
    loss has not fallen by the share ``tolerance`` for ``patience`` steps. ``keep_every``: steps between saved states."""

    steps: int = 1000
    rate: float = 5e-3
    betas: tuple[float, float] = (0.5, 0.5)
    replicates: int = 4
    patience: int = 200
    tolerance: float = 1e-4
    keep_every: int = 20


def fit_gradient(
    simulate: Simulate,
    space: Space,
    targets: Targets,
    *,
    seed: int = 0,
    descent: Descent | None = None,
    state: Path | None = None,
    level: float = 0.95,
) -> Fit:
    """Least weighted squares by Adam, with intervals by simulated moments. ``simulate`` is called with tensors.

    ``state``: a file to resume from and to keep the state in; stopped and resumed gives the same fit to the last bit.
    """
    how = descent or Descent()
    seeds = [key_of("calibration", seed, k) >> 1 for k in range(how.replicates)]
    adam = Adam(space.size, how.rate, how.betas)
    place, best, losses = space.start(), space.start(), list[float]()
    of = saving.fingerprint(
        [
            space.plain(),
            targets.plain(),
            seed,
            {**asdict(how), "steps": None, "keep_every": None},
        ]
    )
    if state is not None and (kept := saving.load(state, of)) is not None:
        place, best, losses = kept["place"], kept["best"], kept["losses"].tolist()
        adam.load(kept)
    ended = f"{how.steps} steps"
    while len(losses) < how.steps:
        if _settled(losses, how):
            ended = f"the loss has not fallen by {how.tolerance:g} in {how.patience} steps"
            break
        loss, gradient = loss_and_gradient(simulate, space, targets, place, seeds)
        if not losses or loss < min(losses):
            best = place
        losses.append(loss)
        place = adam.step(place, gradient)
        if state is not None and (len(losses) % how.keep_every == 0 or len(losses) == how.steps):
            saving.save(
                state,
                {"place": place, "best": best, "losses": losses, **adam.state()},
                of,
            )
    done = Ended("gradient", losses, ended, how.replicates, len(losses) * how.replicates)
    return concluded(simulate_arrays(simulate), space, targets, best, done, seed, level)


def loss_and_gradient(
    simulate: Simulate,
    space: Space,
    targets: Targets,
    free: Floats,
    seeds: Sequence[int],
) -> tuple[float, Floats]:
    """The loss of the mean run at one row of free numbers, and its derivative by them."""
    leaf = torch.tensor(free, dtype=torch.float64, requires_grad=True)
    values = space.values(leaf.expand(len(seeds), -1))
    loss: Tensor = targets.loss(targets.row(simulate(values, seeds)).mean(0))
    (gradient,) = torch.autograd.grad(loss, leaf)
    return float(loss.detach()), gradient.numpy()


def simulate_arrays(simulate: Simulate) -> Simulate:
    """A model that takes tensors, as one that takes and gives arrays: no gradient is kept."""

    def plain(values: Any, seeds: Sequence[int]) -> dict[str, Any]:
        with torch.no_grad():
            given = {name: torch.as_tensor(value) for name, value in values.items()}
            return {name: series.cpu().numpy() for name, series in simulate(given, seeds).items()}

    return plain


def _settled(losses: list[float], how: Descent) -> bool:
    if len(losses) <= how.patience:
        return False
    before = min(losses[: -how.patience])
    return min(losses) > before * (1 - how.tolerance)
