"""Replies that come word by word: the same reply as in one piece, early notice of a stalled server, an end to endless repetition."""

from __future__ import annotations

import asyncio
import json

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from sociarium.kernel.content import Block
from sociarium.kernel.outcomes import Status
from sociarium.kernel.protocols import Address, Usage
from sociarium.models.backend import CallFailed
from sociarium.models.backends.http_stream import Chunks, Events, Parts
from sociarium.models.opening import open_backend, ready
from sociarium.models.request import BackendFacts, Reply, Request, Sampling
from sociarium.models.retry import RetryPolicy
from sociarium.models.service import ModelService
from sociarium.models.serving import serve as serve_model
from sociarium.testing.memory_journal import MemoryJournal

WHERE = Address(0, "act", 0, 0, "agent:1", "act")
ASKED = Request((Block("How many?"),), sampling=Sampling(max_tokens=400))
SCHEMA = {"type": "object", "properties": {"catch": {"type": "integer"}}}


class Stream:
    """A server that writes the given pieces; a number is a pause of so many seconds, ``None`` breaks the connection."""

    def __init__(self, pieces, api="chat/completions"):
        self.pieces, self.bodies, self.left = pieces, [], asyncio.Event()

    async def answer(self, request):
        self.bodies.append(json.loads(await request.read()))
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        try:
            for piece in self.pieces:
                if piece is None:
                    request.transport.abort()
                elif isinstance(piece, float):
                    await asyncio.sleep(piece)
                else:
                    await response.write(piece)
        except (ConnectionResetError, asyncio.CancelledError):
            self.left.set()
            raise
        return response


@pytest.fixture
async def serve():
    runners, backends = [], []

    async def start(pieces, options=""):
        server = Stream(pieces)
        app = web.Application()
        app.router.add_post("/{tail:.*}", server.answer)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        runners.append(runner)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        backend = open_backend(f"http://127.0.0.1:{runner.addresses[0][1]}/v1#tiny?stream=yes{options}")
        backends.append(backend)
        return server, backend

    yield start
    for backend in backends:
        await backend.close()
    for runner in runners:
        await runner.cleanup()


def event(data, name=""):
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {data if isinstance(data, str) else json.dumps(data)}\n\n".encode()


def chunk(text=None, finish=None, **more):
    delta = {} if text is None else {"content": text}
    return event({"model": "tiny-2", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more})


USAGE = {"prompt_tokens": 20, "completion_tokens": 9, "prompt_tokens_details": {"cached_tokens": 16},
         "completion_tokens_details": {"reasoning_tokens": 5}}  # fmt: skip
GOOD = [
    b": a comment\n\n",
    chunk(""),
    chunk("te"),
    chunk("n tons ☃"),
    chunk(None, "stop"),
    event({"choices": [], "usage": USAGE}),
    event("[DONE]"),
]


async def test_a_stream_is_asked_for_and_read_whole(serve):
    server, backend = await serve(GOOD)
    reply = await backend.complete(ASKED, None)
    assert (server.bodies[0]["stream"], server.bodies[0]["stream_options"]) == (True, {"include_usage": True})
    assert (reply.text, reply.finish, reply.model, reply.usage) == ("ten tons ☃", "stop", "tiny-2", Usage(1, 20, 16, 9, reasoning_tokens=5))


async def test_what_is_no_completion_is_not_streamed(serve):
    server, backend = await serve([])
    with pytest.raises(CallFailed):
        await backend.complete(Request(kind="embed", texts=("a",)), None)
    assert "stream" not in server.bodies[0]


