"""The attempts of one live call: place, budget, call, check, retry. What comes out is final."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sociarium.kernel.errors import BudgetSpent, Interrupted
from sociarium.kernel.outcomes import Status
from sociarium.kernel.protocols import Address, Journal, Plain, Usage
from sociarium.models.backend import CallFailed
from sociarium.models.budget import Budget, Cost, money, upper_cost, upper_tokens
from sociarium.models.channel import Channel, Clock
from sociarium.models.limiter import Ticket
from sociarium.models.request import Reply, Request
from sociarium.models.retry import TIMEOUTS, UNBILLED, RetryPolicy
from sociarium.models.structured import clean, parse, repeats
from sociarium.models.tally import Tally
from sociarium.models.tracing import UNTRACED, Spans

DECLINING = frozenset({"content_filter", "refusal"})
LONGEST_ERROR = 500  # characters of a message that is kept
CHARACTERS_A_TOKEN = 64  # no tokenizer writes more; a reply beyond it is not the one that was asked for


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply as its asker gets it, as it is journalled, and notes of the failed attempts before it and of the good one."""

    reply: Reply
    plain: Plain
    attempts: Sequence[Plain] = ()


@dataclass(slots=True)
class _Course:
    """What one live call has been through so far."""

    failures: int = 0
    refusals: int = 0
    usage: Usage = field(default_factory=Usage)
    notes: list[Plain] = field(default_factory=list[Plain])


class Attempts:
    """Makes live calls for a service."""

    def __init__(self, journal: Journal, budget: Budget, tally: Tally, clock: Clock, retry: RetryPolicy, spans: Spans = UNTRACED) -> None:
        self.journal = journal
        self.budget = budget
        self.tally = tally
        self.clock = clock
        self.retry = retry
        self.spans = spans
        self._stopped = asyncio.Event()
        self._ends: dict[Channel, asyncio.TimerHandle] = {}
        self._flying = 0
        self._empty = asyncio.Event()
        self._empty.set()

    async def run(self, request: Request, address: Address, channel: Channel, key: str, question: str, drawn: int | None) -> Answer:
        """Attempts until one succeeds or there is to be no other. Raises ``BudgetSpent`` and ``Interrupted`` only."""
        course = _Course()
        while True:
            try:
                reply = await self._attempt(request, address, channel, key, question, drawn, course)
                return _final(reply, request, course)
            except CallFailed as failure:
                wait = self._failed(failure, address, course)
                if wait is None:
                    return _lost(failure, course)
            await self._wait(wait)

    def stop(self) -> None:
        """Start no more attempts."""
        self._stopped.set()
        for timer in self._ends.values():
            timer.cancel()
        self.budget.abort(_interrupted())

    async def drained(self) -> None:
        """Wait until no attempt is in flight."""
        await self._empty.wait()

    async def _attempt(
        self, request: Request, address: Address, channel: Channel, key: str, question: str, drawn: int | None, course: _Course
    ) -> Reply:
        self._check()
        loop = asyncio.get_running_loop()
        ticket = await self._place(channel)
        good = refused = False
        wish: float | None = None
        try:
            self._check()
            cost = upper_cost(request, channel.facts)
            await self.budget.reserve(cost)
            spent = Cost()
            self._enter()
            try:
                self._check()  # a stop may have come while the budget was waited for
                await self.journal.started(address, key)
                begun = loop.time()
                spent = cost  # until we know better: a call that is torn off may have been billed
                with self.spans.attempt(request, drawn, address, channel.facts, course.failures + course.refusals + 1) as span:
                    reply = await channel.complete(request, drawn, self.clock)
                    seconds = loop.time() - begun
                    usage = _priced(reply.usage, channel, seconds)
                    span.answered(reply, usage)
                    spent = Cost(1, usage.tokens, usage.money)
                    course.usage += usage
                    self.tally.call(usage, seconds, reply.endpoint)
                    good = True
                    return _accepted(reply, request, question)
            except CallFailed as failure:
                if not good:  # what came was refused by our own checks otherwise: it is billed already
                    spent = self._billed_failure(failure, request, channel, course, cost)
                refused = failure.kind == "rate_limited" or (failure.kind == "unavailable" and failure.retry_after is not None)
                wish = None if failure.retry_after is None else min(failure.retry_after, self.retry.longest_wish)
                if self.clock.over:
                    self._check()
                    raise BudgetSpent("the time budget passed with calls in flight. Nothing is lost: resume the run.") from failure
                raise
            except Interrupted:  # before it went out, or while it waited for a batch that was never sent
                spent = Cost()
                raise
            finally:
                self._leave()
                self.budget.settle(cost, spent)
        finally:
            channel.limiter.release(ticket, good=good, refused=refused, wish=wish)

    async def _place(self, channel: Channel) -> Ticket:
        """Wait for a place, no longer than the budget of time lasts: a server may ask all callers to wait for minutes."""
        until = self._until()
        if until is not None and channel not in self._ends:  # one timer for all who wait: one a call would be dear
            self._ends[channel] = asyncio.get_running_loop().call_at(until, self._time_up, channel)
        return await channel.limiter.acquire(channel)

    def _time_up(self, channel: Channel) -> None:
        self.budget.end_of_time()
        channel.limiter.abort(self.budget.spent(), channel)

    def _until(self) -> float | None:
        """When the budget of time ends, if there is one."""
        return None if self.budget.limits.seconds is None else self.budget.deadline()

    def _billed_failure(self, failure: CallFailed, request: Request, channel: Channel, course: _Course, cost: Cost) -> Cost:
        """What a failed attempt is counted as: what the backend says, else nothing where the server never took it on, else the most."""
        if failure.usage is not None:
            usage = _priced(failure.usage, channel)
        elif failure.kind in UNBILLED:
            usage = Usage(1)
        else:
            completion = upper_tokens(request)[1]
            usage = Usage(1, cost.tokens - completion, 0, completion, cost.money)
        course.usage += usage
        self.tally.call(usage, None)
        return Cost(1, usage.tokens, usage.money)

    def _failed(self, failure: CallFailed, address: Address, course: _Course) -> float | None:
        """Note a failed attempt; the wait before the next, or None."""
        if failure.kind == "rate_limited":
            course.refusals += 1
        else:
            course.failures += 1
        self.tally.failed[failure.kind] += 1
        where = {"endpoint": failure.endpoint} if failure.endpoint else {}
        course.notes.append({"kind": failure.kind, "error": _message(failure), **where})
        wait = self.retry.again(failure, address, course.failures, course.refusals)
        if wait is not None:
            self.tally.retries[failure.kind] += 1
        return wait

    async def _wait(self, seconds: float) -> None:
        try:
            until = asyncio.get_running_loop().time() + seconds
            async with asyncio.timeout_at(until if (end := self._until()) is None else min(until, end)):
                await self._stopped.wait()
        except TimeoutError:
            return
        raise _interrupted()

    def _check(self) -> None:
        if self._stopped.is_set():
            raise _interrupted()
        self.budget.check()
        if self.budget.limits.seconds is not None and self.clock.end is None:
            self.clock.end_at(self.budget.deadline())

    def _enter(self) -> None:
        self._flying += 1
        self._empty.clear()

    def _leave(self) -> None:
        self._flying -= 1
        if self._flying == 0:
            self._empty.set()


