"""Any model behind HTTP: OpenAI-compatible servers (chat, completions, embeddings), Anthropic's messages, and our own server.

A model is named ``http://HOST:PORT/v1#MODEL``, ``openai:MODEL`` or ``anthropic:MODEL``; several servers of one model by
``http://A:1/v1,http://B:2/v1#MODEL?weights=2,1``. Options follow a question mark:

- what is sent: ``api=chat|completions|messages``, ``schemas=send|object|prompt|tool``, ``sampling=send|off``, ``seeds=send|off``,
  ``cache=stable|shared|off`` (which layers of a prompt a vendor is told to keep);
- how it comes: ``stream=yes`` with ``first=60`` and ``idle=20`` (the most seconds until the first word and between words);
  ``thoughts=drop|keep`` (what a model writes between ``<think>`` and ``</think>`` before its reply);
- what it is: ``key=ENVIRONMENT_VARIABLE``, ``digest=``, ``parallel=``, ``context=``, and ``price=``, ``price_cached=``,
  ``price_completion=`` (US dollars a million tokens);
- before the first call: ``probe=no`` (do not ask the server what it serves), ``wait=SECONDS`` (for a server that is starting),
  ``connect=`` (seconds that a connection may take to be made).

A server named by its address is asked once, before anything else, what it serves (``prepare``). Our own server (``serve-model``)
announces digest and engine; then a run has the keys, and where the engine is exact the digest, of one with the model inside its
process. Requests go to the hosts that the user named and nowhere else (``http_guard``). What a server writes in an error has the
key struck out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import aiohttp

from sociarium.kernel.errors import ModelError
from sociarium.models.backend import CallFailed
from sociarium.models.backends.endpoints import Endpoint, Endpoints
from sociarium.models.backends.http_errors import failure_of
from sociarium.models.backends.http_reading import ECHO, decoded
from sociarium.models.backends.http_served import Announced, Served, announced
from sociarium.models.backends.http_spec import SHAPES, Named, named_by
from sociarium.models.backends.http_stream import Chunks, Parts, streamed
from sociarium.models.backends.http_wire import LARGEST, Wire, named, whole
from sociarium.models.request import BackendFacts, Reply, Request, facts_digest, request_id

PROBE = 10.0  # seconds for the question what a server serves
AGAIN = 0.2  # seconds between two looks whether a server has started

__all__ = ["LARGEST", "HttpBackend", "open_http"]


class HttpBackend:
    """One model at one endpoint or several. Every failure of a call is a ``CallFailed``."""

    def __init__(self, named: Named) -> None:
        self._named = named
        self._facts = named.facts
        self._shape = SHAPES[named.api](named.model, named.facts, named.manner)
        self._wire = Wire(named.facts.name, named.bases, named.key, named.facts.parallel, named.connect)
        self._endpoints = Endpoints(named.bases, named.weights)
        self._prepared = not named.probe

    @property
    def facts(self) -> BackendFacts:
        return self._facts

    async def prepare(self) -> None:
        """Ask each server what it serves, and take it over. Raises ``ModelError`` where none answers, or they differ."""
        if self._prepared:
            return
        loop = asyncio.get_running_loop()
        end = loop.time() + self._named.wait
        while True:
            asked = await asyncio.gather(*(self._asked(one) for one in self._endpoints.all))
            found = [one for one in asked if isinstance(one, Announced)]
            if found or loop.time() >= end:
                break
            await asyncio.sleep(AGAIN)
        if not found:
            raise ModelError(f"No model server answers at {self._facts.name}: {asked[0]}. Start it, or correct the address.")
        self._agreed(found)
        for endpoint, answer in zip(self._endpoints.all, asked, strict=True):
            if not isinstance(answer, Announced):  # one of several is down: it is tried again later, and asked before it is used
                self._endpoints.rest(endpoint, loop.time())
        self._take_over(found[0])
        self._prepared = True

    async def complete(self, request: Request, draw: int | None) -> Reply:
        loop = asyncio.get_running_loop()
        endpoint = self._endpoints.take(loop.time())
        failure: str | None = "read_timeout"  # what being cut off by the caller's time limit says of the server
        error: CallFailed | None = None
        try:
            if not endpoint.known and self._named.probe and self._prepared:
                await self._same(endpoint)
            reply = await self._asked_at(endpoint, request, draw)
            failure = None
            return replace(reply, endpoint=endpoint.base) if self._endpoints.several else reply
        except CallFailed as failed:
            failure, error = failed.kind, failed
            raise
        finally:
            self._endpoints.give(endpoint, loop.time(), failure, None if error is None else error.retry_after)
            if error is not None and self._endpoints.several:
                self._among_others(error, endpoint, loop.time())

    def _among_others(self, failed: CallFailed, endpoint: Endpoint, now: float) -> None:
        """What one server of several says of itself holds for that one: others may be asked at once."""
        failed.endpoint = endpoint.base
        if failed.kind == "unauthorised":
            failed.retryable = True
        if failed.retry_after is not None:
            failed.retry_after = self._endpoints.wait(now)

    async def close(self) -> None:
        await self._wire.close()

    async def _asked_at(self, endpoint: Endpoint, request: Request, draw: int | None) -> Reply:
        pacing = self._named.pacing if request.kind == "complete" else None
        path, body = self._shape.body(request, draw, stream=pacing is not None)
        headers = {"X-Request-Id": ECHO + request_id(request, draw), **self._headers()}
        gathering = Parts() if self._named.api == "messages" else Chunks(chat=self._named.api != "completions")

        async def read(answer: aiohttp.ClientResponse) -> tuple[int, dict[str, str], bytes]:
            data = await whole(answer) if pacing is None else await streamed(answer, gathering, pacing, request)
            return answer.status, named(answer.headers), data

        status, told, data = await self._wire.send("POST", endpoint.base + path, headers, body, read)
        if status != 200:
            failed = failure_of(status, told, data, self._named.key)
            if status == 404:  # what is not there is the address or the model, and servers rarely say which
                asked = f"{endpoint.base}{path} is not there, or has no model {self._named.model}"
                raise CallFailed(failed.kind, f"{failed} ({asked}; most addresses end in /v1)"[:400], retryable=False)
            raise failed
        reply = self._shape.reply(request, decoded(data), told)
        if self._named.key.within(data.decode("utf-8", "replace"), reply.text, reply.model, reply.finish, reply.error):
            # Not struck out: words with a hole in them are other words. No model can know the key, so this is no model's answer.
            raise CallFailed("wrong_shape", "the answer holds the key that was sent with the question", retryable=True, usage=reply.usage)
        return reply

    def _headers(self) -> dict[str, str]:
        return {"Content-Type": "application/json", **self._shape.headers(self._named.key)}

    async def _asked(self, endpoint: Endpoint) -> Announced | str:
        """What a server serves; why it could not be asked, in words."""

        async def read(answer: aiohttp.ClientResponse) -> tuple[int, bytes]:
            return answer.status, await whole(answer)

        try:
            async with asyncio.timeout(PROBE):
                status, data = await self._wire.send("GET", f"{endpoint.base}/models", self._headers(), None, read)
        except TimeoutError:
            return f"it says nothing for {PROBE:g} s"
        except CallFailed as failed:
            if failed.kind == "bad_request":
                raise ModelError(str(failed)) from None
            return str(failed)
        if status in (502, 503, 504):
            return f"what stands before it says HTTP {status}"
        if self._named.key.within(data.decode("utf-8", "replace")):
            raise ModelError(f"{endpoint.base}: what the server says of its models holds the key that it was asked with.")
        try:
            told = announced(data, self._named.model) if status == 200 else Announced()
        except ValueError as other:
            raise ModelError(f"{endpoint.base}: {self._named.key.scrub(str(other))[:300]}. Name that one, or serve the other.") from None
        endpoint.known = True
        return told

    async def _same(self, endpoint: Endpoint) -> None:
        """Ask a server that has been away whether it still serves the same. Raises ``CallFailed``."""
        try:
            told = await self._asked(endpoint)
        except ModelError as other:
            raise CallFailed("misaligned", str(other), retryable=True) from None
        if isinstance(told, str):
            raise CallFailed("unavailable", f"cannot ask {endpoint.base} what it serves: {told}", retryable=True)
        if self._named.adopts and isinstance(self._shape, Served) != (told.facts is not None):
            endpoint.known = False
            raise CallFailed("misaligned", f"{endpoint.base} does not say that it serves the same model", retryable=True)
        if isinstance(self._shape, Served) and told.facts is not None and facts_digest(told.facts) != facts_digest(self._facts):
            endpoint.known = False
            raise CallFailed("misaligned", f"{endpoint.base} now serves another model", retryable=True)

    def _agreed(self, found: Sequence[Announced]) -> None:
        if not self._named.adopts:
            return
        said = {None if one.facts is None else facts_digest(one.facts) for one in found}
        if len(said) > 1:
            raise ModelError(
                f"The servers of {self._facts.name} do not serve one model: they announce different weights or engines. Give each its own "
                "route, or start them alike."
            )

    def _take_over(self, told: Announced) -> None:
        """The facts of our own server; of others, how long a prompt may be."""
        given = self._named.given
        if told.context and "context" not in given:
            self._facts = replace(self._facts, context=told.context)
        if told.facts is None or not self._named.adopts:
            return
        servers = len(self._endpoints.all)
        own = told.facts
        self._facts = replace(
            own,
            name=self._facts.name,
            parallel=self._facts.parallel if "parallel" in given else 2 * own.parallel * servers,  # the next waits there while one runs
            context=self._facts.context,
            prices=self._facts.prices if "price" in given else own.prices,
        )
        self._shape = Served(self._named.model, self._facts, self._named.manner)


def open_http(spec: str) -> HttpBackend:
    """The backend that a spec names (see the module). Asks no server: ``prepare`` does. Raises ``UsageError``."""
    return HttpBackend(named_by(spec))
