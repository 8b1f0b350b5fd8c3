"""Calls in flight and starts a second find what a server bears, on a virtual clock."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import os

import numpy as np
import pytest

from sociarium.kernel.content import Block
from sociarium.kernel.protocols import Address, NoJournal
from sociarium.models.backend import CallFailed
from sociarium.models.backends.scripted import ScriptedBackend
from sociarium.models.limiter import Limiter
from sociarium.models.request import Request, Sampling
from sociarium.models.service import ModelService
from sociarium.testing.virtual_time import run_virtual


class Bucket:
    """A server that allows ``rate(now)`` calls a second, with a burst, and turns the rest away."""

    def __init__(self, rate, burst, latency, tells):
        self.rate, self.burst, self.latency, self.tells = rate, burst, latency, tells
        self.level, self.last = burst, 0.0
        self.good, self.bad = [], []

    async def complete(self, request, draw):
        loop = asyncio.get_running_loop()
        now = loop.time()
        self.level = min(self.burst, self.level + (now - self.last) * self.rate(now))
        self.last = now
        if self.level < 1.0:
            self.bad.append(now)
            await asyncio.sleep(0.005)
            wish = (1.0 - self.level) / self.rate(now) if self.tells else None
            raise CallFailed("rate_limited", "slow down", retryable=True, retry_after=wish)
        self.level -= 1.0
        await asyncio.sleep(self.latency)
        self.good.append(now)


def drive(server, seconds, concurrency=256):
    """Keeps 300 askers busy."""

    class Backend(ScriptedBackend):
        async def complete(self, request, draw):
            await server.complete(request, draw)
            return await super().complete(request, draw)

    async def work():
        door = ModelService({"default": Backend(lambda r, d: "ten", parallel=concurrency)}, journal=NoJournal(), seed=0)
        numbers = itertools.count()

        async def asker():
            while asyncio.get_running_loop().time() < seconds:
                number = next(numbers)
                request = Request((Block(str(number)),), sampling=Sampling(1.0))
                await door.ask(request, Address(0, "p", 0, 0, f"agent:{number}", "act"))

        tasks = [asyncio.create_task(asker()) for _ in range(300)]
        await asyncio.sleep(seconds)
        for task in tasks:
            task.cancel()

    run_virtual(work())


def rates(server, begin, end):
    good = sum(begin <= now < end for now in server.good)
    bad = sum(begin <= now < end for now in server.bad)
    return good / (end - begin), bad / max(1, good + bad)


def rate_limits(count):
    """Rates from 5 to 200 a second, bursts from 1 to a second's worth, answers in 0.02 to 2 s, half of them with Retry-After."""
    fixed = [
        (20.0, 5.0, 0.3, True),
        (50.0, 50.0, 0.02, False),
        (100.0, 10.0, 1.0, True),
        (100.0, 10.0, 1.0, False),
        (50.0, 5.0, 0.02, True),
    ]
    dice = np.random.default_rng(12)
    while len(fixed) < count:
        rate = float(np.round(5.0 * 40.0 ** dice.random(), 1))
        fixed.append((rate, float(max(1.0, rate * dice.random())), float(np.round(0.02 * 100.0 ** dice.random(), 3)), bool(len(fixed) % 2)))
    return fixed[:count]


@pytest.mark.parametrize(("rate", "burst", "latency", "tells"), rate_limits(int(os.environ.get("SOCIARIUM_RATE_LIMITS", "5"))))
def test_a_rate_limit_is_found_and_kept(rate, burst, latency, tells):
    """At least 85 % of what is allowed within a minute, at most 5 % turned away then."""
    server = Bucket(lambda now: rate, burst, latency, tells)
    drive(server, 90.0)
    through, refused = rates(server, 60.0, 90.0)
    assert through >= 0.85 * rate
    assert refused <= 0.05


def test_a_rate_limit_that_changes_is_followed():
    server = Bucket(lambda now: 60.0 if now < 60.0 or now > 150.0 else 20.0, 10.0, 0.2, True)
    drive(server, 240.0)
    assert rates(server, 30.0, 60.0)[0] >= 0.85 * 60.0
    assert rates(server, 100.0, 150.0)[0] >= 0.85 * 20.0
    assert rates(server, 210.0, 240.0)[0] >= 0.85 * 60.0


