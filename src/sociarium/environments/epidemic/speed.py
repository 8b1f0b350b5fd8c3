# pyright: reportUnknownMemberType=false
"""How fast a day is: the engines beside what one would write by hand, from the same endemic state on the same graph.

The regime is that of a disease that stays: about one in eight is infectious, stages have geometric lengths, k infectious contacts infect
with probability 1 - (1 - beta)^k. What is written by hand draws every change of state in every step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.epidemic.disease import Disease, Duration, Stage
from sociarium.environments.epidemic.graphs import random_network
from sociarium.environments.epidemic.layers import Layer
from sociarium.environments.epidemic.model import Behaviour, EpidemicState, People, begin, draws, enter
from sociarium.environments.epidemic.plain import PlainEngine
from sociarium.kernel.network import Network
from sociarium.kernel.randomness import Randomness

Step = Callable[[], None]
Floats = NDArray[np.float64]

CONTACTS = 10.0
BETA = 0.058  # so that about one in eight is infectious
MEANS = (3.0, 12.0, 60.0)  # days exposed, infectious, immune
ENDEMIC = Disease.seirs(BETA, *(Duration(days, drawn=True) for days in MEANS))
SHARES = (0.18, 0.035, 0.1275, 0.6575)  # of the stages, near their equilibrium
OBJECTS = 100_000  # most agents of the engine of objects


@dataclass(frozen=True, slots=True)
class Setting:
    """A graph and who is in which stage to begin with."""

    network: Network
    stage: NDArray[np.uint8]

    @classmethod
    def of(cls, size: int, *, threads: int = 2) -> Setting:
        randomness = Randomness(1)
        network = random_network(size, CONTACTS, randomness.stream("graph"), threads=threads)
        drawn = randomness.stream("stages").uniform(np.arange(size))
        return cls(network, np.searchsorted(np.cumsum(SHARES[:3]), drawn, side="right").astype(np.uint8))


def ours(setting: Setting, method: str = "auto", threads: int = 1) -> Step:
    """One of the engines; ``plain`` is the one in NumPy."""
    size = len(setting.stage)
    people, layers = People.alike(size), [Layer(name="contacts", network=setting.network)]
    if method == "plain":
        engine: Any = PlainEngine(people, ENDEMIC, layers)
    else:
        from sociarium.environments.epidemic.fast import FastEngine

        engine = FastEngine(people, ENDEMIC, layers, method=method, threads=threads)  # pyright: ignore[reportArgumentType]
    randomness, behaviour = Randomness(2), Behaviour()
    state = endemic_state(setting, randomness)

    def step() -> None:
        nonlocal state
        state, _ = engine.step(state, behaviour, randomness, state.day)

    return step


def endemic_state(setting: Setting, randomness: Randomness) -> EpidemicState:
    size = len(setting.stage)
    state = begin(np.empty(0, np.int64), size, ENDEMIC, draws(randomness, -1))
    for stage in (Stage.EXPOSED, Stage.INFECTIOUS, Stage.RECOVERED):
        enter(state, np.flatnonzero(setting.stage == stage), stage, -1, ENDEMIC, draws(randomness, -1))
    state.infected[setting.stage > 0] = -1
    return state


def published(network: Network, threads: int, method: str = "auto") -> Step:
    """The published model (stages of fixed length, infectiousness by days since infection) from 4 % infected: one call is 21 days."""
    size = network.nodes
    disease, randomness = Disease(), Randomness(3)
    ages = randomness.stream("ages").integers(0, disease.ages - 1, np.arange(size))
    people = People(disease.traits(ages).astype(np.uint16), np.broadcast_to(np.int64(0), size))
    layers = [Layer(name="contacts", network=network)]
    if method == "plain":
        engine: Any = PlainEngine(people, disease, layers)
    else:
        from sociarium.environments.epidemic.fast import FastEngine

        engine = FastEngine(people, disease, layers, threads=threads)
    first = randomness.stream("first").uniform(np.arange(size)) < 0.04

    def weeks() -> None:
        state = begin(first, size, disease, draws(randomness, -1))
        engine.forget()
        for day in range(21):
            state, _ = engine.step(state, Behaviour(), randomness, day)

    return weeks


def by_numpy(setting: Setting) -> Step:
    """By hand: NumPy, a count of infectious contacts by ``bincount``."""
    size, stage, generator = len(setting.stage), setting.stage.copy(), np.random.default_rng(0)
    sources, targets = setting.network.sources(), setting.network.targets

    def step() -> None:
        counts = np.bincount(sources[stage[targets] == 2], minlength=size)
        _moved(stage, counts, generator)

    return step


def by_scipy(setting: Setting) -> Step:
    """By hand: SciPy's sparse product of the graph and who is infectious."""
    from scipy.sparse import csr_matrix  # pyright: ignore[reportMissingTypeStubs]

    size, stage, generator = len(setting.stage), setting.stage.copy(), np.random.default_rng(0)
    network = setting.network
    graph = csr_matrix((np.ones(len(network), np.float32), network.targets, network.starts.astype(np.int32)), shape=(size, size))

    def step() -> None:
        counts = np.asarray(graph @ (stage == 2).astype(np.float32)).astype(np.int64)
        _moved(stage, counts, generator)

    return step


