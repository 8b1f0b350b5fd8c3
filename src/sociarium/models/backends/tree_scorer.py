"""An engine for choices alone: the options of all who wait are branches of one tree, and each shared word is read once.

The beginnings that prompts have in common are kept (prefixes.py); each request's own words and options are rows of one pass (decoder.py).
"""

from __future__ import annotations

import atexit
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.errors import ModelError
from sociarium.models.backend import CallFailed
from sociarium.models.backends.decoder import Decoder, Seen, Tensor, chunks
from sociarium.models.backends.engine import Answer, Scored, Tokens
from sociarium.models.backends.prefixes import Ids, Prefixes, Segment
from sociarium.models.backends.slots import shared_prefix
from sociarium.models.gguf import GGUF
from sociarium.models.request import Sampling

PACKAGES = ("torch", "gguf")
VERSION = 1  # of what is computed: a change gives replies another key
KEPT = 512 << 20  # bytes of keys and values that are kept
BATCH, BATCH_TOKENS = 256, 4096  # requests, and tokens not known to be shared, in one pass
SETTLE = 0.004  # seconds without another request after which a pass starts
WIDEN = 16  # requests whose rows differ by less attend side by side
BESIDE = 8  # and so many of them at once


def installed() -> bool:
    """Whether the packages of the extra ``tree`` are here."""
    return all(find_spec(name) is not None for name in PACKAGES)


def needed() -> None:
    """ModelError names the extra where a package is missing."""
    if not installed():
        raise ModelError(f"engine=tree needs the packages {' and '.join(PACKAGES)}; install them by: pip install 'sociarium[tree]'")


def engine_name(*, eight_bits: bool) -> str:
    """What answers, for the key of a reply."""
    return f"torch {version('torch')} {'int8' if eight_bits else 'float32'} tree {VERSION}"


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """One choice to be scored."""

    prompt: Ids
    options: tuple[Tokens, ...]
    stopped: threading.Event
    future: Future[Scored]


@dataclass(slots=True, eq=False)
class Rows:
    """What is read for one request: its own words, then the options as a tree without their last tokens."""

    tokens: list[int]
    depths: list[int]
    above: list[int]  # the row before each; -1 before the first
    asked: list[list[tuple[int, int]]]  # (row, token) for each token of each option

    @classmethod
    def of(cls, own: Sequence[int], options: Sequence[Tokens]) -> Rows:
        rows = cls(list(own), list(range(len(own))), list(range(-1, len(own) - 1)), [])
        nodes: dict[Tokens, int] = {(): len(own) - 1}
        for option in options:
            steps: list[tuple[int, int]] = []
            for at, token in enumerate(option):
                row = nodes.get(option[:at])
                if row is None:
                    row = nodes[option[:at]] = len(rows.tokens)
                    rows.above.append(nodes[option[: at - 1]])
                    rows.depths.append(len(own) + at - 1)
                    rows.tokens.append(option[at - 1])
                steps.append((row, token))
            rows.asked.append(steps)
        return rows

    def visible(self, size: int, each: int) -> NDArray[np.float32]:
        """0 where a row attends to another, else -inf: [size x each, size]; rows beyond the last see themselves."""
        seen = np.eye(size, dtype=bool)
        for row, above in enumerate(self.above):
            if above >= 0:
                seen[row] |= seen[above]
        return np.repeat(np.where(seen, np.float32(0), np.float32(-np.inf)), each, 0)


