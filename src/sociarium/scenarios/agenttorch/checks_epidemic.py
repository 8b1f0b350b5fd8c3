"""Claims about the disease: one day exactly, gradients, limits, feedback, speed."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.epidemic.disease import Disease, Stage, gamma_increments
from sociarium.environments.epidemic.engines import engine_for
from sociarium.environments.epidemic.layers import Layer
from sociarium.environments.epidemic.model import (
    Behaviour,
    Contacts,
    EpidemicState,
    People,
    begin,
    draws,
    expected_infections,
    hazards,
    step,
)
from sociarium.environments.epidemic.rules import EpidemicRules
from sociarium.kernel.network import Network
from sociarium.kernel.randomness import Randomness
from sociarium.lab.claims import ClaimContext, Measured, claim

Ints = NDArray[np.int64]

KAPPAS = (0.0, 10.0, 30.0, 100.0, 300.0)
SENT = 0.5006  # sum over days of A * w: R times this is the reproduction number of a contact-for-contact mixed epidemic
MIXED = [Contacts(np.empty(0, np.int64), np.empty(0, np.int64), mixed=True)]


@claim("one-step-mean")
def one_step_mean(context: ClaimContext) -> Measured:
    """New infections of one day from a fixed state, 2,000 seeds: distance of the mean from the sum of chances, in standard errors."""
    state, people, disease, contacts = _some_days_on(2.0)
    exact = expected_infections(hazards(state, people, Behaviour(), disease, contacts), state.stage == Stage.SUSCEPTIBLE)
    counts = [
        len(step(state, people, Behaviour(), disease, contacts, draws(Randomness(seed), state.day))[1].infected) for seed in range(2000)
    ]
    away = abs(float(np.mean(counts)) - exact) / (float(np.std(counts, ddof=1)) / math.sqrt(len(counts)))
    return Measured.exactly(away, holds=away < 3)


@claim("one-step-gradient")
def one_step_gradient(context: ClaimContext) -> Measured:
    """Largest relative distance of the straight-through derivative by R of one day's infections from the exact one, over 200 seeds."""
    from sociarium.environments.epidemic import tensor
    from sociarium.environments.tensors import torch
    from sociarium.training.differentiable.samplers import straight_through

    state, people, disease, contacts = _some_days_on(2.0)
    force = hazards(state, people, Behaviour(), disease, contacts)[state.stage == Stage.SUSCEPTIBLE] / 2.0
    exact = float((force * np.exp(-2.0 * force)).sum())
    seeds, size = range(200), len(state)
    world = tensor.World.of(tensor.TensorPeople.of(people), disease, tensor.TensorContacts.of(contacts, size))
    many = tensor.TensorState.of([state] * len(seeds))
    r = torch.full((len(seeds), 1, 1), 2.0, dtype=torch.float64, requires_grad=True)
    with one_thread():
        _, flows = tensor.step(many, world, tensor.Rates.of(disease, reproduction=r), tensor.draws(seeds, state.day), straight_through)
        (gradient,) = torch.autograd.grad(flows.infected.sum(), r)
    worst = float((gradient / exact - 1).abs().max())
    return Measured.exactly(worst, holds=worst < 1e-9)


@claim("straight-through-ratio")
def straight_through_ratio(context: ClaimContext) -> Measured:
    """R = 2, 5 days, 2,000 agents, 4 contacts, 4 % infected, 200 seeds: mean straight-through derivative over the central difference."""
    from sociarium.environments.epidemic import path, tensor
    from sociarium.environments.tensors import Tensor, hard, torch
    from sociarium.training.differentiable.samplers import straight_through

    size, seeds = 2000, range(200)
    people, contacts = _people(size), [_pairs(size, 4)]
    world = tensor.World.of(tensor.TensorPeople.of(people), Disease(), tensor.TensorContacts.of(contacts, size))
    drawn = np.stack([Randomness(seed).stream("first").uniform(np.arange(size)) for seed in seeds])
    first: Tensor = torch.as_tensor(drawn < 0.04)

    def total(reproduction: float, sampler: Any, graded: bool) -> Any:
        r = torch.full((len(seeds), 1, 1), reproduction, dtype=torch.float64, requires_grad=graded)
        rates = tensor.Rates.of(world.disease, reproduction=r)
        cases = path.run(world, rates, first.to(torch.float64), 5, path.seeded(seeds), sampler).cases.sum((1, 2))
        return torch.autograd.grad(cases.sum(), r)[0].reshape(-1) if graded else cases

    with one_thread():
        truth = float((total(2.2, hard, False) - total(1.8, hard, False)).mean()) / 0.4
        ratio = float(total(2.0, straight_through, True).mean()) / truth
    return Measured.exactly(ratio, holds=truth > 0 and abs(ratio - 1) < 0.3)


