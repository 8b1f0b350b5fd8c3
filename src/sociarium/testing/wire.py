"""HTTP as raw bytes: a server on loopback whose answers need not be HTTP at all, for tests of what talks to one.

    async with RawServer(handler) as server:      # async def handler(call: Call, wire: Wire) -> None
        ... server.port ...

A handler writes what it likes to the wire. ``RawServer.dark`` makes every attempt to connect wait without an answer, as if the
machine were not there.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

REASONS = {200: "OK", 302: "Found", 400: "Bad Request", 401: "Unauthorized", 429: "Too Many Requests", 500: "Error", 503: "Unavailable"}
BACKLOG = 4096  # connections that wait to be accepted
LONGEST_HEAD = 1 << 20  # bytes of a request's headers


@dataclass(frozen=True, slots=True)
class Call:
    """One request as it came. ``headers`` have names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    def data(self) -> Any:
        """The body as JSON. Raises ValueError."""
        return json.loads(self.body)


class Wire:
    """One connection, from the server's side. ``keep``: whether it stays open after this answer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.keep = True

    async def send(self, data: bytes) -> None:
        """Bytes as they are. ConnectionError where the caller has gone."""
        self.writer.write(data)
        await self.writer.drain()

    async def respond(self, status: int, body: bytes | Mapping[str, Any], headers: Mapping[str, str] | None = None) -> None:
        """A proper answer."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        await self.send(head(status, {"Content-Length": str(len(data)), **(headers or {})}, keep=self.keep) + data)

    async def hold(self) -> None:
        """Say nothing until the caller goes away."""
        self.keep = False
        while await self.reader.read(1 << 16):
            pass

    def reset(self) -> None:
        """Break the connection: the caller gets a reset, not an end."""
        self.keep = False
        told: socket.socket | None = self.writer.get_extra_info("socket")
        if told is not None:
            told.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Handler = Callable[[Call, Wire], Awaitable[None]]


class RawServer:
    """Accepts on 127.0.0.1 at a free ``port``. ``accepted`` counts connections, ``arrived`` whole requests."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.accepted = 0
        self.arrived = 0
        self.faults: list[BaseException] = []  # defects of the handler: raised by ``close``
        self._fillers: list[socket.socket] = []
        self._open: set[asyncio.Task[None]] = set()
        self._light = asyncio.Event()
        self._light.set()

    async def start(self) -> RawServer:
        self._listening = socket.socket()
        self._listening.setblocking(False)
        self._listening.bind(("127.0.0.1", 0))
        self._listening.listen(BACKLOG)
        self.port = int(self._listening.getsockname()[1])
        self._accepting = asyncio.create_task(self._accept())
        return self

    async def close(self) -> None:
        self._accepting.cancel()
        await asyncio.gather(self._accepting, return_exceptions=True)
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        for filler in self._fillers:
            filler.close()
        self._listening.close()
        if self.faults:
            raise self.faults[0]

    async def __aenter__(self) -> RawServer:
        return await self.start()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    async def dark(self) -> None:
        """From now on no connection is made: the queue of those that wait to be accepted is full, so that the kernel drops every
        attempt. Connections that there are go on."""
        self._light.clear()
        await asyncio.sleep(0)
        self._listening.listen(0)
        for _ in range(2):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(self._listening.getsockname())
            self._fillers.append(filler)

    def light(self) -> None:
        """Connections are made again."""
        for filler in self._fillers:
            filler.close()
        self._fillers.clear()
        self._listening.listen(BACKLOG)
        self._light.set()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._light.wait()
            ready = asyncio.create_task(self._readable(loop))
            await ready
            if not self._light.is_set():
                continue
            try:
                connection, _ = self._listening.accept()
            except (BlockingIOError, ConnectionError):
                continue
            connection.setblocking(False)
            task = asyncio.create_task(self._serve(connection))
            self._open.add(task)
            task.add_done_callback(self._ended)

    async def _readable(self, loop: asyncio.AbstractEventLoop) -> None:
        waiting: asyncio.Future[None] = loop.create_future()
        loop.add_reader(self._listening, lambda: waiting.done() or waiting.set_result(None))
        try:
            await waiting
        finally:
            loop.remove_reader(self._listening)

    async def _serve(self, connection: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=connection, limit=LONGEST_HEAD)
        wire = Wire(reader, writer)
        self.accepted += 1
        try:
            while wire.keep and (call := await read_call(reader)) is not None:
                self.arrived += 1
                await self.handler(call, wire)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the caller went away
        finally:
            writer.close()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._open.discard(task)
        if not task.cancelled() and (defect := task.exception()) is not None:
            self.faults.append(defect)


async def read_call(reader: asyncio.StreamReader) -> Call | None:
    """The next request of a connection; None at its end."""
    try:
        text = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = text.rstrip("\r\n").split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Call(method, path, headers, await reader.readexactly(int(headers.get("content-length", "0"))))


def head(status: int, headers: Mapping[str, str], *, keep: bool = True) -> bytes:
    """Status line and headers of an answer, with the empty line after them."""
    told = {"Content-Type": "application/json", "Connection": "keep-alive" if keep else "close", **headers}
    lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Status')}", *(f"{name}: {value}" for name, value in told.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
