"""A language model inside this process, on the CPU, without a key: ``local:smollm2`` or any .gguf file.

Choices are scored by the text of the options (docs/design/local-model.md): the total log-likelihood in nats of an option's tokens
as what the assistant says next, minus the same after ``request.neutral`` where given, then softmax over the options.
"""

from __future__ import annotations

import asyncio
import json
import math
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

from sociarium.kernel.content import Content
from sociarium.kernel.errors import ModelError
from sociarium.kernel.protocols import Usage
from sociarium.models import weights
from sociarium.models.backend import CallFailed
from sociarium.models.backends.llama import Answer, EngineOptions, LlamaEngine
from sociarium.models.backends.option_tree import log_likelihoods
from sociarium.models.backends.prompt import Prompter
from sociarium.models.request import BackendFacts, Reply, Request
from sociarium.models.spec import split

T = TypeVar("T")
Scores = tuple[float, ...]  # log-likelihood of each option, nats
PRIORS = 1024  # scores under neutral prompts that are remembered
SEEDS = 2**32 - 1  # 2^32 - 1 itself would mean "any seed" to the engine


class LocalBackend:
    """A model in llama.cpp's slots. Requests are answered in order of arrival, ``slots`` at a time, batched token by token."""

    def __init__(self, facts: BackendFacts, engine: LlamaEngine) -> None:
        self._facts = facts
        self._engine = engine
        self._prompter = Prompter(engine.post)
        self._threads = ThreadPoolExecutor(engine.options.slots, thread_name_prefix="local-model")
        self._priors: dict[tuple[Content, tuple[str, ...]], Scores] = {}

    @classmethod
    def open(cls, spec: str, *, threads: int = 1, slots: int | None = None, context: int = 4096, exact: bool = False) -> LocalBackend:
        """Load ``smollm2``, ``qwen2.5-coder-1.5b`` or ``/path/model.gguf``.

        ``slots`` requests are served at once (default 8, or 1 if ``exact``), each with up to ``context`` tokens of prompt and reply.
        ``exact``: equal requests get bit-equal replies, at the price of reading each prompt from its first token. Raises ModelError.
        """
        options = EngineOptions(threads=threads, slots=slots or (1 if exact else 8), context=context, exact=exact)
        path = file_of(spec)
        engine = LlamaEngine(path, options)
        facts = BackendFacts(
            name=f"local:{spec}",
            digest=f"sha256:{weights.digest_of(path)}",
            engine={"engine": f"xllamacpp {version('xllamacpp')}", "context": context, "slots": options.slots, "exact": exact},
            exact=exact,
            log_probabilities=True,
            schemas=True,
            seeds=True,
            context=context,
            parallel=options.slots,
        )
        return cls(facts, engine)

    @property
    def facts(self) -> BackendFacts:
        return self._facts

    async def complete(self, request: Request, draw: int | None) -> Reply:
        """One reply; raises CallFailed. A cancelled caller ends the generation at its next token."""
        if request.kind == "embed":
            raise CallFailed("wrong_shape", f"{self._facts.name} gives no embeddings; use an embedder beside it", retryable=False)
        stopped = threading.Event()

        def work() -> Reply:
            began = time.perf_counter()
            reply, usage = self._choose(request, stopped) if request.kind == "choose" else self._write(request, draw, stopped)
            return timed(reply, usage, time.perf_counter() - began)

        try:
            return await self._in_thread(work)
        except asyncio.CancelledError:
            stopped.set()
            raise

    async def complete_many(self, requests: Sequence[Request], draws: Sequence[int | None]) -> Sequence[Reply | CallFailed]:
        """Replies in the order of the requests."""

        async def one(request: Request, draw: int | None) -> Reply | CallFailed:
            try:
                return await self.complete(request, draw)
            except CallFailed as failed:
                return failed

        return await asyncio.gather(*(one(request, draw) for request, draw in zip(requests, draws, strict=True)))

    async def close(self) -> None:
        """Waits for what is under way, then frees the model. Closing twice does nothing."""
        await asyncio.get_running_loop().run_in_executor(None, self._threads.shutdown)
        self._engine.close()

    async def _in_thread(self, work: Callable[[], T]) -> T:
        try:
            future = asyncio.get_running_loop().run_in_executor(self._threads, work)
        except RuntimeError as error:  # the pool is shut down
            raise CallFailed("unavailable", f"{self._facts.name} is closed", retryable=False) from error
        return await future

    def _write(self, request: Request, draw: int | None, stopped: threading.Event) -> tuple[Reply, Usage]:
        prompt = self._prompter.prompt(request.blocks)
        with self._engine.slots.taken(prompt) as slot:
            given = self._engine.complete(prompt, slot, request.sampling, (draw or 0) % SEEDS, request.schema, stopped)
        value = None
        if request.schema is not None and given.finish == "stop":
            try:
                value = json.loads(given.text)
            except ValueError as error:  # the engine drops a schema that it cannot hold without a word
                raise CallFailed(
                    "wrong_shape", f"the reply does not follow the schema: {error}; the engine cannot hold it", retryable=False
                ) from error
        usage = Usage(calls=1, prompt_tokens=given.prompt, cached_tokens=given.cached, completion_tokens=given.completion)
        return Reply(text=given.text, value=value, finish=given.finish, model=self._facts.name), usage

    def _choose(self, request: Request, stopped: threading.Event) -> tuple[Reply, Usage]:
        if len(request.options) < 2:
            raise CallFailed("wrong_shape", "a choice needs two options or more", retryable=False)
        scores, usage = self._score(request.blocks, request.options, stopped)
        if request.neutral is not None:
            prior, spent = self._prior_of(request.neutral, request.options)
            scores = tuple(score - base for score, base in zip(scores, prior, strict=True))
            usage = usage + spent
        shares = softmax(scores)
        best = request.options[shares.index(max(shares))]
        return Reply(text=best, probabilities=shares, model=self._facts.name), usage

    def _prior_of(self, neutral: Content, options: tuple[str, ...]) -> tuple[Scores, Usage]:
        """A prior depends on the neutral prompt and the options only; most agents share it. What is remembered costs nothing."""
        known = self._priors.get((neutral, options))
        if known is not None:
            return known, Usage()
        scores, usage = self._score(neutral, options, threading.Event())
        while len(self._priors) >= PRIORS:
            self._priors.pop(next(iter(self._priors)), None)
        self._priors[(neutral, options)] = scores
        return scores, usage

    def _score(self, blocks: Content, options: tuple[str, ...], stopped: threading.Event) -> tuple[Scores, Usage]:
        prompt = self._prompter.prompt(blocks)
        rows = self._prompter.options(blocks, options)
        steps: list[Answer] = []
        with self._engine.slots.taken(prompt) as slot:

            def force(prefix: tuple[int, ...], chain: tuple[int, ...], alternatives: bool) -> tuple[Sequence[float], dict[int, float]]:
                if stopped.is_set():
                    raise CallFailed("reset", "the caller went away", retryable=False)
                fresh = self._engine.options.exact and not steps  # the first step reads the prompt, the others go on from it
                given = self._engine.force([*prompt, *prefix], chain, slot, fresh=fresh, alternatives=alternatives)
                steps.append(given)
                return given.log_probabilities, dict(given.alternatives or {})

            scores = tuple(log_likelihoods(rows, force))
        spent = sum(len(step.log_probabilities) for step in steps)
        usage = Usage(calls=1, prompt_tokens=len(prompt), cached_tokens=steps[0].cached, completion_tokens=spent)
        return scores, usage


