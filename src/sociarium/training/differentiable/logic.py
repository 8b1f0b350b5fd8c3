"""Comparisons, extremes and logic: hard going forward, soft going back.

Truth is 0 or 1 in the tensors' own type. The temperature is in the units of what is compared: the gradient is felt within a few
temperatures of the border.
"""

from __future__ import annotations

from sociarium.environments.tensors import Tensor, torch

TEMPERATURE = 0.1


def joined(forward: Tensor, backward: Tensor) -> Tensor:
    """The value of ``forward``, to the last bit, with the gradient of ``backward``."""
    return forward.detach() + (backward - backward.detach())


def greater(left: Tensor, right: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """1 where left > right; the gradient of sigmoid((left - right) / temperature)."""
    return joined((left > right).to(left.dtype), torch.sigmoid((left - right) / temperature))


def less(left: Tensor, right: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """1 where left < right."""
    return greater(right, left, temperature)


def equal(left: Tensor, right: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """1 where left = right; the gradient of exp(-((left - right) / temperature)^2 / 2)."""
    return joined(
        (left == right).to(left.dtype),
        torch.exp(-0.5 * ((left - right) / temperature) ** 2),
    )


def maximum(values: Tensor, dim: int = -1, temperature: float = TEMPERATURE) -> Tensor:
    """The largest along ``dim``; its gradient is shared out by softmax(values / temperature)."""
    shares = torch.softmax(values.detach() / temperature, dim)
    return joined(values.amax(dim), (shares * values).sum(dim))


def minimum(values: Tensor, dim: int = -1, temperature: float = TEMPERATURE) -> Tensor:
    """The smallest along ``dim``."""
    return -maximum(-values, dim, temperature)


def both(left: Tensor, right: Tensor) -> Tensor:
    """And: 1 where both are above one half; the gradient of the product."""
    return joined(((left > 0.5) & (right > 0.5)).to(left.dtype), left * right)


def either(left: Tensor, right: Tensor) -> Tensor:
    """Or: 1 where one is above one half; the gradient of left + right - left * right."""
    return joined(((left > 0.5) | (right > 0.5)).to(left.dtype), left + right - left * right)


def negated(truth: Tensor) -> Tensor:
    """Not: 1 where ``truth`` is not above one half; the gradient of 1 - truth."""
    return joined((truth <= 0.5).to(truth.dtype), 1 - truth)
