"""Decoders of the architectures llama and qwen2, computed in this process for many short continuations of few kept beginnings.

Attention to a shared beginning is one product for all rows below it; the parts that a row attends to are joined by their log-sum-
exps (as in Hydragen, Juravsky et al. 2024), so that no keys or values are copied. Weights are float32 as the file gives them, or
whole numbers of eight bits with a scale a row. Then activations are two whole numbers of eight bits: with one, its rounding turns
differences of 1e-6 between orders of summation into 0.4 nats over the layers (docs/design/local-model.md).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.errors import ModelError
from sociarium.models.conversion import ARCHITECTURES
from sociarium.models.gguf import GGUF, Floats

Tensor = Any  # torch is imported when first used and gives no types to a module without it
Part = TypeVar("Part")
Own = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
"""Queries [key heads, rows x heads a key head, size], keys and values [key heads, rows, size], to what rows attend to among themselves
[as queries] and its log-sum-exp [key heads, rows x heads a key head]."""

FINER = 254  # an activation is a whole number of eight bits and its rest another, so many times finer
ROWS = 128  # rows computed together, so that what passes between products stays in the processor's second cache
HEAD_ROWS = 32  # the same for rows over the vocabulary


def torch_of() -> Any:
    """The package; ModelError names the extra where it is missing."""
    try:
        return importlib.import_module("torch")
    except ImportError as error:
        raise ModelError(f"scoring options as a tree needs torch ({error}); install it by: pip install 'sociarium[tree]'") from error


@dataclass(frozen=True, slots=True)
class Seen:
    """A kept beginning and the rows [begin, end) below it. ``keys`` and ``values``: [layers, key heads, tokens, size]."""

    begin: int
    end: int
    keys: Tensor
    values: Tensor


class Linear:
    """A product with weights [outputs, inputs], in eight bits or in float32."""

    def __init__(self, torch: Any, weight: Floats, *, eight_bits: bool, bias: Floats | None = None) -> None:
        self.torch = torch
        self.bias = None if bias is None else torch.from_numpy(bias)
        self.scale: Tensor = None
        if not eight_bits:
            self.weight = torch.from_numpy(np.ascontiguousarray(weight))
            return
        scale = np.maximum(np.abs(weight).max(-1, keepdims=True), np.float32(1e-12)) / np.float32(127)
        self.weight = torch.from_numpy(np.rint(weight / scale).astype(np.int8))
        self.scale = torch.from_numpy(scale[:, 0].copy())

    def __call__(self, rows: Tensor) -> Tensor:
        """[rows, inputs] to [rows, outputs], float32."""
        if self.scale is None:
            given = rows @ self.weight.T
        else:
            scale = rows.abs().amax(-1, keepdim=True).clamp_(min=1e-12).div_(127)
            shown = rows / scale
            whole = shown.round()
            rest = shown.sub_(whole).mul_(FINER).round_()
            both = self.torch._int_mm(self.torch.cat((whole, rest)).to(self.torch.int8), self.weight.T)
            given = both[: len(rows)].float().add_(both[len(rows) :], alpha=1 / FINER).mul_(scale).mul_(self.scale)
        return given if self.bias is None else given.add_(self.bias)

    def rows(self, numbers: Tensor) -> Tensor:
        """Some rows of the weights, float32: the embedding of tokens."""
        given = self.weight[numbers]
        return given if self.scale is None else given.float().mul_(self.scale[numbers][:, None])


@dataclass(frozen=True, slots=True)
class Layer:
    """The weights of one layer."""

    attention_norm: Tensor
    inward: Linear  # queries, keys, values
    outward: Linear
    feed_norm: Tensor
    gate_and_up: Linear
    down: Linear


class Decoder:
    """A loaded model: four bytes a weight, or one with ``eight_bits``. Raises ModelError.

    Parts of the rows are computed in ``threads`` threads, a core each. What is a part depends on the rows alone, and parts share nothing:
    more threads give the same bits.
    """

    def __init__(self, model: GGUF, *, threads: int = 1, eight_bits: bool = False) -> None:
        self.torch = torch = torch_of()
        torch.set_num_threads(1)  # else each of ours would divide its small products among all cores, and wait for them
        self.pool = ThreadPoolExecutor(threads, "local-model-parts", torch.set_num_threads, (1,)) if threads > 1 else None
        size = model.size
        self.heads, self.key_heads = int(size("attention.head_count")), int(size("attention.head_count_kv"))
        self.size = int(size("attention.key_length", int(size("embedding_length")) // self.heads))
        if int(size("rope.dimension_count", self.size)) != self.size or self.size % 2:
            raise ModelError(f"the model rotates part of a head only, which this engine cannot do: {model.architecture}")
        self.each = self.heads // self.key_heads
        self.epsilon = float(size("attention.layer_norm_rms_epsilon"))
        base = float(size("rope.freq_base", 10_000.0))
        self.speeds = base ** (-np.arange(0, self.size, 2) / self.size)

        def linear(weight: Floats, bias: Floats | None = None) -> Linear:
            return Linear(torch, weight, eight_bits=eight_bits, bias=bias)

        def gain(name: str) -> Tensor:
            return torch.from_numpy(model.weight(name))

        self.embedding = linear(model.weight("token_embd.weight"))
        self.head = linear(model.weight("output.weight")) if "output.weight" in model.tensors else self.embedding
        self.norm = gain("output_norm.weight")
        self.width = len(self.norm)
        self.layers: list[Layer] = []
        for number in range(int(size("block_count"))):
            name = f"blk.{number}."
            biased = f"{name}attn_q.bias" in model.tensors
            inward = np.concatenate([self.halves(model, f"{name}attn_{part}.weight") for part in "qkv"])
            bias = np.concatenate([self.halves(model, f"{name}attn_{part}.bias") for part in "qkv"]) if biased else None
            feed = np.concatenate([model.weight(f"{name}ffn_{part}.weight") for part in ("gate", "up")])
            self.layers.append(
                Layer(
                    gain(f"{name}attn_norm.weight"), linear(inward, bias), linear(model.weight(f"{name}attn_output.weight")),
                    gain(f"{name}ffn_norm.weight"), linear(feed), linear(model.weight(f"{name}ffn_down.weight")),
                )
            )  # fmt: skip

    def together(self, work: Callable[[Part], None], parts: Sequence[Part]) -> None:
        """Do the work for all parts, at once where there are threads."""

        def alone(part: Part) -> None:
            with self.torch.inference_mode():  # a setting of each thread
                work(part)

        if self.pool is None or len(parts) < 2:
            for part in parts:
                work(part)
        else:
            list(self.pool.map(alone, parts))

    def close(self) -> None:
        """End its threads."""
        if self.pool is not None:
            self.pool.shutdown()

    @property
    def bytes_a_token(self) -> int:
        """What the keys and values of a kept token take."""
        return 2 * 4 * len(self.layers) * self.key_heads * self.size

    def halves(self, model: GGUF, name: str) -> Floats:
        """Query and key rows in the order in which halves of a head are rotated together, whatever the file's."""
        weight = model.weight(name)
        if not ARCHITECTURES[model.architecture] or "attn_v" in name:
            return weight
        heads = weight.reshape(-1, self.size // 2, 2, *weight.shape[1:])
        return np.ascontiguousarray(np.swapaxes(heads, 1, 2)).reshape(weight.shape)

    def read(self, tokens: NDArray[np.int64], begin: int, before: Sequence[tuple[Tensor, Tensor]],
             check: Callable[[], None]) -> tuple[Tensor, Tensor]:  # fmt: skip
        """Keys and values of tokens in a row, the first at position ``begin``, after the kept ones ``before``."""
        count = len(tokens)
        seen = [Seen(0, count, *one) for one in before]
        shape = (len(self.layers), self.key_heads, count, self.size)
        keys, values = self.torch.empty(shape), self.torch.empty(shape)
        self.forward(tokens, np.arange(begin, begin + count), seen, self.in_a_row, check, (keys, values))
        return keys, values

    def forward(self, tokens: NDArray[np.int64], places: NDArray[np.int64], seen: Sequence[Seen], own: Own, check: Callable[[], None],
                kept: tuple[Tensor, Tensor] | None = None) -> Tensor:  # fmt: skip
        """Hidden states [rows, width] of tokens at ``places``; with ``kept`` only keys and values are wanted, and written there.

        ``check`` is called before each layer, and ends the work by raising.
        """
        torch, count = self.torch, len(tokens)
        angle = torch.from_numpy((places[:, None] * self.speeds).astype(np.float32))[:, None]
        turn = (angle.cos(), angle.sin())
        x = self.embedding.rows(torch.from_numpy(tokens))
        queries = torch.empty(self.key_heads, count, self.each, self.size)
        keys, values = (torch.empty(self.key_heads, count, self.size) for _ in range(2))
        for number in range(len(self.layers)):
            check()
            if kept is not None:
                keys, values = kept[0][number], kept[1][number]
            self.layer(number, x, turn, (queries, keys, values), seen, own, ahead=kept is not None and number + 1 == len(self.layers))
        return x

    def layer(self, number: int, x: Tensor, turn: tuple[Tensor, Tensor], into: tuple[Tensor, Tensor, Tensor], seen: Sequence[Seen],
              own: Own, *, ahead: bool) -> None:  # fmt: skip
        """Add what a layer gives to ``x`` and write its queries, keys and values; with ``ahead`` only these are wanted."""
        layer, count, (queries, keys, values) = self.layers[number], len(x), into
        parts = chunks(count, ROWS)

        def inward(rows: slice) -> None:
            self.project(layer, x[rows], (turn[0][rows], turn[1][rows]), (queries[:, rows], keys[:, rows], values[:, rows]))

        self.together(inward, parts)
        if ahead:
            return
        asked = queries.view(self.key_heads, -1, self.size)
        looked, log_sums = own(asked, keys, values)
        apart = looked.view(self.key_heads, count, self.each, self.size)

        def outward(rows: slice) -> None:
            self.attend(asked, looked, log_sums, seen, rows, number)
            part = apart[:, rows].transpose(0, 1).reshape(-1, self.heads * self.size)
            x[rows] += layer.outward(part)
            x[rows] += self.feed(layer, x[rows])

        self.together(outward, parts)

    def project(self, layer: Layer, x: Tensor, turn: tuple[Tensor, ...], into: tuple[Tensor, Tensor, Tensor]) -> None:
        """Queries, keys (both turned by their places) and values of some rows."""
        count, half = len(x), self.size // 2
        given = layer.inward(self.normed(x, layer.attention_norm)).view(count, -1, self.size)
        cosine, sine = turn
        both = given[:, : self.heads + self.key_heads]
        one, other = both[..., :half], both[..., half:]
        turned = self.torch.cat((one * cosine - other * sine, other * cosine + one * sine), -1)
        into[0].copy_(turned[:, : self.heads].view(count, self.key_heads, self.each, self.size).transpose(0, 1))
        into[1].copy_(turned[:, self.heads :].transpose(0, 1))
        into[2].copy_(given[:, self.heads + self.key_heads :].transpose(0, 1))

    def attend(self, queries: Tensor, looked: Tensor, log_sums: Tensor, seen: Sequence[Seen], part: slice, layer: int) -> None:
        """Join what some rows attend to in each beginning that they are below to what they attend to among themselves."""
        for one in seen:
            begin, end = max(one.begin, part.start), min(one.end, part.stop)
            if begin >= end:
                continue
            rows = slice(begin * self.each, end * self.each)
            there, sums = self.flash(queries[None, :, rows], one.keys[None, layer], one.values[None, layer])
            share = (sums[0] - log_sums[:, rows]).sigmoid_()
            looked[:, rows].lerp_(there[0], share[..., None])
            log_sums[:, rows] = self.torch.logaddexp(log_sums[:, rows], sums[0])

    def flash(self, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor = None, *, causal: bool = False) -> tuple[Tensor, Tensor]:
        """Attention and its log-sum-exps, which the public function does not give."""
        return self.torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
            queries, keys, values, 0.0, causal, attn_mask=mask, scale=self.size**-0.5
        )

    def in_a_row(self, queries: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Each row attends to those before it and itself."""
        shape = (self.key_heads, -1, self.each, self.size)
        apart = queries.view(shape).transpose(1, 2).reshape(1, self.heads, -1, self.size)
        looked, sums = self.flash(apart, *(one.repeat_interleave(self.each, 0)[None] for one in (keys, values)), causal=True)
        looked = looked.view(self.key_heads, self.each, -1, self.size).transpose(1, 2).reshape(self.key_heads, -1, self.size)
        return looked, sums.reshape(self.key_heads, self.each, -1).transpose(1, 2).reshape(self.key_heads, -1)

    def feed(self, layer: Layer, x: Tensor) -> Tensor:
        given = layer.gate_and_up(self.normed(x, layer.feed_norm))
        inner = given.shape[1] // 2
        gate = self.torch.nn.functional.silu(given[:, :inner])
        return layer.down(gate.mul_(given[:, inner:]))

    def normed(self, x: Tensor, gain: Tensor) -> Tensor:
        return self.torch.nn.functional.rms_norm(x, (self.width,), gain, self.epsilon)

    def log_likelihoods(self, states: Tensor, rows: NDArray[np.int64], tokens: NDArray[np.int64]) -> NDArray[np.float64]:
        """Log-probabilities in nats of ``tokens`` after the rows of ``states`` that stand beside them in ``rows`` (ascending)."""
        torch = self.torch
        wanted, at = np.unique(rows, return_inverse=True)
        given = np.empty(len(tokens))

        def look(chunk: slice) -> None:
            logits = self.head(self.normed(states[torch.from_numpy(wanted[chunk])], self.norm))
            here = np.flatnonzero((at >= chunk.start) & (at < chunk.stop))
            values = logits[torch.from_numpy(at[here] - chunk.start), torch.from_numpy(tokens[here])].double()
            sums = logits.logsumexp(-1).double()
            given[here] = (values - sums[torch.from_numpy(at[here] - chunk.start)]).numpy()

        self.together(look, chunks(len(wanted), HEAD_ROWS))
        return given


def chunks(count: int, size: int) -> list[slice]:
    return [slice(begin, min(begin + size, count)) for begin in range(0, count, size)]
