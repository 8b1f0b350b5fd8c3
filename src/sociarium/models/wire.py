"""A lean HTTP/1.1 client for one model server: ``POST``, an answer read whole, connections kept open.

A general client costs 0.18 ms of CPU a call (aiohttp, 64 in flight), more than all else that the service does for a call; this one
0.05. It does what model servers need and no more: no redirects, no proxies, no cookies, no cache, no pipelining. Answers end by
``Content-Length``, by chunks or by the end of the connection, and are read up to ``LARGEST`` bytes, ``gzip`` included. A name is
looked up anew for each connection, and only to addresses where a model can be (see ``allowed``); that very address is connected to.

A connection is used again only where the answer on it ended exactly where it said; bytes that come unasked break it. So an answer
can never be taken for that to another question.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
import ssl
import zlib
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from sociarium.models.backend import CallFailed

LARGEST = 8 << 20  # bytes of an answer
LONGEST_HEAD = 64 << 10  # bytes of its status line and headers
CONNECT = 10.0  # seconds
IDLE = 15.0  # seconds that a connection waits for its next call; servers close theirs after about as long or longer

_STATUS = re.compile(rb"HTTP/1\.[01] ([1-9][0-9]{2})(?: [^\r\n]*)?")
_UNSAFE = re.compile(r"[\r\n\0]")


@dataclass(frozen=True, slots=True)
class Answered:
    """Status, headers (names in lower case; those that come twice joined by a comma) and body."""

    status: int
    headers: dict[str, str]
    body: bytes


class Wire:
    """The way to the server of ``base`` (``https://host/v1``). ``name`` says in errors who did not answer."""

    def __init__(self, base: str, name: str, *, connect: float = CONNECT) -> None:
        parts = urlsplit(base)
        self.name = name
        self.host = parts.hostname or ""
        self.port = parts.port or (443 if parts.scheme == "https" else 80)
        self._prefix = parts.path
        self._authority = parts.netloc
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._connect = connect
        self._idle: deque[_Line] = deque()
        self._busy: set[_Line] = set()

    async def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Answered:
        """One call. Whatever goes wrong is ``CallFailed``: connect_timeout, unavailable, reset or wrong_shape."""
        head = f"POST {self._prefix}{path} HTTP/1.1\r\nHost: {self._authority}\r\n"
        for key, value in headers.items():
            if _UNSAFE.search(key) or _UNSAFE.search(value):
                raise CallFailed("bad_request", f"the header {key!r} holds a line break", retryable=False)
            head += f"{key}: {value}\r\n"
        line = self._kept() or await self._opened()
        self._busy.add(line)
        try:
            answered = await line.ask(f"{head}Content-Length: {len(body)}\r\n\r\n".encode("latin-1", "replace") + body)
        finally:
            self._busy.discard(line)
            if line.reusable:
                line.since = line.loop.time()
                self._idle.append(line)
            else:
                line.transport.abort()
        return answered

    async def close(self) -> None:
        """End all connections, those in use too: whoever waits on one gets ``CallFailed``."""
        for line in (*self._idle, *self._busy):
            line.transport.abort()
        self._idle.clear()
        await asyncio.sleep(0)

    def _kept(self) -> _Line | None:
        """The connection used last that is still good."""
        idle = self._idle
        while idle and (idle[0].loop.is_closed() or not idle[0].reusable or idle[0].loop.time() - idle[0].since > IDLE):
            idle.popleft().transport.abort()
        while idle:
            line = idle.pop()
            if line.reusable and line.loop is asyncio.get_running_loop():
                return line
        return None

    async def _opened(self) -> _Line:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._connect):
                return await self._reached(loop)
        except TimeoutError:
            raise CallFailed("connect_timeout", f"no connection to {self.name} within {self._connect:g} s", retryable=True) from None
        except OSError as error:
            raise CallFailed("unavailable", f"cannot connect to {self.name}: {error}", retryable=True) from None

    async def _reached(self, loop: asyncio.AbstractEventLoop) -> _Line:
        """A connection to the first address that takes one."""
        found = await loop.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        addresses = [str(address[0]) for *_, address in found if allowed(str(address[0]))]
        if not addresses:
            raise OSError(f"{self.host} has no address that a model may be at")
        for at, address in enumerate(addresses):
            try:
                named = self.host if self._tls else None
                _, line = await loop.create_connection(_Line, address, self.port, ssl=self._tls, server_hostname=named)
                return line
            except OSError:
                if at == len(addresses) - 1:
                    raise
        raise AssertionError("unreachable")


