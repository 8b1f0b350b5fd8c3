"""The llama.cpp engine inside this process (xllamacpp): prompts are tokens, calls block their thread, slots batch continuously."""

from __future__ import annotations

import http.client
import importlib
import json
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sociarium.kernel.errors import ModelError
from sociarium.models.backend import CallFailed
from sociarium.models.backends.engine import Answer, Scored, Tokens
from sociarium.models.backends.option_tree import log_likelihoods
from sociarium.models.backends.slots import Slots
from sociarium.models.request import Sampling

ALTERNATIVES = 64  # how many of the likeliest tokens are asked for where options fork; those not among them cost one more step


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """``context`` is tokens a slot; ``exact`` means one slot and no prompt kept from one request to the next."""

    threads: int = 1
    slots: int = 8
    context: int = 4096
    exact: bool = False

    def __post_init__(self) -> None:
        for name, low, high in (("threads", 1, 256), ("slots", 1, 64), ("context", 128, 1 << 20)):
            if not low <= getattr(self, name) <= high:
                raise ModelError(f"local model: {name} is {getattr(self, name)}, but must be from {low} to {high}")
        if self.exact and self.slots != 1:
            raise ModelError(
                f"local model: exact replies need slots=1, not {self.slots}: requests in one batch change each other's last bits"
            )


class LlamaEngine:
    """One loaded model. All methods may be called from many threads at once."""

    def __init__(self, path: Path, options: EngineOptions) -> None:
        self.options = options
        self.slots = Slots(options.slots)
        self.key = os.urandom(16).hex()  # the engine also listens on loopback: only this process may use it
        self.server: Any = started(path, options, self.key)
        self.address = str(self.server.listening_address).removeprefix("http://")
        self.threads = ThreadPoolExecutor(options.slots, thread_name_prefix="local-model")

    def write(self, prompt: Sequence[int], sampling: Sampling, seed: int, stopped: threading.Event,
              schema: Mapping[str, Any] | None = None) -> Future[Answer]:  # fmt: skip
        """Text after the prompt; by a schema, its JSON."""

        def work() -> Answer:
            with self.slots.taken(prompt) as slot:
                return self.complete(prompt, slot, sampling, seed, schema, stopped)

        return self.submit(work)

    def score(self, prompt: Sequence[int], options: Sequence[Tokens], stopped: threading.Event) -> Future[Scored]:
        """How likely each option is to follow the prompt. What options share is forced once (option_tree.py)."""

        def work() -> Scored:
            steps: list[Answer] = []
            with self.slots.taken(prompt) as slot:

                def force(prefix: Tokens, chain: Tokens, alternatives: bool) -> tuple[Sequence[float], dict[int, float]]:
                    if stopped.is_set():
                        raise CallFailed("reset", "the caller went away", retryable=False)
                    fresh = self.options.exact and not steps  # the first step reads the prompt, the others go on from it
                    given = self.force([*prompt, *prefix], chain, slot, fresh=fresh, alternatives=alternatives)
                    steps.append(given)
                    return given.log_probabilities, dict(given.alternatives or {})

                scores = tuple(log_likelihoods(options, force))
            return Scored(scores, len(prompt), steps[0].cached, sum(len(step.log_probabilities) for step in steps))

        return self.submit(work)

    def submit(self, work: Callable[[], Any]) -> Future[Any]:
        try:
            return self.threads.submit(work)
        except RuntimeError as error:  # the pool is shut down
            raise CallFailed("unavailable", "the local model is closed", retryable=False) from error

    def complete(self, prompt: Sequence[int], slot: int, sampling: Sampling, seed: int, schema: Mapping[str, Any] | None,
                 stopped: threading.Event) -> Answer:  # fmt: skip
        """Text after the prompt. Once ``stopped`` is set, generation ends at the next token."""
        body = self.body(prompt, slot, fresh=self.options.exact)
        body |= {"n_predict": sampling.max_tokens, "seed": seed, "temperature": sampling.temperature, "stop": list(sampling.stop)}
        body["samplers"] = ["temperature"] if sampling.top_p >= 1.0 else ["temperature", "top_p"]
        body["top_p"] = sampling.top_p
        if schema is not None:
            # Flexible white space lets a small model spend its tokens on empty lines.
            body["json_schema"] = {**schema, "x-guidance": {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}}
        text: list[str] = []
        last: dict[str, Any] = {}

        def heard(chunk: dict[str, Any]) -> bool:  # an exception from here would be swallowed by the engine
            last.update(chunk)
            for choice in chunk.get("choices", ()):
                text.append(choice["text"])
                last["finish"] = choice["finish_reason"]
            return stopped.is_set()

        self.run({**body, "stream": True, "stream_options": {"include_usage": True}}, heard)
        check(last)
        if not last.get("finish"):
            raise CallFailed("truncated", "the local engine stopped before the reply had ended", retryable=not stopped.is_set())
        return answer(last, "".join(text), str(last["finish"]))

    def force(self, prompt: Sequence[int], chain: Sequence[int], slot: int, *, fresh: bool, alternatives: bool) -> Answer:
        """The log-probabilities of the tokens of ``chain`` after ``prompt``, before any sampling changes them.

        The grammar names tokens, not text, so the text is never split in another way than the tokeniser splits it.
        """
        body = self.body(prompt, slot, fresh=fresh)
        body |= {"n_predict": len(chain), "temperature": 0, "samplers": ["temperature"], "n_probs": ALTERNATIVES if alternatives else 1}
        body["grammar"] = "%llguidance {}\nstart: " + " ".join(f"<[{token}]>" for token in chain)
        raw = self.run(body)
        steps = raw["choices"][0]["logprobs"]["content"]
        if [step["id"] for step in steps] != list(chain):
            raise CallFailed("misaligned", "the engine did not follow the option's tokens", retryable=False)
        others = {int(one["id"]): float(one["logprob"]) for one in steps[0]["top_logprobs"]}
        return answer(raw, "", "stop", tuple(float(step["logprob"]) for step in steps), others)

    def body(self, prompt: Sequence[int], slot: int, *, fresh: bool) -> dict[str, Any]:
        return {"prompt": list(prompt), "id_slot": slot, "cache_prompt": not fresh}

    def run(self, body: dict[str, Any], heard: Callable[[dict[str, Any]], bool] | None = None) -> dict[str, Any]:
        server = self.server
        if server is None:
            raise CallFailed("unavailable", "the local model is closed", retryable=False)
        raw = server.handle_completions(body) if heard is None else server.handle_completions(body, heard)
        return check(raw) if heard is None else {}

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """What the engine offers over loopback only: its template and its tokeniser."""
        connection = http.client.HTTPConnection(self.address, timeout=60)
        try:
            headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.key}"}
            connection.request("POST", path, json.dumps(body), headers)
            return check(json.loads(connection.getresponse().read()))
        except OSError as error:
            raise CallFailed("unavailable", f"the local engine does not answer: {error}", retryable=False) from error
        finally:
            connection.close()

    def close(self) -> None:
        """Waits for what is under way, then frees the model. Closing twice does nothing."""
        self.threads.shutdown()
        self.server = None  # its destructor stops the engine's threads


