"""Claims about composition, the batched engine beside a loop over agents, and predators and prey."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.ecology.ecology import Ecology
from sociarium.environments.epidemic.disease import Disease, Stage
from sociarium.environments.epidemic.engines import engine_for
from sociarium.environments.epidemic.epidemic import Epidemic
from sociarium.environments.epidemic.graphs import random_network
from sociarium.environments.epidemic.layers import Layer
from sociarium.environments.epidemic.model import (
    INFECTION,
    Behaviour,
    Contacts,
    EpidemicState,
    People,
    begin,
    draws,
    emitted,
    hazards,
    step,
)  # fmt: skip
from sociarium.environments.epidemic.plain import Engine, PlainEngine
from sociarium.environments.epidemic.rules import EpidemicRules
from sociarium.environments.opinion.kernels import ONE, confident_averages
from sociarium.environments.opinion.models import fixed
from sociarium.environments.opinion.opinion import Opinion
from sociarium.kernel.extras import Compiled
from sociarium.kernel.network import Network
from sociarium.kernel.randomness import Randomness
from sociarium.kernel.simulation import Simulation
from sociarium.lab.claims import ClaimContext, Measured, claim
from sociarium.scenarios.large_population_models.objects import Holder, Person
from sociarium.scenarios.large_population_models.playing import play
from sociarium.scenarios.large_population_models.scenario import LargePopulationModels

Array = NDArray[Any]
SMALL: dict[str, Any] = {"agents": 500, "steps": 20, "degree": 8, "initial": 0.1}
CELLS = ("stage", "until", "infected", "isolating", "working")
SPREAD = (10_000, 100_000, 1_000_000)  # edges
COUNT = 100_000  # agents beside objects
MANY = 1_000_000  # agents whose memory is looked at
AWARE = 0.1  # share infected while a day is timed


def lived(seed: int = 1, **settings: Any) -> Simulation:
    simulation = LargePopulationModels.of({**SMALL, **settings}).build(seed)
    play(simulation)
    return simulation


def differing(one: Simulation, other: Simulation) -> int:
    """Values of agents in the epidemic that are not the same in two runs."""
    mine, theirs = epidemic_of(one), epidemic_of(other)
    return sum(int((getattr(mine, name) != getattr(theirs, name)).sum()) for name in CELLS)


def epidemic_of(simulation: Simulation) -> Epidemic:
    found = simulation.world["epidemic"]
    assert isinstance(found, Epidemic)
    return found


def links(network: Network) -> Contacts:
    return Contacts(network.sources().astype(np.int64), network.targets.astype(np.int64))


@claim("coupling-zero")
def coupling_zero(context: ClaimContext) -> Measured:
    """Values of agents that differ between the epidemic alone and composed with labour market and opinions, three seeds."""
    wrong = sum(differing(lived(seed), lived(seed, domains=["labour", "opinion", "epidemic"])) for seed in context.seeds[:3])
    return Measured.exactly(float(wrong), holds=wrong == 0)


@claim("coupling-one")
def coupling_one(context: ClaimContext) -> Measured:
    """Values that differ once the jobless stay away from work and the ill do not want to work."""
    found = sum(differing(lived(seed), lived(seed, domains="epidemic+labour", coupling=1.0)) for seed in context.seeds[:3])
    return Measured.exactly(float(found), holds=found > 0)


@claim("fused-step")
def fused_step(context: ClaimContext) -> Measured:
    """Values that differ between composed substeps (an epidemic, opinions) and one function that does both by hand."""
    scenario = LargePopulationModels.of({**SMALL, "domains": "opinion+epidemic", "disabled": ["work", "day"]})
    simulation, wrong = scenario.build(3), 0
    epidemic, opinion = epidemic_of(simulation), simulation.world["opinion"]
    assert isinstance(opinion, Opinion)
    layers = [layer.network for layer in epidemic.layers if layer.network is not None]
    contacts = [links(network) for network in layers]
    state = EpidemicState(0, epidemic.stage.copy(), epidemic.until.copy(), epidemic.infected.copy(), np.zeros(1))
    held = opinion.held.copy()

    def fused(state: EpidemicState, held: Array, day: int) -> tuple[EpidemicState, Array]:
        after, _ = step(state, epidemic.people(), Behaviour(), epidemic.disease, contacts, draws(Randomness(3), day))
        return after, confident_averages(opinion.network, held, round(scenario.confidence * ONE))

    for day in range(scenario.steps):
        play(simulation, 1)
        state, held = fused(state, held, day)
        wrong += int((epidemic.stage != state.stage).sum() + (epidemic.until != state.until).sum() + (opinion.held != held).sum())
    return Measured.exactly(float(wrong), holds=wrong == 0 and int(epidemic.total[0]) > 100)


@claim("disabled-substep")
def disabled_substep(context: ClaimContext) -> Measured:
    """Values of its variables that a substep which is left out has changed; with it they do change."""
    cells = {"day": ("epidemic", "isolating"), "work": ("epidemic", "working"), "market": ("labour", "willing")}
    touched, moved = 0, list[int]()
    for substep, (name, cell) in cells.items():
        settings: dict[str, Any] = {"domains": "epidemic+labour", "coupling": 1.0, "isolate": 0.3}
        with_it, without = lived(**settings), lived(**settings, disabled=[substep])
        first = LargePopulationModels.of({**SMALL, **settings}).build(1)
        begun = getattr(first.world[name], cell)
        touched += int((getattr(without.world[name], cell) != begun).sum())
        moved.append(int((getattr(with_it.world[name], cell) != begun).sum()))
    return Measured.exactly(float(touched), holds=touched == 0 and min(moved) > 0)


@claim("tensor-is-loop")
def tensor_is_loop(context: ClaimContext) -> Measured:
    """Values that differ from objects one after another: epidemic and opinions, 200 agents, 10 steps."""
    wrong = loops_of_epidemic(200, 10) + loops_of_opinions(200, 10)
    return Measured.exactly(float(wrong), holds=wrong == 0)


def people_of(size: int, degree: float, disease: Disease) -> tuple[People, Network]:
    ages = Randomness(1).stream("ages").integers(0, disease.ages - 1, np.arange(size))
    network = random_network(size, degree, Randomness(1).stream("contacts"))
    return People(disease.traits(ages).astype(np.uint16), np.broadcast_to(np.int64(0), size)), network


def persons(state: EpidemicState, people: People, network: Network) -> list[Person]:
    columns: list[list[int]] = [np.asarray(part).tolist() for part in (people.trait, state.stage, state.until, state.infected)]
    everyone = [Person(*row) for row in zip(*columns, strict=True)]
    for number, person in enumerate(everyone):
        person.friends = [everyone[other] for other in network.neighbours(number).tolist()]
    return everyone


def lived_by_objects(everyone: list[Person], day: int, disease: Disease, drawn: list[float]) -> int:
    """One day of objects; how many contacts were looked at."""
    table, receptivity = disease.emission(1.0).tolist(), disease.receptivity(day).tolist()
    visits = sum(person.meet(day, table) for person in everyone)
    for person, number in zip(everyone, drawn, strict=True):
        hazard = receptivity[person.trait] * (person.units * (1 / disease.scale))
        person.live(day, number, float(1 - np.exp(-hazard)) if hazard else 0.0, disease)
        person.units = 0
    return visits


def loops_of_epidemic(size: int, days: int) -> int:
    disease, randomness = Disease(reproduction=(6.0,)), Randomness(4)
    people, network = people_of(size, 8, disease)
    state = begin(np.arange(0, size, 8), size, disease, draws(randomness, -1))
    engine, everyone, wrong = PlainEngine(people, disease, [Layer(name="contacts", network=network)]), persons(state, people, network), 0
    for day in range(days):
        drawn = draws(randomness, day)(INFECTION, np.arange(size)).tolist()
        lived_by_objects(everyone, day, disease, drawn)
        state, _ = engine.step(state, Behaviour(), randomness, day)
        ours = zip(state.stage.tolist(), state.until.tolist(), state.infected.tolist(), strict=True)
        wrong += sum((p.stage, p.until, p.infected) != row for p, row in zip(everyone, ours, strict=True))
    return wrong + (int((state.infected >= 0).sum()) < 10) * size


def loops_of_opinions(size: int, steps: int) -> int:
    network, confidence = random_network(size, 8, Randomness(2).stream("heard")), round(0.2 * ONE)
    held = fixed(Randomness(2).stream("opinions").uniform(np.arange(size)))
    everyone, wrong = [Holder(value) for value in held.tolist()], 0
    for number, one in enumerate(everyone):
        one.heard = [everyone[other] for other in network.neighbours(number).tolist()]
    for _ in range(steps):
        for one, value in zip(everyone, [one.moved(confidence) for one in everyone], strict=True):
            one.held = value
        held = confident_averages(network, held, confidence)
        wrong += sum(one.held != value for one, value in zip(everyone, held.tolist(), strict=True))
    return wrong


def ready(size: int, degree: float) -> tuple[Engine, EpidemicState, Network, Randomness]:
    """A day to be carried out: everyone has been infected for five days."""
    disease, randomness = Disease(), Randomness(2)
    people, network = people_of(size, degree, disease)
    state = begin(np.arange(size), size, disease, draws(randomness, -1))
    return engine_for(people, disease, [Layer(name="contacts", network=network)], EpidemicRules(threads=1)), state, network, randomness


@claim("edge-visits")
def edge_visits(context: ClaimContext) -> Measured:
    """Contacts looked at in a day on which everyone transmits, over E; NumPy and, where installed, compiled."""
    disease, size, randomness = Disease(), 2_000, Randomness(2)
    people, network = people_of(size, 10, disease)
    layers, ratios = [Layer(name="contacts", network=network)], list[float]()
    for method in ("plain", "push") if Compiled.available() else ("plain",):
        state = begin(np.arange(size), size, disease, draws(randomness, -1))
        engine = engine_for(people, disease, layers, EpidemicRules(engine=method, threads=1))
        engine.step(EpidemicState(5, state.stage, state.until, state.infected, state.deaths), Behaviour(), randomness, 5)
        ratios.append(getattr(engine, "visited") / len(network))  # noqa: B009
        engine.close()
    return Measured.exactly(max(ratios, key=lambda ratio: abs(ratio - 1)), holds=all(ratio == 1.0 for ratio in ratios))


def seconds(act: Callable[[], Any], rounds: int) -> float:
    """Processor time of a call, the least of some: what other work on the machine does not lengthen."""
    taken: list[float] = []
    for _ in range(rounds):
        begun = time.process_time()
        act()
        taken.append(time.process_time() - begun)
    return min(taken)


@claim("scaling-slope")
def scaling_slope(context: ClaimContext) -> Measured:
    """Slope of log processor time by log E of a step in which every edge is visited (opinions), 10 edges an agent."""
    found: list[float] = []
    for edges in SPREAD:
        network = random_network(edges // 10, 10, Randomness(1).stream("contacts"))
        held = fixed(Randomness(1).stream("opinions").uniform(np.arange(network.nodes)))
        many = max(1, 1_000_000 // edges)  # a clock tells steps of microseconds apart only by the hundred

        def steps(network: Network = network, held: Array = held, many: int = many) -> None:
            for _ in range(many):
                confident_averages(network, held, ONE // 5)

        steps()
        found.append(seconds(steps, 7) / many)
    slope = float(np.polyfit(np.log(SPREAD), np.log(found), 1)[0])
    return Measured.exactly(slope, holds=0.8 <= slope <= 1.5)


@claim("memory")
def memory(context: ClaimContext) -> Measured:
    """Memory held while days pass, over state (5 bytes an agent) and contacts (4 bytes each, 8 an agent), at a million agents:
    what is reserved counts too, and some 20 MiB of it do not depend on their number."""
    engine, state, _, randomness = ready(COUNT, 10)  # compiled code is loaded here, and is no part of a run's memory
    engine.step(state, Behaviour(), randomness, 0)
    engine.close()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    engine, state, network, randomness = ready(MANY, 10)
    engine.step(state, Behaviour(), randomness, 0)
    held = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    engine.close()
    theory = 5 * MANY + 4 * len(network) + 8 * (MANY + 1)
    return Measured.exactly(held / theory, holds=held <= 2 * theory)


@claim("against-objects")
def against_objects(context: ClaimContext) -> Measured:
    """How many times as long a day of 100,000 objects takes as ours, a tenth infected: processor time, one thread."""
    disease, randomness = Disease(), Randomness(2)
    people, network = people_of(COUNT, 10, disease)
    state = begin(np.arange(0, COUNT, round(1 / AWARE)), COUNT, disease, draws(randomness, -1))
    engine = engine_for(people, disease, [Layer(name="contacts", network=network)], EpidemicRules(threads=1))
    for day in range(4):
        state, _ = engine.step(state, Behaviour(), randomness, day)
    everyone, drawn = persons(state, people, network), draws(randomness, 4)(INFECTION, np.arange(COUNT)).tolist()
    theirs = seconds(lambda: lived_by_objects(everyone, 4, disease, drawn), 1)
    copies = [EpidemicState(4, state.stage.copy(), state.until.copy(), state.infected.copy(), state.deaths) for _ in range(5)]
    ours: list[float] = []
    for copy in copies:
        engine.forget()
        ours.append(seconds(lambda copy=copy: engine.step(copy, Behaviour(), randomness, 4), 1))
    engine.close()
    same = [(person.stage, person.until) for person in everyone] == list(
        zip(copies[0].stage.tolist(), copies[0].until.tolist(), strict=True)
    )
    ratio = theirs / min(ours)
    return Measured.exactly(ratio, holds=same and ratio >= 50)


@claim("rounding")
def rounding(context: ClaimContext) -> Measured:
    """The largest error of a fixed-point sum over its bound, contacts / 2^21; and the same agents fall ill, and large hazards are right
    to 1e-4."""
    disease, size, randomness = Disease(reproduction=(4.0,), susceptibility=(1.0,), interactions=(4.0,)), 40_000, Randomness(6)
    network, people = random_network(size, 8, Randomness(1).stream("contacts")), People.alike(40_000)
    contacts = [links(network)]
    state = begin(randomness.stream("seeds").uniform(np.arange(size)) < 0.1, size, disease, draws(randomness, -1))
    for day in range(6):
        state, _ = step(state, people, Behaviour(), disease, contacts, draws(randomness, day))
    exact, found = (hazards(state, people, Behaviour(), disease, contacts, fixed=fixed) for fixed in (False, True))
    bound = network.degrees() * 2.0**-21
    worst = float((np.abs(found - exact)[bound > 0] / bound[bound > 0]).max())
    uniform = draws(randomness, 6)(INFECTION, np.arange(size))
    same = float(((uniform < 1 - np.exp(-found)) == (uniform < 1 - np.exp(-exact))).mean())
    each, whole = (emitted(state, disease, 1.0, fixed=fixed) / disease.scale for fixed in (False, True))
    large = each >= 0.005
    relative = float((np.abs(whole - each)[large] / each[large]).max())
    return Measured.exactly(
        worst, holds=0 < worst <= 1 and same >= 0.999 and relative < 1e-4 and bool((state.stage == Stage.INFECTIOUS).any())
    )


def grids(**settings: Any) -> tuple[Simulation, Ecology, list[tuple[int, ...]]]:
    simulation = LargePopulationModels.of({"domains": "predator-prey", **settings}).build(1)
    ecology, alive = simulation.world["ecology"], list[tuple[int, ...]]()
    assert isinstance(ecology, Ecology)
    simulation.on_tick.append(
        lambda record: alive.append(tuple(int(record.measures[f"ecology.{n}"][0]) for n in ("predators", "prey", "missing")))
    )
    return simulation, ecology, alive


@claim("no-grass")
def no_grass(context: ClaimContext) -> Measured:
    """Prey above energy 0 after 20 steps without grass."""
    simulation, ecology, _ = grids(predators=0, regrowth=0, steps=20, grids=10)
    play(simulation)
    left = int((ecology.energy > 0).sum())
    return Measured.exactly(float(left), holds=left == 0)


@claim("no-predators")
def no_predators(context: ClaimContext) -> Measured:
    """Prey alive after 600 steps without predators; they never increase."""
    simulation, _, alive = grids(predators=0, steps=600)
    play(simulation)
    prey = [row[1] for row in alive]
    return Measured.exactly(float(prey[-1]), holds=prey[-1] <= 6.3 and all(b <= a for a, b in pairwise(prey)))


@claim("energy-books")
def energy_books(context: ClaimContext) -> Measured:
    """Energy that strides, meals and deaths do not explain, largest of 100 steps; and the dead neither eat nor move."""
    simulation, ecology, alive = grids(steps=100)
    moved = 0
    for _ in range(100):
        dead = np.flatnonzero(~ecology.alive)
        before = ecology.energy[dead].tolist(), ecology.field[dead].tolist()
        play(simulation, 1)
        moved += (ecology.energy[dead].tolist(), ecology.field[dead].tolist()) != before
    missing = max(abs(row[2]) for row in alive)
    return Measured.exactly(float(missing), holds=missing == 0 and moved == 0 and not ecology.alive.all())
