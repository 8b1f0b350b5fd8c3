"""A language model inside this process, on the CPU, without a key: ``local:smollm2`` or any .gguf file.

Choices are scored by the text of the options (docs/design/local-model.md): the total log-likelihood in nats of an option's tokens
as what the assistant says next, minus the same after ``request.neutral`` where given, then softmax over the options.

Up to three engines share the work. Which one answers depends on the request alone (its kind, its sampling, the length of its prompt),
never on what else is asked at the time.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from sociarium.kernel.content import Content
from sociarium.kernel.errors import ModelError, UsageError
from sociarium.kernel.protocols import Usage
from sociarium.models import conversion, weights
from sociarium.models.backend import CallFailed
from sociarium.models.backends import tree_scorer
from sociarium.models.backends.ctranslate import CtranslateEngine
from sociarium.models.backends.engine import Engine
from sociarium.models.backends.fields import by_fields, plan
from sociarium.models.backends.llama import EngineOptions, LlamaEngine
from sociarium.models.backends.prompt import Prompter
from sociarium.models.backends.tree_scorer import TreeScorer
from sociarium.models.gguf import GGUF, REQUANTISED, requantised
from sociarium.models.request import BackendFacts, Reply, Request
from sociarium.models.spec import split, yes_or_no

T = TypeVar("T")
Scores = tuple[float, ...]  # log-likelihood of each option, nats
ENGINES = ("auto", "llama", "ctranslate", "tree")
PRIORS = 1024  # scores under neutral prompts that are remembered
SEEDS = 2**32 - 1  # 2^32 - 1 itself would mean "any seed" to the engine
SMALL = 512 << 20  # bytes of a weight file of which ``auto`` holds a second form in memory, and the tree float32
SHORT_TEXT, SHORT_CHOICE = 256, 160  # tokens of a prompt up to which the second engine is faster, though it keeps no prefix
GATHERED = 64  # requests that the other engines can use at once


class LocalBackend:
    """A model in llama.cpp's slots, in CTranslate2's batches and in a scorer of choices where those are here. Each batches on its own."""

    def __init__(self, facts: BackendFacts, engine: LlamaEngine, batch: CtranslateEngine | None = None, *,
                 tree: TreeScorer | None = None, everything: bool = False, fields: bool = False) -> None:  # fmt: skip
        """``tree``: takes all choices. ``everything``: ``batch`` takes all that it can, long prompts too. ``fields``: simple schemas are
        asked field by field."""
        self._facts = facts
        self._engine = engine
        self._batch = batch
        self._tree = tree
        self._everything = everything
        self._fields = fields
        self._prompter = Prompter(engine.post)
        self._readers = ThreadPoolExecutor(2, thread_name_prefix="local-model-prompts")
        self._priors: dict[tuple[str, Content, tuple[str, ...]], Scores] = {}
        self._asked: dict[tuple[Any, ...], asyncio.Task[tuple[Scores, Usage]]] = {}  # priors under way

    @classmethod
    def open(cls, spec: str, *, threads: int | None = None, slots: int | None = None, context: int = 4096, exact: bool = False,
             engine: str = "auto", form: str = "", fields: bool = False) -> LocalBackend:  # fmt: skip
        """Load ``smollm2``, ``qwen2.5-coder-1.5b`` or ``/path/model.gguf``.

        ``threads``: cores of each engine. Default: one for llama.cpp, whose threads wait for each other by spinning (two are many times
        slower than one where others use the machine too), and up to four for the other engines, which deal out whole pieces of work.
        ``slots`` requests are served at once by llama.cpp (default 8, or 1 if ``exact``), each with up to ``context`` tokens of prompt
        and reply. ``exact``: equal requests get bit-equal replies, at the price of reading each prompt from its first token.
        ``engine``: ``auto``, ``llama`` (one engine), ``ctranslate`` (whatever it can answer) or ``tree`` (all choices; llama.cpp does the
        rest). ``form``: the weights re-quantised, such
        as ``q4_0``. ``fields``: replies by simple schemas are asked field by field. Raises ModelError.
        """
        options = EngineOptions(threads=threads or 1, slots=slots or (1 if exact else 8), context=context, exact=exact)
        path = file_of(spec) if not form else requantised(file_of(spec), form)
        folder = second_form(path, engine)
        scored = takes_choices(path, engine, folder, exact=exact)
        known: dict[str, Any] = {"engine": f"xllamacpp {version('xllamacpp')}", "context": context, "slots": options.slots, "exact": exact}
        if folder is not None:
            known |= {"batches": conversion.engine_name("int8"), "which": engine}
        if scored:
            known |= {"choices": tree_scorer.engine_name(eight_bits=path.stat().st_size > SMALL), "which": engine}
        if fields:
            known["fields"] = True
        facts = BackendFacts(
            name=f"local:{spec}" + (f"?weights={form}" if form else ""),
            digest=f"sha256:{weights.digest_of(path)}",
            engine=known,
            exact=exact,
            log_probabilities=True,
            schemas=True,
            seeds=True,
            context=context,
            parallel=options.slots if folder is None and not scored else max(options.slots, GATHERED),
            gathers=True,
        )
        several = threads or min(4, cores())
        batch = None if folder is None else CtranslateEngine(folder, threads=several, context=context, exact=exact)
        tree = TreeScorer(path, threads=several, context=context, eight_bits=path.stat().st_size > SMALL) if scored else None
        return cls(facts, LlamaEngine(path, options), batch, tree=tree, everything=exact or engine == "ctranslate", fields=fields)

    @property
    def facts(self) -> BackendFacts:
        return self._facts

    @property
    def parts(self) -> tuple[LlamaEngine, CtranslateEngine | None, Prompter]:
        """The engines that write and what makes their prompts, for measurements."""
        return self._engine, self._batch, self._prompter

    async def complete(self, request: Request, draw: int | None) -> Reply:
        """One reply; raises CallFailed. A cancelled caller ends the generation at its next token."""
        if request.kind == "embed":
            raise CallFailed("wrong_shape", f"{self._facts.name} gives no embeddings; use an embedder beside it", retryable=False)
        if self._fields and (fields := plan(request)) is not None:
            reply = await by_fields(self.complete, request, draw, fields)
            if reply is not None:
                return reply
        stopped = threading.Event()
        began = time.perf_counter()
        try:
            reply, usage = await (self._choose(request, stopped) if request.kind == "choose" else self._write(request, draw, stopped))
        except asyncio.CancelledError:
            stopped.set()
            raise
        return replace(reply, usage=replace(usage, seconds=time.perf_counter() - began))

    async def close(self) -> None:
        """Waits for what is under way, then frees the model. Closing twice does nothing."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self._readers.shutdown)
        for other in (self._tree, self._batch):
            if other is not None:
                await loop.run_in_executor(None, other.close)
        await loop.run_in_executor(None, self._engine.close)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        """Reading prompts waits for the engine's tokeniser, so it is done beside the loop."""
        try:
            future = asyncio.get_running_loop().run_in_executor(self._readers, work)
        except RuntimeError as error:  # the pool is shut down
            raise CallFailed("unavailable", f"{self._facts.name} is closed", retryable=False) from error
        return await future

    def _second(self, prompt: Sequence[int], limit: int) -> CtranslateEngine | None:
        """The second engine, where it is there and the faster one for such a prompt."""
        return self._batch if self._everything or len(prompt) <= limit else None

    async def _write(self, request: Request, draw: int | None, stopped: threading.Event) -> tuple[Reply, Usage]:
        prompt = await self._in_thread(lambda: self._prompter.prompt(request.blocks))
        seed = (draw or 0) % SEEDS
        greedy = request.schema is None and request.sampling.temperature == 0.0
        if greedy and (batch := self._second(prompt, SHORT_TEXT)) is not None:
            given = await asyncio.wrap_future(batch.write(prompt, request.sampling, seed, stopped))
        else:
            given = await asyncio.wrap_future(self._engine.write(prompt, request.sampling, seed, stopped, request.schema))
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

    async def _choose(self, request: Request, stopped: threading.Event) -> tuple[Reply, Usage]:
        if len(request.options) < 2:
            raise CallFailed("wrong_shape", "a choice needs two options or more", retryable=False)
        prompt = await self._in_thread(lambda: self._prompter.prompt(request.blocks))
        engine = self._tree or self._second(prompt, SHORT_CHOICE) or self._engine
        scores, usage = await self._score(engine, request.blocks, request.options, stopped)
        if request.neutral is not None:
            prior, spent = await self._prior_of(engine, request.neutral, request.options)
            scores = tuple(score - base for score, base in zip(scores, prior, strict=True))
            usage = usage + spent
        shares = softmax(scores)
        best = request.options[shares.index(max(shares))]
        return Reply(text=best, probabilities=shares, model=self._facts.name), usage

    async def _prior_of(self, engine: Engine, neutral: Content, options: tuple[str, ...]) -> tuple[Scores, Usage]:
        """A prior depends on the neutral prompt and the options only; most agents share it. It is scored by the engine that scored the
        choice, once; who finds it known or under way pays nothing."""
        key = (type(engine).__name__, neutral, options)
        if (known := self._priors.get(key)) is not None:
            return known, Usage()
        mark = (*key, asyncio.get_running_loop())
        task, mine = self._asked.get(mark), False
        if task is None:
            mine = True
            task = self._asked[mark] = asyncio.create_task(self._score(engine, neutral, options, threading.Event()))
            task.add_done_callback(lambda _: self._asked.pop(mark, None))
        scores, usage = await asyncio.shield(task)  # a caller who goes away takes it from no other
        while len(self._priors) >= PRIORS:
            self._priors.pop(next(iter(self._priors)), None)
        self._priors[key] = scores
        return scores, usage if mine else Usage()

    async def _score(self, engine: Engine, blocks: Content, options: tuple[str, ...],
                     stopped: threading.Event) -> tuple[Scores, Usage]:  # fmt: skip
        prompt, rows = await self._in_thread(lambda: (self._prompter.prompt(blocks), self._prompter.options(blocks, options)))
        given = await asyncio.wrap_future(engine.score(prompt, rows, stopped))
        return given.scores, Usage(calls=1, prompt_tokens=given.prompt, cached_tokens=given.cached, completion_tokens=given.forced)


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


