"""Budgets are never exceeded: not in parallel, not across kills; and what is leased is durable first."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sociarium.kernel.content import Block
from sociarium.kernel.errors import BudgetSpent, Interrupted, RecordError
from sociarium.kernel.outcomes import Status
from sociarium.kernel.protocols import Address, Lease, Usage
from sociarium.models.backend import CallFailed
from sociarium.models.backends.scripted import ScriptedBackend
from sociarium.models.budget import Budget, BudgetLimits, Cost, money, upper_cost, upper_tokens
from sociarium.models.request import BackendFacts, Prices, Reply, Request, Sampling
from sociarium.models.retry import RetryPolicy
from sociarium.models.service import ModelService
from sociarium.testing.memory_journal import MemoryJournal
from sociarium.testing.virtual_time import run_virtual

PRICES = Prices(3e6, 1e6, 15e6, "test")


def where(number):
    return Address(0, "act", 0, 0, f"agent:{number}", "act")


def question(number, tokens=40):
    return Request((Block(f"Question {number}."),), sampling=Sampling(1.0, max_tokens=tokens))


def script(dice):
    """Replies of a random length up to the limit, after a random delay."""

    def reply(request, draw):
        made = int(dice.integers(1, request.sampling.max_tokens + 1))
        return Reply(text="x", usage=Usage(1, int(dice.integers(5, 20)), 0, made))

    return ScriptedBackend(reply, delay=lambda request, draw: float(dice.random()), prices=PRICES)


def random_limits(dice):
    return BudgetLimits(
        calls=int(dice.integers(0, 120)) if dice.random() < 0.7 else None,
        tokens=int(dice.integers(0, 6000)) if dice.random() < 0.7 else None,
        money=int(dice.integers(0, 60_000)) if dice.random() < 0.7 else None,
        seconds=float(dice.random() * 3.0) if dice.random() < 0.3 else None,
    )


def test_never_exceeded_over_random_limits_by_64_workers_and_a_stop_can_be_resumed():
    """``SOCIARIUM_BUDGETS`` random limits on calls, tokens, money and time (R11)."""
    dice = np.random.default_rng(7)
    count = int(os.environ.get("SOCIARIUM_BUDGETS", "100"))
    ends = 0
    for _ in range(count):
        limits, backend, journal = random_limits(dice), script(dice), MemoryJournal(delay=0.01)

        async def session(limits, backend=backend, journal=journal):
            """All that is still to be asked, by 64 workers; how it ended for each, and how long it took."""
            door = ModelService({"default": backend}, journal=journal, seed=0, budget=limits, concurrency=64)
            numbers = iter(range(130))

            async def worker():
                return [await asyncio.gather(door.ask(question(number), where(number)), return_exceptions=True) for number in numbers]

            results = [one for many in await asyncio.gather(*(worker() for _ in range(64))) for (one,) in many]
            seconds = asyncio.get_running_loop().time()
            spent, leased = journal.spent(), journal.leased()
            for used, lease, top in (
                (spent.calls, leased.calls, limits.calls),
                (spent.tokens, leased.tokens, limits.tokens),
                (spent.money, leased.money, limits.money),
            ):
                if top is not None:
                    assert used <= lease <= top
            if limits.seconds is not None:
                assert seconds <= limits.seconds + 0.1, "calls in flight end with the budget of time"
            await door.close()
            return results

        results = run_virtual(session(limits))
        stopped = [result for result in results if isinstance(result, BaseException)]
        assert all(isinstance(result, BudgetSpent) for result in stopped), stopped
        kept, ends = dict(journal.entries), ends + bool(stopped)
        again = run_virtual(session(BudgetLimits()))
        assert not any(isinstance(result, BaseException) for result in again), "a stop is a pause"
        assert len(journal.entries) == 130
        assert all(journal.entries[address] is entry for address, entry in kept.items()), "nothing that was paid is asked again"
    assert ends > count // 2


def test_a_budget_holds_across_kills():
    """Each session is killed with calls in flight; what they may have cost never comes back."""
    dice = np.random.default_rng(3)

    async def session(journal, kill_at):
        backend = script(dice)
        door = ModelService({"default": backend}, journal=journal, seed=0, budget=BudgetLimits(calls=100))
        asked = [asyncio.create_task(door.ask(question(number), where(number))) for number in range(400)]
        await asyncio.sleep(kill_at)
        for task in asked:  # the process is gone: nothing is settled, nothing handed back
            task.cancel()
        return backend.calls

    journal, billed = MemoryJournal(delay=0.01), 0
    for turn in range(40):
        billed += run_virtual(session(journal, 0.05 + 0.01 * turn))
        assert billed <= 100
    assert journal.leased().calls <= 100
    assert journal.spent().calls < billed


def test_a_clean_end_hands_back_what_was_not_spent():
    async def work():
        journal = MemoryJournal()
        for turn in range(3):
            door = ModelService({"default": script(np.random.default_rng(turn))}, journal=journal, seed=0, budget=BudgetLimits(1000, 10**6))
            for number in range(5):
                await door.ask(question(10 * turn + number), where(10 * turn + number))
            await door.close()
            assert journal.leased().calls == journal.spent().calls == 5 * (turn + 1)
            assert journal.leased().tokens == journal.spent().tokens

    run_virtual(work())


def test_a_lease_is_durable_before_a_call_draws_on_it():
    async def work():
        journal = MemoryJournal(delay=0.5)
        door = ModelService({"default": script(np.random.default_rng(0))}, journal=journal, seed=0, budget=BudgetLimits(calls=640))
        await asyncio.gather(*(door.ask(question(number), where(number)) for number in range(40)))
        leased = started = 0
        for what, value in journal.log:
            leased += value.calls if what == "lease" else 0
            started += what == "started"
            assert started <= leased
        assert started == 40
        assert sum(what == "lease" for what, _ in journal.log) <= 5

    run_virtual(work())


def test_those_who_wait_get_what_others_did_not_need():
    async def work():
        journal = MemoryJournal()
        # Each call may take 40 + about 80 tokens and takes 6: two fit by their upper bound, many in truth.
        backend = ScriptedBackend(lambda r, d: Reply(text="x", usage=Usage(1, 5, 0, 1)), delay=lambda r, d: 1.0)
        door = ModelService({"default": backend}, journal=journal, seed=0, budget=BudgetLimits(tokens=400))
        results = await asyncio.gather(*(door.ask(question(number), where(number)) for number in range(100)), return_exceptions=True)
        assert sum(not isinstance(result, BaseException) for result in results) > 30
        assert journal.spent().tokens <= 400

    run_virtual(work())


async def test_a_spent_budget_says_what_and_how_to_go_on():
    budget = Budget(BudgetLimits(calls=3), MemoryJournal())
    for _ in range(3):
        await budget.reserve(Cost(1))
        budget.settle(Cost(1), Cost(1))
    with pytest.raises(BudgetSpent, match=r"3 calls is spent: 3 used.*raise the limit and resume"):
        await budget.reserve(Cost(1))


async def test_all_ever_leased_counts_as_spent_on_resume():
    journal = MemoryJournal()
    await journal.lease(Lease(10, 500, 0))
    budget = Budget(BudgetLimits(calls=12), journal)
    assert budget.used == Cost(10, 500, 0)
    await budget.reserve(Cost(1))
    assert journal.leased().calls == 11


@given(st.text(max_size=200), st.integers(1, 500))
def test_the_upper_bound_is_no_less_than_bytes_and_limit(text, limit):
    prompt, completion = upper_tokens(Request((Block(text),), sampling=Sampling(max_tokens=limit)))
    assert prompt >= len(text.encode())
    assert completion == limit


@pytest.mark.parametrize("words", [["はい", "いいえ"], ["да"], ["👩‍👩‍👧‍👦"], ["yes", "no"]])
def test_a_schema_is_bounded_by_its_bytes_in_any_letters(words):
    schema, asked = {"enum": words}, Request((Block("Come?"),))
    more = upper_tokens(replace(asked, schema=schema))[0] - upper_tokens(asked)[0]
    assert more >= max(len(json.dumps(schema).encode()), len(json.dumps(schema, ensure_ascii=False).encode()))


def test_a_schema_that_goes_out_as_a_tool_is_bounded_with_the_words_a_vendor_adds():
    asked, facts = replace(question(1), schema={"type": "object"}), BackendFacts("v", "v", {"schemas": "tool"})
    plain = upper_cost(asked, BackendFacts("v", "v", {"schemas": "send"}))
    assert upper_cost(asked, facts).tokens - plain.tokens >= 346
    assert upper_cost(question(1), facts) == upper_cost(question(1), BackendFacts("v", "v"))


def test_a_choice_is_bounded_by_its_prompt_for_each_option():
    request = Request((Block("x" * 100),), "choose", options=("yes", "no"), neutral=(Block("y" * 50),))
    assert upper_tokens(request)[0] >= 2 * (100 + 50) + len("yesno")


def test_money_is_rounded_up_and_cached_tokens_are_cheaper():
    assert money(Usage(1, 100, 0, 10), PRICES) == 450
    assert money(Usage(1, 100, 100, 10), PRICES) == 250
    assert money(Usage(1, 1, 0, 0), Prices(prompt=1.0)) == 1
    assert money(Usage(1, 100, 100, 0), Prices(prompt=1e6)) == 100
    facts = script(np.random.default_rng(0)).facts
    assert upper_cost(question(1), facts).money == money(Usage(1, upper_tokens(question(1))[0], 0, 40), PRICES)


def test_a_limit_that_is_first_set_on_resume_holds_across_kills():
    """What was spent before there was a limit is leased with the first lease: else each kill would forget the calls that were out."""
    dice = np.random.default_rng(5)

    async def session(journal, limit, kill_at):
        backend = script(dice)
        door = ModelService({"default": backend}, journal=journal, seed=0, budget=BudgetLimits(calls=limit))
        asked = [asyncio.create_task(door.ask(question(number), where(number))) for number in range(50 if limit is None else 400)]
        await asyncio.sleep(kill_at)
        for task in asked:
            task.cancel()
        return backend.calls

    journal = MemoryJournal(delay=0.01)
    billed = run_virtual(session(journal, None, 10.0))
    assert billed == 50
    for turn in range(40):
        billed += run_virtual(session(journal, 100, 0.05 + 0.01 * turn))
        assert billed <= 100
    assert billed > journal.spent().calls > 50, "calls were out when a session was killed"


def test_a_call_that_waits_for_its_lease_when_the_run_is_stopped_does_not_go_out():
    async def work():
        journal, backend = MemoryJournal(delay=1.0), script(np.random.default_rng(0))
        door = ModelService({"default": backend}, journal=journal, seed=0, budget=BudgetLimits(calls=640))
        asked = [asyncio.create_task(door.ask(question(number), where(number))) for number in range(8)]
        await asyncio.sleep(0.5)  # all of them wait for the first lease
        await door.close()
        ended = await asyncio.gather(*asked, return_exceptions=True)
        assert all(isinstance(one, Interrupted) for one in ended), ended
        assert backend.calls == 0

    run_virtual(work())


@pytest.mark.parametrize("wish", [90.0, 86_400.0])
def test_a_server_that_asks_all_to_wait_holds_nobody_beyond_the_budget_of_time(wish):
    async def work():
        loop = asyncio.get_running_loop()

        def refusing(request, draw):
            raise CallFailed("rate_limited", "come back", retryable=True, retry_after=wish)

        door = ModelService(
            {"default": ScriptedBackend(refusing)}, journal=MemoryJournal(), seed=0, budget=BudgetLimits(seconds=20.0), concurrency=1
        )
        ended = await asyncio.gather(*(door.ask(question(number), where(number)) for number in range(4)), return_exceptions=True)
        assert loop.time() <= 20.5
        assert [type(one) for one in ended if isinstance(one, BaseException)] == [BudgetSpent] * (3 if wish > 120.0 else 4)

    run_virtual(work())


def test_a_wish_beyond_the_longest_holds_up_others_no_longer_than_that():
    async def work():
        loop, answers = asyncio.get_running_loop(), iter([86_400.0])

        def once(request, draw):
            if (wish := next(answers, None)) is not None:
                raise CallFailed("rate_limited", "come back tomorrow", retryable=True, retry_after=wish)
            return Reply(text="x")

        door = ModelService({"default": ScriptedBackend(once)}, journal=MemoryJournal(), seed=0, concurrency=1)
        first = await door.ask(question(0), where(0))
        second = await door.ask(question(1), where(1))
        assert (first.status, second.status) == (Status.FAILED, Status.OK)
        assert loop.time() <= RetryPolicy().longest_wish + 1.0

    run_virtual(work())


async def test_models_are_closed_even_where_the_disk_refuses_what_is_handed_back():
    class Full(MemoryJournal):
        async def lease(self, lease):
            if lease.calls < 0:
                raise RecordError("the disk is full")
            await super().lease(lease)

    backend = script(np.random.default_rng(0))
    backend.closed = False

    async def close():
        backend.closed = True

    backend.close = close
    door = ModelService({"default": backend}, journal=Full(), seed=0, budget=BudgetLimits(calls=640))
    await door.ask(question(0), where(0))
    with pytest.raises(RecordError):
        await door.close()
    assert backend.closed
