"""A hostile server: every answer ends as one typed outcome, in bounded memory and time."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
from collections.abc import Awaitable, Callable

import pytest

from sociarium.kernel.content import Block
from sociarium.kernel.outcomes import Status
from sociarium.kernel.protocols import Address
from sociarium.models.opening import open_backend
from sociarium.models.request import Reply, Request
from sociarium.models.retry import RetryPolicy
from sociarium.models.service import ModelService
from sociarium.testing.memory_journal import MemoryJournal
from sociarium.testing.wire import Call, RawServer, Wire, head

ONCE = RetryPolicy(attempts=1, turned_away=1)
WHERE = Address(0, "act", 0, 0, "agent:1", "act")
SCHEMA = {"type": "object", "properties": {"catch": {"type": "number"}}, "required": ["catch"], "additionalProperties": False}
HOW_MUCH = Request((Block("How much?"),), schema=SCHEMA)
MEBIBYTE = 1 << 20
Answer = Callable[[Call, Wire], Awaitable[None]]


def raw(data: bytes) -> Answer:
    async def answer(call: Call, wire: Wire) -> None:
        wire.keep = False
        await wire.send(data)

    return answer


def body(data: bytes, **headers: str) -> Answer:
    told = {name.replace("_", "-"): text for name, text in headers.items()}
    return raw(head(200, {"Content-Length": str(len(data)), **told}) + data)


def said(text: str) -> Answer:
    import json

    return body(json.dumps({"choices": [{"message": {"content": text}, "finish_reason": "stop"}]}).encode())


async def gigabyte(call: Call, wire: Wire) -> None:
    wire.keep = False
    await wire.send(head(200, {"Content-Length": str(1 << 30)}))
    for _ in range(1 << 10):
        await wire.send(b" " * MEBIBYTE)


async def dripping(call: Call, wire: Wire) -> None:
    wire.keep = False
    await wire.send(head(200, {"Content-Length": "100000"}))
    while True:
        await wire.send(b" ")
        await asyncio.sleep(0.01)


async def endless_chunks(call: Call, wire: Wire) -> None:
    wire.keep = False
    await wire.send(head(200, {"Transfer-Encoding": "chunked"}))
    while True:
        await wire.send(b"100000\r\n" + b"x" * MEBIBYTE + b"\r\n")


BOMB = gzip.compress(b" " * (256 * MEBIBYTE), 9)
HOSTILE: dict[str, tuple[Answer, Status]] = {
    "a gigabyte": (gigabyte, Status.FAILED),
    "a body that drips": (dripping, Status.TIMED_OUT),
    "chunks without end": (endless_chunks, Status.FAILED),
    "a gzip bomb": (body(BOMB, Content_Encoding="gzip"), Status.FAILED),
    "broken gzip": (body(b"\x1f\x8b\x08 not gzip", Content_Encoding="gzip"), Status.FAILED),
    "ten thousand headers": (raw(b"HTTP/1.1 200 OK\r\n" + b"X-Y: z\r\n" * 10_000 + b"Content-Length: 2\r\n\r\n{}"), Status.FAILED),
    "a header of a mebibyte": (raw(b"HTTP/1.1 200 OK\r\nX-Y: " + b"z" * MEBIBYTE + b"\r\nContent-Length: 2\r\n\r\n{}"), Status.FAILED),
    "chunks that are none": (raw(head(200, {"Transfer-Encoding": "chunked"}) + b"zz\r\ngarbage\r\n"), Status.FAILED),
    "no HTTP": (raw(b"\x00\xff SSH-2.0 hello\r\n\r\n"), Status.FAILED),
    "two lengths": (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 9\r\n\r\n{}"), Status.FAILED),
    "nothing": (raw(b""), Status.FAILED),
    "a page": (body(b"<html>hello</html>", Content_Type="text/html"), Status.FAILED),
    "deep nesting": (body(b"[" * 200_000), Status.FAILED),
    "a number without end": (body(b'{"choices": ' + b"9" * 100_000 + b"}"), Status.FAILED),
    "a redirect to a private host": (
        raw(b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/latest\r\nContent-Length: 0\r\n\r\n"),
        Status.FAILED,
    ),
    "a hundred interim answers": (raw(b"HTTP/1.1 102 Processing\r\n\r\n" * 100), Status.FAILED),
    "words: not a number": (said('{"catch": NaN}'), Status.MALFORMED),
    "words: infinite": (said('{"catch": 1e999}'), Status.MALFORMED),
    "words: a name twice": (said('{"catch": 1, "catch": 1000000}'), Status.MALFORMED),
    "words: ten thousand digits": (said('{"catch": ' + "9" * 10_000 + "}"), Status.MALFORMED),
    "words: deep": (said("[" * 5_000), Status.MALFORMED),
    "words: a mebibyte": (said("x" * MEBIBYTE), Status.FAILED),
}


async def asked(answer: Answer, timeout: float = 60.0, request: Request = HOW_MUCH, options: str = "") -> tuple[Reply, MemoryJournal]:
    journal = MemoryJournal()
    async with RawServer(answer) as server:
        backend = open_backend(f"http://127.0.0.1:{server.port}/v1#tiny?probe=no{options}")
        door = ModelService({"default": backend}, journal=journal, seed=0, retry=ONCE, timeout=timeout)
        reply = await door.ask(request, WHERE)
        await door.close()
    return reply, journal


# --- numbers that no float holds, where numbers are read ---------------------------------------------------------------

BEYOND = "1" + "0" * 400
LETTER = '{"choices": [{"message": {"content": "A"}, "logprobs": {"content": [{"top_logprobs": [{"token": "A", "logprob": %s}]}]}}]}'
SCORED = '{"index": 0, "text": "x", "logprobs": {"text_offset": [0, 9, 10], "token_logprobs": [null, %s, %s]}}'
ECHOED = '{"choices": [' + SCORED + ", " + SCORED.replace('"index": 0', '"index": 1') + "]}"
CHOICE = Request((Block("How much?"),), "choose", options=("all", "none"))
NUMBERS: dict[str, tuple[str, Request, str]] = {
    "a vector": ('{"data": [{"embedding": [1.0, ' + BEYOND + "]}]}", Request(kind="embed", texts=("a",)), ""),
    "a vector of nothing": ('{"data": [{"embedding": []}]}', Request(kind="embed", texts=("a",)), ""),
    "a letter's chance": (LETTER % f"-{BEYOND}", CHOICE, ""),
    "a letter's chance that is none": (LETTER % "NaN", CHOICE, ""),
    "an option's chance": (ECHOED % ((f"-{BEYOND}",) * 4), CHOICE, "&api=completions"),
    "chances that cancel out": (ECHOED % (("Infinity", "-Infinity") * 2), CHOICE, "&api=completions"),
}


@pytest.mark.parametrize("name", NUMBERS)
async def test_a_number_that_no_float_holds_is_a_failed_call(name: str) -> None:
    text, request, options = NUMBERS[name]
    reply, journal = await asked(body(text.encode()), request=request, options=options)
    assert reply.status is Status.FAILED
    assert reply.error.startswith("wrong_shape")
    assert WHERE in journal.entries


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_answer_is_one_typed_outcome_in_bounded_memory(name: str) -> None:
    answer, status = HOSTILE[name]
    tracemalloc.start()
    try:
        reply, journal = await asked(answer, 0.2 if name == "a body that drips" else 60.0)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert reply.status is status, reply.error
    assert reply.text == ""
    assert reply.error
    assert len(reply.error) <= 500
    assert WHERE in journal.entries
    assert most < 64 * MEBIBYTE


@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_an_old_server_that_ends_its_answer_by_hanging_up_is_understood(version: str) -> None:
    data = b'{"choices": [{"message": {"content": "{\\"catch\\": 3}"}, "finish_reason": "stop"}]}'
    reply, _ = await asked(raw(f"HTTP/{version} 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n".encode() + data))
    assert (reply.status, reply.value) == (Status.OK, {"catch": 3})
