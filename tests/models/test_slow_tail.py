"""A slow call holds back nobody else: 1 % of calls hang for ten minutes and 10 % take thirty times as long (R10), on a virtual clock."""

from __future__ import annotations

import asyncio
import os

import numpy as np
import pytest

from sociarium.kernel.content import Block
from sociarium.kernel.outcomes import Status
from sociarium.kernel.protocols import Address
from sociarium.models.backends.scripted import ScriptedBackend
from sociarium.models.limiter import LATE, LENT, Limiter
from sociarium.models.request import Request, Sampling
from sociarium.models.retry import RetryPolicy
from sociarium.models.service import ModelService
from sociarium.testing.memory_journal import MemoryJournal
from sociarium.testing.virtual_time import run_virtual

HANG, SLOWER = 600.0, 30.0
ASKERS, SECONDS = 250, 40.0


def times(seed, usual, *, hang, slow):
    """A delay for each call: the usual one within a fifth, thirty times that, or ten minutes."""
    dice = np.random.default_rng(seed)

    def delay(request, draw):
        chance, spread = dice.random(2)
        if chance < hang:
            return HANG
        return usual * (0.8 + 0.4 * spread) * (SLOWER if chance < hang + slow else 1.0)

    return delay


def played(delay, concurrency, timeout):
    """``ASKERS`` agents ask one after the other. All calls as (begin, end, outcome), and the most that were out at once."""
    calls = []

    async def work():
        loop = asyncio.get_running_loop()
        backend = ScriptedBackend(lambda r, d: "ten", delay=delay)
        retry = RetryPolicy(attempts=1)
        door = ModelService({"default": backend}, journal=MemoryJournal(), seed=0, timeout=timeout, retry=retry, concurrency=concurrency)

        async def asker(number):
            count = 0
            while loop.time() < SECONDS:
                request = Request((Block(f"{number} {count}"),), sampling=Sampling(1.0))
                begun = loop.time()
                reply = await door.ask(request, Address(count, "p", 0, 0, f"agent:{number}", "act"))
                calls.append((begun, loop.time(), reply.status))
                count += 1

        await asyncio.gather(*(asker(number) for number in range(ASKERS)))
        return backend.most

    most = run_virtual(work())
    return calls, most


def rate(calls):
    return sum(SECONDS / 3 <= end < SECONDS for _, end, status in calls if status is Status.OK) / (SECONDS * 2 / 3)


@pytest.mark.parametrize("seed", range(int(os.environ.get("SOCIARIUM_SLOW_TAILS", "1"))))
@pytest.mark.parametrize("concurrency", [8, 32])
def test_throughput_stays_when_calls_hang_and_others_crawl(seed, concurrency):
    timeout = 20.0
    clean, _ = played(times(seed, 0.2, hang=0.0, slow=0.0), concurrency, timeout)
    tail, most = played(times(seed, 0.2, hang=0.01, slow=0.1), concurrency, timeout)
    assert rate(tail) >= 0.8 * rate(clean)
    assert most <= (1 + LENT) * concurrency
    cut = [end - begin for begin, end, status in tail if status is Status.TIMED_OUT]
    assert cut, "calls hung"
    # The wait for a place comes before the limit of the call itself.
    waits = max(end - begin for begin, end, status in tail if status is Status.OK)
    assert max(cut) <= timeout + 1.0 + max(0.0, waits - 0.24 * SLOWER)


def test_a_call_that_hangs_ends_within_a_second_of_its_limit():
    ends = []

    async def work():
        loop = asyncio.get_running_loop()
        backend = ScriptedBackend(lambda r, d: "ten", delay=lambda r, d: HANG)
        door = ModelService(
            {"default": backend}, journal=MemoryJournal(), seed=0, timeout=7.0, retry=RetryPolicy(attempts=1), concurrency=64
        )

        async def one(number):
            reply = await door.ask(Request((Block(str(number)),), sampling=Sampling(1.0)), Address(0, "p", 0, 0, f"agent:{number}", "act"))
            ends.append((loop.time(), reply.status))

        await asyncio.gather(*(one(number) for number in range(8)))

    run_virtual(work())
    assert all(status is Status.TIMED_OUT and 7.0 <= end <= 8.0 for end, status in ends)


def test_others_do_not_wait_for_calls_that_hang_even_where_they_take_every_place():
    async def work():
        loop, limiter = asyncio.get_running_loop(), Limiter(4, start=4)
        for _ in range(20):  # what a call usually takes
            ticket = await limiter.acquire()
            await asyncio.sleep(0.5)
            limiter.release(ticket, good=True)
        hanging = [await limiter.acquire() for _ in range(4)]
        begun = loop.time()
        ticket = await limiter.acquire()
        assert loop.time() - begun == pytest.approx(LATE * 0.5, abs=0.01)
        limiter.release(ticket, good=True)
        assert limiter.overdue == 1, "a place is given up only to somebody who waits"
        for one in hanging:
            limiter.release(one)
        assert (limiter.flying, limiter.overdue) == (0, 0)

    run_virtual(work())


def test_what_is_lent_has_a_bound_and_a_refusal_takes_half_of_it_back():
    async def work():
        limiter = Limiter(4, start=4)
        for _ in range(20):
            ticket = await limiter.acquire()
            await asyncio.sleep(0.1)
            limiter.release(ticket, good=True)
        hanging = []

        async def hang():
            hanging.append(await limiter.acquire())

        tasks = [asyncio.create_task(hang()) for _ in range(100)]
        await asyncio.sleep(60.0)
        assert limiter.overdue == LENT * 4
        assert len(hanging) == (1 + LENT) * 4
        for _ in range(6):  # more than chance
            limiter.release(hanging.pop(), refused=True)
        assert limiter.lendable <= LENT * 4 / 2
        for task in tasks:
            task.cancel()

    run_virtual(work())


def test_no_place_is_lent_by_a_backend_that_takes_batches():
    async def work():
        limiter = Limiter(2, start=2, elastic=False)
        for _ in range(2):
            await limiter.acquire()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1000.0):
                await limiter.acquire()

    run_virtual(work())
