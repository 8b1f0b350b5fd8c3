"""Any backend as an OpenAI-compatible server: one engine for several processes, and a real server for tests.

Beyond the usual shape: ``POST /v1/choose`` {messages, options, neutral?} answers {probabilities, text, usage}, for any program;
``POST /v1/ask`` takes a request whole, in the form of the journal, for other runs (``backends.http_served``). ``GET /v1/models`` announces
both under ``sociarium``, with digest and engine of the model. A chat may be streamed: the words come once the reply is whole.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import math
import os
from collections.abc import Awaitable, Callable
from typing import Any, cast
from urllib.parse import urlsplit

from aiohttp import web

from sociarium.kernel.content import Block, Content
from sociarium.kernel.errors import SociariumError, UsageError
from sociarium.kernel.outcomes import Status
from sociarium.kernel.protocols import Usage
from sociarium.models.backend import Backend, CallFailed
from sociarium.models.backends.http_served import announcement
from sociarium.models.request import Reply, Request, Sampling, facts_digest, request_id
from sociarium.models.schema import check_schema

BODY_LIMIT = 16 << 20  # bytes
COUNTED = ("prompt_tokens", "cached_tokens", "completion_tokens", "reasoning_tokens", "money")
HEAD = {"id": "sociarium", "created": 0}  # clients want both; neither says anything here
MOST_TOKENS = 1 << 20  # of one reply: more is a slip
PIECE = 64  # characters of one event of a stream
STATUS = {"rate_limited": 429, "unauthorised": 401, "context_too_long": 400, "wrong_shape": 400, "unavailable": 503}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """A running server. ``url`` ends in ``/v1``. Closing it leaves the backend open: it belongs to the caller."""

    def __init__(self, runner: web.AppRunner, url: str) -> None:
        self.runner = runner
        self.url = url

    async def close(self) -> None:
        await self.runner.cleanup()

    async def __aenter__(self) -> Server:
        return self

    async def __aexit__(self, *details: object) -> None:
        await self.close()


async def serve(backend: Backend, host: str = "127.0.0.1", port: int = 0, *, delay: float = 0.0, public: bool = False) -> Server:
    """Serve ``backend`` at ``host:port`` (0: any free port). ``delay`` seconds are waited before each reply.

    There is no key and no encryption, so an address that others can reach needs ``public=True``. Raises UsageError.
    """
    if not public and not is_loopback(host):
        raise UsageError(f"{host} can be reached by other machines, and this server asks for no key; use 127.0.0.1, or allow it explicitly")
    if not 0 <= delay < math.inf:
        raise UsageError(f"a delay must be 0 seconds or more, not {delay:g}")
    if not 0 <= port <= 65_535:
        raise UsageError(f"a port is a number from 0 (any that is free) to 65535, not {port}")
    desk = Desk(backend, delay)
    asked_here = [] if public else [for_this_machine]
    app = web.Application(client_max_size=BODY_LIMIT, middlewares=[errors_as_json, *asked_here])
    app.router.add_get("/v1/models", desk.models)
    app.router.add_post("/v1/chat/completions", desk.chat)
    app.router.add_post("/v1/ask", desk.whole)
    app.router.add_post("/v1/choose", desk.choose)
    app.router.add_post("/v1/embeddings", desk.embeddings)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True)  # a caller who goes away ends the generation
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        await runner.cleanup()
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise UsageError(f"cannot serve at {host}:{port}: {reason}") from error
    bound = cast("tuple[str, int]", runner.addresses[0])
    shown = f"[{bound[0]}]" if ":" in bound[0] else bound[0]
    return Server(runner, f"http://{shown}:{bound[1]}/v1")


class Desk:
    """The handlers."""

    def __init__(self, backend: Backend, delay: float) -> None:
        self.backend = backend
        self.delay = delay

    async def models(self, _: web.Request) -> web.Response:
        facts = self.backend.facts
        row = {"id": facts.name, "object": "model", "owned_by": "sociarium", "max_model_len": facts.context}
        return web.json_response({"object": "list", "data": [{**row, "sociarium": announcement(facts)}]})

    async def whole(self, call: web.Request) -> web.Response:
        """``/v1/ask``."""
        body = await body_of(call)
        try:
            request = Request.from_plain(body["request"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CallFailed("wrong_shape", f"not a request of ours: {error}"[:300], retryable=False) from error
        reply = await self.ask(request, body.get("draw"))
        usage = {name: getattr(reply.usage, name) for name in COUNTED}
        told = {"reply": reply.plain(), "usage": usage, "request_id": reply.echo or request_id(request, body.get("draw"))}
        return web.json_response({**told, "answered_by": facts_digest(self.backend.facts)})

    async def chat(self, call: web.Request) -> web.StreamResponse:
        body = await body_of(call)
        if body.get("n") not in (None, 1) or body.get("tools"):
            raise CallFailed("wrong_shape", "n and tools are not offered", retryable=False)
        reply = await self.ask(Request(blocks_of(body, "messages"), schema=schema_of(body), sampling=sampling_of(body)), body.get("seed"))
        if body.get("stream"):
            options = body.get("stream_options")
            counted = isinstance(options, dict) and bool(cast("dict[str, Any]", options).get("include_usage"))
            return await streamed(call, self.backend.facts.name, reply, counted=counted)
        message = {"role": "assistant", "content": reply.text}
        choice = {"index": 0, "message": message, "finish_reason": reply.finish}
        return web.json_response(
            {**HEAD, "object": "chat.completion", "model": self.backend.facts.name, "choices": [choice], "usage": usage_of(reply.usage)}
        )

    async def choose(self, call: web.Request) -> web.Response:
        body = await body_of(call)
        options = texts_of(body, "options")
        neutral = blocks_of(body, "neutral") if body.get("neutral") else None
        reply = await self.ask(Request(blocks_of(body, "messages"), kind="choose", options=options, neutral=neutral), None)
        return web.json_response({"probabilities": list(reply.probabilities), "text": reply.text, "usage": usage_of(reply.usage)})

    async def embeddings(self, call: web.Request) -> web.Response:
        body = await body_of(call)
        texts = (body["input"],) if isinstance(body.get("input"), str) else texts_of(body, "input")
        reply = await self.ask(Request(kind="embed", texts=texts), None)
        rows = [{"object": "embedding", "index": number, "embedding": list(vector)} for number, vector in enumerate(reply.vectors)]
        return web.json_response({"object": "list", "data": rows, "model": self.backend.facts.name, "usage": usage_of(reply.usage)})

    async def ask(self, request: Request, seed: Any) -> Reply:
        if seed is not None and (not isinstance(seed, int) or isinstance(seed, bool)):
            raise CallFailed("wrong_shape", "seed must be a whole number", retryable=False)
        if request.kind == "choose" and not request.options:
            raise CallFailed("wrong_shape", "a choice needs options", retryable=False)
        if self.delay:
            await asyncio.sleep(self.delay)
        reply = await self.backend.complete(request, seed)
        if not reply.good and reply.status is not Status.DECLINED:
            raise CallFailed("server_error", reply.error or f"the backend answered {reply.status.name.lower()}", retryable=False)
        return reply


async def streamed(call: web.Request, model: str, reply: Reply, *, counted: bool) -> web.StreamResponse:
    """A reply as server-sent events: some words an event, then why it ended, then its tokens where they are asked for."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
    await response.prepare(call)
    whole = {**HEAD, "object": "chat.completion.chunk", "model": model}

    async def send(delta: dict[str, Any], finish: str | None) -> None:
        await event({**whole, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

    async def event(data: dict[str, Any]) -> None:
        await response.write(f"data: {json.dumps(data)}\n\n".encode())

    await send({"role": "assistant", "content": ""}, None)
    for start in range(0, len(reply.text), PIECE):
        await send({"content": reply.text[start : start + PIECE]}, None)
    await send({}, reply.finish)
    if counted:
        await event({**whole, "choices": [], "usage": usage_of(reply.usage)})
    await response.write(b"data: [DONE]\n\n")
    await response.write_eof()
    return response


@web.middleware
async def for_this_machine(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Only programs of this machine are answered: not a page in its browser, which could ask by a name that it binds to this address."""
    asked = [f"//{request.host}", *(request.headers[name] for name in ("Origin",) if name in request.headers)]
    try:
        hosts = [urlsplit(one).hostname or "" for one in asked]
    except ValueError:
        hosts = [""]
    if not all(is_loopback(host) for host in hosts):
        raise web.HTTPForbidden(reason="this server answers programs of its own machine only")
    return await handler(request)


@web.middleware
async def errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A failed call becomes a status and an error object, never the text of a reply."""
    try:
        return await handler(request)
    except CallFailed as failed:
        headers = {"Retry-After": f"{failed.retry_after:g}"} if failed.retry_after is not None else None
        status = STATUS.get(failed.kind, 500)
        return web.json_response({"error": error_of(failed.kind, str(failed))}, status=status, headers=headers)
    except SociariumError as wrong:  # what the backend cannot be asked
        return web.json_response({"error": error_of("wrong_shape", str(wrong))}, status=400)
    except web.HTTPException as refused:
        return web.json_response({"error": error_of("wrong_shape", refused.reason)}, status=refused.status)


def error_of(kind: str, message: str) -> dict[str, str]:
    return {"type": kind, "code": "context_length_exceeded" if kind == "context_too_long" else kind, "message": message}


async def body_of(call: web.Request) -> dict[str, Any]:
    try:
        body = await call.json()
    except ValueError as error:
        raise CallFailed("wrong_shape", f"the body is not JSON: {error}", retryable=False) from error
    if not isinstance(body, dict):
        raise CallFailed("wrong_shape", "the body is not a JSON object", retryable=False)
    return cast("dict[str, Any]", body)


def blocks_of(body: dict[str, Any], name: str) -> Content:
    rows: Any = body.get(name)
    if not isinstance(rows, list) or not rows:
        raise CallFailed("wrong_shape", f"{name} must be a list of messages", retryable=False)
    blocks: list[Block] = []
    for row in cast("list[Any]", rows):
        message = cast("dict[str, Any]", row) if isinstance(row, dict) else {}
        role, content = message.get("role"), text_of(message.get("content"))
        if not isinstance(role, str) or not isinstance(content, str):
            raise CallFailed("wrong_shape", f"{name}: each message needs a role and a content of text", retryable=False)
        blocks.append(Block(content, origin="client", role=role))
    return tuple(blocks)


def text_of(content: Any) -> Any:
    """The text of a message that comes as parts, which some clients always send; what it is else is for the caller to judge."""
    if not isinstance(content, list):
        return content
    parts = [cast("dict[str, Any]", part) if isinstance(part, dict) else {} for part in cast("list[Any]", content)]
    if not parts or not all(part.get("type") == "text" and isinstance(part.get("text"), str) for part in parts):
        raise CallFailed("wrong_shape", "of the parts of a message only text is offered", retryable=False)
    return "".join(part["text"] for part in parts)


def texts_of(body: dict[str, Any], name: str) -> tuple[str, ...]:
    rows: Any = body.get(name)
    if not isinstance(rows, list) or not all(isinstance(row, str) for row in cast("list[Any]", rows)):
        raise CallFailed("wrong_shape", f"{name} must be a list of texts", retryable=False)
    return tuple(cast("list[str]", rows))


def schema_of(body: dict[str, Any]) -> dict[str, Any] | None:
    wanted: Any = body.get("response_format") or {"type": "text"}
    if wanted == {"type": "text"}:
        return None
    if wanted == {"type": "json_object"}:
        return {"type": "object"}
    try:
        schema = wanted["json_schema"]["schema"]
    except (KeyError, TypeError) as error:
        fault = "response_format must be text, json_object, or json_schema with a schema"
        raise CallFailed("wrong_shape", fault, retryable=False) from error
    check_schema(schema)
    return cast("dict[str, Any]", schema)


def sampling_of(body: dict[str, Any]) -> Sampling:
    stop: Any = body.get("stop") or []
    temperature, top_p = (1.0 if body.get(name) is None else body[name] for name in ("temperature", "top_p"))
    try:
        made = Sampling(
            temperature=float(temperature),
            top_p=float(top_p),
            max_tokens=int(body.get("max_completion_tokens") or body.get("max_tokens") or 256),
            stop=(stop,) if isinstance(stop, str) else texts_of({"stop": stop}, "stop"),
        )
    except (TypeError, ValueError, OverflowError) as error:
        raise CallFailed("wrong_shape", f"a sampling parameter is not a number: {error}", retryable=False) from error
    if not (0.0 <= made.temperature < math.inf and 0.0 < made.top_p <= 1.0 and 1 <= made.max_tokens <= MOST_TOKENS):
        raise CallFailed(
            "wrong_shape", "temperature must be at least 0, top_p above 0 and at most 1, max_tokens at least 1", retryable=False
        )
    return made


def usage_of(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
