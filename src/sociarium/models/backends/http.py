"""Any model behind HTTP: OpenAI-compatible servers (chat, completions, embeddings) and Anthropic's messages.

A model is named ``http://HOST:PORT/v1#MODEL``, ``openai:MODEL`` or ``anthropic:MODEL``, with options after a question mark:
``api=chat|completions``, ``key=ENVIRONMENT_VARIABLE``, ``digest=``, ``parallel=``, ``context=``, ``schemas=send|prompt|tool``,
``sampling=send|off``, ``seeds=send|off``, ``connect=`` (seconds that a connection may take to be made), ``price=``,
``price_cached=``, ``price_completion=`` (US dollars a million tokens).

Requests go to the host that the user named and nowhere else: no redirects, no proxies from the environment, no link-local
address (where clouds keep their credentials). A body is read up to ``LARGEST`` bytes. What a server writes in an error has
the key struck out.
"""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver

from sociarium.kernel.errors import UsageError
from sociarium.models.backend import CallFailed
from sociarium.models.backends.http_errors import failure_of
from sociarium.models.backends.http_shapes import ECHO, Anthropic, Chat, Completions, Shape, decoded
from sociarium.models.prices import UNKNOWN, known_prices
from sociarium.models.request import BackendFacts, Prices, Reply, Request, request_id
from sociarium.models.secret import Secret, from_environment
from sociarium.models.spec import Options, split

LARGEST = 8 << 20  # bytes of an answer
CONNECT = 10.0  # seconds that a connection may take to be made, where the spec does not say
VENDORS = {
    "openai": ("https://api.openai.com/v1", "OPENAI_API_KEY"),
    "anthropic": ("https://api.anthropic.com/v1", "ANTHROPIC_API_KEY"),
}
SHAPES: dict[str, type[Shape]] = {"chat": Chat, "completions": Completions, "messages": Anthropic}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a model answers. ``base`` has no slash at its end; ``connect`` is in seconds."""

    base: str
    model: str
    key: Secret
    connect: float = CONNECT


class HttpBackend:
    """One model at one endpoint. Every failure is a ``CallFailed``."""

    def __init__(self, endpoint: Endpoint, shape: Shape, facts: BackendFacts) -> None:
        self._endpoint = endpoint
        self._shape = shape
        self._facts = facts
        self._session: aiohttp.ClientSession | None = None

    @property
    def facts(self) -> BackendFacts:
        return self._facts

    async def complete(self, request: Request, draw: int | None) -> Reply:
        path, body = self._shape.body(request, draw)
        status, headers, data = await self._post(path, body, ECHO + request_id(request, draw))
        if status != 200:
            raise failure_of(status, headers, data, self._endpoint.key)
        answer = decoded(data)
        return self._shape.reply(request, answer, headers)

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _post(self, path: str, body: bytes, name: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers (names in lower case) and body of the answer."""
        headers = {"Content-Type": "application/json", "X-Request-Id": name, **self._shape.headers(self._endpoint.key)}
        try:
            async with self._open().post(self._endpoint.base + path, data=body, headers=headers, allow_redirects=False) as answer:
                data = bytearray()
                async for chunk in answer.content.iter_chunked(1 << 16):
                    data += chunk
                    if len(data) > LARGEST:
                        raise CallFailed("wrong_shape", f"the answer has more than {LARGEST:,} bytes", retryable=False)
                return answer.status, {key.lower(): value for key, value in answer.headers.items()}, bytes(data)
        except (aiohttp.ConnectionTimeoutError, aiohttp.ServerTimeoutError) as error:
            kind = "connect_timeout" if isinstance(error, aiohttp.ConnectionTimeoutError) else "read_timeout"
            raise CallFailed(kind, f"no answer from {self._facts.name} in time", retryable=True) from None
        except aiohttp.ClientConnectorError as error:
            raise CallFailed("unavailable", f"cannot connect to {self._facts.name}: {error.os_error}", retryable=True) from None
        except (aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            raise CallFailed("reset", f"the connection broke: {self._clean(error)}", retryable=True) from None
        except aiohttp.ClientError as error:
            raise CallFailed("wrong_shape", f"not an HTTP answer: {self._clean(error)}", retryable=True) from None

    def _clean(self, error: Exception) -> str:
        return self._endpoint.key.scrub(f"{type(error).__name__}: {error}")[:300]

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=2 * self._facts.parallel, resolver=Guard(), ttl_dns_cache=60)
            timeout = aiohttp.ClientTimeout(
                total=None, sock_connect=self._endpoint.connect
            )  # how long an answer may take is the service's to say
            self._session = aiohttp.ClientSession(
                connector=connector, timeout=timeout, trust_env=False, cookie_jar=aiohttp.DummyCookieJar()
            )
        return self._session


