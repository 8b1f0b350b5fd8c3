"""What every gradient through a choice is on average, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra grad (PyTorch)")

from sociarium.environments.tensors import Sampler, Tensor, TensorStream, torch
from sociarium.kernel.errors import UsageError
from sociarium.kernel.randomness import Randomness, Stream
from sociarium.training.differentiable import logic
from sociarium.training.differentiable.samplers import (
    SAMPLERS,
    categorical,
    expected,
    gumbel_softmax,
    relaxed,
    sampler_of,
    score_function,
    smoothed,
    straight_through,
)

COUNT = 200_000
UNIFORM = TensorStream([Randomness(3).stream("test")]).uniform(torch.arange(COUNT))[0]


def mean_gradient(sampler: Sampler, power: int, p: float) -> tuple[float, float]:
    """Mean and standard error of the derivative of b^power by the chance."""
    chances = torch.full((COUNT,), p, dtype=torch.float64, requires_grad=True)
    (sampler(chances, UNIFORM) ** power).sum().backward()
    assert chances.grad is not None
    return float(chances.grad.mean()), float(chances.grad.std()) / COUNT**0.5 + 1e-12


@pytest.mark.parametrize("p", [0.2, 0.5, 0.9])
@pytest.mark.parametrize(("power", "wanted"), [(1, 1.0), (2, 1.0), (3, 1.5)])
def test_the_smoothed_derivative_is_the_mean_of_both_ends(power: int, wanted: float, p: float) -> None:
    mean, error = mean_gradient(smoothed, power, p)
    assert abs(mean - wanted) < 4 * error, "exact value f(1) - f(0) = 1: unbiased for linear and quadratic, 1.5 for a cube"


@pytest.mark.parametrize("p", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("power", [1, 2, 3])
def test_straight_through_is_exact_for_linear_functions_only(power: int, p: float) -> None:
    mean, error = mean_gradient(straight_through, power, p)
    assert abs(mean - (1.0 if power == 1 else power * p)) < 4 * error, "2p against 1 for the square"


def test_the_relaxed_gradient_is_that_of_the_relaxed_choice() -> None:
    p, temperature = 0.3, 0.5
    chances = torch.tensor([p], dtype=torch.float64, requires_grad=True)
    draws = torch.tensor([0.4], dtype=torch.float64)

    def soft(q: float) -> float:
        logit = np.log(q) - np.log1p(-q) + np.log1p(-0.4) - np.log(0.4)
        return float(1 / (1 + np.exp(-logit / temperature)))

    relaxed(chances, draws, temperature).sum().backward()
    assert chances.grad is not None
    assert chances.grad.item() == pytest.approx((soft(p + 1e-6) - soft(p - 1e-6)) / 2e-6, rel=1e-6)


def test_colder_relaxations_come_nearer_to_the_truth_for_a_linear_function() -> None:
    gaps = [abs(mean_gradient(lambda c, u, t=t: relaxed(c, u, t), 1, 0.3)[0] - 1) for t in (2.0, 0.5, 0.1)]
    assert gaps[0] > gaps[1] > gaps[2]
    assert gaps[2] < 0.02


@pytest.mark.parametrize("name", sorted(set(SAMPLERS) - {"expected"}))
def test_going_forward_every_sampler_is_the_same_exact_choice(name: str) -> None:
    chances = torch.linspace(0, 1, COUNT, dtype=torch.float64, requires_grad=True)
    drawn = sampler_of(name)(chances, UNIFORM)
    assert drawn.tolist() == (chances > UNIFORM).to(torch.float64).tolist()


def test_without_sampling_the_chance_itself_goes_on() -> None:
    chances = torch.tensor([0.25], requires_grad=True)
    assert expected(chances, torch.tensor([0.9])) is chances


def test_an_unknown_sampler_and_a_temperature_of_nothing_are_refused() -> None:
    with pytest.raises(UsageError, match="there are hard, straight-through"):
        sampler_of("soft")
    with pytest.raises(UsageError, match="above 0"):
        relaxed(torch.tensor([0.5]), torch.tensor([0.5]), 0.0)


WEIGHTS = np.array([0.5, 2.0, 0.0, 1.5])


def test_a_choice_of_many_is_the_kernels_choice() -> None:
    stream = Stream(9)
    rows = np.arange(2000)
    ours = categorical(torch.from_numpy(WEIGHTS), torch.from_numpy(stream.uniform(rows)))
    assert ours.argmax(-1).tolist() == stream.choice(WEIGHTS, rows).tolist()
    assert ours.sum(-1).unique().tolist() == [1]


def test_a_choice_of_many_passes_its_gradient_to_the_probabilities() -> None:
    weights = torch.tensor(WEIGHTS, requires_grad=True)
    values = torch.tensor([1.0, 4.0, 2.0, 8.0], dtype=torch.float64)
    (categorical(weights, UNIFORM[:50]) @ values).mean().backward()
    exact = torch.tensor(WEIGHTS, requires_grad=True)
    ((exact / exact.sum()) @ values).backward()
    assert weights.grad is not None and exact.grad is not None
    assert torch.allclose(weights.grad, exact.grad), "for a linear function the gradient is exact for every draw"


def test_gumbel_noise_chooses_in_proportion_to_the_weights() -> None:
    draws = TensorStream([Stream(11)]).uniform(torch.arange(4 * 40_000)).reshape(-1, 4)
    chosen = gumbel_softmax(torch.log(torch.from_numpy(WEIGHTS)), draws)
    shares = chosen.mean(0).numpy()
    wanted = WEIGHTS / WEIGHTS.sum()
    assert (np.abs(shares - wanted) <= 4 * np.sqrt(wanted * (1 - wanted) / 40_000)).all()
    soft = gumbel_softmax(torch.log(torch.from_numpy(WEIGHTS)), draws, 0.1, one_hot=False)
    assert (soft.argmax(-1) == chosen.argmax(-1)).all()
    assert 0 < float(soft.max(-1).values.min()) < 1


def chain(theta: Tensor, samples: int, steps: int = 5) -> tuple[Tensor, Tensor]:
    """A symmetric chain of two states from state 0: where it ends, and the log-probability of its steps."""
    draws = TensorStream([Stream(17)]).uniform(torch.arange(samples * steps)).reshape(samples, steps)
    flips = (draws < theta.detach()).to(torch.float64)
    log = (flips * torch.log(theta) + (1 - flips) * torch.log1p(-theta)).sum(-1)
    return flips.sum(-1) % 2, log


@pytest.mark.parametrize("baseline", [True, False])
def test_the_score_function_is_unbiased_on_the_chain_of_two_states(baseline: bool) -> None:
    batches, size = 400, 250
    theta = torch.tensor(0.2, dtype=torch.float64, requires_grad=True)
    ends, logs = chain(theta, batches * size)
    found = []
    for k in range(batches):
        part = slice(k * size, (k + 1) * size)
        estimate = score_function(ends[part], logs[part], baseline)
        assert estimate.item() == pytest.approx(float(ends[part].mean()), abs=1e-12)
        found.append(torch.autograd.grad(estimate, theta, retain_graph=True)[0].item())
    error = np.std(found, ddof=1) / batches**0.5
    assert abs(np.mean(found) - 0.648) < 3 * error, "n (1 - 2 theta)^(n - 1) at theta = .2, n = 5"
    assert abs(float(ends.mean()) - (1 - 0.6**5) / 2) < 4 * 0.5 / (batches * size) ** 0.5


def test_the_baseline_lowers_the_variance() -> None:
    theta = torch.tensor(0.2, dtype=torch.float64, requires_grad=True)
    ends, logs = chain(theta, 20_000)
    spread = []
    for baseline in (True, False):
        parts = [score_function(ends[k : k + 50] + 3, logs[k : k + 50], baseline) for k in range(0, 20_000, 50)]
        spread.append(np.std([torch.autograd.grad(p, theta, retain_graph=True)[0].item() for p in parts]))
    assert spread[0] < spread[1] / 3


def test_a_score_needs_rows_of_one_length_and_others_to_compare_with() -> None:
    with pytest.raises(UsageError, match="two rows of one length"):
        score_function(torch.zeros(3), torch.zeros(2))
    with pytest.raises(UsageError, match="at least two samples"):
        score_function(torch.zeros(1), torch.zeros(1))


def test_logic_is_hard_going_forward() -> None:
    a, b = torch.tensor([0.0, 0.0, 1.0, 1.0]), torch.tensor([0.0, 1.0, 0.0, 1.0])
    assert logic.both(a, b).tolist() == [0, 0, 0, 1]
    assert logic.either(a, b).tolist() == [0, 1, 1, 1]
    assert logic.negated(a).tolist() == [1, 1, 0, 0]
    assert logic.greater(a, b).tolist() == [0, 0, 1, 0]
    assert logic.less(a, b).tolist() == [0, 1, 0, 0]
    assert logic.equal(a, b).tolist() == [1, 0, 0, 1]
    assert logic.maximum(torch.stack([a, b]), 0).tolist() == [0, 1, 1, 1]
    assert logic.minimum(torch.stack([a, b]), 0).tolist() == [0, 0, 0, 1]


def slope(function: object, at: float) -> float:
    value = torch.tensor(at, dtype=torch.float64, requires_grad=True)
    function(value).sum().backward()  # type: ignore[operator]
    assert value.grad is not None
    return value.grad.item()


def test_logic_is_soft_going_back() -> None:
    other = torch.tensor(0.3, dtype=torch.float64)
    for distance in (-0.05, 0.0, 0.05):
        s = 1 / (1 + np.exp(-distance / 0.1))
        assert slope(lambda x: logic.greater(x, other), 0.3 + distance) == pytest.approx(s * (1 - s) / 0.1)
        assert slope(lambda x: logic.less(x, other), 0.3 + distance) == pytest.approx(-s * (1 - s) / 0.1)
        assert slope(lambda x: logic.maximum(torch.stack([x, other])), 0.3 + distance) == pytest.approx(s)
        assert slope(lambda x: logic.minimum(torch.stack([x, other])), 0.3 + distance) == pytest.approx(1 - s)
    assert slope(lambda x: logic.both(x, other), 1.0) == pytest.approx(0.3)
    assert slope(lambda x: logic.either(x, other), 1.0) == pytest.approx(0.7)
    assert slope(logic.negated, 1.0) == -1
    assert slope(lambda x: logic.equal(x, other), 0.25) == pytest.approx(5 * np.exp(-0.125))
