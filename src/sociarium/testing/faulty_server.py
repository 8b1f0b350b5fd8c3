"""A model server that fails on purpose, over real HTTP: the fourteen kinds of fault, injected on the wire.

    async with FaultyServer({"reset": 0.1, "read_timeout": 0.05}) as server:
        backend = open_backend(f"{server.url}#tiny?connect=0.25")

Which request meets which fault is hashed from seed, request and the number of the attempt, as with ``faulty:``. Connections that
nobody answers (``connect_timeout``) happen before there is a request: here the rate is the share of time in which the server is not
there. Read the ``log`` for what was injected.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

from sociarium.kernel.errors import UsageError
from sociarium.models.backend import Backend, CallFailed
from sociarium.models.backends.faulty import FAULTS, FaultyBackend
from sociarium.models.backends.http_reading import ECHO
from sociarium.models.backends.http_shapes import LETTERS
from sociarium.models.backends.scripted import open_scripted
from sociarium.models.request import Reply, Request
from sociarium.models.serving import STATUS, blocks_of, error_of, sampling_of, schema_of, texts_of, usage_of
from sociarium.testing.wire import Call, RawServer, Wire, head

MARK = "written-by-the-faulty-server"  # stands in every error text: it may become nobody's words
PERIOD = 0.2  # seconds: the server is away for the first part of each
IN_WORDS = ("truncated", "wrong_schema", "illegal", "endless", "misaligned")


@dataclass(frozen=True, slots=True)
class Injected:
    """One injected fault. ``question`` is the id of the request (hex, empty where the caller gave none), ``attempt`` counts from 0.
    ``form``: ``status``, ``wire``, ``body`` (not an answer at all) or ``text`` (a well-formed answer with bad words)."""

    kind: str
    question: str
    attempt: int
    form: str


class FaultyServer:
    """See the module. ``backend`` gives the good answers (``scripted:schema`` where None); it stays the caller's to close.

    ``retry_after``: seconds that a ``rate_limited`` answer asks for. ``echo``: whether answers name the request they belong to;
    without it nobody can tell a misaligned answer from a right one. ``indiscreet``: error texts repeat
    the headers of the request, its key among them. ``url`` ends in ``/v1``; it is known once started.
    """

    def __init__(
        self,
        rates: Mapping[str, float],
        *,
        backend: Backend | None = None,
        seed: int = 0,
        retry_after: float = 0.01,
        echo: bool = True,
        indiscreet: bool = False,
    ) -> None:
        self.away = rates.get("connect_timeout", 0.0)
        self.backend = backend or open_scripted("scripted:schema")
        self.faults = FaultyBackend(self.backend, {kind: rate for kind, rate in rates.items() if kind != "connect_timeout"}, seed=seed)
        if not 0.0 <= self.away <= 1.0:
            raise UsageError(f"The rate of connect_timeout must lie between 0 and 1, not {self.away:g}.")
        self.retry_after = retry_after
        self.echo = echo
        self.indiscreet = indiscreet
        self.log: list[Injected] = []
        self.arrived = 0  # questions that came, whatever became of them
        self._attempts: Counter[str] = Counter()
        self._raw = RawServer(self._answer)
        self._coming: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._raw.port}/v1"

    def injected(self) -> dict[str, int]:
        """How often each kind was injected. What ``connect_timeout`` turned away the server never sees."""
        return dict(sorted(Counter(one.kind for one in self.log).items()))

    async def start(self) -> FaultyServer:
        await self._raw.start()
        if self.away >= 1.0:
            await self._raw.dark()
        elif self.away > 0.0:
            self._coming = asyncio.create_task(self._come_and_go())
        return self

    async def close(self) -> None:
        if self._coming is not None:
            self._coming.cancel()
            with suppress(asyncio.CancelledError):
                await self._coming
        await self._raw.close()

    async def __aenter__(self) -> FaultyServer:
        return await self.start()

    async def __aexit__(self, *details: object) -> None:
        await self.close()

    async def _come_and_go(self) -> None:
        while True:
            await self._raw.dark()
            await asyncio.sleep(self.away * PERIOD)
            self._raw.light()
            await asyncio.sleep((1.0 - self.away) * PERIOD)

    async def _answer(self, call: Call, wire: Wire) -> None:
        wire.keep = self.away == 0.0  # each attempt needs a connection of its own, else none could fail
        if call.method == "GET":
            await wire.respond(200, {"object": "list", "data": []})
            return
        self.arrived += 1
        question = call.headers.get("x-request-id", "").removeprefix(ECHO)
        known = question or hashlib.blake2b(call.body, digest_size=16).hexdigest()
        attempt = self._attempts[known]
        self._attempts[known] += 1
        kind = self.faults.fault(known)
        try:
            await self._respond(kind, question, attempt, asked(call), call, wire)
        except CallFailed as failure:  # the request itself cannot be read
            await wire.respond(STATUS.get(failure.kind, 400), {"error": error_of(failure.kind, self._told(failure, call))})

    async def _respond(self, kind: str | None, question: str, attempt: int, request: Asked, call: Call, wire: Wire) -> None:
        if kind is None:
            reply = await self.backend.complete(request.request, request.seed)
            await wire.respond(200, self._written(request, reply), self._named(question))
            return
        form = form_of(kind, request.request, f"{question}/{attempt}")
        self.log.append(Injected(kind, question, attempt, form))
        if form == "text":
            reply = await self.faults.fail(kind, request.request, request.seed)
            named = self._named(reply.echo if kind == "misaligned" else question)
            await wire.respond(200, self._written(request, reply), named)
        elif form == "status":
            await self._refused(kind, request, call, wire)
        elif kind == "read_timeout":
            await wire.hold()
        else:
            await self._broken(kind, request, call, wire, question)

    async def _refused(self, kind: str, request: Asked, call: Call, wire: Wire) -> None:
        try:
            await self.faults.fail(kind, request.request, request.seed)
        except CallFailed as failure:
            headers = {"Retry-After": f"{self.retry_after:g}"} if failure.retry_after is not None else {}
            await wire.respond(STATUS.get(failure.kind, 500), {"error": error_of(failure.kind, self._told(failure, call))}, headers)

    async def _broken(self, kind: str, request: Asked, call: Call, wire: Wire, question: str) -> None:
        """An answer that ends in the middle, or is another thing than an answer."""
        if kind == "wrong_schema":
            await wire.respond(200, {"object": MARK, "result": dict(call.headers) if self.indiscreet else [1, None]}, self._named(question))
            return
        reply = await self.backend.complete(request.request, request.seed)
        whole = json.dumps(self._written(request, reply)).encode()
        half = whole[: len(whole) // 2]
        if kind == "truncated":
            await wire.respond(200, half, self._named(question))
        else:
            await wire.send(head(200, {"Content-Length": str(len(whole))}) + half)
            wire.reset()

    def _told(self, failure: CallFailed, call: Call) -> str:
        return f"{failure} ({MARK})" + (f" {dict(call.headers)}" if self.indiscreet else "")

    def _named(self, question: str) -> dict[str, str]:
        return {"X-Request-Id": ECHO + question} if self.echo and question else {}

    def _written(self, asked: Asked, reply: Reply) -> dict[str, Any]:
        usage = {"model": self.backend.facts.name, "usage": usage_of(reply.usage)}
        if asked.request.kind == "embed":
            return {"data": [{"index": at, "embedding": list(vector)} for at, vector in enumerate(reply.vectors)], **usage}
        choice: dict[str, Any] = {"index": 0, "message": {"role": "assistant", "content": reply.text}, "finish_reason": reply.finish}
        if asked.request.kind == "choose":
            tops = [{"token": letter, "logprob": math.log(max(p, 1e-30))} for letter, p in zip(LETTERS, reply.probabilities, strict=False)]
            choice["logprobs"] = {"content": [{"token": "A", "top_logprobs": tops}]}
        return {"object": "chat.completion", "choices": [choice], **usage}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as the server understands it."""

    request: Request
    seed: int | None


