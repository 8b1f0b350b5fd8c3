"""The one door: journal first, one answer an address, equal fixed requests asked once, failures as outcomes."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from sociarium.kernel.content import Block, said
from sociarium.kernel.errors import BudgetSpent, Interrupted, ReplayMismatch, UsageError
from sociarium.kernel.outcomes import Status
from sociarium.kernel.protocols import Address, JournalEntry, NoJournal
from sociarium.models.backend import CallFailed
from sociarium.models.backends.scripted import ScriptedBackend
from sociarium.models.budget import BudgetLimits
from sociarium.models.request import BackendFacts, Reply, Request, Sampling, key_of
from sociarium.models.retry import RetryPolicy, share
from sociarium.models.service import ModelService
from sociarium.testing.memory_journal import MemoryJournal
from sociarium.testing.virtual_time import run_virtual

WHERE = Address(3, "talk", 2, 1, "agent:7", "act")
SCHEMA = {
    "type": "object",
    "properties": {"catch": {"type": "integer", "minimum": 0}},
    "required": ["catch"],
    "additionalProperties": False,
}


def ask(text="How much?", temperature=0.0, **more):
    return Request((Block(text),), sampling=Sampling(temperature), **more)


def service(reply, journal=None, *, routes=None, backend=None, **more):
    backend = backend or ScriptedBackend(reply)
    made = ModelService({"default": backend, **(routes or {})}, journal=journal or MemoryJournal(), seed=1, **more)
    return made, backend


def at(number):
    return replace(WHERE, asker=f"agent:{number}")


def failing(*kinds, then="fine", retry_after=None):
    """Fails once with each kind in turn, then answers."""
    left = list(kinds)

    def reply(request, draw):
        if left:
            kind = left.pop(0)
            raise CallFailed(kind, f"it was {kind}", retryable=kind not in ("unauthorised", "context_too_long"), retry_after=retry_after)
        return then

    return reply


# --- journal ---------------------------------------------------------------------------------------------------------


async def test_a_reply_is_durable_before_its_asker_goes_on():
    journal = MemoryJournal(delay=0.001)
    door, _ = service(lambda request, draw: "ten", journal)
    reply = await door.ask(ask(), WHERE)
    journal.log.append(("effect", reply.text))
    assert [what for what, _ in journal.log] == ["started", "append", "effect"]


async def test_a_failure_is_durable_too_and_is_the_same_on_replay():
    journal = MemoryJournal()
    door, _ = service(failing("context_too_long"), journal)
    first = await door.ask(ask(), WHERE)
    again, backend = service(lambda request, draw: "never", journal.replay())
    assert first.status is Status.FAILED
    assert (await again.ask(ask(), WHERE)) == first
    assert backend.calls == 0


async def test_an_address_in_the_journal_is_never_asked_again():
    journal = MemoryJournal()
    first, _ = service(lambda request, draw: f"drawn {draw}", journal)
    told = await first.ask(ask(temperature=1.0), WHERE)
    second, backend = service(lambda request, draw: "another", journal)
    assert (await second.ask(ask(temperature=1.0), WHERE)).text == told.text
    assert backend.calls == 0
    assert second.summary()["replayed"] == 1


async def test_another_request_at_a_known_address_is_an_error_that_shows_both():
    journal = MemoryJournal()
    first, _ = service(lambda request, draw: "ten", journal)
    await first.ask(ask("The lake holds 100 fish."), WHERE)
    second, backend = service(lambda request, draw: "ten", journal)
    with pytest.raises(ReplayMismatch) as caught:
        await second.ask(ask("The lake holds 90 fish."), WHERE)
    text = str(caught.value)
    assert "-  The lake holds 100 fish." in text
    assert "+  The lake holds 90 fish." in text
    assert str(WHERE) in text
    assert backend.calls == 0


async def test_another_seed_or_model_at_a_known_address_is_named():
    journal = MemoryJournal()
    first, _ = service(lambda request, draw: "ten", journal)
    await first.ask(ask(temperature=1.0), WHERE)
    other_seed = ModelService({"default": ScriptedBackend(lambda request, draw: "ten")}, journal=journal, seed=2)
    with pytest.raises(ReplayMismatch, match="seed"):
        await other_seed.ask(ask(temperature=1.0), WHERE)
    other_model, _ = service(None, journal, backend=ScriptedBackend(lambda request, draw: "ten", tag="newer"))
    with pytest.raises(ReplayMismatch, match="\\+model: scripted:newer"):
        await other_model.ask(ask(temperature=1.0), WHERE)


async def test_a_replay_makes_no_call_for_an_unknown_address():
    door, backend = service(lambda request, draw: "ten", MemoryJournal(live=False))
    with pytest.raises(ReplayMismatch, match="no reply"):
        await door.ask(ask(), WHERE)
    assert backend.calls == 0


async def test_a_known_key_is_copied_in_under_the_new_address():
    journal = MemoryJournal()
    door, backend = service(lambda request, draw: "ten", journal)
    await door.ask(ask(), at(1))
    copied = await door.ask(ask(), at(2))
    assert backend.calls == 1
    assert copied.text == "ten"
    assert copied.usage.tokens == 0
    assert journal.entries[at(2)].source == "cache"


async def test_a_branch_takes_sampled_replies_by_their_draw():
    parent = MemoryJournal()
    door, _ = service(lambda request, draw: f"drawn {draw}", parent)
    told = await door.ask(ask(temperature=1.0), WHERE)
    child = MemoryJournal()
    child._by_key = dict(parent._by_key)
    branch, backend = service(lambda request, draw: "another", child)
    assert (await branch.ask(ask(temperature=1.0), WHERE)).text == told.text
    assert backend.calls == 0
    assert child.entries[WHERE].source == "cache"


async def test_a_failure_is_not_copied_in():
    door, backend = service(failing("context_too_long"))
    await door.ask(ask(), at(1))
    assert (await door.ask(ask(), at(2))).text == "fine"
    assert backend.calls == 2


# --- shared calls ----------------------------------------------------------------------------------------------------


def test_equal_fixed_requests_in_flight_are_asked_once():
    async def work():
        journal = MemoryJournal()
        door, backend = service(None, journal, backend=ScriptedBackend(lambda request, draw: "ten", delay=lambda request, draw: 1.0))
        replies = await asyncio.gather(*(door.ask(ask(), at(number)) for number in range(50)))
        assert backend.calls == 1
        assert {reply.text for reply in replies} == {"ten"}
        assert sorted(entry.source for entry in journal.entries.values()) == ["live"] + ["shared"] * 49
        assert journal.spent().calls == 1

    run_virtual(work())


def test_equal_sampled_requests_are_separate_people():
    async def work():
        door, backend = service(None, backend=ScriptedBackend(lambda request, draw: str(draw), delay=lambda request, draw: 1.0))
        replies = await asyncio.gather(*(door.ask(ask(temperature=0.7), at(number)) for number in range(50)))
        assert backend.calls == 50
        assert len({reply.text for reply in replies}) == 50

    run_virtual(work())


def test_when_the_one_who_asks_is_cancelled_another_asks():
    async def work():
        door, backend = service(None, backend=ScriptedBackend(lambda request, draw: "ten", delay=lambda request, draw: 1.0))
        first = asyncio.create_task(door.ask(ask(), at(0)))
        await asyncio.sleep(0.5)
        second = asyncio.create_task(door.ask(ask(), at(1)))
        await asyncio.sleep(0.1)
        first.cancel()
        assert (await second).text == "ten"
        assert backend.calls == 2

    run_virtual(work())


async def test_parallel_requests_are_numbered_in_the_order_of_their_list():
    journal = MemoryJournal()
    door, _ = service(lambda request, draw: request.blocks[0].text, journal)
    replies = await door.ask_all([ask(str(number), temperature=1.0) for number in range(20)], WHERE)
    assert [reply.text for reply in replies] == [str(number) for number in range(20)]
    assert {address.number for address in journal.entries} == set(range(20))


def test_the_order_of_replies_changes_no_reply_and_no_key():
    def run(seed):
        async def work():
            journal = MemoryJournal()
            door, _ = service(
                None, journal, backend=ScriptedBackend(lambda request, draw: str(draw), delay=lambda r, d: (d or 0) * seed % 97)
            )
            await asyncio.gather(*(door.ask(ask(temperature=1.0), at(number)) for number in range(30)))
            order = [address for _, address in journal.log]
            return order, {address: (entry.key, entry.reply) for address, entry in journal.entries.items()}

        return run_virtual(work())

    (order, rows), (other_order, other_rows) = run(3), run(7)
    assert order != other_order
    assert rows == other_rows


# --- attempts --------------------------------------------------------------------------------------------------------


def test_a_passing_fault_is_retried_and_counted():
    async def work():
        journal = MemoryJournal()
        door, backend = service(failing("server_error", "read_timeout"), journal)
        reply = await door.ask(ask(), WHERE)
        assert (reply.status, reply.text, backend.calls) == (Status.OK, "fine", 3)
        assert door.summary()["retries"] == {"read_timeout": 1, "server_error": 1}
        entry = journal.entries[WHERE]
        assert [attempt["kind"] for attempt in entry.attempts] == ["server_error", "read_timeout"]
        assert entry.usage.calls == 3
        # The one that was cut off may have been billed: the most it can have cost is counted.
        assert entry.usage.completion_tokens >= ask().sampling.max_tokens

    run_virtual(work())


@pytest.mark.parametrize(
    ("kind", "calls", "status"),
    [
        ("server_error", 3, Status.FAILED),
        ("unauthorised", 1, Status.FAILED),
        ("context_too_long", 1, Status.FAILED),
        ("rate_limited", 12, Status.FAILED),
        ("read_timeout", 3, Status.TIMED_OUT),
        ("connect_timeout", 3, Status.TIMED_OUT),
        ("misaligned", 3, Status.FAILED),
    ],
)
def test_attempts_are_capped_and_the_end_is_an_outcome(kind, calls, status):
    async def work():
        door, backend = service(failing(*[kind] * 100))
        reply = await door.ask(ask(), WHERE)
        assert (reply.status, backend.calls, reply.text) == (status, calls, "")
        assert kind in reply.error
        assert door.summary()["outcomes"] == {"act": {status.name.lower(): 1}}

    run_virtual(work())


def test_a_timeout_fires_and_others_do_not_wait():
    async def work():
        loop = asyncio.get_running_loop()
        ends = {}

        async def one(number):
            reply = await door.ask(ask(str(number)), at(number))
            ends[number] = (loop.time(), reply.status)

        slow = ScriptedBackend(lambda request, draw: "ten", delay=lambda request, draw: 600.0 if request.blocks[0].text == "0" else 1.0)
        door, _ = service(None, backend=slow, timeout=20.0, retry=RetryPolicy(attempts=1))
        await asyncio.gather(*(one(number) for number in range(10)))
        assert ends[0] == (20.0, Status.TIMED_OUT)
        assert all(ends[number] == (1.0, Status.OK) for number in range(1, 10))

    run_virtual(work())


def test_a_wish_to_wait_is_honoured_and_too_long_a_wish_ends_the_call():
    async def work(wish):
        loop = asyncio.get_running_loop()
        door, backend = service(failing("rate_limited", retry_after=wish))
        reply = await door.ask(ask(), WHERE)
        return reply.status, backend.calls, loop.time()

    status, calls, end = run_virtual(work(40.0))
    assert (status, calls) == (Status.OK, 2)
    assert 40.0 <= end <= 41.0
    assert run_virtual(work(4000.0)) == (Status.FAILED, 1, 0.0)


def test_jitter_depends_on_the_address_alone():
    waits = {share(at(number), 1) for number in range(100)}
    assert len(waits) == 100
    assert all(0.0 <= wait < 1.0 for wait in waits)
    assert share(WHERE, 1) == share(replace(WHERE), 1) != share(WHERE, 2)


async def test_an_answer_to_another_request_is_caught():
    door, backend = service(lambda request, draw: Reply(text="stray", echo="0" * 32), retry=RetryPolicy(attempts=2, first_wait=0.0))
    reply = await door.ask(ask(), WHERE)
    assert (reply.status, backend.calls, reply.text) == (Status.FAILED, 2, "")
    assert "misaligned" in reply.error


async def test_an_empty_reply_is_no_reply():
    door, _ = service(lambda request, draw: "  ", retry=RetryPolicy(attempts=2, first_wait=0.0))
    assert (await door.ask(ask(), WHERE)).error.startswith("empty")


async def test_a_reply_that_repeats_itself_without_end_is_malformed():
    door, _ = service(lambda request, draw: Reply(text="so " * 200, finish="length"))
    assert (await door.ask(ask(), WHERE)).status is Status.MALFORMED


async def test_declining_is_told_by_the_finish_reason_never_by_the_words():
    door, _ = service(lambda request, draw: Reply(text="I can't assist with that.", finish="content_filter"))
    declined = await door.ask(ask(), WHERE)
    assert (declined.status, declined.text) == (Status.DECLINED, "")
    other, _ = service(lambda request, draw: "I can't assist with that.")
    assert (await other.ask(ask(), WHERE)).status is Status.OK


async def test_probabilities_and_vectors_must_fit_the_request():
    bad, _ = service(lambda request, draw: Reply(probabilities=(0.7, 0.7)), retry=RetryPolicy(attempts=1))
    assert (await bad.ask(Request((Block("?"),), "choose", options=("yes", "no")), WHERE)).error.startswith("wrong_shape")
    few, _ = service(lambda request, draw: Reply(vectors=((1.0,),)), retry=RetryPolicy(attempts=1))
    assert (await few.ask(Request(kind="embed", texts=("a", "b")), WHERE)).error.startswith("wrong_shape")


# --- structured replies ----------------------------------------------------------------------------------------------


async def test_one_recorded_repair_shows_the_bad_reply_and_what_is_wrong():
    seen = []

    def reply(request, draw):
        seen.append(request)
        return '{"catch": -4}' if len(seen) == 1 else '{"catch": 4}'

    journal = MemoryJournal()
    door, _ = service(reply, journal)
    told = await door.ask(ask(schema=SCHEMA), WHERE)
    assert (told.status, told.value, told.usage.calls) == (Status.REPAIRED, {"catch": 4}, 2)
    assert seen[1].blocks[-2].text == '{"catch": -4}'
    assert "-4 is less than the minimum 0" in seen[1].blocks[-1].text
    assert journal.entries[WHERE].reply["status"] == "malformed"
    again, backend = service(None, journal.replay(), backend=ScriptedBackend(lambda request, draw: "never"))
    assert (await again.ask(ask(schema=SCHEMA), WHERE)) == told
    assert backend.calls == 0


async def test_what_stays_malformed_is_no_agents_words():
    door, backend = service(lambda request, draw: "I will catch four.")
    told = await door.ask(ask(schema=SCHEMA), WHERE)
    assert (told.status, told.text, told.value, backend.calls) == (Status.MALFORMED, "", None, 2)


async def test_half_a_surrogate_pair_in_a_text_can_be_journalled():
    door, _ = service(lambda request, draw: "fish \ud83d!")
    assert (await door.ask(ask(), WHERE)).text == "fish \ufffd!"


# --- budgets, stop, routes -------------------------------------------------------------------------------------------


def test_a_stop_makes_no_new_call_and_lets_those_in_flight_end():
    async def work():
        loop = asyncio.get_running_loop()
        delays = {"0": 5.0, "1": 500.0}
        door, backend = service(
            None, backend=ScriptedBackend(lambda r, d: "ten", delay=lambda r, d: delays[r.blocks[0].text]), timeout=900.0
        )
        asked = [asyncio.create_task(door.ask(ask(str(number)), at(number))) for number in range(2)]
        await asyncio.sleep(1.0)
        await door.stop()
        assert loop.time() == 11.0
        assert (await asked[0]).text == "ten"
        with pytest.raises(Interrupted):
            await asked[1]
        with pytest.raises(Interrupted):
            await door.ask(ask("2"), at(2))
        assert (await door.ask(ask("0"), at(3))).text == "ten"  # what is known needs no call
        assert backend.calls == 2

    run_virtual(work())


def test_a_stop_ends_those_who_wait_for_a_place_or_for_a_retry():
    async def work():
        door, _ = service(None, backend=ScriptedBackend(failing(*["server_error"] * 9), delay=lambda r, d: 1.0), concurrency=1)
        asked = [asyncio.create_task(door.ask(ask(str(number)), at(number))) for number in range(5)]
        await asyncio.sleep(1.1)
        await door.stop()
        results = await asyncio.gather(*asked, return_exceptions=True)
        assert all(isinstance(result, Interrupted) for result in results)
        assert asyncio.get_running_loop().time() < 12.0

    run_virtual(work())


def test_time_stops_a_run_and_never_becomes_a_result():
    async def work():
        journal = MemoryJournal()
        door, _ = service(
            None, journal, backend=ScriptedBackend(lambda r, d: "ten", delay=lambda r, d: 4.0), budget=BudgetLimits(seconds=10.0)
        )
        for number in range(2):
            assert (await door.ask(ask(str(number)), at(number))).good
        with pytest.raises(BudgetSpent, match="resume"):
            await door.ask(ask("2"), at(2))
        assert asyncio.get_running_loop().time() == 10.0
        assert at(2) not in journal.entries

    run_virtual(work())


async def test_ask_all_keeps_what_was_paid_when_a_budget_ends():
    journal = MemoryJournal()
    door, _ = service(lambda request, draw: "ten", journal, budget=BudgetLimits(calls=7))
    with pytest.raises(BudgetSpent):
        await door.ask_all([ask(str(number)) for number in range(20)], WHERE)
    assert len(journal.entries) == 7


async def test_routes_are_named_and_an_unknown_one_is_refused():
    door, _ = service(lambda r, d: "plain", routes={"framework": ScriptedBackend(lambda r, d: "frame", tag="frame")})
    assert (await door.ask(ask(), at(1), route="framework")).text == "frame"
    assert (await door.ask(ask(), at(2))).text == "plain"
    with pytest.raises(UsageError, match="default, framework"):
        await door.ask(ask(), WHERE, route="judge")
    with pytest.raises(UsageError, match="default"):
        ModelService({}, journal=NoJournal(), seed=0)


# --- batches and size ------------------------------------------------------------------------------------------------


class Batching:
    """A batch engine: one batch at a time."""

    def __init__(self, answer=None, parallel=8, delay=1.0):
        self.facts = BackendFacts("batching", "batching", parallel=parallel)
        self.sizes = []
        self.answer = answer or (lambda requests: [Reply(text=request.blocks[0].text) for request in requests])
        self.delay = delay

    async def complete(self, request, draw):
        raise AssertionError("a batch engine is asked in batches")

    async def complete_many(self, requests, draws):
        self.sizes.append(len(requests))
        await asyncio.sleep(self.delay)
        return self.answer(requests)

    async def close(self):
        return None


def test_what_is_ready_goes_out_in_batches_and_comes_back_to_its_asker():
    async def work():
        engine = Batching()
        door, _ = service(None, backend=engine)
        replies = await asyncio.gather(*(door.ask(ask(str(number)), at(number)) for number in range(40)))
        assert [reply.text for reply in replies] == [str(number) for number in range(40)]
        assert engine.sizes == [8] * 5

    run_virtual(work())


def test_in_a_batch_one_may_fail_alone_and_a_short_batch_fails_together():
    def one_fails(requests):
        failure = CallFailed("context_too_long", "too long", retryable=False)
        return [failure if request.blocks[0].text == "3" else Reply(text="ten") for request in requests]

    async def work():
        door, _ = service(None, backend=Batching(one_fails))
        replies = await asyncio.gather(*(door.ask(ask(str(number)), at(number)) for number in range(8)))
        assert [reply.status for reply in replies] == [Status.OK] * 3 + [Status.FAILED] + [Status.OK] * 4
        short, _ = service(None, backend=Batching(lambda requests: []), retry=RetryPolicy(attempts=1))
        assert (await short.ask(ask(), WHERE)).error.startswith("misaligned")
        stuck, _ = service(None, backend=Batching(delay=1e6), timeout=5.0, retry=RetryPolicy(attempts=1))
        assert (await stuck.ask(ask(), WHERE)).status is Status.TIMED_OUT

    run_virtual(work())


def test_a_stop_sends_no_other_batch():
    async def work():
        engine, journal = Batching(), MemoryJournal()
        door, _ = service(None, journal, backend=engine)
        asked = [asyncio.create_task(door.ask(ask(str(number)), at(number))) for number in range(40)]
        await asyncio.sleep(0.5)
        await door.stop()
        results = await asyncio.gather(*asked, return_exceptions=True)
        assert engine.sizes == [8]
        assert [isinstance(result, Interrupted) for result in results] == [False] * 8 + [True] * 32
        assert len(journal.entries) == 8
        assert door.budget.used.calls == 8

    run_virtual(work())


async def test_a_schema_that_cannot_be_checked_is_refused_before_the_call():
    door, backend = service(lambda request, draw: "{}")
    with pytest.raises(UsageError, match="patternProperties"):
        await door.ask(ask(schema={"type": "object", "patternProperties": {}}), WHERE)
    assert backend.calls == 0


@pytest.mark.parametrize("limits", [{"calls": -1}, {"seconds": float("nan")}, {"money": 1 << 63}])
def test_a_limit_that_cannot_be_is_refused(limits):
    with pytest.raises(UsageError, match="budget"):
        BudgetLimits(**limits)
    with pytest.raises(UsageError, match="time limit"):
        service(None, timeout=0.0)


def test_a_defect_of_a_batch_engine_reaches_its_askers():
    def broken(requests):
        raise ZeroDivisionError("a defect")

    async def work():
        door, _ = service(None, backend=Batching(broken))
        with pytest.raises(ZeroDivisionError):
            await door.ask(ask(), WHERE)

    run_virtual(work())


def test_ten_thousand_asks_may_be_outstanding():
    async def work():
        journal = MemoryJournal()
        backend = ScriptedBackend(lambda request, draw: "ten", delay=lambda request, draw: 1.0, parallel=64)
        door, _ = service(None, journal, backend=backend)
        await asyncio.gather(*(door.ask(ask(temperature=1.0), at(number)) for number in range(10_000)))
        assert len(journal.entries) == 10_000
        assert backend.most == 64

    run_virtual(work())


def test_the_key_names_model_question_and_draw_and_nothing_else():
    facts = BackendFacts("a", "digest", engine={"threads": 1})
    fixed, sampled = ask(), ask(temperature=1.0)
    assert key_of(fixed, facts, 1) == key_of(fixed, facts, 2) == key_of(fixed, replace(facts, name="b", parallel=3), 1)
    keys = {
        key_of(fixed, facts, None),
        key_of(sampled, facts, 1),
        key_of(sampled, facts, 2),
        key_of(fixed, replace(facts, digest="other"), None),
        key_of(fixed, replace(facts, engine={"threads": 2}), None),
        key_of(ask("How many?"), facts, None),
        key_of(ask(schema=SCHEMA), facts, None),
        key_of(replace(fixed, blocks=(said("How much?", "agent:1"),)), facts, None),
        key_of(Request((Block("How much?"),), "choose", options=("a", "b")), facts, None),
        key_of(Request((Block("How much?"),), "choose", options=("a", "b"), neutral=()), facts, None),
        key_of(Request((Block("How much?"),), "choose", options=("ab",)), facts, None),
        key_of(Request(kind="embed", texts=("How much?",)), facts, None),
    }
    assert len(keys) == 12


def test_a_journal_entry_is_plain_data():
    async def work():
        journal = MemoryJournal()
        door, _ = service(lambda request, draw: '{"catch": 1}', journal)
        await door.ask(ask(schema=SCHEMA), WHERE)
        entry = journal.entries[WHERE]
        assert isinstance(entry, JournalEntry)
        assert json.loads(json.dumps([entry.request, entry.reply])) == [entry.request, entry.reply]
        assert set(entry.request["blocks"][0]) == {"text", "origin", "trust", "layer", "role", "kind", "attachment"}

    run_virtual(work())
