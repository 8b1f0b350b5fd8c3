"""CTranslate2 inside this process: several times llama.cpp's speed at reading prompts and in batches, but it keeps no prompt from one
request to the next, has no grammar, and its draws cannot be seeded request by request. So it writes greedily, and it scores options.
"""

from __future__ import annotations

import atexit
import json
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sociarium.kernel.errors import ModelError
from sociarium.models.backend import CallFailed
from sociarium.models.backends.engine import Answer, Scored, Tokens
from sociarium.models.gguf import library
from sociarium.models.request import Sampling

BATCH = 32  # texts written together
SPREAD = 12  # tokens by which prompts in one batch may differ: what is beyond the shortest is read token by token
MEMORY = 1 << 30  # bytes of keys and values that a batch of texts may hold
SHARE = 4  # of the machine's memory, one part in so many for the keys and values of all that is computed at once
SETTLE = 0.004  # seconds without another text after which a batch starts


@dataclass(slots=True, eq=False)
class Writing:
    """One text to be written."""

    prompt: tuple[int, ...]
    most: int  # tokens
    stop: tuple[bytes, ...]
    stopped: threading.Event
    future: Future[Answer]
    written: bytearray = field(default_factory=bytearray)
    tokens: int = 0
    finish: str = ""

    def take(self, piece: bytes) -> bool:
        """One more token; whether the text ends with it."""
        self.tokens += 1
        before = len(self.written)
        self.written += piece
        for stop in self.stop:
            at = self.written.find(stop, max(0, before - len(stop)))
            if at >= 0:
                del self.written[at:]
                self.finish = "stop"
        if not self.finish and self.tokens >= self.most:
            self.finish = "length"
        return bool(self.finish)


@dataclass(frozen=True, slots=True, eq=False)
class Scoring:
    """One choice to be scored."""

    prompt: tuple[int, ...]
    options: tuple[Tokens, ...]
    stopped: threading.Event
    future: Future[Scored]


