"""The lean HTTP client: how answers end, what breaks a connection, and that no answer is ever another's."""

from __future__ import annotations

import asyncio
import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sociarium.models.backend import CallFailed
from sociarium.models.wire import LARGEST, LONGEST_HEAD, Answered, Wire

OK = b"HTTP/1.1 200 OK\r\n"


class Speaking:
    """A server that reads whole requests and says, to the n-th of all, the n-th piece of ``says`` (the last for ever)."""

    def __init__(self, *says, close=False, split=None):
        self.says, self.close, self.split = list(says), close, split
        self.heard, self.connections = [], 0

    async def handle(self, reader, writer):
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                self.heard.append((head, await reader.readexactly(length)))
                said = self.says[min(len(self.heard), len(self.says)) - 1]
                for piece in self.split(said) if self.split else [said]:
                    writer.write(piece)
                    await asyncio.sleep(0)
                if self.close:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


async def talk(server, calls=1, body=b"{}", headers=None):
    """What comes of ``calls`` calls one after the other: answers and failures."""
    listening = await asyncio.start_server(server.handle, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    wire = Wire(f"http://127.0.0.1:{port}/v1", "the server")
    found = []
    try:
        for _ in range(calls):
            try:
                found.append(await wire.post("/chat", body, headers or {}))
            except CallFailed as failure:
                found.append(failure)
            await asyncio.sleep(0.005)
    finally:
        await wire.close()
        listening.close()
    return found


def lengthed(body, *headers):
    return OK + b"".join(header + b"\r\n" for header in headers) + b"Content-Length: %d\r\n\r\n" % len(body) + body


def chunked(*parts):
    return (
        OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(b"%x;note=1\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("said", "body"),
    [
        (lengthed(b"hello"), b"hello"),
        (lengthed(b""), b""),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + lengthed(b"hello"), b"hello"),
        (chunked(b"hel", b"lo"), b"hello"),
        (chunked(b"hel", b"lo")[:-2] + b"Checksum: 1\r\n\r\n", b"hello"),
        (lengthed(gzip.compress(b"hello"), b"Content-Encoding: gzip"), b"hello"),
        (OK + b"\r\nhello", b"hello"),
    ],
    ids=["length", "empty", "after 100", "chunks", "trailer", "gzip", "to the end"],
)
async def test_an_answer_is_read_whole_however_it_ends(said, body):
    found = (await talk(Speaking(said, close=said.startswith(OK + b"\r\n"))))[0]
    assert isinstance(found, Answered)
    assert (found.status, found.body) == (200, body)


@given(st.sampled_from([lengthed(b"hello", b"A: b"), chunked(b"hel", b"lo")]), st.lists(st.integers(1, 90), max_size=8))
@settings(max_examples=30, deadline=None)
def test_it_does_not_matter_how_the_bytes_come_in(said, cuts):
    def split(data):
        places = sorted({min(cut, len(data)) for cut in cuts})
        return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True) if a < b]

    found = asyncio.run(talk(Speaking(said, split=split), calls=2))
    assert [one.body for one in found] == [b"hello", b"hello"]


