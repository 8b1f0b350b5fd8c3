"""The epidemic in Torch: equal to the reference in value, and its gradients against what is known in closed form."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra grad (PyTorch)")

from sociarium.environments.epidemic import model, path, tensor
from sociarium.environments.epidemic.disease import Disease, Duration
from sociarium.environments.tensors import Sampler, Tensor, hard, torch
from sociarium.kernel.errors import UsageError
from sociarium.kernel.randomness import Randomness
from sociarium.training.differentiable.samplers import expected, smoothed, straight_through


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


MIXED = model.Contacts(np.empty(0, np.int64), np.empty(0, np.int64), 0.3, mixed=True)


def graph(agents: int, contacts: int, seed: int = 0, weight: float = 1.0) -> model.Contacts:
    a, b = np.random.default_rng(seed).integers(0, agents, (2, agents * contacts // 2))
    return model.Contacts(np.concatenate([a, b]), np.concatenate([b, a]), weight)


def people_of(agents: int, disease: Disease, groups: int = 1) -> model.People:
    g = np.random.default_rng(1)
    trait = disease.traits(g.integers(0, disease.ages, agents), g.integers(0, disease.areas, agents), g.random(agents) < 0.2)
    return model.People(trait, g.integers(0, groups, agents), groups)


def world_of(agents: int, disease: Disease, contacts: Sequence[model.Contacts]) -> tensor.World:
    people = tensor.TensorPeople.of(people_of(agents, disease))
    return tensor.World.of(people, disease, tensor.TensorContacts.of(contacts, agents))


def first(agents: int, seeds: Sequence[int], share: float = 0.04) -> Tensor:
    return torch.from_numpy(np.stack([Randomness(s).stream("first").uniform(np.arange(agents)) < share for s in seeds]))


PUBLISHED = Disease(reproduction=((4.75, 3.0), (2.0, 5.0)))
KINDS = {
    "published": PUBLISHED,
    "reinfection": replace(Disease(), immune=Duration(4)),
    "drawn": Disease.seirs(0.1, Duration(3, drawn=True), Duration(4, drawn=True), Duration(20, drawn=True)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_stages_are_those_of_the_reference_day_for_day(kind: str) -> None:
    disease, agents, seeds = KINDS[kind], 300, (5, 6)
    contacts = [graph(agents, 4), graph(agents, 6, 2, 0.5), MIXED]
    people, begun = people_of(agents, disease, 3), first(agents, seeds)
    masks = np.random.default_rng(4).random((2, 2, agents)) < 0.8
    behaviour = model.Behaviour([masks[0, 0], None, masks[0, 1]], [masks[1, 0], masks[1, 1]])
    mirrored = tensor.TensorBehaviour(
        [torch.from_numpy(masks[0, 0]), None, torch.from_numpy(masks[0, 1])], [torch.from_numpy(m) for m in masks[1]]
    )
    layers = tensor.TensorContacts.of(contacts, agents)
    world = tensor.World(tensor.TensorPeople.of(people), disease, lambda day: layers, lambda day: mirrored)
    states = [model.begin(begun[k].numpy(), agents, disease, model.draws(Randomness(s), -1), 3) for k, s in enumerate(seeds)]
    ours, rates = tensor.begin(begun, disease, tensor.draws(seeds, -1)), tensor.Rates.of(disease)
    deaths = torch.zeros(2, 3, dtype=torch.float64)
    for day in range(30):
        found = tensor.hazards(ours, world, rates)
        for k, state in enumerate(states):
            wanted = model.hazards(state, people, behaviour, disease, contacts)
            if kind == "published":
                assert (found[k].numpy() == wanted).all() or np.allclose(found[k].numpy(), wanted, rtol=1e-15, atol=0)
        ours, flows = tensor.step(ours, world, rates, tensor.draws(seeds, day))
        deaths += flows.deaths
        for k, seed in enumerate(seeds):
            draws = model.draws(Randomness(seed), day)
            states[k], reference = model.step(states[k], people, behaviour, disease, contacts, draws)
            assert ours.stage[k].numpy().tolist() == states[k].stage.tolist()
            assert ours.until[k].numpy().tolist() == states[k].until.tolist()
            assert ours.infected[k].numpy().tolist() == states[k].infected.tolist()
            assert np.flatnonzero(flows.infected[k].numpy()).tolist() == reference.infected.tolist()
    assert np.allclose(deaths.numpy(), [state.deaths for state in states], rtol=1e-12)
    assert (np.concatenate([state.stage for state in states]) > 1).any(), "the epidemic moved at all"


def test_draws_may_come_from_numpy() -> None:
    agents, disease = 200, Disease()
    world, begun = world_of(agents, disease, [graph(agents, 6)]), first(agents, [3])
    own = path.run(world, tensor.Rates.of(disease), begun, 15, path.seeded([3]))
    theirs = path.run(world, tensor.Rates.of(disease), begun, 15, lambda day: tensor.given(model.draws(Randomness(3), day)))
    assert own.cases.tolist() == theirs.cases.tolist()
    assert own.cases.sum() > 5


def test_both_ways_to_keep_state_give_the_same_epidemic() -> None:
    for disease in (Disease(), replace(Disease(), immune=Duration(4))):
        world, begun = world_of(400, disease, [graph(400, 6), MIXED]), first(400, [1, 2])
        plain, carried = (path.run(world, tensor.Rates.of(disease), begun, 40, path.seeded([1, 2]), carried=c) for c in (False, True))
        assert plain.cases.tolist() == carried.cases.tolist()
        assert torch.allclose(plain.deaths, carried.deaths, rtol=1e-12)


def test_regions_are_counted_apart_and_add_up() -> None:
    disease, agents = Disease(), 400
    contacts = tensor.TensorContacts.of([graph(agents, 6)], agents)
    where = np.arange(agents) % 3
    people = people_of(agents, disease)
    parts = tensor.World.of(tensor.TensorPeople.of(people, region=where, regions=3), disease, contacts)
    whole = tensor.World.of(tensor.TensorPeople.of(people), disease, contacts)
    by_region, total = (path.run(w, tensor.Rates.of(disease), first(agents, [4]), 20, path.seeded([4])) for w in (parts, whole))
    assert by_region.cases.shape == (1, 20, 3)
    assert by_region.cases.sum(-1, keepdim=True).tolist() == total.cases.tolist()
    assert by_region.totals(7).cases.shape == (1, 2, 3), "a week that is not whole is left out"


def total_and_slope(
    world: tensor.World, reproduction: float, seeds: Sequence[int], days: int, sampler: Sampler, *, carried: bool = False
) -> tuple[Tensor, Tensor | None]:
    """All infections of each replicate and, unless hard, their derivative by R."""
    agents = len(world.people)
    r = torch.full((len(seeds), 1, 1), reproduction, dtype=torch.float64, requires_grad=sampler is not hard)
    rates = tensor.Rates.of(world.disease, reproduction=r)
    cases = path.run(world, rates, first(agents, seeds), days, path.seeded(seeds), sampler, carried=carried).cases.sum((1, 2))
    if sampler is hard:
        return cases, None
    return cases.detach(), torch.autograd.grad(cases.sum(), r)[0].reshape(-1)


def test_one_step_is_exact_in_mean_and_its_straight_through_gradient_has_no_variance() -> None:
    agents, reproduction = 2000, 2.0
    disease = Disease(reproduction=(reproduction,))
    world, begun = world_of(agents, disease, [graph(agents, 4)]), first(agents, [0])
    state = tensor.begin(begun, disease, tensor.draws([0], -1))
    for day in range(4):  # some days on, so that hazards differ
        state, _ = tensor.step(state, world, tensor.Rates.of(disease), tensor.draws([0], day))
    susceptible = (state.stage == 0)[0]
    force = tensor.hazards(state, world, tensor.Rates.of(disease))[0][susceptible] / reproduction
    exact = float((1 - torch.exp(-reproduction * force)).sum())
    slope = float((force * torch.exp(-reproduction * force)).sum())
    counts, differences = [], []
    for block in range(20):
        seeds = range(100 * block, 100 * block + 100)
        many = replace(state, **{n: getattr(state, n).expand(100, -1) for n in ("stage", "until", "infected")})
        r = torch.full((100, 1, 1), reproduction, dtype=torch.float64, requires_grad=True)
        rates = tensor.Rates.of(disease, reproduction=r)
        _, flows = tensor.step(many, world, rates, tensor.draws(seeds, 4), straight_through)
        (gradient,) = torch.autograd.grad(flows.infected.sum(), r)
        assert torch.allclose(gradient, torch.tensor(slope, dtype=torch.float64), rtol=1e-9, atol=0)
        counts += flows.infected.detach().sum(-1).tolist()
        shifted = [tensor.Rates.of(disease, reproduction=r.detach() * factor) for factor in (1.1, 0.9)]
        above, below = (tensor.step(many, world, one, tensor.draws(seeds, 4))[1].infected.sum(-1) for one in shifted)
        differences += ((above - below) / (0.2 * reproduction)).tolist()
    assert abs(np.mean(differences) - slope) < 3 * np.std(differences, ddof=1) / len(differences) ** 0.5, "common random numbers"
    error = np.std(counts, ddof=1) / len(counts) ** 0.5
    assert abs(np.mean(counts) - exact) < 3 * error
    assert len(set(counts)) > 3


@pytest.mark.parametrize(
    ("reproduction", "days", "low", "high"), [(2.0, 5, 0.85, 1.25), (4.75, 5, 0.9, 1.3), (2.0, 21, 0.5, 0.8)], ids=["R2", "R4.75", "R2-21"]
)
def test_over_several_steps_straight_through_is_biased_by_a_known_ratio(reproduction: float, days: int, low: float, high: float) -> None:
    world, seeds = world_of(2000, Disease(), [graph(2000, 4)]), range(200)
    h = 0.1 * reproduction
    above, below = (total_and_slope(world, reproduction + s * h, seeds, days, hard)[0] for s in (1, -1))
    truth = (above - below) / (2 * h)
    _, slope = total_and_slope(world, reproduction, seeds, days, straight_through)
    assert slope is not None
    assert low < float(slope.mean() / truth.mean()) < high
    agreeing = float((torch.sign(slope) == torch.sign(truth)).to(torch.float64).mean())
    assert agreeing >= 0.95
    if days == 5:
        assert abs(float(slope.mean() / truth.mean()) - 1) < 0.3


def test_along_the_whole_path_the_smoothed_gradient_is_nearer_after_three_weeks() -> None:
    world, seeds, h = world_of(2000, Disease(), [graph(2000, 4)]), range(60), 0.2
    above, below = (total_and_slope(world, 2.0 + s * h, seeds, 21, hard)[0] for s in (1, -1))
    truth = float((above - below).mean() / (2 * h))
    detached = total_and_slope(world, 2.0, seeds, 21, straight_through)[1]
    through = total_and_slope(world, 2.0, seeds, 21, smoothed, carried=True)[1]
    assert detached is not None and through is not None
    assert abs(float(through.mean()) / truth - 1) < abs(float(detached.mean()) / truth - 1)


def smooth_total(world: tensor.World, values: Tensor, days: int, checkpoint: int | None = None) -> Tensor:
    """Infections without sampling, at R of two weeks, mortality and share infected at the start."""
    rates = tensor.Rates.of(world.disease, reproduction=values[None, :2, None], mortality=values[None, 2])
    begun = values[3].expand(1, len(world.people))
    waves = path.run(world, rates, begun, days, path.seeded([0]), expected, carried=True, checkpoint=checkpoint)
    return waves.cases.sum() + 3 * waves.deaths.sum()


def test_the_smooth_model_has_the_derivatives_of_finite_differences() -> None:
    world = world_of(300, Disease(), [graph(300, 4), MIXED])
    at = torch.tensor([2.0, 3.0, 0.12, 0.04], dtype=torch.float64, requires_grad=True)
    (exact,) = torch.autograd.grad(smooth_total(world, at, 14), at)
    for k in range(4):
        h = 1e-5 * at.detach()[k] * torch.eye(4, dtype=torch.float64)[k]
        with torch.no_grad():
            central = (smooth_total(world, at + h, 14) - smooth_total(world, at - h, 14)) / (2 * h[k])
        assert abs(float(exact[k] / central) - 1) < 1e-6


def smooth_cases(world: tensor.World, reproduction: Tensor, days: int) -> Tensor:
    """All infections without sampling, from 4 % infected."""
    begun = torch.full((1, len(world.people)), 0.04, dtype=torch.float64)
    rates = tensor.Rates.of(world.disease, reproduction=reproduction.reshape(1, 1, 1))
    return path.run(world, rates, begun, days, path.seeded([0]), expected, carried=True).cases.sum()


@pytest.mark.parametrize("reproduction", [2.0, 4.75])
def test_sensitivity_predicts_the_change_under_five_per_cent_more(reproduction: float) -> None:
    world = world_of(1000, Disease(), [graph(1000, 4)])
    r = torch.tensor(reproduction, dtype=torch.float64, requires_grad=True)
    base = smooth_cases(world, r, 21)
    (slope,) = torch.autograd.grad(base, r)
    with torch.no_grad():
        change = float(smooth_cases(world, 1.05 * r, 21) - base)
    assert abs(float(slope) * 0.05 * reproduction / change - 1) < 0.1


def test_checkpoints_change_no_bit_of_value_or_gradient() -> None:
    world = world_of(200, Disease(), [graph(200, 4)])
    found = []
    for checkpoint in (None, 1, 4):
        at = torch.tensor([2.0, 3.0, 0.12, 0.04], dtype=torch.float64, requires_grad=True)
        total = smooth_total(world, at, 10, checkpoint)
        found.append((total.item(), torch.autograd.grad(total, at)[0].tolist()))
    assert found[0] == found[1] == found[2]
    r = torch.tensor([[[2.5]]], dtype=torch.float64, requires_grad=True)
    slopes = []
    for checkpoint in (None, 3):
        rates = tensor.Rates.of(world.disease, reproduction=r)
        cases = path.run(world, rates, first(200, [1]), 10, path.seeded([1]), straight_through, checkpoint=checkpoint).cases
        slopes.append(torch.autograd.grad(cases.sum(), r)[0].item())
    assert slopes[0] == slopes[1] != 0


def test_without_gradients_a_long_run_keeps_five_bytes_an_agent() -> None:
    state = tensor.begin(first(1000, [1]), Disease(), tensor.draws([1], -1))
    assert sum(part.element_size() for part in (state.stage, state.until, state.infected)) == 5
    world = world_of(1000, Disease(), [graph(1000, 4)])
    with torch.no_grad():
        after, flows = tensor.step(state, world, tensor.Rates.of(Disease()), tensor.draws([1], 0))
    assert after.stage.dtype == torch.uint8 and after.until.dtype == after.infected.dtype == torch.int16
    assert flows.infected.grad_fn is None


def test_behaviour_has_a_gradient_too() -> None:
    agents, disease = 300, Disease()
    layers = tensor.TensorContacts.of([graph(agents, 6)], agents)
    taking_part = torch.full((agents,), 0.8, dtype=torch.float64, requires_grad=True)
    behaviour = tensor.TensorBehaviour([taking_part], [taking_part])
    world = tensor.World(tensor.TensorPeople.of(people_of(agents, disease)), disease, lambda day: layers, lambda day: behaviour)
    cases = path.run(world, tensor.Rates.of(disease), first(agents, [2]), 5, path.seeded([2]), straight_through).cases.sum()
    (slope,) = torch.autograd.grad(cases, taking_part)
    assert (slope >= 0).all() and slope.max() > 0


def test_nobody_falls_ill_without_transmission_or_without_contacts() -> None:
    world = world_of(300, Disease(), [graph(300, 6)])
    still = tensor.Rates.of(Disease(), reproduction=torch.zeros((1, 1), dtype=torch.float64))
    assert path.run(world, still, first(300, [1]), 20, path.seeded([1])).cases.sum() == 0
    alone = tensor.TensorBehaviour(receives=[torch.zeros(300, dtype=torch.float64)])
    apart = replace(world, behaviour=lambda day: alone)
    assert path.run(apart, tensor.Rates.of(Disease()), first(300, [1]), 20, path.seeded([1])).cases.sum() == 0


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(UsageError, match="no rate 'R0'"):
        tensor.Rates.of(Disease(), R0=torch.ones(1))
    with pytest.raises(UsageError, match="with 2 areas, not"):
        tensor.Rates.of(PUBLISHED, reproduction=torch.ones(1, 3))
    with pytest.raises(UsageError, match="is drawn"):
        path.begin_carried(first(10, [1]), KINDS["drawn"])
    with pytest.raises(UsageError, match="at least 1"):
        path.run(world_of(10, Disease(), [MIXED]), tensor.Rates.of(Disease()), first(10, [1]), 0, path.seeded([1]))
