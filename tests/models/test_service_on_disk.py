"""The door over a real run folder (SQLite): resume, replay and budgets after the folder was closed and opened again."""

from __future__ import annotations

import asyncio

import pytest

from sociarium.kernel.content import Block, Layer
from sociarium.kernel.errors import BudgetSpent, ReplayMismatch
from sociarium.kernel.protocols import Address, Usage
from sociarium.models.backend import CallFailed
from sociarium.models.backends.scripted import ScriptedBackend
from sociarium.models.budget import BudgetLimits
from sociarium.models.opening import open_backend
from sociarium.models.request import Reply, Request, Sampling
from sociarium.models.retry import RetryPolicy
from sociarium.models.service import ModelService
from sociarium.record.frames import frames
from sociarium.record.run import RunRecord

RULES = Block("Rules. " * 50, layer=Layer.SHARED)
QUICK = RetryPolicy(attempts=3, turned_away=2, first_wait=0.0, longest_wish=0.5)  # a Retry-After of one second ends a call here
SCHEMA = {
    "type": "object",
    "properties": {"catch": {"type": "integer", "minimum": 0, "maximum": 9}, "why": {"type": "string", "maxLength": 80}},
    "required": ["catch", "why"],
    "additionalProperties": False,
}


def question(number, word="How much"):
    return Request((RULES, Block(f"{word}, agent {number % 40}?")), schema=SCHEMA, sampling=Sampling(0.8 if number % 2 else 0.0))


async def talk(record, numbers, spec="faulty:0.2,seed=1:scripted:schema", budget=None, seed=3):
    """Ask from many agents at once; the replies, and the calls made."""
    routes = {"default": open_backend(spec)}
    async with ModelService(routes, journal=record.journal, seed=seed, budget=budget, retry=QUICK) as door:
        asked = (door.ask(question(number), Address(0, "act", 0, 0, f"agent:{number}", "act")) for number in numbers)
        replies = await asyncio.gather(*asked, return_exceptions=True)
        return replies, door.summary()["calls"]


async def test_a_run_resumes_and_replays_from_its_folder(tmp_path):
    folder = tmp_path / "run"
    with RunRecord.create(folder, {}) as record:
        half, calls = await talk(record, range(60))
        assert calls > 50  # thirty sampled questions, twenty fixed ones shared by thirty agents, and attempts
    with RunRecord.open(folder, mode="resume") as record:
        whole, more = await talk(record, range(120))
        assert whole[:60] == half
        assert 0 < more < 2 * calls
    with RunRecord.open(folder, mode="replay") as record:
        again, none = await talk(record, range(120))
        assert again == whole
        assert none == 0
        with pytest.raises(ReplayMismatch, match="no reply"):
            raise (await talk(record, [999]))[0][0]
        with pytest.raises(ReplayMismatch, match="seed"):
            raise (await talk(record, [1], seed=4))[0][0]
    assert {reply.status.name for reply in whole} >= {"OK", "REPAIRED", "FAILED"}


async def test_fixed_replies_are_asked_once_for_all_who_ask_the_same(tmp_path):
    with RunRecord.create(tmp_path / "run", {}) as record:
        replies, calls = await talk(record, range(0, 160, 2), spec="scripted:schema")  # eighty agents, twenty questions
        assert len(replies) == 80
        assert calls == 20
        more, none = await talk(record, range(160, 240, 2), spec="scripted:schema")
        assert none == 0
        assert [reply.value for reply in more] == [reply.value for reply in replies[:40]]


async def test_a_budget_holds_over_sessions(tmp_path):
    folder, limits = tmp_path / "run", BudgetLimits(calls=50, tokens=10**6)
    with RunRecord.create(folder, {}) as record:
        _, first = await talk(record, range(1, 200, 2), budget=limits)
        assert first == 50
    with RunRecord.open(folder, mode="resume") as record:
        assert record.journal.leased().calls == 50
        replies, none = await talk(record, range(1, 200, 2), budget=limits)
        assert none == 0
        assert any(isinstance(reply, BudgetSpent) for reply in replies)
    with RunRecord.open(folder, mode="resume") as record:
        replies, more = await talk(record, range(1, 200, 2), budget=BudgetLimits(calls=500))
        assert not any(isinstance(reply, BaseException) for reply in replies)
        assert record.journal.spent().calls <= 50 + more


async def test_reasoning_and_the_endpoint_are_kept_beside_the_reply_and_never_in_it(tmp_path):
    usage, answers = Usage(1, 10, 4, 9, reasoning_tokens=6), iter([True, False])

    def answer(request, drawn):
        if next(answers):
            failed = CallFailed("server_error", "oops", retryable=True, usage=Usage(1, reasoning_tokens=2))
            failed.endpoint = "http://a/v1"
            raise failed
        return Reply(text="ten", usage=usage, endpoint="http://b/v1")

    with RunRecord.create(tmp_path / "run", {}) as record:
        door = ModelService({"default": ScriptedBackend(answer)}, journal=record.journal, seed=1, retry=QUICK)
        reply = await door.ask(Request((RULES,)), Address(0, "act", 0, 0, "agent:1", "act"))
        assert reply.usage.reasoning_tokens == door.summary()["reasoning_tokens"] == 8
        assert door.summary()["endpoints"] == {"http://b/v1": 1}
    with RunRecord.open(tmp_path / "run", mode="read") as record:
        entry = record.journal.find(Address(0, "act", 0, 0, "agent:1", "act"))
        assert entry.usage.reasoning_tokens == 8
        assert [(note["kind"], note["endpoint"]) for note in entry.attempts] == [
            ("server_error", "http://a/v1"),
            ("answered", "http://b/v1"),
        ]
    assert entry.reply == {"status": "ok", "finish": "stop", "text": "ten", "model": "scripted:scripted"}
    calls = frames(tmp_path / "run").calls()
    assert (calls["reasoning_tokens"][0], calls["attempts"][0]) == (8, 1)