@pytest.mark.parametrize(
    ("said", "kind", "words"),
    [
        (b"SSH-2.0-OpenSSH\r\n\r\n", "wrong_shape", "first line"),
        (b"HTTP/2 200\r\n\r\n", "wrong_shape", "first line"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "wrong_shape", "protocol"),
        (OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "wrong_shape", "two lengths"),
        (OK + b"Content-Length: -5\r\n\r\nhello", "wrong_shape", "no number"),
        (OK + "Content-Length: ٥\r\n\r\nhello".encode(), "wrong_shape", "no number"),
        (OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "wrong_shape", "two ways"),
        (OK + b"Transfer-Encoding: gzip\r\n\r\nhello", "wrong_shape", "not known"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello", "wrong_shape", "no length"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nhello\r\n0\r\n\r\n", "wrong_shape", "longer than it says"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\nfffffff\r\n", "wrong_shape", "more than"),
        (OK + b"Content-Length: %d\r\n\r\n" % (LARGEST + 1), "wrong_shape", "more than"),
        (OK + b"X: " + b"y" * (LONGEST_HEAD + 9) + b"\r\n\r\n", "wrong_shape", "headers"),
        (OK + b"no colon here\r\n\r\n", "wrong_shape", "no name"),
        (lengthed(b"not packed", b"Content-Encoding: gzip"), "wrong_shape", "unpacked"),
        (lengthed(b"x", b"Content-Encoding: br"), "wrong_shape", "packed as"),
        (lengthed(gzip.compress(bytes(LARGEST + 1)), b"Content-Encoding: gzip"), "wrong_shape", "more than"),
    ],
)
async def test_what_is_no_answer_is_one_failure_and_breaks_the_connection(said, kind, words):
    server = Speaking(said, lengthed(b"hello"))
    failure, after = await talk(server, calls=2)
    assert (failure.kind, after.body) == (kind, b"hello")
    assert words in str(failure)
    assert server.connections == 2


async def test_a_connection_that_ends_too_soon_is_a_reset():
    for said in (b"", OK, OK + b"Content-Length: 5\r\n\r\nhel", chunked(b"hel", b"lo")[:-5]):
        failure = (await talk(Speaking(said, close=True)))[0]
        assert (failure.kind, failure.retryable) == ("reset", True), said


async def test_a_connection_is_used_again_after_an_answer_that_ended_well():
    server = Speaking(lengthed(b"hello"), chunked(b"lo"))
    assert [one.body for one in await talk(server, calls=4)] == [b"hello", b"lo", b"lo", b"lo"]
    assert server.connections == 1


@pytest.mark.parametrize("said", [lengthed(b"hello", b"Connection: close"), b"HTTP/1.0" + lengthed(b"hello")[8:]])
async def test_a_server_that_closes_is_connected_to_again(said):
    server = Speaking(said)
    assert [one.body for one in await talk(server, calls=3)] == [b"hello"] * 3
    assert server.connections == 3


async def test_bytes_that_nobody_asked_for_are_never_the_next_answer():
    server = Speaking(lengthed(b"mine") + lengthed(b"smuggled"), lengthed(b"yours"))
    assert [one.body for one in await talk(server, calls=2)] == [b"mine", b"yours"]
    assert server.connections == 2


async def test_a_call_that_is_given_up_takes_its_connection_with_it():
    server = Speaking(b"", lengthed(b"second"))
    listening = await asyncio.start_server(server.handle, "127.0.0.1", 0)
    wire = Wire(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1", "the server")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await wire.post("/chat", b"{}", {})
    assert (await wire.post("/chat", b"{}", {})).body == b"second"
    assert server.connections == 2
    await wire.close()
    listening.close()


async def test_what_is_sent_is_what_was_given_and_no_header_can_add_another():
    server = Speaking(lengthed(b""))
    await talk(server, body=b"words", headers={"X-Request-Id": "7"})
    head, body = server.heard[0]
    assert head.startswith(b"POST /v1/chat HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"\r\nX-Request-Id: 7\r\n" in head
    assert body == b"words"
    found = (await talk(server, headers={"X-Key": "a\r\nX-Admin: 1"}))[0]
    assert found.kind == "bad_request"
    assert len(server.heard) == 1


@pytest.mark.parametrize("address", ["169.254.169.254", "0.0.0.0", "224.0.0.1", "::ffff:169.254.169.254"])
async def test_an_address_where_no_model_can_be_is_not_connected_to(address, monkeypatch):
    """Whatever a name stands for now, and not what it stood for when it was checked."""

    async def looked_up(*_, **__):
        return [(2, 1, 6, "", (address, 80))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", looked_up)
    with pytest.raises(CallFailed, match="no address") as caught:
        await Wire("http://model.example/v1", "the server").post("/chat", b"{}", {})
    assert caught.value.kind == "unavailable"
