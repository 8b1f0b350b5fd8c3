"""HTTP to the hosts that a user named: one session, no redirects, no proxies from the environment, bounded bodies, typed failures."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TypeVar

import aiohttp

from sociarium.models.backend import CallFailed
from sociarium.models.backends.http_guard import Forbidden, Guard
from sociarium.models.secret import Secret

LARGEST = 8 << 20  # bytes of an answer
CONNECT = 10.0  # seconds that a connection may take to be made
T = TypeVar("T")


class Wire:
    """Sends requests to the hosts of ``bases`` and reads their answers. ``name`` and ``key`` are for messages: what is in them is
    what a user may see, and the key never is."""

    def __init__(self, name: str, bases: Iterable[str], key: Secret, parallel: int, connect: float = CONNECT) -> None:
        self.name = name
        self.key = key
        self._guard = Guard(bases)
        self._parallel = parallel
        self._connect = connect
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, read: Callable[[aiohttp.ClientResponse], Awaitable[T]]
    ) -> T:
        """What ``read`` makes of the answer. Raises ``CallFailed``."""
        try:
            async with self._open().request(method, url, data=body, headers=headers, allow_redirects=False) as answer:
                return await read(answer)
        except (aiohttp.ConnectionTimeoutError, aiohttp.ServerTimeoutError) as error:
            kind = "connect_timeout" if isinstance(error, aiohttp.ConnectionTimeoutError) else "read_timeout"
            raise CallFailed(kind, f"no answer from {self.name} in time", retryable=True) from None
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, Forbidden):
                raise CallFailed("bad_request", f"cannot connect to {self.name}: {error.os_error}", retryable=False) from None
            raise CallFailed("unavailable", f"cannot connect to {self.name}: {error.os_error}", retryable=True) from None
        except (aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            raise CallFailed("reset", f"the connection broke: {self._clean(error)}", retryable=True) from None
        except aiohttp.ClientError as error:
            raise CallFailed("wrong_shape", f"not an HTTP answer: {self._clean(error)}", retryable=True) from None

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _clean(self, error: Exception) -> str:
        return self.key.scrub(f"{type(error).__name__}: {error}")[:300]

    def _open(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        if self._session is None or self._loop is not loop:  # a backend may outlive a loop; its connections do not
            connector = aiohttp.TCPConnector(
                limit=2 * self._parallel, resolver=self._guard, ttl_dns_cache=60, socket_factory=self._guard.socket
            )
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=self._connect)  # how long an answer may take is the service's to say
            self._session = aiohttp.ClientSession(
                connector=connector, timeout=timeout, trust_env=False, cookie_jar=aiohttp.DummyCookieJar()
            )
            self._loop = loop
        return self._session


async def whole(answer: aiohttp.ClientResponse) -> bytes:
    """The body of an answer, up to ``LARGEST`` bytes."""
    if answer.content_length is not None and answer.content_length <= LARGEST and "Content-Encoding" not in answer.headers:
        return await answer.read()
    data = bytearray()
    async for chunk in answer.content.iter_chunked(1 << 16):
        data += chunk
        if len(data) > LARGEST:
            raise CallFailed("wrong_shape", f"the answer has more than {LARGEST:,} bytes", retryable=False)
    return bytes(data)


def named(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers with names in lower case."""
    return {key.lower(): value for key, value in headers.items()}
