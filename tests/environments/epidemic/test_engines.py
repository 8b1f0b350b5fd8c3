"""Every way to compute the day is held equal to the reference: bit for bit, or in law where it draws other numbers."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sociarium.environments.epidemic.disease import Disease, Duration, Stage
from sociarium.environments.epidemic.layers import Layer, Worlds, contacts_of, meetings
from sociarium.environments.epidemic.model import Behaviour, EpidemicState, People, begin, draws, hazards, step
from sociarium.environments.epidemic.plain import Engine, PlainEngine
from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network
from sociarium.kernel.randomness import Randomness, Stream

fast = pytest.importorskip("sociarium.environments.epidemic.fast", reason="needs the extra fast")
kernels = pytest.importorskip("sociarium.environments.epidemic.kernels")
numba = pytest.importorskip("numba")
workshop = pytest.importorskip("sociarium.environments.epidemic.workshop")

SEIRS = Disease.seirs(0.05, Duration(3, True), Duration(12, True), Duration(40, True))
PUBLISHED = Disease()


def network(size: int, degree: int, seed: int, groups: int = 1) -> Network:
    g = np.random.default_rng(seed)
    each = size // groups
    offset = each * np.repeat(np.arange(groups), each * degree // 2)
    return Network.from_edges(size, g.integers(0, each, len(offset)) + offset, g.integers(0, each, len(offset)) + offset, mutual=True)


def crowd(size: int, disease: Disease, groups: int = 1) -> People:
    ages = np.random.default_rng(7).integers(0, disease.ages, size)
    return People(disease.traits(ages).astype(np.uint16), np.arange(size) * groups // size, groups)


def played(engine: Engine, disease: Disease, people: People, days: int, layers: int, masked: bool) -> tuple[EpidemicState, list[list[int]]]:
    size, randomness, g = len(people.trait), Randomness(3), np.random.default_rng(9)
    state = begin(randomness.stream("seeds").uniform(np.arange(size)) < 0.05, size, disease, draws(randomness, -1), people.groups)
    infected: list[list[int]] = []
    for day in range(days):
        mask = g.random(size) < 0.8
        behaviour = Behaviour([mask] * layers, [mask[::-1].copy(), None, mask][:layers]) if masked else Behaviour()
        state, flows = engine.step(state, behaviour, randomness, day)
        infected.append(flows.infected.tolist())
    engine.close()
    return state, infected


def same(first: EpidemicState, second: EpidemicState) -> bool:
    arrays = all(np.array_equal(getattr(first, name), getattr(second, name)) for name in ("stage", "until", "infected", "deaths"))
    return arrays and first.day == second.day


class Reference:
    """``model.step`` over all contacts, as an engine."""

    def __init__(self, people: People, disease: Disease, layers: list[Layer]) -> None:
        self.people, self.disease, self.layers = people, disease, layers

    def step(self, state: EpidemicState, behaviour: Behaviour, randomness: Randomness, tick: int) -> object:
        everyone, worlds = np.arange(len(state), dtype=np.int64), Worlds(self.people)
        contacts = [contacts_of(each, everyone, self.people, worlds, meetings(randomness, tick, each)) for each in self.layers]
        return step(state, self.people, behaviour, self.disease, contacts, draws(randomness, tick))

    def forget(self) -> None: ...

    def joined(self, agents: object, until: object) -> None: ...

    def close(self) -> None: ...


LAYERS: dict[str, Callable[[int, int], list[Layer]]] = {
    "network": lambda size, groups: [Layer(name="friends", network=network(size, 8, 1, groups))],
    "two networks": lambda size, groups: [
        Layer(name="friends", network=network(size, 4, 1, groups), weight=1.5),
        Layer(name="home", network=network(size, 3, 2, groups), weight=0.4),
    ],
    "drawn": lambda size, groups: [Layer(name="friends", network=network(size, 4, 1, groups)), Layer(name="town", drawn=5, weight=0.7)],
    "mixed": lambda size, groups: [
        Layer(name="friends", network=network(size, 4, 1, groups)),
        Layer(name="town", mixed=True, weight=2.0),
        Layer(name="work", drawn=2),
    ],
}


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize("disease", [PUBLISHED, SEIRS], ids=["published", "seirs"])
@pytest.mark.parametrize("kind", LAYERS)
def test_plain_and_compiled_days_have_the_bits_of_the_reference(kind: str, disease: Disease, groups: int, masked: bool) -> None:
    size = 1203
    people, layers = crowd(size, disease, groups), LAYERS[kind](size, groups)
    wanted, who = played(Reference(people, disease, layers), disease, people, 12, len(layers), masked)
    assert sum(map(len, who)) > 60
    methods = ["push", "auto", *(["pull"] if all(layer.network is not None for layer in layers) else [])]
    for engine in (PlainEngine(people, disease, layers), *(fast.FastEngine(people, disease, layers, method=each) for each in methods)):
        found, infected = played(engine, disease, people, 12, len(layers), masked)
        assert infected == who
        assert same(found, wanted)


@pytest.mark.parametrize("method", ["push", "pull", "events"])
def test_no_result_depends_on_the_number_of_threads(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workshop, "ALONE", 1000)
    size = 40_003  # no multiple of eight
    people, layers = crowd(size, SEIRS), [Layer(name="friends", network=network(size, 6, 5))]
    assert fast.FastEngine(people, SEIRS, layers, method=method, threads=3).workshop.threads == 3
    stories = [played(fast.FastEngine(people, SEIRS, layers, method=method, threads=n), SEIRS, people, 4, 1, True) for n in (1, 2, 3)]
    assert same(stories[0][0], stories[1][0])
    assert same(stories[0][0], stories[2][0])
    assert stories[0][1] == stories[1][1] == stories[2][1]


def test_the_cheaper_way_is_taken_and_changes_nothing() -> None:
    """When nearly all have been infected, the few who are susceptible pull."""
    size = 3000
    disease = Disease.seirs(0.4, Duration(2), Duration(30))
    people, layers = crowd(size, disease), [Layer(name="friends", network=network(size, 10, 4))]
    engine, plain = fast.FastEngine(people, disease, layers), PlainEngine(people, disease, layers)
    randomness = Randomness(1)
    state = begin(np.arange(300), size, disease, draws(randomness, -1))
    other = begin(np.arange(300), size, disease, draws(randomness, -1))
    ways = []
    for day in range(12):
        state, _ = engine.step(state, Behaviour(), randomness, day)
        other, _ = plain.step(other, Behaviour(), randomness, day)
        ways.append(engine.used)
        assert same(state, other)
    assert ways[0] == "push"
    assert ways[-1] == "pull"


def test_contacts_looked_at_are_those_of_the_infectious_exactly() -> None:
    """Edge visits are counted: pushed, the contacts of who sends; with everyone sending, every edge once (large-population-models, 3)."""
    size, disease = 2000, Disease.seirs(0.01, Duration(1), Duration())
    graph = network(size, 6, 2)
    people, layers = crowd(size, disease), [Layer(name="friends", network=graph)]
    for engine in (PlainEngine(people, disease, layers), fast.FastEngine(people, disease, layers, method="push")):
        randomness = Randomness(2)
        state = begin(np.arange(size - 1), size, disease, draws(randomness, -1))
        state, _ = engine.step(state, Behaviour(), randomness, 0)
        assert engine.visited == 0, "the exposed send nothing here"
        state, _ = engine.step(state, Behaviour(), randomness, 1)
        sending = np.flatnonzero(state.stage == Stage.INFECTIOUS)
        assert len(sending) >= size - 1
        assert engine.visited == graph.degrees()[sending].sum()
        state, _ = engine.step(state, Behaviour(sends=[np.arange(size) < 10]), randomness, 2)
        assert engine.visited == graph.degrees()[:10].sum()


def test_what_is_kept_beside_the_state_is_what_would_be_found_out_from_it() -> None:
    """Bitmaps, counts, and the timetable, each day, against the stages themselves."""
    size = 5003
    people, layers, randomness = crowd(size, SEIRS), [Layer(name="friends", network=network(size, 6, 5))], Randomness(4)
    engine = fast.FastEngine(people, SEIRS, layers)
    state = begin(np.arange(0, size, 20), size, SEIRS, draws(randomness, -1))
    for day in range(30):
        state, flows = engine.step(state, Behaviour(), randomness, day)
        kept = engine.stages
        assert np.array_equal(kept.opened, workshop.packed(state.stage == Stage.SUSCEPTIBLE))
        assert np.array_equal(kept.sending, workshop.packed(state.stage == Stage.INFECTIOUS))
        assert kept.susceptible == (state.stage == Stage.SUSCEPTIBLE).sum()
        assert kept.senders == (state.stage == Stage.INFECTIOUS).sum()
        assert booked(kept) == {(int(last), agent) for agent, last in enumerate(state.until) if state.stage[agent]}
    assert len(flows.left) > 50


def booked(kept: object) -> set[tuple[int, int]]:
    """(last day, agent) of the timetable, by walking its chains."""
    table = kept._kept.tables[0]  # type: ignore[attr-defined]
    found = []
    for day in np.flatnonzero(table.heads >= 0):
        chunk, held = table.heads[day], table.fill[day]
        while chunk >= 0:
            found += [(int(day), int(agent)) for agent in table.pool[chunk, :held]]
            chunk, held = table.link[chunk], len(table.pool[chunk])
    assert len(found) == len(set(found)), "nobody is there twice"
    return set(found)


def test_who_cannot_be_infected_is_not_looked_at() -> None:
    """Drawn first: a row is read only where the number drawn is below what its contacts could give."""
    size = 4000
    graph = network(size, 10, 6)
    people, randomness = People.alike(size), Randomness(8)
    engine = fast.FastEngine(people, SEIRS, [Layer(name="friends", network=graph)], method="pull")
    state = begin(np.arange(0, size, 3), size, SEIRS, draws(randomness, -1))
    open_rows = graph.degrees()[state.stage == Stage.SUSCEPTIBLE]
    engine.step(state, Behaviour(), randomness, 0)
    bound = -np.expm1(np.log1p(-0.05) * open_rows)
    assert (bound * open_rows).sum() * 0.9 < engine.visited < 1.2 * (bound * open_rows).sum() < 0.6 * open_rows.sum()


@pytest.mark.parametrize("disease", [PUBLISHED, SEIRS], ids=["published", "seirs"])
def test_events_have_the_law_of_the_reference(disease: Disease) -> None:
    """One day from one state, many times: the mean and variance of new infections, and each agent's own share, are those of the
    probabilities of the model."""
    size, runs = 600, 1500
    people, layers = (
        crowd(size, disease),
        [Layer(name="a", network=network(size, 8, 3), weight=2.0), Layer(name="b", network=network(size, 5, 4))],
    )
    start = Randomness(1)
    state = begin(start.stream("seeds").uniform(np.arange(size)) < 0.2, size, disease, draws(start, -1))
    plain = PlainEngine(people, disease, layers)
    for day in range(7):
        state, _ = plain.step(state, Behaviour(), start, day)
    contacts = [contacts_of(each, np.arange(size), people, Worlds(people), None) for each in layers]
    chance = np.where(state.stage == Stage.SUSCEPTIBLE, 1 - np.exp(-hazards(state, people, Behaviour(), disease, contacts)), 0.0)
    engine = fast.FastEngine(people, disease, layers, method="events")
    caught, totals = np.zeros(size), []
    for seed in range(runs):
        again = EpidemicState(state.day, state.stage.copy(), state.until.copy(), state.infected.copy(), state.deaths)
        engine.forget()
        _, flows = engine.step(again, Behaviour(), Randomness(100 + seed), state.day)
        assert (np.diff(flows.infected) > 0).all()
        caught[flows.infected] += 1
        totals.append(len(flows.infected))
    assert (caught[chance == 0] == 0).all()
    spread = math.sqrt((chance * (1 - chance)).sum())
    assert abs(np.mean(totals) - chance.sum()) < 4 * spread / math.sqrt(runs)
    assert np.std(totals) == pytest.approx(spread, rel=0.1)
    likely = chance * (1 - chance) * runs > 5
    z = (caught[likely] - runs * chance[likely]) / np.sqrt(runs * chance[likely] * (1 - chance[likely]))
    assert likely.sum() > 50
    assert abs(z).max() < 5
    assert z.std() == pytest.approx(1, abs=0.25)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**64 - 1), st.lists(st.integers(0, 2**40), min_size=1, max_size=20), st.integers(0, 50))
def test_compiled_numbers_are_those_of_the_kernel(key: int, rows: list[int], index: int) -> None:
    wanted = Stream(key).uniform(np.array(rows, np.int64), index)
    assert drawn(np.uint64(key), np.array(rows, np.int64), index).tolist() == wanted.tolist()


@numba.njit
def drawn(key: object, rows: object, index: object) -> object:
    out = np.empty(len(rows))
    for place in range(len(rows)):
        out[place] = kernels.uniform(key, rows[place], index)
    return out


def test_too_much_force_on_one_agent_is_an_error_and_not_a_small_number() -> None:
    disease = Disease.seirs(0.999, Duration(1), Duration(5))
    star = Network.from_edges(801, np.arange(1, 801), np.zeros(800, np.int64), mutual=True)
    layers = [Layer(name="star", network=star, weight=1.0)]
    disease = Disease(
        infectivity=(0.0, 2000.0, 0.0, 0.0, 0.0), profile=None, susceptibility=(1.0,), interactions=(1.0,), reproduction=(0.001,)
    )
    engine = fast.FastEngine(People.alike(801), disease, layers, method="push")
    state = begin(np.arange(1, 801), 801, disease, draws(Randomness(0), -1))
    with pytest.raises(UsageError, match="32 bits"):
        engine.step(state, Behaviour(), Randomness(0), 0)


def test_what_cannot_be_computed_in_a_way_is_refused() -> None:
    people = crowd(50, PUBLISHED)
    with pytest.raises(UsageError, match="use push or auto"):
        fast.FastEngine(people, PUBLISHED, [Layer(name="town", drawn=3)], method="events")
    one_way = Network.from_edges(50, [0, 1, 2], [1, 2, 3])
    with pytest.raises(UsageError, match="both directions"):
        fast.FastEngine(people, PUBLISHED, [Layer(name="one way", network=one_way)], method="pull")
    for wrong in ({"drawn": 2, "mixed": True}, {}, {"drawn": -1}, {"drawn": 1, "weight": -1.0}):
        with pytest.raises(UsageError):
            Layer(name="wrong", **wrong)
    apart = crowd(50, PUBLISHED, 2)
    with pytest.raises(UsageError, match="different worlds"):
        PlainEngine(apart, PUBLISHED, [Layer(name="bridge", network=Network.from_edges(50, [0], [49], mutual=True))])
    with pytest.raises(UsageError, match="one name"):
        PlainEngine(people, PUBLISHED, [Layer(name="a", drawn=1), Layer(name="a", drawn=2)])
    with pytest.raises(UsageError, match="50 agents"):
        PlainEngine(people, PUBLISHED, [Layer(name="small", network=network(40, 2, 1))])
