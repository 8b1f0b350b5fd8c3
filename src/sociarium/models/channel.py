"""One backend behind one limiter. What is ready goes out together where the backend gains from batches."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from sociarium.models.backend import Backend, BatchBackend, CallFailed
from sociarium.models.limiter import Limiter
from sociarium.models.request import Reply, Request, facts_digest


class Channel:
    """The way to one backend. ``model`` is the part of a key that names it; ``limiter`` one that other services have for it already."""

    def __init__(self, backend: Backend, concurrency: int | None, limiter: Limiter | None = None) -> None:
        self.backend = backend
        self.facts = backend.facts
        self.model = facts_digest(self.facts)
        self.batch = Batcher(backend, self.facts.parallel) if isinstance(backend, BatchBackend) else None
        # With batches, the next one fills while one runs.
        ceiling = self.facts.parallel * (1 if self.batch is None else 2) if concurrency is None else concurrency
        searched = self.batch is None and not self.facts.gathers
        own = Limiter(ceiling) if searched else Limiter(ceiling, start=ceiling, elastic=False)
        self.limiter = own if limiter is None else limiter

    async def complete(self, request: Request, drawn: int | None, clock: Clock) -> Reply:
        """One attempt within the clock's time. Raises ``CallFailed``; a place in the limiter is the caller's to hold."""
        if self.batch is not None:
            return await self.batch.complete(request, drawn, clock)
        try:
            async with clock.running():
                return await self.backend.complete(request, drawn)
        except TimeoutError as error:
            raise clock.failure() from error

    def abort(self, error: BaseException) -> None:
        """End the waits of those whose call has not gone out."""
        self.limiter.abort(error, self)
        if self.batch is not None:
            self.batch.abort(error)


class Clock:
    """The time limit of attempts, and the moment when everything must end (a stop, or the end of a time budget)."""

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self.end: float | None = None
        self._running: set[asyncio.Timeout] = set()

    def running(self) -> _Running:
        """An asynchronous context that raises ``TimeoutError`` when the time is over."""
        return _Running(self)

    def end_at(self, moment: float) -> None:
        """Let nothing run past this moment of the loop's clock, calls in flight included."""
        self.end = moment if self.end is None else min(self.end, moment)
        for timeout in self._running:
            when = timeout.when()
            if not timeout.expired() and (when is None or when > self.end):
                timeout.reschedule(self.end)

    @property
    def over(self) -> bool:
        """Whether everything must have ended."""
        return self.end is not None and asyncio.get_running_loop().time() >= self.end

    def failure(self) -> CallFailed:
        return CallFailed("read_timeout", f"no answer within {self.timeout:g} s", retryable=True)

    def moment(self) -> float:
        """When an attempt that starts now must be over."""
        limit = asyncio.get_running_loop().time() + self.timeout
        return limit if self.end is None else min(limit, self.end)

    def enter(self, timeout: asyncio.Timeout) -> None:
        self._running.add(timeout)

    def leave(self, timeout: asyncio.Timeout) -> None:
        self._running.discard(timeout)


class _Running:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def __aenter__(self) -> None:
        self._timeout = asyncio.timeout_at(self._clock.moment())
        self._clock.enter(self._timeout)
        await self._timeout.__aenter__()

    async def __aexit__(self, *details: object) -> None:
        self._clock.leave(self._timeout)
        await self._timeout.__aexit__(*details)  # type: ignore[arg-type]


@dataclass(slots=True)
class _Waiting:
    request: Request
    drawn: int | None
    answer: asyncio.Future[Reply]


class Batcher:
    """Gathers what is ready while a batch is out, and sends it as the next one. One batch is out at a time."""

    def __init__(self, backend: BatchBackend, size: int) -> None:
        self.backend = backend
        self.size = max(1, size)
        self._ready: list[_Waiting] = []
        self._task: asyncio.Task[None] | None = None

    async def complete(self, request: Request, drawn: int | None, clock: Clock) -> Reply:
        waiting = _Waiting(request, drawn, asyncio.get_running_loop().create_future())
        self._ready.append(waiting)
        if self._task is None:
            self._task = asyncio.create_task(self._work(clock))
        return await waiting.answer

    def abort(self, error: BaseException) -> None:
        """End the waits of those who are in no batch yet."""
        ready, self._ready = self._ready, []
        for waiting in ready:
            if not waiting.answer.done():
                waiting.answer.set_exception(error)

    async def _work(self, clock: Clock) -> None:
        batch: list[_Waiting] = []
        try:
            while self._ready:
                await asyncio.sleep(0)  # others that are ready in this step of the loop join
                batch, self._ready = self._ready[: self.size], self._ready[self.size :]
                batch = [waiting for waiting in batch if not waiting.answer.done()]
                if batch:
                    self._hand_out(batch, await self._send(batch, clock))
        except BaseException as error:  # a defect of the backend, or a cancelled loop: nobody may wait for ever
            for waiting in (*batch, *self._ready):
                if not waiting.answer.done():
                    waiting.answer.set_exception(error)
            self._ready = []
            raise
        finally:
            self._task = None

    async def _send(self, batch: Sequence[_Waiting], clock: Clock) -> Sequence[Reply | CallFailed]:
        try:
            async with clock.running():
                replies = await self.backend.complete_many([one.request for one in batch], [one.drawn for one in batch])
        except TimeoutError:
            return [clock.failure() for _ in batch]
        except CallFailed as failure:
            return [failure for _ in batch]
        if len(replies) != len(batch):
            fault = f"{len(replies)} replies to {len(batch)} requests"
            return [CallFailed("misaligned", fault, retryable=True) for _ in batch]
        return replies

    def _hand_out(self, batch: Sequence[_Waiting], replies: Sequence[Reply | CallFailed]) -> None:
        for waiting, reply in zip(batch, replies, strict=True):
            if waiting.answer.done():
                continue
            if isinstance(reply, CallFailed):
                waiting.answer.set_exception(reply)
            else:
                waiting.answer.set_result(reply)
