"""The one door to models: journal, cache, shared calls, budget, limiter, attempts, and the check of structured replies.

A request is answered from the first of: the journal at its address (the key must match), a reply known under its key, an
equal *fixed* request in flight, and only then a live call. Whatever the answer, it is durable in the journal before ``ask``
returns (law 2), and a final failure is an answer like any other (law 4): only a spent budget, a stop, and a re-run that asks
something else than the journal holds are raised.

What is journalled of a reply that is no use as an agent's words (malformed, declined) holds the text the model wrote under
``raw``; ``Reply.text`` of such a reply is empty. A reply is ``declined`` when the backend says so by its finish reason
(``content_filter`` or ``refusal``) or its status; it is never guessed from the words.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

from sociarium.kernel.content import Block, Trust
from sociarium.kernel.errors import Interrupted, ReplayMismatch, UsageError
from sociarium.kernel.outcomes import Status
from sociarium.kernel.protocols import Address, Journal, JournalEntry, Plain
from sociarium.models.attempts import Answer, Attempts
from sociarium.models.backend import Backend
from sociarium.models.budget import Budget, BudgetLimits
from sociarium.models.channel import Channel, Clock
from sociarium.models.limiter import Limiter
from sociarium.models.mismatch import difference
from sociarium.models.prices import UNKNOWN
from sociarium.models.prompts import prompt
from sociarium.models.request import Reply, Request, draw, key_from, request_id
from sociarium.models.retry import RetryPolicy
from sociarium.models.schema import check_schema
from sociarium.models.tally import Tally
from sociarium.models.tracing import Spans, spans_by_environment

REUSED = frozenset({"ok", "repaired", "declined", "malformed"})  # a timeout or a failure is no reply: it is not copied in
MOST_SCHEMAS = 1_000  # that are remembered as checked
LONGEST_SHOWN = 4_000  # characters of a bad reply that a repair request shows


class ModelService:
    """See the module. One service serves all runs and agents that share a budget.

    ``routes`` names backends: ``"default"``, and others that a scenario or an agent asks for. Two routes to one backend
    object share its limiter. ``timeout``: seconds for one attempt. ``concurrency``: the most calls in flight to one backend
    (default: what the backend says it can use). ``spans``: tracing, by default as ``SOCIARIUM_TRACE`` says. ``limiters``: of
    the services in this event loop that ask the same backends, by ``id(backend)``: they keep to one number of calls and one pace.
    """

    def __init__(
        self,
        routes: Mapping[str, Backend],
        *,
        journal: Journal,
        seed: int,
        budget: BudgetLimits | None = None,
        timeout: float = 120.0,
        retry: RetryPolicy | None = None,
        concurrency: int | None = None,
        spans: Spans | None = None,
        limiters: dict[int, Limiter] | None = None,
    ) -> None:
        if "default" not in routes:
            raise UsageError(f'A model service needs a route named "default"; given: {", ".join(routes) or "none"}.')
        if not 0.0 < timeout < float("inf"):
            raise UsageError(f"The time limit of a call must be a positive number of seconds, not {timeout:g}.")
        self.journal = journal
        self.seed = seed
        self.budget = Budget(budget or BudgetLimits(), journal)
        self.tally = Tally()
        self._clock = Clock(timeout)
        self._attempts = Attempts(journal, self.budget, self.tally, self._clock, retry or RetryPolicy(), spans or spans_by_environment())
        channels: dict[int, Channel] = {}
        shared: dict[int, Limiter] = {} if limiters is None else limiters
        for backend in routes.values():
            if id(backend) not in channels:
                channels[id(backend)] = Channel(backend, concurrency, shared.get(id(backend)))
                shared[id(backend)] = channels[id(backend)].limiter
        self._channels = {name: channels[id(backend)] for name, backend in routes.items()}
        if self.budget.limits.money is not None:
            _refuse_unpriced(self._channels)
        self._flying: dict[str, asyncio.Future[Answer | None]] = {}
        self._schemas: dict[int, Mapping[str, Any]] = {}  # those checked, held so that their ids stay theirs

    async def ask(self, request: Request, address: Address, *, route: str = "default", drawn_at: Address | None = None) -> Reply:
        """The reply to a request, or how it failed for good. ``drawn_at``: the address whose draw it takes (a fork's origin).

        A reply that does not follow the request's schema is followed by one recorded repair request. Raises
        ``ReplayMismatch``, ``BudgetSpent`` and ``Interrupted``; ``UsageError`` for an unknown route or a schema that we cannot check.
        """
        channel = self._channel(route)
        if request.schema is not None:
            self._refuse_unchecked(request.schema)
        drawn_at = drawn_at or address
        first = await self._answer(request, address, channel, drawn_at)
        if first.reply.status is not Status.MALFORMED or request.schema is None:
            return self._told(address, first.reply)
        repaired = await self._answer(_repair(request, first), replace(address, repair=1), channel, replace(drawn_at, repair=1))
        reply = replace(repaired.reply, usage=first.reply.usage + repaired.reply.usage)
        return self._told(address, replace(reply, status=Status.REPAIRED) if reply.status is Status.OK else reply)

    async def ask_all(
        self, requests: Sequence[Request], address: Address, *, route: str = "default", drawn_at: Address | None = None
    ) -> list[Reply]:
        """Parallel requests of one label as one list: numbered from 0 in its order, whatever the order of the replies."""
        origin = drawn_at or address
        asked = (
            self.ask(request, replace(address, number=number), route=route, drawn_at=replace(origin, number=number))
            for number, request in enumerate(requests)
        )
        replies: list[Reply] = []
        # All are waited for, so that what was paid is journalled even where one of them ends the run.
        for reply in await asyncio.gather(*asked, return_exceptions=True):
            if isinstance(reply, BaseException):
                raise reply
            replies.append(reply)
        return replies

    async def stop(self, grace: float = 10.0) -> None:
        """Start no new call, give those in flight ``grace`` seconds, then end them too. Askers get ``Interrupted``."""
        self._attempts.stop()
        for channel in self._channels.values():
            channel.abort(Interrupted("Stopped before the call was made: resume the run to go on."))
        self._clock.end_at(asyncio.get_running_loop().time() + grace)
        await self._attempts.drained()

    async def close(self) -> None:
        """Stop at once, hand back what was leased and not spent, and close the backends."""
        async with AsyncExitStack() as after:  # all of it, even where the disk refuses the lease that is handed back
            for channel in _once(self._channels.values()):
                after.push_async_callback(channel.backend.close)
            await self.stop(0.0)
            await self.budget.hand_back()

    async def __aenter__(self) -> ModelService:
        return self

    async def __aexit__(self, *details: object) -> None:
        await self.close()

    def summary(self) -> dict[str, Any]:
        """Calls, shared and cached replies, retries by kind, tokens, money, outcomes by label, quantiles of latency: plain data."""
        return self.tally.summary()

    @property
    def routes(self) -> dict[str, Backend]:
        return {name: channel.backend for name, channel in self._channels.items()}

    def _refuse_unchecked(self, schema: Mapping[str, Any]) -> None:
        """A schema that asks for more than replies are checked for would let bad replies pass: ``UsageError``."""
        if self._schemas.get(id(schema)) is not schema:
            check_schema(schema)
            if len(self._schemas) >= MOST_SCHEMAS:
                self._schemas.clear()
            self._schemas[id(schema)] = schema

    def _channel(self, route: str) -> Channel:
        channel = self._channels.get(route)
        if channel is None:
            raise UsageError(f"There is no model route {route!r}. Routes of this run: {', '.join(self._channels)}.")
        return channel

    async def _answer(self, request: Request, address: Address, channel: Channel, drawn_at: Address) -> Answer:
        """One address's answer: journal, cache, shared, live. Durable when this returns."""
        drawn = None if request.fixed else draw(self.seed, drawn_at)
        question = request_id(request, drawn)
        key = key_from(channel.model, question)
        entry = self.journal.find(address)
        if entry is not None or not self.journal.live:
            return self._again(entry, key, request, address, channel)
        known = self.journal.known(key, address)
        if known is not None and known.reply["status"] in REUSED:
            self.tally.cached += 1
            return await self._copied(known.reply, key, request, address, channel, "cache")
        while request.fixed and (flying := self._flying.get(key)) is not None:
            answer = await asyncio.shield(flying)
            if answer is not None:  # None: its asker was stopped, so somebody else must ask
                self.tally.shared += 1
                return await self._copied(answer.plain, key, request, address, channel, "shared")
        return await self._live(request, address, channel, key, question, drawn)

    async def _live(self, request: Request, address: Address, channel: Channel, key: str, question: str, drawn: int | None) -> Answer:
        flying: asyncio.Future[Answer | None] | None = None
        if request.fixed:
            flying = self._flying[key] = asyncio.get_running_loop().create_future()
        durable: Answer | None = None
        try:
            answer = await self._attempts.run(request, address, channel, key, question, drawn)
            entry = JournalEntry(address, key, _asked(request, channel), answer.plain, answer.reply.usage, answer.attempts)
            await self.journal.append(entry)
            durable = answer
        finally:
            if flying is not None:
                del self._flying[key]
                flying.set_result(durable)
        return answer

    async def _copied(self, plain: Plain, key: str, request: Request, address: Address, channel: Channel, source: str) -> Answer:
        """Another asker's reply, copied in under this address: nothing was spent for it here."""
        await self.journal.append(JournalEntry(address, key, _asked(request, channel), plain, source=source))
        return Answer(Reply.from_plain(plain), plain)

    def _again(self, entry: JournalEntry | None, key: str, request: Request, address: Address, channel: Channel) -> Answer:
        if entry is None:
            raise ReplayMismatch(
                f"The journal holds no reply for: {address}. A replay makes no calls. The scenario or its code asks more than it did "
                f"when this run was recorded: replay it with that version, or branch from the last tick that is the same."
            )
        if entry.key != key:
            raise ReplayMismatch(difference(address, entry.request, _asked(request, channel)))
        self.tally.replayed += 1
        return Answer(Reply.from_plain(entry.reply, entry.usage), entry.reply)

    def _told(self, address: Address, reply: Reply) -> Reply:
        self.tally.outcome(address.label, reply.status)
        return reply


def _asked(request: Request, channel: Channel) -> dict[str, Any]:
    """The request as journalled, with what was asked."""
    data = request.plain()
    data["model"] = channel.facts.digest
    return data


def _repair(request: Request, first: Answer) -> Request:
    """The same question again, after the bad reply and what is wrong with it."""
    raw = str(first.plain.get("raw", ""))
    shown = raw if len(raw) <= LONGEST_SHOWN else raw[:LONGEST_SHOWN] + " ..."
    words = prompt("repair", error=first.reply.error, schema=json.dumps(request.schema, ensure_ascii=False, sort_keys=True))
    said = Block(shown, origin="model", trust=Trust.AGENT, role="assistant")
    return replace(request, blocks=(*request.blocks, said, Block(words, origin="models/repair")))


def _refuse_unpriced(channels: Mapping[str, Channel]) -> None:
    for name, channel in channels.items():
        if channel.facts.prices.dated == UNKNOWN:
            raise UsageError(
                f"A budget of money cannot be held on route {name!r}: the prices of {channel.facts.name} are not known. Give them with "
                f"its name, in US dollars per million tokens: ?price=...&price_completion=..."
            )


def _once(channels: Iterable[Channel]) -> list[Channel]:
    return list({id(channel): channel for channel in channels}.values())
