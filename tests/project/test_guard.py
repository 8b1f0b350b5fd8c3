"""No test leaves this machine, and none can pay for a call by accident."""

from __future__ import annotations

import asyncio
import os
import socket

import pytest

OUTSIDE = "192.0.2.1"  # TEST-NET-1 (RFC 5737): never a real host


def test_a_connection_to_the_outside_is_refused() -> None:
    with socket.socket() as sock, pytest.raises(RuntimeError, match="loopback only"):
        sock.connect((OUTSIDE, 80))


def test_a_datagram_to_the_outside_is_refused() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as sock, pytest.raises(RuntimeError, match="loopback only"):
        sock.sendto(b"x", (OUTSIDE, 53))


def test_a_name_is_not_looked_up() -> None:
    with pytest.raises(RuntimeError, match="looked up"):
        socket.getaddrinfo("example.org", 443)


async def test_asyncio_is_guarded_too() -> None:
    with pytest.raises(RuntimeError, match="loopback only"):
        await asyncio.open_connection(OUTSIDE, 80)


async def test_loopback_works() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        writer.close()

    server = await asyncio.start_server(answer, "localhost", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("localhost", port)
        writer.write(b"hello\n")
        assert await reader.read() == b"hello\n"
        writer.close()


def test_no_key_of_a_paid_service_is_in_reach() -> None:
    assert not [name for name in os.environ if name.endswith("_API_KEY")]
