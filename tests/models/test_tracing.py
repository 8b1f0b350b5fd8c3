"""Spans of attempts: one each, with what the conventions name, and no text unless it is asked for."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("opentelemetry.sdk")

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from sociarium.kernel.content import Block
from sociarium.kernel.errors import UsageError
from sociarium.kernel.protocols import Address, Usage
from sociarium.models.backend import CallFailed
from sociarium.models.backends.faulty import FAULTS
from sociarium.models.backends.scripted import ScriptedBackend
from sociarium.models.opening import open_backend
from sociarium.models.request import Reply, Request, Sampling
from sociarium.models.retry import RetryPolicy
from sociarium.models.service import ModelService
from sociarium.models.tracing import UNTRACED, Traced, spans_by_environment
from sociarium.testing.faulty_server import FaultyServer
from sociarium.testing.memory_journal import MemoryJournal
from sociarium.testing.wire import RawServer

WHERE = Address(3, "talk", 1, 2, "agent:7", "act")
CANARY = "sk-canary-91b7c3e5f0a2"
SECRET_WORDS = "I took ninety tons at night."
ASKED = Request((Block(SECRET_WORDS),), sampling=Sampling(0.7, 0.9, 40, ("\n",)))


@pytest.fixture
def kept():
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return exporter, provider


def service(backend, spans):
    return ModelService({"default": backend}, journal=MemoryJournal(), seed=0, spans=spans, retry=RetryPolicy(first_wait=0.0))


async def test_an_attempt_is_one_span_with_what_the_conventions_name(kept):
    exporter, provider = kept
    usage = Usage(1, 30, 20, 9, reasoning_tokens=4)
    backend = ScriptedBackend(lambda request, drawn: Reply(text="None.", model="lake-2", usage=usage, finish="length"))
    await service(backend, Traced(provider=provider)).ask(ASKED, WHERE)
    (span,) = exporter.get_finished_spans()
    told = dict(span.attributes)
    assert (span.name, span.kind) == ("chat scripted", SpanKind.CLIENT)
    assert told["gen_ai.operation.name"] == "chat" and told["gen_ai.request.model"] == "scripted"
    assert (told["gen_ai.request.temperature"], told["gen_ai.request.top_p"], told["gen_ai.request.max_tokens"]) == (0.7, 0.9, 40)
    assert told["gen_ai.request.stop_sequences"] == ("\n",) and told["gen_ai.request.seed"] > 0
    assert told["gen_ai.response.model"] == "lake-2" and told["gen_ai.response.finish_reasons"] == ("length",)
    assert (told["gen_ai.usage.input_tokens"], told["gen_ai.usage.output_tokens"]) == (30, 9)
    assert (told["gen_ai.usage.cache_read.input_tokens"], told["gen_ai.usage.reasoning.output_tokens"]) == (20, 4)
    names = ("tick", "phase", "lane", "turn", "asker", "label", "attempt")
    assert [told[f"sociarium.{name}"] for name in names] == [3, "talk", 1, 2, "agent:7", "act", 1]
    assert span.status.status_code is StatusCode.UNSET


async def test_a_failed_attempt_is_a_span_of_its_own_and_tells_its_kind_only(kept):
    exporter, provider = kept
    answers = iter([CallFailed("server_error", SECRET_WORDS, retryable=True), Reply(text="None.")])

    def answer(request, drawn):
        made = next(answers)
        if isinstance(made, CallFailed):
            raise made
        return made

    reply = await service(ScriptedBackend(answer), Traced(provider=provider)).ask(ASKED, WHERE)
    first, second = exporter.get_finished_spans()
    assert reply.text == "None."
    assert first.attributes["error.type"] == "server_error" and first.status.status_code is StatusCode.ERROR
    assert (first.attributes["sociarium.attempt"], second.attributes["sociarium.attempt"]) == (1, 2)
    assert "error.type" not in second.attributes


async def test_text_is_in_a_span_only_where_it_is_asked_for(kept):
    exporter, provider = kept
    for content in (False, True):
        await service(ScriptedBackend(lambda r, d: Reply(text="Ninety of mine.")), Traced(content=content, provider=provider)).ask(
            ASKED, WHERE
        )
    without, full = (span.to_json() for span in exporter.get_finished_spans())
    assert SECRET_WORDS not in without and "Ninety of mine" not in without
    told = exporter.get_finished_spans()[1].attributes
    assert json.loads(told["gen_ai.input.messages"]) == [{"role": "user", "parts": [{"type": "text", "content": SECRET_WORDS}]}]
    assert json.loads(told["gen_ai.output.messages"])[0]["parts"][0]["content"] == "Ninety of mine."
    assert SECRET_WORDS in full


async def test_a_replayed_reply_is_no_attempt_and_tracing_changes_no_journal(kept):
    exporter, provider = kept
    journals = []
    for spans in (UNTRACED, Traced(provider=provider)):
        journal = MemoryJournal()
        door = ModelService({"default": ScriptedBackend(lambda r, d: Reply(text="None."))}, journal=journal, seed=0, spans=spans)
        await door.ask(ASKED, WHERE)
        await ModelService(door.routes, journal=journal.replay(), seed=0, spans=spans).ask(ASKED, WHERE)
        journals.append(journal.text)
    assert journals[0] == journals[1] and len(exporter.get_finished_spans()) == 1


def test_the_environment_switches_it_on_and_it_is_off_by_itself():
    assert spans_by_environment({}) is UNTRACED and spans_by_environment({"SOCIARIUM_TRACE": "no"}) is UNTRACED
    assert spans_by_environment({"SOCIARIUM_TRACE": "yes"}).content is False
    assert spans_by_environment({"SOCIARIUM_TRACE": "content"}).content is True
    with pytest.raises(UsageError, match="SOCIARIUM_TRACE"):
        spans_by_environment({"SOCIARIUM_TRACE": "perhaps"})


@pytest.mark.parametrize("content", [False, True], ids=["without text", "with text"])
async def test_no_key_is_in_any_span_whatever_an_indiscreet_server_does_with_it(kept, content, monkeypatch):
    """S8 in traces: every kind of fault, errors and bodies that repeat the headers, and answers that hold the key."""
    monkeypatch.setenv("POND_KEY", CANARY)
    exporter, provider = kept
    retry = RetryPolicy(attempts=2, turned_away=2, first_wait=0.0, longest_wish=0.05)
    rates = {kind: 1 / 14 for kind in FAULTS if kind != "connect_timeout"}
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    async with FaultyServer(rates, seed=3, indiscreet=True) as server, RawServer(repeating) as repeater:
        for url in (server.url, f"http://127.0.0.1:{repeater.port}/v1"):
            backend = open_backend(f"{url}#tiny?key=POND_KEY&probe=no")
            spans = Traced(content=content, provider=provider)
            door = ModelService({"default": backend}, journal=MemoryJournal(), seed=0, spans=spans, retry=retry, timeout=0.3)
            asked = [Request((Block(f"Question {n}."),), schema=schema, sampling=Sampling(1.0)) for n in range(120)]
            await door.ask_all(asked, WHERE)
            await door.close()
        assert set(server.injected()) == set(rates), "a kind was not injected"
    spans = exporter.get_finished_spans()
    told = {span.attributes.get("error.type") for span in spans}
    assert {"rate_limited", "unauthorised", "reset", "read_timeout", "wrong_shape", None} <= told
    assert len(spans) > 240
    assert not any(CANARY in span.to_json() for span in spans)
    assert content == any("Question 7." in span.to_json() for span in spans)


async def repeating(call, wire):
    """An answer whose words, model and reason for the end hold the key in turn; all of it is well-formed."""
    key = call.headers["authorization"].removeprefix("Bearer ")
    place = len(call.body) % 3
    message = {"content": json.dumps({"n": 1, "key": key if place == 0 else ""})}
    choice = {"message": message, "finish_reason": key if place == 1 else "stop"}
    await wire.respond(
        200, {"model": key if place == 2 else "m", "choices": [choice], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}
    )
