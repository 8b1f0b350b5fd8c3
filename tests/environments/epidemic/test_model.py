"""The reference step: exact small cases, a loop over agents, and limits known in closed form."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest

from sociarium.environments.epidemic.disease import Disease, Duration, Stage
from sociarium.environments.epidemic.model import (
    FOR_GOOD,
    NEVER,
    Behaviour,
    Contacts,
    EpidemicState,
    People,
    Uniform,
    begin,
    draws,
    expected_infections,
    hazards,
    step,
)
from sociarium.kernel.randomness import Randomness

EVERYONE_WITH_EVERYONE = [Contacts(np.empty(0, np.int64), np.empty(0, np.int64), mixed=True)]
SICK = Duration(3)


def pairs(size: int, contacts: int, seed: int) -> Contacts:
    """A random graph, both ways."""
    g = np.random.default_rng(seed)
    a, b = g.integers(0, size, (2, size * contacts // 2))
    return Contacts(np.concatenate([a, b]), np.concatenate([b, a]))


def seeded(size: int, share: float, disease: Disease, randomness: Randomness) -> EpidemicState:
    return begin(randomness.stream("seeds").uniform(np.arange(size)) < share, size, disease, draws(randomness, -1))


def by_loop(
    state: EpidemicState, people: People, behaviour: Behaviour, disease: Disease, contacts: Sequence[Contacts], uniform: Uniform
) -> tuple[list[int], list[int], list[int]]:
    """The same day, one agent after another, in plain Python: stage, until, infected."""
    day, size = state.day, len(state)
    stage, until, infected = state.stage.tolist(), state.until.tolist(), state.infected.tolist()
    units, mixed = [0] * size, [0.0] * size
    for layer, edges in enumerate(contacts):
        table = disease.emission(edges.weight).tolist()
        sends, receives = behaviour.sending(layer), behaviour.receiving(layer)

        def sent(j: int, table: list[list[int]] = table, sends: object = sends) -> int:
            if sends is not None and not sends[j]:  # type: ignore[index]
                return 0
            return table[stage[j]][min(day - infected[j], len(table[0]) - 1)]

        if edges.mixed:
            for group in range(people.groups):
                members = [i for i in range(size) if people.group[i] == group]
                share = sum(sent(j) for j in members) / (disease.scale * max(len(members), 1))
                for i in members:
                    if receives is None or receives[i]:
                        mixed[i] += share
        for j, i in zip(edges.sources.tolist(), edges.targets.tolist(), strict=True):
            if receives is None or receives[i]:
                units[i] += sent(j)
    table = disease.receptivity(day)
    new = list(zip(stage, until, infected, strict=True))
    for i in range(size):
        row = np.array([i])
        if stage[i] == Stage.SUSCEPTIBLE:
            hazard = table[people.trait[i]] * (units[i] * (1 / disease.scale) + mixed[i])
            if uniform("epidemic.infection", row)[0] < 1 - np.exp(-hazard):
                last = day + int(disease.exposed.lengths(uniform("epidemic.length", row))[0]) if disease.exposed.ends else FOR_GOOD
                new[i] = (int(Stage.EXPOSED), last, day)
        elif until[i] == day:
            entered = {1: Stage.INFECTIOUS, 2: Stage.RECOVERED, 3: Stage.SUSCEPTIBLE}[stage[i]]
            duration = disease.duration(entered)
            last = day + int(duration.lengths(uniform("epidemic.length", row))[0]) if duration.ends else FOR_GOOD
            new[i] = (int(entered), last, infected[i])
    return [x[0] for x in new], [x[1] for x in new], [x[2] for x in new]


@pytest.mark.parametrize("kind", ["published", "seirs"])
def test_vectorised_days_are_those_of_a_loop_over_agents(kind: str) -> None:
    size, g = 200, np.random.default_rng(1)
    disease = Disease() if kind == "published" else Disease.seirs(0.2, Duration(2, True), Duration(3, True), Duration(6, True))
    people = People(disease.traits(g.integers(0, disease.ages, size)), np.arange(size) // 100, 2)
    contacts = [pairs(size, 8, 2), Contacts(np.empty(0, np.int64), np.empty(0, np.int64), 0.5, mixed=True), pairs(size, 4, 3)]
    randomness = Randomness(5)
    state = seeded(size, 0.1, disease, randomness)
    state = EpidemicState(0, state.stage, state.until, state.infected, np.zeros(2))
    for day in range(10):
        masks = [g.random(size) < 0.7, None, g.random(size) < 0.8]
        behaviour = Behaviour([None, masks[0], masks[2]], masks)
        wanted = by_loop(state, people, behaviour, disease, contacts, draws(randomness, day))
        state, _ = step(state, people, behaviour, disease, contacts, draws(randomness, day))
        assert (state.stage.tolist(), state.until.tolist(), state.infected.tolist()) == wanted
    assert (state.infected >= 0).sum() > 20


def test_a_chain_of_three_has_the_probabilities_of_enumeration() -> None:
    """0 - 1 - 2, agent 0 infected: over all outcomes of two days of transmission, against 40,000 runs side by side."""
    rate, worlds = 0.3, 40_000
    disease = Disease.seirs(rate, Duration(1), Duration(2))
    exact: dict[tuple[int, int], float] = {}
    for first, second, third in itertools.product((0, 1), repeat=3):  # 1 on day 1 or day 2 (0 is infectious then), 2 on day 3
        when = 1 if first else 2 if second else None
        if when is None and third:
            continue
        chance = rate if first else (1 - rate) * (rate if second else 1 - rate)
        if first and second:
            continue
        hits = third if when == 1 else 0  # after four days only those infected on day 1 have had their first infectious day
        if when != 1 and third:
            continue
        chance *= (rate if third else 1 - rate) if when == 1 else 1.0
        exact[int(when is not None), hits] = exact.get((int(when is not None), hits), 0.0) + chance
    assert sum(exact.values()) == pytest.approx(1)
    base = 3 * np.arange(worlds)
    edges = Contacts(np.concatenate([base, base + 1, base + 1, base + 2]), np.concatenate([base + 1, base, base + 2, base + 1]))
    people, randomness = People.alike(3 * worlds), Randomness(8)
    state = begin(base, 3 * worlds, disease, draws(randomness, -1))
    for day in range(4):
        state, _ = step(state, people, Behaviour(), disease, [edges], draws(randomness, day))
    caught = state.infected.reshape(-1, 3) != NEVER
    for (one, two), chance in exact.items():
        share = ((caught[:, 1] == one) & (caught[:, 2] == two)).mean()
        assert abs(share - chance) < 4 * math.sqrt(chance * (1 - chance) / worlds)


def test_expected_infections_of_a_day_are_the_sum_of_probabilities() -> None:
    """One-step exactness: the mean over 2,000 days drawn is within three standard errors (agenttorch, line 1)."""
    size, disease, g = 400, Disease(), np.random.default_rng(3)
    people, contacts = People(disease.traits(g.integers(0, 9, size)), np.zeros(size, np.int64)), [pairs(size, 6, 1)]
    randomness = Randomness(0)
    state = seeded(size, 0.2, disease, randomness)
    for day in range(4):
        state, _ = step(state, people, Behaviour(), disease, contacts, draws(randomness, day))
    hazard, susceptible = hazards(state, people, Behaviour(), disease, contacts), state.stage == Stage.SUSCEPTIBLE
    chance = 1 - np.exp(-hazard[susceptible])
    counts = [len(step(state, people, Behaviour(), disease, contacts, draws(Randomness(seed), 4))[1].infected) for seed in range(1, 2001)]
    expected = expected_infections(hazard, susceptible)
    assert expected == pytest.approx(chance.sum())
    assert abs(np.mean(counts) - expected) < 3 * math.sqrt((chance * (1 - chance)).sum() / len(counts))


def test_nobody_is_infected_without_reproduction_or_when_all_isolate() -> None:
    size, randomness = 2_000, Randomness(1)
    contacts = [pairs(size, 6, 1)]
    none = np.zeros(size, np.bool_)
    for disease, behaviour in ((Disease(reproduction=(0.0,)), Behaviour()), (Disease(), Behaviour(receives=[none]))):
        state = seeded(size, 0.05, disease, randomness)
        first = int((state.infected != NEVER).sum())
        for day in range(14):
            state, flows = step(state, People.alike(size), behaviour, disease, contacts, draws(randomness, day))
            assert not len(flows.infected)
        assert int((state.stage == Stage.RECOVERED).sum()) == first > 0


def test_deaths_are_the_mortality_of_those_who_leave_the_infectious_stage() -> None:
    size, randomness, disease = 3_000, Randomness(2), Disease(mortality=0.2)
    state, left = seeded(size, 0.05, disease, randomness), 0
    for day in range(30):
        state, flows = step(state, People.alike(size), Behaviour(), disease, [pairs(size, 6, 1)], draws(randomness, day))
        left += int((flows.stages == Stage.INFECTIOUS).sum())
    assert left == int((state.stage == Stage.RECOVERED).sum()) > 500
    assert state.deaths[0] == pytest.approx(0.2 * left)
    assert not (state.stage == Stage.DEAD).any()


def test_the_final_size_of_a_mixed_epidemic_solves_its_equation() -> None:
    """z = 1 - (1 - i0) exp(-R0 z) within 2 % at 100,000 agents (agenttorch, line 3)."""
    size, reproduction, first, randomness = 100_000, 2.0, 0.001, Randomness(4)
    disease = Disease(reproduction=(reproduction / 0.5006,), susceptibility=(1.0,), interactions=(1.0,))
    state = seeded(size, first, disease, randomness)
    while ((state.stage == Stage.EXPOSED) | (state.stage == Stage.INFECTIOUS)).any():
        state, _ = step(state, People.alike(size), Behaviour(), disease, EVERYONE_WITH_EVERYONE, draws(randomness, state.day))
    share = 0.5
    for _ in range(200):
        share = 1 - (1 - first) * math.exp(-reproduction * share)
    assert share == pytest.approx(0.7972, abs=5e-5)
    assert (state.stage == Stage.RECOVERED).mean() == pytest.approx(share, rel=0.02)


def test_fixed_point_sums_are_near_the_exact_ones_and_almost_nobody_notices() -> None:
    """|sum of lambda fixed - float| <= contacts / 2^21, and the same agents are infected (large-population-models, line 8)."""
    size, disease, randomness = 40_000, Disease(reproduction=(4.0,), susceptibility=(1.0,), interactions=(4.0,)), Randomness(6)
    contacts, people = [pairs(size, 8, 1)], People.alike(40_000)
    state = seeded(size, 0.1, disease, randomness)
    for day in range(6):
        state, _ = step(state, people, Behaviour(), disease, contacts, draws(randomness, day))
    fixed = hazards(state, people, Behaviour(), disease, contacts)
    exact = hazards(state, people, Behaviour(), disease, contacts, fixed=False)
    counts = np.bincount(contacts[0].targets, minlength=size)
    assert (abs(fixed - exact) <= counts * 2.0**-21 + 1e-15).all()
    assert abs(fixed - exact).max() > 1e-8, "rounding is at work"
    uniform = draws(randomness, 6)("epidemic.infection", np.arange(size))
    assert ((uniform < 1 - np.exp(-fixed)) == (uniform < 1 - np.exp(-exact))).mean() >= 0.999


def test_more_caution_after_more_cases_lowers_the_peak_in_every_seed() -> None:
    """P(isolate) = 1 - exp(-kappa cases / N): the peak falls over kappa (agenttorch, line 7)."""
    size, contacts = 20_000, [pairs(20_000, 4, 11)]
    disease = Disease()
    people = People(disease.traits(np.random.default_rng(1).integers(0, 9, size)), np.broadcast_to(np.int64(0), size))
    agents = np.arange(size)

    def peak(seed: int, kappa: float) -> int:
        randomness, cases, highest = Randomness(seed), 0, 0
        state = seeded(size, 0.01, disease, randomness)
        for day in range(120):
            isolating = randomness.stream("isolate", day).uniform(agents) < 1 - math.exp(-kappa * cases / size)
            state, flows = step(state, people, Behaviour(receives=[~isolating]), disease, contacts, draws(randomness, day))
            cases = len(flows.infected)
            highest = max(highest, cases)
            if not ((state.stage == Stage.EXPOSED) | (state.stage == Stage.INFECTIOUS)).any():
                break
        return highest

    for seed in (1, 2):
        peaks = [peak(seed, kappa) for kappa in (0, 10, 30, 100, 300)]
        assert all(later < earlier for earlier, later in itertools.pairwise(peaks)), peaks
        assert 0.10 < peaks[4] / peaks[0] < 0.20, "a seventh, as published in the specification"