def _moved(stage: NDArray[np.uint8], counts: NDArray[np.int64], generator: np.random.Generator) -> None:
    drawn = generator.random(len(stage), np.float32)
    chance = np.array([0.0, *(1 / days for days in MEANS)], np.float32)[stage]
    susceptible = stage == 0
    chance[susceptible] = 1 - np.power(np.float32(1 - BETA), counts[susceptible])
    change = drawn < chance
    stage[change] = (stage[change] + 1) % 4


def by_torch(setting: Setting) -> Step:
    """By hand: Torch, ``index_add`` over the list of contacts."""
    import torch

    size = len(setting.stage)
    sources = torch.from_numpy(setting.network.sources())
    targets = torch.from_numpy(setting.network.targets.astype(np.int64))
    stage = torch.from_numpy(setting.stage.astype(np.int64))
    rates = torch.tensor([0.0, *(1 / days for days in MEANS)])
    generator = torch.Generator().manual_seed(0)

    def step() -> None:
        counts = torch.zeros(size).index_add_(0, targets, (stage == 2).float()[sources])
        chance = torch.where(stage == 0, 1 - (1 - BETA) ** counts, rates[stage])
        change = torch.rand(size, generator=generator) < chance
        stage[change] = (stage[change] + 1) % 4

    return step


def by_numba(setting: Setting) -> Step:
    """By hand: one compiled loop over agents, each looking at its contacts (pull), one thread."""
    import numba

    @numba.njit
    def moved(starts: Any, targets: Any, stage: Any, after: Any, escape: Any, rates: Any, seed: Any) -> None:
        word = seed
        for agent in range(len(stage)):
            now = stage[agent]
            if now == 0:
                count = 0
                for edge in range(starts[agent], starts[agent + 1]):
                    count += stage[targets[edge]] == 2
                chance = 1.0 - escape[count]
            else:
                chance = rates[now]
            word ^= word << np.uint64(13)  # xorshift (Marsaglia 2003)
            word ^= word >> np.uint64(7)
            word ^= word << np.uint64(17)
            change = np.float64(word >> np.uint64(11)) * 2.0**-53 < chance
            after[agent] = (now + 1) % 4 if change else now

    stage, after = setting.stage.copy(), setting.stage.copy()
    escape = (1 - BETA) ** np.arange(int(setting.network.degrees().max()) + 1)
    rates = np.array([0.0, *(1 / days for days in MEANS)])
    seeds = iter(range(1, 1 << 30))

    def step() -> None:
        nonlocal stage, after
        moved(
            setting.network.starts,
            setting.network.targets,
            stage,
            after,
            escape,
            rates,
            np.uint64(0x9E3779B97F4A7C15 * next(seeds) % 2**64),
        )
        stage, after = after, stage

    return step


class Person:
    """An agent as an object, as object-per-agent engines have it."""

    __slots__ = ("friends", "next", "stage")

    def __init__(self, stage: int) -> None:
        self.stage = self.next = stage
        self.friends: list[Person] = []


def by_objects(setting: Setting) -> Step:
    """By hand: a Python object an agent."""
    generator = np.random.default_rng(0)
    everyone = [Person(int(stage)) for stage in setting.stage]
    for agent, person in enumerate(everyone):
        person.friends = [everyone[friend] for friend in setting.network.neighbours(agent)]
    rates = (0.0, *(1 / days for days in MEANS))

    def step() -> None:
        for person, drawn in zip(everyone, generator.random(len(everyone)).tolist(), strict=True):
            if person.stage == 0:
                count = sum(friend.stage == 2 for friend in person.friends)
                chance = 1 - (1 - BETA) ** count
            else:
                chance = rates[person.stage]
            person.next = (person.stage + 1) % 4 if drawn < chance else person.stage
        for person in everyone:
            person.stage = person.next

    return step


def contenders(size: int) -> Sequence[tuple[str, Callable[[Setting], Step]]]:
    """Those that can be run at this size in reasonable time, and are installed."""
    from importlib.util import find_spec

    found: list[tuple[str, Callable[[Setting], Step]]] = []
    if find_spec("numba") is not None:
        found.append(("Numba pull, by hand", by_numba))
    if size <= 1_000_000:
        found.append(("NumPy bincount", by_numpy))
        if find_spec("torch") is not None:
            found.append(("Torch index_add", by_torch))
    if find_spec("scipy") is not None:
        found.append(("SciPy sparse product", by_scipy))
    if size <= OBJECTS:
        found.append(("objects in Python", by_objects))
    return found