@claim("no-transmission")
def no_transmission(context: ClaimContext) -> Measured:
    """Infections in 21 days with R = 0."""
    return _infected(Disease(reproduction=(0.0,)), Behaviour())


@claim("all-isolate")
def all_isolate(context: ClaimContext) -> Measured:
    """Infections in 21 days when everyone stays at home."""
    return _infected(Disease(), Behaviour(receives=[np.zeros(5000, np.bool_)]))


@claim("final-size")
def final_size(context: ClaimContext) -> Measured:
    """Everyone meets everyone, 100,000 agents, R0 = 2, 0.1 % infected: share infected when nobody is ill any more."""
    size, i0 = 100_000, 0.001
    disease = Disease(susceptibility=(1.0,), interactions=(1.0,), reproduction=(2.0 / SENT,))
    share = _ended(disease, People.alike(size), context.seeds[0], i0)
    z = 0.8
    for _ in range(200):
        z = 1 - (1 - i0) * math.exp(-2.0 * z)
    return Measured.exactly(share, holds=abs(share / z - 1) < 0.02)


@claim("generation-time")
def generation(context: ClaimContext) -> Measured:
    """Sum and mean of the daily increments of infectiousness."""
    told = f"{sum(gamma_increments()):.5f}, {sum(k * part for k, part in enumerate(gamma_increments(days=60))):.3f}"
    return Measured.exactly(told, holds=told == context.claim.published)


@claim("feedback")
def feedback(context: ClaimContext) -> Measured:
    """Peaks over kappa = 0, 10, 30, 100, 300 with common random numbers: each falls in every seed. Reported: their means.

    Everyone draws two contacts, so that there are four on average. The peaks depend on how unequal the numbers of contacts are: 450 without
    feedback where everyone has four, some 520 here, 600 where all pairs are drawn.
    """
    size = 20_000
    stream = Randomness(11).stream("contacts")
    one, other = np.repeat(np.arange(size), 2), stream.integers(0, size - 1, np.arange(2 * size))
    people, layer = _people(size), Layer(name="contacts", network=Network.from_edges(size, one, other, mutual=True))
    peaks = np.array([[_peak(people, layer, seed, kappa) for kappa in KAPPAS] for seed in context.seeds[:5]])
    falls = bool((np.diff(peaks, axis=1) < 0).all())
    return Measured.exactly(", ".join(f"{peak:.0f}" for peak in peaks.mean(0)), holds=falls)


@claim("engines-agree")
def engines(context: ClaimContext) -> Measured:
    """200 agents, 21 days, the same random numbers: agent-days on which an engine's stage is not that of the reference."""
    from sociarium.environments.epidemic import tensor
    from sociarium.environments.tensors import hard

    size, disease = 200, Disease()
    people, contacts = _people(size), [_pairs(size, 4)]
    layer = Layer(name="contacts", network=Network.from_edges(size, contacts[0].sources, contacts[0].targets))
    contacts = [Contacts(layer.network.sources().astype(np.int64), layer.network.targets.astype(np.int64))] if layer.network else contacts
    randomness = Randomness(4)
    start = begin(randomness.stream("first").uniform(np.arange(size)) < 0.04, size, disease, draws(randomness, -1))
    world = tensor.World.of(tensor.TensorPeople.of(people), disease, tensor.TensorContacts.of(contacts, size))
    theirs, state, differ = tensor.TensorState.of([start]), start, 0
    compiled = {  # each with a state of its own, as engines move it on in place
        name: (engine_for(people, disease, [layer], EpidemicRules(engine=name, threads=1)), deepcopy(start)) for name in ("push", "pull")
    }
    for day in range(21):
        state, _ = step(state, people, Behaviour(), disease, contacts, draws(randomness, day))
        theirs, _ = tensor.step(theirs, world, tensor.Rates.of(disease), tensor.draws([4], day), hard)
        differ += int((theirs.stage[0].numpy() != state.stage).sum())
        for name, (engine, before) in compiled.items():
            after, _ = engine.step(before, Behaviour(), randomness, day)
            compiled[name] = (engine, after)
            differ += int((after.stage != state.stage).sum())
    return Measured.exactly(differ, holds=differ == 0)