def started(path: Path, options: EngineOptions, key: str) -> Any:
    try:
        xllamacpp: Any = importlib.import_module("xllamacpp")
    except ImportError as error:
        raise ModelError(f"the local model needs the package xllamacpp ({error}); install it by: pip install 'sociarium[local]'") from error
    params: Any = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_parallel = options.slots
    params.n_ctx = options.slots * options.context
    params.kv_unified = False  # each slot owns its share: no request can fail because others are long
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = options.threads
    params.n_gpu_layers = 0
    params.cache_ram_mib = 0  # else prompts of idle slots pile up in memory (8 GiB by default)
    params.ctx_shift = False
    params.warmup = False
    params.verbosity = -1
    params.api_keys = [key]
    params.ui = False
    try:
        return xllamacpp.Server(params)
    except (RuntimeError, ValueError) as error:
        raise ModelError(f"the local model {path} cannot be loaded: {error}. It must be a .gguf file of a text model.") from error


def check(raw: dict[str, Any]) -> dict[str, Any]:
    """The engine's answer, or its error as CallFailed."""
    error = raw.get("error")
    if error is None:
        return raw
    kind = {"exceed_context_size_error": "context_too_long", "invalid_request_error": "wrong_shape"}.get(error.get("type"), "server_error")
    raise CallFailed(kind, f"local engine: {error.get('message', 'no reason given')}", retryable=kind == "server_error")


def answer(raw: dict[str, Any], text: str, finish: str, log_probabilities: tuple[float, ...] = (),
           alternatives: Mapping[int, float] | None = None) -> Answer:  # fmt: skip
    usage: dict[str, Any] = raw.get("usage") or {}
    timings: dict[str, Any] = raw.get("timings") or {}
    details: dict[str, Any] = usage.get("prompt_tokens_details") or {}
    return Answer(
        text=text,
        finish=finish,
        prompt=int(usage.get("prompt_tokens", 0)),
        cached=int(timings.get("cache_n", details.get("cached_tokens", 0))),
        completion=int(usage.get("completion_tokens", 0)),
        log_probabilities=log_probabilities,
        alternatives=alternatives,
    )
