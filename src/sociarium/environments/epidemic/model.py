"""One day of an epidemic, written to be read: the reference that every fast kernel, and the model in Torch, is held equal to.

``step`` is pure: (state, people, behaviour, disease, contacts, draws) -> the next state. Its random numbers are given by row, so
whoever draws only for those it concerns gets the same result. Infectiousness is summed in whole numbers (``Disease.scale``), so the
sum does not depend on the order of contacts, on threads, or on who adds it up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.epidemic.disease import Disease, Stage
from sociarium.kernel.randomness import Randomness

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Uniform = Callable[[str, Ints], Floats]  # name of what is drawn, rows -> uniform numbers in [0, 1)
NEVER = np.iinfo(np.int16).min  # the day on which something did not happen
FOR_GOOD = np.iinfo(np.int16).max  # the last day of a stage that does not end
INFECTION, LENGTH = "epidemic.infection", "epidemic.length"  # names of random streams


@dataclass(frozen=True, slots=True)
class EpidemicState:
    """Who is in which stage at the beginning of ``day``; one value an agent, 5 bytes in all.

    ``until``: the last day in the present stage. ``infected``: the day of the last infection; NEVER.
    ``deaths``: expected deaths so far, (groups,).
    """

    day: int
    stage: NDArray[np.uint8]
    until: NDArray[np.int16]
    infected: NDArray[np.int16]
    deaths: Floats

    def __len__(self) -> int:
        return len(self.stage)


@dataclass(frozen=True, slots=True)
class People:
    """What does not change by the disease: ``trait`` (see ``Disease.traits``) and ``group``, the world of each."""

    trait: NDArray[Any]
    group: Ints
    groups: int = 1

    @classmethod
    def alike(cls, size: int) -> People:
        """All in age class 0, in one world."""
        return cls(np.zeros(size, np.uint16), np.broadcast_to(np.int64(0), size), 1)


@dataclass(frozen=True, slots=True)
class Contacts:
    """The contacts of one day in one layer: directed, from who is infectious to who is exposed to it, all of one ``weight`` B.

    ``mixed``: everyone of a world with everyone, each with weight B / size of the world; sources and targets are then empty.
    """

    sources: Ints
    targets: Ints
    weight: float = 1.0
    mixed: bool = False


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Who takes part in each layer today: one mask a layer, None for everyone. ``sends``: can infect there. ``receives``: can be."""

    sends: Sequence[Mask | None] = ()
    receives: Sequence[Mask | None] = ()

    def sending(self, layer: int) -> Mask | None:
        return self.sends[layer] if layer < len(self.sends) else None

    def receiving(self, layer: int) -> Mask | None:
        return self.receives[layer] if layer < len(self.receives) else None


@dataclass(frozen=True, slots=True)
class Flows:
    """What happened in one day: agents who were infected, and who left a stage by itself (with the stage they left); ascending."""

    infected: Ints
    left: Ints
    stages: NDArray[np.uint8] = field(default_factory=lambda: np.empty(0, np.uint8))


def begin(infected: Mask | Ints, size: int, disease: Disease, uniform: Uniform, groups: int = 1) -> EpidemicState:
    """Day 0: these agents were infected the day before (day -1); all others are susceptible."""
    first = np.flatnonzero(infected).astype(np.int64) if infected.dtype == np.bool_ else np.unique(infected).astype(np.int64)
    state = EpidemicState(
        0,
        np.zeros(size, np.uint8),
        np.full(size, FOR_GOOD, np.int16),
        np.full(size, NEVER, np.int16),
        np.zeros(groups),
    )
    enter(state, first, Stage.EXPOSED, -1, disease, uniform)
    state.infected[first] = -1
    return state


def step(
    state: EpidemicState,
    people: People,
    behaviour: Behaviour,
    disease: Disease,
    contacts: Sequence[Contacts],
    uniform: Uniform,
) -> tuple[EpidemicState, Flows]:
    """One day: everyone who transmits does, at once; then stages that end today end, and who was infected is exposed."""
    return moved(state, hazards(state, people, behaviour, disease, contacts), people, disease, uniform)


