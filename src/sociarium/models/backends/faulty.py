"""A backend that fails on purpose: wraps another and injects the fourteen kinds of fault that models are known for.

Spec: ``faulty:RATE:SPEC`` (all kinds, equally often), ``faulty:KIND=RATE,KIND=RATE,seed=7,stall=600:SPEC``. Which attempt
meets which fault is hashed from seed, request, draw and the number of the attempt: any concurrency meets the same faults.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from sociarium.kernel.content import Block
from sociarium.kernel.errors import UsageError
from sociarium.models.backend import Backend, BatchBackend, CallFailed
from sociarium.models.opening import open_backend, prepared
from sociarium.models.request import BackendFacts, Reply, Request, request_id
from sociarium.models.schema import resolve

FAULTS = (
    "rate_limited",  # with a Retry-After of one second
    "rate_limited_silent",  # without
    "server_error",
    "unavailable",
    "context_too_long",
    "unauthorised",
    "connect_timeout",
    "read_timeout",  # with stall=S it hangs for S seconds, so that the caller's own time limit must fire
    "reset",
    "truncated",  # JSON cut in the middle
    "wrong_schema",  # valid JSON of another form
    "illegal",  # fits the schema, but no world allows it
    "endless",  # empty, or one word for ever
    "misaligned",  # a good answer to another request
)
RETRYABLE = frozenset({"rate_limited", "rate_limited_silent", "server_error", "unavailable", "connect_timeout", "read_timeout", "reset"})
REMEMBERED = 100_000  # requests whose attempts are counted
NOBODY = "nobody-of-that-name"
HUGE = 1_000_000_007


class FaultyBackend:
    """``rates``: the share of attempts that meet each kind; together at most 1. ``injected`` counts them."""

    def __init__(self, inner: Backend, rates: Mapping[str, float], *, seed: int = 0, stall: float = 0.0) -> None:
        unknown = [kind for kind in rates if kind not in FAULTS]
        if unknown:
            raise UsageError(f"There is no fault {unknown[0]!r}. Faults: {', '.join(FAULTS)}.")
        if not all(0.0 <= rate <= 1.0 for rate in rates.values()) or sum(rates.values()) > 1.0 + 1e-9:
            raise UsageError("The rates of faults must lie between 0 and 1, and so must their sum.")
        self.inner = inner
        self.rates = dict(rates)
        self.seed = seed
        self.stall = stall
        self.injected: dict[str, int] = dict.fromkeys(FAULTS, 0)
        self._tries: OrderedDict[str, int] = OrderedDict()
        self._facts = self._told()

    @property
    def facts(self) -> BackendFacts:
        return self._facts

    async def prepare(self) -> None:
        await prepared(self.inner)
        self._facts = self._told()

    def _told(self) -> BackendFacts:
        told = ",".join(f"{kind}={rate:g}" for kind, rate in self.rates.items())
        inner = self.inner.facts
        return replace(inner, name=f"faulty:{inner.name}", digest=f"faulty({told},seed={self.seed}):{inner.digest}")

    async def complete(self, request: Request, draw: int | None) -> Reply:
        question = request_id(request, draw)
        kind = self.fault(question)
        if kind is None:
            return named(await self.inner.complete(request, draw), question)
        return await self.fail(kind, request, draw)

    async def close(self) -> None:
        await self.inner.close()

    def fault(self, question: str) -> str | None:
        """The fault that the next attempt at this question meets, if any."""
        attempt = self._tries.pop(question, 0)
        self._tries[question] = attempt + 1
        if len(self._tries) > REMEMBERED:
            self._tries.popitem(last=False)
        digest = hashlib.blake2b(f"{self.seed}/{question}/{attempt}".encode(), digest_size=8).digest()
        share = int.from_bytes(digest, "little") / 2.0**64
        for kind, rate in self.rates.items():
            if share < rate:
                self.injected[kind] += 1
                return kind
            share -= rate
        return None

    async def fail(self, kind: str, request: Request, draw: int | None) -> Reply:
        """What a caller sees of this fault."""
        if kind == "read_timeout" and self.stall > 0.0:
            await asyncio.sleep(self.stall)
        if kind in RETRYABLE or kind in ("context_too_long", "unauthorised"):
            wish = 1.0 if kind == "rate_limited" else None
            raise CallFailed(kind.removesuffix("_silent"), f"injected: {kind}", retryable=kind in RETRYABLE, retry_after=wish)
        question = request_id(request, draw)
        if kind == "misaligned":
            other = replace(request, blocks=(*request.blocks, Block("Another question.")))
            return named(await self.inner.complete(other, draw), request_id(other, draw))
        return spoiled(kind, named(await self.inner.complete(request, draw), question), request)


class FaultyBatchBackend(FaultyBackend):
    """The same over an engine that answers in batches: what meets no fault goes to it as one batch."""

    async def complete_many(self, requests: Sequence[Request], draws: Sequence[int | None]) -> Sequence[Reply | CallFailed]:
        inner = cast("BatchBackend", self.inner)
        questions = [request_id(request, draw) for request, draw in zip(requests, draws, strict=True)]
        kinds = [self.fault(question) for question in questions]
        good = [at for at, kind in enumerate(kinds) if kind is None]
        answers: dict[int, Reply | CallFailed] = {}
        if good:
            replies = await inner.complete_many([requests[at] for at in good], [draws[at] for at in good])
            for at, reply in zip(good, replies, strict=True):
                answers[at] = reply if isinstance(reply, CallFailed) else named(reply, questions[at])
        for at, kind in enumerate(kinds):
            if kind is not None:
                try:
                    answers[at] = await self.fail(kind, requests[at], draws[at])
                except CallFailed as failure:
                    answers[at] = failure
        return [answers[at] for at in range(len(requests))]


def open_faulty(spec: str) -> FaultyBackend:
    """The backend of ``faulty:RATES:SPEC`` (see the module)."""
    told, _, inner_spec = spec.removeprefix("faulty:").partition(":")
    if not told or not inner_spec:
        raise UsageError(
            f"Model {spec!r}: write faulty:RATE:MODEL or faulty:KIND=RATE,KIND=RATE:MODEL, for example faulty:0.1:scripted:schema."
        )
    rates: dict[str, float] = {}
    other = {"seed": 0.0, "stall": 0.0}
    for part in told.split(","):
        name, equals, text = part.partition("=")
        try:
            number = float(text if equals else name)
        except ValueError:
            raise UsageError(f"Model {spec!r}: {part!r} is neither a rate nor NAME=NUMBER.") from None
        if not equals:
            rates = dict.fromkeys(FAULTS, number / len(FAULTS))
        elif name in other:
            other[name] = number
        else:
            rates[name] = number
    inner = open_backend(inner_spec)
    made = FaultyBatchBackend if isinstance(inner, BatchBackend) else FaultyBackend
    return made(inner, rates, seed=int(other["seed"]), stall=other["stall"])


def named(reply: Reply, question: str) -> Reply:
    """The reply with the id of what it answers, as a careful server would send it."""
    return reply if reply.echo else replace(reply, echo=question)


def spoiled(kind: str, reply: Reply, request: Request) -> Reply:
    """A good reply made bad."""
    if request.kind == "choose":
        whole = reply.probabilities
        return replace(reply, probabilities=(*whole[:-1],) if kind != "illegal" else (*(0.0,) * (len(whole) - 1), 1.0))
    if request.kind == "embed":
        return replace(reply, vectors=reply.vectors[:-1])
    if kind == "endless":
        if reply.usage.completion_tokens % 2:
            return replace(reply, text="", value=None)
        return replace(reply, text="and " * max(64, request.sampling.max_tokens), value=None, finish="length")
    if kind == "truncated":
        if request.schema is None:
            raise CallFailed("truncated", "injected: the body ends in the middle", retryable=True)
        return replace(reply, text=reply.text[: len(reply.text) // 2], value=None, finish="length")
    if kind == "wrong_schema":
        return replace(reply, text=json.dumps({"injected": [1, None, "another form"]}), value=None)
    if request.schema is None:  # numbers in words become larger than any world has; without one, what stands there is nobody
        return replace(reply, text=re.sub(r"\d+(?:[.,]\d+)?", str(HUGE), reply.text) if re.search(r"\d", reply.text) else NOBODY)
    try:
        value: Any = json.loads(reply.text)
    except ValueError:
        return reply
    return replace(reply, text=json.dumps(outlandish(value, request.schema, request.schema)), value=None)


def outlandish(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any]) -> Any:
    """The value with each number as large, and each free text as foreign, as its schema lets it be."""
    schema = resolve(schema, root)
    if isinstance(value, dict):
        parts = schema.get("properties", {})
        return {name: outlandish(one, parts.get(name, {}), root) for name, one in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [outlandish(one, schema.get("items", {}), root) for one in cast("list[Any]", value)]
    if "enum" in schema or "const" in schema or "pattern" in schema or isinstance(value, bool) or not schema.get("type"):
        return value
    if isinstance(value, int | float) and "multipleOf" not in schema:
        top = schema.get("maximum")
        return top if top is not None else value if "exclusiveMaximum" in schema else HUGE
    if isinstance(value, str) and schema.get("minLength", 0) <= len(NOBODY) <= schema.get("maxLength", len(NOBODY)):
        return NOBODY
    return value