class TreeScorer:
    """One thread that scores all waiting choices in one pass. The weights are loaded when first asked for.

    The last bits of a score depend on what else is asked: attention is summed in another order. ``threads``: cores that share a pass, which
    gives the same bits on any number of them. ``path`` is a plain file of a known architecture (conversion.py).
    """

    def __init__(self, path: Path, *, threads: int = 1, context: int = 4096, eight_bits: bool = False) -> None:
        self.path, self.threads, self.context, self.eight_bits = path, threads, context, eight_bits
        self.queue: list[Choice] = []
        self.changed = threading.Condition()
        self.closed = False
        self.decoder: Decoder | None = None
        self.prefixes = Prefixes(0, cut)
        atexit.register(self.close)  # a thread inside the engine when the interpreter ends would take the process down
        self.worker = threading.Thread(target=self.work, name="local-model-tree", daemon=True)
        self.worker.start()

    def write(self, prompt: Sequence[int], sampling: Sampling, seed: int, stopped: threading.Event) -> Future[Answer]:
        raise CallFailed("wrong_shape", "this engine scores options, it does not write", retryable=False)

    def score(self, prompt: Sequence[int], options: Sequence[Tokens], stopped: threading.Event) -> Future[Scored]:
        """How likely each option is to follow the prompt."""
        if len(prompt) + max(map(len, options)) > self.context:
            message = f"local engine: prompt and option have {len(prompt) + max(map(len, options))} tokens, the context {self.context}"
            raise CallFailed("context_too_long", message, retryable=False)
        choice = Choice(np.asarray(prompt, np.int64), tuple(map(tuple, options)), stopped, Future())
        with self.changed:
            if self.closed:
                raise CallFailed("unavailable", "the local model is closed", retryable=False)
            self.queue.append(choice)
            self.changed.notify()
        return choice.future

    def close(self) -> None:
        """End what is under way at its next layer; all that has no score yet fails."""
        with self.changed:
            self.closed = True
            self.changed.notify_all()
        self.worker.join()
        atexit.unregister(self.close)
        if self.decoder is not None:
            self.decoder.close()
        self.decoder, self.prefixes = None, Prefixes(0, cut)

    def work(self) -> None:
        """What the thread does until the engine is closed."""
        while batch := self.next():
            live = [choice for choice in batch if choice.future.set_running_or_notify_cancel()]
            try:
                for choice, scored in zip(live, self.scored(live), strict=True):
                    choice.future.set_result(scored)
            except CallFailed as failed:
                give_up(live, failed)
            except ModelError as error:
                give_up(live, CallFailed("unavailable", str(error), retryable=False))
            except (RuntimeError, ValueError, MemoryError) as error:  # what the engine raises
                give_up(live, CallFailed("server_error", f"local engine: {error}", retryable=True))
        give_up(self.queue, CallFailed("unavailable", "the local model is closed", retryable=False))
        self.queue = []

    def next(self) -> list[Choice]:
        """The choices of the next pass; none once closed."""
        with self.changed:
            while not self.queue and not self.closed:
                self.changed.wait()
            while len(self.queue) < BATCH and not self.closed and self.changed.wait(SETTLE):
                pass  # as long as others come
            if self.closed:
                return []
            taken = fitting(self.queue, BATCH_TOKENS)
            batch, self.queue = self.queue[:taken], self.queue[taken:]
            return batch

    def loaded(self) -> Decoder:
        if self.decoder is None:
            self.decoder = Decoder(GGUF(self.path), threads=self.threads, eight_bits=self.eight_bits)
            self.prefixes = Prefixes(KEPT // self.decoder.bytes_a_token, cut)
        return self.decoder

    def scored(self, batch: Sequence[Choice]) -> list[Scored]:
        """Read what is shared and not kept, then all that is not shared in one pass."""
        decoder = self.loaded()

        def check() -> None:
            if self.closed or all(choice.stopped.is_set() for choice in batch):
                raise CallFailed("reset", "the caller went away or the model was closed", retryable=False)

        if not batch:
            return []
        with decoder.torch.inference_mode():
            try:
                nodes = self.prefixes.place([choice.prompt for choice in batch])
                cached = [sum(len(one.tokens) for one in node.path() if one.kept is not None) for node in nodes]
                order = self.read(decoder, nodes, check)
                return self.passed(decoder, batch, nodes, order, cached, check)
            finally:
                self.prefixes.trim()

    def read(self, decoder: Decoder, nodes: Sequence[Segment], check: Any) -> dict[int, int]:
        """Read what these segments lack, parents first. Gives each segment's place in the tree: those below one follow it."""
        for node in nodes:
            path = node.path()
            for at, one in enumerate(path):
                if one.kept is None:
                    one.kept = decoder.read(one.tokens, one.begin, [upper.kept for upper in path[:at]], check)
        return {id(node): number for number, node in enumerate(self.prefixes.root.below())}

    def passed(self, decoder: Decoder, batch: Sequence[Choice], nodes: Sequence[Segment], order: dict[int, int],
               cached: Sequence[int], check: Any) -> list[Scored]:  # fmt: skip
        """One pass over the rows of all requests."""
        turns = sorted(range(len(batch)), key=lambda at: order[id(nodes[at])])
        trees: list[Rows] = []
        starts: list[int] = []
        spans: dict[int, tuple[Segment, int, int]] = {}
        tokens: list[int] = []
        places: list[int] = []
        for at in turns:
            begin = nodes[at].end
            tree = Rows.of(batch[at].prompt[begin:].tolist(), batch[at].options)
            trees.append(tree)
            starts.append(len(tokens))
            tokens += tree.tokens
            places += [begin + depth for depth in tree.depths]
            for one in nodes[at].path():
                spans[id(one)] = (one, spans[id(one)][1] if id(one) in spans else starts[-1], len(tokens))
        seen = [Seen(begin, end, *one.kept) for one, begin, end in spans.values()]
        own = Among(decoder, trees, starts)
        states = decoder.forward(np.array(tokens), np.array(places), seen, own, check)
        asked = [(start + row, token) for tree, start in zip(trees, starts, strict=True) for steps in tree.asked for row, token in steps]
        pairs = np.array(asked, np.int64)
        likely = iter(decoder.log_likelihoods(states, pairs[:, 0], pairs[:, 1]).tolist())
        given: dict[int, Scored] = {}
        for at, tree in zip(turns, trees, strict=True):
            scores = tuple(sum(next(likely) for _ in steps) for steps in tree.asked)
            steps = {option[: length + 1] for option in batch[at].options for length in range(len(option))}
            given[at] = Scored(scores, len(batch[at].prompt), cached[at], len(steps))
        return [given[at] for at in range(len(batch))]


class Among:
    """Attention of each request's rows to its own rows: requests of like size side by side, padded to the largest."""

    def __init__(self, decoder: Decoder, trees: Sequence[Rows], starts: Sequence[int]) -> None:
        self.decoder = decoder
        torch = decoder.torch
        alike: dict[int, list[int]] = {}
        for number, tree in enumerate(trees):
            alike.setdefault(-(-len(tree.tokens) // WIDEN), []).append(number)
        self.groups: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
        for alike_ones in alike.values():
            for part in chunks(len(alike_ones), BESIDE):
                numbers = alike_ones[part]
                size = max(len(trees[number].tokens) for number in numbers)
                lengths = np.array([len(trees[number].tokens) for number in numbers])
                real = np.arange(size) < lengths[:, None]
                index = np.where(real, np.array([starts[number] for number in numbers])[:, None] + np.arange(size), 0)
                mask = np.stack([trees[number].visible(size, decoder.each) for number in numbers])[:, None]
                self.groups.append(
                    (torch.from_numpy(index), torch.from_numpy(mask), torch.from_numpy(index[real]), torch.from_numpy(np.flatnonzero(real)))
                )

    def __call__(self, queries: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        decoder, heads = self.decoder, self.decoder.key_heads
        each, size = decoder.each, decoder.size
        looked = queries.new_empty(heads, keys.shape[1], each, size)
        sums = queries.new_empty(heads, keys.shape[1], each)
        apart = queries.view(heads, -1, each, size)

        def look(group: tuple[Tensor, Tensor, Tensor, Tensor]) -> None:
            index, mask, to, real = group
            many, wide = index.shape
            there, logs = decoder.flash(
                apart[:, index].view(heads, many, wide * each, size).transpose(0, 1),
                keys[:, index].transpose(0, 1), values[:, index].transpose(0, 1), mask,
            )  # fmt: skip
            looked[:, to] = there.transpose(0, 1).reshape(heads, many * wide, each, size)[:, real]
            sums[:, to] = logs.transpose(0, 1).reshape(heads, many * wide, each)[:, real]

        decoder.together(look, self.groups)
        return looked.view(heads, -1, size), sums.view(heads, -1)


def cut(kept: tuple[Tensor, Tensor], length: int) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Keys and values in two, each in memory of its own, so that dropping one half frees it."""
    keys, values = kept
    return (keys[:, :, :length].clone(), values[:, :, :length].clone()), (keys[:, :, length:].clone(), values[:, :, length:].clone())


def fitting(queue: Sequence[Choice], most: int) -> int:
    """How many of the oldest fit into one pass; what one shares with the oldest or with the one before it is not counted again."""
    total = taken = 0
    for at, choice in enumerate(queue[:BATCH]):
        shared = max((shared_prefix(choice.prompt, other.prompt) for other in (queue[0], queue[at - 1])), default=0) if at else 0
        total += len(choice.prompt) - shared + sum(map(len, choice.options))
        if at and total > most:
            break
        taken = at + 1
    return taken


def give_up(choices: Sequence[Choice], failure: CallFailed) -> None:
    for choice in choices:
        if not choice.future.done():
            choice.future.set_exception(failure)