def moved(state: EpidemicState, hazard: Floats, people: People, disease: Disease, uniform: Uniform) -> tuple[EpidemicState, Flows]:
    """The day of agents on whom these hazards lie, whoever added them up; ``uniform`` draws by position in ``state``."""
    day = state.day
    everyone = np.arange(len(state), dtype=np.int64)
    susceptible = state.stage == Stage.SUSCEPTIBLE
    infected = everyone[susceptible & (uniform(INFECTION, everyone) < 1 - np.exp(-hazard))]
    left = everyone[(state.until == day) & ~susceptible]
    after = replace(state, day=day + 1, stage=state.stage.copy(), until=state.until.copy(), infected=state.infected.copy())
    flows = Flows(infected, left, state.stage[left])
    deaths = progress(after, flows, day, disease, uniform, people)
    return replace(after, deaths=deaths), flows


def hazards(
    state: EpidemicState, people: People, behaviour: Behaviour, disease: Disease, contacts: Sequence[Contacts], *, fixed: bool = True
) -> Floats:
    """Sum over j of lambda_ij for every agent i, whatever its stage. ``fixed`` False: without rounding to fixed-point units."""
    size = len(state)
    summed, mixed = np.zeros(size), np.zeros(size)
    for layer, edges in enumerate(contacts):
        sent = emitted(state, disease, edges.weight, behaviour.sending(layer), fixed=fixed)
        if edges.mixed:
            share = np.bincount(people.group, sent, people.groups) / (disease.scale * people_in(people))
            received, total = share[people.group], mixed
        else:
            received, total = np.bincount(edges.targets, sent[edges.sources], size), summed
        if (receives := behaviour.receiving(layer)) is not None:
            received = np.where(receives, received, 0.0)
        total += received
    return disease.receptivity(state.day)[people.trait] * (summed * (1 / disease.scale) + mixed)


def emitted(state: EpidemicState, disease: Disease, weight: float, sends: Mask | None = None, *, fixed: bool = True) -> Floats:
    """A * B * w of each agent over a contact of this weight, in units of ``Disease.scale``: whole numbers, exact in floats."""
    table = disease.emission(weight) if fixed else disease.exact_emission(weight) * disease.scale
    since = state.day - state.infected.astype(np.int64)
    sent = table[state.stage, np.minimum(since, table.shape[1] - 1)].astype(np.float64)
    return sent if sends is None else np.where(sends, sent, 0.0)


def people_in(people: People) -> Floats:
    """The size of each world, at least 1."""
    return np.maximum(np.bincount(people.group, minlength=people.groups), 1).astype(np.float64)


def died(flows: Flows, disease: Disease, people: People) -> Floats:
    """Expected deaths of a day, one value a group: among those who leave INFECTIOUS."""
    ending = flows.left[flows.stages == Stage.INFECTIOUS]
    if people.groups == 1:
        return np.array([disease.mortality * len(ending)])
    return disease.mortality * np.bincount(people.group[ending], minlength=people.groups).astype(np.float64)


def progress(state: EpidemicState, flows: Flows, day: int, disease: Disease, uniform: Uniform, people: People) -> Floats:
    """Carry out the flows of a day, in place; returns the expected deaths so far, one value a group."""
    ending = flows.left[flows.stages == Stage.INFECTIOUS]
    for left, entered in (
        (Stage.EXPOSED, Stage.INFECTIOUS),
        (Stage.INFECTIOUS, Stage.RECOVERED),
        (Stage.RECOVERED, Stage.SUSCEPTIBLE),
    ):
        enter(state, ending if left == Stage.INFECTIOUS else flows.left[flows.stages == left], entered, day, disease, uniform)
    enter(state, flows.infected, Stage.EXPOSED, day, disease, uniform)
    state.infected[flows.infected] = day
    return state.deaths + died(flows, disease, people)


def enter(state: EpidemicState, agents: Ints, stage: Stage, day: int, disease: Disease, uniform: Uniform) -> None:
    """These agents enter a stage at the end of ``day``; how long they will stay is drawn now."""
    state.stage[agents] = stage
    duration = disease.duration(stage)
    if not duration.ends:
        state.until[agents] = FOR_GOOD
    elif duration.drawn:
        state.until[agents] = np.minimum(day + duration.lengths(uniform(LENGTH, agents)), FOR_GOOD - 1)
    else:
        state.until[agents] = day + int(duration.days)


def draws(randomness: Randomness, tick: int) -> Uniform:
    """The random numbers of a day: stream by name and tick, row by agent id. What enters two stages in a day does not exist,
    so one length an agent and day is enough."""
    return lambda name, rows: randomness.stream(name, tick).uniform(rows)


def expected_infections(hazard: Floats, susceptible: Mask) -> float:
    """E[new infections] of one day given the hazards: the sum of 1 - exp(-hazard) over the susceptible."""
    return float((1 - np.exp(-hazard[susceptible])).sum())
