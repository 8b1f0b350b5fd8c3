"""Random choices that are hard going forward and have a gradient going back.

With b = 1 with chance p, the exact derivative of E[f(b)] is f(1) - f(0). What each sampler's gradient is on average:

=================== ============================ =============================================
sampler             mean gradient of f(b)        source
=================== ============================ =============================================
straight_through    p f'(1) + (1 - p) f'(0)      Bengio, Leonard and Courville 2013
smoothed            (f'(0) + f'(1)) / 2          Arya et al. 2022, its smoothed form
relaxed             that of the relaxed choice   Jang et al. 2017; Maddison et al. 2017
expected            f'(p)                        no sampling at all: the mean-field model
=================== ============================ =============================================

Straight-through is exact for linear f. Smoothed is exact for quadratic f too, at the price of weights up to 1 / (2p): where
chances are small, its variance is large. Draws come from outside (uniform, the run's own), so every sampler is a pure function.
"""

from __future__ import annotations

from collections.abc import Mapping

from sociarium.environments.tensors import Sampler, Tensor, hard, torch
from sociarium.kernel.errors import UsageError
from sociarium.training.differentiable.logic import joined

TEMPERATURE = 0.1


def straight_through(chances: Tensor, draws: Tensor) -> Tensor:
    """0 or 1 (1 where the draw is below the chance); the gradient passes to the chance as it is."""
    return joined(hard(chances, draws), chances)


def smoothed(chances: Tensor, draws: Tensor) -> Tensor:
    """0 or 1; the gradient is weighed by 1 / (2p) where it happened, and by 1 / (2(1 - p)) where it did not."""
    happened = hard(chances, draws)
    held = chances.detach()
    weight = 0.5 / torch.where(happened > 0, held, 1 - held)
    return joined(happened, chances * weight)


def relaxed(chances: Tensor, draws: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """0 or 1; the gradient is that of the binary concrete choice sigmoid((logit p + logit(1 - u)) / temperature)."""
    least = torch.finfo(chances.dtype).tiny
    safe = chances.clamp(least, 1 - torch.finfo(chances.dtype).eps)
    noise = torch.log1p(-draws) - torch.log(draws.clamp_min(least))
    soft = torch.sigmoid((torch.log(safe) - torch.log1p(-safe) + noise) / _checked(temperature))
    return joined(hard(chances, draws), soft)


def expected(chances: Tensor, draws: Tensor) -> Tensor:
    """The chance itself in place of what happens: a smooth model without sampling. ``draws`` are not looked at."""
    return chances


SAMPLERS: Mapping[str, Sampler] = {
    "hard": hard,
    "straight-through": straight_through,
    "smoothed": smoothed,
    "relaxed": relaxed,
    "expected": expected,
}


def sampler_of(name: str) -> Sampler:
    """The sampler of this name; UsageError where there is none."""
    if name not in SAMPLERS:
        raise UsageError(f"there is no sampler {name!r}; there are {', '.join(SAMPLERS)}")
    return SAMPLERS[name]


def categorical(weights: Tensor, draws: Tensor) -> Tensor:
    """One of many, as a row of 0s and one 1; the gradient passes straight through to the normalised probabilities.

    ``weights`` is (..., options) and need not be normalised; ``draws`` is (...), uniform. The choice is the one that
    ``Stream.choice`` makes of the same draw.
    """
    probabilities = weights / weights.sum(-1, keepdim=True)
    cumulative = torch.cumsum(weights.detach(), -1)
    place = (cumulative <= draws[..., None] * cumulative[..., -1:]).sum(-1).clamp_max(weights.shape[-1] - 1)
    return joined(
        torch.nn.functional.one_hot(place, weights.shape[-1]).to(weights.dtype),
        probabilities,
    )


def gumbel_softmax(
    logits: Tensor,
    draws: Tensor,
    temperature: float = TEMPERATURE,
    *,
    one_hot: bool = True,
) -> Tensor:
    """One of many by the largest of logit + Gumbel noise; the gradient is that of the softmax at ``temperature``.

    ``draws`` are uniform and have the shape of ``logits``, (..., options). ``one_hot=False`` gives the softmax itself.
    """
    safe = draws.clamp(torch.finfo(draws.dtype).tiny, 1 - torch.finfo(draws.dtype).eps)
    noisy = logits - torch.log(-torch.log(safe))
    soft = torch.softmax(noisy / _checked(temperature), -1)
    if not one_hot:
        return soft
    return joined(
        torch.nn.functional.one_hot(noisy.argmax(-1), logits.shape[-1]).to(logits.dtype),
        soft,
    )


def score_function(values: Tensor, log_probabilities: Tensor, baseline: bool = True) -> Tensor:
    """A number whose value is the mean of ``values`` and whose gradient estimates that of their expectation without bias.

    Both are (samples,): what came out of each sample, and the log-probability of all its choices. The gradient is the mean of
    (value - baseline) * d log-probability, plus what values depend on parameters directly (Williams 1992). The baseline is the
    mean of the *other* samples, so it keeps the estimate unbiased; it needs at least two samples.
    """
    if values.shape != log_probabilities.shape or values.ndim != 1:
        raise UsageError(f"score_function takes two rows of one length, not {tuple(values.shape)} and {tuple(log_probabilities.shape)}")
    held = values.detach()
    if baseline:
        if len(values) < 2:
            raise UsageError("a baseline of the other samples needs at least two samples")
        held = held - (held.sum() - held) / (len(values) - 1)
    return joined(values.mean().detach(), (held * log_probabilities).mean() + values.mean())


def _checked(temperature: float) -> float:
    if not temperature > 0:
        raise UsageError(f"a temperature must be above 0, not {temperature}")
    return temperature