def file_of(spec: str) -> Path:
    """The weight file that ``spec`` names; ModelError says how to get it."""
    if spec.endswith(".gguf"):
        path = Path(spec).expanduser()
        if not path.is_file():
            raise ModelError(f"there is no weight file {path}")
        return path
    path = weights.located(weights.known(spec).name)
    if path is None:
        raise ModelError(f"the weights of {spec} are not here; get them by: sociarium models pull {spec}")
    return path


def softmax(scores: Sequence[float]) -> tuple[float, ...]:
    top = max(scores)
    raised = [math.exp(score - top) for score in scores]
    whole = math.fsum(raised)
    return tuple(one / whole for one in raised)


def timed(reply: Reply, usage: Usage, seconds: float) -> Reply:
    return replace(reply, usage=replace(usage, seconds=seconds))


def open_local(spec: str) -> LocalBackend:
    """``local:NAME?threads=1&slots=8&context=4096&exact=0``; NAME may be the path of a .gguf file."""
    name, options = split(spec, spec.removeprefix("local:"))
    exact = bool(options.take("exact", int, 0))
    threads = options.take("threads", int, 1)
    slots = options.take("slots", int, 1 if exact else 8)
    context = options.take("context", int, 4096)
    options.done()
    return LocalBackend.open(name, threads=threads, slots=slots, context=context, exact=exact)
