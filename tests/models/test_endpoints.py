"""Several servers of one model: who gets a call, who rests, who is asked again, and that a run is none the wiser."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from sociarium.kernel.content import Block
from sociarium.kernel.errors import ModelError, UsageError
from sociarium.kernel.outcomes import Status
from sociarium.kernel.protocols import Address
from sociarium.models.backends.endpoints import LONGEST, REST, TRIPS, Endpoints
from sociarium.models.opening import open_backend, ready
from sociarium.models.request import BackendFacts, Reply, Request, facts_digest
from sociarium.models.retry import RetryPolicy
from sociarium.models.service import ModelService
from sociarium.models.serving import serve
from sociarium.testing.memory_journal import MemoryJournal
from sociarium.testing.wire import RawServer


def served(endpoints, calls, flying=0):
    """Who got each of so many calls, at most ``flying`` + 1 of them out at once."""
    out, got = [], Counter()
    for _ in range(calls):
        one = endpoints.take(0.0)
        got[one.base] += 1
        out.append(one)
        if len(out) > flying:
            endpoints.give(out.pop(0), 0.0, None)
    return got


@pytest.mark.parametrize("flying", [0, 5, 11, 40])
def test_calls_are_shared_out_by_weight(flying):
    got = served(Endpoints(["a", "b", "c"], [3.0, 2.0, 1.0]), 600, flying)
    assert [abs(got[name] - share) <= 12 for name, share in (("a", 300), ("b", 200), ("c", 100))] == [True] * 3


def test_a_slow_server_gets_less():
    endpoints = Endpoints(["slow", "fast"])
    held = [endpoints.take(0.0) for _ in range(2)]
    slow = next(one for one in held if one.base == "slow")
    endpoints.give(next(one for one in held if one.base == "fast"), 0.0, None)
    assert served(endpoints, 50) == {"fast": 50}
    endpoints.give(slow, 0.0, None)
    assert abs(served(endpoints, 50)["slow"] - 25) <= 1  # nothing is made up for


def test_a_server_that_fails_rests_and_comes_back_by_one_trial():
    endpoints = Endpoints(["bad", "good"])
    bad = endpoints.all[0]
    for _ in range(TRIPS):
        bad.flying += 1
        endpoints.give(bad, 0.0, "reset")
    assert {endpoints.take(0.5 * REST).base for _ in range(9)} == {"good"}
    trial = [endpoints.take(REST) for _ in range(3)]
    assert [one.base for one in trial] == ["bad", "good", "good"]  # one trial, and nobody follows it yet
    endpoints.give(bad, REST, "reset")
    assert not bad.ready(2.9 * REST) and bad.ready(3.0 * REST)  # twice as long
    assert bad.known is False
    bad.flying += 1
    endpoints.give(bad, 3.0 * REST, None)
    assert bad.ready(3.0 * REST) and bad.rests == 0


def test_what_is_wrong_with_a_question_is_no_fault_of_the_server():
    endpoints = Endpoints(["a", "b"])
    for kind in ("bad_request", "context_too_long", "wrong_shape"):
        for _ in range(5 * TRIPS):
            endpoints.give(endpoints.take(0.0), 0.0, kind)
    assert all(one.ready(0.0) and one.rests == 0 for one in endpoints.all)


def test_a_server_that_asks_to_be_left_alone_is_left_alone_for_so_long():
    endpoints = Endpoints(["a", "b"])
    first = endpoints.take(0.0)
    endpoints.give(first, 0.0, "rate_limited", 7.0)
    assert first not in [endpoints.take(6.9) for _ in range(20)]
    assert first.ready(7.0) and first.rests == 0


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 100), st.sampled_from([None, "reset", "bad_request", "", "unavailable"])), max_size=80))
def test_there_is_always_a_server_and_no_rest_is_longer_than_the_longest(steps):
    endpoints, now = Endpoints(["a", "b", "c"], [1.0, 5.0, 0.1]), 0.0
    for wait, how in steps:
        now += wait
        endpoints.give(endpoints.take(now), now, how)
    assert all(one.flying == 0 and one.until <= now + LONGEST for one in endpoints.all)
    assert any(one.ready(now + LONGEST) for one in endpoints.all)


def test_a_single_server_never_rests():
    endpoints = Endpoints(["a"])
    for _ in range(50):
        endpoints.give(endpoints.take(0.0), 0.0, "reset")
    assert endpoints.all[0].ready(0.0)


def test_how_long_all_are_to_be_left_alone_is_the_least_of_their_wishes():
    endpoints = Endpoints(["a", "b"])
    for wish, wait in ((7.0, None), (5.0, 5.0)):
        endpoints.give(endpoints.take(0.0), 0.0, "rate_limited", wish)
        assert endpoints.wait(0.0) == wait
    assert endpoints.wait(5.0) is None


# --- over HTTP -------------------------------------------------------------------------------------------------------


class Lake:
    """One of our servers; counts what it is asked."""

    def __init__(self, digest="sha256:1"):
        self.facts = BackendFacts("lake", digest, {"engine": 1}, exact=True, parallel=2)
        self.asked = 0

    async def complete(self, request, draw):
        self.asked += 1
        return Reply(text=f"ten {len(request.blocks)}")

    async def close(self):
        pass


def question(number):
    return Request((Block(f"Question {number}"),))


def door(backend, journal):
    return ModelService({"default": backend}, journal=journal, seed=0, retry=RetryPolicy(attempts=5, first_wait=0.0))


async def ask(service, numbers):
    where = [Address(0, "act", 0, 0, f"agent:{number}", "act") for number in numbers]
    return await asyncio.gather(*(service.ask(question(number), at) for number, at in zip(numbers, where, strict=True)))


async def test_work_is_shared_by_weight_and_who_served_is_noted_but_no_part_of_key_or_reply():
    one, two, journal, alone = Lake(), Lake(), MemoryJournal(), MemoryJournal()
    async with await serve(one) as a, await serve(two) as b:
        backend = await ready(f"{a.url},{b.url}#lake?weights=2,1&parallel=1")
        assert facts_digest(backend.facts) == facts_digest(one.facts)
        service = door(backend, journal)
        await ask(service, range(30))
        assert (one.asked, two.asked) == (20, 10)
        assert service.summary()["endpoints"] == {a.url: 20, b.url: 10}
        notes = Counter(entry.attempts[-1]["endpoint"] for entry in journal.entries.values())
        assert notes == {a.url: 20, b.url: 10}
        await backend.close()
    await ask(door(Lake(), alone), range(30))
    assert [(e.key, e.reply) for e in journal.entries.values()] == [(e.key, e.reply) for e in alone.entries.values()]
    assert all(entry.attempts == [] for entry in alone.entries.values())


async def test_a_server_that_goes_down_in_mid_run_costs_no_answer():
    one, two, journal = Lake(), Lake(), MemoryJournal()
    a, b = await serve(one), await serve(two)
    backend = await ready(f"{a.url},{b.url}#lake?parallel=4")
    service = door(backend, journal)
    await ask(service, range(10))
    await a.close()
    replies = await ask(service, range(10, 40))
    assert {reply.status for reply in replies} == {Status.OK}
    assert two.asked >= 30
    failed = [note for entry in journal.entries.values() for note in entry.attempts if note["kind"] != "answered"]
    assert failed and {note["endpoint"] for note in failed} == {a.url}
    assert len(failed) <= TRIPS + 4  # then it rests
    await backend.close()
    await b.close()


async def test_one_of_two_that_is_down_at_the_start_is_left_out_and_two_are_an_error():
    gone = await serve(Lake())
    await gone.close()
    async with await serve(Lake()) as up:
        backend = await ready(f"{gone.url},{up.url}#lake")
        assert {(await backend.complete(question(number), None)).endpoint for number in range(6)} == {up.url}
        await backend.close()
    with pytest.raises(ModelError, match="No model server answers"):
        await ready(f"{gone.url},{up.url}#lake")


async def test_servers_of_different_models_are_refused_at_the_start_and_one_that_comes_back_different_gets_no_work():
    one, two = Lake(), Lake("sha256:2")
    async with await serve(one) as a, await serve(two) as b:
        with pytest.raises(ModelError, match="do not serve one model"):
            await ready(f"{a.url},{b.url}#lake")
        two.facts = one.facts
        backend = await ready(f"{a.url},{b.url}#lake?parallel=2")
        two.facts = BackendFacts("lake", "sha256:2", {"engine": 1})
        backend._endpoints.rest(backend._endpoints.all[1], -1e9)  # it was away, and is due for a trial
        journal = MemoryJournal()
        replies = await ask(door(backend, journal), range(12))
        assert {reply.status for reply in replies} == {Status.OK}
        assert two.asked == 0
        assert any(note["kind"] == "misaligned" for entry in journal.entries.values() for note in entry.attempts)
        await backend.close()


async def test_ours_and_a_stranger_are_not_one_model():
    async def models(request):
        return web.json_response({"data": [{"id": "lake"}]})

    app = web.Application()
    app.router.add_get("/v1/models", models)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with await serve(Lake()) as ours:
        with pytest.raises(ModelError, match="do not serve one model"):
            await ready(f"{ours.url},http://127.0.0.1:{runner.addresses[0][1]}/v1#lake")
    await runner.cleanup()


@pytest.mark.parametrize("end", ["?weights=1", "?weights=1,2,3", "?weights=1,0", "?weights=1,x", "?weights=1,inf", "?weights=-1,2"])
def test_weights_that_fit_no_servers_are_an_error(end):
    with pytest.raises(UsageError, match="weights"):
        open_backend(f"http://a/v1,http://b/v1#m{end}")


def test_a_server_is_named_once_and_the_key_is_that_of_the_first():
    with pytest.raises(UsageError, match="once"):
        open_backend("http://a/v1,http://a/v1/#m")
    both, first = open_backend("http://a/v1,http://b/v1#m"), open_backend("http://a/v1#m")
    assert facts_digest(both.facts) == facts_digest(first.facts)
    assert both.facts.parallel == 2 * first.facts.parallel


# --- one of several that turns calls away ------------------------------------------------------------------------------


@asynccontextmanager
async def two(refusal):
    """A server that answers and one that turns all away; gives their addresses, and how often each was asked."""
    asked = Counter()

    async def good(call, wire):
        asked["good"] += 1
        await wire.respond(200, {"choices": [{"message": {"content": "ten"}, "finish_reason": "stop"}]})

    async def bad(call, wire):
        asked["bad"] += 1
        await wire.respond(*refusal)

    async with RawServer(good) as one, RawServer(bad) as other:
        yield f"http://127.0.0.1:{one.port}/v1,http://127.0.0.1:{other.port}/v1#tiny?probe=no", asked


async def test_one_that_asks_to_be_left_alone_holds_up_nobody_while_another_answers():
    """Its wish of a minute is its own: all calls are answered at once, and it is asked no more."""
    refusal = (429, {"error": {"message": "slow down"}}, {"Retry-After": "60"})
    async with two(refusal) as (spec, asked), asyncio.timeout(20), door(open_backend(spec), MemoryJournal()) as service:
        replies = await ask(service, range(40))
    assert all(reply.status is Status.OK for reply in replies)
    assert asked["good"] == 40
    assert 1 <= asked["bad"] <= 16  # those that were out before its first refusal came back


async def test_one_that_refuses_the_key_draws_no_calls_to_fail_them():
    async with two((401, {"error": {"message": "no"}})) as (spec, asked), door(open_backend(spec), MemoryJournal()) as service:
        first = await ask(service, range(60))
        before = asked["bad"]
        later = await ask(service, range(60, 160))
    assert all(reply.status is Status.OK for reply in later)
    assert sum(reply.status is Status.OK for reply in first) >= 50
    assert asked["bad"] - before <= 3  # trials