async def test_completions_and_messages_stream_too(serve):
    pieces = [event({"choices": [{"text": " te"}]}), event({"choices": [{"text": "n", "finish_reason": "length"}]}), event("[DONE]")]
    _, backend = await serve(pieces, "&api=completions")
    reply = await backend.complete(ASKED, None)
    assert (reply.text, reply.finish) == (" ten", "length")
    used = {"input_tokens": 5, "cache_read_input_tokens": 7, "output_tokens": 1}
    anthropic = [
        event({"type": "message_start", "message": {"model": "m-1", "content": [], "usage": used}}, "message_start"),
        event({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        event({"type": "ping"}),
        event({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "ten"}}),
        event({"type": "content_block_stop", "index": 0}),
        event({"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "name": "reply", "input": {}}}),
        event({"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '{"cat'}}),
        event({"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": 'ch": 4}'}}),
        event({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 30}}),
        event({"type": "message_stop"}),
    ]
    server, backend = await serve(anthropic, "&api=messages")
    reply = await backend.complete(Request(ASKED.blocks, schema=SCHEMA), None)
    assert server.bodies[0]["stream"] is True
    assert (json.loads(reply.text), reply.finish, reply.model) == ({"catch": 4}, "stop", "m-1")
    assert reply.usage == Usage(1, 12, 7, 30)
    assert (await backend.complete(ASKED, None)).text == "ten"


@pytest.mark.parametrize(
    ("pieces", "options", "words"),
    [
        ([0.5], "&first=0.02", "after 0 characters"),
        ([b": waiting\n\n", 0.01, b": waiting\n\n", 0.5], "&first=0.02", "after 0 characters"),
        ([chunk("te"), 0.5], "&idle=0.02", "after 2 characters"),
    ],
)
async def test_a_stalled_stream_is_noticed_long_before_the_time_limit(serve, pieces, options, words):
    server, backend = await serve(pieces, options)
    with pytest.raises(CallFailed, match=words) as caught:
        await backend.complete(ASKED, None)
    assert (caught.value.kind, caught.value.retryable) == ("read_timeout", True)
    await asyncio.wait_for(server.left.wait(), 5.0)


def test_thought_and_words_bring_a_reply_on_and_empty_events_do_not():
    def came(delta, **more):
        return Chunks(chat=True).take({"choices": [{"delta": delta, **more}]})

    assert came({"content": "ten"}) and came({"reasoning_content": "hm"}) and came({"reasoning": "hm"}) and came({}, finish_reason="stop")
    assert not came({"role": "assistant", "content": ""}) and not came({}) and not Parts().take({"type": "ping"})


async def test_endless_repetition_is_cut_off_and_is_malformed(serve):
    server, backend = await serve([chunk("I fish. "), *[chunk("and ") for _ in range(300)], 5.0])
    service = ModelService({"default": backend}, journal=MemoryJournal(), seed=0, retry=RetryPolicy(attempts=1))
    reply = await service.ask(ASKED, WHERE)
    assert (reply.status, reply.error) == (Status.MALFORMED, "the reply repeats itself without end")
    assert reply.usage.completion_tokens > 100 and reply.usage.prompt_tokens > 0
    await asyncio.wait_for(server.left.wait(), 5.0)


FAULTS = {
    "it ends in the middle": ([chunk("te")], "truncated"),
    "it breaks": ([chunk("te"), 0.01, None], "reset"),
    "an event that is no JSON": ([b"data: {oops\n\n"], "truncated"),
    "an event of another kind": ([b"data: [1]\n\n"], "wrong_shape"),
    "an error in the middle": ([chunk("te"), event({"error": {"message": "overloaded"}})], "server_error"),
    "a choice of another kind": ([event({"choices": [5]})], "wrong_shape"),
    "an endless line": ([b"data: " + b"x" * (9 << 20)], "wrong_shape"),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_each_fault_of_a_stream_has_its_kind(serve, fault):
    pieces, kind = FAULTS[fault]
    _, backend = await serve(pieces)
    with pytest.raises(CallFailed) as caught:
        await backend.complete(ASKED, None)
    assert caught.value.kind == kind


async def test_a_server_that_says_no_more_after_the_reason_has_ended(serve):
    _, backend = await serve([chunk("ten"), chunk(None, "stop")])
    assert (await backend.complete(ASKED, None)).text == "ten"


async def test_a_refusal_and_its_error_status_are_as_without_a_stream(serve):
    refusing = event({"choices": [{"delta": {"refusal": "No."}, "finish_reason": "stop"}]})
    _, backend = await serve([refusing, event("[DONE]")])
    assert (await backend.complete(ASKED, None)).finish == "refusal"


@settings(max_examples=60, deadline=None)
@given(st.data(), st.lists(st.text(max_size=30), max_size=8), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_events_are_the_same_however_the_bytes_are_cut(data, texts, end):
    raw = b"".join(b": note" + end + b"data: " + json.dumps({"t": text}).encode() + end + end for text in texts)
    parser, found, rest = Events(), [], raw
    while rest:
        size = data.draw(st.integers(1, 9))
        found += parser.feed(rest[:size])
        rest = rest[size:]
    found += parser.feed(b"\n")
    assert [one["t"] for one in found] == texts


@pytest.mark.parametrize("text", ["", "ten tons, ☃ said Kate.\n" * 20])
async def test_our_own_server_streams_what_it_answers_in_one_piece(text):
    class Keeper:
        facts = BackendFacts("lake", "sha256:1", parallel=2)

        async def complete(self, request, draw):
            return Reply(text=text, finish="length", usage=Usage(1, 30, 20, 9, reasoning_tokens=3))

        async def close(self):
            pass

    async with await serve_model(Keeper()) as server:
        whole, piecewise = await ready(f"{server.url}#lake?api=chat"), await ready(f"{server.url}#lake?api=chat&stream=yes")
        assert await piecewise.complete(ASKED, None) == await whole.complete(ASKED, None)
        assert piecewise.facts.digest == whole.facts.digest and piecewise.facts.engine == whole.facts.engine
        for backend in (whole, piecewise):
            await backend.close()