class _Line(asyncio.Protocol):
    """One connection, and the answer that is coming in on it."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.since = 0.0
        self.reusable = True
        self._waiter: asyncio.Future[Answered] | None = None
        self._begin()

    def _begin(self) -> None:
        self._data = bytearray()
        self._status = 0
        self._headers: dict[str, str] = {}
        self._start = 0  # of what is not read yet
        self._length: int | None = None  # of the body; None: chunked, or to the end of the connection
        self._chunked = False
        self._chunks: list[bytes] = []
        self._size = 0
        self._lasting = True

    async def ask(self, question: bytes) -> Answered:
        """Write a request and wait for its answer. A wait that is cancelled leaves the connection unusable."""
        self._begin()
        self._waiter = self.loop.create_future()
        self.reusable = False  # until the answer has ended well
        self.transport.write(question)
        try:
            return await self._waiter
        finally:
            self._waiter = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if self._waiter is None or self._waiter.done():
            self.reusable = False  # nobody asked
            self.transport.abort()
            return
        self._data += data
        try:
            if self._status or self._read_head():
                self._read_body()
        except ValueError as wrong:
            self._fail("wrong_shape", f"not an HTTP answer: {wrong}")

    def eof_received(self) -> bool:
        if self._status and self._length is None and not self._chunked:
            self._chunks.append(bytes(self._data[self._start :]))
            try:
                self._done(reusable=False)
            except ValueError as wrong:
                self._fail("wrong_shape", f"not an HTTP answer: {wrong}")
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.reusable = False
        self._fail("reset", f"the connection broke: {exc or 'closed before the answer was whole'}")

    def _read_head(self) -> bool:
        """Whether the head is whole now. What comes before the true answer (100 Continue) is passed over."""
        while (end := self._data.find(b"\r\n\r\n", self._start)) >= 0:
            first, _, rest = bytes(self._data[self._start : end]).partition(b"\r\n")
            if end - self._start > LONGEST_HEAD or (status := _STATUS.fullmatch(first)) is None:
                raise ValueError("its first line or its headers cannot be read")
            self._start = end + 4
            if status[1][:1] != b"1":
                self._headers = headers_of(rest)
                self._status = int(status[1])
                self._lasting = not first.startswith(b"HTTP/1.0")
                self._frame()
                return True
            if status[1] == b"101":
                raise ValueError("the server changes the protocol")
        if len(self._data) - self._start > LONGEST_HEAD:
            raise ValueError("its headers have no end")
        return False

    def _frame(self) -> None:
        """How the body ends (RFC 9112, section 6.3)."""
        coding = self._headers.get("transfer-encoding")
        length = self._headers.get("content-length")
        if coding is not None:
            if coding.lower() != "chunked" or length is not None:
                raise ValueError("it says in two ways how long it is, or in one that is not known")
            self._chunked = True
        elif self._status in (204, 304):
            self._length = 0
        elif length is not None:
            if not (length.isascii() and length.isdigit() and len(length) < 16):
                raise ValueError("its length is no number")
            self._length = int(length)

    def _read_body(self) -> None:
        if self._chunked:
            while self._read_chunk():
                pass
            return
        if max(self._length or 0, len(self._data) - self._start) > LARGEST:
            self._too_large()
        elif self._length is not None and len(self._data) - self._start >= self._length:
            end = self._start + self._length
            self._chunks.append(bytes(self._data[self._start : end]))
            self._done(reusable=end == len(self._data))

    def _read_chunk(self) -> bool:
        """Take one chunk where it is whole; whether to look for the next."""
        end = self._data.find(b"\r\n", self._start, self._start + 1024)
        if end < 0:
            if len(self._data) - self._start >= 1024:
                raise ValueError("a chunk has no length")
            return False
        digits = bytes(self._data[self._start : end]).split(b";")[0].strip()
        if not re.fullmatch(rb"[0-9A-Fa-f]{1,8}", digits):
            raise ValueError("a chunk has no length")
        size = int(digits, 16)
        if self._size + size > LARGEST:
            self._too_large()
            return False
        if size == 0:
            return self._read_trailer(end)
        if len(self._data) < end + 4 + size:
            return False
        if not self._data.startswith(b"\r\n", end + 2 + size):
            raise ValueError("a chunk is longer than it says")
        self._chunks.append(bytes(self._data[end + 2 : end + 2 + size]))
        self._size += size
        del self._data[: end + 4 + size]
        self._start = 0
        return True

    def _read_trailer(self, end: int) -> bool:
        if self._data.startswith(b"\r\n", end + 2):
            self._done(reusable=len(self._data) == end + 4)
        elif (last := self._data.find(b"\r\n\r\n", end)) >= 0:
            self._done(reusable=len(self._data) == last + 4)
        elif len(self._data) - end > LONGEST_HEAD:
            raise ValueError("its trailer has no end")
        return False

    def _done(self, *, reusable: bool) -> None:
        body = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        if (packed := self._headers.get("content-encoding", "identity").lower()) != "identity":
            body = unpacked(body, packed)
        if self._waiter is not None and not self._waiter.done():
            self.reusable = reusable and self._lasting and "close" not in self._headers.get("connection", "").lower()
            self._waiter.set_result(Answered(self._status, self._headers, body))

    def _too_large(self) -> None:
        self._fail("wrong_shape", f"the answer has more than {LARGEST:,} bytes", retryable=False)

    def _fail(self, kind: str, message: str, *, retryable: bool = True) -> None:
        self.reusable = False
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(CallFailed(kind, message, retryable=retryable))
        if self._data or self._status:
            self.transport.abort()


def headers_of(lines: bytes) -> dict[str, str]:
    """Headers from the lines between the status line and the empty one. Raises ValueError."""
    found: dict[str, str] = {}
    if not lines:
        return found
    for line in lines.decode("latin-1").split("\r\n"):
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise ValueError("a header has no name")
        key, value = name.lower(), value.strip()
        if key in found and key == "content-length" and found[key] != value:
            raise ValueError("it has two lengths")
        found[key] = value if key not in found or key == "content-length" else f"{found[key]}, {value}"
    return found


def unpacked(body: bytes, packing: str) -> bytes:
    """A packed body, up to ``LARGEST`` bytes. Raises ValueError."""
    if packing not in ("gzip", "deflate"):
        raise ValueError(f"its body is packed as {packing[:20]!r}")
    unpacking = zlib.decompressobj(zlib.MAX_WBITS | 32)
    try:
        whole = unpacking.decompress(body, LARGEST + 1)
    except zlib.error:
        raise ValueError("its body cannot be unpacked") from None
    if len(whole) > LARGEST:
        raise ValueError(f"its body has more than {LARGEST:,} bytes")
    return whole


def allowed(address: str) -> bool:
    """Whether a model can be at an address: not where clouds keep their credentials (link-local), multicast or unspecified."""
    ip = ipaddress.ip_address(address.split("%")[0])
    inner = getattr(ip, "ipv4_mapped", None) or ip
    return not (inner.is_link_local or inner.is_multicast or inner.is_unspecified)