def _accepted(reply: Reply, request: Request, question: str) -> Reply:
    """The reply, or ``CallFailed`` where it cannot be an answer to this request at all."""
    if reply.echo and reply.echo != question:
        raise CallFailed("misaligned", "the answer belongs to another request", retryable=True)
    if reply.status is Status.DECLINED or reply.finish in DECLINING:
        return replace(reply, status=Status.DECLINED)
    if request.kind == "choose":
        given = reply.probabilities
        if len(given) != len(request.options) or not all(0.0 <= one <= 1.0 for one in given) or abs(sum(given) - 1.0) > 1e-3:
            fault = f"{len(given)} probabilities for {len(request.options)} options, or not a distribution"
            raise CallFailed("wrong_shape", fault, retryable=True)
    elif request.kind == "embed":
        if len(reply.vectors) != len(request.texts) or len({len(vector) for vector in reply.vectors}) > 1:
            raise CallFailed("wrong_shape", f"{len(reply.vectors)} vectors for {len(request.texts)} texts", retryable=True)
    elif not reply.text.strip() and reply.value is None:
        raise CallFailed("empty", "the reply is empty", retryable=True)
    elif len(reply.text) > CHARACTERS_A_TOKEN * request.sampling.max_tokens + 1024:
        raise CallFailed("wrong_shape", f"{len(reply.text):,} characters for {request.sampling.max_tokens} tokens", retryable=True)
    return reply


def _final(reply: Reply, request: Request, course: _Course) -> Answer:
    _note_answered(reply, course)
    text, value, status, error = clean(reply.text), reply.value, Status.OK, ""
    if reply.status is Status.DECLINED:
        status, error = Status.DECLINED, clean(reply.error) or "the model declined to answer"
    elif request.kind == "complete" and reply.finish == "length" and repeats(text):
        status, error = Status.MALFORMED, "the reply repeats itself without end"
    elif request.kind == "complete" and request.schema is not None:
        if not text and value is not None:
            text = json.dumps(value, ensure_ascii=False, default=str)
        parsed = parse(text, request.schema)
        value = parsed.value
        if parsed.error:
            cut = " (it was cut off at the limit of its length)" if reply.finish == "length" else ""
            status, error = Status.MALFORMED, parsed.error + cut
    elif request.kind == "complete":
        value = None
    good = status is Status.OK
    final = Reply(
        status,
        text if good else "",
        value if good else None,
        reply.probabilities,
        reply.vectors,
        reply.finish,
        error[:LONGEST_ERROR],
        clean(reply.model)[:200],
        course.usage,
    )
    plain = final.plain()
    return Answer(final, plain if good else {**plain, "raw": text}, course.notes)


def _note_answered(reply: Reply, course: _Course) -> None:
    """What is known of the good attempt, and is no part of its reply."""
    told: dict[str, Any] = {"endpoint": reply.endpoint} if reply.endpoint else {}
    if course.usage.reasoning_tokens:
        told["reasoning_tokens"] = course.usage.reasoning_tokens
    if told:
        course.notes.append({"kind": "answered", **told})


def _lost(failure: CallFailed, course: _Course) -> Answer:
    if course.notes and course.usage.reasoning_tokens:
        course.notes[-1] = {**course.notes[-1], "reasoning_tokens": course.usage.reasoning_tokens}
    status = Status.TIMED_OUT if failure.kind in TIMEOUTS else Status.FAILED
    reply = Reply(status, error=f"{failure.kind}: {_message(failure)}"[:LONGEST_ERROR], finish="error", usage=course.usage)
    return Answer(reply, reply.plain(), course.notes)


def _priced(used: Usage, channel: Channel, seconds: float | None = None) -> Usage:
    """One call's usage with its price, and its ``seconds`` where they are measured here."""
    price = used.money or money(used, channel.facts.prices)
    took = used.seconds if seconds is None else seconds
    return Usage(1, used.prompt_tokens, used.cached_tokens, used.completion_tokens, price, took, used.reasoning_tokens)


def _message(failure: CallFailed) -> str:
    return clean(str(failure))[:LONGEST_ERROR]


def _interrupted() -> Interrupted:
    return Interrupted("Stopped before the call was made: resume the run to go on.")