@claim("a-million-agents")
def speed(context: ClaimContext) -> Measured:
    """Seconds of 21 days of the published model at a million agents with 10 contacts."""
    seconds = _published(1_000_000)
    return Measured.exactly(seconds, holds=seconds < 60)


@claim("time-per-agent")
def growth(context: ClaimContext) -> Measured:
    """Time an agent at a million over that at 100,000."""
    ratio = _published(1_000_000) / (10 * _published(100_000))
    return Measured.exactly(ratio, holds=ratio <= 5)


@contextmanager
def one_thread() -> Generator[None]:
    """Torch on one thread: for small worlds threads cost more than they bring."""
    from sociarium.environments.tensors import loose

    before = loose.get_num_threads()
    loose.set_num_threads(1)
    try:
        yield
    finally:
        loose.set_num_threads(before)


def _published(agents: int) -> float:
    from sociarium.environments.epidemic import speed as timing

    weeks = timing.published(timing.Setting.of(agents, threads=2).network, 2)
    weeks()  # compiled code is read from its cache, and memory is taken
    began = time.perf_counter()
    weeks()
    return time.perf_counter() - began


def _pairs(size: int, contacts: int, seed: int = 0) -> Contacts:
    """A random graph with so many contacts on average, both ways."""
    stream = Randomness(seed).stream("pairs")
    a, b = (stream.integers(0, size - 1, np.arange(size * contacts // 2), end) for end in (0, 1))
    return Contacts(np.concatenate([a, b]), np.concatenate([b, a]))


def _people(size: int) -> People:
    ages = Randomness(0).stream("ages").integers(0, 8, np.arange(size))
    return People(Disease().traits(ages).astype(np.uint16), np.broadcast_to(np.int64(0), size))


def _seeded(size: int, share: float, disease: Disease, randomness: Randomness) -> EpidemicState:
    return begin(randomness.stream("first").uniform(np.arange(size)) < share, size, disease, draws(randomness, -1))


def _some_days_on(reproduction: float) -> tuple[EpidemicState, People, Disease, Sequence[Contacts]]:
    """2,000 agents some days into an epidemic, so that hazards differ."""
    size, disease, randomness = 2000, Disease(reproduction=(reproduction,)), Randomness(0)
    people, contacts = _people(size), [_pairs(size, 4)]
    state = _seeded(size, 0.04, disease, randomness)
    for day in range(4):
        state, _ = step(state, people, Behaviour(), disease, contacts, draws(randomness, day))
    return replace(state, infected=np.maximum(state.infected, -100)), people, disease, contacts


def _infected(disease: Disease, behaviour: Behaviour) -> Measured:
    size, randomness = 5000, Randomness(1)
    people, contacts = _people(size), [_pairs(size, 4)]
    state, total = _seeded(size, 0.04, disease, randomness), 0
    for day in range(21):
        state, flows = step(state, people, behaviour, disease, contacts, draws(randomness, day))
        total += len(flows.infected)
    return Measured.exactly(total, holds=total == 0)


def _ended(disease: Disease, people: People, seed: int, share: float) -> float:
    """Share of all who were ever infected; exactly ``share`` of them at the beginning."""
    size, randomness = len(people.group), Randomness(seed)
    state = begin(np.arange(round(share * size)), size, disease, draws(randomness, -1))
    while _active(state):
        state, _ = step(state, people, Behaviour(), disease, MIXED, draws(randomness, state.day))
    return 1 - float((state.stage == Stage.SUSCEPTIBLE).mean())


def _peak(people: People, layer: Layer, seed: int, kappa: float) -> int:
    disease, randomness, size = Disease(), Randomness(seed), len(people.group)
    engine = engine_for(people, disease, [layer], EpidemicRules(threads=1))
    state, cases, highest = _seeded(size, 0.01, disease, randomness), 0, 0
    for day in range(120):
        at_home = randomness.stream("isolate", day).uniform(np.arange(size)) < 1 - math.exp(-kappa * cases / size)
        state, flows = engine.step(state, Behaviour(receives=[~at_home]), randomness, day)
        cases = len(flows.infected)
        highest = max(highest, cases)
        if not _active(state):
            break
    engine.close()
    return highest


def _active(state: EpidemicState) -> bool:
    return bool(((state.stage == Stage.EXPOSED) | (state.stage == Stage.INFECTIOUS)).any())