def asked(call: Call) -> Asked:
    """What a call asks: a completion, a choice among lettered options, or embeddings. Raises CallFailed."""
    try:
        data = call.data()
    except ValueError as error:
        raise CallFailed("wrong_shape", f"the body is not JSON: {error}", retryable=False) from error
    if not isinstance(data, dict):
        raise CallFailed("wrong_shape", "the body is not an object", retryable=False)
    body = cast("dict[str, Any]", data)
    if call.path.endswith("/embeddings"):
        texts = (body["input"],) if isinstance(body.get("input"), str) else texts_of(body, "input")
        return Asked(Request(kind="embed", texts=texts), None)
    blocks = blocks_of(body, "messages")
    if body.get("logprobs"):
        options = tuple(re.findall(r"^[A-T]\. (.*)$", blocks[-1].text, re.MULTILINE))
        return Asked(Request(blocks[:-1], kind="choose", options=options), None)
    seed = body.get("seed")
    return Asked(Request(blocks, schema=schema_of(body), sampling=sampling_of(body)), seed if isinstance(seed, int) else None)


def form_of(kind: str, request: Request, attempt: str) -> str:
    """The form that a fault takes: half of the truncated and the wrongly shaped answers are no answers at all, the others hold bad
    words. A text without a schema cannot be cut so that it shows."""
    if kind not in IN_WORDS:
        return "wire" if kind in ("read_timeout", "reset") else "status"
    if kind == "truncated" and request.schema is None and request.kind == "complete":
        return "body"
    odd = hashlib.blake2b(attempt.encode(), digest_size=1).digest()[0] % 2
    return "body" if kind in ("truncated", "wrong_schema") and odd else "text"


__all__ = ["FAULTS", "MARK", "FaultyServer", "Injected"]
