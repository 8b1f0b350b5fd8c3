"""Providers by any-llm: its own OpenAI client against our own server, over real HTTP."""

from __future__ import annotations

import pytest

pytest.importorskip("any_llm")

from sociarium.kernel.content import Block
from sociarium.kernel.errors import UsageError
from sociarium.kernel.outcomes import Status
from sociarium.kernel.protocols import Address, Usage
from sociarium.models.backend import CallFailed
from sociarium.models.opening import open_backend
from sociarium.models.request import BackendFacts, Reply, Request, Sampling
from sociarium.models.retry import RetryPolicy
from sociarium.models.service import ModelService
from sociarium.models.serving import serve
from sociarium.testing.memory_journal import MemoryJournal

CANARY = "sk-canary-a1b2c3"
WHERE = Address(0, "act", 0, 0, "agent:1", "act")
SCHEMA = {"type": "object", "properties": {"catch": {"type": "integer"}}, "required": ["catch"], "additionalProperties": False}
ASKED = Request((Block("Rules.", role="system"), Block("How many?")), schema=SCHEMA, sampling=Sampling(0.7, 0.9, 50, ("END",)))


class Keeper:
    facts = BackendFacts("lake", "sha256:1", parallel=2)

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    async def complete(self, request, draw):
        self.asked.append((request, draw))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, CallFailed):
            raise answer
        return answer

    async def close(self):
        pass


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


async def ask(keeper, options="", attempts=1):
    async with await serve(keeper) as server:
        backend = open_backend(f"anyllm:openai/lake?base={server.url}{options}")
        policy = RetryPolicy(attempts=attempts, turned_away=1, first_wait=0.0)
        door = ModelService({"default": backend}, journal=MemoryJournal(), seed=1, retry=policy)
        reply = await door.ask(ASKED, WHERE)
        await backend.close()
        return reply, door


async def test_a_request_goes_out_and_a_reply_comes_back_whole():
    usage = Usage(1, 30, 20, 9, reasoning_tokens=4)
    keeper = Keeper(Reply(text='{"catch": 4}', model="lake", usage=usage))
    reply, _ = await ask(keeper, "&seeds=send&price=2&price_completion=10")
    ((request, draw),) = keeper.asked
    assert [(block.role, block.text) for block in request.blocks] == [("system", "Rules."), ("user", "How many?")]
    assert (request.schema, request.sampling) == (SCHEMA, Sampling(0.7, 0.9, 50, ("END",)))
    assert isinstance(draw, int)
    assert (reply.error, reply.value) == ("", {"catch": 4})
    told = reply.usage
    assert (told.prompt_tokens, told.cached_tokens, told.completion_tokens, told.reasoning_tokens) == (30, 20, 9, 4)
    assert reply.usage.money == 30 * 2 + 9 * 10


@pytest.mark.parametrize(
    ("kind", "words"), [("server_error", "server_error"), ("unavailable", "unavailable"), ("unauthorised", "unauthorised"),
                        ("rate_limited", "rate_limited"), ("context_too_long", "context_too_long")],
)  # fmt: skip
async def test_each_failure_has_its_kind_and_their_client_tries_once(kind, words):
    keeper = Keeper(CallFailed(kind, f"no, said {CANARY}", retryable=True))
    reply, door = await ask(keeper)
    assert (reply.status, reply.error.split(":")[0]) == (Status.FAILED, words)
    assert len(keeper.asked) == 1
    assert CANARY not in repr(reply) + door.journal.text + repr(door.routes["default"].facts)


async def test_retries_are_ours():
    reply, door = await ask(Keeper(CallFailed("server_error", "no", retryable=True), Reply(text='{"catch": 1}')), attempts=2)
    assert reply.value == {"catch": 1} and door.summary()["retries"] == {"server_error": 1}


async def test_nobody_at_the_address_is_unavailable():
    backend = open_backend("anyllm:openai/lake?base=http://127.0.0.1:9/v1")
    with pytest.raises(CallFailed) as caught:
        await backend.complete(ASKED, None)
    await backend.close()
    assert caught.value.kind == "unavailable" and caught.value.retryable


@pytest.mark.parametrize("spec", ["anyllm:openai", "anyllm:nobody-of-that-name/m", "anyllm:openai/", "anyllm:openai/m?colour=red",
                                  "anyllm:openai/m?base=http://169.254.169.254/v1", "anyllm:openai/m?schemas=tool"])  # fmt: skip
def test_a_name_that_is_none_is_one_clear_error(spec):
    with pytest.raises(UsageError):
        open_backend(spec)


def test_a_missing_key_and_a_missing_package_are_one_clear_error(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(UsageError, match="OPENAI_API_KEY"):
        open_backend("anyllm:openai/m")
    monkeypatch.setitem(__import__("sys").modules, "any_llm", None)
    with pytest.raises(UsageError, match=r"sociarium\[anyllm\]"):
        open_backend("anyllm:openai/m")
