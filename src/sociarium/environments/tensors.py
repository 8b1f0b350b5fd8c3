"""What a Torch mirror of an environment stands on: the run's own random numbers, sums over links, and how a chance is drawn.

Needs the extra ``grad``. All of it works on any device; where a tensor lives decides where the work is done.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.randomness import Stream

try:
    import torch
    from torch import Tensor
except ImportError as missing:
    raise UsageError("differentiable simulation needs PyTorch: pip install 'sociarium[grad]'") from missing

Sampler = Callable[[Tensor, Tensor], Tensor]
"""From chances and uniform draws of one shape to what happened: 0 or 1, or what stands for it while gradients are taken."""

loose: Any = torch  # for the functions that Torch types incompletely
_WORD = 1 << 64
_GOLDEN, _SECOND = 0x9E3779B97F4A7C15, 0xD1B54A32D192ED03
_MIX_A, _MIX_B = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def hard(chances: Tensor, draws: Tensor) -> Tensor:
    """0 or 1, and no gradient: what a plain run does."""
    return (draws < chances.detach()).to(chances.dtype)


class TensorStream:
    """``kernel.randomness.Stream`` in Torch: the same coordinates give the same bits, on any device. One stream a replicate."""

    __slots__ = ("_keys",)

    def __init__(self, streams: Sequence[Stream], device: str | torch.device = "cpu") -> None:
        self._keys = torch.tensor(
            [[_signed(stream.key)] for stream in streams],
            dtype=torch.int64,
            device=device,
        )

    def bits(self, rows: Tensor, index: int = 0) -> Tensor:
        """64 random bits a row, as int64, (replicates, rows); ``rows`` is a flat int64 tensor."""
        mixed = _mix(rows * _signed(_GOLDEN) + self._keys)
        return _mix(mixed + _signed(_SECOND * (index + 1))) if index else mixed

    def uniform(self, rows: Tensor, index: int = 0) -> Tensor:
        """Uniform in [0, 1), 53 bits, float64, (replicates, rows)."""
        return _shifted(self.bits(rows, index), 11).to(torch.float64) * 2.0**-53


class Links:
    """Directed links between agents, from sources to targets, summed at the targets.

    In float64, whole multiples of 2**-k that stay below 2**(53 - k) are added without rounding, so their sums are equal on every
    device and in any order.
    """

    def __init__(
        self,
        agents: int,
        sources: NDArray[Any],
        targets: NDArray[Any],
        device: str | torch.device = "cpu",
    ) -> None:
        sources, targets = np.asarray(sources), np.asarray(targets)
        if sources.shape != targets.shape or sources.ndim != 1:
            raise UsageError(f"links need a source for each target, not {sources.shape} sources for {targets.shape} targets")
        if len(sources) and (min(sources.min(), targets.min()) < 0 or max(sources.max(), targets.max()) >= agents):
            raise UsageError(f"a link names an agent outside 0 to {agents - 1}")
        self.agents = agents
        self._forth = _matrix(agents, targets, sources, device)
        self._back: Tensor | None = None
        self._ends = (sources, targets)

    def sum(self, sent: Tensor) -> Tensor:
        """(replicates, agents) sent, float64; the same shape received. Gradients go back to what was sent."""
        if not (torch.is_grad_enabled() and sent.requires_grad):
            return _product(self._forth, sent)
        if self._back is None:
            self._back = _matrix(self.agents, *self._ends, sent.device)
        apply: Any = _Summed.apply  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        return apply(sent, self._forth, self._back)


class _Summed(torch.autograd.Function):
    """The transposed matrix is built once: left to itself, Torch transposes at every step back."""

    @staticmethod
    def forward(ctx: Any, sent: Tensor, forth: Tensor, back: Tensor) -> Tensor:
        ctx.back = back
        return _product(forth, sent)

    @staticmethod
    def backward(ctx: Any, *received: Tensor) -> tuple[Tensor, None, None]:
        return _product(ctx.back, received[0]), None, None


def _matrix(agents: int, rows: NDArray[Any], columns: NDArray[Any], device: str | torch.device) -> Tensor:
    """Ones at (row, column), in compressed rows; equal entries stay apart and add up."""
    width = np.int32 if len(rows) < 2**31 else np.int64
    order = np.argsort(rows, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=agents))])
    parts = [torch.as_tensor(part.astype(width), device=device) for part in (starts, columns[order])]
    ones = torch.ones(len(rows), dtype=torch.float64, device=device)
    with warnings.catch_warnings():  # Torch calls its sparse tensors a beta
        warnings.simplefilter("ignore", UserWarning)
        return loose.sparse_csr_tensor(parts[0], parts[1], ones, size=(agents, agents))


def _product(matrix: Tensor, sent: Tensor) -> Tensor:
    return (matrix @ sent.transpose(0, 1)).transpose(0, 1)


def _signed(word: int) -> int:
    """The same 64 bits, read as int64."""
    word %= _WORD
    return word - _WORD if word >= _WORD // 2 else word


def _shifted(bits: Tensor, by: int) -> Tensor:
    """Shifted right with zeros coming in, which int64 alone does not do."""
    return (bits >> by) & ((1 << (64 - by)) - 1)


def _mix(bits: Tensor) -> Tensor:
    """SplitMix64's finaliser; int64 wraps as uint64 does."""
    bits = (bits ^ _shifted(bits, 30)) * _signed(_MIX_A)
    bits = (bits ^ _shifted(bits, 27)) * _signed(_MIX_B)
    return bits ^ _shifted(bits, 31)