class Chance:
    """A server that turns away a share of the calls, however slowly they come; the others take half a second."""

    def __init__(self, share):
        self.share = share
        self.seen = 0
        self.good, self.bad = [], []

    async def complete(self, request, draw):
        now = asyncio.get_running_loop().time()
        self.seen += 1
        drawn = int.from_bytes(hashlib.blake2b(str(self.seen).encode(), digest_size=4).digest(), "little") / 2**32
        if drawn < self.share:
            self.bad.append(now)
            await asyncio.sleep(0.005)
            raise CallFailed("rate_limited", "slow down", retryable=True)
        await asyncio.sleep(0.5)
        self.good.append(now)


@pytest.mark.parametrize(("share", "kept"), [(0.01, 0.8), (0.1, 0.7), (0.5, 0.1)])
def test_refusals_by_chance_do_not_bring_calls_to_a_stand(share, kept):
    # 256 places and half a second a call: 512 a second at most, of which chance leaves a part.
    server = Chance(share)
    drive(server, 24.0)
    through, refused = rates(server, 14.0, 24.0)
    assert through >= kept * 512
    assert refused == pytest.approx(share, abs=0.02)


def test_the_ceiling_is_never_passed_and_all_come_in_order():
    async def work():
        limiter = Limiter(7)
        order, most = [], 0

        async def one(number):
            nonlocal most
            ticket = await limiter.acquire()
            most = max(most, limiter.flying)
            order.append(number)
            await asyncio.sleep(1.0)
            limiter.release(ticket, good=True)

        await asyncio.gather(*(one(number) for number in range(50)))
        assert most == 7
        assert order == list(range(50))
        assert limiter.flying == 0

    run_virtual(work())


def test_places_grow_to_the_ceiling_and_shrink_when_turned_away():
    async def work():
        limiter = Limiter(1000, start=10)

        async def one(**end):
            ticket = await limiter.acquire()
            await asyncio.sleep(0.1)
            limiter.release(ticket, **end)

        await asyncio.gather(*(one(good=True) for _ in range(1500)))
        assert limiter.places > 200
        before = limiter.places
        await asyncio.gather(*(one(refused=True) for _ in range(20)))
        # Twenty refusals of one round are one cut, of those that were in flight when it was made.
        assert 0.5 * 20 <= limiter.places < before
        assert limiter.pace is not None

    run_virtual(work())


def test_one_who_waits_and_is_cancelled_keeps_no_place():
    async def work():
        limiter = Limiter(1)
        ticket = await limiter.acquire()
        waiting = [asyncio.create_task(limiter.acquire()) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        limiter.release(ticket, good=True)
        waiting[1].cancel()  # granted in this very step
        await asyncio.sleep(0)
        await waiting[2]
        assert limiter.flying == 1

    run_virtual(work())


def test_who_stops_ends_its_own_waits_and_no_others():
    async def work():
        limiter, mine, other = Limiter(1), object(), object()
        ticket = await limiter.acquire(mine)
        waiting = [asyncio.create_task(limiter.acquire(owner)) for owner in (mine, other, mine)]
        await asyncio.sleep(0)
        limiter.abort(TimeoutError("over"), mine)
        limiter.release(ticket, good=True)
        ended = await asyncio.gather(waiting[0], waiting[2], return_exceptions=True)
        assert [type(one) for one in ended] == [TimeoutError, TimeoutError]
        await waiting[1]
        assert limiter.flying == 1

    run_virtual(work())


def test_a_wish_to_wait_holds_for_everybody():
    async def work():
        limiter = Limiter(10)
        limiter.release(await limiter.acquire(), refused=True, wish=30.0)
        await limiter.acquire()
        assert asyncio.get_running_loop().time() >= 30.0

    run_virtual(work())


class Timer:
    """A timer that can be stopped and tells nothing, as some event loops give out."""

    def __init__(self, handle):
        self.cancel = handle.cancel


def test_a_loop_whose_timers_do_not_tell_their_time_will_do():
    async def waited():
        loop = asyncio.get_running_loop()
        plain = loop.call_at
        loop.call_at = lambda when, call, *given, **more: Timer(plain(when, call, *given, **more))
        limiter = Limiter(1)
        ticket = await limiter.acquire()
        limiter.release(ticket, refused=True, wish=3.0)
        waiting = [asyncio.ensure_future(limiter.acquire()) for _ in range(2)]
        ticket = await waiting[0]
        limiter.release(ticket, good=True)
        limiter.release(await waiting[1], good=True)
        return loop.time()

    assert run_virtual(waited()) >= 3.0
