"""Fourteen kinds of fault, through the whole service: each ends in a recorded outcome, none is hidden, and a replay is the same."""

from __future__ import annotations

import asyncio
import json

import pytest

from sociarium.kernel.content import Block
from sociarium.kernel.errors import UsageError
from sociarium.kernel.outcomes import Status
from sociarium.kernel.protocols import Address
from sociarium.models.backend import BatchBackend, CallFailed
from sociarium.models.backends.faulty import FAULTS, FaultyBackend, FaultyBatchBackend
from sociarium.models.opening import open_backend
from sociarium.models.request import BackendFacts, Reply, Request, Sampling
from sociarium.models.retry import RetryPolicy
from sociarium.models.service import ModelService
from sociarium.models.structured import parse
from sociarium.testing.memory_journal import MemoryJournal
from sociarium.testing.virtual_time import run_virtual

SCHEMA = {
    "type": "object",
    "properties": {"catch": {"type": "integer", "minimum": 0}, "to": {"type": "string"}, "mood": {"enum": ["calm", "angry"]}},
    "required": ["catch", "to", "mood"],
    "additionalProperties": False,
}
ASKED = 60
# What an agent-turn may end in when every attempt meets the fault.
ALWAYS = {
    "rate_limited": {Status.FAILED},
    "rate_limited_silent": {Status.FAILED},
    "server_error": {Status.FAILED},
    "unavailable": {Status.FAILED},
    "context_too_long": {Status.FAILED},
    "unauthorised": {Status.FAILED},
    "connect_timeout": {Status.TIMED_OUT},
    "read_timeout": {Status.TIMED_OUT},
    "reset": {Status.FAILED},
    "truncated": {Status.MALFORMED},
    "wrong_schema": {Status.MALFORMED},
    "illegal": {Status.OK},
    "endless": {Status.MALFORMED, Status.FAILED},
    "misaligned": {Status.FAILED},
}


def where(number):
    return Address(0, "act", 0, 0, f"agent:{number}", "act")


def question(number, schema=SCHEMA):
    return Request((Block(f"Question {number}."),), schema=schema, sampling=Sampling(0.7))


def run(spec, journal=None, *, retry=None, timeout=20.0, schema=SCHEMA):
    journal = journal or MemoryJournal()

    async def work():
        backend = open_backend(spec)
        door = ModelService({"default": backend}, journal=journal, seed=5, retry=retry or RetryPolicy(), timeout=timeout)
        replies = await asyncio.gather(*(door.ask(question(number, schema), where(number)) for number in range(ASKED)))
        return replies, journal, door.summary(), backend

    return run_virtual(work())


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("rate", [0.1, 1.0])
def test_each_fault_ends_in_recorded_outcomes_and_replays(kind, rate):
    replies, journal, summary, backend = run(f"faulty:{kind}={rate}:scripted:schema")
    assert backend.injected[kind] > 0
    assert set(journal.entries) >= {where(number) for number in range(ASKED)}
    assert sum(summary["outcomes"]["act"].values()) == ASKED
    for reply in replies:
        assert (reply.value is None) == (not reply.good)
        assert reply.good or (reply.text == "" and reply.error)
        if rate == 1.0:
            assert reply.status in ALWAYS[kind]
    for entry in journal.entries.values():
        assert entry.usage.calls <= RetryPolicy().attempts + RetryPolicy().turned_away
    again, _, told, other = run(f"faulty:{kind}={rate}:scripted:schema", journal.replay())
    assert again == replies
    assert told["calls"] == 0
    assert sum(other.injected.values()) == 0


def test_no_fault_is_hidden():
    _, journal, summary, backend = run("faulty:0.8,seed=3:scripted:schema")
    kinds = {kind: count for kind, count in backend.injected.items() if count}
    assert set(kinds) == set(FAULTS)
    assert summary["failed_attempts"]["rate_limited"] == kinds["rate_limited"] + kinds["rate_limited_silent"]
    for kind in (
        "server_error",
        "unavailable",
        "context_too_long",
        "unauthorised",
        "connect_timeout",
        "read_timeout",
        "reset",
        "misaligned",
    ):
        assert summary["failed_attempts"][kind] == kinds[kind]
    noted = [note["kind"] for entry in journal.entries.values() for note in entry.attempts]
    assert len(noted) == sum(summary["failed_attempts"].values())


