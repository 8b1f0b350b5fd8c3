"""Is a backend what it says it is?"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

from sociarium.kernel.errors import ModelError
from sociarium.kernel.outcomes import Status
from sociarium.models.backend import Backend, BatchBackend, CallFailed
from sociarium.models.request import Reply, Request
from sociarium.testing.errors import ConformanceError

Asked = tuple[Request, int | None]


async def backend_test(backend: Backend, requests: Sequence[Request], *, in_flight: Sequence[int] = (1, 8, 64)) -> None:
    """Replies have the shape of what was asked; one that says ``exact`` gives equal replies to equal requests with 1, 8 and 64 in
    flight, in another order and in batches; a sampled request repeats under its draw where the backend takes seeds.

    Give requests of every kind that the backend is to serve. Raises ConformanceError.
    """
    if not requests:
        raise ConformanceError("backend_test needs requests: give some of every kind that the backend is to serve")
    facts = backend.facts
    asked: list[Asked] = [(request, None if request.fixed else 1000 + at) for at, request in enumerate(requests)]
    alone = await _ask(backend, asked, 1)
    for (request, _), reply in zip(asked, alone, strict=True):
        _shape(request, reply)
    if backend.facts != facts:
        raise ConformanceError(f"{facts.name}: the facts changed while it was used: from {facts} to {backend.facts}")
    if not facts.exact:
        return
    repeatable = [at for at, (request, _) in enumerate(asked) if request.fixed or facts.seeds]
    many = max(in_flight)
    order = [repeatable[(7 * at) % len(repeatable)] for at in range(max(many, len(repeatable)))] if repeatable else []
    for count in in_flight:
        replies = await _ask(backend, [asked[at] for at in order], count)
        for at, reply in zip(order, replies, strict=True):
            _equal(f"with {count} in flight", asked[at][0], alone[at], reply)
    if isinstance(backend, BatchBackend) and order:
        batch = await backend.complete_many([asked[at][0] for at in order], [asked[at][1] for at in order])
        if len(batch) != len(order):
            raise ConformanceError(f"{facts.name}: a batch of {len(order)} requests came back as {len(batch)} replies")
        for at, reply in zip(order, batch, strict=True):
            if isinstance(reply, CallFailed):
                raise ModelError(f"{facts.name}: {reply}")
            _equal("in a batch", asked[at][0], alone[at], reply)


async def _ask(backend: Backend, asked: Sequence[Asked], in_flight: int) -> list[Reply]:
    """All replies in the order asked."""
    free = asyncio.Semaphore(in_flight)

    async def one(request: Request, draw: int | None) -> Reply:
        async with free:
            try:
                return await backend.complete(request, draw)
            except CallFailed as failed:
                raise ModelError(f"{backend.facts.name}: the call failed ({failed.kind}): {failed}") from failed

    return list(await asyncio.gather(*(one(request, draw) for request, draw in asked)))


def _shape(request: Request, reply: Reply) -> None:
    """The reply answers what was asked."""
    kind = request.kind
    if not reply.good:
        if reply.text:
            raise ConformanceError(f"a reply with status {Status(reply.status).name.lower()} carries text: {reply.text[:60]!r}")
        return
    if kind == "choose":
        if len(reply.probabilities) != len(request.options) or not math.isclose(sum(reply.probabilities), 1.0, abs_tol=1e-6):
            raise ConformanceError(f"choose: {len(request.options)} options, probabilities {reply.probabilities}, which must sum to 1")
    elif kind == "embed":
        sizes = {len(vector) for vector in reply.vectors}
        if len(reply.vectors) != len(request.texts) or len(sizes) > 1:
            raise ConformanceError(f"embed: {len(request.texts)} texts, {len(reply.vectors)} vectors of lengths {sorted(sizes)}")
    elif request.schema is None and not reply.text:
        raise ConformanceError("complete: the reply is ok and has no text")


def _equal(how: str, request: Request, expected: Reply, found: Reply) -> None:
    for name in ("status", "text", "value", "probabilities", "vectors", "finish"):
        if getattr(expected, name) != getattr(found, name):
            asked = request.blocks[-1].text if request.blocks else "; ".join(request.texts)
            what = f"{name} of {request.kind} {asked[:60]!r}"
            raise ConformanceError(f"not exact {how}: {what} is {getattr(found, name)!r}, and {getattr(expected, name)!r} alone")