class Guard(AbstractResolver):
    """Looks names up, and leaves out addresses where no model can be: link-local, multicast, unspecified."""

    def __init__(self) -> None:
        self._inner = DefaultResolver()

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        kept = [one for one in found if allowed(one["host"])]
        if not kept:
            raise OSError(f"{host} has no address that a model may be at")
        return kept

    async def close(self) -> None:
        await self._inner.close()


def allowed(address: str) -> bool:
    """Whether an address may be connected to."""
    ip = ipaddress.ip_address(address.split("%")[0])
    inner = getattr(ip, "ipv4_mapped", None) or ip
    return not (inner.is_link_local or inner.is_multicast or inner.is_unspecified)


def open_http(spec: str) -> HttpBackend:
    """The backend that a spec names (see the module). Raises ``UsageError``."""
    scheme, rest = spec.split(":", 1) if ":" in spec else (spec, "")
    vendor = scheme if scheme in VENDORS else ""
    if vendor:
        model, options = split(spec, rest)
        base, variable = VENDORS[vendor]
    else:
        address, _, fragment = spec.partition("#")
        model, options = split(spec, fragment)
        base, variable = checked(address), ""
    if not model:
        raise UsageError(f"Model {spec!r} names no model: write {'openai:MODEL' if vendor else 'http://HOST:PORT/v1#MODEL'}.")
    variable = options.take("key", str, variable)
    shape_name = options.take("api", str, "messages" if vendor == "anthropic" else "chat")
    if shape_name not in SHAPES:
        raise UsageError(f"Model {spec!r}: api={shape_name!r} is not one of {', '.join(SHAPES)}.")
    facts = _facts(vendor, base, model, shape_name, options)
    connect = options.take("connect", float, CONNECT, least=0.001)
    options.done()
    key = from_environment(variable, f"Model {model!r}") if variable else Secret("")
    return HttpBackend(Endpoint(base, model, key, connect), SHAPES[shape_name](model, facts, vendor), facts)


def checked(address: str) -> str:
    """An http(s) address of a host, without anything that does not belong into one."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        raise UsageError("A model's address has a port or a host that cannot be read.") from None
    if parts.username is not None or parts.password is not None or parts.query:
        # The text is not shown: it may hold a key.
        raise UsageError("A model's address must not hold a user, a password or a query: name the variable that holds the key, key=NAME.")
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise UsageError(f"Not the address of a model server: {address!r}. Write http://HOST:PORT/v1#MODEL.")
    try:
        numeric = socket.inet_ntoa(socket.inet_aton(parts.hostname)) if ":" not in parts.hostname else parts.hostname
    except OSError:
        numeric = ""  # a name: looked up, and checked, when it is connected to
    if numeric and not allowed(numeric):
        raise UsageError(f"No model can be at {parts.hostname}: it is a link-local, multicast or unspecified address.")
    return address.rstrip("/")


def _facts(vendor: str, base: str, model: str, shape: str, options: Options) -> BackendFacts:
    name = f"{vendor}:{model}" if vendor else f"{base}#{model}"
    engine: dict[str, Any] = {
        "api": shape,
        "schemas": _choice(options, "schemas", ("send", "prompt", "tool"), "tool" if shape == "messages" else "send"),
        "sampling": _choice(options, "sampling", ("send", "off"), "send"),
        "seeds": _choice(options, "seeds", ("send", "off"), "off" if shape == "messages" else "send"),
    }
    listed = known_prices(name) or (Prices(dated=UNKNOWN) if vendor else Prices())
    given = "price" in options.values or "price_completion" in options.values
    own = Prices(
        1e6 * options.take("price", float, 0.0, least=0.0),
        1e6 * options.take("price_cached", float, 0.0, least=0.0),
        1e6 * options.take("price_completion", float, 0.0, least=0.0),
        "given",
    )
    return BackendFacts(
        name=name,
        digest=options.take("digest", str, name),
        engine=engine,
        exact=False,
        log_probabilities=shape != "messages",
        schemas=engine["schemas"] != "prompt",
        seeds=engine["seeds"] == "send",
        context=options.take("context", int, 128_000, least=1),
        parallel=options.take("parallel", int, 64, least=1),
        prices=own if given else listed,
    )


def _choice(options: Options, name: str, choices: tuple[str, ...], default: str) -> str:
    value = options.take(name, str, default)
    if value not in choices:
        raise UsageError(f"Model {options.spec!r}: {name}={value!r} is not one of {', '.join(choices)}.")
    return value