def test_faults_do_not_depend_on_the_order_of_calls():
    def met(order):
        backend = open_backend("faulty:0.5:scripted:schema")
        return {number: backend.fault(str(number)) for number in order}

    assert met(range(200)) == met(reversed(range(200)))
    assert met(range(200)) != {number: open_backend("faulty:0.5,seed=1:scripted:schema").fault(str(number)) for number in range(200)}


def test_rates_are_kept():
    backend = open_backend("faulty:reset=0.1,illegal=0.3:scripted:schema")
    for number in range(5000):
        backend.fault(str(number))
    assert 400 < backend.injected["reset"] < 600
    assert 1350 < backend.injected["illegal"] < 1650


def test_a_stall_makes_the_time_limit_of_the_caller_fire():
    replies, _, summary, _ = run("faulty:read_timeout=1,stall=600:scripted:schema", retry=RetryPolicy(attempts=1), timeout=7.0)
    assert {reply.status for reply in replies} == {Status.TIMED_OUT}
    assert summary["failed_attempts"] == {"read_timeout": ASKED}


def test_an_illegal_value_fits_its_schema():
    replies, *_ = run("faulty:illegal=1:scripted:schema")
    for reply in replies:
        assert not parse(reply.text, SCHEMA).error
        assert (reply.value["catch"], reply.value["to"]) == (1_000_000_007, "nobody-of-that-name")
        assert reply.value["mood"] in ("calm", "angry")


@pytest.mark.parametrize("kind", FAULTS)
def test_free_text_choices_and_vectors_meet_them_too(kind):
    async def work():
        door = ModelService({"default": open_backend(f"faulty:{kind}=1:scripted:schema")}, journal=MemoryJournal(), seed=0)
        replies = [
            await door.ask(question(0, None), where(0)),
            await door.ask(Request((Block("?"),), "choose", options=("a", "b")), where(1)),
            await door.ask(Request(kind="embed", texts=("a", "b")), where(2)),
        ]
        assert all(reply.status is not Status.OK or kind in ("illegal", "wrong_schema") for reply in replies)
        assert [reply.status for reply in replies[1:]] != [Status.OK, Status.OK]

    run_virtual(work())


class Engine:
    """Answers in batches."""

    facts = BackendFacts("engine", "engine", parallel=16)

    async def complete(self, request, draw):
        return Reply(text=json.dumps({"catch": 1, "to": "you", "mood": "calm"}))

    async def complete_many(self, requests, draws):
        return [await self.complete(request, draw) for request, draw in zip(requests, draws, strict=True)]

    async def close(self):
        return None


def test_over_a_batch_engine_each_request_meets_its_own_fault():
    single, batched = FaultyBackend(Engine(), {"reset": 0.5}), FaultyBatchBackend(Engine(), {"reset": 0.5})
    assert isinstance(batched, BatchBackend)
    assert not isinstance(single, BatchBackend)
    requests = [question(number) for number in range(40)]

    async def work():
        return await batched.complete_many(requests, [None] * 40)

    met = ["reset" if isinstance(reply, CallFailed) else None for reply in run_virtual(work())]
    assert set(met) == {None, "reset"}

    async def one(request):
        try:
            await single.complete(request, None)
        except CallFailed as failure:
            return failure.kind
        return None

    assert [run_virtual(one(request)) for request in requests] == met


@pytest.mark.parametrize(
    "spec",
    ["faulty:0.1", "faulty:", "faulty:0.1:", "faulty:much:scripted:schema", "faulty:fire=0.1:scripted:schema", "faulty:2:scripted:schema",
     "faulty:reset=-1:scripted:schema", "faulty:nan:scripted:schema", "faulty:0.1:nobody"],
)  # fmt: skip
def test_what_cannot_be_read_is_refused(spec):
    with pytest.raises(UsageError):
        open_backend(spec)
