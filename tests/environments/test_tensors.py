"""What a Torch mirror stands on: the run's own random bits, and sums over links that are equal to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch", reason="needs the extra grad (PyTorch)")

from sociarium.environments.tensors import Links, TensorStream, hard, torch
from sociarium.kernel.errors import UsageError
from sociarium.kernel.randomness import Randomness, Stream

ROWS = np.array([0, 1, 2, 77, 2**31, 2**62, -1, -(2**63)], np.int64)


@given(st.integers(0, 2**64 - 1), st.integers(0, 5))
def test_bits_and_uniforms_are_those_of_the_kernel(key: int, index: int) -> None:
    ours, theirs = TensorStream([Stream(key)]), Stream(key)
    assert ours.bits(torch.from_numpy(ROWS), index)[0].numpy().view(np.uint64).tolist() == theirs.bits(ROWS, index).tolist()
    assert ours.uniform(torch.from_numpy(ROWS), index)[0].numpy().tolist() == theirs.uniform(ROWS, index).tolist()


def test_replicates_are_streams_side_by_side() -> None:
    streams = [Randomness(seed).stream("disease", 4) for seed in (1, 2, 3)]
    together = TensorStream(streams).uniform(torch.arange(50))
    assert together.shape == (3, 50)
    assert all(row.tolist() == one.uniform(np.arange(50)).tolist() for row, one in zip(together, streams, strict=True))


def test_a_hard_choice_has_no_gradient_and_happens_below_its_chance() -> None:
    chances = torch.tensor([0.0, 0.3, 0.3, 1.0], requires_grad=True)
    happened = hard(chances, torch.tensor([0.0, 0.29, 0.31, 0.999]))
    assert happened.tolist() == [0, 1, 0, 1]
    assert not happened.requires_grad


def some_links(seed: int, agents: int = 40, links: int = 300) -> tuple[np.ndarray, np.ndarray]:
    return tuple(np.random.default_rng(seed).integers(0, agents, (2, links)))


@given(st.integers(0, 2**32 - 1))
def test_sums_of_fixed_point_numbers_are_exact(seed: int) -> None:
    sources, targets = some_links(seed)
    whole = np.random.default_rng(seed + 1).integers(0, 2**31, (2, 40))
    summed = Links(40, sources, targets).sum(torch.from_numpy(whole * 2.0**-20))
    exact = [[sum(int(whole[r, s]) for s, t in zip(sources, targets, strict=True) if t == agent) for agent in range(40)] for r in range(2)]
    assert (summed.numpy() * 2.0**20).astype(np.int64).tolist() == exact


def test_gradients_of_sums_go_back_to_the_senders() -> None:
    sources, targets = some_links(5)
    sent = torch.rand((2, 40), dtype=torch.float64, generator=torch.Generator().manual_seed(1), requires_grad=True)
    links = Links(40, sources, targets)
    assert torch.autograd.gradcheck(links.sum, (sent,))
    weight = torch.arange(40.0, dtype=torch.float64)
    (links.sum(sent) * weight).sum().backward()
    assert sent.grad is not None
    assert sent.grad[0].tolist() == np.bincount(sources, weights=targets.astype(float), minlength=40).tolist()


def test_links_to_nobody_are_refused() -> None:
    with pytest.raises(UsageError, match="outside 0 to 3"):
        Links(4, np.array([0]), np.array([4]))
    with pytest.raises(UsageError, match="a source for each target"):
        Links(4, np.array([0, 1]), np.array([3]))