class CtranslateEngine:
    """A converted model. ``threads`` batches are computed at once, each on one core; texts that wait are dealt out among idle cores.

    ``exact``: only prompts of one length share a batch. Then a reply does not depend on what else is asked: with eight-bit weights the
    products are whole numbers, and all else is computed row by row (docs/design/local-model.md has the measurement).
    """

    def __init__(self, folder: Path, *, threads: int = 1, context: int = 4096, exact: bool = False) -> None:
        self.context = context
        self.spread = 0 if exact else SPREAD
        self.room_for_all = max(2 * MEMORY, physical_memory() // SHARE)
        notes = json.loads((folder / "pieces.json").read_text("utf-8"))
        self.pieces = [bytes.fromhex(piece) for piece in notes["pieces"]]
        self.ends = frozenset(int(end) for end in notes["ends"])
        self.bytes_a_token = int(notes["bytes_a_token"])
        package = library("ctranslate2")
        try:
            self.model: Any = package.Generator(str(folder), device="cpu", compute_type="default", inter_threads=threads, intra_threads=1)
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"the converted model {folder} cannot be loaded: {error}. Delete the folder: it is made anew.") from error
        self.queue: list[Writing | Scoring] = []
        self.changed = threading.Condition()
        self.closed = self.leaving = False
        self.idle = 0  # workers that look for work
        self.held = 0  # bytes of keys and values of what is under way
        # They only wait for the engine, which computes in threads of its own. One that is inside the engine when the interpreter ends
        # would take the process down, so an engine that nobody closed is closed at exit.
        atexit.register(self.leave)
        self.workers = [threading.Thread(target=self.work, name="local-model-batches", daemon=True) for _ in range(threads)]
        for worker in self.workers:
            worker.start()

    def write(self, prompt: Sequence[int], sampling: Sampling, seed: int, stopped: threading.Event) -> Future[Answer]:
        """Text after the prompt, the likeliest token each time: ``seed`` has no part in it."""
        if sampling.temperature != 0.0:
            raise CallFailed("wrong_shape", "this engine writes greedily: it cannot repeat a draw", retryable=False)
        most = min(sampling.max_tokens, self.room(prompt))
        stop = tuple(text.encode() for text in sampling.stop if text)
        return self.put(Writing(tuple(prompt), most, stop, stopped, Future()))

    def score(self, prompt: Sequence[int], options: Sequence[Tokens], stopped: threading.Event) -> Future[Scored]:
        """How likely each option is to follow the prompt, which is read once for all of them."""
        if self.room(prompt) < max(map(len, options)):
            raise too_long(len(prompt), self.context)
        return self.put(Scoring(tuple(prompt), tuple(options), stopped, Future()))

    def close(self) -> None:
        """Wait for what is under way; what has not begun fails."""
        with self.changed:
            self.closed = True
            left, self.queue = self.queue, []
            self.changed.notify_all()
        for job in left:
            fail(job, closed())
        for worker in self.workers:
            worker.join()
        atexit.unregister(self.leave)
        self.model = None

    def leave(self) -> None:
        """Close without waiting for the rest of what is under way."""
        self.leaving = True
        self.close()

    def room(self, prompt: Sequence[int]) -> int:
        """How many tokens may follow."""
        if len(prompt) >= self.context:
            raise too_long(len(prompt), self.context)
        return self.context - len(prompt)

    def put(self, job: Any) -> Any:
        with self.changed:
            if self.closed:
                raise closed()
            self.queue.append(job)
            self.changed.notify()
        return job.future

    def work(self) -> None:
        """What a worker does until the engine is closed."""
        while (jobs := self.next()) is not None:
            live = [job for job in jobs if job.future.set_running_or_notify_cancel()]
            try:
                if live and isinstance(live[0], Scoring):
                    live[0].future.set_result(self.scored(live[0]))
                elif live:
                    self.write_all([job for job in live if isinstance(job, Writing)])
            except CallFailed as failed:
                for job in live:
                    fail(job, failed)
            except (RuntimeError, ValueError, MemoryError) as error:  # what the engine raises
                for job in live:
                    fail(job, CallFailed("server_error", f"local engine: {error}", retryable=True))
            with self.changed:
                self.held -= self.size_of(jobs)
                self.changed.notify_all()

    def next(self) -> list[Writing | Scoring] | None:
        """The oldest job, and with a text those others that fit into its batch, less what idle workers can take; None once closed.

        It waits until there is room for them in memory beside what is under way.
        """
        with self.changed:
            self.idle += 1
            try:
                while not self.closed:
                    if not self.queue:
                        self.changed.wait()
                        continue
                    if isinstance(self.queue[0], Writing) and len(self.queue) < BATCH and self.changed.wait(SETTLE):
                        continue  # as long as others come
                    if not self.queue or self.closed:  # somebody else took it meanwhile
                        continue
                    jobs = fitting(self.queue, self.spread, MEMORY // self.bytes_a_token)
                    jobs = jobs[: -(-len(jobs) // self.idle)]
                    if not self.held or self.held + self.size_of(jobs) <= self.room_for_all:
                        return self.take(jobs)
                    self.changed.wait()
                return None
            finally:
                self.idle -= 1

    def take(self, jobs: list[Writing | Scoring]) -> list[Writing | Scoring]:
        """Out of the queue."""
        taken = set(map(id, jobs))
        self.queue = [job for job in self.queue if id(job) not in taken]
        self.held += self.size_of(jobs)
        if self.queue:
            self.changed.notify()
        return jobs

    def size_of(self, jobs: Sequence[Writing | Scoring]) -> int:
        """Bytes of keys and values at the most: of a choice the prompt's are copied for each option."""
        rows = [len(job.options) + 1 if isinstance(job, Scoring) else 1 for job in jobs]
        ahead = [max(map(len, job.options)) if isinstance(job, Scoring) else job.most for job in jobs]
        tokens = (many * (len(job.prompt) + more) for job, many, more in zip(jobs, rows, ahead, strict=True))
        return self.bytes_a_token * sum(tokens)

    def write_all(self, batch: Sequence[Writing]) -> None:
        """Write the texts of a batch side by side; each is handed out when it ends."""

        def heard(step: Any) -> bool:  # true ends this text
            job = batch[int(step.batch_id)]
            if job.finish or job.stopped.is_set() or self.leaving:
                ended = True
            elif step.token_id in self.ends:
                job.finish, ended = "stop", True
            else:
                ended = job.take(self.pieces[int(step.token_id)])
            if ended and not job.future.done():
                hand_out(job)
            return ended

        most = max(job.most for job in batch)
        self.generate([list(map(str, job.prompt)) for job in batch], most, heard)
        for job in batch:
            if not job.future.done():
                hand_out(job)

    def scored(self, job: Scoring) -> Scored:
        """The prompt is read once; its state is copied for each option of more than one token, whose tokens are then forced.

        The first row is the prompt alone: it gives the first token of every option.
        """
        *before, last = job.prompt
        rows = [option for option in job.options if len(option) > 1]
        lengths = [1, *map(len, rows)]
        starts = [[str(last)], *([str(last), *map(str, row[:-1])] for row in rows)]

        def heard(step: Any) -> bool:
            return job.stopped.is_set() or int(step.step) + 1 >= lengths[int(step.batch_id)]

        given = self.generate(starts, max(lengths), heard, before=list(map(str, before)), logits=True)
        if job.stopped.is_set():
            raise CallFailed("reset", "the caller went away", retryable=False)
        first = log_shares(given[0].logits[0][0])
        totals = {option: float(first[option[0]]) for option in job.options}
        for row, one in zip(rows, given[1:], strict=True):
            steps = one.logits[0]
            if len(steps) != len(row):
                raise CallFailed("misaligned", "the engine did not follow the option's tokens", retryable=False)
            totals[row] += sum(float(log_shares(step)[token]) for token, step in zip(row[1:], steps[1:], strict=True))
        return Scored(tuple(totals[option] for option in job.options), len(job.prompt), 0, sum(lengths) - 1)

    def generate(self, starts: list[list[str]], most: int, heard: Callable[[Any], bool], *, before: list[str] | None = None,
                 logits: bool = False) -> Any:  # fmt: skip
        return self.model.generate_batch(
            starts, max_length=most, static_prompt=before, cache_static_prompt=False, include_prompt_in_result=False,
            return_logits_vocab=logits, end_token=sorted(self.ends), sampling_topk=1, callback=heard,
        )  # fmt: skip


def fitting(queue: Sequence[Writing | Scoring], spread: int, tokens: int) -> list[Writing | Scoring]:
    """The oldest job and those that may run beside it; ``tokens`` is how many all rows together may hold."""
    first = queue[0]
    if isinstance(first, Scoring):
        return [first]
    batch: list[Writing | Scoring] = [first]
    least = most = len(first.prompt)
    longest = most + first.most
    for job in queue[1:]:
        if not isinstance(job, Writing):
            continue
        low, high = min(least, len(job.prompt)), max(most, len(job.prompt))
        wide = max(longest, len(job.prompt) + job.most)
        if high - low <= spread and (len(batch) + 1) * wide <= tokens and len(batch) < BATCH:
            batch.append(job)
            least, most, longest = low, high, wide
    return batch


def hand_out(job: Writing) -> None:
    if job.stopped.is_set():
        job.future.set_exception(CallFailed("reset", "the caller went away", retryable=False))
        return
    text = bytes(job.written).decode("utf-8", "ignore")  # a letter that was cut in half is left out
    job.future.set_result(Answer(text, job.finish or "length", len(job.prompt), 0, job.tokens))


def fail(job: Writing | Scoring, failure: CallFailed) -> None:
    if not job.future.done():
        job.future.set_exception(failure)


def log_shares(logits: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Log-probabilities over the vocabulary, in nats."""
    values = np.asarray(logits, np.float64)
    top = values.max()
    return values - (top + np.log(np.exp(values - top).sum()))


def physical_memory() -> int:
    """Bytes of this machine; 0 where it does not say."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 0


def too_long(prompt: int, context: int) -> CallFailed:
    return CallFailed("context_too_long", f"local engine: the prompt has {prompt} tokens, the context {context}", retryable=False)


def closed() -> CallFailed:
    return CallFailed("unavailable", "the local model is closed", retryable=False)
