"""Calls in flight find what a server can use, without a refusal: on a virtual clock, against servers that queue, batch, or do neither."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from sociarium.models.limiter import Limiter
from sociarium.testing.virtual_time import run_virtual

SPREADS = {
    "fixed": lambda dice: 1.0,
    "lognormal": lambda dice: float(dice.lognormal(-0.125, 0.5)),
    "exponential": lambda dice: float(dice.exponential(1.0)),
}


def queue(workers, seconds, spread, dice):
    """A server that works on ``workers`` calls at a time; the mean of a call is ``seconds``, alone."""
    free = asyncio.Semaphore(workers)

    async def call():
        async with free:
            await asyncio.sleep(seconds * SPREADS[spread](dice))

    return call


def batching(half, seconds, spread, dice):
    """A server that is twice as slow with ``half`` calls as with one, and does more the more there are."""
    out = 0

    async def call():
        nonlocal out
        out += 1
        try:
            await asyncio.sleep(seconds * (1.0 + out / half) * SPREADS[spread](dice))
        finally:
            out -= 1

    return call


def driven(make, seconds, *, ceiling=128, askers=300, change=None):
    """Places at the end of each half second, and the moments of all answers. ``change``: what happens to the server, and when."""
    places, ends = [], []

    async def work():
        loop, limiter = asyncio.get_running_loop(), Limiter(ceiling)
        server = [make()]
        if change is not None:
            loop.call_later(change[0], lambda: server.__setitem__(0, change[1]()))

        async def asker():
            while loop.time() < seconds:
                ticket = await limiter.acquire()
                await server[0]()
                ends.append(loop.time())
                limiter.release(ticket, good=True)

        tasks = [asyncio.create_task(asker()) for _ in range(askers)]
        while loop.time() < seconds:
            await asyncio.sleep(0.5)
            places.append(limiter.places)
        for task in tasks:
            task.cancel()

    run_virtual(work())
    return np.array(places), np.array(ends)


def rate(ends, begin, end):
    return np.count_nonzero((ends >= begin) & (ends < end)) / (end - begin)


@pytest.mark.parametrize("spread", list(SPREADS))
@pytest.mark.parametrize(("workers", "seconds"), [(4, 0.5), (16, 0.5), (60, 0.5)])
def test_a_server_that_queues_gets_no_more_than_it_works_on(workers, seconds, spread):
    dice = np.random.default_rng(workers)
    end = 150.0
    places, ends = driven(lambda: queue(workers, seconds, spread, dice), end)
    assert np.median(places[-60:]) <= 1.6 * workers
    assert rate(ends, end - 60.0, end) >= (0.8 if spread == "exponential" else 0.9) * workers / seconds


@pytest.mark.parametrize("spread", list(SPREADS))
def test_a_server_that_does_not_queue_gets_all_that_is_allowed(spread):
    dice = np.random.default_rng(3)
    places, ends = driven(lambda: queue(10**6, 0.5, spread, dice), 60.0)
    assert places[-1] == 128
    assert rate(ends, 40.0, 60.0) >= 0.9 * 128 / 0.5


def test_a_server_that_batches_is_not_held_to_one_call():
    dice = np.random.default_rng(4)
    places, _ = driven(lambda: batching(32, 0.25, "lognormal", dice), 60.0)
    assert 32 <= np.median(places[80:]) <= 128, "twice the calls for less than a quarter more are not worth it, half of them are"


def test_latency_that_rises_under_a_queue_cuts_and_a_server_that_recovers_is_used_again():
    dice = np.random.default_rng(5)
    busy = lambda: queue(8, 0.5, "lognormal", dice)  # noqa: E731
    places, ends = driven(lambda: queue(64, 0.5, "lognormal", dice), 100.0, change=(40.0, busy))
    assert np.median(places[60:80]) >= 48
    assert np.median(places[160:]) <= 16
    assert rate(ends, 80.0, 100.0) >= 0.85 * 8 / 0.5
    places, ends = driven(busy, 140.0, change=(40.0, lambda: queue(64, 0.5, "lognormal", dice)))
    assert np.median(places[60:80]) <= 16
    assert rate(ends, 120.0, 140.0) >= 0.85 * 64 / 0.5


def test_errors_do_not_stop_the_search():
    async def work():
        limiter, dice = Limiter(64), np.random.default_rng(6)

        async def asker():
            for _ in range(30):
                ticket = await limiter.acquire()
                await asyncio.sleep(0.5)
                limiter.release(ticket, good=bool(dice.random() < 0.5))

        await asyncio.gather(*(asker() for _ in range(100)))
        assert limiter.places == 64
        assert limiter.flying == limiter.overdue == 0

    run_virtual(work())
