"""Whole epidemics in Torch: day after day, counted by region, with gradients through a day or through the whole path.

Two ways to keep state. ``Sampled``: integers, 5 bytes an agent, a gradient through each day's rates only (``tensor.step``).
``Carried``: who is susceptible and who was infected on each of the last days as numbers from 0 to 1, so that a gradient goes back
along the whole path: infections of today through those of last week. With a hard sampler both give the same epidemic.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sociarium.environments.epidemic import tensor
from sociarium.environments.epidemic.disease import Disease, Stage
from sociarium.environments.epidemic.model import INFECTION
from sociarium.environments.epidemic.tensor import (
    Draws,
    Rates,
    TensorFlows,
    TensorState,
    World,
)
from sociarium.environments.tensors import Sampler, Tensor, hard, loose, torch
from sociarium.kernel.errors import UsageError

DrawsOf = Callable[[int], Draws]  # of a day


@dataclass(frozen=True, slots=True)
class Carried:
    """``susceptible`` (replicates, agents); ``recent``: infected yesterday, the day before, ..., each (replicates, agents)."""

    day: int
    susceptible: Tensor
    recent: tuple[Tensor, ...]


@dataclass(frozen=True, slots=True)
class Waves:
    """New infections and expected deaths by day, (replicates, days, regions)."""

    cases: Tensor
    deaths: Tensor

    def totals(self, days: int = 7) -> Waves:
        """Sums over stretches of so many days, the last one cut off where it is not whole."""
        return Waves(*(_stretches(part, days) for part in (self.cases, self.deaths)))


def run(
    world: World,
    rates: Rates,
    infected: Tensor,
    days: int,
    draws: DrawsOf,
    sampler: Sampler = hard,
    *,
    carried: bool = False,
    checkpoint: int | None = None,
) -> Waves:
    """``days`` days after ``infected`` (replicates, agents: bool, or numbers that may carry gradients where ``carried``).

    Without gradients nothing of a day is kept but its counts. ``checkpoint``: keep the state every so many days only, and compute
    what is between again on the way back: memory for long gradients falls from days to days / checkpoint + checkpoint.
    """
    if days < 1:
        raise UsageError(f"a run of {days} days counts nothing; give at least 1")
    state: Any = begin_carried(infected, world.disease) if carried else tensor.begin(infected > 0, world.disease, draws(-1))
    keeps = checkpoint is not None and torch.is_grad_enabled()
    stretch = checkpoint if keeps and checkpoint else days
    cases: list[Tensor] = []
    deaths: list[Tensor] = []
    for start in range(0, days, stretch):
        length = min(stretch, days - start)
        if keeps:
            again: Any = loose.utils.checkpoint.checkpoint
            state, counted = again(
                _stretch,
                state,
                world,
                rates,
                length,
                draws,
                sampler,
                use_reentrant=False,
                preserve_rng_state=False,
            )
        else:
            state, counted = _stretch(state, world, rates, length, draws, sampler)
        cases.append(counted[0])
        deaths.append(counted[1])
    return Waves(torch.cat(cases, 1), torch.cat(deaths, 1))


def begin_carried(infected: Tensor, disease: Disease) -> Carried:
    """Day 0: ``infected`` (replicates, agents) is who was infected the day before, or with what chance."""
    for name in ("exposed", "infectious", "immune"):
        duration = getattr(disease, name)
        if duration.drawn and duration.days > 1:
            raise UsageError(f"a gradient along the path needs stages of fixed length, and {name} is drawn: run it without carried=True")
    infected = infected.to(torch.float64)
    return Carried(0, 1 - infected, (infected,))


def step_carried(state: Carried, world: World, rates: Rates, draws: Draws, sampler: Sampler = hard) -> tuple[Carried, TensorFlows]:
    """``tensor.step`` on numbers: what is infected today leaves the susceptible, and every stage has its fixed length."""
    disease = world.disease
    exposed, ill = int(disease.exposed.days), int(disease.infectious.days)

    def sent(table: Tensor) -> Tensor:
        total: Tensor | float = 0.0
        for since, who in enumerate(state.recent[: exposed + ill], 1):
            stage = Stage.EXPOSED if since <= exposed else Stage.INFECTIOUS
            total = total + table[..., stage, min(since, table.shape[-1] - 1)][..., None] * who
        return torch.as_tensor(total)

    chance = 1 - torch.exp(-tensor.exposure(sent, state.day, world, rates))
    infected = state.susceptible * sampler(chance, draws(INFECTION, tensor.rows_of(chance)))
    susceptible = state.susceptible - infected
    last = exposed + ill
    ending = state.recent[last - 1] if len(state.recent) >= last else torch.zeros_like(infected)
    if disease.immune.ends:
        last += int(disease.immune.days)
        susceptible = susceptible + (state.recent[last - 1] if len(state.recent) >= last else 0.0)
    after = Carried(state.day + 1, susceptible, (infected, *state.recent[: last - 1]))
    return after, TensorFlows(infected, rates.mortality[..., None] * world.people.counts(ending))


def seeded(seeds: Sequence[int], device: tensor.Device = "cpu") -> DrawsOf:
    """Draws of each day, one replicate a seed; the beginning is day -1."""
    return lambda day: tensor.draws(seeds, day, device)


def _stretch(
    state: Carried | TensorState,
    world: World,
    rates: Rates,
    days: int,
    draws: DrawsOf,
    sampler: Sampler,
) -> tuple[Carried | TensorState, tuple[Tensor, Tensor]]:
    cases: list[Tensor] = []
    deaths: list[Tensor] = []
    for _ in range(days):
        if isinstance(state, Carried):
            state, flows = step_carried(state, world, rates, draws(state.day), sampler)
        else:
            state, flows = tensor.step(state, world, rates, draws(state.day), sampler)
        cases.append(world.people.counts(flows.infected))
        deaths.append(flows.deaths.expand_as(cases[-1]))
    return state, (torch.stack(cases, 1), torch.stack(deaths, 1))


def _stretches(daily: Tensor, days: int) -> Tensor:
    whole = daily.shape[1] // days
    if whole < 1:
        raise UsageError(f"{daily.shape[1]} days hold no stretch of {days}")
    return daily[:, : whole * days].reshape(daily.shape[0], whole, days, daily.shape[2]).sum(2)