def second_form(path: Path, engine: str) -> Path | None:
    """The converted model for the second engine; None where one engine is enough. Raises ModelError, UsageError."""
    if engine not in ENGINES:
        raise UsageError(f"engine is one of {', '.join(ENGINES)}, not {engine!r}")
    if engine in ("llama", "tree") or (engine == "auto" and not (conversion.installed() and path.stat().st_size <= SMALL)):
        return None
    folder = conversion.converted(path)
    if folder is None and engine == "ctranslate":
        raise ModelError(f"{path.name} is no model that can be converted for ctranslate2; known are {', '.join(conversion.ARCHITECTURES)}")
    return folder


def takes_choices(path: Path, engine: str, folder: Path | None, *, exact: bool) -> bool:
    """Whether choices go to the scorer of choices: where it is asked for, or is here and knows the model. Raises ModelError, UsageError."""
    if engine == "auto":
        return folder is not None and not exact and tree_scorer.installed()
    if engine != "tree":
        return False
    if exact:
        raise UsageError("engine=tree sums in an order that depends on what else is asked: exact=yes needs auto, ctranslate or llama")
    tree_scorer.needed()
    if not (conversion.convertible(path) and conversion.plain(GGUF(path))):
        raise ModelError(f"{path.name} is no model that the engine tree can read; known are {', '.join(conversion.ARCHITECTURES)}")
    return True


def cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def softmax(scores: Sequence[float]) -> tuple[float, ...]:
    top = max(scores)
    raised = [math.exp(score - top) for score in scores]
    whole = math.fsum(raised)
    return tuple(one / whole for one in raised)


def open_local(spec: str) -> LocalBackend:
    """``local:NAME?threads=2&slots=8&context=4096&exact=yes&engine=auto&weights=q4_0&fields=yes``; NAME may be the path of a .gguf file."""
    name, options = split(spec, spec.removeprefix("local:"))
    threads = options.take("threads", int, 0, least=1) or None
    slots = options.take("slots", int, 0, least=1) or None
    context = options.take("context", int, 4096, least=64)
    exact = options.take("exact", yes_or_no, False)
    engine = options.take("engine", one_of(ENGINES), "auto")
    form = options.take("weights", one_of(tuple(REQUANTISED)), "")
    fields = options.take("fields", yes_or_no, False)
    options.done()
    return LocalBackend.open(name, threads=threads, slots=slots, context=context, exact=exact, engine=engine, form=form, fields=fields)


def one_of(words: Sequence[str]) -> Callable[[str], str]:
    """A reader of an option that takes one of these words."""

    def read(text: str) -> str:
        if text not in words:
            raise ValueError(text)
        return text

    read.__name__ = f"word: {' or '.join(words)}"
    return read
