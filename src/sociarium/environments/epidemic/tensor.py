"""The epidemic of ``model.py`` in Torch: many replicates at once, on any device, with gradients. Needs the extra ``grad``.

``step`` is pure: (state, people, behaviour, disease, rates, contacts, draws, sampler) -> the next state and the day's flows. With the
same draws its stages are those of the NumPy reference: infectiousness is summed in whole numbers, so hazards are equal to the last
bit; exp may differ in its last bit, so a stage could differ only where a draw lies within 1e-15 of its chance.

Stages carry no gradient here: a day's infections depend on the day's rates, and what follows from them on later days is not
followed back. ``path.py`` beside this follows it.

Every tensor has a first axis of replicates. Rates may differ between replicates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from sociarium.environments.epidemic.disease import Disease, Stage
from sociarium.environments.epidemic.model import (
    FOR_GOOD,
    INFECTION,
    LENGTH,
    NEVER,
    Contacts,
    EpidemicState,
    People,
)
from sociarium.environments.tensors import (
    Links,
    Sampler,
    Tensor,
    TensorStream,
    hard,
    torch,
)
from sociarium.kernel.errors import UsageError
from sociarium.kernel.randomness import Randomness

Draws = Callable[[str, Tensor], Tensor]  # name of what is drawn, rows -> uniform, (replicates, rows)
Device = str | torch.device


@dataclass(frozen=True, slots=True)
class Rates:
    """The numbers of a ``Disease`` that may be learned, as tensors; each may have a first axis of replicates.

    ``reproduction`` (weeks, areas), ``susceptibility`` (ages,), ``interactions`` (ages,), ``infectivity`` (stages,), ``mortality``
    and ``protection`` ().
    """

    reproduction: Tensor
    susceptibility: Tensor
    interactions: Tensor
    infectivity: Tensor
    mortality: Tensor
    protection: Tensor

    @classmethod
    def of(cls, disease: Disease, device: Device = "cpu", **learned: Tensor) -> Rates:
        """Those of the disease, but for what is given; reproduction as (..., weeks, areas), one area where R is the same for all."""
        known = {one.name: torch.as_tensor(np.asarray(getattr(disease, one.name), np.float64), device=device) for one in fields(cls)}
        known["reproduction"] = known["reproduction"].reshape(-1, disease.areas)
        if unknown := sorted(set(learned) - set(known)):
            raise UsageError(f"a disease has no rate {unknown[0]!r}; it has {', '.join(known)}")
        rates = {**known, **{name: value.to(device) for name, value in learned.items()}}
        if rates["reproduction"].ndim < 2 or rates["reproduction"].shape[-1] != disease.areas:
            given = tuple(rates["reproduction"].shape)
            raise UsageError(f"reproduction must be (..., weeks, areas) with {disease.areas} areas, not {given}")
        return cls(**rates)

    def receptivity(self, day: int, days_a_week: int) -> Tensor:
        """R_week * S / I on a day, (..., traits): see ``Disease.receptivity``."""
        weeks = self.reproduction.shape[-2]
        week = self.reproduction[..., min(day // days_a_week, weeks - 1), :]
        by_age = self.susceptibility / self.interactions
        protected = torch.stack([torch.ones_like(self.protection), 1 - self.protection], -1)
        products = week[..., :, None, None] * (protected[..., :, None] * by_age[..., None, :])[..., None, :, :]
        return products.flatten(-3)


@dataclass(frozen=True, slots=True)
class TensorPeople:
    """``trait`` and ``group`` as in ``People``; ``region`` is whose count an agent is in, (agents,), of ``regions``."""

    trait: Tensor
    group: Tensor
    region: Tensor
    groups: int = 1
    regions: int = 1

    @classmethod
    def of(
        cls,
        people: People,
        device: Device = "cpu",
        region: Any = None,
        regions: int = 1,
    ) -> TensorPeople:
        """Regions are the groups unless given."""
        trait, group = (torch.as_tensor(np.ascontiguousarray(part, np.int64), device=device) for part in (people.trait, people.group))
        if region is None:
            return cls(trait, group, group, people.groups, people.groups)
        return cls(
            trait,
            group,
            torch.as_tensor(np.ascontiguousarray(region, np.int64), device=device),
            people.groups,
            regions,
        )

    def __len__(self) -> int:
        return self.trait.shape[0]

    def counts(self, values: Tensor) -> Tensor:
        """(replicates, agents) summed to (replicates, regions)."""
        return summed(values, self.region, self.regions)


@dataclass(frozen=True, slots=True)
class TensorContacts:
    """One layer: ``links``, or None where everyone of a group meets everyone, each with weight B / size of the group."""

    links: Links | None
    weight: float = 1.0

    @classmethod
    def of(cls, contacts: Sequence[Contacts], agents: int, device: Device = "cpu") -> tuple[TensorContacts, ...]:
        return tuple(
            cls(
                None if c.mixed else Links(agents, c.sources, c.targets, device),
                c.weight,
            )
            for c in contacts
        )


@dataclass(frozen=True, slots=True)
class TensorBehaviour:
    """Who takes part in each layer today, as factors from 0 to 1 that may carry gradients, (agents,) or (replicates, agents);
    None for everyone. ``sends``: can infect there. ``receives``: can be infected there."""

    sends: Sequence[Tensor | None] = ()
    receives: Sequence[Tensor | None] = ()

    def sent(self, layer: int, values: Tensor) -> Tensor:
        factor = self.sends[layer] if layer < len(self.sends) else None
        return values if factor is None else values * factor

    def received(self, layer: int, values: Tensor) -> Tensor:
        factor = self.receives[layer] if layer < len(self.receives) else None
        return values if factor is None else values * factor


@dataclass(frozen=True, slots=True)
class TensorState:
    """``EpidemicState`` with a first axis of replicates: ``stage`` uint8, ``until`` and ``infected`` int16, 5 bytes an agent."""

    day: int
    stage: Tensor
    until: Tensor
    infected: Tensor

    @classmethod
    def of(cls, states: Sequence[EpidemicState], device: Device = "cpu") -> TensorState:
        stage, until, infected = (np.stack([getattr(s, name) for s in states]) for name in ("stage", "until", "infected"))
        return cls(
            states[0].day,
            *(torch.as_tensor(part, device=device) for part in (stage, until, infected)),
        )


@dataclass(frozen=True, slots=True)
class TensorFlows:
    """One day: ``infected`` (replicates, agents), 0 or 1 or what the sampler makes of it; ``deaths`` expected, (replicates, regions)."""

    infected: Tensor
    deaths: Tensor


@dataclass(frozen=True, slots=True)
class World:
    """What stays through a run: people, contacts by day, disease, who takes part."""

    people: TensorPeople
    disease: Disease
    contacts: Callable[[int], Sequence[TensorContacts]]
    behaviour: Callable[[int], TensorBehaviour] = field(default=lambda day: TensorBehaviour())

    @classmethod
    def of(cls, people: TensorPeople, disease: Disease, contacts: Sequence[TensorContacts]) -> World:
        """The same contacts every day, and everyone takes part."""
        return cls(people, disease, lambda day: contacts)


def begin(infected: Tensor, disease: Disease, draws: Draws) -> TensorState:
    """Day 0: ``infected`` (replicates, agents), bool, were infected the day before; all others are susceptible."""
    shape, device = infected.shape, infected.device
    state = TensorState(
        0,
        torch.zeros(shape, dtype=torch.uint8, device=device),
        torch.full(shape, FOR_GOOD, dtype=torch.int16, device=device),
        torch.where(infected, -1, NEVER).to(torch.int16),
    )
    return _enter(state, infected, Stage.EXPOSED, -1, disease, draws)


def step(
    state: TensorState,
    world: World,
    rates: Rates,
    draws: Draws,
    sampler: Sampler = hard,
) -> tuple[TensorState, TensorFlows]:
    """One day: everyone who transmits does, at once; then stages that end today end, and who was infected is exposed."""
    day, disease, people = state.day, world.disease, world.people
    chance = 1 - torch.exp(-hazards(state, world, rates))
    susceptible = state.stage == Stage.SUSCEPTIBLE
    uniform = draws(INFECTION, rows_of(state.stage))
    happened = torch.where(susceptible, sampler(chance, uniform), 0.0)
    caught = susceptible & (uniform < chance.detach())
    ending = (state.until == day) & ~susceptible
    dying = people.counts((ending & (state.stage == Stage.INFECTIOUS)).to(torch.float64))
    after = replace(state, day=day + 1)
    for left, entered in (
        (Stage.EXPOSED, Stage.INFECTIOUS),
        (Stage.INFECTIOUS, Stage.RECOVERED),
        (Stage.RECOVERED, Stage.SUSCEPTIBLE),
    ):
        after = _enter(after, ending & (state.stage == left), entered, day, disease, draws)
    after = _enter(after, caught, Stage.EXPOSED, day, disease, draws)
    after = replace(after, infected=torch.where(caught, day, after.infected).to(torch.int16))
    return after, TensorFlows(happened, rates.mortality[..., None] * dying)


def hazards(state: TensorState, world: World, rates: Rates) -> Tensor:
    """Sum over j of lambda_ij for every agent i, (replicates, agents)."""
    since = state.day - state.infected.to(torch.int32)

    def sent(table: Tensor) -> Tensor:
        columns = table.shape[-1]
        place = state.stage.to(torch.int32) * columns + torch.clamp(since, max=columns - 1)
        flat = table.flatten(-2)
        return flat[place] if flat.ndim == 1 else torch.gather(flat.expand(len(place), -1), 1, place.to(torch.int64))

    return exposure(sent, state.day, world, rates)


def exposure(sent: Callable[[Tensor], Tensor], day: int, world: World, rates: Rates) -> Tensor:
    """Hazards from what is sent: ``sent`` turns a layer's emission table (stages, days since infection) into (replicates, agents)."""
    people, scale = world.people, world.disease.scale
    linked: Tensor | float = 0.0
    mixed: Tensor | float = 0.0
    behaviour = world.behaviour(day)
    for layer, contacts in enumerate(world.contacts(day)):
        given = behaviour.sent(layer, sent(emission(world.disease, rates, contacts.weight)))
        if contacts.links is None:
            sizes = torch.bincount(people.group, minlength=people.groups).clamp_min(1).to(torch.float64)
            share = summed(given, people.group, people.groups) / (scale * sizes)
            mixed = mixed + behaviour.received(layer, share[:, people.group])
        else:
            linked = linked + behaviour.received(layer, contacts.links.sum(given))
    receptivity = rates.receptivity(day, world.disease.days_a_week)
    return receptivity[..., people.trait] * (linked * (1 / scale) + mixed)


def emission(disease: Disease, rates: Rates, weight: float) -> Tensor:
    """A * B * w in whole fixed-point units; the gradient is that before rounding."""
    days = np.ones(1) if disease.profile is None else np.concatenate([[0.0], disease.profile, [0.0]])
    exact = disease.scale * (rates.infectivity[..., :, None] * torch.as_tensor(weight * days, device=rates.infectivity.device))
    return torch.round(exact).detach() + (exact - exact.detach())


def draws(seeds: Sequence[int], tick: int, device: Device = "cpu") -> Draws:
    """The random numbers of a day, one replicate a seed: those that ``model.draws(Randomness(seed), tick)`` gives."""
    return lambda name, rows: TensorStream([Randomness(seed).stream(name, tick) for seed in seeds], device).uniform(rows)


def given(uniform: Callable[[str, Any], Any], device: Device = "cpu") -> Draws:
    """Draws that come from NumPy, (rows,) or (replicates, rows)."""
    return lambda name, rows: torch.as_tensor(np.atleast_2d(uniform(name, rows.cpu().numpy())), device=device)


def rows_of(values: Tensor) -> Tensor:
    """The row of each agent, for draws."""
    return torch.arange(values.shape[-1], dtype=torch.int64, device=values.device)


def summed(values: Tensor, place: Tensor, places: int) -> Tensor:
    """(replicates, agents) summed by place: (replicates, places)."""
    if places == 1:
        return values.sum(-1, keepdim=True)
    return values.new_zeros((values.shape[0], places)).index_add(1, place, values)


def _enter(
    state: TensorState,
    who: Tensor,
    stage: Stage,
    day: int,
    disease: Disease,
    draws: Draws,
) -> TensorState:
    duration = disease.duration(stage)
    if not duration.ends:
        until: Tensor | int = FOR_GOOD
    elif duration.drawn and duration.days > 1:
        uniform = draws(LENGTH, rows_of(who))
        skipped = torch.floor(torch.log1p(-uniform) / torch.log1p(torch.tensor(-1 / duration.days, dtype=torch.float64)).item())
        until = (day + 1 + skipped).clamp_max(FOR_GOOD - 1)
    else:
        until = day + int(duration.days)
    return replace(
        state,
        stage=torch.where(who, int(stage), state.stage).to(torch.uint8),
        until=torch.where(who, until, state.until).to(torch.int16),
    )
